"""What a fitted network says of rows, some at a time where they lie in files, and by the workers of an engine."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.data.dataset import Dataset
from tacit.data.sources import PIECE_ROWS
from tacit.estimators.network.columns import NodeColumns
from tacit.models.network.completion import completed
from tacit.models.network.model import Network

Values = Float[np.ndarray, "rows columns"]


class KnownNetwork(NamedTuple):
    """All that answers about rows depend on; it can be sent to another process."""

    network: Network
    columns: NodeColumns
    fixed: Mapping[int, float]
    """Nodes that were set by an intervention."""


def by_parts(rows: Dataset, function: Callable[..., np.ndarray], *shared: Any) -> np.ndarray:
    """What a function gives rows; of those in files some at a time, by the workers of an engine where there is one.

    Args:
        rows: of a table, NaN where missing.
        function: from ``[rows, columns]`` in float64, and ``shared``, to ``[rows, …]``.
        shared: what it is given besides.
    """
    if not rows.portable:
        return function(np.asarray(rows.rows(), np.float64), *shared)
    return np.concatenate(rows.each(_part_by_part, PIECE_ROWS, (function, shared)))


def _part_by_part(rows: Dataset, function: Callable[..., np.ndarray], shared: tuple) -> np.ndarray:
    return np.concatenate([function(part, *shared) for _, part in rows.slices(PIECE_ROWS)])


def inside(rows: Values, known: KnownNetwork) -> Float[np.ndarray, "rows nodes"]:
    """Rows of the nodes; what was set by an intervention is what it was set to."""
    found = known.columns.values(rows)
    for node, value in known.fixed.items():
        found[:, node] = value
    return found


def scores_of(rows: Values, known: KnownNetwork) -> Float[np.ndarray, " rows"]:
    """``log p(x)``."""
    own = np.array(rows)
    own[:, [node for node in known.fixed if node < own.shape[1]]] = (
        1.0  # what was set has no density, whose units would matter
    )
    return known.network.log_prob(inside(rows, known)) + known.columns.log_change(own)


def posteriors_of(rows: Values, known: KnownNetwork, node: int, levels: int) -> Float[np.ndarray, "rows levels"]:
    """Of one node, whatever the rows say of it."""
    asked = inside(rows, known)
    asked[:, node] = np.nan
    found = np.empty((len(rows), levels))
    for where, _, posterior in known.network.inferred(asked):
        found[where] = posterior.marginal(node).T
    return found


def means_of(rows: Values, known: KnownNetwork, node: int) -> Float[np.ndarray, " rows"]:
    """Of one number, whatever the rows say of it."""
    asked = inside(rows, known)
    asked[:, node] = np.nan
    return known.columns.rows(completed(known.network, asked))[:, node]


def filled(rows: Values, known: KnownNetwork) -> Float[np.ndarray, "rows columns"]:
    """Rows without gaps."""
    return known.columns.rows(completed(known.network, inside(rows, known)))
