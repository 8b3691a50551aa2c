"""Sums, means and covariances of complete rows in one pass: all that a linear Gaussian model needs to know of them."""

from functools import partial
from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Float

from tacit.data.dataset import Dataset
from tacit.data.sources import spread

MOST_COLUMNS = 2000
"""Columns up to which a matrix ``[columns, columns]`` is kept."""


SLICE = 2048
"""Rows that are summed together: few enough that their copy stays in the cache."""

NEAR = 3.0
"""Deviations from 0 within which sums about 0 keep their figures: a tenth of a square at least is spread."""


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

    Rows are summed about the mean of the first of them, so that nothing cancels where columns lie far from 0; about 0
    itself, and then without a copy, where that is no farther than the columns spread.
    """
    if spread(rows):
        return _from_partitions(rows)
    dims = rows.shape[1]
    origin, near = np.zeros(dims), False
    weight, first, second = 0.0, np.zeros(dims), np.zeros((dims, dims))
    held, ones = np.empty((min(SLICE, len(rows)), dims)), np.ones(min(SLICE, len(rows)))
    weigh = not bool((rows.weights == 1.0).all())
    for part, some in rows.slices(SLICE):
        values = some.astype(np.float64, copy=False)
        if part.start == 0:
            centre = values.mean(axis=0)
            near = bool((np.abs(centre) <= NEAR * values.std(axis=0)).all())
            origin = origin if near else centre
        centred = values if near else np.subtract(values, origin, out=held[: len(values)])
        weights = rows.weights[part] if weigh else ones[: len(values)]
        sums = weights @ centred
        if not np.isfinite(sums).all():
            return None
        scaled = centred * weights[:, None] if weigh else centred
        weight, first, second = weight + float(weights.sum()), first + sums, second + scaled.T @ centred
    away = first / weight
    return Moments(weight, origin + away, second / weight - np.outer(away, away))


def _from_partitions(rows: Dataset) -> Moments | None:
    """The same, where the rows are read elsewhere: about the mean of the first of them."""
    dims = rows.shape[1]
    origin = np.nan_to_num(rows.rows(slice(0, min(SLICE, len(rows)))).mean(axis=0))

    found = rows.total(partial(_sums_about, origin))
    if not np.isfinite(found).all():
        return None
    away, weight = found[dims] / found[-1, 0], float(found[-1, 0])
    return Moments(weight, origin + away, found[:dims] / weight - np.outer(away, away))


def _sums_about(origin: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    centred = rows - origin
    heavy = centred * weights[:, None]
    return np.vstack([heavy.T @ centred, heavy.sum(axis=0), np.full(origin.size, weights.sum())])
