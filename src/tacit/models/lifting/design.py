"""What a regression does to its columns on entry: centred, scaled and made independent; and the residual of y.

Every later step works on ``e = y − A b₀``, so that a fit that is almost perfect keeps its digits.
"""

from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Float

from tacit.compute import Array, component_bucket
from tacit.data.dataset import DenseRows

RANK_DIGITS = 1e-10
"""A direction of the scaled columns shorter than this share of the longest is none."""
EXACT = 1e-13
"""Residuals below this share of the largest y are rounding."""


class Design(NamedTuple):
    """Working columns ``A``, of full rank, and working values ``e``; ``y ≈ A (b₀ + size · b)``.

    Directions in which the columns do not vary are left out of A: what the model says of y is the same, and of the
    coefficients that say it these are the shortest, in standard deviations of their columns.
    """

    columns: Float[np.ndarray, "rows rank"]
    left: Float[np.ndarray, " rows"]
    """``(y − A b₀) / size``, of mean absolute value 1 (or all 0)."""
    size: float
    least_squares: Float[np.ndarray, " rank"]
    """``b₀``."""
    units: Float[np.ndarray, "parameters rank"]
    """Takes A's coefficients to those of the user's columns and the intercept, which is last."""
    intercept: bool

    @property
    def width(self) -> int:
        """How many columns the driver sees: few numbers, so that few programs are compiled."""
        return component_bucket(self.columns.shape[1])

    @property
    def rows(self) -> Float[np.ndarray, "rows wide"]:
        """``[A | 0 | e]``, as the driver takes it."""
        nothing = np.zeros((len(self.left), self.width - self.columns.shape[1]))
        return np.column_stack([self.columns, nothing, self.left])

    def parameters(self, working: Float[Array, " rank"]) -> tuple[Float[np.ndarray, " columns"], float]:
        """Coefficients and intercept in the user's units."""
        found = self.units @ (self.least_squares + self.size * np.asarray(working))
        return found[:-1], float(found[-1])

    def covariance(self, working: Float[Array, "rank rank"]) -> Float[np.ndarray, "parameters parameters"]:
        """Of coefficients and intercept in the user's units, from that of A's coefficients."""
        return self.size**2 * self.units @ np.asarray(working) @ self.units.T

    @classmethod
    def of(
        cls,
        X: Float[np.ndarray, "rows columns"],
        y: Float[np.ndarray, " rows"],
        weights: Float[np.ndarray, " rows"],
        *,
        intercept: bool,
    ) -> Self:
        """Prepare rows of positive weight."""
        shift, scale, flat = _scales(X, weights, intercept=intercept)
        scaled = np.where(flat, 0.0, (X - shift) / scale)
        root = np.sqrt(weights)[:, None]
        _, lengths, turn = np.linalg.svd(np.linalg.qr(root * scaled, mode="r"), full_matrices=False)
        kept = lengths > RANK_DIGITS * max(lengths.max(initial=0.0), 1e-300)
        if kept.all() and kept.size == X.shape[1]:
            back = np.eye(X.shape[1])
        else:
            back = turn[kept].T
            scaled = scaled @ back
        columns = np.column_stack([np.ones(len(y)), scaled]) if intercept else scaled
        units = _units(back, shift, scale, intercept=intercept)
        first = _least_squares(columns, y, weights)
        left = y - columns @ first
        if len(y) <= columns.shape[1] or np.abs(left).max(initial=0.0) <= EXACT * np.abs(y).max(initial=0.0):
            left = np.zeros(len(y))
        size = float(weights @ np.abs(left) / weights.sum()) or 1.0
        return cls(columns, left / size, size, first, units, intercept)


def _scales(
    X: Float[np.ndarray, "rows columns"], weights: Float[np.ndarray, " rows"], *, intercept: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is taken from each column, what it is divided by, and which columns say nothing."""
    seen = DenseRows(X, weights).moments()
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


def _least_squares(columns: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """``arg min Σ w (y − A b)²``, refined once: the columns are independent."""
    root = np.sqrt(weights)
    orthogonal, triangle = np.linalg.qr(root[:, None] * columns)
    found = np.zeros(columns.shape[1])
    for _ in range(2):
        rest = root * (y - columns @ found)
        found = found + np.linalg.solve(triangle, orthogonal.T @ rest)
    return found
