"""Scores of tables with levels and numbers: conditional linear Gaussian networks (Lauritzen & Wermuth 1989).

A column with levels has parents with levels; a column of numbers has, for every configuration of its parents with
levels, a regression of its own on the others, with its own variance. Its ``bic`` is the sum of those of the
regressions, with ``p + 2`` parameters for each configuration.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit.compute import HostArray
from tacit.models.network.learning.counts import RowCounts
from tacit.models.network.learning.gaussian import RIDGE, log_likelihood, residuals
from tacit.models.network.learning.scores import DiscreteScore, penalty_of

MixedKind = Literal["bic", "aic", "loglik"]
_TINY = np.finfo(np.float64).tiny
_KEPT = 256
"""Groupings of the rows whose moments are kept."""
Scatters: TypeAlias = tuple[HostArray, HostArray]
"""Of groups of rows: their weights ``[groups]``, and the scatters of the numbers ``[groups, columns, columns]``."""


class MixedScore:
    """A score of columns with levels and columns of numbers."""

    def __init__(
        self,
        rows: Float[HostArray, "rows nodes"],
        levelled: Bool[HostArray, " nodes"],
        kind: MixedKind = "bic",
        weights: Float[HostArray, " rows"] | None = None,
    ) -> None:
        """Choose a score.

        Args:
            rows: complete; levels as their codes.
            levelled: which columns hold levels.
            kind: which score.
            weights: how often every row counts; of None once.

        Raises:
            ValueError: the kind is none of these, a value is missing, or a column of numbers never changes.
        """
        check_mixed(kind)
        odd = ~np.isfinite(rows)
        if odd.any():
            row, column = (int(each[0]) for each in np.nonzero(odd))
            raise ValueError(
                f"column {column}, row {row + 1} is {rows[row, column]}: a structure is learned from complete rows"
            )
        self.nodes, self._kind, self._levelled = rows.shape[1], kind, np.asarray(levelled, bool)
        weight = np.ones(rows.shape[0]) if weights is None else np.asarray(weights, np.float64)
        self._codes = rows[:, self._levelled].astype(np.int64)
        self._values, self._weights, self.total = rows[:, ~self._levelled], weight, float(weight.sum())
        self._place = np.where(self._levelled, np.cumsum(self._levelled), np.cumsum(~self._levelled)) - 1
        self._discrete = DiscreteScore(RowCounts(self._codes, weights=weights), kind)
        self._cards = self._codes.max(axis=0, initial=0) + 1
        centred = self._values - weight @ self._values / self.total
        self._values = centred
        self._variance = weight @ centred**2 / self.total
        self._check_changing()
        self._moments: dict[tuple[int, ...], Scatters] = {}

    def _check_changing(self) -> None:
        if np.any(self._variance <= 0):
            column = np.flatnonzero(~self._levelled)[int((self._variance <= 0).argmax())]
            raise ValueError(f"column {column} never changes; it cannot depend on others")

    def possible(self) -> HostArray:
        """Every arrow but those from numbers to levels."""
        return ~np.eye(self.nodes, dtype=bool) & (self._levelled[:, None] | ~self._levelled[None, :])

    def local(self, node: int, parents: tuple[int, ...]) -> float:
        """What a node is worth, given its parents; −inf where a regression has too few rows."""
        levels, numbers = self._split(parents)
        if self._levelled[node]:
            return -np.inf if numbers else self._discrete.local(int(self._place[node]), levels)
        totals, scatter = self._grouped(levels)
        left = residuals(scatter, int(self._place[node]), numbers).own[:, self._place[node]]
        return float(self._worth(totals, left[:, None], levels, len(numbers))[0])

    def additions(self, node: int, parents: tuple[int, ...]) -> Float[HostArray, " nodes"]:
        """What it is worth with each node as one more parent."""
        found = np.full(self.nodes, -np.inf)
        levels, numbers = self._split(parents)
        if self._levelled[node]:
            if not numbers:
                found[self._levelled] = self._discrete.additions(int(self._place[node]), levels)
            return found
        others = [int(self._place[v]) for v in np.flatnonzero(self._levelled) if v not in parents]
        self._group([levels, *(tuple(sorted((*levels, each))) for each in others)])
        totals, scatter = self._grouped(levels)
        place = int(self._place[node])
        left = residuals(scatter, place, numbers)
        own = np.maximum(left.own[:, place, None] - left.shared**2 / left.own, _TINY)
        found[~self._levelled] = self._worth(totals, own, levels, len(numbers) + 1)
        for other in np.flatnonzero(self._levelled):
            if other not in parents:
                found[other] = self.local(node, tuple(sorted((*parents, int(other)))))
        found[[node, *parents]] = -np.inf
        return found

    def _split(self, parents: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The parents with levels and those of numbers, by their places among their own kind."""
        levels = tuple(int(self._place[each]) for each in parents if self._levelled[each])
        return levels, tuple(int(self._place[each]) for each in parents if not self._levelled[each])

    def _worth(self, totals: HostArray, left: HostArray, levels: tuple[int, ...], numbers: int) -> HostArray:
        """The score of each column of ``left`` [groups, columns], the scatter that its parents leave."""
        if float(totals.min()) < numbers + 2:
            return np.full(left.shape[1], -np.inf)
        fit = log_likelihood(totals[:, None], left / totals[:, None]).sum(axis=0)
        groups = float(np.prod(self._cards[list(levels)], dtype=np.float64))
        return fit - groups * (numbers + 2) * penalty_of(self._kind, self.total)

    def _grouped(self, levels: tuple[int, ...]) -> Scatters:
        """By configuration of columns with levels, of those that occur: its weight, and the scatter of the numbers."""
        self._group([levels])
        return self._moments[levels]

    def _group(self, wanted: Sequence[tuple[int, ...]]) -> None:
        """Have groupings of the rows at hand."""
        new = [levels for levels in wanted if levels not in self._moments]
        if new and len(self._moments) + len(new) > _KEPT:
            new = list(wanted)
            self._moments.clear()
        self._moments.update(zip(new, self._scatters_of(new), strict=True))

    def _scatters_of(self, wanted: Sequence[tuple[int, ...]]) -> list[Scatters]:
        return [self._scatters(_grouping(self._codes, levels)) for levels in wanted]

    def _scatters(self, group: Int[HostArray, " rows"]) -> Scatters:
        order = np.argsort(group, kind="stable")
        starts = np.flatnonzero(np.diff(group[order], prepend=-1))
        weight, values = self._weights[order], self._values[order]
        totals = np.add.reduceat(weight, starts)
        seen = totals > 0
        mean = np.add.reduceat(weight[:, None] * values, starts) / np.where(seen, totals, 1.0)[:, None]
        centred = values - np.repeat(mean, np.diff([*starts, len(order)]), axis=0)
        columns = values.shape[1]
        scatter = np.empty((len(starts), columns, columns))
        for place, (start, end) in enumerate(zip(starts, [*starts[1:], len(order)], strict=True)):
            part = centred[start:end]
            scatter[place] = (weight[start:end, None] * part).T @ part
        return self._floored(totals[seen], scatter[seen])

    def _floored(self, totals: HostArray, scatter: HostArray) -> Scatters:
        """Scatters with what every column keeps of its variance."""
        floor = RIDGE * totals[:, None] * self._variance
        return totals, scatter + floor[:, :, None] * np.eye(scatter.shape[-1])


def check_mixed(kind: str) -> None:
    """Refuse a score that is none of levels and numbers together."""
    if kind not in get_args(MixedKind):
        raise ValueError(
            f"score is {kind!r}; for levels and numbers together choose from {', '.join(get_args(MixedKind))}"
        )


def _grouping(codes: Int[HostArray, "rows columns"], levels: tuple[int, ...]) -> Int[HostArray, " rows"]:
    """The configuration of some columns in every row, numbered from 0 among those that occur."""
    place = np.zeros(codes.shape[0], np.int64)
    for column in levels:
        place = place * (codes[:, column].max(initial=0) + 1) + codes[:, column]
        place = np.unique(place, return_inverse=True)[1].ravel()
    return place
