"""The exponential distribution of a waiting time."""

from typing import ClassVar, Self

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import ExponentialFamily, Parameter, in_base
from tacit.families.numeric import deviance, on_support, ratio, tiny
from tacit.spaces import Spaces


class Exponential(ExponentialFamily):
    """``p(x) = θ e^{−θx}`` for x ≥ 0, with the rate θ = 1/mean.

    ``T = x``, ``η = −θ``, ``A = −log θ``, ``h = 1``.
    """

    spaces: ClassVar[Spaces] = {"rates": "positive"}

    name: ClassVar[str] = "exponential"
    column_kind: ClassVar[str] = "positive"
    symbols: ClassVar[tuple[str, ...]] = ("θ",)
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("rates", "positive"),)
    noise_floor: ClassVar[tuple[float, ...] | None] = (1.0,)

    rates: Float[Array, "..."]

    @classmethod
    def template(cls, shape: tuple[int, ...]) -> Self:
        """Rates of 1."""
        return cls(xp.ones(shape))

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok = self.supports(x)
        return on_support(ok, x, xp.log(self.rates) - self.rates * xp.where(ok, x, 0.0))

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return xp.isfinite(x) & (x >= 0)

    def sufficient_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return xp.where(self.supports(x), x, 0.0)[..., None]

    def log_base(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return xp.zeros_like(x)

    @property
    def natural(self) -> Float[Array, "... F"]:
        return -self.rates[..., None]

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        return -xp.log(self.rates)

    @property
    def mean_parameters(self) -> Float[Array, "... F"]:
        return 1.0 / self.rates[..., None]

    def from_natural(self, natural: Float[Array, "... F"]) -> Self:
        return type(self)(-natural[..., 0])

    def from_mean_parameters(self, mean_parameters: Float[Array, "... F"]) -> Self:
        mean = mean_parameters[..., 0]
        return type(self)(1.0 / xp.maximum(mean, tiny(mean)))

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        new = self.from_mean_parameters(ratio(statistics, weight[..., None]))
        return type(self)(xp.where(weight > 0, new.rates, self.rates))

    def mean(self) -> Float[Array, "..."]:
        return 1.0 / xp.asarray(self.rates)

    def variance(self) -> Float[Array, "..."]:
        return 1.0 / xp.asarray(self.rates) ** 2

    def expected_log_base(self) -> Float[Array, "..."]:
        return xp.zeros_like(self.rates)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        # log(θ/θ') + θ'/θ − 1
        p, q = xp.asarray(self.rates), xp.asarray(other.rates)
        return in_base(deviance(p, q) / p, base)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        rates = jnp.asarray(self.rates)
        return jax.random.exponential(key, shape + rates.shape, rates.dtype) / rates

    def scaled(self, scale: Float[Array, "..."]) -> Self:
        """The distribution of ``scale · x``, scale > 0."""
        return type(self)(self.rates / scale)

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        return random.exponential(1.0 / np.asarray(self.rates))

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return -np.expm1(-np.asarray(self.rates) * np.maximum(x, 0.0))
