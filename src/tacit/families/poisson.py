"""The Poisson distribution of a count."""

from typing import ClassVar, Self

import numpy as np
import scipy.special
from jaxtyping import Bool, Float

from tacit.arrays import special, xp
from tacit.compute import LOG_2PI, Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import ExponentialFamily, Parameter, in_base
from tacit.families.numeric import (
    deviance,
    expected_log_rising,
    expm1_gap,
    log_floored,
    on_support,
    ratio,
    stirling_excess,
)
from tacit.spaces import Spaces

_ASYMPTOTIC_FROM = 1e3


class Poisson(ExponentialFamily):
    """``p(x) = λ^x e^{−λ} / x!`` for x = 0, 1, 2, …

    ``T = x``, ``η = log λ``, ``A = λ``, ``log h = −log x!``. A rate of 0 is allowed: all mass at 0.
    """

    spaces: ClassVar[Spaces] = {"rates": "not negative"}

    name: ClassVar[str] = "poisson"
    column_kind: ClassVar[str] = "count"
    symbols: ClassVar[tuple[str, ...]] = ("λ",)
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("rates", "positive"),)

    rates: Float[Array, "..."]

    @classmethod
    def template(cls, shape: tuple[int, ...]) -> Self:
        """Rates of 1."""
        return cls(xp.ones(shape))

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok = self.supports(x)
        count = xp.where(ok, x, 0.0)
        # x log λ − λ − log x!, with the bulk of the three cancelled (Loader 2000)
        return on_support(ok, x, -stirling_excess(count) - deviance(count, self.rates))

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return xp.isfinite(x) & (x >= 0) & (x == xp.floor(x))

    def sufficient_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return xp.where(self.supports(x), x, 0.0)[..., None]

    def log_base(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return -special.gammaln(xp.where(self.supports(x), x, 0.0) + 1.0)

    @property
    def natural(self) -> Float[Array, "... F"]:
        return log_floored(self.rates)[..., None]

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        return xp.asarray(self.rates)

    @property
    def mean_parameters(self) -> Float[Array, "... F"]:
        return self.rates[..., None]

    def from_natural(self, natural: Float[Array, "... F"]) -> Self:
        return type(self)(xp.exp(natural[..., 0]))

    def from_mean_parameters(self, mean_parameters: Float[Array, "... F"]) -> Self:
        return type(self)(mean_parameters[..., 0])

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        return type(self)(xp.where(weight > 0, ratio(statistics[..., 0], weight), self.rates))

    def mean(self) -> Float[Array, "..."]:
        return xp.asarray(self.rates)

    def variance(self) -> Float[Array, "..."]:
        return xp.asarray(self.rates)

    def expected_log_base(self) -> Float[Array, "..."]:
        # −E log x! = λ − λ log λ − H
        return self.rates - special.xlogy(self.rates, self.rates) - self.entropy()

    def entropy(self, base: float | None = None) -> Float[Array, "..."]:
        """``H = λ − λ log λ + E log x!``, by quadrature; beyond λ = 10³ by its asymptotic series.

        The series is that of Evans & Boersma (1988), "The entropy of a Poisson distribution", SIAM Review 30.
        """
        large = self.rates > _ASYMPTOTIC_FROM
        rate = xp.where(large, 1.0, self.rates)
        log_factorial = expected_log_rising(lambda u: expm1_gap(_outer(u, rate)), xp.ones_like(rate))
        summed = rate - special.xlogy(rate, rate) + log_factorial
        big = xp.where(large, self.rates, _ASYMPTOTIC_FROM)
        inverse = 1.0 / big
        series = 0.5 * (1.0 + LOG_2PI + xp.log(big)) - inverse * (1 / 12 + inverse * (1 / 24 + inverse * 19 / 360))
        return in_base(xp.where(large, series, summed), base)

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        return self.entropy(base) + self.kl_divergence(other, base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        return in_base(deviance(xp.asarray(self.rates), xp.asarray(other.rates)), base)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        rates = jnp.asarray(self.rates)
        return jax.random.poisson(key, rates, shape + rates.shape).astype(rates.dtype)

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        return random.poisson(self.rates).astype(np.float64)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        count = np.floor(x)
        return np.where(count >= 0, scipy.special.pdtr(np.maximum(count, 0.0), self.rates), 0.0)


def _outer(u: Float[Array, " nodes"], x: Float[Array, "..."]) -> Float[Array, "nodes ..."]:
    return u.reshape((-1,) + (1,) * x.ndim) * x
