"""Whitened distances ‖L⁻¹(x − μ)‖² of rows, with missing entries summed out exactly."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from tacit.compute import Array


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
    batch = jnp.broadcast_shapes(residual.shape[:-1], cholesky.shape[:-2])
    seen = ~jnp.isnan(residual)
    filled = jnp.where(seen, residual, 0.0)

    def complete():
        whitened = jnp.einsum("...ij,...j->...i", inverse_triangle(cholesky), filled)
        log_det = 2.0 * jnp.log(jnp.diagonal(cholesky, axis1=-2, axis2=-1)).sum(-1)
        return _spread(batch, (whitened**2).sum(-1), log_det, jnp.asarray(x.shape[-1], residual.dtype))

    def partial():
        covariance = cholesky @ jnp.swapaxes(cholesky, -1, -2)
        both = seen[..., :, None] & seen[..., None, :]
        factor = jnp.linalg.cholesky(jnp.where(both, covariance, jnp.eye(x.shape[-1], dtype=residual.dtype)))
        right = jnp.broadcast_to(filled, (*batch, x.shape[-1]))[..., None]
        factor = jnp.broadcast_to(factor, (*batch, *factor.shape[-2:]))
        whitened = jax.lax.linalg.triangular_solve(factor, right, left_side=True, lower=True)[..., 0]
        log_det = 2.0 * jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
        return _spread(batch, (whitened**2).sum(-1), log_det, seen.sum(-1).astype(residual.dtype))

    return jax.lax.cond(seen.all(), complete, partial)


def inverse_triangle(cholesky: Float[Array, "*batch dims dims"]) -> Float[jax.Array, "*batch dims dims"]:
    """L⁻¹."""
    factor = jnp.asarray(cholesky)
    identity = jnp.broadcast_to(jnp.eye(factor.shape[-1], dtype=factor.dtype), factor.shape)
    return jax.lax.linalg.triangular_solve(factor, identity, left_side=True, lower=True)


def retriangle(rows: Float[Array, "*batch rows dims"]) -> Float[jax.Array, "*batch rows rows"]:
    """The lower Cholesky factor of A Aᵀ for rows A (no more of them than columns), by QR: A Aᵀ is not formed."""
    triangle = jnp.swapaxes(jnp.linalg.qr(jnp.swapaxes(rows, -1, -2), mode="r"), -1, -2)
    diagonal = jnp.diagonal(triangle, axis1=-2, axis2=-1)
    return triangle * jnp.where(diagonal < 0, -1.0, 1.0)[..., None, :]


def _spread(batch: tuple[int, ...], *parts: jax.Array) -> Whitened:
    return Whitened(*(jnp.broadcast_to(part, batch) for part in parts))
