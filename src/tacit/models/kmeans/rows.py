"""Answers a row: fitted centres applied to any number of rows, dense or sparse, in bounded memory."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from scipy import sparse

from tacit.compute import compiled
from tacit.data.blocks import Block, MemorySource
from tacit.models.kmeans.model import KMeansModel

SLICE_ROWS = 65_536


def dense_slice(rows: Any, start: int, size: int = SLICE_ROWS) -> np.ndarray:
    """Some rows of a dense or sparse table."""
    part = rows[start : start + size]
    return np.asarray(part.toarray() if sparse.issparse(part) else part)


def nearest(model: KMeansModel, rows: Any) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centre of every row, and the squared distance to it."""
    return _each_row(KMeansModel.nearest, model, rows)


def squared_distances(model: KMeansModel, rows: Any) -> np.ndarray:
    """Squared distances ``[rows, clusters]`` over the observed entries."""
    return _each_row(KMeansModel.squared_distances, model, rows)


def _each_row(function: Callable, model: KMeansModel, rows: Any) -> Any:
    parts = []
    for start in range(0, rows.shape[0], SLICE_ROWS):
        source = MemorySource(dense_slice(rows, start))
        found = _over_chunks(function, model, next(source.blocks()))
        parts.append(jax.tree.map(source.to_rows, found))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


@compiled
def _over_chunks(function: Callable, model: KMeansModel, block: Block) -> Any:
    return jax.lax.map(lambda rows: function(model, rows), block.rows)
