"""The fitted k-means: centres, and whose each row is.

Rows in wide chunks: a row costs k-means so little that small chunks would spend their time in between.

On two cores, with 200 000 × 16 in 16 clusters, an iteration takes 6 to 8 ms in chunks of 2048 rows and 5 ms in chunks
of 8000 to 16 000, where the cores share every matrix product; wider ones leave the cache.

Answers a row: fitted centres applied to any number of rows, dense or sparse, in bounded memory.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
from jaxtyping import Float, Int

from tacit import trees
from tacit.arrays import Pytree, map_items, static, traced, xp
from tacit.compute import Array, compiled, eagerly, row_bucket
from tacit.data.blocks import Block, laid
from tacit.data.dataset import Dataset, dataset_of
from tacit.data.sources import PIECE_ROWS, BlockSource, pieces
from tacit.engine import is_double, jnp, precision

CHUNK_ROWS = 16_384
GRAIN = 1024
CELLS = 4_000_000
"""Most cells of the table of rows and clusters that a chunk makes (32 MB in double precision)."""


SMALL_WORK = 20_000_000
"""Rows × starts × clusters × (columns + `PASSES`) up to which NumPy computes: compiling would take longer."""
PASSES = 10
"""How many columns cost as much as what is done with the distances."""


def small(source: BlockSource, centres: int) -> bool:
    """Whether the rows and all centres together are so little work that nothing is compiled."""
    return source.resident and source.size[0] * centres * (source.size[1] + PASSES) <= SMALL_WORK


def widest(clusters: int) -> int:
    """Most rows of a chunk."""
    return int(np.clip(CELLS // clusters // GRAIN * GRAIN, GRAIN, CHUNK_ROWS))


class Rescale(Pytree):
    """The view ``(x − shift) / scale`` with one scale for all columns, in the precision of the rows.

    ``done`` says that the rows were centred and scaled once, before the first iteration.
    """

    shift: Float[Array, " dims"]
    scale: Float[Array, " dims"]
    done: bool = static()

    def __call__(self, rows: Float[Array, "rows dims"]) -> Float[Array, "rows dims"]:
        if self.done:
            return rows
        return ((rows.astype(self.shift.dtype) - self.shift) / self.scale).astype(rows.dtype)


class WideMemory:
    """Rows centred and scaled once and held by the engine as one block; padding is rows of zeros."""

    resident = True
    tile = 1

    def __init__(self, data: Dataset, view: Rescale, clusters: int) -> None:
        self.total_weight, self.size = data.total_weight, data.shape
        count, most = len(data), widest(clusters)
        chunks = -(-count // most)
        size = row_bucket(count) if count <= most else -(-count // chunks // GRAIN) * GRAIN
        rows, mass = np.zeros((chunks * size, data.shape[1]), data.dtype), np.zeros(chunks * size)
        for part, values in data.slices():
            rows[part] = scaled(values, view)
        mass[:count] = data.weights
        self._block = laid(rows, mass, chunks, size)

    def blocks(self) -> Iterator[Block]:
        return iter((self._block,))


def scaled(rows: np.ndarray, view: Rescale) -> np.ndarray:
    """Rows centred and scaled on the host, in their own precision."""
    return ((rows - np.asarray(view.shift)) / np.asarray(view.scale)).astype(rows.dtype, copy=False)


class KMeansModel(Pytree):
    """K centres; a row belongs to the nearest one, over the entries that it has.

    Hard EM of ``p(x) = Σ_k N(x; c_k, σ²I)/K``: with entries missing, ``log p(x_o|k) = −‖x_o − c_ko‖²/2σ²`` plus what
    is the same for all k, so a missing entry adds nothing to a distance, and nothing is rescaled for it.
    """

    centres: Float[Array, "clusters dims"]

    def squared_distances(self, rows: Float[Array, "rows dims"]) -> Float[Array, "rows clusters"]:
        """``Σ_j (x_nj − c_kj)²`` over the observed entries, without cancellation."""
        apart = rows[:, None, :] - self.centres.astype(rows.dtype)
        return (xp.where(xp.isnan(apart), 0.0, apart) ** 2).sum(-1)

    def nearest(self, rows: Float[Array, "rows dims"]) -> tuple[Int[Array, " rows"], Float[Array, " rows"]]:
        """The nearest centre of every row (the first of equals), and the squared distance to it."""
        origin = self.centres.mean(0).astype(rows.dtype)
        centres = (self.centres - origin).astype(rows.dtype)
        away = rows - origin
        seen = ~xp.isnan(away)
        closeness = affinity(xp.where(seen, away, 0.0), seen.astype(rows.dtype), centres)
        labels = closeness.argmax(1).astype(np.int32)
        apart = xp.where(seen, away - centres[labels], 0.0)
        return labels, (apart**2).sum(1)

    def in_units(self, view: Rescale) -> Self:
        """The centres of the user's values, from those of values centred and scaled on entry."""
        return dataclasses.replace(self, centres=self.centres * view.scale + view.shift)

    def take(self, order: Int[Array, " chosen"]) -> Self:
        """The clusters chosen and ordered by index."""
        return dataclasses.replace(self, centres=self.centres[order])

    def n_parameters(self) -> int:
        """Coordinates of the centres."""
        return self.centres.size


def affinity(
    filled: Float[Array, "rows dims"],
    seen: Float[Array, "rows dims"] | None,
    centres: Float[Array, "*starts clusters dims"],
) -> Float[Array, "*starts rows clusters"]:
    """``x·c_k − ½‖c_k‖²`` over the observed entries: largest where the distance is smallest.

    Args:
        filled: rows with 0 in the gaps.
        seen: 1 where observed, or ``None`` when nothing is missing.
        centres: the centres.
    """
    cross = _product(filled, xp.swapaxes(centres, -1, -2))
    half = 0.5 * centres**2
    if seen is None:
        return cross - half.sum(-1)[..., None, :]
    return cross - _product(seen, xp.swapaxes(half, -1, -2))


def _product(left: Array, right: Array) -> Array:
    return jnp.matmul(left, right, precision="highest") if traced(left, right) else left @ right


def nearest(model: KMeansModel, rows: Dataset | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centre of every row, and the squared distance to it."""
    return _each_row(KMeansModel.nearest, model, dataset_of(rows))


def squared_distances(model: KMeansModel, rows: Dataset | np.ndarray) -> np.ndarray:
    """Squared distances ``[rows, clusters]`` over the observed entries."""
    return _each_row(KMeansModel.squared_distances, model, dataset_of(rows))


def _each_row(function: Callable, model: KMeansModel, rows: Dataset) -> Any:
    parts = rows.each(_each_row_here, PIECE_ROWS, (function, trees.map(np.asarray, model), is_double()))
    return trees.map(lambda *leaves: np.concatenate(leaves), *parts)


def _each_row_here(rows: Dataset, function: Callable, model: KMeansModel, double: bool) -> Any:
    parts = []
    with precision(double=double):
        for _, source, _ in pieces(rows):
            with eagerly(small(source, model.centres.shape[0])):
                found = _over_chunks(function, model, next(source.blocks()))
            parts.append(trees.map(source.to_rows, found))
    return trees.map(lambda *leaves: np.concatenate(leaves), *parts)


@compiled
def _over_chunks(function: Callable, model: KMeansModel, block: Block) -> Any:
    return map_items(lambda rows: function(model, rows), block.rows, at_once=False)
