"""The uniform distribution of one value between two ends that are given."""

from typing import ClassVar, Self

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import Family, in_base
from tacit.families.numeric import on_support

_SLACK = 8.0
"""Units in the last place of an end by which a value may lie beyond it, as it may where its unit has been changed."""


class Uniform(Family):
    """``p(x) = 1/(b − a)`` for a ≤ x ≤ b; the ends are given, for no sum over rows says what they should be."""

    name: ClassVar[str] = "uniform"
    exponential: ClassVar[bool] = False
    standardised: ClassVar[bool] = True
    symbols: ClassVar[tuple[str, ...]] = ()
    background: ClassVar[bool] = True

    low: Float[Array, "..."]
    """a."""
    high: Float[Array, "..."]
    """b > a."""

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return on_support(self.supports(x), x, -xp.log(self.high - self.low))

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        # an end may be 0 and was moved all the same: it is as coarse as the larger of the two
        coarse = _SLACK * np.finfo(np.float64).eps * xp.maximum(xp.abs(self.low), xp.abs(self.high))
        return (x >= self.low - coarse) & (x <= self.high + coarse)

    def expected_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """None."""
        shape = xp.broadcast_shapes(xp.shape(x), xp.shape(self.low))
        return xp.zeros_like(xp.asarray(x), shape=(*shape, 0))

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        """The same: the ends are given."""
        return self

    def mean(self) -> Float[Array, "..."]:
        return 0.5 * (self.low + self.high)

    def variance(self) -> Float[Array, "..."]:
        return (self.high - self.low) ** 2 / 12.0

    def entropy(self, base: float | None = None) -> Float[Array, "..."]:
        return in_base(xp.log(self.high - self.low), base)

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        within = (self.low >= other.low) & (self.high <= other.high)
        return in_base(xp.where(within, xp.log(other.high - other.low), xp.inf), base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        return self.cross_entropy(other, base) - self.entropy(base)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        low, high = jnp.asarray(self.low), jnp.asarray(self.high)
        return low + (high - low) * jax.random.uniform(key, shape + low.shape, low.dtype)

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        return random.uniform(self.low, self.high)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return np.clip((x - self.low) / (self.high - self.low), 0.0, 1.0)

    def in_units(self, scale: Float[Array, "..."], shift: Float[Array, "..."]) -> Self:
        return type(self)(scale * self.low + shift, scale * self.high + shift)

    def location_scale(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.mean()), np.sqrt(np.asarray(self.variance()))
