"""Verdicts, posteriors and the noise-aware end: what they say, and of what."""

import numpy as np
import pytest
import scipy.stats as st

from tacit.estimators.verdict import judged
from tacit.inference.posterior import Posterior
from tacit.inference.settling import Settle


def narrow(scale: float, number: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Draws of ``N(0, s²)`` where the posterior is ``N(0.1, 1)`` and the evidence e³."""
    draws = scale * np.random.default_rng(0).standard_normal((number, 1))
    ratios = 3.0 + st.norm.logpdf(draws[:, 0], 0.1) - st.norm.logpdf(draws[:, 0], scale=scale)
    return draws, ratios


def test_moments_are_mended_and_the_evidence_estimated() -> None:
    draws, ratios = narrow(0.8)
    found = judged(names=["b"], draws=draws, log_ratios=ratios, bounds=[2.9, 2.95], agreement=0.01, stop="it settled")
    assert found.reliable
    assert abs(found.raw["b"][1] - 0.8) < 0.03
    assert abs(found.corrected["b"][0] - 0.1) < 0.05
    assert abs(found.corrected["b"][1] - 1.0) < 0.06
    assert abs(found.log_evidence - 3.0) < 4.0 * found.log_evidence_error
    assert found.bounds == (2.95, 2.9)
    words = found.words()
    assert "close to the posterior" in words[0] or "usable" in words[0]
    assert "change b most" in words[1]
    assert "2 independent starts agree" in words[2]
    assert words[3] == "The fit ended because it settled."


def test_a_guide_that_misses_the_posterior_is_not_trusted() -> None:
    draws, ratios = narrow(0.3)
    found = judged(names=["b"], draws=draws, log_ratios=ratios, bounds=[1.0, -4.0], agreement=3.0)
    assert not found.reliable
    assert "above 0.7" in found.words()[0]
    assert "ended 5 nats apart and means 3 standard deviations apart" in str(found)
    assert "Corrected" not in str(found)


def test_what_has_no_khat_says_why() -> None:
    found = judged(why_not="the parameters are discrete", bounds=[1.0])
    assert found.khat is None
    assert found.reliable is None
    assert found.words() == (
        "k̂: n/a (the parameters are discrete).",
        "One start only: whether another would end elsewhere is not known.",
    )
    many = judged(names=[str(i) for i in range(201)], draws=np.zeros((50, 201)), log_ratios=np.zeros(50))
    assert many.khat is None
    assert "201 parameters" in many.words()[0]


def test_posteriors_give_moments_intervals_and_arviz() -> None:
    draws = {"b": np.random.default_rng(0).normal(2.0, 3.0, (5000, 2)), "s": np.arange(5000.0)}
    found = Posterior(draws, dims={"b": ["column"]}, coords={"column": ["age", "income"]})
    np.testing.assert_allclose(found.mean["b"], 2.0, atol=0.2)
    np.testing.assert_allclose(found.sd["b"], 3.0, rtol=0.05)
    np.testing.assert_allclose(found.interval(0.9)["s"], [0.05 * 4999, 0.95 * 4999])
    laid = found.to_arviz().posterior
    assert laid["b"].shape == (1, 5000, 2)
    assert list(laid["b"].column.values) == ["age", "income"]
    assert "5000 draws of b (2,), s" in repr(found)
    with pytest.raises(ValueError, match="between 0 and 1"):
        found.interval(90)


def test_a_stage_ends_where_the_bound_no_longer_rises_beyond_its_noise() -> None:
    settle = Settle(window=3)
    assert not settle.settled(np.array([1.0, 1.0, 1.0, 1.0, 1.0]))
    assert settle.settled(np.array([0.0, 1.0, 1.1, 0.9, 1.0, 1.1, 0.9]))
    assert not settle.settled(np.array([1.0, 1.1, 0.9, 2.0, 2.1, 1.9]))
    assert Settle(window=3, tol=5.0).settled(np.array([1.0, 1.1, 0.9, 2.0, 2.1, 1.9]))
    assert not settle.last(1.0)
    assert not settle.last(0.2)
    assert settle.last(0.04)
