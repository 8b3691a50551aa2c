"""Rounds of mini-batches: which rows each step sees, and how those rows come to the device."""

import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from tacit.data.single_rows import SingleRows
from tacit.inference.sharing import laid, sharing
from tacit.inference.stochastic import Batches

ROUND_STEPS = 200
"""A round is as many whole epochs as make this many steps, and one at least."""
LOOK_SECONDS = 1.0
RESIDENT_BYTES = 1 << 30
"""Rows up to this size are laid on the device whole; larger ones are gathered on the host, a piece ahead."""
PIECE_STEPS = 32


class Piece(NamedTuple):
    """Some steps of a round: rows, the places among them that every step sees, and which of these steps to take."""

    batches: Batches
    order: Any
    first: int
    last: int


class Rounds:
    """The mini-batches of a fit; rows of weight 0 are never among them.

    Args:
        batches: rows on the host.
        batch_size: rows of a step.
        max_epochs: epochs of the whole fit.
        seed: the order of the rows in a round follows from it and the round's number.
    """

    def __init__(self, batches: Batches, batch_size: int, max_epochs: int, seed: int) -> None:
        self.seed, self.max_epochs = seed, max_epochs
        self.places = np.flatnonzero(batches.weights)
        self.batch = min(batch_size, batches.weights.shape[0])
        self.steps_an_epoch = -(-self.places.size // self.batch)
        self.epochs = max(1, min(max_epochs, ROUND_STEPS // self.steps_an_epoch))
        self.number = -(-max_epochs // self.epochs)
        self.streamed = sum(leaf.nbytes for leaf in jax.tree.leaves(batches.rows)) > RESIDENT_BYTES
        self._files = next((leaf for leaf in jax.tree.leaves(batches.rows) if isinstance(leaf, SingleRows)), None)
        self.over = sharing(self.batch)
        self._batches = batches if self.streamed else laid(batches, self.over)

    @property
    def size(self) -> tuple[int, int]:
        """Rows that are learned from, and numbers a row."""
        return self.places.size, sum(math.prod(leaf.shape[1:]) for leaf in jax.tree.leaves(self._batches.rows))

    @property
    def steps(self) -> int:
        """Of a round."""
        return self.epochs * self.steps_an_epoch

    def done(self, number: int) -> int:
        """Epochs after so many rounds; the last round may be a short one."""
        return min(number * self.epochs, self.max_epochs)

    def order(self, number: int) -> np.ndarray:
        """Which rows every step of a round sees: each epoch is a permutation of them, made up with −1.

        A short round has fewer steps than there are lines: `pieces` ends before the others.
        """
        random = np.random.Generator(np.random.Philox(key=[self.seed, number]))
        lack = self.steps_an_epoch * self.batch - self.places.size
        epochs = [
            np.append(self._shuffled(random), np.full(lack, -1)).reshape(self.steps_an_epoch, self.batch)
            for _ in range(self.epochs)
        ]
        return np.concatenate(epochs).astype(np.int32)

    def _shuffled(self, random: np.random.Generator) -> np.ndarray:
        """All rows in a random order; of those in files some that lie near each other come near each other."""
        return random.permutation(self.places) if self._files is None else self._files.shuffled(self.places, random)

    def pieces(self, number: int) -> Iterator[Piece]:
        """A round in pieces of about a second, so that a long one can be watched."""
        steps = (self.done(number + 1) - self.done(number)) * self.steps_an_epoch
        order = self.order(number)
        return (
            self._streamed(order[:steps])
            if self.streamed
            else self._resident(order, steps, 64 if number == 0 else steps)
        )

    def _resident(self, order: np.ndarray, steps: int, size: int) -> Iterator[Piece]:
        places, done = laid(order, self.over), 0
        while done < steps:
            began, last = time.monotonic(), min(done + size, steps)
            yield Piece(self._batches, places, done, last)
            spent = time.monotonic() - began
            if jax.process_count() == 1:  # several take the same steps together, and clocks differ
                size = max(1, int((last - done) * LOOK_SECONDS / max(spent, 1e-6)))
            done = last

    def _streamed(self, order: np.ndarray) -> Iterator[Piece]:
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._gathered, order[:PIECE_STEPS])
            for start in range(0, order.shape[0], PIECE_STEPS):
                piece = ahead.result()
                ahead = reader.submit(self._gathered, order[start + PIECE_STEPS :][:PIECE_STEPS])
                yield piece

    def _gathered(self, order: np.ndarray) -> Piece:
        """The rows of some steps, in the order in which they are seen; always room for as many steps."""
        number = order.shape[0]
        order = np.concatenate([order, np.full((PIECE_STEPS - number, self.batch), -1, np.int32)])
        flat = np.where(order < 0, order.flat[0], order).ravel()  # what fills up costs no other piece of a file
        rows = jax.tree.map(lambda leaf: leaf[flat], self._batches.rows)
        places = np.where(order < 0, -1, np.arange(order.size).reshape(order.shape)).astype(np.int32)
        return Piece(laid(Batches(rows, self._batches.weights[flat]), self.over), places, 0, number)
