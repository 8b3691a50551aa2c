"""What the observed entries of rows say of the missing ones: weights, means and variances.

Columns of one joint group (a Gaussian vector) are conditioned; those of other groups are independent of the observed
ones given the component, so theirs are the moments they always have.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float

from tacit.compute import Array, eagerly
from tacit.data.sources import PIECE_ROWS
from tacit.families.base import Distribution
from tacit.models.components.base import Component, ConditionedColumns
from tacit.models.mixture.conditional import owner
from tacit.models.mixture.model import Mixture
from tacit.models.mixture.rows import each_row, joint_log_prob

_SLICE_NUMBERS = 2**24
"""How many conditional means are held at a time."""


def weigh(model: Mixture, rows: Any) -> tuple[np.ndarray, np.ndarray]:
    """``p(k|x_o)`` ``[rows, K]`` and ``log p(x_o)`` ``[rows]``.

    Where no component allows the row, the weights are NaN and the density −inf.
    """
    joint = joint_log_prob(model, rows)
    log_density = np.asarray(np.logaddexp.reduce(joint, axis=1))
    impossible = np.isneginf(log_density)[:, None]
    weights = np.exp(joint - np.where(impossible, 0.0, log_density[:, None]))
    return np.where(impossible, np.nan, weights), log_density


def marginal_moments(model: Mixture) -> tuple[np.ndarray, np.ndarray]:
    """``E[x_j|k]`` and ``Var[x_j|k]`` of every column, ``[K, D]``; multinomial columns are those of one item."""
    shape = (model.log_weights.shape[0], sum(len(group.columns) for group in model.groups))
    means, variances = np.zeros(shape), np.zeros(shape)
    with eagerly():
        for group in model.groups:
            means[:, group.columns], variances[:, group.columns] = group.moments()
    return means, variances


def joint_groups(model: Mixture) -> tuple[Component, ...]:
    """The groups whose columns depend on one another given the component."""
    return tuple(group for group in model.groups if group.joint)


def joint_part(model: Mixture) -> Mixture:
    """The mixture of those groups alone: the smallest program that conditions rows."""
    return Mixture(model.log_weights, joint_groups(model), model.active)


def _given(model: Mixture, rows: Float[Array, "rows dims"]) -> tuple[ConditionedColumns, ...]:
    return tuple(group.given(rows) for group in model.groups)


def joint_given(model: Mixture, rows: np.ndarray) -> Iterator[tuple[slice, tuple[ConditionedColumns, ...]]]:
    """The joint groups given the observed entries, a slice of the rows at a time."""
    alone = joint_part(model)
    widest = max((len(group.columns) for group in alone.groups), default=1)
    step = max(256, min(PIECE_ROWS, _SLICE_NUMBERS // (widest * np.size(model.log_weights))))
    for start in range(0, rows.shape[0], step):
        part = slice(start, start + step)
        yield part, each_row(_given, alone, rows[part]) if alone.groups else ()


def mixed_moments(model: Mixture, rows: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance ``[rows, D]`` of every missing entry given the observed ones.

    The law of total variance: ``Var[x|x_o] = Σ_k r_k (Var[x|x_o,k] + (E[x|x_o,k] − E[x|x_o])²)``.

    Args:
        model: the mixture, with NumPy leaves.
        rows: ``[rows, D]`` with gaps; what is found at observed entries means nothing.
        weights: ``r_k = p(k|x_o)``, ``[rows, K]``.
    """
    means, variances = marginal_moments(model)
    mean = weights @ means
    spread = np.zeros(mean.shape)
    for weight, centre, variance in zip(weights.T, means, variances, strict=True):
        spread += weight[:, None] * (variance + (centre - mean) ** 2)
    columns = [group.columns for group in joint_groups(model)]
    for part, found in joint_given(model, rows):
        share = weights[part, :, None]
        for places, given in zip(columns, found, strict=True):
            centres, left = given.means, given.variances()
            middle = np.sum(share * centres, axis=1)
            mean[part, places] = middle
            spread[part, places] = np.sum(share * (left + (centres - middle[:, None]) ** 2), axis=1)
    return mean, spread


def conditional_column(model: Mixture, column: int, rows: np.ndarray) -> Distribution:
    """One column given the observed entries, with batch ``[rows, K]`` (or ``[1, K]`` for all)."""
    group, place = owner(model, column)
    found: list[ConditionedColumns] = []
    if group.joint:
        number = [each.columns for each in joint_groups(model)].index(group.columns)
        found = [given[number] for _, given in joint_given(model, rows)]
    return group.column_given(place, found)
