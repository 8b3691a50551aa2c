"""Where the driver takes blocks of rows from: held by the engine, or streamed from wherever the rows lie."""

import copy
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from tacit import distributed
from tacit.compute import Array, cores, row_bucket
from tacit.data.blocks import CHUNK_ROWS, TILE_CHUNK_ROWS, Block, block_shape, laid, pattern_tiles, patterns, tile_rows
from tacit.data.dataset import Dataset, DenseRows, span_of

STREAM_BYTES = 100_000_000
STREAM_CHUNKS = 16
STREAM_ROWS = 1_300_000
"""Numbers in a block whose rows are shuffled (10 MB)."""
BIG_ROWS = 32_768
"""Above this many rows the time of an iteration is that of the rows, and not of the calls."""
PIECE_ROWS = 65_536
"""Rows that are answered for together."""


class BlockSource(Protocol):
    """Where blocks come from; ``resident`` sources are given to the compiled loop whole."""

    resident: bool
    total_weight: float
    tile: int
    """Neighbours that share a missing pattern."""
    size: tuple[int, int]
    """Rows and columns, as the user counts them."""

    def blocks(self) -> Iterator[Block]: ...


class MemorySource:
    """Rows held by the engine in ``parts`` blocks of one shape, which may be worked on side by side.

    With ``tiles`` neighbours share a missing pattern; ``shuffle`` brings chunks of tiles, which come pattern by
    pattern, into a random order.
    """

    resident = True

    def __init__(
        self,
        data: Dataset,
        *,
        tiles: bool = False,
        chunk: int = CHUNK_ROWS,
        parts: int = 1,
        shuffle: np.random.Generator | None = None,
    ) -> None:
        self.total_weight, self.size = data.total_weight, data.shape
        self.tile, self._slots = 1, np.arange(len(data))
        if tiles:
            block, self.tile, self._slots = pattern_tiles(data.rows(), data.weights, parts)
        else:
            chunks, size = block_shape(len(data), chunk, parts)
            block = laid(_copied(data, chunks * size), data.weights, chunks, size)
        if tiles and shuffle is not None:
            order, size = shuffle.permutation(block.number.size), block.weights.shape[1]
            self._slots = np.argsort(order)[self._slots // size] * size + self._slots % size
            block = Block(*(leaf[order] for leaf in block))
        share = block.number.size // parts
        self._blocks = tuple(Block(*(leaf[i * share : (i + 1) * share] for leaf in block)) for i in range(parts))

    def to_slots(self, values: np.ndarray) -> np.ndarray:
        """Values a row ``[rows, ...]`` as ``[chunks, rows, ...]``, zero in the padding."""
        chunks, rows = self._blocks[0].weights.shape
        found = np.zeros((chunks * rows, *values.shape[1:]), dtype=values.dtype)
        found[self._slots] = values
        return found.reshape(chunks, rows, *values.shape[1:])

    def to_rows(self, slots: Array) -> np.ndarray:
        """What the engine gave a slot ``[chunks, rows, ...]``, in the order of the user's rows."""
        chunks, rows, *rest = slots.shape  # a value a row may itself be empty
        return np.asarray(slots).reshape(chunks * rows, *rest)[self._slots]

    def blocks(self) -> Iterator[Block]:
        return iter(self._blocks)


class StreamSource:
    """Rows that are read a block at a time, and never whole.

    Args:
        data: the rows.
        chunks: of a block; None for the usual.
        widest: joins neighbouring chunks: as many as divide a block and have at most so many rows together.
        tiles: the rows of a block are laid in tiles of one missing pattern.
    """

    resident = False

    def __init__(self, data: Dataset, *, chunks: int | None = None, widest: int = 0, tiles: bool = False) -> None:
        self._data, self.total_weight, self.size = data, data.total_weight, data.shape
        # wide rows take fewer rows a block, so that a block stays near 32 MB
        columns = max(1, data.shape[1])
        most = max(64, min(CHUNK_ROWS, 4_000_000 // columns))
        size = row_bucket(most) if most < 256 else most // 256 * 256
        chunks = STREAM_CHUNKS if chunks is None else chunks
        chunks = max(1, int(chunks * min(1.0, 32_000_000 / (columns * size * chunks * 8))))
        joined = max(d for d in range(1, chunks + 1) if chunks % d == 0 and (d == 1 or d * size <= widest))
        self._shape, self._first = (chunks // joined, joined * size), 0
        self.span, self._tiles = span_of(len(data), chunks * size), tiles
        self.tile = min(data.each(_shortest_tile, self.span * chunks * size, (chunks * size,))) if tiles else 1

    @property
    def portable(self) -> bool:
        """Whether other processes can read the blocks."""
        return self._data.portable

    def partitions(self, number: int) -> list["StreamSource"]:
        """The same blocks in at most so many sources, to be sent away; each has whole spans of them but the last."""
        block = self._shape[0] * self._shape[1]
        found, first = [], self._first
        for part in self._data.partitions(number, self.span * block):
            one = copy.copy(self)
            one._data, one._first = part, first
            first += -(-len(part) // block)
            found.append(one)
        return found

    def blocks(self) -> Iterator[Block]:
        chunks, size = self._shape
        for number, (part, rows) in enumerate(self._data.slices(chunks * size), self._first):
            weights = self._data.weights[part]
            if self._tiles:
                block, _, _ = pattern_tiles(rows, weights, tile=self.tile)
                yield block._replace(number=block.number + np.int32(number * 4 * chunks * size // TILE_CHUNK_ROWS))
            else:
                yield laid(rows, weights, chunks, size, number * chunks)


def _shortest_tile(rows: Dataset, size: int) -> int:
    """The tile that all blocks of so many rows can have."""
    tiles = [tile_rows(patterns(np.isnan(part))[1]) for _, part in rows.slices(size)]
    return min(tiles)


def spread(data: Dataset) -> bool:
    """Whether an engine has other processes read the rows."""
    return data.portable and distributed.current() is not None


def stays(data: Dataset) -> bool:
    """Whether rows stay where they lie: in files, too many to be held, or read by the workers of an engine."""
    return spread(data) or (data.portable and 8 * data.shape[0] * data.shape[1] > STREAM_BYTES)


def _copied(data: Dataset, number: int) -> np.ndarray:
    """All rows, made up to a number of them with copies of the last."""
    rows = np.empty((number, data.shape[1]), data.dtype)
    for part, values in data.slices():
        rows[part] = values
    rows[len(data) :] = rows[len(data) - 1]
    return rows


def source(data: Dataset, *, tiles: bool = False, chunk: int = CHUNK_ROWS) -> BlockSource:
    """Choose where the rows live: in the engine when small or ragged, else where they are.

    ``chunk`` is how many of the rows that lie in the engine are looked at together.
    """
    rows, columns = data.shape
    if spread(data) or (rows * columns * 8 > STREAM_BYTES and (data.portable or not tiles)):
        return StreamSource(data, tiles=tiles)
    return MemorySource(data, chunk=chunk, tiles=tiles, parts=cores() if rows > BIG_ROWS else 1)


class ShuffledStream:
    """Rows in blocks in a random order, shuffled within each, in chunks that are looked at as mini-batches.

    Args:
        data: the rows.
        random: gives the order, which is the same whenever the blocks are gone through.
        chunk: rows of a mini-batch.
        tiles: the rows of a block are laid in tiles of one missing pattern, and its chunks, which come pattern by
            pattern then, shuffled.
    """

    resident = False

    def __init__(self, data: Dataset, random: np.random.Generator, chunk: int, *, tiles: bool = False) -> None:
        self._data, self.total_weight, self.size = data, data.total_weight, data.shape
        self._chunk, self._rows = chunk, max(1, STREAM_ROWS // max(1, data.shape[1]) // chunk) * chunk
        self._seed, self._tiles = int(random.integers(2**63)), tiles
        self.tile = min(data.each(_shortest_tile, self._rows, (self._rows,))) if tiles else 1

    def blocks(self) -> Iterator[Block]:
        order = np.random.default_rng(self._seed).permutation(-(-len(self._data) // self._rows))
        for block in order.tolist():
            part = slice(block * self._rows, min((block + 1) * self._rows, len(self._data)))
            within = np.random.default_rng((self._seed, block))
            inside = within.permutation(part.stop - part.start)
            rows, weights = self._data.rows(part)[inside], self._data.weights[part][inside]
            if self._tiles:
                whole, _, _ = pattern_tiles(rows, weights, tile=self.tile)
                mixed = within.permutation(whole.number.size)
                number = whole.number + np.int32(block * 4 * self._rows // TILE_CHUNK_ROWS)
                yield Block(whole.rows[mixed], whole.weights[mixed], number[mixed])
            else:
                chunks = self._rows // self._chunk
                yield laid(rows, weights, chunks, self._chunk, block * chunks)


def shuffled(data: Dataset, random: np.random.Generator, *, chunk: int, tiles: bool) -> BlockSource:
    """Rows in a random order, in chunks that are looked at as mini-batches; of many rows in files, block by block."""
    rows, columns = data.shape
    if data.portable and rows * columns * 8 > STREAM_BYTES:
        return ShuffledStream(data, random, chunk, tiles=tiles)
    order = random.permutation(len(data))
    return MemorySource(data.take(order), chunk=chunk, tiles=tiles, shuffle=random)


def pieces(
    data: Dataset, *, tiles: bool = False, dtype: type[np.floating] | None = None
) -> Iterator[tuple[slice, MemorySource, bool]]:
    """Some rows at a time, as the engine takes them: where they stand, their block, and whether none has a gap.

    With ``tiles`` rows with gaps are laid in tiles of one pattern.
    """
    dtype = data.dtype.type if dtype is None else dtype
    for start in range(0, len(data), PIECE_ROWS):
        part = slice(start, min(start + PIECE_ROWS, len(data)))
        rows = data.rows(part).astype(dtype, copy=False)
        complete = not np.isnan(rows).any()
        held = DenseRows(rows, data.weights[part])
        yield part, MemorySource(held, tiles=tiles and not complete), complete
