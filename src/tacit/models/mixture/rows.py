"""Answers a row: the fitted mixture applied to any number of rows, with or without gaps, in bounded memory."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import sparse

from tacit.compute import compiled
from tacit.data.blocks import Block, MemorySource
from tacit.models.mixture.model import MixtureModel

SLICE_ROWS = 65_536


def each_row(function: Callable, model: MixtureModel, rows: Any, *extra: np.ndarray) -> Any:
    """``function(model, chunk, *extra_chunks)`` over the rows, in slices; results come in the order of the rows.

    Rows with gaps are laid in tiles of one pattern first. ``extra`` are arrays of a value a row.
    """
    parts = []
    for start in range(0, rows.shape[0], SLICE_ROWS):
        part = rows[start : start + SLICE_ROWS]
        dense = part.toarray() if sparse.issparse(part) else np.asarray(part, dtype=np.float64)
        gaps = bool(np.isnan(dense).any())
        source = MemorySource(dense, tiles=gaps)
        block = next(source.blocks())
        laid = tuple(jnp.asarray(source.to_slots(e[start : start + SLICE_ROWS])) for e in extra)
        fitting = model.with_rows(complete=not gaps, tile=source.tile)
        found = _over_chunks(function, fitting, jax.tree.map(jnp.asarray, block), laid)
        parts.append(jax.tree.map(source.to_rows, found))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)


@compiled
def _over_chunks(function: Callable, model: MixtureModel, block: Block, extra: tuple) -> Any:
    return jax.lax.map(lambda chunk: function(model, *chunk), (block.rows, *extra))


def joint_log_prob(model: MixtureModel, rows: Any) -> np.ndarray:
    """``log π_k + log p_k(x_n)`` of the observed entries, ``[rows, K]``, in nats."""
    return each_row(MixtureModel.joint_log_prob, model, rows)


def log_prob(model: MixtureModel, rows: Any) -> np.ndarray:
    """``log p(x_n)`` of the observed entries, ``[rows]``, in nats."""
    return each_row(MixtureModel.log_prob, model, rows)


def responsibilities(model: MixtureModel, rows: Any) -> np.ndarray:
    """``p(z_n = k | x_n)``, ``[rows, K]``."""
    return each_row(MixtureModel.posterior, model, rows)
