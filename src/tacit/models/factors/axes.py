"""Principal axes of complete rows, exactly: from the covariance of many rows, else by singular values."""

from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
from jaxtyping import Float

from tacit.data.dataset import Dataset
from tacit.models.factors.moments import MOST_COLUMNS, Moments, moments

TALL = 10
"""So many times more rows than columns, and the eigenvalues of the covariance are precise enough."""


class Spectrum(NamedTuple):
    """The directions in which rows vary, the widest first."""

    weight: float
    mean: Float[np.ndarray, " d"]
    values: Float[np.ndarray, " m"]
    """Variances along the axes, with the weight as divisor; m is the smaller number of rows and columns, or fewer."""
    axes: Float[np.ndarray, "d m"]
    variances: Float[np.ndarray, " d"]
    """Of the columns."""

    @property
    def total(self) -> float:
        """Their sum."""
        return float(self.variances.sum())


def spectrum(rows: Dataset, wanted: int | None) -> Spectrum | None:
    """The principal axes of rows; None where an entry is missing.

    Args:
        rows: ``[n, d]``.
        wanted: how many axes will do, where all would be too many; None for all of them.
    """
    count, dims = rows.shape
    if dims <= MOST_COLUMNS and count >= TALL * dims:
        found = moments(rows)
        return None if found is None else of_moments(found)
    if not rows.complete:
        return None
    mean, weight = rows.moments().mean, rows.total_weight
    roots = np.sqrt(rows.weights / weight)
    values = rows.rows().astype(np.float64)
    most = min(count, dims)
    if wanted is not None and most > MOST_COLUMNS and wanted < most // 10:
        singular, axes = _largest(values, mean, roots, wanted)
    else:
        _, singular, across = scipy.linalg.svd((values - mean) * roots[:, None], full_matrices=False)
        axes = across.T
    return Spectrum(weight, mean, singular**2, axes, rows.moments().variance)


def of_moments(found: Moments) -> Spectrum:
    """The same from the covariance."""
    sound = bool(np.isfinite(found.covariance).all())  # else the variances say so
    values, axes = scipy.linalg.eigh(found.covariance if sound else np.eye(len(found.covariance)))
    values = np.maximum(values[::-1], 0.0)
    return Spectrum(found.weight, found.mean, values, axes[:, ::-1], np.diagonal(found.covariance))


def _largest(
    rows: np.ndarray, mean: np.ndarray, roots: np.ndarray, wanted: int
) -> tuple[Float[np.ndarray, " m"], Float[np.ndarray, "d m"]]:
    """The largest singular values of ``√w (x − m)``, without a centred copy."""
    operator = scipy.sparse.linalg.LinearOperator(
        rows.shape,
        matvec=lambda v: roots * (rows @ v - mean @ v),
        rmatvec=lambda u: rows.T @ (roots * u) - mean * (roots @ u),
        matmat=lambda v: roots[:, None] * (rows @ v - mean @ v),
        rmatmat=lambda u: rows.T @ (roots[:, None] * u) - mean[:, None] * (roots @ u),
        dtype=np.float64,
    )
    start = np.full(min(rows.shape), min(rows.shape) ** -0.5)
    _, singular, across = scipy.sparse.linalg.svds(operator, wanted, v0=start)
    order = np.argsort(-singular)
    return singular[order], across[order].T


def oriented(axes: Float[np.ndarray, "d m"]) -> Float[np.ndarray, "d m"]:
    """Axes whose entry of the largest size is positive, as scikit-learn has them."""
    most = np.abs(axes).argmax(axis=0)
    return axes * np.where(axes[most, np.arange(axes.shape[1])] < 0, -1.0, 1.0)
