"""One column of a mixture: its quantiles, on the host in NumPy."""

from collections.abc import Callable

import numpy as np

from tacit.families.base import Distribution

Cdf = Callable[[np.ndarray], np.ndarray]

_LOG_RANGE = 709.0
"""Logarithms of float64 numbers that neither overflow nor vanish lie within ± this."""


def quantile(family: Distribution, mixed: Cdf, q: np.ndarray) -> np.ndarray:
    """``inf {x : F(x) ≥ q}`` of a mixture F of members of one family.

    Args:
        family: the components; only their kind, location and spread are used.
        mixed: F, from values to probabilities of the same shape.
        q: probabilities strictly between 0 and 1.

    Raises:
        ValueError: the family is one of several columns together.
    """
    if family.given_total:
        raise ValueError(f"no quantiles are known for the family {family.name}")
    codes = family.code_probabilities()
    if codes is not None:
        levels = codes.shape[-1]
        inner = np.stack([mixed(np.full(q.shape, float(code))) for code in range(levels)])
        # the sum of all levels is 1, whatever rounding says
        return np.minimum((inner < q - 4 * np.finfo(float).eps).sum(0), levels - 1).astype(np.float64)
    if family.column_kind == "count":
        return count_quantile(mixed, q)
    if family.column_kind == "positive":
        low, high = bracket(lambda t: mixed(np.exp(t)), q, 0.0, 1.0, _LOG_RANGE)
        return np.exp(root(lambda t: mixed(np.exp(t)) - q, low, high))
    centres, scales = family.location_scale()
    reach = float(np.ptp(centres) + np.max(scales))
    low, high = bracket(mixed, q, float(np.mean(centres)), reach, np.finfo(float).max)
    return root(lambda x: mixed(x) - q, low, high)


def count_quantile(mixed: Cdf, q: np.ndarray) -> np.ndarray:
    """``inf {x : F(x) ≥ q}`` among whole numbers from 0."""
    high = np.ones(q.shape)
    while (short := mixed(high) < q).any() and high.max() < 2.0**52:
        high = np.where(short, 2.0 * high, high)
    low = np.full(q.shape, -1.0)  # F(low) < q ≤ F(high)
    while ((high - low) > 1).any():
        middle = np.floor((low + high) / 2)
        reached = mixed(middle) >= q
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return high


def bracket(mixed: Cdf, q: np.ndarray, centre: float, reach: float, limit: float) -> tuple[np.ndarray, np.ndarray]:
    """Ends with ``F(low) ≤ q ≤ F(high)``, found by doubling the reach around the centre, up to ± limit."""
    low, high = np.full(q.shape, centre - reach), np.full(q.shape, centre + reach)
    step = np.full(q.shape, reach)
    while True:
        below, above = mixed(low) > q, mixed(high) < q
        below, above = below & (low > -limit), above & (high < limit)
        if not (below | above).any():
            return low, high
        step = np.minimum(2.0 * step, limit)
        low = np.where(below, np.maximum(low - step, -limit), low)
        high = np.where(above, np.minimum(high + step, limit), high)


def root(f: Cdf, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """A root of each increasing function between its ends, to the last digits (Chandrupatla 1997).

    Inverse quadratic interpolation where it is safe, else bisection; the bracket never widens.
    """
    a, b = low, high
    fa, fb = f(a), f(b)
    c, fc = a, fa
    t = np.full(a.shape, 0.5)
    for _ in range(200):
        best = np.where(np.abs(fa) < np.abs(fb), a, b)
        width = np.abs(b - a)
        tolerance = 2.0 * np.finfo(float).eps * np.abs(best) + np.finfo(float).tiny
        done = (width <= 2.0 * tolerance) | (fa == 0) | (fb == 0)
        if done.all():
            return best
        # stay a little away from the ends, so that the bracket shrinks from both sides
        least = np.where(done, 0.5, tolerance / np.where(done, 1.0, width))
        x = a + np.clip(t, least, 1.0 - least) * (b - a)
        x = np.where(done, best, x)
        fx = f(x)
        kept = np.sign(fx) == np.sign(fa)
        c, fc = np.where(kept, a, b), np.where(kept, fa, fb)
        b, fb = np.where(kept, b, a), np.where(kept, fb, fa)
        a, fa = x, fx
        t = _next_step(a, b, c, fa, fb, fc)
    return np.where(np.abs(fa) < np.abs(fb), a, b)


def _next_step(a, b, c, fa, fb, fc):
    with np.errstate(all="ignore"):
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        safe = (phi**2 < xi) & ((1.0 - phi) ** 2 < 1.0 - xi)
        t = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
    return np.where(safe & np.isfinite(t), t, 0.5)
