"""The conjugate prior: its density against scipy, and the posterior mode as a maximum of density times likelihood."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats as st

import covariance_oracle as oracle
from tacit.compute import double_precision
from tacit.families.covariance import (
    STRUCTURES,
    GaussianPrior,
    canonical_name,
    default_prior,
    maximise_covariances,
    maximise_variances,
)

EVERY = (*oracle.ALONG, *oracle.TILTED)
SCALE = np.array([[2.0, 0.3, 0.1], [0.3, 1.0, -0.2], [0.1, -0.2, 0.5]])
MEAN = np.array([0.3, -0.2, 1.0])


def prior_of(dims=3, mean=MEAN, scale=SCALE):
    number = jnp.asarray
    return GaussianPrior(number(mean[:dims]), number(0.3), number(scale[:dims, :dims]), number(dims + 2.5))


def members(seed, structure):
    scatter, counts = oracle.problem(seed)
    before = np.broadcast_to(np.eye(3), scatter.shape)
    step = jax.jit(maximise_covariances, static_argnames=("structure", "iterations"))
    covariances = np.array(step(structure, scatter, counts, before, iterations=200))
    return np.random.default_rng(seed).normal(size=(3, 3)), covariances


def inverse_gamma(variance, dof, scale):
    return st.invgamma(dof / 2, scale=scale / 2).logpdf(variance)


def peer_log_prob(structure, means, covariances):
    """The same density by scipy, written out structure by structure."""
    total = sum(st.multivariate_normal(MEAN, c / 0.3).logpdf(m) for m, c in zip(means, covariances, strict=True))
    each = covariances[:1] if STRUCTURES[structure].tied else covariances
    for covariance in each:
        if structure in ("EII", "VII"):
            total += inverse_gamma(covariance[0, 0], 5.5, np.trace(SCALE) / 3)
        elif structure in ("EEI", "VVI"):
            total += inverse_gamma(np.diag(covariance), 5.5, np.diag(SCALE)).sum()
        else:
            total += st.invwishart(5.5, SCALE).logpdf(covariance)
    return total


@pytest.mark.parametrize("structure", ["EII", "VII", "EEI", "VVI", "EEE", "VVV"])
def test_the_density_is_complete(structure):
    with jax.enable_x64(True):
        means, covariances = members(1, structure)
        found = float(prior_of().log_prob(structure, means, covariances))
        assert found == pytest.approx(peer_log_prob(structure, means, covariances), rel=1e-12)
        if STRUCTURES[structure].diagonal:
            variances = np.diagonal(covariances, axis1=1, axis2=2)
            assert float(prior_of().log_prob(structure, means, variances)) == pytest.approx(found, rel=1e-13)
        absent = np.array([True, False, True])
        covariances[1] = np.nan
        assert np.isfinite(float(prior_of().log_prob(structure, means, covariances, absent)))


@double_precision
def test_one_column_has_an_inverse_gamma_prior():
    means, variances = np.array([[0.1], [2.0]]), np.array([[0.4], [1.7]])
    expected = st.norm(0.3, np.sqrt(variances / 0.3)).logpdf(means).sum() + inverse_gamma(variances, 3.5, 2.0).sum()
    assert float(prior_of(1).log_prob("V", means, variances)) == pytest.approx(expected, rel=1e-13)


def data_for(seed):
    """Counts, weighted means and scatter of three components of soft rows."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3))
    share = rng.dirichlet(np.ones(3), 40)
    counts = share.sum(0)
    means = share.T @ rows / counts[:, None]
    centred = rows[:, None] - means
    return counts, means, np.einsum("nk,nki,nkj->kij", share, centred, centred)


@pytest.mark.parametrize("structure", EVERY)
def test_the_mode_is_stationary_for_posterior_density_within_the_structure(structure):
    counts, means, scatter = data_for(2)
    prior = prior_of
    with jax.enable_x64(True):
        mode = jax.jit(lambda n, m, s: prior().posterior_mode(structure, n, m, s))(counts, means, scatter)
        start = np.broadcast_to(np.eye(3), scatter.shape)
        step = jax.jit(maximise_covariances, static_argnames=("structure", "iterations", "tolerance"))
        found = step(structure, mode.scatter, mode.counts, start, iterations=2000, tolerance=1e-15)

        def log_posterior(at, covariances):
            shifted = at - means
            spread = scatter + counts[:, None, None] * shifted[:, :, None] * shifted[:, None, :]
            traces = jnp.trace(jnp.linalg.inv(covariances) @ spread, axis1=1, axis2=2)
            log_likelihood = -0.5 * (counts * jnp.linalg.slogdet(covariances)[1] + traces).sum()
            return log_likelihood + prior().log_prob(structure, at, covariances)

        slopes = jax.jit(jax.grad(log_posterior, argnums=(0, 1)))(mode.means, found)
    assert np.abs(slopes[0]).max() < 1e-10
    assert oracle.steepest(structure, np.asarray(found), np.asarray(slopes[1])) < 1e-9


@double_precision
def test_the_mode_with_a_count_for_every_column():
    """Missing entries: the mode of VVI column by column, by a general optimiser."""
    counts = np.array([[3.0, 9.0, 4.0], [20.0, 0.0, 7.0]])
    means = np.array([[1.0, -1.0, 0.2], [0.0, 5.0, 2.0]])
    scatter = np.array([[2.0, 4.0, 8.0], [9.0, 0.0, 1.0]])
    mode = prior_of().posterior_mode("VVI", counts, means, scatter)
    found = np.asarray(maximise_variances("VVI", mode.scatter, mode.counts, np.ones((2, 3))))
    for k, j in np.ndindex(2, 3):

        def cost(parameters, k=k, j=j):
            mean, variance = parameters[0], np.exp(parameters[1])
            spread = scatter[k, j] + counts[k, j] * (means[k, j] - mean) ** 2
            log_likelihood = -0.5 * (counts[k, j] * np.log(variance) + spread / variance)
            prior = st.norm(MEAN[j], np.sqrt(variance / 0.3)).logpdf(mean)
            return -log_likelihood - prior - inverse_gamma(variance, 5.5, SCALE[j, j])

        best = scipy.optimize.minimize(cost, [0.0, 0.0], method="BFGS", options={"gtol": 1e-9}).x
        assert float(mode.means[k, j]) == pytest.approx(best[0], abs=1e-6)
        assert found[k, j] == pytest.approx(np.exp(best[1]), rel=1e-6)


@double_precision
@pytest.mark.parametrize("structure", ["EII", "EEE", "VVI"])
def test_a_component_without_rows_is_left_alone(structure):
    counts, means, scatter = data_for(5)
    held = prior_of().posterior_mode(structure, counts, means, scatter)
    found = prior_of().posterior_mode(
        structure,
        np.append(counts, 0.0),
        np.append(means, [[np.nan] * 3], axis=0),
        np.append(scatter, np.zeros((1, 3, 3)), axis=0),
    )
    assert float(found.counts[3]) == 0.0
    np.testing.assert_array_equal(found.means[3], MEAN)
    for part, whole in zip(held, found, strict=True):
        np.testing.assert_allclose(whole[:3], part, rtol=1e-14)


@double_precision
def test_units_change_the_prior_as_they_change_the_data():
    shift, unit = np.array([5.0, -1.0, 0.0]), np.array([10.0, 0.1, 3.0])
    means, covariances = members(3, "VVV")
    plain = float(prior_of().log_prob("VVV", means, covariances))
    moved = prior_of().in_units(shift, unit)
    there = float(moved.log_prob("VVV", means * unit + shift, covariances * unit[:, None] * unit))
    # one factor |U| from each mean's density and |U|^(D+1) from each covariance's
    assert there == pytest.approx(plain - 3 * (1 + 4) * np.log(unit).sum(), rel=1e-11)


@double_precision
def test_the_default_is_that_of_mclust():
    prior = default_prior("VVV", MEAN, SCALE, 4)
    assert [float(prior.shrinkage), float(prior.dof)] == [0.01, 5.0]
    np.testing.assert_allclose(prior.scale, SCALE / 4 ** (2 / 3), rtol=1e-15)
    np.testing.assert_allclose(
        default_prior("diag", MEAN, SCALE, 4).scale, np.eye(3) * 3.5 / 3 / 4 ** (2 / 3), rtol=1e-15
    )
    assert canonical_name("diag", 3) == "VVI"
