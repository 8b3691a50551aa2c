"""Every bijection of a table: there and back, the log-determinant of the Jacobian, triangular where it says so."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tacit.compute import double_precision
from tacit.families.bijections import Bijection, Chain, DiagonalAffine, Inverse, Reverse, TriangularAffine
from tacit.families.masked import MaskedLayers
from tacit.families.normal_scores import NormalMixture
from tacit.families.scalar_maps import (
    AffineMap,
    Consecutive,
    GatedMap,
    MixtureMap,
    PolynomialMap,
    ScalarMap,
    SplineMap,
)
from tacit.families.triangular import Autoregressive, AutoregressiveFlow, MixtureScores, TriangularSteps

CONDITIONS, ROWS = 2, 4
pytestmark = pytest.mark.reuses_keys


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def diagonal(dims: int, *rows: int) -> DiagonalAffine:
    return DiagonalAffine(normal(0, *rows, dims), normal(1, *rows, dims))


def triangular(dims: int, *rows: int) -> TriangularAffine:
    return TriangularAffine(normal(0, *rows, dims), normal(1, *rows, dims), normal(2, *rows, dims, dims))


def conditioned(map: ScalarMap, dims: int, context: int = CONDITIONS) -> Autoregressive:
    """With weights that are not near zero, so that the map bends."""
    network = MaskedLayers(dims, (8, 7), map.outs, key=jax.random.key(0), context=context)
    return Autoregressive(eqx.tree_at(lambda n: n.weights[-1], network, normal(3, map.outs * dims, 7)), map)


def gated(dims: int, context: int = CONDITIONS) -> Autoregressive:
    return conditioned(GatedMap(), dims, context)


def mixture(dims: int) -> NormalMixture:
    factors = np.tril(0.5 * normal(7, 3, dims, dims), -1) + np.exp(0.3 * normal(8, 3, dims))[..., None] * np.eye(dims)
    return NormalMixture(np.log([0.2, 0.5, 0.3]), 2.0 * normal(9, 3, dims), factors)


def steps(dims: int, turned: bool) -> TriangularSteps:
    """Steps of splines whose last layers are not zero any more."""
    map = Consecutive((AffineMap(), SplineMap(bins=5, bound=3.0)))
    made = TriangularSteps(dims, map, 2, (8, 8), key=jax.random.key(2), turned=turned, context=CONDITIONS)
    last = lambda flow: [step.network.weights[-1] for step in flow.steps]  # noqa: E731
    return eqx.tree_at(last, made, [normal(seed, *layer.shape) for seed, layer in enumerate(last(made))])


def flow(dims: int) -> AutoregressiveFlow:
    return AutoregressiveFlow(dims, (8,), 2, key=jax.random.key(1), context=CONDITIONS)


TABLE: dict[str, Callable[[int], Bijection]] = {
    "diagonal": diagonal,
    "diagonal, one a row": lambda dims: diagonal(dims, ROWS),
    "triangular": triangular,
    "triangular, one a row": lambda dims: triangular(dims, ROWS),
    "reverse": lambda dims: Reverse(),
    "gated": gated,
    "gated, nothing given": lambda dims: gated(dims, 0),
    "flow": flow,
    "affine": lambda dims: conditioned(AffineMap(), dims),
    "spline": lambda dims: conditioned(SplineMap(bins=4, bound=1.5), dims),
    "polynomial": lambda dims: conditioned(PolynomialMap(bound=1.5), dims),
    "normal scores": lambda dims: conditioned(MixtureMap(components=3), dims),
    "steps, order kept": lambda dims: steps(dims, turned=False),
    "steps, turned": lambda dims: steps(dims, turned=True),
    "scores of a mixture": lambda dims: MixtureScores(mixture(dims)),
    "inverse": lambda dims: Inverse(gated(dims)),
    "chain, kept order": lambda dims: Chain((gated(dims), triangular(dims))),
    "chain, turned": lambda dims: Chain((diagonal(dims, ROWS), gated(dims), Reverse(), Inverse(flow(dims)))),
}
CASES = [*((name, 3) for name in TABLE), ("triangular", 1), ("flow", 1)]


@eqx.filter_jit
def both_ways(bijection: Bijection, x: np.ndarray, given: np.ndarray) -> list[tuple[jax.Array, ...]]:
    """Of each way: the images of rows, there and back, the log-determinants, and the Jacobian of all rows."""
    found = []
    for way, back in ((bijection.forward, bijection.inverse), (bijection.inverse, bijection.forward)):

        def there(v: np.ndarray, way: Callable = way) -> tuple:
            y, log_det = way(v, given)
            return y, (y, log_det)

        jacobian, (y, log_det) = jax.jacrev(there, has_aux=True)(x)
        again, other = back(y, given)
        found.append((y, again, *(jnp.broadcast_to(each, ROWS) for each in (log_det, other)), jacobian))
    return found


@pytest.mark.parametrize(("name", "dims"), CASES)
@double_precision
def test_there_and_back_with_the_log_determinant_of_the_jacobian(name: str, dims: int) -> None:
    bijection, x, given = TABLE[name](dims), normal(4, ROWS, dims), normal(5, ROWS, CONDITIONS)
    for y, again, log_det, other, jacobian in both_ways(bijection, x, given):
        assert y.shape == x.shape
        np.testing.assert_allclose(again, x, atol=1e-9)
        np.testing.assert_allclose(other, -log_det, atol=1e-9)
        own = np.asarray(jacobian)[np.arange(ROWS), :, np.arange(ROWS)]
        np.testing.assert_allclose(log_det, np.linalg.slogdet(own)[1], atol=1e-9)
        mixed = np.abs(jacobian).sum((1, 3))[~np.eye(ROWS, dtype=bool)]
        np.testing.assert_array_equal(mixed, 0.0)  # no row looks at another
        increasing = (np.triu(own, 1) == 0).all() and (np.diagonal(own, axis1=1, axis2=2) > 0).all()
        assert increasing == bijection.increasing or dims == 1


@double_precision
def test_rows_broadcast_against_what_is_given_and_against_parameters() -> None:
    x, given = normal(4, 3), normal(5, ROWS, CONDITIONS)
    each = np.broadcast_to(x, (ROWS, 3))
    for bijection in (gated(3), diagonal(3, ROWS), triangular(3, ROWS)):
        both = eqx.filter_jit(lambda v, b=bijection: (b.forward(v, given), b.inverse(v, given)))
        for (moved, log_det), (wanted, _) in zip(both(x), both(each), strict=True):
            assert log_det.shape == (ROWS,)
            np.testing.assert_allclose(moved, wanted, atol=1e-13)
            assert np.ptp(moved, axis=0)[1:].min() > 1e-3  # a row's own map moves its x elsewhere


@double_precision
def test_affine_maps_are_the_matrices_that_they_say() -> None:
    x = normal(6, 7, ROWS, 3)
    for bijection in (diagonal(3, ROWS), triangular(3, ROWS)):
        factor = np.asarray(bijection.factor)
        expected = bijection.shift + np.einsum("nij,snj->sni", factor, x)
        np.testing.assert_allclose(bijection.forward(x)[0], expected, atol=1e-12)
        norms = np.linalg.norm(factor, axis=-1)
        np.testing.assert_allclose(bijection.scale, norms, rtol=1e-12)
        np.testing.assert_allclose(bijection.variance(jnp.asarray(0.3)), norms**2 * np.exp(-0.6), rtol=1e-12)
