"""What a regression does to its columns on entry: centred, scaled and made independent; and the residual of y.

Every later step works on ``e = y − A b₀``, so that a fit that is almost perfect keeps its digits.
"""

from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Float

from tacit.compute import Array, component_bucket
from tacit.data.dataset import Dataset, DenseRows, JoinedRows, MadeRows

RANK_DIGITS = 1e-10
"""A direction of the scaled columns shorter than this share of the longest is none."""
EXACT = 1e-13
"""Residuals below this share of the largest y are rounding."""


class Design(NamedTuple):
    """Working columns ``A``, of full rank, and working values ``e``; ``y ≈ A (b₀ + size · b)``.

    Directions in which the columns do not vary are left out of A: what the model says of y is the same, and of the
    coefficients that say it these are the shortest, in standard deviations of their columns. A and e are all that is
    held of the rows.
    """

    held: Float[np.ndarray, "rows wide"]
    """``[A | 0 | e]``, with ``e = (y − A b₀) / size`` of mean absolute value 1 (or all 0)."""
    rank: int
    """Columns of A."""
    weights: Float[np.ndarray, " rows"]
    """Of the rows, all positive."""
    size: float
    least_squares: Float[np.ndarray, " rank"]
    """``b₀``."""
    units: Float[np.ndarray, "parameters rank"]
    """Takes A's coefficients to those of the user's columns and the intercept, which is last."""
    intercept: bool

    @property
    def columns(self) -> Float[np.ndarray, "rows rank"]:
        """A."""
        return self.held[:, : self.rank]

    @property
    def left(self) -> Float[np.ndarray, " rows"]:
        """e."""
        return self.held[:, -1]

    @property
    def width(self) -> int:
        """How many columns the driver sees: few numbers, so that few programs are compiled."""
        return self.held.shape[1] - 1

    @property
    def rows(self) -> Dataset:
        """``[A | 0 | e]``, as the driver takes it."""
        return DenseRows(self.held, self.weights)

    def residuals(self, working: Float[Array, " rank"]) -> Float[np.ndarray, " rows"]:
        """``e − A b`` for A's coefficients."""
        return self.left - self.columns @ np.asarray(working)

    def parameters(self, working: Float[Array, " rank"]) -> tuple[Float[np.ndarray, " columns"], float]:
        """Coefficients and intercept in the user's units."""
        found = self.units @ (self.least_squares + self.size * np.asarray(working))
        return found[:-1], float(found[-1])

    def covariance(self, working: Float[Array, "rank rank"]) -> Float[np.ndarray, "parameters parameters"]:
        """Of coefficients and intercept in the user's units, from that of A's coefficients."""
        return self.size**2 * self.units @ np.asarray(working) @ self.units.T

    @classmethod
    def of(cls, X: Dataset, y: Float[np.ndarray, " rows"], *, intercept: bool) -> Self:
        """Prepare rows of positive weight."""
        shift, scale, flat = _scales(X, intercept=intercept)
        scaled = MadeRows(X, lambda part: np.where(flat, 0.0, (part - shift) / scale), len(shift))
        _, lengths, turn = np.linalg.svd(_triangle(scaled), full_matrices=False)
        kept = lengths > RANK_DIGITS * max(lengths.max(initial=0.0), 1e-300)
        whole = bool(kept.all()) and kept.size == len(shift)
        back = np.eye(len(shift)) if whole else turn[kept].T

        rank = back.shape[1] + intercept
        held = np.zeros((len(y), component_bucket(rank) + 1))
        for part, rows in scaled.slices():
            held[part, intercept:rank] = rows if whole else rows @ back
        held[:, :intercept] = 1.0
        columns = held[:, :rank]
        first = _least_squares(columns, y, X.weights)
        left = y - columns @ first
        if len(y) <= rank or np.abs(left).max(initial=0.0) <= EXACT * np.abs(y).max(initial=0.0):
            left = np.zeros(len(y))
        size = float(X.weights @ np.abs(left) / X.weights.sum()) or 1.0
        held[:, -1] = left / size
        units = _units(back, shift, scale, intercept=intercept)
        return cls(held, rank, X.weights, size, first, units, intercept)


def applied(
    columns: Dataset, coefficients: Float[np.ndarray, " columns"], constant: float = 0.0
) -> Float[np.ndarray, " rows"]:
    """``A b + c``."""
    found = np.empty(len(columns))
    for part, rows in columns.slices():
        found[part] = rows @ coefficients + constant
    return found


def _scales(X: Dataset, *, intercept: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is taken from each column, what it is divided by, and which columns say nothing."""
    seen = X.moments()
    if intercept:
        return seen.mean, np.where(seen.flat, 1.0, np.sqrt(seen.variance)), seen.flat
    root = np.sqrt(seen.variance + seen.mean**2)
    return np.zeros_like(root), np.where(root > 0, root, 1.0), root == 0.0


def _units(back: np.ndarray, shift: np.ndarray, scale: np.ndarray, *, intercept: bool) -> np.ndarray:
    """``[coefficients; intercept] = units @ b``."""
    slopes = back / scale[:, None]
    if not intercept:
        return np.vstack([slopes, np.zeros(slopes.shape[1])])
    last = np.concatenate([[1.0], -shift @ slopes])
    return np.vstack([np.column_stack([np.zeros(len(slopes)), slopes]), last])


def _triangle(columns: Dataset) -> Float[np.ndarray, "rank columns"]:
    """R of the QR decomposition of ``√w A``, from slice to slice."""
    found = np.zeros((0, columns.shape[1]))
    for part, rows in columns.slices():
        heavy = np.sqrt(columns.weights[part])[:, None] * rows
        found = np.asarray(np.linalg.qr(np.vstack([found, heavy]), mode="r"))
    return found


def _least_squares(columns: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``arg min Σ w (y − A b)²``, refined once: the columns are independent."""
    rank = columns.shape[1]
    found = np.zeros(rank)
    for _ in range(2):
        rest = JoinedRows(DenseRows(columns, weights), y - columns @ found)
        triangle = _triangle(rest)  # its last column is Qᵀ of the rest
        found = found + np.linalg.solve(triangle[:rank, :rank], triangle[:rank, rank])
    return found
