"""Conjugate priors as pseudo-observations: a pair (pseudo-statistics, pseudo-count) added to the data's.

Each is the conjugate family of Diaconis & Ylvisaker (1979), "Conjugate priors for exponential families",

    p(η) = exp(⟨η, χ⟩ − ν A(η) − log Z(χ, ν)),

a density of the *natural* parameter η. In this parameterisation the posterior mode is maximum likelihood from
``statistics + χ`` and ``weight + ν``, is never on the boundary, and for a Dirichlet uses α where the mode
on the simplex uses α − 1. All constants are kept, so that evidences and divergences are complete.
"""

import abc
import math
from typing import ClassVar, Self, TypeVar

import numpy as np
from jaxtyping import Float

from tacit.arrays import Pytree, special, xp
from tacit.compute import LOG_2PI, Array
from tacit.families.base import Distribution, ExponentialFamily, in_base
from tacit.families.bernoulli import Bernoulli
from tacit.families.categorical import Categorical
from tacit.families.dirichlet import Dirichlet
from tacit.families.exponential import Exponential
from tacit.families.gamma import Gamma
from tacit.families.log_normal import LogNormal
from tacit.families.multinomial import Multinomial
from tacit.families.negative_binomial import NegativeBinomial
from tacit.families.normal import Normal
from tacit.families.numeric import log_beta, ratio
from tacit.families.poisson import Poisson
from tacit.families.predictive import DirichletMultinomial, LogStudentT, Lomax
from tacit.families.student_t import StudentT
from tacit.spaces import Spaces

F = TypeVar("F", bound=ExponentialFamily)


class ConjugatePrior(Pytree):
    """A batch of densities over the natural parameters of one exponential family."""

    @property
    @abc.abstractmethod
    def statistics(self) -> Float[Array, "... F"]:
        """χ, the pseudo-statistics."""

    @property
    @abc.abstractmethod
    def weight(self) -> Float[Array, "..."]:
        """ν, the pseudo-count."""

    @property
    @abc.abstractmethod
    def log_normalizer(self) -> Float[Array, "..."]:
        """log Z(χ, ν)."""

    @abc.abstractmethod
    def posterior(self, statistics: Float[Array, "... F"], weight: Float[Array, "..."]) -> Self:
        """The distribution after data with these summed statistics and weight."""

    @abc.abstractmethod
    def expected_natural(self) -> Float[Array, "... F"]:
        """``E[η]``."""

    @abc.abstractmethod
    def expected_log_normalizer(self) -> Float[Array, "..."]:
        """``E[A(η)]``."""

    @abc.abstractmethod
    def predictive(self, like: ExponentialFamily) -> Distribution:
        """The density of a new value, its parameter integrated out, of the kind of ``like``."""

    @abc.abstractmethod
    def expected(self, like: ExponentialFamily) -> Distribution:
        """The member of the family at the mean of its usual parameter, of the kind of ``like``."""

    @abc.abstractmethod
    def members(self, number: int, random: np.random.Generator, like: ExponentialFamily) -> ExponentialFamily:
        """Draws ``[S, *batch]`` of the family's members, on the host."""

    @abc.abstractmethod
    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the family's usual parameter."""

    def log_prob(self, family: ExponentialFamily) -> Float[Array, "..."]:
        """Log-density of the natural parameter of ``family``, in nats."""
        inner = (self.statistics * family.natural).sum(-1)
        return inner - self.weight * family.log_normalizer - self.log_normalizer

    def maximise(self, family: F, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> F:
        """The exact maximiser of ``Σ r log p(x) + log_prob``: the M-step of maximum a posteriori."""
        return family.maximise(statistics + self.statistics, weight + self.weight)

    def log_evidence(self, statistics: Float[Array, "... F"], weight: Float[Array, "..."]) -> Float[Array, "..."]:
        """``log ∫ p(η) ∏ p(x|η)/h(x) dη``; add ``Σ log h(x)`` for the evidence of the data themselves."""
        return self.posterior(statistics, weight).log_normalizer - self.log_normalizer

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        """``KL(self‖other)`` of the two densities (whichever parameterisation: it is the same in all)."""
        inner = ((self.statistics - other.statistics) * self.expected_natural()).sum(-1)
        spare = (self.weight - other.weight) * self.expected_log_normalizer()
        return in_base(other.log_normalizer - self.log_normalizer + inner - spare, base)


class GammaPoisson(ConjugatePrior):
    """``λ ~ Gamma(shape a, rate b)`` of a Poisson's rate: a events in b rows; the density of ``log λ``."""

    spaces: ClassVar[Spaces] = {"shapes": "positive", "rates": "positive"}
    shapes: Float[Array, "..."]
    rates: Float[Array, "..."]

    @property
    def statistics(self) -> Float[Array, "... F"]:
        return self.shapes[..., None]

    @property
    def weight(self) -> Float[Array, "..."]:
        return self.rates

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        return Gamma(self.shapes, self.rates).log_normalizer

    def posterior(self, statistics: Float[Array, "... F"], weight: Float[Array, "..."]) -> Self:
        return type(self)(self.shapes + statistics[..., 0], self.rates + weight)

    def expected_natural(self) -> Float[Array, "... F"]:
        return (special.digamma(self.shapes) - xp.log(self.rates))[..., None]

    def expected_log_normalizer(self) -> Float[Array, "..."]:
        return self.shapes / self.rates

    def predictive(self, like: ExponentialFamily) -> Distribution:
        return NegativeBinomial(self.shapes / self.rates, xp.asarray(self.shapes))

    def expected(self, like: ExponentialFamily) -> Distribution:
        return Poisson(self.shapes / self.rates)

    def members(self, number: int, random: np.random.Generator, like: ExponentialFamily) -> ExponentialFamily:
        return Poisson(_rates(self.shapes, self.rates, number, random))

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        shapes, rates = np.asarray(self.shapes), np.asarray(self.rates)
        return shapes / rates, np.sqrt(shapes) / rates


class GammaExponential(ConjugatePrior):
    """``θ ~ Gamma(shape a, rate b)`` of an exponential's rate: a − 1 waits of b in all; the density of −θ.

    It is also the density of θ itself, and its mode is ``(a − 1)/b`` (a > 1 for it to lie inside).
    """

    spaces: ClassVar[Spaces] = {"shapes": "positive", "rates": "positive"}
    shapes: Float[Array, "..."]
    rates: Float[Array, "..."]

    @property
    def statistics(self) -> Float[Array, "... F"]:
        return self.rates[..., None]

    @property
    def weight(self) -> Float[Array, "..."]:
        return self.shapes - 1.0

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        return Gamma(self.shapes, self.rates).log_normalizer

    def posterior(self, statistics: Float[Array, "... F"], weight: Float[Array, "..."]) -> Self:
        return type(self)(self.shapes + weight, self.rates + statistics[..., 0])

    def expected_natural(self) -> Float[Array, "... F"]:
        return -(self.shapes / self.rates)[..., None]

    def expected_log_normalizer(self) -> Float[Array, "..."]:
        return xp.log(self.rates) - special.digamma(self.shapes)

    def predictive(self, like: ExponentialFamily) -> Distribution:
        return Lomax(self.shapes, self.rates)

    def expected(self, like: ExponentialFamily) -> Distribution:
        return Exponential(self.shapes / self.rates)

    def members(self, number: int, random: np.random.Generator, like: ExponentialFamily) -> ExponentialFamily:
        return Exponential(_rates(self.shapes, self.rates, number, random))

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        shapes, rates = np.asarray(self.shapes), np.asarray(self.rates)
        return shapes / rates, np.sqrt(shapes) / rates


class BetaBernoulli(ConjugatePrior):
    """``p ~ Beta(a, b)`` of a Bernoulli's probability: a ones, b zeros; the density of ``logit p``."""

    spaces: ClassVar[Spaces] = {"ones": "positive", "zeros": "positive"}

    ones: Float[Array, "..."]
    zeros: Float[Array, "..."]

    @property
    def statistics(self) -> Float[Array, "... F"]:
        return self.ones[..., None]

    @property
    def weight(self) -> Float[Array, "..."]:
        return self.ones + self.zeros

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        return log_beta(xp.stack([self.ones, self.zeros], axis=-1))

    def posterior(self, statistics: Float[Array, "... F"], weight: Float[Array, "..."]) -> Self:
        return type(self)(self.ones + statistics[..., 0], self.zeros + weight - statistics[..., 0])

    def expected_natural(self) -> Float[Array, "... F"]:
        return (special.digamma(self.ones) - special.digamma(self.zeros))[..., None]

    def expected_log_normalizer(self) -> Float[Array, "..."]:
        return special.digamma(self.weight) - special.digamma(self.zeros)

    def predictive(self, like: ExponentialFamily) -> Distribution:
        return Bernoulli(self.ones / self.weight)

    def expected(self, like: ExponentialFamily) -> Distribution:
        return Bernoulli(self.ones / self.weight)

    def members(self, number: int, random: np.random.Generator, like: ExponentialFamily) -> ExponentialFamily:
        return Bernoulli(random.beta(self.ones, self.zeros, size=(number, *np.shape(self.ones))))

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        total = np.asarray(self.weight)
        return _share_moments(np.asarray(self.ones) / total, total)


class DirichletCategorical(ConjugatePrior):
    """``p ~ Dirichlet(α)`` of a categorical's or a multinomial's probabilities: α_l items of level l.

    The density is that of ``log p_l − log p_L`` (l < L), so the mode is α/Σα; the mode on the simplex, with
    α − 1, is ``distribution.mode()``. Levels with α_l = 0 are impossible and keep probability 0.
    """

    distribution: Dirichlet

    @property
    def statistics(self) -> Float[Array, "... F"]:
        return xp.asarray(self.distribution.concentrations)

    @property
    def weight(self) -> Float[Array, "..."]:
        return self.distribution.total

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        return self.distribution.log_normalizer

    def posterior(self, statistics: Float[Array, "... F"], weight: Float[Array, "..."]) -> Self:
        return type(self)(self.distribution.posterior(statistics))

    def expected_natural(self) -> Float[Array, "... F"]:
        return self.distribution.expected_log()

    def expected_log_normalizer(self) -> Float[Array, "..."]:
        return xp.zeros_like(self.distribution.total)

    def predictive(self, like: ExponentialFamily) -> Distribution:
        if like.event_dims:
            return DirichletMultinomial(self.distribution.concentrations)
        return Categorical(self.distribution.mean())

    def expected(self, like: ExponentialFamily) -> Distribution:
        mean = self.distribution.mean()
        return Multinomial(mean) if like.event_dims else Categorical(mean)

    def members(self, number: int, random: np.random.Generator, like: ExponentialFamily) -> ExponentialFamily:
        alpha = np.asarray(self.distribution.concentrations)
        mass = np.maximum(random.standard_gamma(alpha, size=(number, *alpha.shape)), 1e-300)
        shares = mass / mass.sum(-1, keepdims=True)
        return Multinomial(shares) if like.event_dims else Categorical(shares)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        alpha = np.asarray(self.distribution.concentrations)
        total = alpha.sum(-1, keepdims=True)
        return _share_moments(alpha / total, total)


class NormalGamma(ConjugatePrior):
    """``τ ~ Gamma(shape a, rate b)``, ``μ | τ ~ N(m, 1/(κτ))`` of the mean and precision of x, or of log x.

    The density is that of ``η = (μτ, −τ/2)``. Its pseudo-counts are two: κ rows for the mean and 2a − 3 for
    the precision; where they are one, ν, the prior is ν rows in the plain sense, of mean m and variance 2b/ν. A
    mode needs ``weight + 2a > 3``.
    """

    spaces: ClassVar[Spaces] = {"counts": "positive", "shapes": "positive", "rates": "positive"}

    means: Float[Array, "..."]
    counts: Float[Array, "..."]
    shapes: Float[Array, "..."]
    rates: Float[Array, "..."]

    @property
    def statistics(self) -> Float[Array, "... F"]:
        first = self.counts * self.means
        return xp.stack([first, first * self.means + 2.0 * self.rates], axis=-1)

    @property
    def weight(self) -> Float[Array, "..."]:
        return self.counts

    @property
    def _extra(self) -> Float[Array, "..."]:
        """The count behind the precision beyond that behind the mean."""
        return 2.0 * self.shapes - 3.0 - self.counts

    @property
    def log_normalizer(self) -> Float[Array, "..."]:
        # of (μ, τ): Γ(a) b^{−a} √(2π/κ); the Jacobian of η is τ/2
        gamma = Gamma(self.shapes, self.rates)
        return gamma.log_normalizer + 0.5 * (LOG_2PI - xp.log(self.counts)) - math.log(2.0)

    def log_prob(self, family: ExponentialFamily) -> Float[Array, "..."]:
        log_precision = xp.log(-2.0 * family.natural[..., 1])
        return super().log_prob(family) + 0.5 * self._extra * log_precision

    def posterior(self, statistics: Float[Array, "... F"], weight: Float[Array, "..."]) -> Self:
        count = self.counts + weight
        seen = ratio(statistics[..., 0], weight)
        within = xp.maximum(statistics[..., 1] - weight * seen**2, 0.0)
        between = self.counts * weight / count * (seen - self.means) ** 2
        return type(self)(
            (self.counts * self.means + statistics[..., 0]) / count,
            count,
            self.shapes + 0.5 * weight,
            self.rates + 0.5 * (within + between),
        )

    def maximise(self, family: F, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> F:
        joint = super().maximise(family, statistics, weight)
        # the variance's own divisor is weight + 2a − 3; η is inversely proportional to the variance
        count = weight + self.counts
        own = count + self._extra
        factor = xp.where(own > 0, own / count, 1.0)
        return joint.from_natural(joint.natural * factor[..., None])

    def expected_natural(self) -> Float[Array, "... F"]:
        precision = self.shapes / self.rates
        return xp.stack([self.means * precision, -0.5 * precision], axis=-1)

    def expected_log_normalizer(self) -> Float[Array, "..."]:
        # ½ E[μ²τ − log τ]
        square = self.means**2 * self.shapes / self.rates + 1.0 / self.counts
        return 0.5 * (square - self._expected_log_precision())

    def _expected_log_precision(self) -> Float[Array, "..."]:
        return special.digamma(self.shapes) - xp.log(self.rates)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        extra = 0.5 * (self._extra - other._extra) * self._expected_log_precision()
        return super().kl_divergence(other, base) + in_base(extra, base)

    def predictive(self, like: ExponentialFamily) -> Distribution:
        scales = xp.sqrt(self.rates * (1.0 + 1.0 / self.counts) / self.shapes)
        student = StudentT(self.means, scales, 2.0 * self.shapes)
        return LogStudentT(student) if isinstance(like, LogNormal) else student

    def expected(self, like: ExponentialFamily) -> Distribution:
        normal = Normal(self.means, self.rates / self.shapes)
        return LogNormal(normal) if isinstance(like, LogNormal) else normal

    def members(self, number: int, random: np.random.Generator, like: ExponentialFamily) -> ExponentialFamily:
        variances = 1.0 / _rates(self.shapes, self.rates, number, random)
        means = random.normal(self.means, np.sqrt(variances / self.counts))
        normal = Normal(means, variances)
        return LogNormal(normal) if isinstance(like, LogNormal) else normal

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the mean, which is Student's t (infinite where 2a ≤ 2), and then of the precision, on a last axis."""
        a, b = np.asarray(self.shapes), np.asarray(self.rates)
        spread = np.where(a > 1.0, b / (self.counts * np.where(a > 1.0, a - 1.0, 1.0)), np.inf)
        means = np.stack(np.broadcast_arrays(self.means, a / b), axis=-1)
        return means, np.stack(np.broadcast_arrays(np.sqrt(spread), np.sqrt(a) / b), axis=-1)


def _rates(shapes: Array, rates: Array, number: int, random: np.random.Generator) -> np.ndarray:
    """Draws ``[S, *batch]`` of gamma variables, none of them 0."""
    drawn = random.standard_gamma(shapes, size=(number, *np.shape(shapes)))
    return np.maximum(drawn, 1e-300) / rates


def _share_moments(share: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sd = np.sqrt(share * (1.0 - share) / (total + 1.0))
    return share, np.maximum(sd, 1e-300)
