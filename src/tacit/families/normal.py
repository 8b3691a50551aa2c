"""The Normal distribution of one value."""

from typing import ClassVar, Self

import numpy as np
import scipy.special
from jaxtyping import Bool, Float

from tacit.arrays import xp
from tacit.compute import LOG_2PI, Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import ExponentialFamily, Parameter, in_base
from tacit.families.numeric import deviance, on_support, ratio, tiny


class Normal(ExponentialFamily):
    """``N(x; μ, v)`` with the variance v = σ², not the scale σ.

    ``T = (x, x²)``, ``η = (μ/v, −1/(2v))``, ``A = μ²/(2v) + ½ log v``, ``log h = −½ log 2π``.
    """

    name: ClassVar[str] = "normal"
    standardised: ClassVar[bool] = True
    symbols: ClassVar[tuple[str, ...]] = ("μ", "σ²")
    parameters: ClassVar[tuple[Parameter, ...]] = (Parameter("means", "real"), Parameter("variances", "positive"))
    noise_floor: ClassVar[tuple[float, ...] | None] = (0.0, 1.0)

    means: Float[Array, "..."]
    variances: Float[Array, "..."]

    @classmethod
    def template(cls, shape: tuple[int, ...]) -> Self:
        """Standard Normals."""
        return cls(xp.zeros(shape), xp.ones(shape))

    def _spread(self) -> Float[Array, "..."]:
        """The variance, kept so far from zero that ``1/v`` and ``μ²/v`` are finite."""
        return xp.maximum(self.variances, tiny(self.variances) * (1.0 + self.means**2))

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok, v = self.supports(x), self._spread()
        square = (xp.where(ok, x, 0.0) - self.means) ** 2 / v
        return on_support(ok, x, -0.5 * (square + xp.log(v) + LOG_2PI))

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return xp.isfinite(x)

    def sufficient_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        safe = xp.where(self.supports(x), x, 0.0)
        return xp.stack([safe, safe * safe], axis=-1)

    def log_base(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return xp.where(self.supports(x), -0.5 * LOG_2PI, 0.0)

    @property
    def natural(self) -> Float[Array, "... F"]:
        v = self._spread()
        return xp.stack(xp.broadcast_arrays(self.means / v, -0.5 / v), axis=-1)

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        v = self._spread()
        return 0.5 * (self.means**2 / v + xp.log(v))

    @property
    def mean_parameters(self) -> Float[Array, "... F"]:
        square = self.means**2 + self.variances
        return xp.stack(xp.broadcast_arrays(self.means, square), axis=-1)

    def from_natural(self, natural: Float[Array, "... F"]) -> Self:
        v = -0.5 / natural[..., 1]
        return type(self)(natural[..., 0] * v, v)

    def from_mean_parameters(self, mean_parameters: Float[Array, "... F"]) -> Self:
        mean, square = mean_parameters[..., 0], mean_parameters[..., 1]
        # E[x²] − E[x]² is not known below the rounding error of E[x²]; a floor there is an exact maximiser
        # too
        resolution = xp.finfo(square.dtype).eps * square
        return type(self)(mean, xp.maximum(square - mean**2, resolution))

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        new = self.from_mean_parameters(ratio(statistics, weight[..., None]))
        seen = weight > 0
        return type(self)(xp.where(seen, new.means, self.means), xp.where(seen, new.variances, self.variances))

    def mean(self) -> Float[Array, "..."]:
        return xp.broadcast_arrays(self.means, self.variances)[0]

    def variance(self) -> Float[Array, "..."]:
        return xp.broadcast_arrays(self.variances, self.means)[0]

    def expected_log_base(self) -> Float[Array, "..."]:
        return xp.full(xp.shape(self.variance()), -0.5 * LOG_2PI)

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        v = other._spread()
        square = (self.variances + (self.means - other.means) ** 2) / v
        return in_base(0.5 * (square + xp.log(v) + LOG_2PI), base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        # ½ [v/v' − 1 − log(v/v')] + ½ (μ − μ')²/v'
        p, q = self._spread(), other._spread()
        return in_base(0.5 * (deviance(q, p) + (self.means - other.means) ** 2) / q, base)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        mean, variance = self.mean(), self.variance()
        noise = jax.random.normal(key, shape + mean.shape, mean.dtype)
        return mean + jnp.sqrt(variance) * noise

    def affine(self, scale: Float[Array, "..."], shift: Float[Array, "..."]) -> Self:
        """The distribution of ``scale · x + shift``."""
        return type(self)(scale * self.means + shift, scale**2 * self.variances)

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        return random.normal(self.means, np.sqrt(self.variances))

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return scipy.special.ndtr((x - self.means) / np.sqrt(self.variances))

    def in_units(self, scale: Float[Array, "..."], shift: Float[Array, "..."]) -> Self:
        return self.affine(scale, shift)

    def location_scale(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.means), np.sqrt(self.variances)
