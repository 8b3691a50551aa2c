"""Sums, means and covariances of complete rows in one pass: all that a linear Gaussian model needs to know of them."""

from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Float

from tacit.data.dataset import Dataset

MOST_COLUMNS = 2000
"""Columns up to which a matrix ``[columns, columns]`` is kept."""


SLICE = 2048
"""Rows that are summed together: few enough that their copy stays in the cache."""


class Moments(NamedTuple):
    """Of so much weight of rows, the mean and the covariance with the weight as divisor."""

    weight: float
    mean: Float[np.ndarray, " d"]
    covariance: Float[np.ndarray, "d d"]

    def joined(self, other: Self) -> "Moments":
        """Of both rows together (Chan, Golub & LeVeque 1983)."""
        weight = self.weight + other.weight
        apart, share = other.mean - self.mean, other.weight / weight
        within = (1 - share) * self.covariance + share * other.covariance
        between = share * (1 - share) * np.outer(apart, apart)
        return Moments(weight, self.mean + share * apart, within + between)

    @property
    def deviations(self) -> Float[np.ndarray, " d"]:
        """Standard deviations; 0 of a column that varies by no more than its rounding."""
        spread = np.sqrt(np.maximum(np.diagonal(self.covariance), 0.0))
        return np.where(spread <= 1e-13 * np.abs(self.mean), 0.0, spread)


def moments(rows: Dataset) -> Moments | None:
    """The moments of rows; None where an entry is missing.

    Rows are summed about the mean of the first of them, so that nothing cancels where columns lie far from 0.
    """
    dims = rows.shape[1]
    origin = np.zeros(dims)
    weight, first, second = 0.0, np.zeros(dims), np.zeros((dims, dims))
    held = np.empty((min(SLICE, len(rows)), dims))
    weigh = not bool((rows.weights == 1.0).all())
    for part, some in rows.slices(SLICE):
        values = some.astype(np.float64, copy=False)
        if part.start == 0:
            origin = values.mean(axis=0)
        centred = np.subtract(values, origin, out=held[: len(values)])
        weights = rows.weights[part]
        scaled = centred * weights[:, None] if weigh else centred
        sums = scaled.sum(axis=0)
        if not np.isfinite(sums).all():
            return None
        weight, first, second = weight + float(weights.sum()), first + sums, second + scaled.T @ centred
    away = first / weight
    return Moments(weight, origin + away, second / weight - np.outer(away, away))
