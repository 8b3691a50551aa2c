"""Answers a row: fitted centres applied to any number of rows, dense or sparse, in bounded memory."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from tacit.compute import compiled
from tacit.data.blocks import Block
from tacit.data.dataset import Dataset, dataset_of
from tacit.data.sources import pieces
from tacit.models.kmeans.model import KMeansModel


def nearest(model: KMeansModel, rows: Dataset | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest centre of every row, and the squared distance to it."""
    return _each_row(KMeansModel.nearest, model, dataset_of(rows))


def squared_distances(model: KMeansModel, rows: Dataset | np.ndarray) -> np.ndarray:
    """Squared distances ``[rows, clusters]`` over the observed entries."""
    return _each_row(KMeansModel.squared_distances, model, dataset_of(rows))


def _each_row(function: Callable, model: KMeansModel, rows: Dataset) -> Any:
    parts = []
    for _, source, _ in pieces(rows):
        found = _over_chunks(function, model, next(source.blocks()))
        parts.append(jax.tree.map(source.to_rows, found))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


@compiled
def _over_chunks(function: Callable, model: KMeansModel, block: Block) -> Any:
    return jax.lax.map(lambda rows: function(model, rows), block.rows)
