"""Pareto smoothing against ArviZ, and against densities whose weights have a known tail."""

import math

import arviz
import numpy as np
import pytest
import scipy.stats as st

from tacit.inference.importance import pareto_smooth


@pytest.mark.parametrize(("size", "spread"), [(1000, 1.0), (4000, 2.0), (200, 0.5), (500, 3.0)])
@pytest.mark.filterwarnings("ignore:Estimated shape parameter:UserWarning")
def test_smoothed_weights_are_those_of_arviz(size: int, spread: float) -> None:
    log_ratios = spread * np.random.default_rng(size).standard_t(5, size)
    ours = pareto_smooth(log_ratios)
    weights, khat = arviz.psislw(log_ratios)
    assert math.isclose(ours.khat, float(khat), rel_tol=1e-9)
    np.testing.assert_allclose(ours.log_weights, np.asarray(weights), atol=1e-9)
    assert math.isclose(ours.effective, 1.0 / np.exp(2.0 * np.asarray(weights)).sum(), rel_tol=1e-9)


def test_the_shape_is_that_of_the_tail_of_the_weights() -> None:
    # q = N(0, s²) of p = N(0, 1): the weights exp(½ x²(1/s² − 1)) have a Pareto tail of shape 1 − s² (s < 1)
    draws = np.random.default_rng(0)
    for scale in (0.9, 0.7, 0.5):
        x = scale * draws.standard_normal(200_000)
        found = pareto_smooth(st.norm.logpdf(x) - st.norm.logpdf(x, scale=scale))
        assert abs(found.khat - (1.0 - scale**2)) < 0.12


def test_equal_weights_are_left_alone() -> None:
    found = pareto_smooth(np.full(100, -7.0))
    np.testing.assert_allclose(found.log_weights, -math.log(100.0))
    assert found.khat <= 0.5
    assert math.isclose(found.effective, 100.0)


def test_few_draws_say_nothing() -> None:
    assert pareto_smooth(np.zeros(10)).khat == math.inf


def test_draws_without_mass_weigh_nothing() -> None:
    log_ratios = np.append(np.random.default_rng(1).normal(size=500), -np.inf)
    assert pareto_smooth(log_ratios).log_weights[-1] == -np.inf
    with pytest.raises(ValueError, match="no draw has any mass"):
        pareto_smooth(np.full(50, -np.inf))
    with pytest.raises(ValueError, match="finite or −inf"):
        pareto_smooth(np.array([0.0, np.nan]))
