"""Parts of a mixture: fewer columns, one column, and the support of its columns."""

import numpy as np

from tacit.families.base import Distribution
from tacit.models.components.base import Component
from tacit.models.components.steps import take
from tacit.models.mixture.model import Mixture


def marginal(model: Mixture, columns: tuple[int, ...]) -> Mixture:
    """The mixture of some columns, in the order asked for; the others are integrated out.

    Raises:
        ValueError: some but not all columns of one vector event (a multinomial row).
    """
    kept = []
    for group in model.groups:
        positions = np.array([i for i, column in enumerate(group.columns) if column in columns], dtype=int)
        if positions.size:
            kept.append(group.marginal(positions, tuple(columns.index(group.columns[i]) for i in positions)))
    return Mixture(model.log_weights, tuple(kept), model.active)


def owner(model: Mixture, column: int) -> tuple[Component, int]:
    """The group a column belongs to, and its place there."""
    for group in model.groups:
        if column in group.columns:
            return group, group.columns.index(column)
    raise ValueError(f"the mixture has no column {column}")


def column_family(model: Mixture, column: int) -> Distribution:
    """The density of one column under every component, with batch ``[K]``.

    Raises:
        ValueError: a column of a vector event (a multinomial row), which has no density of its own.
    """
    group, place = owner(model, column)
    return group.column(place)


def supported(model: Mixture, rows: np.ndarray) -> np.ndarray:
    """Where an entry ``[rows, D]`` is missing or lies in the support of its column's family."""
    inside = np.ones(rows.shape, dtype=bool)
    for group in model.groups:
        x = take(rows, group.columns)
        inside[:, group.columns] = group.supports(x) | np.isnan(x)
    return inside
