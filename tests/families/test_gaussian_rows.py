"""The Normal distribution of a row: density, exponential form, divergences and maximum likelihood."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st

from tacit.compute import double_precision
from tacit.families.multivariate_normal import MultivariateNormal

RNG = np.random.default_rng(5)
MEANS = RNG.normal(size=(4, 3)) * 3.0
HALVES = RNG.normal(size=(4, 3, 5))
COVARIANCES = HALVES @ np.swapaxes(HALVES, 1, 2)
ROWS = RNG.normal(size=(7, 3)) * 4.0


def components() -> MultivariateNormal:
    return MultivariateNormal.from_covariance(jnp.asarray(MEANS), jnp.asarray(COVARIANCES))


def peer(k: int, columns=slice(None)) -> st._multivariate.multivariate_normal_frozen:
    return st.multivariate_normal(MEANS[k][columns], COVARIANCES[k][columns][:, columns])


@double_precision
def test_the_density_of_complete_rows():
    found = components().log_prob(ROWS[:, None, :])
    expected = np.stack([peer(k).logpdf(ROWS) for k in range(4)], axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    np.testing.assert_allclose(components().log_prob(ROWS[0]), expected[0], rtol=1e-11)


@double_precision
def test_missing_entries_are_summed_out():
    """Every pattern, beside complete rows, against scipy's density of the observed block."""
    patterns = list(itertools.product([True, False], repeat=3))
    rows = np.where(patterns, ROWS[:1].repeat(8, axis=0), np.nan)
    found = np.asarray(components().log_prob(rows[:, None, :]))
    for row, pattern in enumerate(patterns):
        seen = np.flatnonzero(pattern)
        for k in range(4):
            expected = peer(k, seen).logpdf(rows[row, seen]) if len(seen) else 0.0
            assert found[row, k] == pytest.approx(expected, rel=1e-11, abs=1e-14)


@double_precision
def test_infinite_values_have_no_density_and_cells_are_named():
    row = np.array([1.0, np.inf, np.nan])
    assert np.all(np.asarray(components().log_prob(row)) == -np.inf)
    assert components().supports(row).tolist() == [True, False, False]


@double_precision
def test_the_whitened_form_keeps_its_digits():
    """Scales of twelve orders of magnitude: the distance of x = μ + L z is ‖z‖² whatever L is."""
    scales = np.array([1e-6, 1.0, 1e6])
    factor = scales[:, None] * np.array([[1.0, 0, 0], [0.9, 0.1, 0], [-0.5, 0.8, 0.2]])
    z = RNG.normal(size=(5, 3))
    density = MultivariateNormal(jnp.zeros(3), jnp.asarray(factor))
    expected = -0.5 * (z**2).sum(1) - np.log(np.diag(factor)).sum() - 1.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(density.log_prob(z @ factor.T), expected, rtol=1e-12)


@double_precision
def test_the_exponential_form_is_the_density():
    one = components()
    statistics = one.sufficient_statistics(ROWS)
    linear = statistics @ one.natural.T - one.log_normalizer + one.log_base(ROWS)[:, None]
    np.testing.assert_allclose(linear, one.log_prob(ROWS[:, None, :]), rtol=1e-9)
    missing = np.array([[0.1, np.nan, 2.0]])
    assert np.all(np.asarray(one.sufficient_statistics(missing)) == 0.0)
    assert float(one.log_base(missing)[0]) == 0.0


@double_precision
def test_natural_and_mean_parameters_go_round():
    one = components()
    for there in (one.from_natural(one.natural), one.from_mean_parameters(one.mean_parameters)):
        np.testing.assert_allclose(there.means, one.means, rtol=1e-10)
        np.testing.assert_allclose(there.cholesky, one.cholesky, rtol=1e-9, atol=1e-10)
    slope = jax.grad(lambda natural: one.from_natural(natural).log_normalizer.sum())(one.natural)
    np.testing.assert_allclose(slope, one.mean_parameters, rtol=1e-8)


def dense_divergence(p: int, q: int) -> float:
    """½ [tr(S₀⁻¹S) + (m₀−m)ᵀS₀⁻¹(m₀−m) − d + log det S₀ − log det S]."""
    precision, shift = np.linalg.inv(COVARIANCES[q]), MEANS[q] - MEANS[p]
    logs = np.linalg.slogdet(COVARIANCES[q])[1] - np.linalg.slogdet(COVARIANCES[p])[1]
    return 0.5 * (np.trace(precision @ COVARIANCES[p]) + shift @ precision @ shift - 3 + logs)


@double_precision
def test_entropy_cross_entropy_and_divergence():
    one = components()
    other = MultivariateNormal(jnp.roll(one.means, 1, axis=0), jnp.roll(one.cholesky, 1, axis=0))
    entropies = np.array([peer(k).entropy() for k in range(4)])
    divergences = np.array([dense_divergence(k, k - 1) for k in range(4)])
    np.testing.assert_allclose(one.entropy(), entropies, rtol=1e-12)
    np.testing.assert_allclose(one.kl_divergence(other), divergences, rtol=1e-10)
    np.testing.assert_allclose(one.cross_entropy(other), entropies + divergences, rtol=1e-11)
    np.testing.assert_allclose(one.kl_divergence(other, base=2), divergences / np.log(2), rtol=1e-10)
    assert np.abs(np.asarray(one.kl_divergence(one))).max() < 1e-14


@double_precision
def test_cross_entropy_by_quadrature():
    """−∫ p log q in two columns, by a Gauss–Hermite rule that is exact for it."""
    p = MultivariateNormal.from_covariance(MEANS[0, :2], COVARIANCES[0, :2, :2])
    q = MultivariateNormal.from_covariance(MEANS[1, :2], COVARIANCES[1, :2, :2])
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)
    grid = np.stack(np.meshgrid(nodes, nodes), axis=-1).reshape(-1, 2)
    share = np.outer(weights, weights).ravel() / (2 * np.pi)
    expected = -(share * np.asarray(q.log_prob(np.asarray(p.means) + grid @ np.asarray(p.cholesky).T))).sum()
    assert float(p.cross_entropy(q)) == pytest.approx(expected, rel=1e-12)


@double_precision
def test_maximum_likelihood_from_weighted_statistics():
    one = components()
    rows, weights = RNG.normal(size=(50, 3)) * [1.0, 5.0, 0.2] + 3.0, RNG.uniform(size=(50, 4))
    weights[:, 2] = 0.0
    fitted = one.maximise(weights.T @ np.asarray(one.expected_statistics(rows)), weights.sum(0))
    for k in (0, 1, 3):
        np.testing.assert_allclose(fitted.means[k], np.average(rows, axis=0, weights=weights[:, k]), rtol=1e-12)
        expected = np.cov(rows.T, aweights=weights[:, k], ddof=0)
        np.testing.assert_allclose(fitted.covariances[k], expected, rtol=0, atol=1e-12 * expected.max())
    np.testing.assert_array_equal(fitted.means[2], one.means[2])
    np.testing.assert_array_equal(fitted.cholesky[2], one.cholesky[2])


@double_precision
def test_constructors():
    variances = np.array([[1.0, 4.0], [9.0, 0.25]])
    means = np.array([[0.0, 1.0], [2.0, -1.0]])
    row = np.array([0.3, 0.4])
    expected = st.norm(means, np.sqrt(variances)).logpdf(row).sum(1)
    np.testing.assert_allclose(MultivariateNormal.diagonal(means, variances).log_prob(row), expected, rtol=1e-13)
    tied = MultivariateNormal.from_covariance(means, np.array([[2.0, 0.5], [0.5, 1.0]]))
    expected = [st.multivariate_normal(m, [[2.0, 0.5], [0.5, 1.0]]).logpdf(row) for m in means]
    np.testing.assert_allclose(tied.log_prob(row), expected, rtol=1e-12)
    np.testing.assert_allclose(tied.variance(), [[2.0, 1.0]] * 2, rtol=1e-15)
    assert tied.entropy().shape == (2,)
    linear = np.asarray(tied.sufficient_statistics(row) @ tied.natural.T - tied.log_normalizer)
    np.testing.assert_allclose(linear - np.log(2 * np.pi), expected, rtol=1e-11)
    np.testing.assert_array_equal(MultivariateNormal.template((2,), 3).covariances, [np.eye(3)] * 2)


@double_precision
def test_samples_have_the_moments():
    one = components()
    draws = np.asarray(one.sample(key=jax.random.key(0), shape=(40_000,)))
    assert draws.shape == (40_000, 4, 3)
    standard = np.sqrt(np.asarray(one.variance()) / 40_000)
    assert np.abs((draws.mean(0) - one.mean()) / standard).max() < 4.5
    whitened = np.linalg.solve(np.asarray(one.cholesky), (draws - MEANS)[..., None])[..., 0]
    second = np.einsum("nki,nkj->kij", whitened, whitened) / 40_000
    assert np.abs(second - np.eye(3)).max() < 4.5 * np.sqrt(2 / 40_000)
