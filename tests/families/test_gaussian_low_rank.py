"""Diagonal plus low rank: the dense algebra it must agree with, and maximum likelihood of its parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st
from sklearn.decomposition import FactorAnalysis

from tacit.compute import double_precision
from tacit.families.factorising import factorise
from tacit.families.low_rank import SMALLEST_NOISE, LowRankNormal

RNG = np.random.default_rng(3)
MEANS = RNG.normal(size=(3, 5))
LOADINGS = RNG.normal(size=(3, 5, 2)) * 2.0
NOISE = np.exp(RNG.normal(size=(3, 5)))
COVARIANCES = LOADINGS @ np.swapaxes(LOADINGS, 1, 2) + NOISE[:, :, None] * np.eye(5)
maximise = jax.jit(lambda family, statistics, weight: family.maximise(statistics, weight))


def components() -> LowRankNormal:
    return LowRankNormal(jnp.asarray(MEANS), jnp.asarray(LOADINGS), jnp.asarray(NOISE))


@double_precision
def test_the_density_of_rows_complete_or_not():
    rows = RNG.normal(size=(6, 5)) * 3.0
    holes = rows.copy()
    holes[0, :] = np.nan
    holes[1, [0, 3]] = np.nan
    holes[4, 2] = np.nan
    density = jax.jit(lambda x: components().log_prob(x[:, None, :]))
    for table in (rows, holes):
        found = np.asarray(density(table))
        for row, k in np.ndindex(6, 3):
            seen = np.flatnonzero(~np.isnan(table[row]))
            expected = 0.0
            if len(seen):
                block = COVARIANCES[k][np.ix_(seen, seen)]
                expected = st.multivariate_normal(MEANS[k, seen], block).logpdf(table[row, seen])
            assert found[row, k] == pytest.approx(expected, rel=1e-11, abs=1e-14)
    assert np.all(np.asarray(density(np.full((1, 5), np.inf))) == -np.inf)
    assert components().supports(holes[1]).tolist() == [False, True, True, False, True]


@double_precision
def test_small_noise_costs_no_digits():
    """x = μ + W z + √ψ e with ψ = 1e-12: the distance against 40 digits of dense algebra, by a known inverse."""
    loadings, z, e = np.array([[1.0], [1.0]]), 0.7, np.array([0.4, -0.9])
    one = LowRankNormal(jnp.zeros(2), jnp.asarray(loadings), jnp.full(2, 1e-12))
    x = z + 1e-6 * e
    # along (1, 1)/√2 the variance is 2 + 1e-12, across it 1e-12
    across = (x[0] - x[1]) ** 2 / 2 / 1e-12
    along = (x[0] + x[1]) ** 2 / 2 / (2 + 1e-12)
    expected = -0.5 * (across + along + np.log(1e-12) + np.log(2 + 1e-12)) - np.log(2 * np.pi)
    assert float(one.log_prob(x)) == pytest.approx(expected, rel=1e-9)


@double_precision
def test_moments_entropy_and_divergence():
    one = components()
    np.testing.assert_allclose(one.covariances, COVARIANCES, rtol=1e-13)
    np.testing.assert_allclose(one.variance(), np.diagonal(COVARIANCES, axis1=1, axis2=2), rtol=1e-13)
    peers = [st.multivariate_normal(m, c) for m, c in zip(MEANS, COVARIANCES, strict=True)]
    expected = np.array([peer.entropy() for peer in peers])
    np.testing.assert_allclose(one.entropy(), expected, rtol=1e-12)
    other = LowRankNormal(one.means[::-1], one.loadings[::-1], one.noise[::-1])
    dense = one.dense().kl_divergence(other.dense())
    np.testing.assert_allclose(one.kl_divergence(other), dense, rtol=1e-13)
    np.testing.assert_allclose(one.cross_entropy(other), dense + expected, rtol=1e-11)


@double_precision
def test_a_marginal():
    part = components().marginal([4, 1])
    np.testing.assert_allclose(part.covariances, COVARIANCES[:, [4, 1]][:, :, [4, 1]], rtol=1e-13)
    np.testing.assert_array_equal(part.means, MEANS[:, [4, 1]])


@double_precision
def test_samples_have_the_covariance():
    draws = np.asarray(components().sample(key=jax.random.key(1), shape=(40_000,)))
    factor = np.linalg.cholesky(COVARIANCES)
    whitened = np.linalg.solve(factor, (draws - MEANS)[..., None])[..., 0]
    second = np.einsum("nki,nkj->kij", whitened, whitened) / 40_000
    assert np.abs(second - np.eye(5)).max() < 4.5 * np.sqrt(2 / 40_000)
    assert np.abs(whitened.mean(0)).max() < 4.5 / np.sqrt(40_000)


def table(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(rows, 5)) * [0.5, 1.0, 2.0, 0.7, 1.5]
    return rng.normal(size=(rows, 2)) @ rng.normal(size=(2, 5)) * 2.0 + noise + 10.0


def log_likelihood(rows, means, loadings, noise):
    covariance = loadings @ loadings.T + np.diag(noise)
    return st.multivariate_normal(means, covariance).logpdf(rows).sum()


@double_precision
def test_maximum_likelihood_is_that_of_factor_analysis():
    rows = table()
    start = LowRankNormal(jnp.zeros((1, 5)), jnp.zeros((1, 5, 2)), jnp.ones((1, 5)), iterations=500)
    fitted = maximise(start, start.expected_statistics(rows).sum(0)[None], jnp.asarray([300.0]))
    means, loadings, noise = (np.asarray(part[0]) for part in (fitted.means, fitted.loadings, fitted.noise))
    ours = log_likelihood(rows, means, loadings, noise)
    peer = FactorAnalysis(2, svd_method="lapack", tol=1e-12, max_iter=20_000).fit(rows)
    theirs = log_likelihood(rows, peer.mean_, peer.components_.T, peer.noise_variance_)
    assert ours == pytest.approx(theirs, abs=1e-6)
    np.testing.assert_allclose(noise, peer.noise_variance_, rtol=1e-4)
    cross = loadings.T @ (loadings / noise[:, None])
    assert abs(cross[0, 1]) < 1e-9 * cross[0, 0]
    spread = np.cov(rows.T, ddof=0)

    def cost(w, log_psi):
        covariance = w @ w.T + jnp.diag(jnp.exp(log_psi))
        return jnp.linalg.slogdet(covariance)[1] + jnp.trace(jnp.linalg.solve(covariance, spread))

    slopes = jax.grad(cost, argnums=(0, 1))(loadings, np.log(noise))
    assert max(np.abs(np.asarray(slope)).max() for slope in slopes) < 1e-7


@double_precision
def test_every_inner_iteration_raises_the_likelihood():
    rows = table(seed=4)
    family = LowRankNormal(jnp.zeros((1, 5)), jnp.asarray(LOADINGS[:1]), jnp.asarray(NOISE[:1]), iterations=1)
    statistics, weight = family.expected_statistics(rows).sum(0)[None], jnp.asarray([300.0])
    value = -np.inf
    for _ in range(15):
        family = maximise(family, statistics, weight)
        parts = (np.asarray(part[0]) for part in (family.means, family.loadings, family.noise))
        fresh = log_likelihood(rows, *parts)
        assert fresh >= value - 1e-9
        value = fresh


@double_precision
def test_a_noise_that_wants_to_vanish_stops_at_its_bound():
    """A Heywood case: r₁₂ r₁₃ / r₂₃ = 1.28 would be the share of column 1 that is common. And a component without
    weight, which stays."""
    correlation = np.array([[1.0, 0.8, 0.8], [0.8, 1.0, 0.5], [0.8, 0.5, 1.0]])
    family = LowRankNormal(jnp.zeros((2, 3)), jnp.ones((2, 3, 1)), jnp.ones((2, 3)), iterations=50)
    statistics = np.stack([np.concatenate([np.zeros(3), correlation.ravel()]), np.zeros(12)])
    fitted = maximise(family, 50.0 * statistics, jnp.asarray([50.0, 0.0]))
    assert float(fitted.noise[0, 0]) == pytest.approx(SMALLEST_NOISE, rel=1e-9)
    np.testing.assert_array_equal(fitted.noise[1], np.ones(3))
    np.testing.assert_array_equal(fitted.loadings[1], np.ones((3, 1)))


@double_precision
def test_the_floor_of_the_noise_is_an_argument():
    """R's factanal holds every uniqueness at 0.005 at least: of these correlations that of the first column."""
    correlation = np.array([[1.0, 0.8, 0.8], [0.8, 1.0, 0.5], [0.8, 0.5, 1.0]])
    family = LowRankNormal(jnp.zeros((1, 3)), jnp.ones((1, 3, 1)), jnp.ones((1, 3)), floor=0.005)
    fitted = maximise(family, 50.0 * np.concatenate([np.zeros(3), correlation.ravel()])[None], jnp.asarray([50.0]))
    plane = factorise(correlation, 1, 0.005, 1000)
    assert float(fitted.noise[0, 0]) == pytest.approx(0.005, rel=1e-9)
    np.testing.assert_allclose(fitted.noise[0], plane.noise, rtol=1e-6)
    np.testing.assert_allclose(np.abs(fitted.loadings[0]), np.abs(plane.loadings), rtol=1e-6)
