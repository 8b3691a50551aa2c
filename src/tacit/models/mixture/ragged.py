"""The E-step of many starts of different numbers of components, without their padding (NumPy).

Where nothing is compiled, arrays need not have one shape. The components that have any weight stand in one row: the
first ones of all starts, then the second ones, and so on, with the starts of most components in front. So a sum over
the components of every start is a sum of a few long vectors.
"""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tacit import trees
from tacit.compute import Array
from tacit.inference.closed_form import Sums, total_sums
from tacit.models.components.steps import Step

LONG, PIECE = 1024, 512
"""More rows than the first are taken so many at a time: the arrays of a piece stay in the cache of a core."""
FULL = 0.9
"""Share of components with weight from which on padding costs less than leaving it out."""


class Places(NamedTuple):
    """Where in ``[starts, components]`` the components of the row stand."""

    starts: np.ndarray
    components: np.ndarray
    order: np.ndarray
    """The starts, those of most components first."""
    ends: list[int]
    """Where in the row the first components end, the second ones, and so on."""

    def pieces(self, row: np.ndarray) -> list[np.ndarray]:
        """The first components of the row, the second ones, and so on; every piece is of the first starts."""
        return [row[start:end] for start, end in itertools.pairwise([0, *self.ends])]

    def reduced(self, function: np.ufunc, row: np.ndarray) -> np.ndarray:
        """``[starts, rows]``, in this order: a function over the components of every start."""
        first, *others = self.pieces(row)
        total = first.copy()
        for piece in others:
            function(total[: len(piece)], piece, out=total[: len(piece)])
        return total

    def change(self, function: np.ufunc, row: np.ndarray, values: np.ndarray) -> None:
        """The row, in place, by a function of it and of values of every start: temporary arrays would cost as much."""
        for piece in self.pieces(row):
            function(piece, values[: len(piece)], out=piece)

    def laid(self, row: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Values of the components of the row, among zeros for the others."""
        whole = np.zeros((*shape, *row.shape[1:]), row.dtype)
        whole[self.starts, self.components] = row
        return whole


def present(log_weights: Float[Array, "*starts components"]) -> Places | None:
    """Which components of stacked starts have any weight, if so few of them that the others are left out."""
    if log_weights.ndim != 2 or log_weights.shape[0] < 2:
        return None
    there = np.asarray(~np.isneginf(log_weights))
    counts = there.sum(axis=1)
    if there.mean() > FULL or not counts.all():
        return None
    order = np.argsort(-counts, kind="stable")
    first = np.argsort(~there, axis=1, kind="stable")[order]  # of every start, those with weight in front
    slots = [np.flatnonzero(counts[order] > slot) for slot in range(counts.max())]
    starts = np.concatenate([order[slot] for slot in slots])
    components = np.concatenate([first[slot, number] for number, slot in enumerate(slots)])
    return Places(starts, components, order, np.cumsum([slot.size for slot in slots]).tolist())


def sums_of_present(
    log_weights: Float[Array, "starts components"],
    parts: list[Step],
    there: Places,
    rows: Float[Array, "rows dims"],
    weights: Float[Array, " rows"],
) -> Sums:
    """What the E-step of a mixture returns, from the steps of the components that are there, in one row."""
    if len(rows) > LONG:
        parts_of_rows = (slice(first, first + PIECE) for first in range(0, len(rows), PIECE))
        return total_sums(sums_of_present(log_weights, parts, there, rows[p], weights[p]) for p in parts_of_rows)
    terms, memos = zip(*(part.terms(rows) for part in parts), strict=True)
    lifted = np.ascontiguousarray(terms[0].T)
    lifted += log_weights[there.starts, there.components][:, None]
    for more in terms[1:]:
        lifted += more.T
    top = there.reduced(np.maximum, lifted)
    there.change(np.subtract, lifted, top)
    np.exp(lifted, out=lifted)
    mass = there.reduced(np.add, lifted)
    there.change(np.multiply, lifted, np.asarray(weights) / mass)
    found = tuple(part.statistics(memo, lifted.T) for part, memo in zip(parts, memos, strict=True))
    statistics = trees.map(lambda leaf: there.laid(leaf, log_weights.shape), (lifted.sum(axis=1), found))
    bounds = np.empty(top.shape[0])
    bounds[there.order] = (top + np.log(mass)) @ weights
    return Sums(statistics, bounds)
