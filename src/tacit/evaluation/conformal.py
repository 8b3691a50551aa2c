"""A meaning for "odd": p-values of rows against rows that the fit has not seen."""

import dataclasses
import math
from typing import Any, Self

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float
from numpy.typing import ArrayLike

from tacit import plots
from tacit.data.errors import counted, in_all
from tacit.data.results import TableResult


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration(TableResult):
    """Log densities of rows that the fit has not seen: what the rank of a new row is judged by.

    A new row that comes from where the calibration rows come from has a p-value of at most α with probability at
    most α, whatever the model (Bates et al. 2023, "Testing for outliers with conformal p-values", section 1.2). The
    probability is over the calibration rows too: for one split at hand the share of ordinary rows that are flagged
    lies around ``alarm``, the closer the larger the split.

    Attributes:
        scores: the log densities, in increasing order, ``(n,)``; −inf where a row was impossible.
    """

    scores: Float[np.ndarray, " rows"]

    @classmethod
    def from_scores(cls, scores: ArrayLike) -> Self:
        """Keep log densities ``(n,)`` of calibration rows.

        Raises:
            ValueError: not one number a row, none at all, or a score that is not a number.
        """
        values = _scores("scores", scores)
        if values.size == 0:
            raise ValueError("scores is empty: a calibration split needs at least one row")
        return cls(np.sort(values))

    def to_arrow(self) -> pa.Table:
        """A line a row kept aside: its log density, and the p-value that a new row with it would have."""
        return pa.table({"log_density": self.scores, "p_value": self.p_values(self.scores)})

    def headline(self) -> str:
        """How many rows there are."""
        return f"Calibration by {counted(self.scores.size, 'row')}"

    def plot(self) -> Any:
        """A matplotlib ``Figure``: the log densities of the rows kept aside."""
        finite = self.scores[np.isfinite(self.scores)]
        return plots.density_plot(finite, "Log density of rows kept aside, in nats", logarithm=False)

    def p_values(self, scores: ArrayLike) -> Float[np.ndarray, " rows"]:
        """``(1 + #{calibration ≤ score}) / (n + 1)`` of every row, ``(rows,)``: small is odd.

        Equal scores count as at most as likely, so ties make a p-value larger, never too small.

        Args:
            scores: log densities of the rows, by the same fit.
        """
        below = np.searchsorted(self.scores, _scores("scores", scores), side="right")
        return (1.0 + below) / (self.scores.size + 1.0)

    def flag(self, scores: ArrayLike, alarm: float) -> Bool[np.ndarray, " rows"]:
        """Which rows are odd: their p-value is at most ``alarm``.

        Args:
            scores: log densities of the rows, by the same fit.
            alarm: the share of ordinary rows that may be flagged, on average.

        Raises:
            ValueError: the split is too small for any row to be flagged; the message says how many rows it needs.
        """
        needed = self.rows_needed(alarm)
        if self.scores.size < needed:
            least = 1.0 / (self.scores.size + 1.0)
            raise ValueError(
                f"alarm={alarm:g} needs a calibration split of at least {counted(needed, 'row')}, and there "
                f"{'is' if self.scores.size == 1 else 'are'} {self.scores.size}: no p-value can be below {least:.3g}. "
                "Hold out more rows, or raise alarm."
            )
        return self.p_values(scores) <= alarm

    @staticmethod
    def rows_needed(alarm: float) -> int:
        """``⌈1/alarm⌉ − 1``: the least rows of a split whose smallest p-value, ``1/(n + 1)``, is at most ``alarm``."""
        if not 0.0 < alarm <= 1.0:
            raise ValueError(f"alarm must be above 0 and at most 1 (a share of the rows), got {alarm!r}")
        rows = math.ceil(1.0 / alarm) - 1
        # rounding of the quotient can put a whole number one too high
        return rows - 1 if rows > 0 and 1.0 / rows <= alarm else rows


def _scores(name: str, scores: ArrayLike) -> Float[np.ndarray, " rows"]:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"{name} must be one log density a row, (n,); got shape {values.shape}")
    unknown = np.flatnonzero(np.isnan(values))
    if unknown.size:
        raise ValueError(f"{name} is not a number in row {unknown[0] + 1}{in_all(unknown.size, 'row')}")
    return values
