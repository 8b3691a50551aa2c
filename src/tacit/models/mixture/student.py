"""Student's t of a row as a component: what a Gaussian becomes when its parameters are integrated out.

    p(x_o) = t(x_o; μ_o, Σ_oo, ν),   u | x_o ~ Gamma((ν + |o|)/2, rate (ν + δ_o)/2),   x_m | x_o, u ~ Gaussian / u

with δ_o the squared distance of the observed entries: marginals keep ν, conditionals gain a degree of freedom from
every observed entry and the factor ``(ν + δ_o)/(ν + |o|)`` on their scale (Kotz & Nadarajah 2004, section 1.11).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float

from tacit.compute import Array
from tacit.families.student_t import log_density
from tacit.models.mixture.missing import conditionals


class Distances(NamedTuple):
    """What the density of the observed entries is made of."""

    distance: Float[Array, "rows components"]
    """δ_o."""
    log_det: Float[Array, "rows components"]
    observed: Float[Array, "rows 1"]
    """|o|."""


def distances(
    means: Float[Array, "components d"],
    covariances: Float[Array, "components d d"],
    x: Float[Array, "rows d"],
    tile: int | None,
) -> Distances:
    """Of complete rows (tile None), or of rows in tiles that share one missing pattern."""
    if tile is not None:
        tiles = x.reshape(-1, tile, x.shape[-1])
        known = conditionals(covariances, ~jnp.isnan(tiles[:, 0]))
        centred = jnp.where(known.seen[:, None, None], tiles[:, :, None] - means, 0.0)
        distance = jnp.einsum("gtkd,gkde,gtke->gtk", centred, known.precision, centred).reshape(x.shape[0], -1)
        observed = jnp.repeat(known.seen.sum(-1), tile)[:, None].astype(x.dtype)
        return Distances(distance, jnp.repeat(known.log_det, tile, axis=0), observed)
    factor = jnp.linalg.cholesky(covariances)
    centred = jnp.moveaxis(x[:, None] - means, 0, -1)
    white = jax.scipy.linalg.solve_triangular(factor, centred, lower=True)
    log_det = 2.0 * jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
    observed = jnp.full((x.shape[0], 1), float(x.shape[1]))
    return Distances((white**2).sum(1).T, jnp.broadcast_to(log_det, (x.shape[0], means.shape[0])), observed)


def log_prob(
    means: Float[Array, "components d"],
    covariances: Float[Array, "components d d"],
    dofs: Float[Array, " components"],
    x: Float[Array, "rows d"],
    tile: int | None,
) -> Float[Array, "rows components"]:
    """Log-density of the observed entries under every component, 0 where none is."""
    found = distances(means, covariances, x, tile)
    return log_density(found.distance, found.log_det, found.observed, dofs)
