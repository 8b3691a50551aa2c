"""Standard errors of items: the information is the sum of the outer products of the rows' gradients.

At the maximum it estimates the observed information (Berndt, Hall, Hall & Hausman 1974). Of several factors it is
singular along rotations of all slopes together; a rotated solution is fixed by its equations (those of
`tacit.models.factors.errors`), so what is told of it does not depend on where along them the parameters stand, and the
delta method needs no more than any inverse across them. Difficulties are ``β = −a/λ``.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.models.factors.errors import equations_of, jacobian
from tacit.models.factors.item_levels import Graded
from tacit.models.factors.item_lines import cuts_of, lines_of
from tacit.models.factors.items import Coded, ItemModel
from tacit.models.factors.rotation import ORTHOGONAL

SINGULAR = 1e-10
"""The smallest eigenvalue of an information that says something of every parameter, with 1 on its diagonal."""


class FactorFrame(NamedTuple):
    """How the factors are told."""

    transformation: Float[np.ndarray, "factors factors"]
    """T: of loadings A in the coordinates of the model, ``A inv(T)ᵀ`` are told."""
    method: str | None
    """The rotation; None for the canonical solution."""
    normalise: bool


def item_errors(model: ItemModel, coded: Coded, precision: float, turned: FactorFrame) -> dict[str, np.ndarray]:
    """Of loadings, correlations of factors, slopes, intercepts and difficulties; NaN where a column has none.

    Args:
        model: at its maximum.
        coded: the rows.
        precision: of the prior.
        turned: the rotation.

    Raises:
        ValueError: the information is singular, or the rotation is promax.
    """
    if turned.method == "promax" and model.factors > 1:
        raise ValueError(
            "promax is no minimum of a criterion, so that its standard errors are not known in closed form: take "
            "rotation='oblimin', or fit to replicates of the rows and take their spread"
        )
    covariance = _covariance(model, coded, precision)
    told = _told(model, turned)
    by_value, at = jacobian(told.values, model.flat()), model.flat()
    if model.factors > 1:
        by_turn = jacobian(lambda turn: told.values(at, turn), np.zeros(told.free))
        across = jacobian(told.equations, told.values(at))
        by_value = by_value - by_turn @ np.linalg.solve(across @ by_turn, across @ by_value)
    spread = np.sqrt(np.maximum(np.einsum("ij,jk,ik->i", by_value, covariance, by_value), 0.0))
    return told.parted(spread) | _cut_errors(model, covariance)


def _covariance(model: ItemModel, coded: Coded, precision: float) -> Float[np.ndarray, "parameters parameters"]:
    """The inverse of the information, held along rotations, of which nothing that is told depends."""
    gradients = model.gradients(coded)
    information = (gradients * coded.weights[:, None]).T @ gradients
    held = [np.tile(block.held(precision), len(block.columns)) for block in model.blocks]
    information[np.diag_indices_from(information)] += np.concatenate(held)
    size = np.sqrt(np.maximum(np.diagonal(information), 1e-300))
    scaled = information / size[:, None] / size
    for k in range(model.factors):
        for m in range(k):
            along = size * _rotated(model, k, m)
            along /= max(np.sqrt(along @ along), 1e-300)
            scaled = scaled + np.outer(along, along)
    if np.linalg.eigvalsh(scaled)[0] < SINGULAR:
        raise ValueError(
            "the information is singular: there are too few rows for so many parameters, or a slope has no end. Give "
            "prior_scale, or leave such columns out"
        )
    return np.linalg.inv(scaled) / size[:, None] / size


def _rotated(model: ItemModel, k: int, m: int) -> Float[np.ndarray, " parameters"]:
    """How the parameters move where two factors are turned into one another."""
    parts = []
    for block in model.blocks:
        move = np.zeros_like(block.flat())
        slopes = np.zeros_like(block.slopes)
        slopes[..., k], slopes[..., m] = -block.slopes[..., m], block.slopes[..., k]
        cuts = block.intercepts.shape[1]
        move[:, cuts : cuts + slopes[0].size] = slopes.reshape(len(slopes), -1)
        parts.append(move.ravel())
    return np.concatenate(parts)


class _Figures(NamedTuple):
    """What is told of the factors, in one row: loadings, correlations of factors, slopes."""

    values: Callable[..., np.ndarray]
    equations: Callable[[np.ndarray], np.ndarray]
    parted: Callable[[np.ndarray], dict[str, np.ndarray]]
    free: int
    """Numbers that a turn of the factors has."""


def _told(model: ItemModel, turned: FactorFrame) -> _Figures:
    factors = model.factors
    lines, dims = lines_of(model).loadings.shape[0], sum(len(block.columns) for block in model.blocks)
    oblique = turned.method is not None and turned.method not in ORTHOGONAL and factors > 1
    pairs = [(k, m) for k in range(factors) for m in range(k)]
    free = len(pairs) * (2 if oblique else 1)
    count = lines * factors

    def values(at: np.ndarray, turn: np.ndarray | None = None) -> np.ndarray:
        here, moved = model.with_flat(at), np.zeros((factors, factors))
        if turn is not None:
            for place, (k, m) in enumerate(pairs):
                moved[m, k] = turn[len(pairs) + place] if oblique else -turn[place]
                moved[k, m] = turn[place]
        frame = turned.transformation @ (np.eye(factors) + moved)
        frame = frame / np.sqrt((frame**2).sum(0)) if oblique else frame
        back = np.linalg.inv(frame).T
        correlations = frame.T @ frame
        several = [correlations[k, m] for k, m in pairs] if oblique else []
        slopes = np.nan_to_num(cuts_of(here).slopes)
        return np.concatenate([(lines_of(here).loadings @ back).ravel(), several, (slopes @ back).ravel()])

    known = equations_of(turned.method, pairs if oblique else [], lines, factors, turned.normalise)
    end = count + (len(pairs) if oblique else 0)

    def parted(spread: np.ndarray) -> dict[str, np.ndarray]:
        between = np.zeros((factors, factors))
        for value, (k, m) in zip(spread[count:end], pairs, strict=False):
            between[k, m] = between[m, k] = value
        slopes = np.where(np.isnan(cuts_of(model).slopes), np.nan, spread[end:].reshape(dims, factors))
        return {
            "loadings": spread[:count].reshape(lines, factors),
            "factor_correlations": between,
            "discriminations": slopes,
        }

    return _Figures(values, lambda told: known(told[:end]), parted, free)


def _cut_errors(model: ItemModel, covariance: np.ndarray) -> dict[str, np.ndarray]:
    """Of intercepts and, of one factor, difficulties."""
    dims = sum(len(block.columns) for block in model.blocks)
    most = max(block.intercepts.shape[1] for block in model.blocks)
    intercepts, difficulties = np.full((dims, most), np.nan), np.full((dims, most), np.nan)
    start = 0
    for block in model.blocks:
        cuts, number = block.intercepts.shape[1], block.flat().shape[1]
        for row, column in enumerate(block.columns):
            own = covariance[start : start + number, start : start + number]
            start += number
            intercepts[column, :cuts] = np.sqrt(np.diagonal(own))[:cuts]
            if isinstance(block, Graded) and model.factors == 1:
                slope = block.slopes[row, 0, 0]
                by_slope = block.intercepts[row] / slope**2
                square = own.diagonal()[:cuts] / slope**2 + by_slope**2 * own[cuts, cuts]
                square = square - 2.0 * by_slope / slope * own[:cuts, cuts]
                difficulties[column, :cuts] = np.sqrt(square)
    found = {"intercepts": intercepts}
    return found | {"difficulties": difficulties} if model.factors == 1 else found
