"""What rows add up to for Gaussian components: weighted sums, about one origin or another, and their moments."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.arrays import xp
from tacit.compute import Array
from tacit.families.covariance.definite import NARROWEST
from tacit.models.components.steps import pack

Statistics = tuple[Float[Array, "*starts components"], Float[Array, "*starts components f"]]
"""Counts, and the packed sums of x, of x xᵀ (or x²) and, with gaps in a diagonal structure, of what is seen."""


class ComponentMoments(NamedTuple):
    """Weighted moments of the rows of every component."""

    seen: Float[Array, "*starts components d"]
    """Weight of the observed entries."""
    origin: Float[Array, "*starts components d"]
    mean: Float[Array, "*starts components d"]
    """About the origin; 0 where nothing is seen."""
    scatter: Float[Array, "..."]
    """About the mean, with the noise_floor."""


def moved(
    statistics: Statistics, by: Float[Array, "*starts components d"], *, diagonal: bool, complete: bool
) -> Statistics:
    """``Σ r (x+b) = Σ r x + n b`` and ``Σ r (x+b)(x+b)ᵀ = Σ r xxᵀ + s bᵀ + b sᵀ + n b bᵀ``."""
    counts, packed = statistics
    dims = by.shape[-1]
    first, second = packed[..., :dims], packed[..., dims:]
    if diagonal:
        squares, seen = second[..., :dims], second[..., dims:]
        mass = counts[..., None] if complete else seen
        parts = [first + mass * by, squares + 2.0 * first * by + mass * by**2, seen]
        return counts, xp.concatenate(parts, axis=-1)
    cross = first[..., :, None] * by[..., None, :]
    square = cross + xp.swapaxes(cross, -1, -2) + counts[..., None, None] * by[..., :, None] * by[..., None, :]
    return counts, xp.concatenate([first + counts[..., None] * by, second + pack(square)], axis=-1)


def outer(weight: Array, a: Array, b: Array, diagonal: bool) -> Array:
    """``w a bᵀ``, or its diagonal."""
    if diagonal:
        return weight * a * b
    return weight[..., :1, None] * a[..., :, None] * b[..., None, :]


def precision_diagonal(covariances: np.ndarray) -> np.ndarray:
    """The diagonal of ``Σ_k⁻¹``; infinite where Σ_k is singular or not a number."""
    try:
        return np.diagonal(np.linalg.inv(covariances), axis1=-2, axis2=-1)
    except np.linalg.LinAlgError:
        if covariances.ndim == 2:
            return np.full(covariances.shape[0], np.inf)
        return np.stack([precision_diagonal(matrix) for matrix in covariances])


def cancelling(means: np.ndarray, covariances: np.ndarray, *, diagonal: bool) -> np.ndarray:
    """``max (μ² + σ²) Σ⁻¹_jj`` over components and columns, ``[*starts]``."""
    if diagonal:
        return np.asarray(np.max(means**2 / covariances + 1.0, axis=(-1, -2)))
    variance = np.diagonal(covariances, axis1=-2, axis2=-1)
    return np.asarray(np.max((means**2 + variance) * precision_diagonal(covariances), axis=(-1, -2)))


def resting(covariances: np.ndarray, noise_floor: np.ndarray, *, diagonal: bool) -> np.ndarray:
    """Where the variance along a column, given the others, is little more than the noise floor, or than the least."""
    if diagonal:
        return np.asarray(covariances < 2.0 * noise_floor)
    least = np.maximum(noise_floor, 4.0 * NARROWEST * np.diagonal(covariances, axis1=-2, axis2=-1))
    return np.asarray(precision_diagonal(covariances) * least > 0.5)
