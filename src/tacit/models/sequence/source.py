"""Where the driver takes sequences from: one block that holds them all, and the view that their rows are seen in."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tacit.arrays import Pytree
from tacit.data.blocks import CHUNK_ROWS, Block, Standardise, laid
from tacit.data.dataset import Dataset, DenseRows
from tacit.data.sources import MemorySource
from tacit.models.sequence.lanes import SequenceLanes, lanes_of
from tacit.models.sequence.model import SequenceRows


class Sequences(NamedTuple):
    """Rows of sequences, one sequence after another, in the order of time."""

    rows: Dataset
    lengths: Int[np.ndarray, " sequences"]
    weights: Float[np.ndarray, " sequences"]
    labels: Int[np.ndarray, " rows"]
    """The state of a row where it is known, else −1."""
    names: tuple[Any, ...]
    """What the sequences are called."""


class SequenceView(Pytree):
    """Centring and scaling of the rows of sequences."""

    rows: Standardise

    def __call__(self, given: SequenceRows) -> SequenceRows:
        return given._replace(rows=self.rows(given.rows))


class SequenceSource:
    """All sequences, held by the engine as one block.

    With ``tiles`` rows are laid where their densities are computed by missing pattern, apart from where they stand in
    time; else both orders are one.
    """

    resident = True

    def __init__(self, given: Sequences, states: int, *, tiles: bool) -> None:
        self.lanes: SequenceLanes = lanes_of(given.lengths, states)
        weights = np.repeat(given.weights, given.lengths)
        self.total_weight, self.size, self.tile = float(weights.sum()), given.rows.shape, 1
        lanes, rows = self.lanes, given.rows.rows().astype(np.float64, copy=False)
        slot, place = None, None
        if tiles:
            held = MemorySource(DenseRows(rows), tiles=True)
            block, self.tile = next(held.blocks()), held.tile
            slot, place = _places(held, lanes, len(rows))
            chunks = block.rows
        else:
            along = rows[lanes.order.ravel()]
            size = min(CHUNK_ROWS, len(along))
            chunks = laid(along, np.ones(len(along)), -(-len(along) // size), size).rows
        inner = SequenceRows(
            chunks,
            lanes.laid(weights),
            lanes.live,
            lanes.first,
            lanes.laid(given.labels, -1).astype(np.int64),
            slot,
            place,
        )
        outer = SequenceRows._make(None if leaf is None else leaf[None] for leaf in inner)
        self._block = Block(outer, np.ones((1, 1)), np.zeros(1, np.int32))

    def blocks(self) -> Iterator[Block]:
        return iter((self._block,))


def _places(held: MemorySource, lanes: SequenceLanes, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The slot of every place, and the place of every slot."""
    which = held.to_slots(np.arange(1, rows + 1)).ravel()
    slots = np.empty(rows, np.int64)
    slots[which[which > 0] - 1] = np.flatnonzero(which)
    places = np.empty(rows, np.int64)
    places[lanes.order[lanes.live]] = np.flatnonzero(lanes.live)
    return np.where(lanes.live, slots[lanes.order], 0), np.where(which > 0, places[which - 1], lanes.live.size)
