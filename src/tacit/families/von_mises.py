"""The von Mises distribution of an angle (Mardia & Jupp 2000, section 3.5.4)."""

from typing import ClassVar, Self

import numpy as np
from jaxtyping import Bool, Float
from scipy import stats

from tacit.arrays import special, xp
from tacit.compute import LOG_2PI, Array
from tacit.engine import JaxArray, PRNGKeyArray, jax, jnp
from tacit.families.base import ExponentialFamily, Parameter
from tacit.families.numeric import on_support, ratio
from tacit.spaces import Spaces

_LARGEST = 1e6
"""The largest κ of a fit: angles within a thousandth of a radian of one another."""
_NEWTON_STEPS = 8
_EXACT_BELOW = 50.0


class VonMises(ExponentialFamily):
    """``p(x) = exp(κ cos(x − μ)) / (2π I₀(κ))`` of an angle x in radians, the same every 2π.

    ``T = (cos x, sin x)``, ``η = κ (cos μ, sin μ)``, ``A = log 2π I₀(κ)``, ``h = 1``. Draws and the distribution
    function are those of the angle in [−π, π]. The mean is the mean direction, the variance the square of the circular
    standard deviation, ``−2 log (I₁(κ)/I₀(κ))``. Over several components a mixture's mean and variance are still
    those of numbers on a line, which mislead where directions lie on both sides of ±π; values that fill gaps are mean
    directions.

    Directions that coincide have a likelihood that grows with κ for ever. A radian is a scale of its own, so the floor
    that other families take from the data is a number here: maximum likelihood is over κ ≤ 10⁶, whose circular
    standard deviation is a thousandth of a radian, and what comes to rest there is said to rest on its floor.
    """

    spaces: ClassVar[Spaces] = {"concentrations": "not negative"}

    name: ClassVar[str] = "von-mises"
    symbols: ClassVar[tuple[str, ...]] = ("μ", "κ")
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("directions", "real"),
        Parameter("concentrations", "positive", 0.99 * _LARGEST),
    )
    least_spread: ClassVar[float | None] = 1.0 / _LARGEST

    directions: Float[Array, "..."]
    concentrations: Float[Array, "..."]

    @classmethod
    def template(cls, shape: tuple[int, ...]) -> Self:
        """Direction 0, concentration 1."""
        return cls(xp.zeros(shape), xp.ones(shape))

    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok, k = self.supports(x), xp.asarray(self.concentrations)
        half = xp.sin(0.5 * (xp.where(ok, x, 0.0) - self.directions))
        return on_support(ok, x, -2.0 * k * half**2 - LOG_2PI - xp.log(special.i0e(k)))

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return xp.isfinite(x)

    def sufficient_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        ok = self.supports(x)
        safe = xp.where(ok, x, 0.0)
        return xp.where(ok[..., None], xp.stack([xp.cos(safe), xp.sin(safe)], axis=-1), 0.0)

    def log_base(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return xp.zeros_like(x)

    def _along(self, length: Float[Array, "..."]) -> Float[Array, "... F"]:
        """Vectors of these lengths in the mean directions."""
        return xp.stack([length * xp.cos(self.directions), length * xp.sin(self.directions)], axis=-1)

    @property
    def natural(self) -> Float[Array, "... F"]:
        return self._along(xp.asarray(self.concentrations))

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        k = xp.asarray(self.concentrations)
        return LOG_2PI + xp.log(special.i0e(k)) + k

    @property
    def mean_parameters(self) -> Float[Array, "... F"]:
        return self._along(resultant(xp.asarray(self.concentrations)))

    def from_natural(self, natural: Float[Array, "... F"]) -> Self:
        return type(self)(xp.arctan2(natural[..., 1], natural[..., 0]), xp.hypot(natural[..., 0], natural[..., 1]))

    def from_mean_parameters(self, mean_parameters: Float[Array, "... F"]) -> Self:
        cosine, sine = mean_parameters[..., 0], mean_parameters[..., 1]
        return type(self)(xp.arctan2(sine, cosine), _concentration(xp.hypot(cosine, sine)))

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        # log p is concave in η and falls off around T alike: in the ball |η| ≤ 10⁶ the best η keeps its direction
        new, seen = self.from_mean_parameters(ratio(statistics, weight[..., None])), weight > 0
        return type(self)(
            xp.where(seen, new.directions, self.directions), xp.where(seen, new.concentrations, self.concentrations)
        )

    def mean(self) -> Float[Array, "..."]:
        return xp.broadcast_arrays(self.directions, self.concentrations)[0]

    def variance(self) -> Float[Array, "..."]:
        return -2.0 * xp.log(resultant(xp.asarray(self.concentrations))) + 0.0 * self.directions

    def expected_log_base(self) -> Float[Array, "..."]:
        return xp.zeros_like(self.concentrations)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        """By rejection from a wrapped Cauchy (Best & Fisher 1979)."""
        k = jnp.maximum(jnp.broadcast_arrays(self.concentrations, self.directions)[0], 1e-6)
        k = jnp.broadcast_to(k, shape + k.shape)
        tau = 1.0 + jnp.sqrt(1.0 + 4.0 * k**2)
        rho = (tau - jnp.sqrt(2.0 * tau)) / (2.0 * k)
        s = (1.0 + rho**2) / (2.0 * rho)

        def once(state: tuple[JaxArray, JaxArray, JaxArray]) -> tuple[JaxArray, JaxArray, JaxArray]:
            number, found, done = state
            u, v, sign = jax.random.uniform(jax.random.fold_in(key, number), (3, *k.shape), k.dtype)
            z = xp.cos(xp.pi * u)
            f = (1.0 + s * z) / (s + z)
            c = k * (s - f)
            accepted = (c * (2.0 - c) > v) | (xp.log(c / xp.maximum(v, xp.finfo(k.dtype).tiny)) + 1.0 >= c)
            angle = xp.where(sign < 0.5, -1.0, 1.0) * xp.arccos(xp.clip(f, -1.0, 1.0))
            return number + 1, xp.where(accepted & ~done, angle, found), done | accepted

        start = (xp.zeros((), xp.int32), xp.zeros_like(k), xp.zeros(k.shape, bool))
        angle = jax.lax.while_loop(lambda state: ~state[2].all(), once, start)[1]
        return _wrapped(angle + jnp.broadcast_to(self.directions, angle.shape))

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        return random.vonmises(self.directions, self.concentrations)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        mean, k = np.asarray(self.directions), np.asarray(self.concentrations)
        inside = np.clip(x, -np.pi, np.pi)
        return np.clip(_cumulated(inside - mean, k) - _cumulated(-np.pi - mean, k), 0.0, 1.0)

    def location_scale(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.directions), 1.0 / np.sqrt(np.maximum(self.concentrations, 0.1))

    def filling(self, weights: Float[np.ndarray, "rows components"]) -> np.ndarray | None:
        """The mean direction of the mixture."""
        towards = np.einsum("nk,kdf->ndf", weights, np.asarray(self.mean_parameters))
        return np.arctan2(towards[..., 1], towards[..., 0])

    def seeding_features(self, x: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows features"]:
        """The points on the circle."""
        return np.concatenate([np.cos(x), np.sin(x)], axis=1)


def resultant(concentration: Float[Array, "..."]) -> Float[Array, "..."]:
    """``A(κ) = I₁(κ)/I₀(κ)``, the length of the mean of the unit vectors."""
    return special.i1e(concentration) / special.i0e(concentration)


def _concentration(length: Float[Array, "..."]) -> Float[Array, "..."]:
    """κ with ``A(κ) = R``, by Newton's method from Banerjee et al.'s (2005) approximation; at most ``_LARGEST``."""
    most = resultant(xp.asarray(_LARGEST, length.dtype))
    r = xp.clip(length, 0.0, most)
    k = r * (2.0 - r**2) / (1.0 - r**2)
    for _ in range(_NEWTON_STEPS):
        a = resultant(k)
        slope = 1.0 - a**2 - xp.where(k > 1e-8, a / xp.where(k > 1e-8, k, 1.0), 0.5)
        k = xp.clip(k - (a - r) / xp.maximum(slope, 1e-14), 0.0, _LARGEST)
    return k


def _wrapped(angle: Float[Array, "..."]) -> Float[Array, "..."]:
    return xp.arctan2(xp.sin(angle), xp.cos(angle))


def _cumulated(angle: np.ndarray, k: np.ndarray) -> np.ndarray:
    """``∫_{−π}^{x}`` of the density about 0, going on by 1 with every turn.

    Below κ = 50 scipy's series is exact. Above, with ``y = 2 √κ sin(x/2)``, it is an integral of
    ``φ(y) / √(1 − y²/4κ)``, whose series in ``y²/4κ`` meets the incomplete moments of a Normal.
    """
    turns = np.round(angle / (2.0 * np.pi))
    y = 2.0 * np.sqrt(k) * np.sin(0.5 * (angle - 2.0 * np.pi * turns))
    bell = np.exp(-0.5 * y**2) / np.sqrt(2.0 * np.pi)
    large = np.maximum(k, _EXACT_BELOW)
    moment, whole, factor = special.ndtr(y), 1.0, np.ones_like(large)
    part, norm = moment, np.ones_like(large)
    for m in range(1, 12):
        moment = (2 * m - 1) * moment - y ** (2 * m - 1) * bell
        whole *= 2 * m - 1
        factor = factor * (2 * m) * (2 * m - 1) / (16.0 * m**2 * large)
        part, norm = part + factor * moment, norm + factor * whole
    return np.where(k < _EXACT_BELOW, stats.vonmises.cdf(angle, k), turns + part / norm)
