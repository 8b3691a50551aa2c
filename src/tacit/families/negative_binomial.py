"""The negative binomial distribution of an over-dispersed count."""

import math
from typing import ClassVar, Self

import numpy as np
import scipy.special
from jaxtyping import Bool, Float

from tacit.arrays import repeat, special, xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import Family, Parameter, in_base
from tacit.families.numeric import (
    deviance,
    expected_log_rising,
    generating_excess,
    log1p_gap,
    on_support,
    ratio,
    shared_tables,
    stirling_excess,
)
from tacit.spaces import Spaces

_DISPERSION_BOUNDS = (1e-8, 1e10)
"""Where the maximiser looks for r: at the upper end the distribution is a Poisson to ten digits."""


class NegativeBinomial(Family):
    """``p(x) = Γ(x+r)/(Γ(r) x!) · (r/(r+μ))^r (μ/(r+μ))^x``, x = 0, 1, …: mean μ, variance ``μ + μ²/r``.

    r (R's ``size``) is large where the counts are nearly Poisson. With r unknown there is no finite T(x): the
    count is a Poisson number L of clusters, each of a logarithmic-series size (Quenouille 1949). Seen from x the
    clusters are the tables of a Chinese restaurant of strength r, L is a sum of independent Bernoullis, and
    the complete log-likelihood ``L log r + r log(r/(r+μ)) + x log(μ/(r+μ)) + const`` would have the statistics
    (x, E[L | x]). EM on those never falls but crawls where the data say little about r, so that the M-step here
    uses ``Var[L | x]`` too, for a bound that is tighter everywhere; see ``maximise``.
    """

    spaces: ClassVar[Spaces] = {"means": "not negative", "dispersions": "positive"}

    name: ClassVar[str] = "negative-binomial"
    column_kind: ClassVar[str] = "count"
    symbols: ClassVar[tuple[str, ...]] = ("μ", "r")
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("means", "positive"),
        Parameter("dispersions", "positive", 0.99 * _DISPERSION_BOUNDS[1]),
    )
    exponential: ClassVar[bool] = False

    means: Float[Array, "..."]
    dispersions: Float[Array, "..."]

    @classmethod
    def template(cls, shape: tuple[int, ...]) -> Self:
        """Means and dispersions of 1."""
        return cls(xp.ones(shape), xp.ones(shape))

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok = self.supports(x)
        count = xp.where(ok, x, 0.0)
        r, trials = xp.asarray(self.dispersions), count + self.dispersions
        share = r / (r + self.means)
        # log Γ(x+r) − log Γ(r) − log x! = log(r/(x+r)) + log(x+r)! − log r! − log x!, the bulk cancelled
        # against the powers (Loader 2000)
        value = (
            stirling_excess(trials)
            - stirling_excess(r)
            - stirling_excess(count)
            - xp.log1p(count / r)
            - deviance(count, trials / r * share * self.means)
            - deviance(r, trials * share)
        )
        return on_support(ok, x, value)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return xp.isfinite(x) & (x >= 0) & (x == xp.floor(x))

    def expected_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """``(x, E[x − L | x], Var[L | x])``, the last two at the dispersion of ``self``."""
        count = xp.where(self.supports(x), x, 0.0)
        shared, variance = shared_tables(count, xp.asarray(self.dispersions))
        return xp.stack(xp.broadcast_arrays(count, shared, variance), axis=-1)

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        """The joint maximum over (μ, r) of a lower bound of the log-likelihood that is tight at ``self``.

        μ is the mean of x, whatever r is. For r the likelihood holds ``Σ_i log(r + i)``, i < x. Written with
        ``w = r₀/(r₀+i)`` it is the integral of ``log(1 + (r/r₀ − 1) w)`` over a measure on [0, 1] of which the
        statistics give the mass, ``Σw = E L`` and ``Σw² = E L − Var L``. EM replaces the measure by
        one on {0, 1} with the same Σw; the least value with the same Σw² as well is that of one on {0, w*} for
        r > r₀ and on {w*, 1} for r < r₀ (the principal representations of Krein & Nudelman 1977, chapter 3). That
        bound has the likelihood's own curvature at r₀: it never falls either, and converges as Newton's method.
        """
        mean = ratio(statistics[..., 0], weight)
        dispersion = _best_dispersion(xp.asarray(self.dispersions), statistics, weight, mean)
        return type(self)(
            xp.where(weight > 0, mean, self.means),
            xp.where((weight > 0) & (mean > 0), dispersion, self.dispersions),
        )

    def mean(self) -> Float[Array, "..."]:
        return xp.broadcast_arrays(self.means, self.dispersions)[0]

    def variance(self) -> Float[Array, "..."]:
        return self.means + xp.asarray(self.means) ** 2 / self.dispersions

    def _rising(self, order: Float[Array, "..."]) -> Float[Array, "..."]:
        """``E[log Γ(x+s) − log Γ(s) − x log s]`` at s = order."""
        odds = self.mean() / self.dispersions

        def excess(u: Float[Array, " nodes"]) -> Float[Array, "..."]:
            nodes = u.reshape((-1,) + (1,) * odds.ndim)
            r, w = self.dispersions, odds * nodes
            return generating_excess(r * w, -r * xp.log1p(w), r * log1p_gap(w))

        return expected_log_rising(excess, xp.broadcast_to(order, odds.shape))

    def entropy(self, base: float | None = None) -> Float[Array, "..."]:
        return self.cross_entropy(self, base)

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        """``−E_p log q``, by quadrature, to about 1e-15 of the mean."""
        log_factorial = self._rising(xp.ones_like(self.mean()))
        return in_base(log_factorial + self._against(other), base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        return in_base(xp.maximum(self._against(other) - self._against(self), 0.0), base)

    def _against(self, other: Self) -> Float[Array, "..."]:
        """``−E_p[log q(x) + log x!]``."""
        m, s = xp.asarray(other.means), xp.asarray(other.dispersions)
        powers = (s + self.means) * xp.log1p(m / s) - special.xlogy(self.means, m)
        return powers - self._rising(s)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        mean = self.mean()
        scale_key, count_key = jax.random.split(key)
        r = jnp.broadcast_to(self.dispersions, mean.shape)
        rate = mean / r * jnp.exp(jax.random.loggamma(scale_key, r, shape + mean.shape, mean.dtype))
        return jax.random.poisson(count_key, rate).astype(mean.dtype)

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        scale = np.asarray(self.means) / self.dispersions
        return random.poisson(random.standard_gamma(self.dispersions) * scale).astype(np.float64)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        count = np.floor(x)
        size = np.asarray(self.dispersions)
        share = size / (size + self.means)
        return np.where(count >= 0, scipy.special.betainc(size, np.maximum(count, 0.0) + 1.0, share), 0.0)


def _best_dispersion(
    start: Float[Array, "..."],
    statistics: Float[Array, "..."],
    weight: Float[Array, "..."],
    mean: Float[Array, "..."],
) -> Float[Array, "..."]:
    """Where the derivative of the bound in r changes sign, within the bounds of r.

    Times r it is ``W (μ − r log(1 + μ/r)) − D(r/r₀)``, where D is what is left of Σx after the measure's part:
    a falling function with D(1) = Σ(1−w). The sign changes once on either side of r₀ (left of it because
    ``1/(1 − ρ log(1 + 1/ρ))`` is concave and 1/D linear), so that bisection finds the maximum.
    """
    count, shared, variance = statistics[..., 0], statistics[..., 1], statistics[..., 2]
    squares = shared - variance  # Σ(1−w)²
    spread = xp.maximum(count * squares - shared**2, 0.0)
    opened = xp.maximum(count - shared - variance, 0.0)  # Σw²

    def slope(r: Float[Array, "..."]) -> Float[Array, "..."]:
        z = r / start
        right = ratio(z * spread + count * variance, z * opened + variance)
        left = ratio(shared**2, shared + (z - 1.0) * variance)
        return weight * r * log1p_gap(mean / r) - xp.where(z > 1.0, right, left)

    low, high = (np.full(start.shape, math.log(bound), start.dtype) for bound in _DISPERSION_BOUNDS)
    rising = slope(start) > 0
    bracket: tuple[Array, Array] = xp.where(rising, xp.log(start), low), xp.where(rising, high, xp.log(start))

    def halve(ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = 0.5 * (ends[0] + ends[1])
        up = slope(xp.exp(middle)) > 0
        return xp.where(up, middle, ends[0]), xp.where(up, ends[1], middle)

    lower, upper = repeat(56, halve, bracket)
    return xp.exp(0.5 * (lower + upper))
