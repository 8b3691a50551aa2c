"""Rows in wide chunks: a row costs k-means so little that small chunks would spend their time in between.

On two cores, with 200 000 × 16 in 16 clusters, an iteration takes 6 to 8 ms in chunks of 2048 rows and 5 ms in chunks
of 8000 to 16 000, where the cores share every matrix product; wider ones leave the cache.
"""

from collections.abc import Iterator

import numpy as np
from scipy import sparse

from tacit.compute import row_bucket
from tacit.data.blocks import Block, StreamSource

CHUNK_ROWS = 16_384
GRAIN = 1024
CELLS = 4_000_000
"""Most cells of the table of rows and clusters that a chunk makes (32 MB in double precision)."""


def widest(clusters: int) -> int:
    """Most rows of a chunk."""
    return int(np.clip(CELLS // clusters // GRAIN * GRAIN, GRAIN, CHUNK_ROWS))


class WideMemory:
    """Rows held by the engine as one block; padding is rows of zeros."""

    resident = True

    def __init__(self, rows: np.ndarray, weights: np.ndarray, clusters: int) -> None:
        self.total_weight, self.size = float(weights.sum()), (rows.shape[0], rows.shape[1])
        count, most = rows.shape[0], widest(clusters)
        chunks = -(-count // most)
        size = row_bucket(count) if count <= most else -(-count // chunks // GRAIN) * GRAIN
        laid = np.zeros((chunks * size, rows.shape[1]), rows.dtype)
        laid[:count] = rows
        mass = np.zeros(chunks * size)
        mass[:count] = weights
        number = np.arange(chunks, dtype=np.int32)
        self._blocks = (Block(laid.reshape(chunks, size, -1), mass.reshape(chunks, size), number),)

    def blocks(self) -> Iterator[Block]:
        return iter(self._blocks)


class WideStream:
    """Rows of the user's own memory, a block at a time, in chunks as wide as the number of clusters allows."""

    resident = False

    def __init__(self, rows: np.ndarray | sparse.csr_array, weights: np.ndarray, clusters: int) -> None:
        self._source = StreamSource(rows, weights)
        self._most = widest(clusters)
        self.total_weight, self.size = self._source.total_weight, self._source.size

    def blocks(self) -> Iterator[Block]:
        for rows, weights, number in self._source.blocks():
            chunks, size = weights.shape
            # neighbours joined: as many as divide the block and stay within what a chunk may have
            joined = max(d for d in range(1, chunks + 1) if chunks % d == 0 and (d == 1 or d * size <= self._most))
            shape = (chunks // joined, joined * size)
            yield Block(rows.reshape(*shape, -1), weights.reshape(shape), number[::joined])
