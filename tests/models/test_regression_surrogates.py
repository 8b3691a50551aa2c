"""The quadratic bounds of the logistic: below the truth, tight where they should be, and their own derivatives."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp

from tacit.compute import double_precision
from tacit.models.regression.surrogates import SURROGATES, Newton, contrasts

CASES = [("jaakkola-jordan", 2), ("bohning", 2), ("bohning", 4), ("bouchard", 2), ("bouchard", 3)]


def rows(classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, covariances and labels of some scores, small and large."""
    random = np.random.default_rng(classes)
    units = contrasts(classes).shape[1]
    mean = random.normal(size=(12, units)) * np.repeat([0.1, 1.0, 8.0], 4)[:, None]
    root = random.normal(size=(12, units, units)) * np.tile([0.1, 1.0], 6)[:, None, None]
    return mean, root @ root.transpose(0, 2, 1), random.integers(classes, size=12).astype(float)


def expected(contrast: np.ndarray, mean: np.ndarray, covariance: np.ndarray, label: float) -> float:
    """``E log softmax(C u)_y`` by product quadrature."""
    place, weight = np.polynomial.hermite_e.hermegauss(24)
    units = mean.size
    grid = np.array(list(itertools.product(place, repeat=units)))
    shares = np.array([np.prod(w) for w in itertools.product(weight / weight.sum(), repeat=units)])
    scores = (mean + grid @ np.linalg.cholesky(covariance).T) @ contrast.T
    return float(shares @ (scores[:, int(label)] - logsumexp(scores, axis=1)))


def spread_of(surrogate: object, covariance: np.ndarray) -> np.ndarray:
    return np.einsum("kuv,nvu->nk", np.asarray(surrogate.directions), covariance)


@pytest.mark.parametrize(("name", "classes"), CASES)
@double_precision
def test_a_bound_is_below_what_it_bounds(name: str, classes: int) -> None:
    contrast = contrasts(classes)
    surrogate = SURROGATES[name](jnp.asarray(contrast))
    mean, covariance, labels = rows(classes)
    found = surrogate.local(jnp.asarray(mean), jnp.asarray(spread_of(surrogate, covariance)), jnp.asarray(labels))
    truth = [expected(contrast, *row) for row in zip(mean, covariance, labels, strict=True)]
    assert np.all(np.asarray(found.bound) <= np.array(truth) + 1e-9)


@pytest.mark.parametrize(("name", "classes"), [("jaakkola-jordan", 2), ("bohning", 3)])
@double_precision
def test_without_spread_it_is_tight(name: str, classes: int) -> None:
    contrast = contrasts(classes)
    surrogate = SURROGATES[name](jnp.asarray(contrast))
    mean, _, labels = rows(classes)
    found = surrogate.local(jnp.asarray(mean), jnp.zeros((12, len(surrogate.directions))), jnp.asarray(labels))
    scores = mean @ contrast.T
    truth = scores[np.arange(12), labels.astype(int)] - logsumexp(scores, axis=1)
    np.testing.assert_allclose(found.bound, truth, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("name", "classes"), CASES)
@double_precision
def test_the_quadratic_is_the_derivative_of_the_best_bound(name: str, classes: int) -> None:
    # the free numbers are at their best, so they do not count (the envelope theorem)
    surrogate = SURROGATES[name](jnp.asarray(contrasts(classes)))
    mean, covariance, labels = rows(classes)
    spread, step = spread_of(surrogate, covariance), 1e-5
    local = jax.jit(lambda m, s: surrogate.local(m, s, jnp.asarray(labels)))
    found = local(mean, spread)
    curved = np.einsum("nk,kuv,nv->nu", found.curvature, np.asarray(surrogate.directions), mean)
    for unit, along in enumerate(np.eye(mean.shape[1])):
        rise = (local(mean + step * along, spread).bound - local(mean - step * along, spread).bound) / (2 * step)
        np.testing.assert_allclose(rise, (found.pull - curved)[:, unit], atol=1e-8)
    for form, along in enumerate(np.eye(spread.shape[1])):
        if spread[:, form].min() > 0:
            up, down = (local(mean, spread * (1 + sign * step * along)).bound for sign in (1, -1))
            np.testing.assert_allclose(
                (up - down) / (2 * step * spread[:, form]), -0.5 * found.curvature[:, form], rtol=1e-4, atol=1e-6
            )


@double_precision
def test_newtons_quadratic_has_the_slope_and_curvature_of_the_truth() -> None:
    contrast = contrasts(3)
    surrogate = Newton(jnp.asarray(contrast))
    mean, _, labels = rows(3)
    found = surrogate.local(jnp.asarray(mean), jnp.zeros((12, 3)), jnp.asarray(labels))

    def truth(u, label):
        scores = jnp.asarray(contrast) @ u
        return scores[label] - jax.nn.logsumexp(scores)

    places = labels.astype(int)
    whole = np.einsum("nk,kuv->nuv", found.curvature, np.asarray(surrogate.directions))
    np.testing.assert_allclose(whole, -jax.jit(jax.vmap(jax.hessian(truth)))(mean, places), atol=1e-12)
    slope = found.pull - np.einsum("nuv,nv->nu", whole, mean)
    np.testing.assert_allclose(slope, jax.jit(jax.vmap(jax.grad(truth)))(mean, places), atol=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_contrasts_do_not_see_a_shift_of_all_scores(classes: int) -> None:
    contrast = contrasts(classes)
    np.testing.assert_allclose(contrast.sum(0), 0.0, atol=1e-15)
    if classes > 2:
        np.testing.assert_allclose(contrast.T @ contrast, np.eye(classes - 1), atol=1e-14)
    else:
        assert contrast[1] - contrast[0] == 1.0  # u is the log-odds
