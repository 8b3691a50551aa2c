"""Whether the intervals of a density hold as many held-out values as they say: probability integral transforms."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float
from sklearn.base import BaseEstimator

from tacit import plots
from tacit.compute import Array
from tacit.data.results import TableResult
from tacit.estimators.capabilities import GivesConditionalsExactly, can
from tacit.estimators.measure import DENSITY
from tacit.evaluation.measure import measure

LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


@dataclasses.dataclass(frozen=True)
class Coverage(TableResult):
    """How many values lie in the central intervals of ``p(x_j | the row's other entries)``.

    Attributes:
        levels: what the intervals claim to hold.
        observed: the share that they hold, over rows and continuous columns.
        errors: its standard error, with rows as the units.
        pit: ``F(x_j | rest)`` of every entry, ``(n, columns)``; uniform where the density is right, NaN where missing.
        columns: the numbers of the continuous columns.
    """

    levels: np.ndarray
    observed: np.ndarray
    errors: np.ndarray
    pit: np.ndarray
    columns: tuple[int, ...]

    def to_arrow(self) -> pa.Table:
        """A line a level: what the intervals claim to hold, and what they hold."""
        return pa.table({"level": self.levels, "observed": self.observed, "error": self.errors})

    def plot(self, others: Mapping[str, "Coverage"] | None = None, name: str = "") -> Any:
        """A matplotlib ``Figure``: observed against claimed, with those of other models if given."""
        lines = {name: self} | dict(others or {})
        return plots.coverage_plot(
            self.levels, {key: each.observed for key, each in lines.items()}, {k: c.errors for k, c in lines.items()}
        )


def coverage(estimator: BaseEstimator, X: Float[Array, "rows columns"], levels: Sequence[float] = LEVELS) -> Coverage:
    """Go over held-out rows, each continuous entry under its density given the other entries (Dawid 1984).

    Args:
        estimator: fitted, with ``condition``: any mixture.
        X: rows that it has not seen, as numbers; NaN where missing.
        levels: of the central intervals, strictly between 0 and 1.

    Raises:
        ValueError: the model has no conditional densities, or no column is continuous.
    """
    if not can(estimator, GivesConditionalsExactly):
        raise ValueError(f"{type(estimator).__name__} has no conditional densities, whose intervals could be checked")
    rows, claimed = np.asarray(X, np.float64), np.asarray(levels, np.float64)
    if not ((claimed > 0) & (claimed < 1)).all():
        raise ValueError(f"levels must lie strictly between 0 and 1; got {list(levels)}")
    columns = tuple(place for place, word in enumerate(measure(estimator)) if word == DENSITY)
    if not columns:
        raise ValueError("no column is continuous: intervals of counts and levels cannot hold an exact share")
    pit = np.column_stack([_transform(estimator, rows, column) for column in columns])
    inside = np.abs(pit - 0.5)[..., None] <= 0.5 * claimed
    seen = ~np.isnan(pit)
    share = np.where(seen[..., None], inside, 0.0).sum(1) / np.maximum(seen.sum(1), 1)[:, None]
    share = share[seen.any(1)]
    errors = share.std(axis=0, ddof=1) / np.sqrt(len(share)) if len(share) > 1 else np.full(claimed.shape, np.nan)
    return Coverage(claimed, inside[seen].mean(axis=0), errors, pit, columns)


def _transform(estimator: BaseEstimator, rows: np.ndarray, column: int) -> np.ndarray:
    """``F(x_j | rest)`` of one column, NaN where it is missing."""
    found, seen = np.full(len(rows), np.nan), ~np.isnan(rows[:, column])
    if seen.any():
        others = {place: rows[seen, place] for place in range(rows.shape[1]) if place != column}
        if others:
            found[seen] = estimator.condition(others).cdf(rows[seen, column][:, None])[:, 0]
        else:
            found[seen] = estimator.marginal(column).cdf(rows[seen, column])
    return found
