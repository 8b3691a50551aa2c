"""The uniform family against scipy."""

import jax
import numpy as np
import pytest
from scipy import stats

from tacit.compute import double_precision
from tacit.families import FAMILIES, Uniform

LOW, HIGH = np.array([-1.0, 2.0]), np.array([3.0, 2.5])
BOX, LAW = Uniform(LOW, HIGH), stats.uniform(LOW, HIGH - LOW)


def test_it_is_scipys() -> None:
    x = np.array([[-2.0, 2.2], [-1.0, 2.5], [0.3, 3.0], [np.nan, 2.0]])
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(BOX.log_prob(x), LAW.logpdf(x))
    np.testing.assert_allclose(BOX.cdf(x), LAW.cdf(x))
    np.testing.assert_allclose(BOX.mean(), LAW.mean())
    np.testing.assert_allclose(BOX.variance(), LAW.var())
    np.testing.assert_allclose(BOX.entropy(), LAW.entropy())
    np.testing.assert_allclose(BOX.entropy(2.0), LAW.entropy() / np.log(2.0))
    assert "uniform" not in FAMILIES  # no column is fitted by it


def test_divergences_are_finite_within_a_wider_box_only() -> None:
    wider = Uniform(LOW - 1.0, HIGH + np.array([1.0, 0.0]))
    np.testing.assert_allclose(BOX.kl_divergence(wider), np.log(np.array([6.0, 1.5]) / np.array([4.0, 0.5])))
    assert np.isinf(wider.kl_divergence(BOX)).all()
    np.testing.assert_array_equal(BOX.kl_divergence(BOX), 0.0)


@double_precision
def test_draws_units_and_an_m_step() -> None:
    drawn = np.asarray(BOX.sample(key=jax.random.key(0), shape=(4000,)))
    again = np.stack([BOX.draw(random) for random in [np.random.default_rng(1)] for _ in range(4000)])
    for values in (drawn, again):
        for column in range(2):
            law = stats.uniform(LOW[column], HIGH[column] - LOW[column])
            assert stats.kstest(values[:, column], law.cdf).pvalue > 1e-4
    assert BOX.maximise(BOX.expected_statistics(drawn).sum(0), np.full(2, 4000.0)) is BOX
    moved = BOX.in_units(np.array([3.0, 0.1]), np.array([1e6, -7.0]))
    ends = np.array([3.0, 0.1]) * np.stack([LOW, HIGH]) + np.array([1e6, -7.0])
    assert np.isfinite(moved.log_prob(np.nextafter(ends, [[-np.inf] * 2, [np.inf] * 2]))).all()
    assert moved.log_prob(ends)[0, 0] == pytest.approx(-np.log(12.0))
