"""Special functions in forms that keep their digits: what is left of log Γ and log once the bulk cancels.

The naive expressions subtract numbers that are almost equal (``log x!`` and ``x log x − x`` of a large
count); here the remainder itself is computed, so that densities, entropies and divergences keep about 1e-15
of *their* size. Sources: Loader (2000), "Fast and accurate computation of binomial probabilities" (deviance
and Stirling's remainder); Abramowitz & Stegun (1964) 6.1.41, 6.3.18 (the asymptotic series).
"""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import special, written_once, xp
from tacit.compute import LOG_2PI, Array

_SERIES_FROM = 16.0
"""From here on the asymptotic series of log Γ and ψ are exact to the last digit of a float64."""


def unit_columns(x: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    """Columns centred and scaled to a variance of 1 over what is seen of them, missing entries at the centre."""
    seen = ~np.isnan(x)
    mean = np.where(seen, x, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    centred = np.where(seen, x - mean, 0.0)
    deviation = np.sqrt((centred**2).mean(axis=0))
    return centred / np.where(deviation > 0, deviation, 1.0)


def choose(weights: Float[np.ndarray, "rows codes"], random: np.random.Generator) -> np.ndarray:
    """``min{k : u < w_1 + … + w_k}`` of a uniform u, for every row of weights that sum to 1."""
    edges = np.cumsum(weights, axis=1)
    level = random.uniform(size=(weights.shape[0], 1)) * edges[:, -1:]
    level = np.minimum(level, np.nextafter(edges[:, -1:], 0.0))
    # strictly below the edge chosen, so that a code of weight 0 never is
    return np.sum(edges <= level, axis=1)


def tiny(x: Array) -> float:
    """The smallest normal number of the array's dtype: what a probability of zero is read as."""
    return float(xp.finfo(xp.result_type(x)).tiny)


def log_floored(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """``log max(x, tiny)``: finite for every x ≥ 0."""
    return xp.log(xp.maximum(x, tiny(x)))


def on_support(
    supported: Bool[Array, "..."], x: Float[Array, "..."], log_density: Float[Array, "..."]
) -> Float[Array, "..."]:
    """The log-density where x is supported, −inf where it is not, NaN where x is missing."""
    return xp.where(supported, log_density, xp.where(xp.isnan(x), xp.nan, -xp.inf))


def ratio(total: Float[Array, "..."], weight: Float[Array, "..."]) -> Float[Array, "..."]:
    """``total / weight``, and 0 where the weight is 0."""
    return xp.where(weight > 0, total, 0.0) / xp.where(weight > 0, weight, 1.0)


def _atanh_tail(v: Float[Array, "..."]) -> Float[Array, "..."]:
    """``atanh(v) − v`` by its series ``Σ_{j≥1} v^{2j+1}/(2j+1)``, for |v| ≤ 0.1."""
    square = v * v
    total: Array = xp.zeros_like(v)
    for j in range(9, 0, -1):
        total = square * (total + 1.0 / (2 * j + 1))
    return v * total


@written_once
def deviance(x: Float[Array, "..."], m: Float[Array, "..."]) -> Float[Array, "..."]:
    """``x log(x/m) − x + m`` for x, m ≥ 0: never negative, zero iff x = m, infinite where m = 0 < x.

    It is the Kullback-Leibler divergence between Poissons of means x and m, and a building block of most
    others.
    """
    both = (x > 0) & (m > 0)
    u, v = xp.where(both, x, 1.0), xp.where(both, m, 1.0)
    relative = (u - v) / (u + v)
    near = xp.abs(relative) < 0.1
    z = xp.where(near, relative, 0.0)
    series = (u - v) * z + 2.0 * u * _atanh_tail(z)
    direct = u * xp.log(xp.clip(u / v, tiny(u), 1.0 / tiny(u))) + v - u
    return xp.where(both, xp.where(near, series, direct), xp.where(x > 0, xp.inf, m))


@written_once
def log1p_gap(w: Float[Array, "..."]) -> Float[Array, "..."]:
    """``w − log(1 + w)`` for w > −1: about w²/2 near zero."""
    relative = w / (2.0 + w)
    near = xp.abs(relative) < 0.1
    z = xp.where(near, relative, 0.0)
    return xp.where(near, w * z - 2.0 * _atanh_tail(z), w - xp.log1p(xp.where(near, 1.0, w)))


@written_once
def expm1_gap(v: Float[Array, "..."]) -> Float[Array, "..."]:
    """``v − (1 − e^{−v})`` for v ≥ 0: about v²/2 near zero."""
    near = v < 0.5
    z = xp.where(near, v, 0.0)
    total = xp.zeros_like(z)
    for j in range(16, 1, -1):  # v²/2 − v³/6 + … = (v²/2)(1 − (v/3)(1 − (v/4)(…)))
        total = z / j * (1.0 - total)
    return xp.where(near, z * total, v + xp.expm1(-xp.where(near, 1.0, v)))


@written_once
def stirling_excess(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """``log Γ(x+1) − (x log x − x)`` for x ≥ 0: 0 at x = 0, about ``½ log 2πx`` for large x."""
    large = x >= _SERIES_FROM
    big, small = xp.where(large, x, _SERIES_FROM), xp.where(large, 1.0, x)
    inverse = 1.0 / big
    square = inverse * inverse
    remainder = xp.zeros_like(inverse)
    for coefficient in (-691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        remainder = coefficient + square * remainder
    series = 0.5 * (LOG_2PI + xp.log(big)) + inverse * remainder
    return xp.where(large, series, special.gammaln(small + 1.0) - special.xlogy(small, small) + small)


def log_beta(concentrations: Float[Array, "... levels"]) -> Float[Array, "..."]:
    """``Σ log Γ(α_l) − log Γ(Σα)`` over the last axis, to rounding of its own size; an α of 0 does not count."""
    a = xp.asarray(concentrations)
    total = a.sum(-1)
    excess = stirling_excess(a).sum(-1) - stirling_excess(total)
    logs = xp.log(xp.where(a > 0, a, 1.0)).sum(-1) - xp.log(total)
    return excess - logs + special.xlogy(a, a / total[..., None]).sum(-1)


def _digamma_series(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """``log x − ψ(x) − 1/(2x)`` for x ≥ 16."""
    square = 1.0 / (x * x)
    total: Array = xp.zeros_like(square)
    for coefficient in (1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12):
        total = square * (coefficient + total)
    return total


@written_once
def digamma_gap(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """``log x − ψ(x)`` for x > 0: decreasing from ∞ to 0, about 1/(2x) for large x."""
    large = x >= _SERIES_FROM
    big, small = xp.where(large, x, _SERIES_FROM), xp.where(large, 1.0, x)
    return xp.where(large, 0.5 / big + _digamma_series(big), xp.log(small) - special.digamma(small))


def _trigamma_series(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """``ψ'(x) − 1/x − 1/(2x²)`` for x ≥ 8."""
    square = 1.0 / (x * x)
    total: Array = xp.zeros_like(square)
    for coefficient in (7 / 6, -691 / 2730, 5 / 66, -1 / 30, 1 / 42, -1 / 30, 1 / 6):
        total = coefficient + square * total
    return total * square / x


def log_multigamma(a: Float[Array, "..."], dims: int) -> Float[Array, "..."]:
    """``log Γ_d(a) = ¼ d (d − 1) log π + Σ_j log Γ(a − j/2)``, the normaliser of a Wishart, for a > (d − 1)/2."""
    halves = 0.5 * np.arange(dims)
    return 0.25 * dims * (dims - 1) * math.log(math.pi) + special.gammaln(a[..., None] - halves).sum(-1)


@written_once
def trigamma(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """``ψ'(x)`` for x > 0, by eight steps of its recurrence and the asymptotic series."""
    start = sum(1.0 / (x + j) ** 2 for j in range(8))
    y = x + 8.0
    return start + (1.0 + 0.5 / y) / y + _trigamma_series(y)


@written_once
def shared_tables(x: Float[Array, "..."], r: Float[Array, "..."]) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """How many of x customers sit down at a table that another opened: the mean, and the variance.

    In a Chinese restaurant of strength r > 0 customer i (from 0) opens a table with probability r/(r+i), whatever
    the others did (Antoniak 1974), so these are ``Σ_{i<x} i/(r+i) = x − r (ψ(x+r) − ψ(r))`` and
    ``Σ_{i<x} r i/(r+i)²``; exact also where r is so large that the differences of ψ and ψ' cancel.
    """
    large = r >= _SERIES_FROM
    big, small = xp.where(large, r, _SERIES_FROM), xp.where(large, 1.0, r)
    both = x + big
    mean_series = big * log1p_gap(x / big) - 0.5 * x / both + big * (_digamma_series(both) - _digamma_series(big))
    mean = xp.where(large, mean_series, x - small * (special.digamma(x + small) - special.digamma(small)))
    mean = xp.where(x > 1, xp.maximum(mean, 0.0), 0.0)
    # Σ i r/(r+i)² = Σ r/(r+i) − r² (ψ'(r) − ψ'(x+r))
    bulk = x * (x / both) - 0.5 * (x / both) * (1.0 + big / both)
    variance_series = bulk - mean - big**2 * (_trigamma_series(big) - _trigamma_series(both))
    direct = x - mean - small**2 * (trigamma(small) - trigamma(x + small))
    return mean, xp.clip(xp.where(large, variance_series, direct), 0.0, mean)


_LOG_NODES = np.arange(-80.0, 30.0, 0.25)


def expected_log_rising(
    excess: Callable[[Float[Array, "..."]], Float[Array, "..."]], order: Float[Array, "..."]
) -> Float[Array, "..."]:
    r"""``E[log Γ(X+r) − log Γ(r) − X log r]`` of a count X; at r = 1 this is ``E log X!``.

    With G the probability generating function of X and m its mean, Malmstén's integral of log Γ gives

        ∫₀^∞ e^{−rt} / (1 − e^{−t}) · B(t) dt/t,    B = m u − (1 − G(1 − u)) ≥ 0,   u = 1 − e^{−t}

    (for r = 1: Merhav & Sason 2020, "An integral representation of the logarithmic function", section 3). In
    log t the integrand is analytic in a strip of half-width π/2 and falls off at both ends, so the
    trapezoidal rule with step ¼ is exact to rounding.

    Args:
        excess: B as a function of u; u has one leading axis (the nodes) and is otherwise of rank 0, to be
            broadcast against the batch from the left: B returns ``[nodes, *batch]``.
        order: r, broadcastable to the batch.
    """
    order = xp.asarray(order)
    t = xp.exp(xp.asarray(_LOG_NODES, order.dtype))
    u = -xp.expm1(-t)
    values = excess(u)
    shape = (-1,) + (1,) * (values.ndim - 1)
    weighted = xp.exp(-order * t.reshape(shape)) * values / u.reshape(shape)
    return 0.25 * weighted.sum(0)


def generating_excess(
    mean_u: Float[Array, "..."], log_generating: Float[Array, "..."], gap: Float[Array, "..."]
) -> Float[Array, "..."]:
    """``m u − (1 − G)`` from m u, log G and the small difference ``gap = m u + log G``, each accurate."""
    near = log_generating > -0.5
    return xp.where(near, gap + expm1_gap(-log_generating), mean_u + xp.expm1(log_generating))
