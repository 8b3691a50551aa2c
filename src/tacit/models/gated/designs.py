"""Designs: the columns that a gate or a regression is linear in, the first of them 1."""

import numpy as np
from jaxtyping import Float

FOLLOWS = 1e-8
"""A column of which no more than this share is left beside those before it follows from them."""


def scaling(
    design: Float[np.ndarray, "rows columns"], weights: Float[np.ndarray, " rows"]
) -> Float[np.ndarray, "columns columns"]:
    """The matrix that centres and scales a design, ``z = T x``; its transpose brings coefficients back."""
    mean = weights @ design / weights.sum()
    spread = np.sqrt(weights @ (design - mean) ** 2 / weights.sum())
    flat = spread <= 1e-12 * np.abs(mean)
    onto = np.diag(1.0 / np.where(flat, 1.0, spread))
    onto[:, 0] = -mean * np.diagonal(onto)
    onto[0] = np.eye(len(mean))[0]
    return onto


def redundant(design: Float[np.ndarray, "rows columns"], weights: Float[np.ndarray, " rows"]) -> tuple[int, ...]:
    """The columns that follow from those before them, such as constant ones: their coefficients cannot be told."""
    scaled = design @ scaling(design, weights).T * np.sqrt(weights / weights.sum())[:, None]
    kept: list[np.ndarray] = []
    found = []
    for place, column in enumerate(scaled.T):
        rest = column
        for _ in range(2):
            for basis in kept:
                rest = rest - (basis @ rest) * basis
        size = float(np.linalg.norm(rest))
        if size > FOLLOWS:  # a column that is not constant has length 1
            kept.append(rest / size)
        else:
            found.append(place)
    return tuple(found)
