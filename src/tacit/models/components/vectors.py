"""Vectors with gaps as components: what is seen of a row says more of the rest, and of draws of it.

A Gaussian vector is conditioned, ``E[x_m|x_o,k] = μ_m + Σ_mo Σ_oo⁻¹ (x_o − μ_o)``,
``Cov = Σ_mm − Σ_mo Σ_oo⁻¹ Σ_om`` (Bishop 2006, section 2.3.1); draws are made so by Matheron's rule,
``x* + Σ_·o Σ_oo⁻¹ (x_o − x*_o)`` with x* from the component (Doucet 2010), which needs no factor of any conditional
covariance.
"""

import numpy as np
from jaxtyping import Float, Int

from tacit.arrays import map_items, xp
from tacit.compute import Array
from tacit.models.components.missing import conditionals


def tile_gains(
    covariances: Float[Array, "components d d"], x: Float[Array, "rows d"], tile: int
) -> tuple[Float[Array, "tiles components d d"], Float[Array, "tiles tile d"]]:
    """``Σ_·o Σ_oo⁻¹`` for the pattern of every tile, and the rows cut into tiles."""
    x = x.reshape(-1, tile, x.shape[-1])
    covariances = xp.asarray(covariances)
    return covariances @ conditionals(covariances, ~xp.isnan(x[:, 0])).precision, x


def vector_given(
    means: Float[Array, "components d"],
    covariances: Float[Array, "components d d"],
    x: Float[Array, "rows d"],
    tile: int,
) -> tuple[Float[Array, "rows components d"], Float[Array, "rows components d"]]:
    """Means and variances of each entry given the observed ones; rows in tiles. An observed one has variance 0."""
    gains, tiles = tile_gains(covariances, x, tile)
    seen = ~xp.isnan(tiles)[:, :, None]
    centred = xp.where(seen, tiles[:, :, None] - means, 0.0)
    given = xp.where(seen, tiles[:, :, None], means + xp.einsum("gkde,gtke->gtkd", gains, centred))
    variances = xp.diagonal(xp.asarray(covariances), axis1=-2, axis2=-1)
    left = variances - xp.einsum("gkde,ked->gkd", gains, covariances)
    # what rounding leaves of a difference is never read as a negative variance
    left = xp.maximum(left, xp.finfo(left.dtype).eps * variances)
    left = xp.where(seen[:, 0], 0.0, left)
    shape = (x.shape[0], *means.shape)
    return given.reshape(shape), xp.repeat(left, tile, axis=0).reshape(shape)


def vector_correction(
    covariances: Float[Array, "components d d"],
    x: Float[Array, "rows d"],
    tile: int,
    fresh: Float[Array, "rows draws d"],
    labels: Int[Array, "rows draws"],
) -> Float[Array, "rows draws d"]:
    """``Σ_·o Σ_oo⁻¹ (x_o − x*_o)`` of draws x* from the component of each label."""
    gains, _ = tile_gains(covariances, x, tile)
    tiles = xp.arange(x.shape[0]) // tile
    residual = x[:, None] - fresh
    residual = xp.where(xp.isnan(residual), 0.0, residual)

    def correction(draws):
        label, left = draws
        return xp.einsum("nde,ne->nd", gains[tiles, label], left)

    # one draw at a time, so that the gathered gains stay small
    change = map_items(correction, (labels.T, xp.moveaxis(residual, 1, 0)), at_once=False)
    return xp.moveaxis(change, 0, 1)


def draw_vectors(
    means: Float[np.ndarray, "components d"],
    covariances: Float[np.ndarray, "components d d"],
    labels: Int[np.ndarray, " rows"],
    noise: Float[np.ndarray, "rows d"],
) -> Float[np.ndarray, "rows d"]:
    """Standard noise, made the component of each label's."""
    for k in np.unique(labels):
        chosen = labels == k
        noise[chosen] = means[k] + noise[chosen] @ np.linalg.cholesky(covariances[k]).T
    return noise
