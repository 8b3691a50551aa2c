"""The Bernoulli distribution of a yes or no, coded 1 and 0."""

from typing import ClassVar, Self

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import special, xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import ExponentialFamily, Parameter, in_base
from tacit.families.numeric import deviance, log_floored, on_support, ratio


class Bernoulli(ExponentialFamily):
    """``p(x) = p^x (1−p)^{1−x}`` for x = 0, 1.

    ``T = x``, ``η = log p − log(1−p)``, ``A = −log(1−p) = log(1 + e^η)``, ``h = 1``.
    """

    name: ClassVar[str] = "bernoulli"
    column_kind: ClassVar[str] = "binary"
    symbols: ClassVar[tuple[str, ...]] = ("p",)
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("probabilities", "probability"),)

    probabilities: Float[Array, "..."]

    @classmethod
    def template(cls, shape: tuple[int, ...]) -> Self:
        """Fair coins."""
        return cls(xp.full(shape, 0.5))

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok = self.supports(x)
        bit = xp.where(ok, x, 0.0)
        return on_support(
            ok, x, special.xlogy(bit, self.probabilities) + special.xlog1py(1.0 - bit, -self.probabilities)
        )

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return (x == 0) | (x == 1)

    def sufficient_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return xp.where(self.supports(x), x, 0.0)[..., None]

    def log_base(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return xp.zeros_like(x)

    @property
    def natural(self) -> Float[Array, "... F"]:
        p = xp.asarray(self.probabilities)
        return (log_floored(p) - log_floored(1.0 - p))[..., None]

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        return -log_floored(1.0 - xp.asarray(self.probabilities))

    @property
    def mean_parameters(self) -> Float[Array, "... F"]:
        return self.probabilities[..., None]

    def from_natural(self, natural: Float[Array, "... F"]) -> Self:
        return type(self)(special.expit(natural[..., 0]))

    def from_mean_parameters(self, mean_parameters: Float[Array, "... F"]) -> Self:
        return type(self)(xp.clip(mean_parameters[..., 0], 0.0, 1.0))

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        new = xp.clip(ratio(statistics[..., 0], weight), 0.0, 1.0)
        return type(self)(xp.where(weight > 0, new, self.probabilities))

    def mean(self) -> Float[Array, "..."]:
        return xp.asarray(self.probabilities)

    def variance(self) -> Float[Array, "..."]:
        return self.probabilities * (1.0 - xp.asarray(self.probabilities))

    def expected_log_base(self) -> Float[Array, "..."]:
        return xp.zeros_like(self.probabilities)

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        p, q = self.probabilities, other.probabilities
        return in_base(-special.xlogy(p, q) - special.xlog1py(1.0 - p, -q), base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        p, q = xp.asarray(self.probabilities), xp.asarray(other.probabilities)
        return in_base(deviance(p, q) + deviance(1.0 - p, 1.0 - q), base)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        p = jnp.asarray(self.probabilities)
        return jax.random.bernoulli(key, p, shape + p.shape).astype(p.dtype)

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        probabilities = np.asarray(self.probabilities)
        return (random.uniform(size=probabilities.shape) < probabilities).astype(np.float64)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return np.where(x < 0, 0.0, np.where(x < 1, 1.0 - np.asarray(self.probabilities), 1.0))

    def code_probabilities(self) -> np.ndarray | None:
        yes = np.asarray(self.probabilities)
        return np.stack([1.0 - yes, yes], axis=-1)
