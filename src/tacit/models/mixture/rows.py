"""Answers a row: the fitted mixture applied to any number of rows, with or without gaps, in bounded memory."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from tacit import trees
from tacit.arrays import map_items
from tacit.compute import compiled, eagerly
from tacit.data.blocks import Block
from tacit.data.dataset import Dataset, dataset_of
from tacit.data.sources import PIECE_ROWS, BlockSource, pieces, spread
from tacit.engine import is_double, precision
from tacit.inference.loop import on_host
from tacit.models.mixture.bayesian import MixturePosterior
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.rules import Draws

SMALL_WORK = 100_000_000
"""The `work` up to which NumPy computes."""
MOST_PROGRAMS = 5
"""How many times as much work NumPy takes over in a search, however many programs it would need."""
EXPONENTIAL = 20
"""How many features of a row cost as much as its exponential under a component."""


def each_row(function: Callable, model: MixtureModel, rows: Dataset | np.ndarray, *extra: np.ndarray) -> Any:
    """``function(model, chunk, *extra_chunks)`` over the rows, in slices; results come in the order of the rows.

    Rows with gaps are laid in tiles of one pattern first, where the model asks for them.
    ``extra`` are arrays of a value a row.
    """
    data = dataset_of(rows)
    if extra or not spread(data):
        return _each_row_here(data, function, model, is_double(), *extra)
    parts = data.each(_each_row_here, PIECE_ROWS, (function, on_host(model), is_double()))
    return trees.map(lambda *leaves: np.concatenate(leaves), *parts)


def _each_row_here(rows: Dataset, function: Callable, model: MixtureModel, double: bool, *extra: np.ndarray) -> Any:
    parts = []
    tiles = any(group.tiled for group in model.groups)
    with precision(double=double):
        for part, source, complete in pieces(rows, tiles=tiles, dtype=np.float64):
            laid = tuple(source.to_slots(e[part]) for e in extra)
            fitting = model.with_rows(complete=complete, tile=source.tile)
            eager, block = small(model, source), next(source.blocks())
            if eager and not extra and source.tile == 1 and block.number.size == 1:
                many = source.size[0]  # nothing is compiled for these rows, so their number need not be a common one
                block = Block(block.rows[:, :many], block.weights[:, :many], block.number)
            with eagerly(eager):
                found = _over_chunks(function, fitting, block, laid)
            parts.append(trees.map(source.to_rows, found))
    return trees.map(lambda *leaves: np.concatenate(leaves), *parts)


@partial(compiled, hurry=True)
def _over_chunks(function: Callable, model: MixtureModel, block: Block, extra: tuple) -> Any:
    return map_items(lambda chunk: function(model, *chunk), (block.rows, *extra), at_once=False)


def small(models: MixtureModel | MixturePosterior, source: BlockSource, programs: int = 1) -> bool:
    """Whether rows, starts and components together are so little work that compiling would take longer.

    ``programs`` says for how many such problems, a structure each, one would have to be compiled.
    """
    most = SMALL_WORK * min(programs, MOST_PROGRAMS)
    return source.resident and not isinstance(models.rule, Draws) and work(models, source) <= most


def work(models: MixtureModel | MixturePosterior, source: BlockSource) -> int:
    """Rows × starts × components × (features + `EXPONENTIAL`)."""
    features = sum(group.n_features for group in models.groups)
    return int(source.size[0] * models.active.size * (features + EXPONENTIAL))


def joint_log_prob(model: MixtureModel, rows: Dataset | np.ndarray) -> np.ndarray:
    """``log π_k + log p_k(x_n)`` of the observed entries, ``[rows, K]``, in nats."""
    return each_row(MixtureModel.joint_log_prob, model, rows)


def log_prob(model: MixtureModel, rows: Dataset | np.ndarray) -> np.ndarray:
    """``log p(x_n)`` of the observed entries, ``[rows]``, in nats."""
    return each_row(MixtureModel.log_prob, model, rows)


def responsibilities(model: MixtureModel, rows: Dataset | np.ndarray) -> np.ndarray:
    """``p(z_n = k | x_n)``, ``[rows, K]``."""
    return each_row(MixtureModel.posterior, model, rows)
