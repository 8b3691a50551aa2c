"""Forecasts: what the next steps of sequences are expected to be, with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tacit import plots
from tacit.data.results import TableResult


@dataclass(frozen=True, eq=False)
class Forecast(TableResult):
    """The next steps of every sequence, column by column.

    Attributes:
        columns: the names of the columns, d of them.
        sequences: what the sequences are called, S of them.
        mean: ``E[x_T+h | x_1…T]``, ``(S, H, d)``; of a column of levels, the mean code.
        sd: standard deviations, ``(S, H, d)``.
        lower, upper: between these the column lies with probability ``level``, ``(S, H, d)``.
        level: of the intervals.
        states: of a model with states, ``p(z_T+h = k | x_1…T)``, ``(S, H, K)``; else None.
        levels: by the place of a column of levels, the probability of each, ``(S, H, L)``.
        past: the last steps that were seen, for the picture: by sequence ``(T, d)``.
    """

    columns: tuple[str, ...]
    sequences: tuple[Any, ...]
    mean: np.ndarray
    sd: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    level: float
    states: np.ndarray | None = None
    past: tuple[np.ndarray, ...] = ()
    levels: Mapping[int, np.ndarray] | None = None

    def to_arrow(self) -> pa.Table:
        """A line a sequence, step and column."""
        sequences, steps, columns = self.mean.shape
        names = np.repeat(np.array([str(name) for name in self.sequences], object), steps * columns)
        return pa.table(
            {
                "sequence": pa.array(names.tolist(), pa.string()),
                "step": np.tile(np.repeat(np.arange(1, steps + 1), columns), sequences),
                "column": list(self.columns) * (sequences * steps),
                "mean": self.mean.ravel(),
                "sd": self.sd.ravel(),
                "lower": self.lower.ravel(),
                "upper": self.upper.ravel(),
            }
        )

    def headline(self) -> str:
        """How far it goes."""
        return f"Forecast of {self.mean.shape[1]} steps, intervals of {100 * self.level:g} %"

    def plot(self, sequence: int = 0) -> Any:
        """A matplotlib ``Figure`` of one sequence: what was seen, what is expected, and the interval."""
        past = self.past[sequence] if self.past else np.empty((0, len(self.columns)))
        return plots.fans(
            past, self.mean[sequence], self.lower[sequence], self.upper[sequence], self.columns, self.level
        )
