"""Importance sampling that knows when it fails: Pareto-smoothed weights and their diagnostic k̂.

A density q is good enough to be mended by weights ``p(x, θ)/q(θ)`` if the weights' tail is light. The tail is fitted
by a generalised Pareto distribution, whose shape k̂ says how many moments the weights have (Yao et al. 2018; Vehtari,
Simpson, Gelman, Yao & Gabry 2024).
"""

import contextlib
import math
import warnings
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

RELIABLE = 0.7
"""Above this k̂ no number of draws that one can afford makes the weighted averages reliable."""
PRIOR_DRAWS = 10.0
"""What the prior ½ on k̂ weighs, in draws of the tail."""
LEAST_TAIL = 5
"""Fewer draws than this make no tail: k̂ is then infinite."""


class UncertainWeights(UserWarning):
    """Weighted draws that are not to be trusted, where they were taken; who asks many things says so once."""


@contextlib.contextmanager
def unsaid() -> Iterator[None]:
    """Within it nothing is said of uncertain weights: what is asked there nobody has asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UncertainWeights)
        yield


class Smoothed(NamedTuple):
    """Importance weights whose tail has been smoothed."""

    log_weights: Float[np.ndarray, " draws"]
    """Of sum one."""
    khat: float
    """Shape of the tail: below 0.7 the weights can be used; infinite where there are too few draws to say."""
    effective: float
    """``1/Σ w²``: how many draws of the posterior these are worth."""


def pareto_smooth(log_ratios: Float[np.ndarray, " draws"]) -> Smoothed:
    """The weights ``∝ p/q`` of draws from q, the largest replaced by the quantiles of a fitted Pareto tail.

    Args:
        log_ratios: ``log p(x, θ_s) − log q(θ_s)``, in nats, up to a constant; −∞ where the posterior has no mass.

    Raises:
        ValueError: a ratio that is no number or +∞, or no draw with any mass.
    """
    ratios = np.asarray(log_ratios, np.float64)
    if np.isnan(ratios).any() or np.isposinf(ratios).any():
        raise ValueError("log_ratios must be finite or −inf: some are NaN or +inf")
    if not np.isfinite(ratios).any():
        raise ValueError("no draw has any mass under the joint density: every log_ratio is −inf")
    lifted = ratios - ratios.max()
    tail = math.ceil(min(0.2 * ratios.size, 3.0 * math.sqrt(ratios.size)))
    khat = math.inf
    if tail >= LEAST_TAIL and ratios.size > tail:
        order = np.argsort(lifted, kind="stable")
        largest, cutoff = order[-tail:], lifted[order[-tail - 1]]
        excess = np.exp(lifted[largest]) - math.exp(cutoff)
        khat = 0.0
        if excess[-1] > 1e-10 * max(math.exp(cutoff), 1e-300) and excess[0] < excess[-1]:
            khat, scale = _pareto(np.maximum(excess, 1e-300))
            place = (np.arange(tail) + 0.5) / tail
            lifted = lifted.copy()
            smooth = _quantile(place, khat, scale) + math.exp(cutoff)
            lifted[largest] = np.minimum(np.log(smooth), 0.0)
    total = np.logaddexp.reduce(lifted)
    weights = lifted - total
    return Smoothed(weights, float(khat), float(1.0 / np.exp(2.0 * weights).sum()))


def _pareto(excess: Float[np.ndarray, " tail"]) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution of sorted excesses (Zhang & Stephens 2009).

    The shape is drawn towards ½ with the weight of ``PRIOR_DRAWS`` draws, for short tails are noisy.
    """
    number = excess.size
    grid = 30 + int(math.sqrt(number))
    steps = np.arange(1, grid + 1)
    quarter = excess[int(number / 4.0 + 0.5) - 1]
    theta = 1.0 / excess[-1] + (1.0 - np.sqrt(grid / (steps - 0.5))) / (3.0 * quarter)
    shapes = np.log1p(-theta[:, None] * excess).mean(1)
    profile = number * (np.log(-theta / shapes) - shapes - 1.0)
    share = np.exp(profile - np.logaddexp.reduce(profile))
    best = float(theta @ share)
    shape = float(np.log1p(-best * excess).mean())
    scale = -shape / best
    return (shape * number + 0.5 * PRIOR_DRAWS) / (number + PRIOR_DRAWS), scale


def _quantile(place: Float[np.ndarray, " tail"], shape: float, scale: float) -> Float[np.ndarray, " tail"]:
    if abs(shape) < 1e-12:
        return -scale * np.log1p(-place)
    return scale * np.expm1(-shape * np.log1p(-place)) / shape
