"""Rows on their way to the engine: padded chunks of one shape, in memory or streamed.

A block is what the closed-form driver scans: chunks of equally many rows, padded with rows of weight 0. Rows with
missing entries may be sorted by their pattern and cut into tiles, so that every chunk has one pattern.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import equinox as eqx
import numpy as np
from jaxtyping import Float, Int, PyTree
from scipy import sparse

from tacit.compute import Array, cores, row_bucket

CHUNK_ROWS = 2048
STREAM_BYTES = 100_000_000
STREAM_CHUNKS = 16
BIG_ROWS = 32_768
"""Above this many rows the time of an iteration is that of the rows, and not of the calls."""
TILE_CHUNK_ROWS = 256
SLICE_ROWS = 16_384
"""Rows looked at together where all of them are gone through on the host."""


class Block(NamedTuple):
    """Rows of one shape class; every leaf leads with ``[chunks, rows]``."""

    rows: PyTree[Array]
    """``[chunks, rows, dims]``, or whatever else the local step takes for a row."""
    weights: Float[Array, "chunks *rows"]
    """Weight of each row; 0 marks padding."""
    number: Int[Array, " chunks"]
    """Number of the chunk: random keys are folded with it, so the order of blocks does not matter."""


class Standardise(eqx.Module):
    """The view of the rows inside the engine: ``(x − shift) / scale``, done chunk by chunk."""

    shift: Float[Array, "*event"]
    scale: Float[Array, "*event"]

    def __call__(self, rows: Float[Array, "rows *event"]) -> Float[Array, "rows *event"]:
        return (rows.astype(self.shift.dtype) - self.shift) / self.scale


class Joined:
    """Rows with a target as their last column, put together slice by slice: neither is copied whole."""

    def __init__(self, rows: np.ndarray, target: np.ndarray) -> None:
        self._rows, self._target = rows, target
        self.shape = (rows.shape[0], rows.shape[1] + 1)

    def __getitem__(self, part: slice) -> np.ndarray:
        return np.column_stack([self._rows[part], self._target[part]])


def dense_rows(rows: Any) -> np.ndarray:
    """Rows as an array, whether they were sparse, joined, or neither."""
    if isinstance(rows, Joined):
        return rows[:]
    return rows.toarray() if sparse.issparse(rows) else np.asarray(rows)


class Source(Protocol):
    """Where blocks come from; ``resident`` sources are given to the compiled loop whole."""

    resident: bool
    total_weight: float
    size: tuple[int, int]
    """Rows and columns, as the user counts them."""

    def blocks(self) -> Iterator[Block]: ...


class MemorySource:
    """Rows held by the engine in ``parts`` blocks of one shape, which may be worked on side by side.

    ``tile`` is the number of neighbours that share a missing pattern. ``shuffle`` brings chunks of tiles, which come
    pattern by pattern, into a random order.
    """

    resident = True

    def __init__(
        self,
        rows: np.ndarray,
        weights: np.ndarray | None = None,
        *,
        tiles: bool = False,
        chunk: int = CHUNK_ROWS,
        parts: int = 1,
        shuffle: np.random.Generator | None = None,
    ) -> None:
        weights = _weights(rows.shape[0], weights)
        self.total_weight, self.size = float(weights.sum()), (rows.shape[0], rows.shape[1])
        self.tile, self._slots = 1, np.arange(rows.shape[0])
        if tiles:
            block, self.tile, self._slots = pattern_tiles(rows, weights)
        else:
            block = whole_block(rows, weights, chunk)
        if tiles and shuffle is not None:
            block, self._slots = _shuffled(block, self._slots, shuffle)
        self._blocks = _split(block, parts)

    def to_slots(self, values: np.ndarray) -> np.ndarray:
        """Values a row ``[rows, ...]`` as ``[chunks, rows, ...]``, zero in the padding."""
        chunks, rows = self._blocks[0].weights.shape
        laid = np.zeros((chunks * rows, *values.shape[1:]), dtype=values.dtype)
        laid[self._slots] = values
        return laid.reshape(chunks, rows, *values.shape[1:])

    def to_rows(self, laid: Array) -> np.ndarray:
        """What the engine gave a slot ``[chunks, rows, ...]``, in the order of the user's rows."""
        return np.asarray(laid).reshape(-1, *laid.shape[2:])[self._slots]

    def blocks(self) -> Iterator[Block]:
        return iter(self._blocks)


def shuffled(
    rows: np.ndarray | sparse.csr_array, weights: np.ndarray, random: np.random.Generator, *, chunk: int, tiles: bool
) -> MemorySource:
    """Rows in a random order, in chunks that are looked at as mini-batches."""
    order = random.permutation(rows.shape[0])
    return MemorySource(dense_rows(rows[order]), weights[order], chunk=chunk, tiles=tiles, shuffle=random)


class StreamSource:
    """Rows of the user's own memory (dense, sparse or mapped), copied a block at a time and never whole."""

    resident = False

    def __init__(
        self,
        rows: np.ndarray | sparse.csr_array | Joined,
        weights: np.ndarray | None = None,
        *,
        chunks: int = STREAM_CHUNKS,
    ) -> None:
        self._rows = rows
        self._weights = _weights(rows.shape[0], weights)
        self.total_weight, self.size = float(self._weights.sum()), (rows.shape[0], rows.shape[1])
        # wide rows take fewer rows a block, so that a block stays near 32 MB
        per_chunk = max(64, min(CHUNK_ROWS, 4_000_000 // max(1, rows.shape[1])))
        self._chunk_rows = row_bucket(per_chunk) if per_chunk < 256 else per_chunk // 256 * 256
        wide = rows.shape[1] * self._chunk_rows * chunks * 8
        self._chunks = max(1, int(chunks * min(1.0, 32_000_000 / wide)))

    def blocks(self) -> Iterator[Block]:
        size = self._chunk_rows * self._chunks
        for number, start in enumerate(range(0, self._rows.shape[0], size)):
            part = self._rows[start : start + size]
            dense = dense_rows(part)
            rows = _padded(np.asarray(dense), size)
            weights = _padded(self._weights[start : start + size], size)
            shape = (self._chunks, self._chunk_rows)
            index = np.arange(self._chunks, dtype=np.int32) + number * self._chunks
            yield Block(rows.reshape(*shape, -1), weights.reshape(shape), index)


def source(rows: np.ndarray | sparse.csr_array | Joined, weights: np.ndarray | None = None, *, tiles: bool) -> Source:
    """Choose where the rows live: in the engine when small or ragged, else streamed from the user's memory."""
    values = rows.shape[0] * rows.shape[1]
    if not tiles and values * 8 > STREAM_BYTES:
        return StreamSource(rows, weights)
    return MemorySource(dense_rows(rows), weights, tiles=tiles, parts=cores() if rows.shape[0] > BIG_ROWS else 1)


def _split(block: Block, parts: int) -> tuple[Block, ...]:
    """Equal shares of the chunks, neighbours together; made up with chunks of weight 0."""
    rows, weights, number = block
    lack = -number.size % parts
    if lack:
        rows = np.concatenate([rows, np.repeat(rows[-1:], lack, axis=0)])
        weights = np.concatenate([weights, np.zeros((lack, *weights.shape[1:]))])
        number = np.append(number, number[-1] + 1 + np.arange(lack)).astype(np.int32)
    share = number.size // parts
    return tuple(Block(*(leaf[i * share : (i + 1) * share] for leaf in (rows, weights, number))) for i in range(parts))


def whole_block(rows: np.ndarray, weights: np.ndarray, chunk_rows: int = CHUNK_ROWS) -> Block:
    """All rows as one block: ``64·4^k`` rows in chunks of at most 2048; beyond 16 384, whole chunks only."""
    count = rows.shape[0]
    bucket = row_bucket(count)
    if bucket > 16_384:
        chunks = -(-count // CHUNK_ROWS)
        grain = max(1, 2 ** (chunks.bit_length() - 4))  # at most a sixteenth of padding, few sizes compiled
        bucket = -(-chunks // grain) * grain * CHUNK_ROWS
    chunk = min(bucket, chunk_rows)
    shape = (bucket // chunk, chunk)
    return Block(
        _padded(rows, bucket).reshape(*shape, -1),
        _padded(weights, bucket).reshape(shape),
        np.arange(shape[0], dtype=np.int32),
    )


def pattern_tiles(rows: np.ndarray, weights: np.ndarray) -> tuple[Block, int, np.ndarray]:
    """Rows sorted by missing pattern and cut into tiles; the rows of one tile share one pattern.

    Returns the block, the rows of a tile, and the slot of every given row: a chunk holds several tiles, one after
    another. Padding repeats the tile's first row with weight 0. Tiles are as long as possible while at most twice
    the rows are stored.
    """
    missing = np.isnan(rows)
    _, pattern, counts = np.unique(missing, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(pattern.ravel(), kind="stable")
    tile = _tile_rows(counts)
    tiles_each = -(-counts // tile)
    tiles = int(tiles_each.sum())
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    first_tile = np.concatenate([[0], np.cumsum(tiles_each)[:-1]])
    which = np.repeat(np.arange(counts.size), tiles_each)
    begin = starts[which] + (np.arange(tiles) - first_tile[which]) * tile
    slots = begin[:, None] + np.arange(tile)[None, :]
    filled = slots < (starts + counts)[which][:, None]
    picked = order[np.where(filled, slots, begin[:, None])].ravel()
    chunk = max(TILE_CHUNK_ROWS, tile)
    padded = row_bucket(picked.size) if picked.size <= 16_384 else -(-picked.size // 16_384) * 16_384
    padded = max(padded, chunk)
    shape = (padded // chunk, chunk)
    tile_weights = np.where(filled.ravel(), weights[picked], 0.0)
    block = Block(
        _padded(rows[picked], padded).reshape(*shape, -1),
        _padded(tile_weights, padded).reshape(shape),
        np.arange(shape[0], dtype=np.int32),
    )
    slots_of_rows = np.empty(rows.shape[0], dtype=np.int64)
    slots_of_rows[picked[filled.ravel()]] = np.flatnonzero(filled.ravel())
    return block, tile, slots_of_rows


def _shuffled(
    block: Block, slots: Int[np.ndarray, " rows"], random: np.random.Generator
) -> tuple[Block, Int[np.ndarray, " rows"]]:
    """The chunks in a random order, and where every given row now is."""
    order = random.permutation(block.number.size)
    place, size = np.argsort(order), block.weights.shape[1]
    return Block(*(leaf[order] for leaf in block)), place[slots // size] * size + slots % size


def _tile_rows(counts: np.ndarray) -> int:
    """The longest power of two that stores at most twice the rows."""
    tile = 256
    while tile > 1 and (-(-counts // tile) * tile).sum() > 2 * counts.sum():
        tile //= 2
    return tile


def _weights(rows: int, weights: np.ndarray | None) -> np.ndarray:
    return np.broadcast_to(1.0, (rows,)) if weights is None else np.asarray(weights, dtype=np.float64)


def _padded(values: np.ndarray, rows: int) -> np.ndarray:
    if values.shape[0] == rows:
        return values
    # rows of weight 0 repeat the last one: a value of the support, so that nothing is ever 0 · ∞
    last = values[-1:] if values.ndim > 1 else np.zeros(1)
    return np.concatenate([values, np.repeat(last, rows - values.shape[0], axis=0)])


class Moments(NamedTuple):
    """What the view needs to know of each column; missing entries do not count."""

    mean: np.ndarray
    variance: np.ndarray
    seen: np.ndarray
    """Total weight of the observed entries."""
    complete: bool
    weights: np.ndarray
    """Of the rows."""

    @property
    def flat(self) -> np.ndarray:
        """Which columns do not vary beyond the rounding of their values."""
        deviation = np.sqrt(self.variance)
        return (deviation <= 1e-13 * np.abs(self.mean)) | (deviation == 0.0)

    @property
    def least_variance(self) -> float:
        """That of the narrowest column which varies at all (1 if none does)."""
        return float(self.variance[~self.flat].min(initial=np.inf)) if not self.flat.all() else 1.0

    def covariance(self, rows: np.ndarray, columns: np.ndarray | None = None) -> np.ndarray:
        """``Σ w (x − m)(x − m)ᵀ / (Σ w − 1)`` of some columns, a gap read as the mean: weight 2 is two copies."""
        index = np.arange(rows.shape[1]) if columns is None else columns
        centred = np.nan_to_num(rows[:, index] - self.mean[index], nan=0.0)
        total = float(self.weights.sum())
        return (centred * self.weights[:, None]).T @ centred / max(total - 1.0, 0.5 * total)


def moments(rows: np.ndarray | sparse.csr_array, weights: np.ndarray | None = None) -> Moments:
    """Weighted mean and variance of the columns in two passes over slices, with no copy of the data."""
    weights = _weights(rows.shape[0], weights)
    slices = [slice(s, s + SLICE_ROWS) for s in range(0, rows.shape[0], SLICE_ROWS)]
    seen, total, missing = np.zeros(rows.shape[1]), np.zeros(rows.shape[1]), False
    for part in slices:
        values, mask = _slice(rows, part)
        seen += weights[part] @ mask
        total += weights[part] @ values
        missing = missing or not mask.all()
    mean = total / np.where(seen > 0, seen, 1.0)
    square = np.zeros(rows.shape[1])
    for part in slices:
        values, mask = _slice(rows, part)
        square += weights[part] @ np.where(mask, values - mean, 0.0) ** 2
    return Moments(mean, square / np.where(seen > 0, seen, 1.0), seen, not missing, weights)


def _slice(rows: np.ndarray | sparse.csr_array, part: slice) -> tuple[np.ndarray, np.ndarray]:
    dense = dense_rows(rows[part]).astype(np.float64)
    mask = ~np.isnan(dense)
    return np.where(mask, dense, 0.0), mask
