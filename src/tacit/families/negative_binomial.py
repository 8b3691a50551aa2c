"""The negative binomial distribution of an over-dispersed count."""

from typing import ClassVar, Self

import jax
import jax.numpy as jnp
from jax.scipy.special import xlogy
from jaxtyping import Bool, Float, PRNGKeyArray

from tacit.compute import Array
from tacit.families.base import Family, in_base
from tacit.families.numeric import (
    deviance,
    expected_log_rising,
    generating_excess,
    log1p_gap,
    on_support,
    ratio,
    rising_deficit,
    stirling_excess,
)

_DISPERSION_BOUNDS = (1e-8, 1e10)
"""Where the maximiser looks for r: at the upper end the distribution is a Poisson to ten digits."""


class NegativeBinomial(Family):
    """``p(x) = Γ(x+r)/(Γ(r) x!) · (r/(r+μ))^r (μ/(r+μ))^x``, x = 0, 1, …: mean μ, variance ``μ + μ²/r``.

    r (R's ``size``) is large where the counts are nearly Poisson. With r unknown there is no finite T(x).
    It is a Poisson number L of clusters, each of a logarithmic-series size (Quenouille 1949), or seen from
    x: a Chinese restaurant of strength r, with ``E[L | x] = r (ψ(x+r) − ψ(r))``. With L the complete
    log-likelihood

        L log r + r log(r/(r+μ)) + x log(μ/(r+μ)) + const

    has the statistics (x, L), and its joint maximum over (μ, r) is exact: μ is the mean of x, whatever r
    is, and r solves ``E L = r log(1 + μ/r)``. So EM never falls, and moves μ in one step (the gamma-scale
    augmentation needs many). The second statistic is kept as ``x − E[L | x]``, which does not cancel where
    r is large. Under- dispersed counts drive r to its upper bound 1e10, a constrained maximum as exact as
    the free one.
    """

    name: ClassVar[str] = "negative-binomial"
    exponential: ClassVar[bool] = False

    means: Float[Array, "..."]
    dispersions: Float[Array, "..."]

    @classmethod
    def template(cls, shape: tuple[int, ...]) -> Self:
        """Means and dispersions of 1."""
        return cls(jnp.ones(shape), jnp.ones(shape))

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok = self.supports(x)
        count = jnp.where(ok, x, 0.0)
        r, trials = jnp.asarray(self.dispersions), count + self.dispersions
        share = r / (r + self.means)
        # log Γ(x+r) − log Γ(r) − log x! = log(r/(x+r)) + log(x+r)! − log r! − log x!, the bulk cancelled
        # against the powers (Loader 2000)
        value = (
            stirling_excess(trials)
            - stirling_excess(r)
            - stirling_excess(count)
            - jnp.log1p(count / r)
            - deviance(count, trials / r * share * self.means)
            - deviance(r, trials * share)
        )
        return on_support(ok, x, value)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return jnp.isfinite(x) & (x >= 0) & (x == jnp.floor(x))

    def expected_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """``(x, x − E[L | x])``, the second at the dispersion of ``self``."""
        count = jnp.where(self.supports(x), x, 0.0)
        deficit = rising_deficit(count, jnp.asarray(self.dispersions))
        return jnp.stack(jnp.broadcast_arrays(count, deficit), axis=-1)

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        mean = ratio(statistics[..., 0], weight)
        # 1 − E L / μ = 1 − log(1 + y)/y with y = μ/r
        y = _odds_from_deficit(ratio(statistics[..., 1], statistics[..., 0]))
        low, high = _DISPERSION_BOUNDS
        dispersion = jnp.clip(mean / jnp.maximum(y, mean / high), low, high)
        return type(self)(
            jnp.where(weight > 0, mean, self.means),
            jnp.where((weight > 0) & (mean > 0), dispersion, self.dispersions),
        )

    def mean(self) -> Float[Array, "..."]:
        return jnp.broadcast_arrays(self.means, self.dispersions)[0]

    def variance(self) -> Float[Array, "..."]:
        return self.means + jnp.asarray(self.means) ** 2 / self.dispersions

    def _rising(self, order: Float[Array, "..."]) -> Float[Array, "..."]:
        """``E[log Γ(x+s) − log Γ(s) − x log s]`` at s = order."""
        odds = self.mean() / self.dispersions

        def excess(u: Float[Array, " nodes"]) -> Float[Array, "..."]:
            nodes = u.reshape((-1,) + (1,) * odds.ndim)
            r, w = self.dispersions, odds * nodes
            return generating_excess(r * w, -r * jnp.log1p(w), r * log1p_gap(w))

        return expected_log_rising(excess, jnp.broadcast_to(order, odds.shape))

    def entropy(self, base: float | None = None) -> Float[Array, "..."]:
        return self.cross_entropy(self, base)

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        """``−E_p log q``, by quadrature, to about 1e-15 of the mean."""
        log_factorial = self._rising(jnp.ones_like(self.mean()))
        return in_base(log_factorial + self._against(other), base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        return in_base(jnp.maximum(self._against(other) - self._against(self), 0.0), base)

    def _against(self, other: Self) -> Float[Array, "..."]:
        """``−E_p[log q(x) + log x!]``."""
        m, s = jnp.asarray(other.means), jnp.asarray(other.dispersions)
        powers = (s + self.means) * jnp.log1p(m / s) - xlogy(self.means, m)
        return powers - self._rising(s)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        mean = self.mean()
        scale_key, count_key = jax.random.split(key)
        r = jnp.broadcast_to(self.dispersions, mean.shape)
        rate = mean / r * jnp.exp(jax.random.loggamma(scale_key, r, shape + mean.shape, mean.dtype))
        return jax.random.poisson(count_key, rate).astype(mean.dtype)


def _odds_from_deficit(deficit: Float[Array, "..."]) -> Float[Array, "..."]:
    """The y ≥ 0 with ``1 − log(1+y)/y = d``, for 0 ≤ d < 1.

    Newton on the concave ``d y − (y − log(1+y))`` from the right of its root, where it is monotone: since
    ``log(1+y) ≤ y/√(1+y)``, the root is at most ``1/(1−d)² − 1``.
    """
    d = jnp.clip(deficit, 0.0, 1.0 - 4.0 * jnp.finfo(deficit.dtype).eps)
    rest = 1.0 - d
    y = d * (2.0 - d) / rest**2
    for _ in range(10):
        # the same in d or in 1 − d, whichever does not cancel
        value = jnp.where(d < 0.5, log1p_gap(y) - d * y, rest * y - jnp.log1p(y))
        slope = jnp.where(d < 0.5, y / (1.0 + y) - d, rest - 1.0 / (1.0 + y))
        y = jnp.where(slope > 0, y - value / jnp.where(slope > 0, slope, 1.0), y)
    return y
