"""``plot`` of densities without groups."""

from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from tacit import plots
from tacit.estimators.base import Seed
from tacit.estimators.capabilities import MatrixLike
from tacit.models.flow.levels import has_levels
from tacit.plots import style

DRAWN = 1000
"""Rows that are drawn from the model."""
GRID = 70
"""Points of either axis on which a density of two columns is looked at."""


class DrawsRows(Protocol):
    """A fitted density."""

    def _column_names(self) -> list[str]: ...

    def score_samples(self, X: MatrixLike) -> np.ndarray: ...

    def sample(self, n_samples: int = 1, *, random_state: Seed = None) -> np.ndarray: ...


def density_picture(model: DrawsRows, rows: np.ndarray | None) -> Any:
    """Rows drawn from a density, beside rows of the data; of two columns its contours."""
    names, drawn = model._column_names(), model.sample(DRAWN, random_state=0)
    if len(names) == 2:
        shown = drawn if rows is None else rows
        x, y, log_density = on_grid(model, shown)
        return plots.density_map(x, y, log_density, shown, names)
    return plots.rows_beside(drawn if rows is None else rows, drawn, names)


def on_grid(model: DrawsRows, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places along both columns, and the log-density at every pair of them ``[y, x]``."""
    # beyond the values a column may have an end, and between them there may be nothing
    for room in (0.08, 0.0, None):
        x, y = (_places(column[np.isfinite(column)], room) for column in rows.T)
        points = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
        try:
            return x, y, model.score_samples(_framed(model, points)).reshape(y.size, x.size)
        except ValueError:
            if room is None:
                raise
    raise AssertionError


def _framed(model: DrawsRows, points: np.ndarray) -> MatrixLike:
    """Rows with the names of the columns, where the model knows some."""
    if "feature_names_in_" not in vars(model):
        return points
    return pa.table(dict(zip(model._column_names(), points.T, strict=True)))


def _places(values: np.ndarray, room: float | None) -> np.ndarray:
    """From the least value to the largest, but for far ones, with room on both sides; or values as they are."""
    seen = np.unique(values)
    if room is None or (has_levels(values, seen) and seen.size <= GRID):
        return seen[np.sort(style.thin(seen.size, GRID))]
    low, high = np.quantile(values, [0.002, 0.998])
    return np.linspace(low - room * (high - low), high + room * (high - low), GRID)
