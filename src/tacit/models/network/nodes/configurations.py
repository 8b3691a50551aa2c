"""Configurations of discrete variables, of which some are seen in every row and some in none or in a few.

Parameters by configuration, ``[*levels, ...]``, are gathered for rows: ``[*hidden levels, rows, ...]``. What rows say
under every hidden configuration is scattered back, summed over rows.
"""

import dataclasses
import functools
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tacit.compute import HostArray
from tacit.models.network.contraction import Scope


class Configurations(NamedTuple):
    """Some variables in the order of the axes of a table, as the rows of a chunk know them.

    Attributes:
        members: the variables.
        shape: their numbers of levels.
        hidden: those whose level may differ from what a row says, in the order of the members.
        place: the configuration of the others in every row, numbered; None where there are no others.
    """

    members: Scope
    shape: tuple[int, ...]
    hidden: Scope
    place: Int[HostArray, " rows"] | None

    @property
    def order(self) -> tuple[int, ...]:
        """The axes, hidden ones first."""
        seen = [place for place, v in enumerate(self.members) if v not in self.hidden]
        return (*(self.members.index(v) for v in self.hidden), *seen)

    @property
    def hidden_shape(self) -> tuple[int, ...]:
        """Their numbers of levels."""
        return tuple(self.shape[self.members.index(v)] for v in self.hidden)

    def gather(self, values: Float[HostArray, "..."]) -> Float[HostArray, "..."]:
        """``[*levels, ...] → [*hidden levels, rows, ...]``; one row for all where nothing is seen."""
        inner = values.shape[len(self.members) :]
        laid = values.transpose(*self.order, *range(len(self.members), values.ndim))
        laid = laid.reshape(*self.hidden_shape, -1, *inner)
        return laid if self.place is None else laid.take(self.place, axis=len(self.hidden))

    def scatter(self, values: Float[HostArray, "..."]) -> Float[HostArray, "..."]:
        """``[*hidden levels, rows, features] → [*levels, features]``, summed over the rows."""
        features = values.shape[-1]
        seen = math.prod(self.shape) // math.prod(self.hidden_shape)
        flat = values.reshape(-1, *values.shape[-2:])
        if self.place is None:
            summed = flat.sum(1)[:, None]
        else:
            summed = np.stack([by_index(one, self.place, seen) for one in flat])
        extents = [self.shape[place] for place in self.order]
        return summed.reshape(*extents, features).transpose(*np.argsort(self.order), len(extents))


@dataclasses.dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows of a network's values, NaN where missing, and what is known of all rows.

    Attributes:
        rows: ``[rows, nodes]``, codes of levels and numbers.
        sizes: the number of levels of every node, 1 of a number.
        seen: the nodes whose value is known in every row.
    """

    rows: Float[HostArray, "rows nodes"]
    sizes: tuple[int, ...]
    seen: frozenset[int]

    @functools.cached_property
    def codes(self) -> Int[HostArray, "rows nodes"]:
        """The values as whole numbers, −1 where missing; they mean nothing of a number."""
        with np.errstate(invalid="ignore"):
            return np.where(np.isnan(self.rows), -1, self.rows).astype(np.intp)

    @functools.cached_property
    def _known(self) -> dict[Scope, Configurations]:
        return {}

    def configurations(self, members: Scope) -> Configurations:
        """Those of some discrete variables."""
        found = self._known.get(members)
        if found is None:
            found = self._known[members] = self._made(members)
        return found

    def _made(self, members: Scope) -> Configurations:
        hidden = tuple(v for v in members if v not in self.seen)
        index = None
        for v in members:
            if v in self.seen:
                index = self.codes[:, v] if index is None else index * self.sizes[v] + self.codes[:, v]
        return Configurations(members, tuple(self.sizes[v] for v in members), hidden, index)


def by_index(
    values: Float[HostArray, "rows features"], index: Int[HostArray, " rows"], number: int
) -> Float[HostArray, "number features"]:
    """Sums of rows that have the same index."""
    if values.shape[1] == 1:
        return np.bincount(index, values[:, 0], number)[:, None]
    order = np.argsort(index, kind="stable")
    ordered = index[order]
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    found = np.zeros((number, values.shape[1]))
    if ordered.size:
        found[ordered[first]] = np.add.reduceat(values[order], first, axis=0)
    return found
