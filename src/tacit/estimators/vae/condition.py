"""``condition``: a deep model's density of some columns, given values of the others."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from tacit.estimators.base import Seed, unmasked
from tacit.estimators.capabilities import MatrixLike

DRAWS = 2000
"""Of z, among which those of a sample are chosen."""
TOGETHER = 20
"""Rows that are chosen among the same draws: every number of them is a program of its own."""


class Answers(Protocol):
    """The estimator that is asked."""

    def score_samples(self, X: MatrixLike) -> np.ndarray: ...

    def impute(self, X: MatrixLike, n_draws: int, *, n_samples: int, random_state: Seed) -> np.ndarray: ...


class DeepConditional:
    """``p(x_rest | x_given)``, by weighing draws of q(z|x_given) (Mattei & Frellsen 2019).

    Attributes:
        columns: the numbers of the columns that are free.
    """

    def __init__(self, estimator: Answers, row: np.ndarray) -> None:
        self._estimator, self._row = estimator, row
        self.columns = tuple(int(place) for place in np.flatnonzero(np.isnan(row)))

    def sample(self, n_samples: int = 1, *, random_state: Seed = None) -> np.ndarray:
        """Draws of the free columns, ``(n_samples, len(columns))``."""
        rows = np.repeat(self._row[None], -(-n_samples // TOGETHER), axis=0)
        filled = self._estimator.impute(rows, TOGETHER, n_samples=DRAWS, random_state=random_state)
        return filled.reshape(-1, self._row.size)[:n_samples, list(self.columns)]

    def mean(self) -> np.ndarray:
        """``E[x_rest | x_given]``, ``(len(columns),)``."""
        return self._estimator.impute(self._row[None], 0, n_samples=DRAWS, random_state=0)[0, list(self.columns)]

    def score_samples(self, X: MatrixLike) -> np.ndarray:
        """``log p(x_rest | x_given)`` of rows of the free columns, in nats: the difference of two estimates."""
        rest = np.asarray(unmasked(X, gaps=True), dtype=np.float64)
        if rest.ndim != 2 or rest.shape[1] != len(self.columns):
            raise ValueError(f"X must be (n, {len(self.columns)}), the free columns; got {rest.shape}")
        whole = np.repeat(self._row[None], rest.shape[0], axis=0)
        whole[:, list(self.columns)] = rest
        return self._estimator.score_samples(whole) - self._estimator.score_samples(self._row[None])


def given_row(values: Mapping[Any, Any], width: int, names: Sequence[str] | None) -> np.ndarray:
    """A row with the values given and NaN elsewhere.

    Raises:
        ValueError: an unknown column, one given twice, a value that is no number, or none left over.
    """
    row = np.full(width, np.nan)
    for column, asked in values.items():
        value = unmasked(asked, gaps=True)
        known = isinstance(column, str) and names is not None and column in names
        place = list(names or ()).index(column) if known else column
        if not isinstance(place, (int, np.integer)) or not 0 <= place < width:
            what = f"one of {list(names)}" if names is not None else f"a number from 0 to {width - 1}"
            raise ValueError(f"there is no column {column!r}: a column is {what}")
        if not np.isnan(row[place]):
            raise ValueError(f"column {column!r} is given twice, by number and by name")
        if np.ndim(value) or not np.isfinite(float(value)):
            raise ValueError(f"column {column!r} needs one number, got {value!r}")
        row[place] = float(value)
    if not np.isnan(row).any():
        raise ValueError("every column is given, so none is left to have a density; score the rows instead")
    return row
