"""Rows on their way to the engine: padded chunks of one shape.

A block is what the closed-form driver scans: chunks of equally many rows, padded with rows of weight 0. Rows with
missing entries may be sorted by their pattern and cut into tiles, so that every chunk has one pattern.
"""

from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from jaxtyping import Float, Int

from tacit.compute import Array, row_bucket
from tacit.engine import PyTree
from tacit.spaces import Spaces
from tacit.trees import Pytree

CHUNK_ROWS = 2048
TILE_CHUNK_ROWS = 256


class Block(NamedTuple):
    """Rows of one shape class; every leaf leads with ``[chunks, rows]``."""

    rows: PyTree
    """``[chunks, rows, dims]``, or whatever else the local step takes for a row."""
    weights: Float[Array, "chunks *rows"]
    """Weight of each row; 0 marks padding."""
    number: Int[Array, " chunks"]
    """Number of the chunk: random keys are folded with it, so the order of blocks does not matter."""


class View(Protocol):
    """What is done to the rows of a chunk before a local step sees them: a pytree, from rows to rows of any kind."""

    def __call__(self, rows: PyTree, /) -> PyTree: ...


class Standardise(Pytree):
    """The view of rows of numbers inside the engine: ``(x − shift) / scale``."""

    spaces: ClassVar[Spaces] = {"scale": "positive"}

    shift: Float[Array, "*event"]
    scale: Float[Array, "*event"]

    def __call__(self, rows: Float[Array, "rows *event"]) -> Float[Array, "rows *event"]:
        return (rows.astype(self.shift.dtype) - self.shift) / self.scale


class AsTheyAre(Pytree):
    """The view of rows that are neither centred nor scaled."""

    def __call__(self, rows: PyTree) -> PyTree:
        return rows


def padded(values: np.ndarray, rows: int) -> np.ndarray:
    """``[rows, …]`` made up to so many with copies of the last: of the support, so that nothing is ever 0 · ∞."""
    lack = rows - values.shape[0]
    return np.concatenate([values, np.repeat(values[-1:], lack, axis=0)]) if lack else values


def laid(rows: np.ndarray, weights: np.ndarray, chunks: int, size: int, first: int = 0) -> Block:
    """Rows in so many chunks of so many rows, numbered from ``first`` on; what they lack is padding of weight 0."""
    mass = np.zeros((chunks, size), weights.dtype)
    mass.reshape(-1)[: weights.size] = weights
    number = np.arange(first, first + chunks, dtype=np.int32)
    return Block(padded(rows, chunks * size).reshape(chunks, size, -1), mass, number)


def trimmed(block: Block, tile: int = 1) -> Block:
    """A block without the padding at its end: whole chunks, or the rows of a single one; tiles stay whole.

    Rows that are no array, such as those of sequences, stay as they are.
    """
    if not isinstance(block.rows, np.ndarray):
        return block
    if block.number.size > 1:
        used = np.flatnonzero(block.weights.reshape(block.number.size, -1).any(1))
        most = int(used[-1]) + 1 if used.size else 1
        return Block(block.rows[:most], block.weights[:most], block.number[:most])
    used = np.flatnonzero(block.weights[0])
    most = -(-(int(used[-1]) + 1) // tile) * tile if used.size else tile
    return Block(block.rows[:, :most], block.weights[:, :most], block.number)


def block_shape(count: int, size: int = CHUNK_ROWS, parts: int = 1) -> tuple[int, int]:
    """Chunks, and rows of a chunk, of one block of all rows: ``64·4^k`` rows; beyond 16 384, whole chunks only.

    A chunk has ``size`` rows at most, and the number of chunks is a multiple of ``parts``.
    """
    bucket = row_bucket(count)
    if bucket > 16_384:
        chunks = -(-count // CHUNK_ROWS)
        grain = max(1, 2 ** (chunks.bit_length() - 4))  # at most a sixteenth of padding, few sizes compiled
        bucket = -(-chunks // grain) * grain * CHUNK_ROWS
    size = min(bucket, size)
    return -(-bucket // size // parts) * parts, size


def pattern_tiles(
    rows: np.ndarray, weights: np.ndarray, parts: int = 1, tile: int | None = None
) -> tuple[Block, int, np.ndarray]:
    """Rows sorted by missing pattern and cut into tiles; the rows of one tile share one pattern.

    Returns the block, whose chunks are a multiple of ``parts``, the rows of a tile, and the slot of every given row: a
    chunk holds several tiles, one after another. Padding repeats the tile's first row with weight 0. Tiles are as long
    as possible while at most twice the rows are stored, unless ``tile`` says how long.
    """
    missing = np.isnan(rows)
    pattern, counts = patterns(missing)
    order = np.argsort(pattern, kind="stable")
    tile = tile_rows(counts) if tile is None else tile
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
    bucket = row_bucket(picked.size) if picked.size <= 16_384 else -(-picked.size // 16_384) * 16_384
    chunks = -(-max(bucket, chunk) // chunk // parts) * parts
    block = laid(rows[picked], np.where(filled.ravel(), weights[picked], 0.0), chunks, chunk)
    slots_of_rows = np.empty(rows.shape[0], dtype=np.int64)
    slots_of_rows[picked[filled.ravel()]] = np.flatnonzero(filled.ravel())
    return block, tile, slots_of_rows


def patterns(missing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which pattern every row has ``[rows]``, in the order of their bits, and how many rows each has."""
    packed = np.packbits(missing, axis=1)  # numbers sort many times sooner than rows
    if packed.shape[1] > 8:
        _, pattern, counts = np.unique(packed, axis=0, return_inverse=True, return_counts=True)
    else:
        keys = np.zeros((len(packed), 8), np.uint8)
        keys[:, : packed.shape[1]] = packed
        keys = keys.view(">u8")[:, 0].astype(np.uint64)
        _, pattern, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return pattern.ravel(), counts


def tile_rows(counts: np.ndarray) -> int:
    """The longest power of two that stores at most twice the rows."""
    tile = 256
    while tile > 1 and (-(-counts // tile) * tile).sum() > 2 * counts.sum():
        tile //= 2
    return tile
