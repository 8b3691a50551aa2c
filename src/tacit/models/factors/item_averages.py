"""Of items under normal z: what a variational bound needs of a family, by quadrature in one dimension.

Given z ~ N(m, V) of a row, a height ``η = λ·z`` is normal with the mean ``λ·m`` and the variance ``λᵀVλ``, whatever
the number of factors (Opper & Archambeau 2009). So ``E[log p(x | η)]`` and its derivatives are sums over a few nodes
of a Gauss–Hermite rule, and in closed form where ``log p`` is a square or an exponential of η.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(11)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
NARROW = 1e-5
"""The least deviation of a height: derivatives by its variance are differences over the nodes."""


class Averages(NamedTuple):
    """Of the columns of a block, for every row; 0 where missing.

    A column has one height, or one for each level but the first (sets).
    """

    value: Float[np.ndarray, "rows items"]
    """``E[log p(x | η)]``, or less."""
    by_height: Float[np.ndarray, "rows items sets"]
    """Its derivative by the mean of η."""
    curvature: Float[np.ndarray, "rows items sets sets"]
    """−2 times its derivative by the covariance of η: not negative."""
    by_other: Float[np.ndarray, "rows items other"]
    """Its derivative by the intercepts, and by a noise."""
    squares: Float[np.ndarray, "rows items both both"]
    """The information on the intercepts and noise, then the heights."""


class Rise(NamedTuple):
    """The log-density of a value at heights, and its derivatives."""

    value: Float[np.ndarray, "rows items nodes"]
    by_height: Float[np.ndarray, "rows items nodes"]
    by_other: Float[np.ndarray, "rows items nodes other"]


def averaged(
    rise: Callable[[np.ndarray], Rise],
    mean: Float[np.ndarray, "rows items"],
    variance: Float[np.ndarray, "rows items"],
) -> Averages:
    """By quadrature, of a column with one height.

    Args:
        rise: of heights ``[rows, items, nodes]``.
        mean, variance: of the heights.
    """
    spread = np.maximum(np.sqrt(variance), NARROW)
    found = rise(mean[..., None] + spread[..., None] * NODES)
    by_height = found.by_height @ WEIGHTS
    curvature = np.maximum(-(found.by_height @ (WEIGHTS * NODES)) / spread, 0.0)
    both = np.concatenate([found.by_other, found.by_height[..., None]], axis=-1)
    squares = np.swapaxes(both * WEIGHTS[:, None], -1, -2) @ both
    by_other = np.einsum("njmp,m->njp", found.by_other, WEIGHTS)
    return Averages(found.value @ WEIGHTS, by_height[..., None], curvature[..., None, None], by_other, squares)
