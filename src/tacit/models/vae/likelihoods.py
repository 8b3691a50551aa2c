"""What p(x|z) may be: how a decoder's outputs are read as a density of the row, entry by entry.

A decoder gives ``outs`` numbers for every entry of the row, on a last axis. A missing entry (NaN) contributes nothing.
Densities are computed from the outputs themselves (logits, log-scales), which keeps their digits in float32; means and
draws come from the family of `tacit.families` where there is one.
"""

import abc
import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln
from jaxtyping import Bool, Float, PRNGKeyArray, PyTree

from tacit.arrays import xp
from tacit.compute import LOG_2PI, Array
from tacit.families.bernoulli import Bernoulli
from tacit.families.continuous_bernoulli import ContinuousBernoulli, log_normalizer
from tacit.families.low_rank import LowRankNormal
from tacit.families.negative_binomial import NegativeBinomial
from tacit.families.normal import Normal
from tacit.families.poisson import Poisson
from tacit.models.vae.networks import bounded

LEVELS = 256
"""Grey levels of an 8-bit image."""
LOADING = 0.1
"""What a decoder's output of size 1 says of a loading: a fit begins near independent entries."""


def _softplus(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """``log(1 + e^x)`` to the last digit of its size, or of 1 where it is smaller: in a third of the time of JAX's."""
    return jnp.maximum(x, 0.0) + jnp.log(1.0 + jnp.exp(-jnp.abs(x)))


class Likelihood(eqx.Module):
    """A density of rows given what a decoder says."""

    outs: ClassVar[int] = 1
    """Numbers of the decoder for one entry of a row."""
    measure: ClassVar[str] = "density"
    """What the likelihood of an entry is: the "density" of a real number, or a "mass"; the two are never compared."""

    @abc.abstractmethod
    def log_prob_each(self, outputs: Float[Array, "... outs"], x: Float[Array, "..."]) -> Float[Array, "..."]:
        """``log p(x_j|z)`` of every entry."""

    @abc.abstractmethod
    def mean(self, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        """``E[x_j|z]``."""

    @abc.abstractmethod
    def sample(self, key: PRNGKeyArray, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        """A draw of every entry."""

    @abc.abstractmethod
    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        """Which values the likelihood allows."""

    def shape(self, event: tuple[int, ...]) -> tuple[int, ...]:
        """Of a decoder's output for one row."""
        return (*event, self.outs)

    def log_prob(self, outputs: Float[Array, "... outs"], x: Float[Array, "rows ..."]) -> Float[Array, "..."]:
        """``log p(x|z)``: outputs ``[*draws, rows, *event, outs]`` against rows ``[rows, *event]``."""
        missing = jnp.isnan(x)
        each = self.log_prob_each(outputs, jnp.where(missing, self.filler, x))
        return jnp.where(missing, 0.0, each).sum(axis=tuple(range(-(x.ndim - 1), 0)))

    def mean_given(self, outputs: Float[Array, "... outs"], x: Float[Array, "rows ..."]) -> Float[Array, "..."]:
        """``E[x_j|z, x_o]`` of outputs ``[*draws, rows, *event, outs]``, x_o being what is there of the rows."""
        return self.mean(outputs)

    def sample_given(
        self, key: PRNGKeyArray, outputs: Float[Array, "... outs"], x: Float[Array, "rows ..."]
    ) -> Float[Array, "..."]:
        """A draw of every entry given z and the entries of rows that are there."""
        return self.sample(key, outputs)

    def moments(self, outputs: Float[Array, "... outs"], x: Float[Array, "rows ..."]) -> Any:
        """What is averaged over draws of z for the best guess of every entry: its mean; or a pytree of such."""
        return self.mean_given(outputs, x)

    def settled(self, average: PyTree) -> Float[Array, "..."]:
        """The best guess from averaged moments."""
        return average

    @property
    def filler(self) -> float:
        """Stands in for a missing value: in the support."""
        return 0.0


class BernoulliLikelihood(Likelihood):
    """``x log p + (1−x) log(1−p)`` of logits l: ``x l − log(1 + e^l)``."""

    measure: ClassVar[str] = "mass"

    def log_prob_each(self, outputs: Float[Array, "... outs"], x: Float[Array, "..."]) -> Float[Array, "..."]:
        logits = outputs[..., 0]
        return x * logits - _softplus(logits)

    def mean(self, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        return jax.nn.sigmoid(outputs[..., 0])

    def sample(self, key: PRNGKeyArray, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        return Bernoulli(self.mean(outputs)).sample(key=key)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return (x == 0) | (x == 1)


class ContinuousBernoulliLikelihood(Likelihood):
    """``x η − A(η)`` on [0, 1], ``A = log((e^η − 1)/η)`` (Loaiza-Ganem & Cunningham 2019)."""

    def log_prob_each(self, outputs: Float[Array, "... outs"], x: Float[Array, "..."]) -> Float[Array, "..."]:
        natural = outputs[..., 0]
        return x * natural - log_normalizer(natural)

    def mean(self, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        return self._family(outputs).mean()

    def sample(self, key: PRNGKeyArray, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        return self._family(outputs).sample(key=key)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return (x >= 0) & (x <= 1)

    def _family(self, outputs: Array) -> ContinuousBernoulli:
        return ContinuousBernoulli(outputs[..., 0])


class NormalLikelihood(Likelihood):
    """``N(x; g(z), σ²)`` with σ fixed, or one for all entries that is learned and stays above ``floor``."""

    log_scale: Float[Array, ""]
    fixed: bool = eqx.field(static=True)
    floor: float = eqx.field(static=True)

    def __init__(self, scale: float = 1.0, *, fixed: bool = False, floor: float = 1e-2) -> None:
        self.log_scale = jnp.asarray(math.log(scale), jnp.float32)
        self.fixed, self.floor = fixed, floor

    def _log_scale(self, outputs: Array) -> Array:
        if self.fixed:
            return jax.lax.stop_gradient(self.log_scale)
        kept = jnp.maximum(self.log_scale, math.log(self.floor))
        return self.log_scale + jax.lax.stop_gradient(kept - self.log_scale)  # a gradient below the floor too

    def log_prob_each(self, outputs: Float[Array, "... outs"], x: Float[Array, "..."]) -> Float[Array, "..."]:
        log_scale = self._log_scale(outputs)
        white = (x - outputs[..., 0]) * jnp.exp(-log_scale)
        return -0.5 * (white**2 + LOG_2PI) - log_scale

    def mean(self, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        return outputs[..., 0]

    def sample(self, key: PRNGKeyArray, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        scale = jnp.exp(self._log_scale(outputs))
        mean = outputs[..., 0]
        return Normal(mean, jnp.broadcast_to(scale**2, mean.shape)).sample(key=key)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return xp.isfinite(x)


class PerEntryNormalLikelihood(NormalLikelihood):
    """``N(x_j; g_j(z), σ_j(z)²)``: the decoder says a scale for every entry, never below ``floor``."""

    outs: ClassVar[int] = 2

    def _log_scale(self, outputs: Array) -> Array:
        # softplus keeps the gradient alive near the floor
        return jnp.log(self.floor + jax.nn.softplus(outputs[..., 1]))


class LowRankNormalLikelihood(PerEntryNormalLikelihood):
    """``N(x; g(z), W(z) W(z)ᵀ + diag ψ(z))``: a scale for every entry, and ``rank`` loadings that tie entries together.

    Of one entry alone, ``log_prob_each`` is its marginal.
    """

    rank: int = eqx.field(static=True)

    def __init__(self, rank: int = 4, *, floor: float = 1e-2) -> None:
        NormalLikelihood.__init__(self, floor=floor)
        self.rank = rank

    def shape(self, event: tuple[int, ...]) -> tuple[int, ...]:
        return (*event, 2 + self.rank)

    def _family(self, outputs: Array, dims: int) -> LowRankNormal:
        """Of whole rows, flattened."""
        flat = outputs.reshape(*outputs.shape[: outputs.ndim - dims - 1], -1, outputs.shape[-1])
        noise = jnp.exp(2.0 * super()._log_scale(flat))
        return LowRankNormal(flat[..., 0], LOADING * flat[..., 2:], noise)

    def _log_scale(self, outputs: Array) -> Array:
        own = jnp.exp(2.0 * super()._log_scale(outputs))
        return 0.5 * jnp.log(own + jnp.sum((LOADING * outputs[..., 2:]) ** 2, -1))

    def log_prob(self, outputs: Float[Array, "... outs"], x: Float[Array, "rows ..."]) -> Float[Array, "..."]:
        return self._family(outputs, x.ndim - 1).log_prob(x.reshape(x.shape[0], -1))

    def sample(self, key: PRNGKeyArray, outputs: Float[Array, "rows ... outs"]) -> Float[Array, "rows ..."]:
        return self.sample_given(key, outputs, jnp.full(outputs.shape[:-1], jnp.nan, outputs.dtype))

    def _factors(self, outputs: Array, x: Array) -> tuple[LowRankNormal, Array, Array]:
        """The density of whole rows, and of its factors given what is there: mean, Cholesky factor of the precision."""
        family = self._family(outputs, x.ndim - 1)
        gap, scale = x.reshape(x.shape[0], -1) - family.means, jnp.sqrt(family.noise)
        seen = ~jnp.isnan(gap)
        loadings = jnp.where(seen, 1.0 / scale, 0.0)[..., None] * family.loadings
        precision = jnp.eye(self.rank, dtype=scale.dtype) + jnp.einsum("...dp,...dq->...pq", loadings, loadings)
        pull = jnp.einsum("...dq,...d->...q", loadings, jnp.where(seen, gap, 0.0) / scale)
        factor = jnp.linalg.cholesky(precision)
        return family, jax.scipy.linalg.cho_solve((factor, True), pull[..., None])[..., 0], factor

    def mean_given(self, outputs: Float[Array, "... outs"], x: Float[Array, "rows ..."]) -> Float[Array, "..."]:
        family, common, _ = self._factors(outputs, x)
        return (family.means + jnp.einsum("...dq,...q->...d", family.loadings, common)).reshape(outputs.shape[:-1])

    def sample_given(
        self, key: PRNGKeyArray, outputs: Float[Array, "... outs"], x: Float[Array, "rows ..."]
    ) -> Float[Array, "..."]:
        family, common, factor = self._factors(outputs, x)
        one, two = jax.random.split(key)
        white = jax.random.normal(one, common.shape, common.dtype)[..., None]
        common = common + jax.scipy.linalg.solve_triangular(factor, white, lower=True, trans=1)[..., 0]
        noise = jnp.sqrt(family.noise) * jax.random.normal(two, family.means.shape, family.means.dtype)
        drawn = family.means + jnp.einsum("...dq,...q->...d", family.loadings, common) + noise
        return drawn.reshape(outputs.shape[:-1])


class PoissonLikelihood(Likelihood):
    """Counts with rate ``e^l``."""

    measure: ClassVar[str] = "mass"

    def log_prob_each(self, outputs: Float[Array, "... outs"], x: Float[Array, "..."]) -> Float[Array, "..."]:
        log_rate = outputs[..., 0]
        return x * log_rate - jnp.exp(log_rate) - gammaln(x + 1.0)

    def mean(self, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        return jnp.exp(outputs[..., 0])

    def sample(self, key: PRNGKeyArray, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        return Poisson(self.mean(outputs)).sample(key=key)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return (x >= 0) & (x == xp.floor(x)) & xp.isfinite(x)


class NegativeBinomialLikelihood(PoissonLikelihood):
    """Counts with mean ``e^l`` and dispersion ``e^d``."""

    outs: ClassVar[int] = 2

    def log_prob_each(self, outputs: Float[Array, "... outs"], x: Float[Array, "..."]) -> Float[Array, "..."]:
        log_mean, log_size = outputs[..., 0], outputs[..., 1]
        size = jnp.exp(log_size)
        log_total = jnp.logaddexp(log_mean, log_size)
        bulk = gammaln(x + size) - gammaln(size) - gammaln(x + 1.0)
        return bulk + size * (log_size - log_total) + x * (log_mean - log_total)

    def sample(self, key: PRNGKeyArray, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        return NegativeBinomial(self.mean(outputs), jnp.exp(outputs[..., 1])).sample(key=key)


class DiscretisedLogisticLikelihood(Likelihood):
    """Grey levels 0 … 255 stored as level/255: a logistic's mass between the half-way points to its neighbours.

    The outermost levels take the tails (Kingma et al. 2016, Salimans et al. 2017); the scale is the decoder's.
    """

    outs: ClassVar[int] = 2
    measure: ClassVar[str] = "mass"

    def log_prob_each(self, outputs: Float[Array, "... outs"], x: Float[Array, "..."]) -> Float[Array, "..."]:
        centre, inverse = outputs[..., 0], jnp.exp(-bounded(outputs[..., 1], -7.0, 5.0))
        half = 0.5 / (LEVELS - 1)
        upper, lower = (x + half - centre) * inverse, (x - half - centre) * inverse
        # log(σ(u) − σ(l)) = log(1 − e^{l−u}) − softplus(−u) − softplus(l)
        width = upper - lower
        middle = jnp.log(-jnp.expm1(-width)) - jax.nn.softplus(-upper) - jax.nn.softplus(lower)
        first, last = -jax.nn.softplus(-upper), -jax.nn.softplus(lower)
        return jnp.where(x <= 0.0, first, jnp.where(x >= 1.0, last, middle))

    def mean(self, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        return jnp.clip(outputs[..., 0], 0.0, 1.0)

    def sample(self, key: PRNGKeyArray, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        noise = jax.random.logistic(key, outputs.shape[:-1], outputs.dtype)
        value = outputs[..., 0] + jnp.exp(bounded(outputs[..., 1], -7.0, 5.0)) * noise
        return jnp.clip(jnp.round(value * (LEVELS - 1)), 0, LEVELS - 1) / (LEVELS - 1)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        levels = x * (LEVELS - 1)
        return (x >= 0) & (x <= 1) & (xp.abs(levels - xp.round(levels)) < 1e-3)


class CategoricalLikelihood(Likelihood):
    """One of ``levels`` codes 0 … levels − 1, from logits."""

    measure: ClassVar[str] = "mass"
    levels: int = eqx.field(static=True)

    def shape(self, event: tuple[int, ...]) -> tuple[int, ...]:
        return (*event, self.levels)

    def log_prob_each(self, outputs: Float[Array, "... outs"], x: Float[Array, "..."]) -> Float[Array, "..."]:
        logs = jax.nn.log_softmax(outputs, axis=-1)
        codes = jnp.broadcast_to(x.astype(jnp.int32), logs.shape[:-1])
        return jnp.take_along_axis(logs, codes[..., None], axis=-1)[..., 0]

    def mean(self, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        """The likeliest level: codes of levels have no average."""
        return jnp.argmax(outputs, axis=-1).astype(outputs.dtype)

    def moments(self, outputs: Float[Array, "... outs"], x: Float[Array, "rows ..."]) -> Any:
        """The probabilities of the levels, for codes have no average."""
        return jax.nn.softmax(outputs, axis=-1)

    def settled(self, average: PyTree) -> Float[Array, "..."]:
        return self.mean(average)

    def sample(self, key: PRNGKeyArray, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        return jax.random.categorical(key, outputs).astype(outputs.dtype)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return (x >= 0) & (x < self.levels) & (x == xp.floor(x))


class Columns(Likelihood):
    """A likelihood a column: a product over a mixed table's columns, or groups of them."""

    parts: tuple[Likelihood, ...]
    columns: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def shape(self, event: tuple[int, ...]) -> tuple[int, ...]:
        return (sum(self._sizes()),)

    def _sizes(self) -> list[int]:
        return [math.prod(p.shape((len(c),))) for p, c in zip(self.parts, self.columns, strict=True)]

    def _each(self, outputs: Array) -> list[Array]:
        ends = [sum(self._sizes()[: i + 1]) for i in range(len(self.parts))][:-1]
        return [
            piece.reshape(*piece.shape[:-1], *part.shape((len(columns),)))
            for piece, part, columns in zip(jnp.split(outputs, ends, axis=-1), self.parts, self.columns, strict=True)
        ]

    def _joined(self, values: list[Array]) -> Array:
        order = [column for columns in self.columns for column in columns]
        inverse = np.array([order.index(column) for column in range(len(order))])
        return xp.concatenate(values, axis=-1)[..., inverse]

    def _of(self, x: Array) -> list[Array]:
        return [x[..., np.array(columns)] for columns in self.columns]

    def log_prob_each(self, outputs: Float[Array, "... outs"], x: Float[Array, "..."]) -> Float[Array, "..."]:
        pieces = zip(self.parts, self._each(outputs), self._of(x), strict=True)
        return self._joined([part.log_prob_each(piece, mine) for part, piece, mine in pieces])

    def mean(self, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        return self._joined([p.mean(piece) for p, piece in zip(self.parts, self._each(outputs), strict=True)])

    def moments(self, outputs: Float[Array, "... outs"], x: Float[Array, "rows ..."]) -> Any:
        pieces = zip(self.parts, self._each(outputs), self._of(x), strict=True)
        return [part.moments(piece, mine) for part, piece, mine in pieces]

    def settled(self, average: PyTree) -> Float[Array, "..."]:
        return self._joined([part.settled(mine) for part, mine in zip(self.parts, average, strict=True)])

    def sample(self, key: PRNGKeyArray, outputs: Float[Array, "... outs"]) -> Float[Array, "..."]:
        keys = jax.random.split(key, len(self.parts))
        pieces = zip(self.parts, self._each(outputs), keys, strict=True)
        return self._joined([part.sample(k, piece) for part, piece, k in pieces])

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return self._joined([part.supports(mine) for part, mine in zip(self.parts, self._of(x), strict=True)])


LIKELIHOODS: dict[str, Any] = {
    "bernoulli": BernoulliLikelihood,
    "continuous-bernoulli": ContinuousBernoulliLikelihood,
    "normal": NormalLikelihood,
    "normal-per-entry": PerEntryNormalLikelihood,
    "normal-low-rank": LowRankNormalLikelihood,
    "poisson": PoissonLikelihood,
    "negative-binomial": NegativeBinomialLikelihood,
    "discretised-logistic": DiscretisedLogisticLikelihood,
}
"""By name; those that take no size. Categorical columns come through `Columns`."""
