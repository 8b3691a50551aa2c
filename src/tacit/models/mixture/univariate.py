"""One column of a mixture: its distribution function and its quantiles, on the host in NumPy."""

from collections.abc import Callable
from functools import singledispatch

import numpy as np
from scipy import special

from tacit.families.bernoulli import Bernoulli
from tacit.families.categorical import Categorical
from tacit.families.exponential import Exponential
from tacit.families.gamma import Gamma
from tacit.families.log_normal import LogNormal
from tacit.families.negative_binomial import NegativeBinomial
from tacit.families.normal import Normal
from tacit.families.poisson import Poisson
from tacit.families.student_t import StudentT
from tacit.models.mixture.predictive import Density, LogStudentT, Lomax

Cdf = Callable[[np.ndarray], np.ndarray]

_LOG_RANGE = 709.0
"""Logarithms of float64 numbers that neither overflow nor vanish lie within ± this."""


@singledispatch
def cdf(family: Density, x: np.ndarray) -> np.ndarray:
    """``P(X ≤ x)`` of a batch of univariate distributions; x broadcasts against the batch."""
    raise ValueError(f"no distribution function is known for the family {family.name}")


@cdf.register
def _(family: Normal, x: np.ndarray) -> np.ndarray:
    return special.ndtr((x - family.means) / np.sqrt(family.variances))


@cdf.register
def _(family: LogNormal, x: np.ndarray) -> np.ndarray:
    positive = x > 0
    return np.where(positive, cdf(family.logarithm, np.log(np.where(positive, x, 1.0))), 0.0)


@cdf.register
def _(family: StudentT, x: np.ndarray) -> np.ndarray:
    return special.stdtr(family.dofs, (x - family.locations) / family.scales)


@cdf.register
def _(family: Exponential, x: np.ndarray) -> np.ndarray:
    return -np.expm1(-np.asarray(family.rates) * np.maximum(x, 0.0))


@cdf.register
def _(family: LogStudentT, x: np.ndarray) -> np.ndarray:
    positive = x > 0
    return np.where(positive, cdf(family.logarithm, np.log(np.where(positive, x, 1.0))), 0.0)


@cdf.register
def _(family: Lomax, x: np.ndarray) -> np.ndarray:
    return -np.expm1(-np.asarray(family.shapes) * np.log1p(np.maximum(x, 0.0) / np.asarray(family.scales)))


@cdf.register
def _(family: Gamma, x: np.ndarray) -> np.ndarray:
    return special.gammainc(family.shapes, np.asarray(family.rates) * np.maximum(x, 0.0))


@cdf.register
def _(family: Poisson, x: np.ndarray) -> np.ndarray:
    count = np.floor(x)
    return np.where(count >= 0, special.pdtr(np.maximum(count, 0.0), family.rates), 0.0)


@cdf.register
def _(family: NegativeBinomial, x: np.ndarray) -> np.ndarray:
    count = np.floor(x)
    size = np.asarray(family.dispersions)
    share = size / (size + family.means)
    return np.where(count >= 0, special.betainc(size, np.maximum(count, 0.0) + 1.0, share), 0.0)


@cdf.register
def _(family: Bernoulli, x: np.ndarray) -> np.ndarray:
    return np.where(x < 0, 0.0, np.where(x < 1, 1.0 - np.asarray(family.probabilities), 1.0))


@cdf.register
def _(family: Categorical, x: np.ndarray) -> np.ndarray:
    codes = np.arange(family.levels)
    return np.where(codes <= np.asarray(x)[..., None], family.probabilities, 0.0).sum(-1)


POSITIVE = (LogNormal, Exponential, Gamma, LogStudentT, Lomax)
COUNTS = (Poisson, NegativeBinomial)
CODES = (Bernoulli, Categorical)


def quantile(family: Density, mixed: Cdf, q: np.ndarray) -> np.ndarray:
    """``inf {x : F(x) ≥ q}`` of a mixture F of members of one family.

    Args:
        family: the components; only their kind, location and spread are used.
        mixed: F, from values to probabilities of the same shape.
        q: probabilities strictly between 0 and 1.
    """
    if isinstance(family, CODES):
        levels = family.levels if isinstance(family, Categorical) else 2
        inner = np.stack([mixed(np.full(q.shape, float(code))) for code in range(levels)])
        # the sum of all levels is 1, whatever rounding says
        return np.minimum((inner < q - 4 * np.finfo(float).eps).sum(0), levels - 1).astype(np.float64)
    if isinstance(family, COUNTS):
        return _count_quantile(mixed, q)
    if isinstance(family, POSITIVE):
        low, high = bracket(lambda t: mixed(np.exp(t)), q, 0.0, 1.0, _LOG_RANGE)
        return np.exp(root(lambda t: mixed(np.exp(t)) - q, low, high))
    centres, scale = _whereabouts(family)
    reach = float(np.ptp(centres) + scale)
    low, high = bracket(mixed, q, float(np.mean(centres)), reach, np.finfo(float).max)
    return root(lambda x: mixed(x) - q, low, high)


def _whereabouts(family: Density) -> tuple[np.ndarray, float]:
    """Centres of the components on the line, and the largest scale."""
    match family:
        case Normal():
            return np.asarray(family.means), float(np.sqrt(np.max(family.variances)))
        case StudentT():
            return np.asarray(family.locations), float(np.max(family.scales))
    raise ValueError(f"no quantiles are known for the family {family.name}")


def _count_quantile(mixed: Cdf, q: np.ndarray) -> np.ndarray:
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
