"""What a fitted item model says of its columns: standardised loadings, thresholds, slopes and difficulties.

Behind a column stands a response ``λ·z + ε``; a loading is the correlation of the response with a factor,
``λ / √(λ·λ + v)``, with v = Var ε: 1 of a probit, π²/3 of a logit, ψ of a normal column, ``log(1 + 1/μ)`` of a count
with the mean μ (Nakagawa & Schielzeth 2010), and of the utility of a level, taken from the mean of all levels, π²/6.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.models.factors.item_blocks import ItemBlock
from tacit.models.factors.item_levels import Graded, Nominal
from tacit.models.factors.items import ItemModel


class ItemLines(NamedTuple):
    """A line a column, or a level of a column without an order."""

    columns: tuple[int, ...]
    levels: tuple[int, ...]
    """The level of a line; −1 of a column."""
    loadings: Float[np.ndarray, "lines factors"]
    """Standardised, not rotated."""


def lines_of(model: ItemModel) -> ItemLines:
    """In the order of the columns."""
    found: list[tuple[int, int, np.ndarray]] = []
    for block in model.blocks:
        own, variances = _responses(block)
        share = (own**2).sum(-1)
        loadings = own / np.sqrt(share + variances)[..., None]
        for column, several in zip(block.columns, loadings, strict=True):
            levels = range(len(several)) if isinstance(block, Nominal) else (-1,)
            found += [(column, level, line) for level, line in zip(levels, several, strict=True)]
    found.sort(key=lambda each: each[:2])
    columns, levels, lines = zip(*found, strict=True)
    return ItemLines(columns, levels, np.stack(lines))


def _responses(block: ItemBlock) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of the responses behind the columns, and what of their variance is their own."""
    if not isinstance(block, Nominal):
        return block.slopes, block.latent_variances()
    whole = np.concatenate([np.zeros_like(block.slopes[:, :1]), block.slopes], axis=1)
    return whole - whole.mean(1, keepdims=True), np.full(whole.shape[:2], np.pi**2 / 6.0)


class Cuts(NamedTuple):
    """Parameters of ordered items, NaN of other columns, and where there are fewer levels."""

    slopes: Float[np.ndarray, "dims factors"]
    """λ, not rotated; of all columns but those of levels without an order."""
    intercepts: Float[np.ndarray, "dims cuts"]
    """a, of all columns."""
    thresholds: Float[np.ndarray, "dims cuts"]
    """``−a / √(λ·λ + v)``: where the standardised response is cut."""


def cuts_of(model: ItemModel) -> Cuts:
    """In the order of the columns."""
    dims = sum(len(block.columns) for block in model.blocks)
    most = max(block.intercepts.shape[1] for block in model.blocks)
    slopes = np.full((dims, model.factors), np.nan)
    intercepts, thresholds = np.full((dims, most), np.nan), np.full((dims, most), np.nan)
    for block in model.blocks:
        places, number = list(block.columns), block.intercepts.shape[1]
        intercepts[places, :number] = block.intercepts
        if not isinstance(block, Nominal):
            slopes[places] = block.slopes[:, 0]
        if isinstance(block, Graded):
            wide = np.sqrt((block.slopes[:, 0] ** 2).sum(1)[:, None] + block.latent_variances())
            thresholds[places, :number] = -block.intercepts / wide
    return Cuts(slopes, intercepts, thresholds)
