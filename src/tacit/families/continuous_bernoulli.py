"""The continuous Bernoulli distribution of a share in [0, 1] (Loaiza-Ganem & Cunningham 2019)."""

from typing import ClassVar, Self

from jaxtyping import Bool, Float

from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import ExponentialFamily
from tacit.families.numeric import on_support, ratio

_STEPS = 60
_NEAR = 0.1
"""Below this |η| the series about 0 is exact to the last digit of a float64."""


def log_normalizer(natural: Float[Array, "..."]) -> Float[Array, "..."]:
    """``A(η) = log((e^η − 1)/η)``, through its removable singularity at 0."""
    size = jnp.abs(natural)
    near = size < _NEAR
    far = jnp.where(near, 1.0, size)
    # (e^η − 1)/η = e^{η/2} sinh(η/2)/(η/2); log of the second factor is even
    even = 0.5 * far + jnp.log(-jnp.expm1(-far)) - jnp.log(far)
    h = jnp.where(near, natural, 0.0) ** 2
    series = h * (1 / 24 - h * (1 / 2880 - h * (1 / 181440 - h * (1 / 9676800 - h / 479001600))))
    return 0.5 * natural + jnp.where(near, series, even)


def _mean(natural: Float[Array, "..."]) -> Float[Array, "..."]:
    """``A'(η) = 1/(1 − e^{−η}) − 1/η``."""
    size = jnp.abs(natural)
    near = size < _NEAR
    far = jnp.where(near, 1.0, natural)
    t = jnp.where(near, natural, 0.0)
    h = t * t
    series = 0.5 + t * (1 / 12 - h * (1 / 720 - h * (1 / 30240 - h * (1 / 1209600 - h / 47900160))))
    return jnp.where(near, series, -1.0 / jnp.expm1(-far) - 1.0 / far)


def _variance(natural: Float[Array, "..."]) -> Float[Array, "..."]:
    """``A''(η) = 1/η² − 1/(4 sinh²(η/2))``."""
    size = jnp.abs(natural)
    near = size < 0.5
    far = jnp.where(near, 1.0, size)
    decay = jnp.exp(-far)
    direct = 1.0 / far**2 - decay / jnp.square(-jnp.expm1(-far))
    h = jnp.where(near, natural, 0.0) ** 2
    coefficients = (1 / 12, -1 / 240, 1 / 6048, -1 / 172800, 1 / 5322240, -691 / 118879488000, 1 / 5748019200)
    series = jnp.zeros_like(h)
    for coefficient in reversed(coefficients):
        series = coefficient + h * series
    return jnp.where(near, series, direct)


class ContinuousBernoulli(ExponentialFamily):
    """``p(x) = e^{ηx − A(η)}`` for 0 ≤ x ≤ 1, ``A = log((e^η − 1)/η)``; η = 0 is uniform.

    ``T = x``, ``h = 1``. With λ = 1/(1 + e^{−η}) it is ``C(λ) λ^x (1−λ)^{1−x}``: what a Bernoulli likelihood of grey
    levels lacks to be a density is C.
    """

    name: ClassVar[str] = "continuous-bernoulli"

    logits: Float[Array, "..."]
    """η."""

    @classmethod
    def template(cls, shape: tuple[int, ...]) -> Self:
        """Uniform."""
        return cls(jnp.zeros(shape))

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok = self.supports(x)
        return on_support(ok, x, self.logits * jnp.where(ok, x, 0.0) - self.log_normalizer)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return (jnp.asarray(x) >= 0) & (x <= 1)

    def sufficient_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.where(self.supports(x), x, 0.0)[..., None]

    def log_base(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.zeros_like(x)

    @property
    def natural(self) -> Float[Array, "... F"]:
        return jnp.asarray(self.logits)[..., None]

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        return log_normalizer(jnp.asarray(self.logits))

    @property
    def mean_parameters(self) -> Float[Array, "... F"]:
        return self.mean()[..., None]

    def from_natural(self, natural: Float[Array, "... F"]) -> Self:
        return type(self)(natural[..., 0])

    def from_mean_parameters(self, mean_parameters: Float[Array, "... F"]) -> Self:
        # A' is increasing: Newton's steps kept inside a shrinking bracket; near 0 and 1 the mean is about 1/|η|
        mean = jnp.clip(mean_parameters[..., 0], 1e-12, 1.0 - 1e-12)
        edge = jnp.minimum(mean, 1.0 - mean)
        most = 2.0 / edge

        def step(_: Array, bracket: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
            low, high, at = bracket
            gap = _mean(at) - mean
            low, high = jnp.where(gap < 0, at, low), jnp.where(gap < 0, high, at)
            ahead = at - gap / _variance(at)
            inside = (ahead > low) & (ahead < high)
            return low, high, jnp.where(inside, ahead, 0.5 * (low + high))

        start = (-most, most, jnp.zeros_like(mean))
        return type(self)(jax.lax.fori_loop(0, _STEPS, step, start)[2])

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        new = self.from_mean_parameters(ratio(statistics, weight[..., None]))
        return type(self)(jnp.where(weight > 0, new.logits, self.logits))

    def mean(self) -> Float[Array, "..."]:
        return _mean(jnp.asarray(self.logits))

    def variance(self) -> Float[Array, "..."]:
        return _variance(jnp.asarray(self.logits))

    def expected_log_base(self) -> Float[Array, "..."]:
        return jnp.zeros_like(self.logits)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        """By the inverse of the distribution function, ``log(1 + u (e^η − 1))/η``."""
        natural = jnp.asarray(self.logits)
        u = jax.random.uniform(key, shape + natural.shape, natural.dtype)
        size = jnp.abs(natural)
        near = size < 1e-3
        far = jnp.where(near, 1.0, size)
        # for η > 0 the mirror image of a draw for −η, where nothing overflows
        draw = -jnp.log1p(u * jnp.expm1(-far)) / far
        return jnp.where(near, u, jnp.where(natural > 0, 1.0 - draw, draw))
