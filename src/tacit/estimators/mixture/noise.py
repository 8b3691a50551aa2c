"""Uniform noise beside the groups of a mixture: its box, and the rows that a fit begins with as noise."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from tacit.data.blocks import Standardise
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.families.uniform import Uniform
from tacit.models.components.base import Component
from tacit.models.components.concatenated import ConcatenatedComponent
from tacit.models.components.product import FamilyComponent
from tacit.models.scattered import scattered

FIRST_SHARE = 0.05
"""The share of a row that a fit begins with as noise, where nothing says more."""

Draw = Callable[..., np.ndarray]
"""`tacit.estimators.mixture.starts.responsibilities`."""


def beside_noise(
    group: Component, width: int, rows: Dataset, values: ColumnMoments, view: Standardise, names: Sequence[str]
) -> ConcatenatedComponent:
    """A template of so many groups of all columns, and noise over the box of the rows, in the coordinates of the view.

    Raises:
        ValueError: a column that does not vary, over which nothing can be spread.
    """
    low, high = rows.ends()
    flat = np.flatnonzero(values.flat | ~(high > low))
    if flat.size:
        listed = ", ".join(repr(names[place]) for place in flat.tolist())
        raise ValueError(
            f"noise=True spreads rows over the box of all columns, and column {listed} does not vary: leave it out, "
            "or fit without noise"
        )
    shift, scale = np.asarray(view.shift), np.asarray(view.scale)
    box = Uniform(((low - shift) / scale)[None], ((high - shift) / scale)[None])
    noise = FamilyComponent(box, None, None, group.columns, 1, values.complete)
    return ConcatenatedComponent((group, noise), (width, 1))


def with_noise(
    draw: Draw,
    methods: Sequence[str],
    features: Float[np.ndarray, "rows features"],
    weights: Float[np.ndarray, " rows"],
    components: np.ndarray,
    width: int,
    random: np.random.Generator,
) -> Float[np.ndarray, "starts rows components"]:
    """The starts of `responsibilities` with one more column, the share of noise.

    The first start of every kind finds its groups among the rows that their neighbours do not call noise, the next one
    among all rows, each with a small share of noise, and so on by turns.
    """
    found = np.zeros((len(methods), features.shape[0], width + 1))
    gathered, everyone = ~scattered(features, weights, random), np.ones(features.shape[0], bool)
    if np.count_nonzero(weights[gathered]) < components.max():
        gathered = everyone
    met: Counter[tuple[str, int]] = Counter()
    ways: tuple[list[int], list[int]] = [], []
    for start, kind in enumerate(zip(methods, components.tolist(), strict=True)):
        ways[met[kind] % 2].append(start)
        met[kind] += 1
    for chosen, kept in zip(ways, (gathered, everyone), strict=True):
        if chosen:
            some = [methods[start] for start in chosen]
            shares = draw(some, features[kept], weights[kept], components[chosen], width, random)
            for start, share in zip(chosen, shares, strict=True):
                whole = share.sum(-1, keepdims=True)  # 0 of rows that a method leaves out
                found[start, kept] = np.hstack([(1.0 - FIRST_SHARE) * share, FIRST_SHARE * whole])
                found[start, ~kept, -1] = whole.mean()
    return found
