"""Guides against scipy's densities and their own draws; estimators of the gradient against closed forms."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st

from tacit.compute import double_precision
from tacit.families.bijections import DiagonalAffine, TriangularAffine
from tacit.families.transformed import Gaussian, Transformed
from tacit.inference.black_box import ESTIMATORS, BlackBox, Guided
from tacit.inference.guides import guide_around
from tacit.inference.objectives import Batch

MEAN = np.array([0.3, -1.2, 2.0])
ROOT = np.array([[0.8, 0.0, 0.0], [0.5, 1.3, 0.0], [-0.4, 0.2, 0.6]])
pytestmark = pytest.mark.reuses_keys


def mean_field(mean: np.ndarray, scale: np.ndarray) -> Gaussian:
    return Gaussian(DiagonalAffine(mean, np.log(scale)))


def full_rank(mean: np.ndarray, covariance: np.ndarray) -> Gaussian:
    factor = np.linalg.cholesky(covariance)
    return Gaussian(TriangularAffine(mean, np.log(np.diagonal(factor)), factor))


@double_precision
def test_log_densities_are_those_of_scipy() -> None:
    x = np.random.default_rng(0).normal(size=(2, 5, 3))
    scale = np.array([0.5, 1.0, 2.0])
    independent = mean_field(MEAN, scale)
    np.testing.assert_allclose(independent.log_prob(x), st.norm.logpdf(x, MEAN, scale).sum(-1), atol=1e-12)
    full = full_rank(MEAN, ROOT @ ROOT.T)
    exact = st.multivariate_normal(MEAN, ROOT @ ROOT.T)
    np.testing.assert_allclose(full.log_prob(x), exact.logpdf(x), atol=1e-12)
    np.testing.assert_allclose(full.entropy(), exact.entropy(), atol=1e-12)
    np.testing.assert_allclose(independent.entropy(), st.norm.entropy(scale=scale).sum(), atol=1e-12)
    np.testing.assert_allclose(full.covariance(), ROOT @ ROOT.T, atol=1e-12)


@double_precision
@pytest.mark.parametrize("name", ["mean-field", "full-rank", "flow", "spline-flow"])
def test_draws_come_with_their_own_density(name: str) -> None:
    guide = guide_around(name, MEAN, np.array([0.5, 1.0, 2.0]), key=jax.random.key(0))
    theta, log_q = eqx.filter_jit(guide.draw)(jax.random.key(1), 4000)
    np.testing.assert_allclose(eqx.filter_jit(guide.log_prob)(theta), log_q, atol=1e-9)
    mean, scale = eqx.filter_jit(lambda guide: (guide.mean, guide.scale))(guide)
    np.testing.assert_allclose(np.mean(theta, 0), mean, atol=0.12)
    np.testing.assert_allclose(np.std(theta, 0), scale, rtol=0.08)


@double_precision
def test_the_density_of_a_flow_is_that_of_its_map() -> None:
    guide = guide_around("flow", MEAN[:2], np.sqrt([0.5, 2.0]), key=jax.random.key(2))
    assert isinstance(guide, Transformed)
    flow, affine = guide.bijection.steps
    at = np.array([0.4, -0.7])

    @jax.jit
    def image(noise):
        return affine.shift + affine.factor @ flow.forward(noise)[0]

    slope = np.asarray(jax.jit(jax.jacobian(image))(at))
    expected = st.norm.logpdf(at).sum() - np.linalg.slogdet(slope)[1]
    np.testing.assert_allclose(eqx.filter_jit(guide.log_prob)(image(at)), expected, atol=1e-9)
    assert guide.entropy() is None


class Target(eqx.Module):
    """``θ ~ N(0, I)``, ``x_n ~ N(a_n θ, 1)``: the bound and its gradient are closed."""

    def __call__(self, theta, rows):
        a, x = rows[:, :2], rows[:, 2]
        return jax.scipy.stats.norm.logpdf(theta).sum(), jax.scipy.stats.norm.logpdf(x - a @ theta)


ROWS = np.random.default_rng(3).normal(size=(6, 3))


def exact_bound(guide: Gaussian):
    mean, covariance = guide.mean, guide.covariance()
    a, x = ROWS[:, :2], ROWS[:, 2]
    fit = -0.5 * ((x - a @ mean) ** 2 + jnp.einsum("ni,ij,nj->n", a, covariance, a) + np.log(2 * np.pi)).sum()
    prior = -0.5 * (mean @ mean + jnp.trace(covariance) + 2 * np.log(2 * np.pi))
    return fit + prior + guide.entropy()


@double_precision
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("full", [False, True])
def test_every_estimator_has_the_gradient_of_the_bound_on_average(estimator: str, full: bool) -> None:
    mean, scale = np.array([0.3, -0.4]), np.array([0.5, 0.7])
    root = np.array([[0.5, 0.0], [0.3, 0.7]])
    guide = full_rank(mean, root @ root.T) if full else mean_field(mean, scale)
    objective = BlackBox(8, estimator)

    def raised(guide, key):
        batch = Batch(jnp.asarray(ROWS), jnp.ones(6), key, jnp.ones(()))
        values, terms = objective(Guided(guide, Target(), 6.0), batch)
        return values.sum(), terms["elbo"].sum()

    slope = eqx.filter_jit(jax.vmap(jax.grad(raised, has_aux=True), in_axes=(None, 0)))
    drawn, elbo = slope(guide, jax.random.split(jax.random.key(4), 3000))
    bound, exact = eqx.filter_jit(jax.value_and_grad(exact_bound))(guide)
    for ours, theirs in zip(jax.tree.leaves(drawn), jax.tree.leaves(exact), strict=True):
        error = np.std(ours, 0) / np.sqrt(3000)
        assert np.all(np.abs(np.mean(ours, 0) - theirs) < 4.5 * error + 1e-9)
    assert abs(np.mean(elbo) - bound) < 4.5 * np.std(elbo) / np.sqrt(3000) + 1e-9


@double_precision
def test_sticking_the_landing_has_no_noise_at_the_posterior() -> None:
    a, x = ROWS[:, :2], ROWS[:, 2]
    covariance = np.linalg.inv(np.eye(2) + a.T @ a)
    guide = full_rank(covariance @ a.T @ x, covariance)

    def raised(guide, estimator):
        batch = Batch(jnp.asarray(ROWS), jnp.ones(6), jax.random.key(5), jnp.ones(()))
        return BlackBox(2, estimator)(Guided(guide, Target(), 6.0), batch)[0].sum()

    slope = eqx.filter_jit(jax.grad(raised))
    quiet = jax.tree.leaves(slope(guide, "sticking-the-landing"))
    assert max(np.abs(leaf).max() for leaf in quiet) < 1e-9
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(slope(guide, "reparameterised"))) > 1e-3


def test_estimators_that_compare_draws_need_some() -> None:
    with pytest.raises(ValueError, match="at least 2 draws"):
        BlackBox(1, "score-function-leave-one-out")
    with pytest.raises(ValueError, match="at least 4 draws"):
        BlackBox(2, "score-function-control-variate")
