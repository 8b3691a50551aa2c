"""One Newton step that never goes down: what a generalised M-step takes of a log-likelihood without a closed form.

Of a softmax, a logistic or a log-linear model the third derivative along d is at most M times the second, where M
bounds the range of ``xᵀd`` (of all differences between classes, for a softmax). Along Newton's direction the length
``log(1 + M) / M`` then maximises a lower bound of the log-likelihood (Bach 2010, "Self-concordant analysis for
logistic regression", section 2); near the maximum it goes to 1, and the step is Newton's.
"""

import numpy as np
from jaxtyping import Float

RANK = 1e-12
"""Below this share of the largest, an eigenvalue of an information (scaled to ones) is read as 0."""


def newton_direction(
    gradient: Float[np.ndarray, "... p"], information: Float[np.ndarray, "... p p"]
) -> Float[np.ndarray, "... p"]:
    """``H⁻¹ g``; along what the rows say nothing of, 0."""
    size = np.sqrt(np.maximum(np.einsum("...pp->...p", information), 1e-300))
    values, vectors = np.linalg.eigh(information / size[..., :, None] / size[..., None, :])
    known = values > RANK * values[..., -1:]
    along = np.einsum("...pq,...p->...q", vectors, gradient / size)
    along = np.where(known, along / np.where(known, values, 1.0), 0.0)
    return np.einsum("...pq,...q->...p", vectors, along) / size


def safe_length(reach: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """``log(1 + M) / M``, 1 where M is 0."""
    small = reach < 1e-8
    return np.where(small, 1.0, np.log1p(reach) / np.where(small, 1.0, reach))


def farthest(
    directions: Float[np.ndarray, "... p"], low: Float[np.ndarray, "*ends p"], high: Float[np.ndarray, "*ends p"]
) -> Float[np.ndarray, "..."]:
    """The largest ``|xᵀd|`` of x between two ends."""
    up = np.maximum(directions * low, directions * high).sum(-1)
    down = np.minimum(directions * low, directions * high).sum(-1)
    return np.maximum(np.abs(up), np.abs(down))
