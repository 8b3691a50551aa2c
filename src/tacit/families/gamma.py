"""The gamma distribution of a positive value."""

from typing import ClassVar, Self

import numpy as np
import scipy.special
from jaxtyping import Bool, Float

from tacit.arrays import xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import ExponentialFamily, Parameter, in_base
from tacit.families.numeric import deviance, digamma_gap, on_support, ratio, stirling_excess, tiny, trigamma

_SHAPE_BOUNDS = (1e-4, 1e8)
"""Where the maximiser looks: beyond 1e8 the relative spread is below 1e-4."""


class Gamma(ExponentialFamily):
    """``p(x) = b^a x^{a−1} e^{−bx} / Γ(a)`` for x > 0, with shape a and rate b; the mean is a/b.

    ``T = (log x, x)``, ``η = (a − 1, −b)``, ``A = log Γ(a) − a log b``, ``h = 1``.
    """

    name: ClassVar[str] = "gamma"
    column_kind: ClassVar[str] = "positive"
    symbols: ClassVar[tuple[str, ...]] = ("a", "b")
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("shapes", "positive"), Parameter("rates", "positive"))
    noise_floor: ClassVar[tuple[float, ...] | None] = (-0.5, 0.0)

    shapes: Float[Array, "..."]
    rates: Float[Array, "..."]

    @classmethod
    def template(cls, shape: tuple[int, ...]) -> Self:
        """Shapes and rates of 1."""
        return cls(xp.ones(shape), xp.ones(shape))

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok = self.supports(x)
        y = xp.where(ok, x, 1.0)
        # a log a − a − log Γ(a) = log a − [log a! − (a log a − a)]
        peak = xp.log(self.shapes) - stirling_excess(self.shapes)
        return on_support(ok, x, peak - deviance(self.shapes, self.rates * y) - xp.log(y))

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return xp.isfinite(x) & (x > 0)

    def sufficient_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok = self.supports(x)
        return xp.stack([xp.log(xp.where(ok, x, 1.0)), xp.where(ok, x, 0.0)], axis=-1)

    def log_base(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return xp.zeros_like(x)

    @property
    def natural(self) -> Float[Array, "... F"]:
        return xp.stack(xp.broadcast_arrays(self.shapes - 1.0, -self.rates), axis=-1)

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        # log Γ(a) − a log b, with log Γ(a) = excess + a log a − a − log a
        a = self.shapes
        return stirling_excess(a) - xp.log(a) - a + a * (xp.log(a) - xp.log(self.rates))

    @property
    def mean_parameters(self) -> Float[Array, "... F"]:
        mean = self.mean()
        return xp.stack([xp.log(mean) - digamma_gap(xp.asarray(self.shapes)), mean], axis=-1)

    def from_natural(self, natural: Float[Array, "... F"]) -> Self:
        return type(self)(natural[..., 0] + 1.0, -natural[..., 1])

    def from_mean_parameters(self, mean_parameters: Float[Array, "... F"]) -> Self:
        mean = xp.maximum(mean_parameters[..., 1], tiny(mean_parameters))
        shape = shape_from_gap(xp.log(mean) - mean_parameters[..., 0])
        return type(self)(shape, shape / mean)

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        new = self.from_mean_parameters(ratio(statistics, weight[..., None]))
        seen = weight > 0
        return type(self)(xp.where(seen, new.shapes, self.shapes), xp.where(seen, new.rates, self.rates))

    @property
    def spread(self) -> Float[Array, "..."]:
        """1/a, about the variance of log x; it shrinks to the noise floor when a component collapses on few values."""
        return 1.0 / xp.asarray(self.shapes)

    def mean(self) -> Float[Array, "..."]:
        return xp.asarray(self.shapes) / self.rates

    def variance(self) -> Float[Array, "..."]:
        return xp.asarray(self.shapes) / self.rates / self.rates

    def expected_log_base(self) -> Float[Array, "..."]:
        return xp.zeros_like(self.mean())

    def entropy(self, base: float | None = None) -> Float[Array, "..."]:
        # a − log b + log Γ(a) + (1 − a) ψ(a)
        a = xp.asarray(self.shapes)
        return in_base(stirling_excess(a) - xp.log(self.rates) - (1.0 - a) * digamma_gap(a), base)

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        return self.entropy(base) + self.kl_divergence(other, base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        # the Bregman divergence of A, with log Γ and ψ in their bulk and their remainders
        a, c = xp.asarray(self.shapes), xp.asarray(other.shapes)
        bulk = deviance(c, other.rates * self.mean())
        remainder = stirling_excess(c) - stirling_excess(a) - xp.log(c / a) + (c - a) * digamma_gap(a)
        return in_base(xp.maximum(bulk + remainder, 0.0), base)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        shapes = jnp.broadcast_to(self.shapes, jnp.shape(self.mean()))
        # through the logarithm, so that small shapes do not underflow to an x of 0 without need
        return jnp.exp(jax.random.loggamma(key, shapes, shape + shapes.shape, shapes.dtype) - jnp.log(self.rates))

    def scaled(self, scale: Float[Array, "..."]) -> Self:
        """The distribution of ``scale · x``, scale > 0."""
        return type(self)(self.shapes, self.rates / scale)

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        # X_a = X_{a+1} U^{1/a} (Marsaglia & Tsang 2000, section 6), in logarithms: small shapes do not underflow early
        shapes = np.asarray(self.shapes)
        logs = np.log(random.standard_gamma(shapes + 1.0)) - random.exponential(size=shapes.shape) / shapes
        return np.maximum(np.exp(logs - np.log(self.rates)), np.finfo(float).tiny)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return scipy.special.gammainc(self.shapes, np.asarray(self.rates) * np.maximum(x, 0.0))


def shape_from_gap(gap: Float[Array, "..."]) -> Float[Array, "..."]:
    """The a with ``log a − ψ(a) = gap``, between 1e-4 and 1e8: the maximum likelihood shape of a gamma.

    Newton in 1/a (Minka 2002, "Estimating a gamma distribution"): quadratic, and from this start four steps
    reach rounding; the six taken are for the far ends.
    """
    low, high = _SHAPE_BOUNDS
    bounds = xp.asarray([high, low], xp.result_type(gap))
    smallest, largest = digamma_gap(bounds)
    s = xp.clip(gap, smallest, largest)
    a = (3.0 - s + xp.sqrt((s - 3.0) ** 2 + 24.0 * s)) / (12.0 * s)
    for _ in range(6):
        # a (a ψ'(a) − 1), the derivative of the gap with respect to 1/a, times 1
        slope = a * (a * trigamma(a) - 1.0)
        a = 1.0 / (1.0 / a + (s - digamma_gap(a)) / slope)
        a = xp.clip(a, low, high)
    return a
