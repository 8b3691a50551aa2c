"""How many principal components the likelihood of probabilistic PCA supports (Minka 2001)."""

import numpy as np
import scipy.special
from jaxtyping import Float

ROUNDING = 1e-14
"""The share of the largest eigenvalue below which another is the rounding of 0."""


def log_evidence(values: Float[np.ndarray, " d"], kept: int, weight: float) -> float:
    """Laplace's approximation of the log-evidence of so many components, in nats.

    Args:
        values: all eigenvalues of the covariance, in falling order.
        kept: how many components, from 1 to d − 1.
        weight: of the rows.
    """
    dims = values.size
    least = ROUNDING * values[0]
    if not values[kept - 1] > least:
        return -np.inf
    log_volume = -kept * np.log(2.0)
    order = np.arange(dims, dims - kept, -1) / 2.0
    log_volume += float((scipy.special.gammaln(order) - order * np.log(np.pi)).sum())
    left = max(values[kept:].mean(), least)
    fit = -0.5 * weight * (np.log(values[:kept]).sum() + (dims - kept) * np.log(left))
    free = dims * kept - kept * (kept + 1) / 2.0
    flat = np.where(np.arange(dims) < kept, values, left)
    with np.errstate(divide="ignore"):
        apart = (values[:kept, None] - values[None]) * (1.0 / flat[None] - 1.0 / flat[:kept, None])
        logs = np.log(apart) + np.log(weight)
    curvature = sum(float(logs[i, i + 1 :].sum()) for i in range(kept))
    constant = (free + kept) / 2.0 * np.log(2.0 * np.pi)
    return float(log_volume + fit + constant - 0.5 * curvature - 0.5 * kept * np.log(weight))


def likeliest_number(values: Float[np.ndarray, " d"], weight: float) -> int:
    """The number of components of the largest evidence, from 1 to d − 1."""
    evidence = [log_evidence(values, kept, weight) for kept in range(1, values.size)]
    return int(np.argmax(evidence)) + 1 if evidence else 1
