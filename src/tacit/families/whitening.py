"""Whitened distances ‖L⁻¹(x − μ)‖² of rows, with missing entries summed out exactly."""

from typing import NamedTuple

from jaxtyping import Float

from tacit.arrays import cholesky_factor, inverse_triangle, solve_triangle, traced, xp
from tacit.compute import Array
from tacit.engine import jax


class Whitened(NamedTuple):
    """What an elliptical density needs to know of a row: of its observed entries o, those that are not NaN."""

    distance: Float[Array, "*batch"]
    """(x_o − μ_o)ᵀ Σ_oo⁻¹ (x_o − μ_o)."""
    log_det: Float[Array, "*batch"]
    """log |Σ_oo|."""
    observed: Float[Array, "*batch"]
    """How many entries are observed."""


def whiten(
    x: Float[Array, "*rows dims"], means: Float[Array, "*batch dims"], cholesky: Float[Array, "*more dims dims"]
) -> Whitened:
    """Distance, determinant and size of the observed part of every row, under Σ = L Lᵀ.

    Without missing entries this is one triangular inverse per component and one product. With some, every pair
    of row and component factorises its own Σ_oo, in which the missing rows and columns are the identity's.
    """
    residual = x - means
    batch = xp.broadcast_shapes(residual.shape[:-1], cholesky.shape[:-2])
    seen = ~xp.isnan(residual)
    filled = xp.where(seen, residual, 0.0)

    def complete():
        whitened = xp.einsum("...ij,...j->...i", inverse_triangle(cholesky), filled)
        log_det = 2.0 * xp.log(xp.diagonal(cholesky, axis1=-2, axis2=-1)).sum(-1)
        return _spread(batch, (whitened**2).sum(-1), log_det, xp.asarray(x.shape[-1], residual.dtype))

    def partial():
        covariance = cholesky @ xp.swapaxes(cholesky, -1, -2)
        both = seen[..., :, None] & seen[..., None, :]
        factor = cholesky_factor(xp.where(both, covariance, xp.eye(x.shape[-1], dtype=residual.dtype)))
        right = xp.broadcast_to(filled, (*batch, x.shape[-1]))[..., None]
        whitened = solve_triangle(factor, right)[..., 0]
        log_det = 2.0 * xp.log(xp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
        return _spread(batch, (whitened**2).sum(-1), log_det, seen.sum(-1).astype(residual.dtype))

    if not traced(seen):
        return complete() if seen.all() else partial()
    return jax.lax.cond(seen.all(), complete, partial)


def retriangle(rows: Float[Array, "*batch rows dims"]) -> Float[Array, "*batch rows rows"]:
    """The lower Cholesky factor of A Aᵀ for rows A (no more of them than columns), by QR: A Aᵀ is not formed."""
    triangle = xp.swapaxes(xp.linalg.qr(xp.swapaxes(rows, -1, -2), mode="r"), -1, -2)
    diagonal = xp.diagonal(triangle, axis1=-2, axis2=-1)
    return triangle * xp.where(diagonal < 0, -1.0, 1.0)[..., None, :]


def _spread(batch: tuple[int, ...], *parts: Array) -> Whitened:
    return Whitened(*(xp.broadcast_to(part, batch) for part in parts))
