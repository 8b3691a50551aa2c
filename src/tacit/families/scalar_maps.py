"""Increasing maps of the line, whose parameters a network gives: what is done to every coordinate in turn.

Parameters come as a network leaves them, any real numbers; at zero (or at `ScalarMap.begin`) a map is the identity or
near it.
"""

import abc
import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from tacit.compute import Array
from tacit.families.normal_scores import log_normal, mixed_score, mixed_value
from tacit.trees import static

Line = Float[Array, "dims ..."]
"""A number of every coordinate; rows come last."""
Raw = Float[Array, "_ dims ..."]
"""Parameters of the map of every coordinate."""

GATE = 2.0
"""Added before the logistic: the map begins near the identity (Kingma et al. 2016)."""
MOST_LOG_SCALE = 2.0
"""Bound on the logarithm of the scale of an affine step, reached smoothly."""
LEAST_SHARE, LEAST_SLOPE = 1e-3, 1e-3
"""Of a bin of a spline, and of its slope at a knot; and of the straight part of a polynomial."""
ROOT_STEPS = 60


class ScalarMap(eqx.Module):
    """An increasing, smooth map of ℝ onto ℝ."""

    @property
    @abc.abstractmethod
    def outs(self) -> int:
        """How many parameters it has."""

    @abc.abstractmethod
    def forward(self, x: Line, raw: Raw) -> tuple[Line, Line]:
        """y and ``log dy/dx``."""

    @abc.abstractmethod
    def inverse(self, y: Line, raw: Raw) -> tuple[Line, Line]:
        """x and ``log dx/dy``."""

    def begin(self, random: np.random.Generator) -> np.ndarray:
        """Parameters ``[outs]`` of a start near the identity."""
        return np.zeros(self.outs)


class GatedMap(ScalarMap):
    """``y = s x + (1 − s) m`` with s between 0 and 1 (Kingma et al. 2016, section 4)."""

    @property
    def outs(self) -> int:
        return 2

    def forward(self, x: Line, raw: Raw) -> tuple[Line, Line]:
        shift, share = raw[0], jax.nn.sigmoid(raw[1] + GATE)
        return share * x + (1.0 - share) * shift, jnp.log(share)

    def inverse(self, y: Line, raw: Raw) -> tuple[Line, Line]:
        shift, share = raw[0], jax.nn.sigmoid(raw[1] + GATE)
        return (y - (1.0 - share) * shift) / share, -jnp.log(share)


class AffineMap(ScalarMap):
    """``y = m + e^a x`` with ``|a| < 2`` (Papamakarios et al. 2017)."""

    @property
    def outs(self) -> int:
        return 2

    def _log_scale(self, raw: Raw) -> Line:
        return MOST_LOG_SCALE * jnp.tanh(raw[1] / MOST_LOG_SCALE)

    def forward(self, x: Line, raw: Raw) -> tuple[Line, Line]:
        log_scale = self._log_scale(raw)
        narrow = jnp.exp(-log_scale)
        # a quotient: the compiler computes it once, and not anew wherever what comes after looks at it
        return (x + raw[0] * narrow) / narrow, log_scale

    def inverse(self, y: Line, raw: Raw) -> tuple[Line, Line]:
        log_scale = self._log_scale(raw)
        return (y - raw[0]) * jnp.exp(-log_scale), -log_scale


class SplineMap(ScalarMap):
    """A monotone rational-quadratic spline of [−B, B] onto itself, and the identity outside (Durkan et al. 2019).

    In a bin from (x₀, y₀), of width w and height h, with slopes d₀ and d₁ at its ends, s = h/w and t = (x − x₀)/w,
    ``y = y₀ + h (s t² + d₀ t(1−t)) / (s + (d₀ + d₁ − 2s) t(1−t))``.
    """

    bins: int = static(default=8)
    bound: float = static(default=6.0)

    @property
    def outs(self) -> int:
        return 3 * self.bins - 1

    def _bin(self, value: Line, raw: Raw, *, turned: bool) -> "_Bin":
        """The bin that holds a value: of x, or ``turned`` of y."""
        # of x and of y, [2, bins, dims, ...]
        sizes, slopes = jnp.split(raw, [2 * self.bins])
        sizes = jax.nn.softmax(sizes.reshape(2, self.bins, *raw.shape[1:]), axis=1)
        sizes = 2.0 * self.bound * (LEAST_SHARE + (1.0 - LEAST_SHARE * self.bins) * sizes)
        # which bins lie below, found without a derivative: that of the sums is the whole of it
        order = np.tri(self.bins - 1, self.bins, dtype=value.dtype)
        ends = jnp.tensordot(order, jax.lax.stop_gradient(sizes[int(turned)]), 1, precision="highest") - self.bound
        never = jnp.zeros_like(value)[None]
        below = jnp.concatenate([(value >= ends).astype(value.dtype), never])
        chosen = jnp.concatenate([never + 1.0, below[:-1]]) - below
        begins = jnp.sum(below * sizes, 1) - self.bound
        size = jnp.sum(chosen * sizes, 1)
        # where there is no parameter, at the ends of all, the sum is 0 and the slope 1
        slopes = jnp.stack([jnp.sum(chosen[1:] * slopes, 0), jnp.sum(chosen[:-1] * slopes, 0)])
        slopes = LEAST_SLOPE + jax.nn.softplus(slopes + math.log(math.expm1(1.0 - LEAST_SLOPE)))
        return _Bin(*(part[0] for both in (begins, size, slopes) for part in jnp.split(both, 2)))

    def forward(self, x: Line, raw: Raw) -> tuple[Line, Line]:
        inside = jnp.abs(x) < self.bound
        kept = jnp.where(inside, x, 0.0)  # what is outside goes through the formulas as a harmless number
        own = self._bin(kept, raw, turned=False)
        t = jnp.clip((kept - own.x) / own.width, 0.0, 1.0)
        y, log_slope = own.at(t)
        return jnp.where(inside, y, x), jnp.where(inside, log_slope, 0.0)

    def inverse(self, y: Line, raw: Raw) -> tuple[Line, Line]:
        inside = jnp.abs(y) < self.bound
        kept = jnp.where(inside, y, 0.0)
        own = self._bin(kept, raw, turned=True)
        slope, up = own.height / own.width, kept - own.y
        bend = own.d0 + own.d1 - 2.0 * slope
        # a t² + b t + c = 0 with c ≤ 0: the root in the form that cancels nothing
        a, b, c = own.height * (slope - own.d0) + up * bend, own.height * own.d0 - up * bend, -slope * up
        under = b * b - 4.0 * a * c
        t = jnp.clip(-2.0 * c / (b + jnp.sqrt(jnp.where(under > 0.0, under, 1.0)) * (under > 0.0)), 0.0, 1.0)
        return jnp.where(inside, own.x + t * own.width, y), jnp.where(inside, -own.at(t)[1], 0.0)


class _Bin(NamedTuple):
    """Where a bin begins in x and y, its size, and the slopes at its ends."""

    x: Line
    y: Line
    width: Line
    height: Line
    d0: Line
    d1: Line

    def at(self, t: Line) -> tuple[Line, Line]:
        """y and ``log dy/dx`` at a share t of the bin."""
        share, log_slope = _rational(t, self.height / self.width, self.d0, self.d1)
        return self.y + self.height * share, log_slope


@jax.custom_jvp
def _rational(t: Line, s: Line, d0: Line, d1: Line) -> tuple[Line, Line]:
    """N/D, the share of a bin's height at a share t of its width, and ``log dy/dx = log s²A/D²`` there.

    ``N = s t² + d₀ m``, ``D = s + (d₀ + d₁ − 2s) m`` and ``A = d₁ t² + 2s m + d₀ (1−t)²`` with ``m = t(1−t)``.
    """
    m = t * (1.0 - t)
    below = s + (d0 + d1 - 2.0 * s) * m
    slope = (s / below) ** 2 * (d1 * t * t + 2.0 * s * m + d0 * (1.0 - t) ** 2)
    return (s * t * t + d0 * m) / below, jnp.log(slope)


@_rational.defjvp
def _rational_jvp(at, moved):
    """Each slope is one quotient of sums without cancellation: few small programs, where many grow large else."""
    t, s, d0, d1 = at
    m, first, last = t * (1.0 - t), (1.0 - t) ** 2, t * t
    above, below = d1 * last + 2.0 * s * m + d0 * first, s + (d0 + d1 - 2.0 * s) * m
    both, square = above * below, below * below
    turn = 2.0 * (d1 * t - d0 * (1.0 - t) + s * (1.0 - 2.0 * t)) * below
    shares = (
        s * above / square,
        m * (d1 * last - d0 * first) / square,
        m * (s * first + d1 * m) / square,
        -m * (s * last + d0 * m) / square,
    )
    slopes = (
        (turn - 2.0 * (d0 + d1 - 2.0 * s) * (1.0 - 2.0 * t) * above) / both,
        2.0 * m * (above * (d0 + d1) + s * below) / (s * both),
        (first * below - 2.0 * m * above) / both,
        (last * below - 2.0 * m * above) / both,
    )
    share = sum(own * more for own, more in zip(shares, moved, strict=True))
    return _rational(t, s, d0, d1), (share, sum(own * more for own, more in zip(slopes, moved, strict=True)))


class PolynomialMap(ScalarMap):
    """The integral of a sum of squares of polynomials (Jaini, Selby & Yu 2019) of [−B, B] onto itself, then straight.

    ``dy/dx = δ + (1 − δ) c Σ_k (Σ_l a_kl tˡ)²`` with t = x/B inside, and the slope of the ends outside. Unbounded
    polynomials of such steps, one after another, run away.
    """

    squares: int = static(default=2)
    degree: int = static(default=3)
    bound: float = static(default=6.0)

    @property
    def outs(self) -> int:
        return self.squares * (self.degree + 1)

    def begin(self, random: np.random.Generator) -> np.ndarray:
        return 0.05 * random.normal(size=self.outs)

    def _gram(self, raw: Raw) -> Array:
        """``Σ_k a_k a_kᵀ``, ``[..., dims, degree + 1, degree + 1]``, of which the integral over [−1, 1] is 2."""
        number = self.degree + 1
        a = jnp.moveaxis(raw.reshape(self.squares, number, *raw.shape[1:]), (0, 1), (-2, -1))
        a = a + np.eye(number)[0] / math.sqrt(self.squares)
        gram = jnp.einsum("...kl,...km->...lm", a, a)
        return 2.0 * gram / jnp.maximum(jnp.sum(gram * _whole(number), (-1, -2)), 1e-30)[..., None, None]

    def _inside(self, t: Line, gram: Array) -> tuple[Line, Line]:
        """The map of [−1, 1] and its slope."""
        number = self.degree + 1
        order = np.add.outer(np.arange(number), np.arange(number))
        powers = jnp.stack([t**power for power in range(2 * number)], -1)
        area = (powers[..., order + 1] - (-1.0) ** (order + 1)) / (order + 1)
        raised = jnp.sum(gram * area, (-1, -2)) - 1.0
        slope = jnp.sum(gram * powers[..., order], (-1, -2))
        return LEAST_SLOPE * t + (1.0 - LEAST_SLOPE) * raised, LEAST_SLOPE + (1.0 - LEAST_SLOPE) * slope

    def _moved(self, t: Line, gram: Array) -> tuple[Line, Line]:
        held = jnp.clip(t, -1.0, 1.0)
        y, slope = self._inside(held, gram)
        return y + slope * (t - held), jnp.log(slope)

    def forward(self, x: Line, raw: Raw) -> tuple[Line, Line]:
        y, log_slope = self._moved(x / self.bound, self._gram(raw))
        return self.bound * y, log_slope

    def inverse(self, y: Line, raw: Raw) -> tuple[Line, Line]:
        gram, wanted = self._gram(raw), y / self.bound
        one = jnp.ones_like(wanted)
        slopes = self._inside(-one, gram)[1], self._inside(one, gram)[1]

        def halve(_, ends):
            low, high = ends
            middle = 0.5 * (low + high)
            above = self._inside(middle, gram)[0] > wanted
            return jnp.where(above, low, middle), jnp.where(above, middle, high)

        low, high = jax.lax.fori_loop(0, ROOT_STEPS, halve, (-one, one))
        t = jax.lax.stop_gradient(0.5 * (low + high))
        reached, slope = self._inside(t, gram)
        t = t + (wanted - reached) / slope  # through which derivatives flow
        t = jnp.where(wanted < -1.0, -1.0 + (wanted + 1.0) / slopes[0], t)
        t = jnp.where(wanted > 1.0, 1.0 + (wanted - 1.0) / slopes[1], t)
        return self.bound * t, -self._moved(t, gram)[1]


def _whole(number: int) -> np.ndarray:
    """``∫ tⁱ⁺ʲ dt`` over [−1, 1]."""
    order = np.add.outer(np.arange(number), np.arange(number))
    return np.where(order % 2 == 0, 2.0 / (order + 1), 0.0)


class MixtureMap(ScalarMap):
    """``y = Φ⁻¹(Σ_m w_m Φ((x − μ_m)/σ_m))``: x is then a mixture of normals, given the coordinates before it.

    So the density is that of a masked network of mixtures (Uria et al. 2013; Papamakarios et al. 2017).
    """

    components: int = static(default=8)

    @property
    def outs(self) -> int:
        return 3 * self.components

    def begin(self, random: np.random.Generator) -> np.ndarray:
        """Means apart, and a common scale that makes the variance 1."""
        means = np.linspace(-1.0, 1.0, self.components) if self.components > 1 else np.zeros(1)
        scale = math.sqrt(1.0 - float(np.mean(means**2)))
        return np.concatenate([np.zeros(self.components), means, np.full(self.components, math.log(scale))])

    def _parts(self, raw: Raw) -> tuple[Array, Array, Array]:
        logits, means, scales = (jnp.moveaxis(part, 0, -1) for part in jnp.split(raw, 3))
        low = -7.0
        return jax.nn.log_softmax(logits, axis=-1), means, low + jax.nn.softplus(scales - low)

    def forward(self, x: Line, raw: Raw) -> tuple[Line, Line]:
        log_weights, means, log_scales = self._parts(raw)
        y, density = mixed_score(log_weights, (x[..., None] - means) * jnp.exp(-log_scales), log_scales)
        return y, density - log_normal(y)

    def inverse(self, y: Line, raw: Raw) -> tuple[Line, Line]:
        log_weights, means, log_scales = self._parts(raw)
        x, density = mixed_value(y, log_weights, means, log_scales)
        return x, log_normal(y) - density


class Consecutive(ScalarMap):
    """Maps one after another."""

    maps: tuple[ScalarMap, ...]

    @property
    def outs(self) -> int:
        return sum(each.outs for each in self.maps)

    def begin(self, random: np.random.Generator) -> np.ndarray:
        return np.concatenate([each.begin(random) for each in self.maps])

    def _shared(self, raw: Raw) -> list[Raw]:
        ends = np.cumsum([each.outs for each in self.maps])[:-1]
        return list(jnp.split(raw, ends))

    def forward(self, x: Line, raw: Raw) -> tuple[Line, Line]:
        total = jnp.zeros((), x.dtype)
        for each, own in zip(self.maps, self._shared(raw), strict=True):
            x, more = each.forward(x, own)
            total = total + more
        return x, total

    def inverse(self, y: Line, raw: Raw) -> tuple[Line, Line]:
        total = jnp.zeros((), y.dtype)
        for each, own in zip(reversed(self.maps), reversed(self._shared(raw)), strict=True):
            y, more = each.inverse(y, own)
            total = total + more
        return y, total


def spline_after_affine(bins: int = 8) -> Consecutive:
    """An affine map, then a spline: of all steps that were tried the best a minute."""
    return Consecutive((AffineMap(), SplineMap(bins)))
