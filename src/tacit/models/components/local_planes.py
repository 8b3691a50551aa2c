"""Where mixtures of planes begin: with a plane for every group, through the rows of the group itself.

One plane for all rows follows what sets the groups apart, and no group need lie along it (McNicholas & Murphy
2008 begin with an eigendecomposition a group, too).
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.models.components.factor_analytic import FactorComponent

MOST_COLUMNS = 300
"""Columns up to which every group has a covariance of its own to begin with."""
LEAST_LEFT = 0.05
"""The smallest share of a column's variance in a group that a start leaves to noise."""


class LocalPlanes(NamedTuple):
    """Where the groups of every start begin."""

    means: Float[np.ndarray, "starts components dims"]
    loadings: Float[np.ndarray, "starts components dims factors"]
    noise_variances: Float[np.ndarray, "starts components dims"]


def local_planes(
    template: FactorComponent,
    rows: Float[np.ndarray, "rows dims"],
    weights: Float[np.ndarray, " rows"],
    shares: Float[np.ndarray, "starts rows components"],
) -> LocalPlanes | None:
    """The parameters of starts, stacked: means, principal axes and noise of every group; None of too many columns.

    Args:
        template: what is set of the components, and those of one start.
        rows: in the coordinates of the fit; NaN where missing, which counts as the group's mean.
        weights: of the rows.
        shares: of every row in every group, for every start.
    """
    components, dims, factors = np.asarray(template.loadings).shape
    if dims > MOST_COLUMNS or factors == 0:
        return None
    seen, filled = ~np.isnan(rows), np.nan_to_num(rows, nan=0.0)
    means, spreads = [], []
    for share in shares:
        weight = np.swapaxes(share * weights[:, None], 0, 1)  # [components, rows]
        count = weight @ seen
        mean = weight @ filled / np.where(count > 0, count, 1.0)
        spread = np.empty((components, dims, dims))
        for k in range(components):
            apart = np.where(seen, filled - mean[k], 0.0)
            # as many rows of the whole as a plane has directions, so that a group of few rows has a plane too
            total = weight[k].sum() + factors + 1.0
            spread[k] = ((apart * weight[k][:, None]).T @ apart + (factors + 1.0) * np.eye(dims)) / total
        means.append(mean)
        spreads.append(spread)
    found = np.stack(spreads)
    if template.shared.loadings:
        share = np.stack([(part * weights[:, None]).sum(0) for part in shares])
        pooled = (found * (share / share.sum(1, keepdims=True))[..., None, None]).sum(1, keepdims=True)
        found = np.broadcast_to(pooled, found.shape)
    values, axes = np.linalg.eigh(found)
    values, axes = values[..., ::-1], axes[..., ::-1]
    left = values[..., factors:].mean(-1, keepdims=True)
    loadings = axes[..., :factors] * np.sqrt(np.maximum(values[..., :factors] - left, 0.1 * left))[..., None, :]
    variances = np.diagonal(found, axis1=-2, axis2=-1)
    noise = np.maximum(variances - (loadings**2).sum(-1), LEAST_LEFT * variances)
    if template.shared.noise:
        noise = np.broadcast_to(noise.mean(-2, keepdims=True), noise.shape)
    if template.shared.isotropic:
        noise = np.broadcast_to(noise.mean(-1, keepdims=True), noise.shape)
    least = np.asarray(template.least_noise)
    return LocalPlanes(np.stack(means), np.ascontiguousarray(loadings), np.maximum(noise, least))
