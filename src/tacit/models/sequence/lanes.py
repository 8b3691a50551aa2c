"""Sequences side by side: every row in a lane, at a step, so that a scan over the steps serves all lanes at once.

All sequences are one long chain that begins afresh wherever a sequence begins. Where they are many, each lane takes
whole ones, one after another. Where they are few and long, the chain is cut into lanes of equal length; what goes in at
a lane's beginning then follows from the matrices that carry the states through the lanes before it, so a chain of T
steps costs √T steps of √T lanes, and nothing is approximated.
"""

import heapq
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit.compute import Array

STEP_SECONDS = 4e-5
"""What a step costs, however many lanes there are."""
NUMBER_SECONDS = 1.5e-9
"""What a product of two numbers costs in it."""


class SequenceLanes(NamedTuple):
    """Where rows stand, on the host."""

    order: Int[np.ndarray, "steps lanes"]
    """The row at every place; 0 in padding."""
    first: Bool[np.ndarray, "steps lanes"]
    """Where a sequence begins; padding is a sequence a place."""
    live: Bool[np.ndarray, "steps lanes"]
    """What is no padding."""
    whole: bool
    """Whether every lane begins with a sequence."""

    def laid(self, values: Array, filling: float = 0.0) -> Array:
        """Values of rows ``[rows, …]`` by step and lane."""
        found = np.asarray(values)[self.order]
        return np.where(self.live.reshape(self.live.shape + (1,) * (found.ndim - 2)), found, filling)

    def rows(self, laid: Array) -> Array:
        """Values by step and lane, as those of rows."""
        laid = np.asarray(laid)
        found = np.empty((int(self.live.sum()), *laid.shape[2:]), laid.dtype)
        found[self.order[self.live]] = laid[self.live]
        return found


def lanes_of(lengths: Int[np.ndarray, " sequences"], states: int) -> SequenceLanes:
    """The lanes of sequences that follow one another row by row, for a chain of so many states."""
    rows = int(lengths.sum())
    width = max(1, round(np.sqrt(rows)))
    packed = _packed(lengths, min(width, lengths.size))
    longest = max(sum(int(lengths[i]) for i in lane) for lane in packed)
    as_whole = longest * (STEP_SECONDS + len(packed) * states**2 * NUMBER_SECONDS)
    as_cut = -(-rows // width) * (3 * STEP_SECONDS + width * states**3 * NUMBER_SECONDS) + width * STEP_SECONDS
    if as_whole <= as_cut:
        return _whole(lengths, packed, longest)
    return _cut(lengths, width)


def _packed(lengths: np.ndarray, width: int) -> list[list[int]]:
    """Sequences dealt out to lanes, the longest first, each to the lane that is shortest."""
    loads = [(0, lane) for lane in range(width)]
    found: list[list[int]] = [[] for _ in range(width)]
    for number in np.argsort(-lengths, kind="stable").tolist():
        load, lane = heapq.heappop(loads)
        found[lane].append(number)
        heapq.heappush(loads, (load + int(lengths[number]), lane))
    return found


def _whole(lengths: np.ndarray, packed: list[list[int]], longest: int) -> SequenceLanes:
    begin = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    order = np.zeros((longest, len(packed)), np.int64)
    live = np.zeros(order.shape, bool)
    first = np.ones(order.shape, bool)
    for lane, numbers in enumerate(packed):
        rows = np.concatenate([np.arange(begin[n], begin[n] + lengths[n]) for n in numbers])
        order[: rows.size, lane], live[: rows.size, lane] = rows, True
        first[: rows.size, lane] = np.isin(rows, begin[numbers])
    return SequenceLanes(order, first, live, True)


def _cut(lengths: np.ndarray, width: int) -> SequenceLanes:
    rows = int(lengths.sum())
    steps = -(-rows // width)
    places = np.arange(steps * width)
    begins = np.zeros(places.size, bool)
    begins[np.concatenate([[0], np.cumsum(lengths)[:-1]])] = True
    live = places < rows
    laid = [np.ascontiguousarray(v.reshape(width, steps).T) for v in (np.where(live, places, 0), begins | ~live, live)]
    return SequenceLanes(laid[0], laid[1], laid[2], False)


def unit_weights(lanes: SequenceLanes) -> Float[np.ndarray, "steps lanes"]:
    """One in every place that is no padding."""
    return lanes.live.astype(np.float64)
