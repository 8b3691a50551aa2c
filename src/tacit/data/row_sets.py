"""Rows of any kind with a weight each: what tables, documents and sequences have in common."""

import abc
import copy
from collections.abc import Iterator
from typing import Any, Self, TypeAlias

import numpy as np
from jaxtyping import Float

SLICE_ROWS = 16_384
"""Rows looked at together where all of them are gone through on the host."""

Places: TypeAlias = slice | np.ndarray
"""Some rows: a slice, or their numbers."""


class RowSet(abc.ABC):
    """Rows of any kind with a weight each, such as those of a table, documents or sequences.

    Rows are asked for by their numbers from 0, some at a time, so a set is the same however it is stored.
    """

    _weights: np.ndarray | None = None

    @abc.abstractmethod
    def __len__(self) -> int:
        """How many."""

    @abc.abstractmethod
    def rows(self, places: Places = slice(None)) -> Any:
        """Some rows (all, where none are named), which are not to be changed."""

    @abc.abstractmethod
    def take(self, places: Places) -> "RowSet":
        """Some of the rows with their weights.

        Args:
            places: a slice, their numbers in the order wanted, or True for each that is wanted.
        """

    @property
    def weights(self) -> Float[np.ndarray, " rows"]:
        """One a row; where none were given, ones that take no memory."""
        return np.broadcast_to(1.0, (len(self),)) if self._weights is None else self._weights

    @property
    def given_weights(self) -> Float[np.ndarray, " rows"] | None:
        """One a row; None where none were given."""
        return self._weights

    @property
    def total_weight(self) -> float:
        """Their sum."""
        return float(self.weights.sum())

    def weighted(self, weights: Float[np.ndarray, " rows"] | None) -> Self:
        """The same rows with other weights; None for ones."""
        other = copy.copy(self)
        other._weights = None if weights is None else np.asarray(weights, np.float64)
        return other

    def slices(self, size: int = SLICE_ROWS) -> Iterator[tuple[slice, Any]]:
        """All rows, some neighbours at a time, and where they stand."""
        for start in range(0, len(self), size):
            part = slice(start, min(start + size, len(self)))
            yield part, self.rows(part)
