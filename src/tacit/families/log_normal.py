"""The log-normal distribution: a Normal of log x."""

from typing import ClassVar, Self

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jnp
from tacit.families.base import ExponentialFamily, Parameter, in_base
from tacit.families.normal import Normal
from tacit.families.numeric import on_support


class LogNormal(ExponentialFamily):
    """``log x ~ N(μ, v)``, so ``p(x) = N(log x; μ, v) / x`` for x > 0.

    Statistics, natural parameters and log-normaliser are the Normal's at log x; ``log h = −½ log 2π − log
    x``.
    """

    name: ClassVar[str] = "log-normal"
    column_kind: ClassVar[str] = "positive"
    symbols: ClassVar[tuple[str, ...]] = ("μ", "σ²")
    parameters: ClassVar[tuple[Parameter, ...]] = Normal.parameters
    noise_floor: ClassVar[tuple[float, ...] | None] = Normal.noise_floor

    logarithm: Normal

    @classmethod
    def template(cls, shape: tuple[int, ...]) -> Self:
        """Standard Normals of log x."""
        return cls(Normal.template(shape))

    def _log(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """log x; NaN outside the support, which the Normal reads as missing."""
        ok = self.supports(x)
        return xp.where(ok, xp.log(xp.where(ok, x, 1.0)), xp.nan)

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok = self.supports(x)
        y = xp.log(xp.where(ok, x, 1.0))
        return on_support(ok, x, self.logarithm.log_prob(y) - y)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return xp.isfinite(x) & (x > 0)

    def sufficient_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.logarithm.sufficient_statistics(self._log(x))

    def log_base(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        y = self._log(x)
        return self.logarithm.log_base(y) - xp.where(xp.isnan(y), 0.0, y)

    @property
    def natural(self) -> Float[Array, "... F"]:
        return self.logarithm.natural

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        return self.logarithm.log_normalizer

    @property
    def mean_parameters(self) -> Float[Array, "... F"]:
        return self.logarithm.mean_parameters

    def from_natural(self, natural: Float[Array, "... F"]) -> Self:
        return type(self)(self.logarithm.from_natural(natural))

    def from_mean_parameters(self, mean_parameters: Float[Array, "... F"]) -> Self:
        return type(self)(self.logarithm.from_mean_parameters(mean_parameters))

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        return type(self)(self.logarithm.maximise(statistics, weight))

    def mean(self) -> Float[Array, "..."]:
        return xp.exp(self.logarithm.means + 0.5 * self.logarithm.variances)

    def variance(self) -> Float[Array, "..."]:
        return xp.expm1(self.logarithm.variances) * self.mean() ** 2

    def expected_log_base(self) -> Float[Array, "..."]:
        return self.logarithm.expected_log_base() - self.logarithm.means

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        # −E log q(log x) + E log x
        return in_base(self.logarithm.cross_entropy(other.logarithm) + self.logarithm.means, base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        return self.logarithm.kl_divergence(other.logarithm, base)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        return jnp.exp(self.logarithm.sample(key=key, shape=shape))

    def scaled(self, scale: Float[Array, "..."]) -> Self:
        """The distribution of ``scale · x``, scale > 0."""
        return type(self)(self.logarithm.affine(xp.ones_like(scale), xp.log(scale)))

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        return np.exp(self.logarithm.draw(random))

    def cdf(self, x: np.ndarray) -> np.ndarray:
        positive = x > 0
        return np.where(positive, self.logarithm.cdf(np.log(np.where(positive, x, 1.0))), 0.0)

    def location_scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Of log x."""
        return self.logarithm.location_scale()

    def values(self) -> dict[str, Array]:
        return self.logarithm.values()

    def with_values(self, values: dict[str, Array]) -> Self:
        return type(self)(self.logarithm.with_values(values))
