"""Matrices that rounding has made singular, lifted until they have a Cholesky factor in any units."""

import numpy as np
from jaxtyping import Float

from tacit.arrays import cholesky_factor, spread, traced, xp
from tacit.compute import Array

NARROWEST = 1e-12
"""The least share of a correlation matrix's variance that is kept in any direction, about."""
LIFTS = (NARROWEST, 1e3 * NARROWEST)
"""What is added to the variances of a matrix, in units of themselves, in the first and in the second attempt."""


def definite(matrices: Float[Array, "*batch d d"]) -> Float[Array, "*batch d d"]:
    """Symmetric matrices, those that are singular up to rounding lifted: ``Σ + δ diag(Σ)``.

    Double precision tells the directions of a correlation matrix apart to about 1e-16 of the largest one. Rows that lie
    much further out than the others are wide (a 999999 that stands for "missing") need more than that, and what is
    left of the narrow directions is rounding. The lift is in units of each variance, so that it means the same in all
    units; sound matrices stay bit for bit, and so do those with a variance that is not positive. Where nothing is left
    of the covariances but rounding, the variances alone are kept.
    """
    if not traced(matrices) and _all_sound(np.asarray(matrices)):
        return matrices
    variances = spread(xp.diagonal(matrices, axis1=-2, axis2=-1))
    lifted, own = matrices, variances
    for share in (*LIFTS, None):
        lost = _lost(lifted, own)
        if isinstance(lost, np.ndarray | np.generic) and not lost.any():
            break
        instead = variances if share is None else matrices + share * variances
        lifted = xp.where(lost[..., None, None], instead, lifted)
        own = spread(xp.diagonal(lifted, axis1=-2, axis2=-1))
    return lifted


def _all_sound(matrices: np.ndarray) -> bool:
    """Whether no matrix is lost, as `_lost` says it, and each has positive variances: one factorisation tells."""
    shifted = np.array(matrices)
    np.einsum("...ii->...i", shifted)[...] -= 0.5 * NARROWEST * np.diagonal(matrices, axis1=-2, axis2=-1)
    try:
        np.linalg.cholesky(shifted)
    except np.linalg.LinAlgError:
        return False
    return True


def _lost(matrices: Array, variances: Array) -> Array:
    """Whether a matrix of positive variances (on a diagonal) has a direction that is narrower than it may be.

    It has a margin: a matrix that has barely a Cholesky factor has none in other units.
    """
    factors = cholesky_factor(matrices - 0.5 * NARROWEST * variances)
    lacking = xp.isnan(xp.trace(factors, axis1=-2, axis2=-1))  # of a factor that there is not all entries are NaN
    return (xp.diagonal(variances, axis1=-2, axis2=-1) > 0).all(-1) & lacking
