"""The rows that a network is fitted to, wherever they lie, and what a first look at them says of the nodes."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Self

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit.data.dataset import Dataset, DenseRows, MadeRows
from tacit.data.passes import passed
from tacit.data.sources import stays
from tacit.estimators.network.columns import NodeColumns
from tacit.models.network.learning import (
    DiscreteScore,
    GaussianScore,
    MixedScore,
    RowCounts,
    Score,
    StreamedMixedScore,
    counts_of,
    distinct_rows,
    moments_of,
    moments_of_rows,
)
from tacit.models.network.units import Units

Values = Float[np.ndarray, "rows nodes"]


class RowFacts(NamedTuple):
    """What is known of the nodes, ``[nodes]`` of each."""

    rows: int
    complete: int
    """Rows without a gap in a column."""
    seen: Float[np.ndarray, " nodes"]
    """The weight of what is seen."""
    total: Float[np.ndarray, " nodes"]
    """The sum of what is seen, times weights."""
    gaps: Int[np.ndarray, " nodes"]
    """How many rows have one."""
    low: Float[np.ndarray, " nodes"]
    """The least number of the complete rows."""
    high: Float[np.ndarray, " nodes"]
    """The largest."""

    def __add__(self, other: Any) -> "RowFacts":
        """Of the rows of both."""
        sums = [one + more for one, more in zip(self[:5], other[:5], strict=True)]
        return RowFacts._make([*sums, np.minimum(self.low, other.low), np.maximum(self.high, other.high)])


def _facts(rows: Values, weights: Float[np.ndarray, " rows"], visible: int) -> RowFacts:
    there = ~np.isnan(rows)
    complete = rows[there[:, :visible].all(1)]
    return RowFacts(
        len(rows),
        len(complete),
        weights @ there,
        weights @ np.where(there, rows, 0.0),
        (~there).sum(0),
        complete.min(0, initial=np.inf),
        complete.max(0, initial=-np.inf),
    )


def _squares(rows: Values, weights: Float[np.ndarray, " rows"], mean: Float[np.ndarray, " nodes"]) -> np.ndarray:
    return weights @ np.nan_to_num(rows - mean) ** 2


def _inside(columns: NodeColumns, units: Units, rows: Float[np.ndarray, "rows columns"]) -> Values:
    """Rows of a table as the engine has them."""
    return units.inside(columns.values(rows))


def _first(visible: int, rows: Values) -> Values:
    return rows[:, :visible]


def counted_rows(rows: Dataset) -> Dataset:
    """Rows of some weight, in memory or where they stay in files."""
    if stays(rows):
        counted = rows.weights > 0
        return rows if counted.all() else rows.take(np.flatnonzero(counted))
    values, weights = np.asarray(rows.rows(), np.float64), np.asarray(rows.weights, np.float64)
    return DenseRows(values[weights > 0], weights[weights > 0])


@dataclass(frozen=True, eq=False)
class NodeRows:
    """Rows of nodes inside the engine.

    Attributes:
        data: ``[rows, nodes]``, NaN where unseen.
        facts: of them, in the units of the columns.
        units: the way back to these.
        visible: the nodes that are columns; the others are hidden.
        held: whether they lie in memory.
    """

    data: Dataset
    facts: RowFacts
    units: Units
    visible: int
    held: bool

    @classmethod
    def of(cls, rows: Dataset, columns: NodeColumns, scaled: Bool[np.ndarray, " nodes"]) -> Self:
        """Rows of a table, centred and scaled where that is wanted: two passes."""
        held = not stays(rows)
        visible, nodes = len(columns.schema), len(columns.names)
        if held:
            plain: Dataset = DenseRows(columns.values(np.asarray(rows.rows())), rows.weights)
        else:
            plain = MadeRows(rows, columns.values, nodes)
        facts: RowFacts = passed(plain, _facts, visible, add=_both)
        seen = np.maximum(facts.seen, 1e-300)
        mean = facts.total / seen
        deviation = np.sqrt(passed(plain, _squares, mean) / seen)
        vary = scaled & (deviation > 1e-12 * np.abs(mean)) & (deviation > 0)
        units = Units(np.where(scaled, mean, 0.0), np.where(vary, deviation, 1.0))
        if held:
            data: Dataset = DenseRows(units.inside(np.asarray(plain.rows())), rows.weights)
        else:
            data = MadeRows(rows, functools.partial(_inside, columns, units), nodes)
        return cls(data, facts, units, visible, held)

    @functools.cached_property
    def gaps(self) -> Bool[np.ndarray, " nodes"]:
        """Which nodes have some."""
        return self.facts.gaps > 0

    @functools.cached_property
    def empty(self) -> Bool[np.ndarray, " nodes"]:
        """Which have nothing else."""
        return self.facts.gaps == self.facts.rows

    @functools.cached_property
    def whole(self) -> bool:
        """Whether no column has a gap."""
        return self.facts.complete == self.facts.rows

    @property
    def values(self) -> Values:
        """Of rows that are held."""
        return np.asarray(self.data.rows())

    @property
    def weights(self) -> Float[np.ndarray, " rows"]:
        """Theirs."""
        return np.asarray(self.data.weights)

    def first_gaps(self) -> list[str]:
        """Where every node has its first gap, in words; nothing of rows in files."""
        if not self.held:
            return [""] * len(self.gaps)
        return [f" in row {row}" for row in np.isnan(self.values).argmax(0)]

    def complete(self) -> Self:
        """The rows without gaps in a column; of rows in files all, for scores leave the others out."""
        if not self.held or self.whole:
            return self
        places = ~np.isnan(self.values[:, : self.visible]).any(1)
        return replace(self, data=DenseRows(self.values[places], self.weights[places]))

    def resampled(self, times: Float[np.ndarray, " rows"]) -> Self:
        """Rows as often as they were drawn."""
        if not self.held:
            data = self.data.weighted(self.data.weights * times)
            return replace(self, data=data, facts=passed(data, _facts, self.visible, add=_both))
        return replace(self, data=DenseRows(self.values[times > 0], (self.weights * times)[times > 0]))

    def distinct(self, levels: tuple[int | None, ...]) -> Dataset:
        """Rows that differ and their weights together, where all nodes have levels and these are few."""
        found = distinct_rows(self.data, levels)
        return self.data if found is None else DenseRows(*found)

    def constant(self, levelled: Bool[np.ndarray, " columns"]) -> list[int]:
        """Numbers that are the same in all rows without gaps."""
        if self.held:
            spread = np.ptp(self.values[:, : self.visible], axis=0)
        else:
            spread = (self.facts.high - self.facts.low)[: self.visible]
        return np.flatnonzero(~levelled & (spread <= 0)).tolist()

    def score(self, levels: Sequence[int | None], kind: Any, names: Sequence[str]) -> Score:
        """What structures over the columns are worth, by their complete rows."""
        levelled = np.array([each is not None for each in levels])
        if self.held:
            return self._held_score(levels, levelled, kind, names)
        own = self._scores.get(kind)
        if own is None:
            own = self._scores[kind] = self._streamed_score(levels, levelled, kind, names)
        return own

    @functools.cached_property
    def _scores(self) -> dict[Any, Score]:
        return {}

    def _held_score(
        self, levels: Sequence[int | None], levelled: Bool[np.ndarray, " columns"], kind: Any, names: Sequence[str]
    ) -> Score:
        rows, weights = self.values[:, : self.visible], self.weights
        if levelled.all():
            codes = rows.astype(np.int64)
            return DiscreteScore(RowCounts(codes, [each or 1 for each in levels], weights=weights, names=names), kind)
        if not levelled.any():
            return GaussianScore(moments_of(rows, weights), kind)
        return MixedScore(rows, levelled, kind, weights)

    def _streamed_score(
        self, levels: Sequence[int | None], levelled: Bool[np.ndarray, " columns"], kind: Any, names: Sequence[str]
    ) -> Score:
        rows = MadeRows(self.data, functools.partial(_first, self.visible), self.visible)
        if levelled.all():
            return DiscreteScore(counts_of(rows, [each or 1 for each in levels], names), kind)
        if not levelled.any():
            return GaussianScore(moments_of_rows(rows), kind)
        found = np.where(levelled, self.facts.high[: self.visible] + 1, 1).astype(int).tolist()
        return StreamedMixedScore(rows, levelled, found, names, kind)


def _both(one: RowFacts, other: RowFacts) -> RowFacts:
    return one + other
