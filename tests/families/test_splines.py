"""Rational-quadratic splines: slopes and inverses, at the knots, beyond the ends, and where parameters are absurd."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from tacit.compute import double_precision, single_precision
from tacit.families.scalar_maps import SplineMap

SPLINE = SplineMap(8, 6.0)
forward, inverse = jax.jit(SPLINE.forward), jax.jit(SPLINE.inverse)


@jax.jit
def slopes(x: jax.Array, raw: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of the sum of what the map gives."""
    return jax.grad(lambda v, r: sum(part.sum() for part in SPLINE.forward(v, r)), (0, 1))(x, raw)


def drawn(rows: int, size: float, dtype: type = np.float64) -> np.ndarray:
    return (size * np.random.default_rng(0).normal(size=(SPLINE.outs, 3, rows))).astype(dtype)


@double_precision
def test_slopes_are_those_of_the_map_and_the_inverse_undoes_it() -> None:
    raw, x = drawn(200, 1.5), np.random.default_rng(1).uniform(-7.0, 7.0, (3, 200))
    y, log_slope = forward(x, raw)
    slope = jax.jit(jax.grad(lambda v: forward(v, raw)[0].sum()))(jnp.asarray(x))
    np.testing.assert_allclose(log_slope, np.log(slope), atol=1e-8)
    back, less = inverse(y, raw)
    np.testing.assert_allclose(back, x, atol=1e-9)
    np.testing.assert_allclose(less, -log_slope, atol=1e-6)


@double_precision
def test_it_rises_without_a_jump_from_end_to_end() -> None:
    raw, x = drawn(1, 2.0), np.linspace(-6.5, 6.5, 20_001)[None].repeat(3, 0)
    y = np.asarray(forward(x, np.repeat(raw, x.shape[1], -1))[0])
    rise = np.diff(y, axis=1)
    assert (rise > 0).all()
    assert rise.max() < 0.5
    ends = np.array([[-6.0, 6.0]] * 3)
    np.testing.assert_allclose(forward(ends, np.repeat(raw, 2, -1))[0], ends, atol=1e-12)


@double_precision
def test_without_parameters_it_is_the_identity() -> None:
    x = np.random.default_rng(1).uniform(-7.0, 7.0, (3, 50))
    y, log_slope = forward(x, np.zeros((SPLINE.outs, 3, 50)))
    np.testing.assert_allclose(y, x, atol=1e-12)
    np.testing.assert_allclose(log_slope, 0.0, atol=1e-12)


@single_precision
@pytest.mark.parametrize("size", [1.0, 30.0, 1e4])
def test_nothing_is_nan_in_single_precision(size: float) -> None:
    x = np.array([-50.0, -6.0, -5.9999995, -1e-30, 0.0, 3.0, 6.0, 50.0], np.float32)[None].repeat(3, 0)
    raw = drawn(x.shape[1], size, np.float32)
    for way in (forward, inverse):
        for part in way(x, raw):
            assert np.isfinite(part).all()
    for part in slopes(x, raw):
        assert np.isfinite(part).all()
    outside = np.abs(x[0]) >= 6.0
    np.testing.assert_array_equal(np.asarray(forward(x, raw)[0])[:, outside], x[:, outside])


@double_precision
def test_slopes_in_its_parameters_are_those_of_small_steps_forward_and_back() -> None:
    raw, x = drawn(20, 1.5), np.random.default_rng(1).uniform(-7.0, 7.0, (3, 20))
    check_grads(forward, (x, raw), order=1, modes=["fwd", "rev"], atol=1e-6, rtol=1e-6, eps=1e-6)
