"""What scores of structures need, of rows that are gone through where they lie: an engine may do so.

Rows with gaps, and those of weight 0, do not count.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit.compute import HostArray
from tacit.data.dataset import Dataset, MadeRows
from tacit.data.passes import passed
from tacit.models.network.learning.counts import CountSource, FamilyCounts, RowCounts
from tacit.models.network.learning.gaussian import GaussianMoments
from tacit.models.network.learning.mixed import MixedKind, MixedScore, Scatters, check_mixed
from tacit.models.network.learning.scores import DiscreteScore

DISTINCT = 2**18
"""Rows that differ, of columns with levels, above which they are no longer held."""
DENSE = 2**20
"""Entries of tables of counts above which those with one more parent are not counted in one pass."""
BITS = 62
"""Of a number that names a row of levels."""


def code_bits(levels: Sequence[int | None]) -> float:
    """How long the number is that names a row of levels, or of gaps; infinite where a column has no levels."""
    return sum(math.inf if each is None else math.log2(each + 1) for each in levels)


def distinct_rows(
    rows: Dataset, levels: Sequence[int | None]
) -> tuple[Float[HostArray, "distinct columns"], Float[HostArray, " distinct"]] | None:
    """Rows that differ, gaps being one more level, and how much of each there is; None where they are too many."""
    if code_bits(levels) > BITS:
        return None
    found = passed(rows, _codes, tuple(each or 0 for each in levels), add=_merged)
    if found is None:
        return None
    code, weights = found
    values = np.empty((code.size, len(levels)))
    for place, each in reversed(list(enumerate(levels))):
        code, own = np.divmod(code, (each or 0) + 1)
        values[:, place] = np.where(own == (each or 0), np.nan, own)
    return values, weights


_Coded = tuple[Int[HostArray, " distinct"], Float[HostArray, " distinct"]]


def _codes(rows: HostArray, weights: HostArray, levels: Sequence[int]) -> _Coded | None:
    code = np.zeros(len(rows), np.int64)
    for place, each in enumerate(levels):
        own = np.where(np.isnan(rows[:, place]), each, rows[:, place]).astype(np.int64)
        code = code * (each + 1) + own
    return _gathered(code, weights)


def _merged(one: _Coded | None, other: _Coded | None) -> _Coded | None:
    if one is None or other is None:
        return None
    return _gathered(np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]]))


def _gathered(code: Int[HostArray, " rows"], weights: Float[HostArray, " rows"]) -> _Coded | None:
    known, which = np.unique(code, return_inverse=True)
    return None if known.size > DISTINCT else (known, np.bincount(which.ravel(), weights, minlength=known.size))


def counts_of(rows: Dataset, levels: Sequence[int], names: Sequence[str]) -> CountSource:
    """Counts of rows of levels: of those that differ where these are few, else by a pass for every question."""
    few = distinct_rows(rows, levels)
    if few is None:
        return StreamedCounts(rows, levels)
    values, weights = few
    complete = ~np.isnan(values).any(1)
    return RowCounts(values[complete].astype(np.int64), levels, weights=weights[complete], names=names)


class StreamedCounts:
    """Counts of rows that are too many to be held, of which each question is a pass over them (`CountSource`)."""

    def __init__(self, rows: Dataset, levels: Sequence[int]) -> None:
        self._rows, self.cards = rows, tuple(int(each) for each in levels)
        self._firsts: HostArray | None = None
        self.total = float(passed(rows, _weight))

    def counts(self, node: int, parents: tuple[int, ...]) -> FamilyCounts:
        """The counts of one family."""
        cards = tuple(self.cards[each] for each in (*parents, node))
        code, weights = passed(self._rows, _configurations, (*parents, node), cards, add=_added)
        above = code // self.cards[node]
        known, which = np.unique(above, return_inverse=True)
        return FamilyCounts(weights, np.bincount(which.ravel(), weights, minlength=known.size))

    def with_each(
        self, node: int, parents: tuple[int, ...]
    ) -> Float[np.ndarray, "configurations levels columns"] | None:
        """Counts with one more parent, for every node that it may be; those of no parents yet in one pass for all."""
        columns = sum(self.cards)
        if not parents and columns**2 <= DENSE:
            if self._firsts is None:
                self._firsts = passed(self._rows, _pairs, self.cards)
            start = sum(self.cards[:node])
            return self._firsts[None, start : start + self.cards[node]]
        size = math.prod(self.cards[each] for each in parents)
        if size * self.cards[node] * columns > DENSE:
            return None
        found = passed(self._rows, _tables, (*parents, node), self.cards)
        return found.reshape(size, self.cards[node], columns)


def _complete(rows: HostArray, weights: HostArray) -> tuple[HostArray, HostArray]:
    complete = ~np.isnan(rows).any(1)
    return (rows, weights) if complete.all() else (rows[complete], weights[complete])


def _weight(rows: HostArray, weights: HostArray) -> HostArray:
    return np.asarray(_complete(rows, weights)[1].sum())


def _configurations(rows: HostArray, weights: HostArray, nodes: tuple[int, ...], cards: tuple[int, ...]) -> _Coded:
    rows, weights = _complete(rows, weights)
    code, counts = np.unique(_place(rows, nodes, cards), return_inverse=True)
    return code, np.bincount(counts.ravel(), weights, minlength=code.size)


def _added(one: _Coded, other: _Coded) -> _Coded:
    code, which = np.unique(np.concatenate([one[0], other[0]]), return_inverse=True)
    return code, np.bincount(which.ravel(), np.concatenate([one[1], other[1]]), minlength=code.size)


def _place(rows: HostArray, nodes: Sequence[int], cards: Sequence[int]) -> Int[HostArray, " rows"]:
    """The configuration of some columns in every row."""
    place = np.zeros(len(rows), np.int64)
    for node, card in zip(nodes, cards, strict=True):
        place = place * card + rows[:, node].astype(np.int64)
    return place


def _pairs(rows: HostArray, weights: HostArray, cards: tuple[int, ...]) -> HostArray:
    """How often every two levels of any columns stand in one row."""
    rows, weights = _complete(rows, weights)
    made = _indicators(rows, cards)
    return (made * weights[:, None]).T @ made


def _indicators(rows: HostArray, cards: tuple[int, ...]) -> HostArray:
    starts = np.concatenate([[0], np.cumsum(cards)])
    made = np.zeros((len(rows), int(starts[-1])))
    for node, start in enumerate(starts[:-1]):
        made[np.arange(len(rows)), rows[:, node].astype(np.intp) + start] = 1.0
    return made


def _tables(rows: HostArray, weights: HostArray, family: tuple[int, ...], cards: tuple[int, ...]) -> HostArray:
    """The counts of a family with every level of every column."""
    rows, weights = _complete(rows, weights)
    size, columns = math.prod(cards[each] for each in family), sum(cards)
    place, found = _place(rows, family, [cards[each] for each in family]), []
    for node, card in enumerate(cards):
        own = place * card + rows[:, node].astype(np.int64)
        found.append(np.bincount(own, weights, minlength=size * card).reshape(size, card))
    return np.concatenate(found, axis=1).reshape(size, columns)


class GroupMoments(NamedTuple):
    """Of groups of rows: which, their weights, means, and scatters about these."""

    code: Int[HostArray, " groups"]
    total: Float[HostArray, " groups"]
    mean: Float[HostArray, "groups columns"]
    scatter: Float[HostArray, "groups columns columns"]


def _moments(rows: HostArray, weights: HostArray, code: Int[HostArray, " rows"]) -> GroupMoments:
    known, which = np.unique(code, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    starts = np.searchsorted(which.ravel()[order], np.arange(known.size))
    rows, weights = rows[order], weights[order]
    if not known.size:
        columns = rows.shape[1]
        return GroupMoments(known, np.zeros(0), np.zeros((0, columns)), np.zeros((0, columns, columns)))
    total = np.add.reduceat(weights, starts)
    mean = np.add.reduceat(weights[:, None] * rows, starts) / total[:, None]
    ends = np.append(starts[1:], len(rows))
    away = rows - np.repeat(mean, ends - starts, axis=0)
    scatter = np.stack([(weights[a:b, None] * away[a:b]).T @ away[a:b] for a, b in zip(starts, ends, strict=True)])
    return GroupMoments(known, total, mean, scatter)


def _joined(one: GroupMoments, other: GroupMoments) -> GroupMoments:
    """The moments of both (Chan, Golub & LeVeque 1983): nothing is lost to rounding where means are far from 0."""
    known = np.union1d(one.code, other.code)
    columns = one.mean.shape[1]
    total, mean = np.zeros((2, known.size)), np.zeros((2, known.size, columns))
    scatter = np.zeros((known.size, columns, columns))
    for side, part in enumerate((one, other)):
        at = np.searchsorted(known, part.code)
        total[side, at], mean[side, at] = part.total, part.mean
        scatter[at] += part.scatter
    whole = total.sum(0)
    share = total[1] / whole
    away = np.where(np.all(total > 0, axis=0, keepdims=True).T, mean[1] - mean[0], 0.0)
    only = (total[0] == 0)[:, None]
    middle = np.where(only, mean[1], mean[0] + share[:, None] * away)
    between = (total[0] * share)[:, None, None] * away[:, :, None] * away[:, None, :]
    return GroupMoments(known, whole, middle, scatter + between)


def _grouped(
    rows: HostArray,
    weights: HostArray,
    groupings: Sequence[tuple[int, ...]],
    numbers: tuple[int, ...],
    cards: tuple[int, ...],
) -> tuple[GroupMoments, ...]:
    """The moments of numbers by the configurations of other columns."""
    rows, weights = _complete(rows, weights)
    own = rows[:, list(numbers)]
    return tuple(_moments(own, weights, _place(rows, each, [cards[v] for v in each])) for each in groupings)


def _joined_each(one: tuple[GroupMoments, ...], other: tuple[GroupMoments, ...]) -> tuple[GroupMoments, ...]:
    return tuple(map(_joined, one, other))


def moments_of_rows(rows: Dataset) -> GaussianMoments:
    """The moments of all columns over the complete rows, in one pass.

    Raises:
        ValueError: there are no such rows.
    """
    columns = tuple(range(rows.shape[1]))
    (found,) = passed(rows, _grouped, ((),), columns, (1,) * len(columns), add=_joined_each)
    if not found.code.size:
        raise ValueError("there are no rows to learn from")
    return GaussianMoments(float(found.total[0]), found.mean[0], found.scatter[0])


def _picked(places: Int[HostArray, " picked"], rows: HostArray) -> HostArray:
    """Some columns; nothing of a row with a gap in any."""
    return np.where(np.isnan(rows).any(1)[:, None], np.nan, rows[:, places])


class StreamedMixedScore(MixedScore):
    """The score of columns with levels and columns of numbers, with a pass over the rows for groupings not at hand."""

    def __init__(
        self,
        rows: Dataset,
        levelled: Bool[HostArray, " nodes"],
        levels: Sequence[int],
        names: Sequence[str],
        kind: MixedKind = "bic",
    ) -> None:
        """Choose a score.

        Args:
            rows: levels as their codes.
            levelled: which columns hold levels.
            levels: how many levels of every column occur; of a number anything.
            names: of the columns.
            kind: which score.

        Raises:
            ValueError: the kind is none of these, or a column of numbers never changes.
        """
        check_mixed(kind)
        self.nodes, self._kind, self._levelled = rows.shape[1], kind, np.asarray(levelled, bool)
        self._place = np.where(self._levelled, np.cumsum(self._levelled), np.cumsum(~self._levelled)) - 1
        own, numbers = np.flatnonzero(self._levelled), np.flatnonzero(~self._levelled)
        self._rows, self._own, self._numbers = rows, own, tuple(numbers.tolist())
        self._all = tuple(int(each) for each in levels)
        self._cards = np.array([self._all[place] for place in own], np.int64)
        picked = MadeRows(rows, functools.partial(_picked, own), own.size)
        self._discrete = DiscreteScore(
            counts_of(picked, self._cards.tolist(), [names[place] for place in own.tolist()]), kind
        )
        self._moments: dict[tuple[int, ...], Scatters] = {}
        (whole,) = self._passed([()])
        self.total = float(whole.total.sum())
        self._variance = np.diagonal(whole.scatter[0]) / self.total
        self._check_changing()

    def _passed(self, wanted: Sequence[tuple[int, ...]]) -> tuple[GroupMoments, ...]:
        groupings = tuple(tuple(int(self._own[each]) for each in levels) for levels in wanted)
        found: tuple[GroupMoments, ...] = passed(
            self._rows, _grouped, groupings, self._numbers, self._all, add=_joined_each
        )
        return found

    def _scatters_of(self, wanted: Sequence[tuple[int, ...]]) -> list[Scatters]:
        found = self._passed(wanted) if wanted else ()
        return [self._floored(each.total, each.scatter) for each in found]
