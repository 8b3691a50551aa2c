"""Counts of configurations of a node and its parents: from rows, or expected ones from an E-step."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int

_DENSE = 2**22
"""Entries of a table of counts above which only configurations that occur are counted."""
_INDICATORS = 2**25
"""Entries of the indicators of all levels of all rows above which candidates are counted one by one."""


class FamilyCounts(NamedTuple):
    """How often the configurations of a node with its parents occur, and those of the parents alone.

    Configurations that do not occur may be there (as zeros) or be left out, and their order means nothing: scores are
    sums over those that do.
    """

    joint: Float[np.ndarray, "..."]
    given: Float[np.ndarray, "..."]


class CountSource(Protocol):
    """Where counts come from."""

    @property
    def cards(self) -> tuple[int, ...]:
        """The number of levels of every node."""
        ...

    @property
    def total(self) -> float:
        """What all counts of a family sum to."""
        ...

    def counts(self, node: int, parents: tuple[int, ...]) -> FamilyCounts:
        """The counts of one family."""
        ...

    def with_each(
        self, node: int, parents: tuple[int, ...]
    ) -> Float[np.ndarray, "configurations levels columns"] | None:
        """Counts with one more parent, for every node that it may be: a column for each level of each node.

        The columns of the nodes follow one another; those of the family itself mean nothing. None where it is cheaper
        to ask for each family by itself.
        """
        ...


class ExpectedCounts:
    """Counts that a function gives, such as expected ones: ``q(node, parents | evidence)`` summed over rows.

    With these the score of a structure is a step of structural EM (Friedman 1997).
    """

    def __init__(
        self,
        counts: Callable[[int, tuple[int, ...]], np.ndarray],
        cards: Sequence[int],
        total: float,
    ) -> None:
        """Say where they come from.

        Args:
            counts: of a node and its parents, with an axis for each parent in order and the last for the node.
            cards: the number of levels of every node.
            total: the weight of all rows.
        """
        self.cards, self.total, self._counts = tuple(cards), float(total), counts

    def counts(self, node: int, parents: tuple[int, ...]) -> FamilyCounts:
        """The counts of one family."""
        joint = np.asarray(self._counts(node, parents), np.float64)
        shape = (*(self.cards[parent] for parent in parents), self.cards[node])
        if joint.shape != shape:
            raise ValueError(f"counts of node {node} given {parents} have shape {joint.shape}; it must be {shape}")
        return FamilyCounts(joint, joint.sum(axis=-1, keepdims=True))

    def with_each(self, node: int, parents: tuple[int, ...]) -> None:
        """There is no cheaper way than to ask for each."""
        return


class RowCounts:
    """Counts of rows of levels, none of them missing.

    Attributes:
        codes: [rows, nodes], distinct where that saves much.
        cards: the number of levels of every node.
        total: the weight of all rows.
    """

    def __init__(
        self,
        codes: Int[np.ndarray, "rows nodes"],
        cards: Sequence[int] | None = None,
        weights: Float[np.ndarray, " rows"] | None = None,
        *,
        names: Sequence[str] | None = None,
    ) -> None:
        """Check them, and keep every distinct row once if that leaves less than half of them.

        Args:
            codes: the level of every node in every row, from 0.
            cards: how many levels there are; of None as many as occur.
            weights: how often every row counts; of None once.
            names: of the nodes, for messages.

        Raises:
            ValueError: a level is missing or outside its number of levels, or a weight is below 0 or no number.
        """
        seen = codes.max(axis=0, initial=-1) + 1
        self.cards = tuple(int(each) for each in (np.maximum(seen, 1) if cards is None else cards))
        _check(codes, self.cards, names)
        rows = np.ones(codes.shape[0]) if weights is None else np.asarray(weights, np.float64)
        if rows.shape != codes.shape[:1] or not np.all((rows >= 0) & (rows < np.inf)):
            raise ValueError(f"there must be a weight from 0 on for each of {codes.shape[0]} rows")
        codes, rows = codes[rows > 0], rows[rows > 0]
        self.total = float(rows.sum())
        self._counted = weights is not None
        distinct = _distinct(codes, self.cards)
        if distinct is not None:
            kept, kind = distinct
            codes, rows, self._counted = codes[kept], np.bincount(kind, rows).astype(np.float64), True
        self.codes = np.asfortranarray(codes, np.int64)
        self._weights = rows
        self._offsets = np.concatenate([[0], np.cumsum(self.cards)])
        self._indicators: np.ndarray | None = None

    def counts(self, node: int, parents: tuple[int, ...]) -> FamilyCounts:
        """The counts of one family, each node of it read once."""
        place, size = self._configurations(parents)
        card = self.cards[node]
        if size * card > _DENSE:
            given = self._bincount(place, size)
            joint = np.unique(place * card + self.codes[:, node], return_inverse=True)[1].ravel()
            return FamilyCounts(self._bincount(joint, 0), given)
        table = self._bincount(place * card + self.codes[:, node], size * card).reshape(size, card)
        return FamilyCounts(table, table.sum(axis=1))

    def with_each(
        self, node: int, parents: tuple[int, ...]
    ) -> Float[np.ndarray, "configurations levels columns"] | None:
        """Counts with one more parent, for every node that it may be: indicators of all levels, summed by family."""
        columns, card, rows = int(self._offsets[-1]), self.cards[node], self.codes.shape[0]
        if rows * columns > _INDICATORS:
            return None
        place, size = self._configurations(parents)
        if size * card * columns > _DENSE:
            return None
        if self._indicators is None:
            self._indicators = self._made_indicators()
        entries = np.ones(rows, self._indicators.dtype)
        place = place * card + self.codes[:, node]
        family = sp.csc_array(
            (entries, place.astype(np.int32), np.arange(rows + 1, dtype=np.int32)), shape=(size * card, rows)
        )
        found = np.asarray(family @ self._indicators, np.float64)
        if not self._counted:
            found = self._with_last(found, self._bincount(place, size * card))
        return found.reshape(size, card, columns)

    def _made_indicators(self) -> np.ndarray:
        """A column for each level of each node, 1 or the weight where a row has it; single precision counts exactly.

        Where all rows weigh one, the last level of every node is left out: what the others leave of a family is its.
        """
        rows, columns = np.arange(self.codes.shape[0]), int(self._offsets[-1])
        made = np.zeros((len(rows), columns), np.float64 if self._counted else np.float32)
        for node in range(len(self.cards)):
            made[rows, self.codes[:, node] + self._offsets[node]] = self._weights
        return made if self._counted else np.ascontiguousarray(np.delete(made, self._offsets[1:] - 1, axis=1))

    def _with_last(self, found: np.ndarray, whole: np.ndarray) -> np.ndarray:
        """Counts with those of the last level of every node, from those of the others and of the family."""
        columns = int(self._offsets[-1])
        last = self._offsets[1:] - 1
        full = np.zeros((len(found), columns))
        full[:, np.delete(np.arange(columns), last)] = found
        full[:, last] = whole[:, None] - np.add.reduceat(full, self._offsets[:-1], axis=1)
        return full

    def _configurations(self, nodes: tuple[int, ...]) -> tuple[Int[np.ndarray, " rows"], int]:
        """The configuration of some nodes in every row, and how many there are: if many, only those that occur."""
        rows = self.codes.shape[0]
        place, size = np.zeros(rows, np.int64), 1
        for node in nodes:
            place, size = place * self.cards[node] + self.codes[:, node], size * self.cards[node]
            if size > max(2 * rows, 1024):
                seen, place = np.unique(place, return_inverse=True)
                place, size = place.ravel(), max(len(seen), 1)
        return place, size

    def _bincount(self, places: np.ndarray, size: int) -> np.ndarray:
        if self._counted:
            return np.bincount(places, self._weights, minlength=size)
        return np.bincount(places, minlength=size).astype(np.float64)


def _check(codes: np.ndarray, cards: tuple[int, ...], names: Sequence[str] | None) -> None:
    if len(cards) != codes.shape[1]:
        raise ValueError(f"there are {codes.shape[1]} columns and {len(cards)} numbers of levels")
    for node, card in enumerate(cards):
        name = repr(names[node]) if names is not None else str(node)
        column = codes[:, node]
        missing = int((column < 0).sum())
        if missing:
            first = int((column < 0).argmax())
            raise ValueError(
                f"column {name} is missing in {missing} of {len(column)} rows (the first is row {first + 1}): "
                "a structure is learned from complete rows, or from expected counts"
            )
        if card < 1:
            raise ValueError(f"column {name} has no levels")
        if len(column) and int(column.max()) >= card:
            row = int(column.argmax())
            raise ValueError(f"column {name}, row {row + 1}: the code {column[row]} is not below its {card} levels")


def _distinct(codes: np.ndarray, cards: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray] | None:
    """A row of each distinct kind, and the kind of every row; None where more than half of the rows are distinct."""
    rows = codes.shape[0]
    place, size = np.zeros(rows, np.int64), 1
    for node, card in enumerate(cards):
        if math.log2(size) + math.log2(card) > 62:
            seen, place = np.unique(place, return_inverse=True)
            place, size = place.ravel(), len(seen)
            if size > rows // 2:
                return None
        place, size = place * card + codes[:, node], size * card
    _, kept, place = np.unique(place, return_index=True, return_inverse=True)
    return None if len(kept) > rows // 2 else (kept, place.ravel())
