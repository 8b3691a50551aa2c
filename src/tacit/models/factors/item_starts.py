"""A start for items: thresholds of the margins, slopes from the principal axes of scored columns."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.special
from jaxtyping import Float

from tacit.models.factors.item_blocks import Counts, ItemBlock, Normals
from tacit.models.factors.item_levels import Graded, Nominal
from tacit.models.factors.items import ItemModel

FAMILIES = ("normal", "binary", "ordinal", "count", "categorical")
"""What a column may be."""
MOST_SHARE = 0.8
"""Of a response's variance that a start lets the factors explain."""
EMPTY = 0.5
"""Rows that a level has which no row has."""


class ItemShape(NamedTuple):
    """What is set of a model."""

    factors: int
    link: str = "probit"
    """Of binary and ordinal columns."""
    per_factor: int | None = None
    """Nodes; None for the usual number."""
    least: float = 0.005
    """The smallest noise of a normal column, in its variances."""


def first_items(
    rows: Float[np.ndarray, "rows dims"],
    weights: Float[np.ndarray, " rows"],
    families: Sequence[str],
    levels: Sequence[int],
    shape: ItemShape,
) -> ItemModel:
    """A model to begin with.

    Args:
        rows: levels as codes, NaN where missing; every column has a value and varies.
        weights: of the rows, above 0.
        families: one of `FAMILIES` a column.
        levels: how many a column has; 0 of numbers.
        shape: of the model.
    """
    grouped: dict[tuple[str, int], list[int]] = {}
    for place, (family, number) in enumerate(zip(families, levels, strict=True)):
        kind = "ordinal" if family == "binary" else family
        grouped.setdefault((kind, number), []).append(place)
    scored = [
        _scored(rows[:, place], weights, levels[place] if families[place] == "categorical" else 0)
        for place in range(rows.shape[1])
    ]
    loadings = _axes(np.concatenate(scored, axis=1), weights, shape.factors)
    ends = np.cumsum([0, *(part.shape[1] for part in scored)])
    own = [loadings[ends[place] : ends[place + 1]] for place in range(rows.shape[1])]
    blocks = tuple(
        _block(kind, number, tuple(places), rows, weights, np.stack([own[place] for place in places]), shape)
        for (kind, number), places in grouped.items()
    )
    return ItemModel(blocks, shape.factors, shape.per_factor)


def _scored(values: np.ndarray, weights: np.ndarray, levels: int) -> np.ndarray:
    """A column, or its levels but the first one by one, with mean 0 and deviation 1; 0 where missing."""
    seen = ~np.isnan(values)
    each = (values[:, None] == np.arange(1, levels)).astype(np.float64) if levels else values[:, None].copy()
    weight = np.where(seen, weights, 0.0)
    each[~seen] = 0.0
    middle = weight @ each / weight.sum()
    apart = np.where(seen[:, None], each - middle, 0.0)
    width = np.sqrt(weight @ apart**2 / weight.sum())
    return apart / np.where(width > 0, width, 1.0)


def _axes(scored: np.ndarray, weights: np.ndarray, factors: int) -> np.ndarray:
    """Loadings of the first principal axes, each column's shares at most `MOST_SHARE` together."""
    spread = (scored * weights[:, None]).T @ scored / weights.sum()
    values, axes = np.linalg.eigh(spread)
    most = min(factors, len(values))
    found = np.zeros((len(values), factors))
    found[:, :most] = (axes * np.sqrt(np.maximum(values - 0.5, 0.1)))[:, ::-1][:, :most]
    found[:, most:] = 0.1 * np.cos(np.outer(np.arange(len(values)) + 1, np.arange(factors - most) + 1))
    found *= np.where(found.sum(0) < 0, -1.0, 1.0)
    share = (found**2).sum(1, keepdims=True)
    return found * np.sqrt(np.minimum(1.0, MOST_SHARE / np.maximum(share, 1e-300)))


def _block(
    kind: str,
    levels: int,
    places: tuple[int, ...],
    rows: np.ndarray,
    weights: np.ndarray,
    loadings: np.ndarray,
    shape: ItemShape,
) -> ItemBlock:
    values, link = rows[:, list(places)], shape.link
    weight = np.where(np.isnan(values), 0.0, weights[:, None])
    seen = weight.sum(0)
    filled = np.nan_to_num(values, nan=0.0)
    middle = (weight * filled).sum(0) / seen
    if kind == "normal":
        scale = np.sqrt((weight * (filled - middle) ** 2).sum(0) / seen)
        noise = 1.0 - (loadings[:, 0] ** 2).sum(1)
        return Normals(places, np.zeros((len(places), 1)), loadings, link, noise, middle, scale, shape.least)
    if kind == "count":
        spread = np.sqrt((weight * (filled - middle) ** 2).sum(0) / seen)
        slopes = loadings * np.minimum(spread / middle, 1.0)[:, None, None] * 0.7
        return Counts(places, np.log(middle)[:, None] - 0.5 * (slopes[:, 0] ** 2).sum(1)[:, None], slopes, link)
    counted = np.stack([(weight * (values == level)).sum(0) for level in range(levels)], axis=1)
    counted = np.where(counted > 0, counted, EMPTY)
    shares = counted / counted.sum(1, keepdims=True)
    if kind == "categorical":
        return Nominal(places, np.log(shares[:, 1:] / shares[:, :1]), loadings, link)
    own = loadings / np.sqrt(1.0 - (loadings**2).sum(-1, keepdims=True))
    above = shares[:, ::-1].cumsum(1)[:, ::-1][:, 1:]
    wide = np.sqrt(1.0 + (own**2).sum(-1))
    if link == "probit":
        return Graded(places, scipy.special.ndtri(above) * wide, own, link)
    return Graded(places, scipy.special.logit(above) * wide, own * 1.7, link)
