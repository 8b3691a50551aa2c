"""Student's t: the local posterior, Fisher's identity, and EM that never falls and ends at the maximum."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats as st
from jax.scipy.special import gammaln

from tacit.compute import double_precision
from tacit.families.student_t import DOF_RANGE, MultivariateStudentT, StudentT

RNG = np.random.default_rng(6)
VALUES = st.t(3.0, 5.0, 2.0).rvs(300, random_state=1)
WEIGHTS = RNG.uniform(0.2, 2.0, 300)


@jax.jit
def em_step(family, rows, weights):
    """One iteration, and the log-likelihood before it; weights [rows, K]."""
    shaped = jnp.expand_dims(rows, 1)
    statistics = jnp.einsum("nk,nkf->kf", weights, family.expected_statistics(shaped))
    return family.maximise(statistics, weights.sum(0)), (weights * family.log_prob(shaped)).sum(0)


def fit(family, rows, weights, iterations):
    trace = []
    for _ in range(iterations):
        family, value = em_step(family, rows, weights)
        trace.append(np.asarray(value))
    return family, np.array(trace)


def start(members=1):
    return StudentT(jnp.zeros(members), jnp.ones(members), jnp.full(members, 10.0))


@double_precision
def test_the_local_posterior_is_a_gamma():
    family = StudentT(jnp.asarray(1.0), jnp.asarray(2.0), jnp.asarray(3.0))
    found = np.asarray(family.expected_statistics(VALUES[:5]))
    rate = (3.0 + ((VALUES[:5] - 1.0) / 2.0) ** 2) / 2
    weight = 2.0 / rate
    np.testing.assert_allclose(found[:, 0], weight, rtol=1e-14)
    np.testing.assert_allclose(found[:, 1], weight * VALUES[:5], rtol=1e-14)
    np.testing.assert_allclose(found[:, 2], weight * VALUES[:5] ** 2, rtol=1e-14)
    np.testing.assert_allclose(found[:, 3], scipy.special.digamma(2.0) - np.log(rate), rtol=1e-13)
    assert np.all(np.asarray(family.expected_statistics(np.array([np.nan, np.inf]))) == 0.0)


@double_precision
def test_fishers_identity():
    """The slope of log p is the slope of the expected complete log-density, at the same parameters."""
    at = jnp.asarray([5.0, jnp.log(2.0), jnp.log(3.0)])
    values = jnp.asarray([-1.0, 4.0, 40.0])

    def family(p):
        return StudentT(p[0], jnp.exp(p[1]), jnp.exp(p[2]))

    def complete(p, s):
        scale, half = jnp.exp(p[1]), 0.5 * jnp.exp(p[2])
        spread = (s[:, 2] - 2 * p[0] * s[:, 1] + p[0] ** 2 * s[:, 0]) / scale**2
        gamma = half * jnp.log(half) - gammaln(half) + half * (s[:, 3] - s[:, 0])
        return -jnp.log(scale) - 0.5 * spread + gamma

    @jax.jit
    def both():
        slope = jax.jacobian(lambda p: family(p).log_prob(values))(at)
        return slope, jax.jacobian(complete)(at, family(at).expected_statistics(values))

    slope, expected = both()
    np.testing.assert_allclose(slope, expected, rtol=1e-10, atol=1e-12)


@double_precision
def test_em_never_falls_and_ends_at_the_maximum():
    weights = np.stack([np.ones(300), WEIGHTS], axis=1)
    family, trace = fit(start(2), VALUES, weights, 1500)
    assert np.diff(trace, axis=0).min() > -1e-9
    for k in range(2):

        def cost(p, k=k):
            return -(weights[:, k] * st.t.logpdf(VALUES, np.exp(p[2]), p[0], np.exp(p[1]))).sum()

        best = scipy.optimize.minimize(
            cost, [5.0, 0.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000}
        )
        assert trace[-1, k] == pytest.approx(-best.fun, abs=1e-8)
        found = [family.locations[k], jnp.log(family.scales[k]), jnp.log(family.dofs[k])]
        np.testing.assert_allclose(np.array(found), best.x, atol=1e-5)


@double_precision
def test_one_step_maximises_the_expected_complete_density_of_the_expanded_model():
    """u ~ α Gamma(ν/2, ν/2): the best (μ, σ, ν) given the statistics, over α too, by a general optimiser."""
    first = start()
    after, _ = em_step(first, VALUES, WEIGHTS[:, None])
    shaped = VALUES[:, None]
    s = (WEIGHTS[:, None, None] * np.asarray(first.expected_statistics(shaped))).sum(0)[0]
    w = WEIGHTS.sum()

    def cost(p):
        location, scale, half, alpha = p[0], np.exp(p[1]), 0.5 * np.exp(p[2]), np.exp(p[3])
        spread = (s[2] - 2 * location * s[1] + location**2 * s[0]) / (scale**2 * alpha)
        # x | u ~ N(μ, σ²α/u), so that (μ, σ) are those of the model once u is divided by α
        normal = -w * np.log(scale) - 0.5 * w * p[3] - 0.5 * spread
        gamma = half * (s[3] - w * p[3] - s[0] / alpha) + w * (half * np.log(half) - scipy.special.gammaln(half))
        return -(normal + gamma)

    best = scipy.optimize.minimize(cost, [1.0, 0.0, 1.0, 0.0], method="BFGS", options={"gtol": 1e-9}).x
    found = [after.locations[0], jnp.log(after.scales[0]), jnp.log(after.dofs[0])]
    np.testing.assert_allclose(np.array(found), best[:3], atol=1e-5)


@double_precision
def test_rows_of_columns_come_to_their_maximum_too():
    rows = st.multivariate_t([1.0, -2.0], [[2.0, 0.8], [0.8, 1.0]], 4.0).rvs(250, random_state=3)
    weights = np.stack([np.ones(250), np.zeros(250)], axis=1)
    first = MultivariateStudentT(jnp.zeros((2, 2)), jnp.stack([jnp.eye(2)] * 2), jnp.full(2, 10.0))
    family, trace = fit(first, rows, weights, 600)
    assert np.diff(trace[:, 0]).min() > -1e-9
    np.testing.assert_array_equal(family.cholesky[1], np.eye(2))
    assert float(family.dofs[1]) == 10.0

    def cost(p):
        factor = np.array([[np.exp(p[2]), 0.0], [p[3], np.exp(p[4])]])
        return -st.multivariate_t(p[:2], factor @ factor.T, np.exp(p[5])).logpdf(rows).sum()

    best = scipy.optimize.minimize(cost, np.zeros(6), method="BFGS")
    assert trace[-1, 0] == pytest.approx(-best.fun, abs=1e-6)
    assert float(family.dofs[0]) == pytest.approx(np.exp(best.x[5]), rel=1e-3)


@double_precision
def test_a_step_for_one_column_is_the_step_for_values():
    scalar, _ = em_step(start(), VALUES, WEIGHTS[:, None])
    first = MultivariateStudentT(jnp.zeros((1, 1)), jnp.ones((1, 1, 1)), jnp.full(1, 10.0))
    row, _ = em_step(first, VALUES[:, None], WEIGHTS[:, None])
    assert float(row.locations[0, 0]) == pytest.approx(float(scalar.locations[0]), rel=1e-12)
    assert float(row.cholesky[0, 0, 0]) == pytest.approx(float(scalar.scales[0]), rel=1e-11)
    assert float(row.dofs[0]) == pytest.approx(float(scalar.dofs[0]), rel=1e-10)


@double_precision
def test_edges_are_kept():
    """Light tails make ν grow, equal values at a scale that is not zero, no weight at the start."""
    light = np.tile([-1.0, 1.0], 150)
    family, trace = fit(start(), light, np.ones((300, 1)), 200)
    assert np.all(np.isfinite(trace))
    assert 100.0 < float(family.dofs[0]) <= DOF_RANGE[1]
    family, _ = fit(start(), np.full(300, 3.0), np.ones((300, 1)), 5)
    assert float(family.locations[0]) == pytest.approx(3.0)
    assert 0.0 < float(family.scales[0]) < 1e-4
    first = start()
    family, _ = em_step(first, VALUES, np.zeros((300, 1)))
    for before, after in zip(jax.tree.leaves(first), jax.tree.leaves(family), strict=True):
        np.testing.assert_array_equal(after, before)
