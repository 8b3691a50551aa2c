"""What every family is: a batch of distributions held as one immutable pytree.

The common tongue is the exponential family ``p(x|η) = h(x) exp(⟨η, T(x)⟩ − A(η))`` (Wainwright & Jordan 2008,
section 3): statistics add over rows, so one pair of matrix products serves every family.
"""

import abc
import dataclasses
import math
from typing import ClassVar, Literal, NamedTuple, Self

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import Pytree
from tacit.compute import Array
from tacit.engine import PRNGKeyArray, jax
from tacit.families.numeric import unit_columns
from tacit.spaces import Spaces


def in_base(nats: Array, base: float | None) -> Array:
    """Turn nats into logarithms to another base (``None`` leaves nats; 2 gives bits)."""
    return nats if base is None else nats / math.log(base)


class Parameter(NamedTuple):
    """An array of parameters of a family."""

    name: str
    space: Literal["real", "positive", "probability", "shares"]
    """Where a value lies; shares are probabilities that sum to 1 along the last axis."""
    most: float = math.inf
    """At this value another, simpler family is reached: there is no standard error."""


class Distribution(Pytree):
    """A batch of densities or masses, and all that is known of their kind.

    Methods broadcast the batch of the parameters against the batch of ``x``, as NumPy does:
    ``Poisson(rate[K, D]).log_prob(x[rows, 1, D])`` is ``[rows, K, D]``. Those that answer on the host (``draw``,
    ``cdf`` and what follows them) want NumPy leaves.
    """

    name: ClassVar[str]
    event_dims: ClassVar[int] = 0
    """0 where one value is one event, 1 where a row of values is (a multinomial, a Gaussian vector)."""
    exponential: ClassVar[bool] = False
    """Whether T(x) is free of the parameters."""
    column_kind: ClassVar[str] = "continuous"
    """What a column must be: "continuous", "positive", "count", "binary" or "categorical"."""
    symbols: ClassVar[tuple[str, ...]] = ("θ",)
    """The letters of the parameters."""
    parameters: ClassVar[tuple[Parameter, ...]] = ()
    """The arrays of parameters, by which a fit may be moved; none where that is not known."""
    standardised: ClassVar[bool] = False
    """Whether columns are centred and scaled before a fit: those of a family of location and scale."""
    given_total: ClassVar[bool] = False
    """Whether the density is of a row of counts given its sum."""
    background: ClassVar[bool] = False
    """Whether it is noise: spread over all rows alike, with nothing in it to be estimated."""
    spaces: ClassVar[Spaces] = {}
    """Where arrays lie that are not said by ``parameters``, or that may also lie at the edge of what is said there."""
    least_spread: ClassVar[float | None] = None
    """The least `spread` that the M-step gives, of a family whose scale is its own and whose likelihood would have no
    bound without."""

    @abc.abstractmethod
    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """Log-density (or log-mass) in nats, −inf outside the support, in the numerically safest form."""

    @abc.abstractmethod
    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        """Where ``x`` lies in the support, cell by cell, the shape of ``x`` (to name the offending cell)."""

    @abc.abstractmethod
    def mean(self) -> Float[Array, "..."]:
        """``E[x]``, NaN or infinite where there is none."""

    @abc.abstractmethod
    def variance(self) -> Float[Array, "..."]:
        """``Var[x]``, element by element, infinite where there is none."""

    @property
    def n_free(self) -> int:
        """Free parameters of one event."""
        return max(len(self.parameters), 1)

    def moments(self) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        """Mean and variance; where there is no mean but a location, that, with an infinite variance."""
        return self.mean(), self.variance()

    @property
    def spread(self) -> Float[Array, "..."]:
        """What shrinks to the noise floor when a member collapses on few values."""
        return self.variance()

    @abc.abstractmethod
    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        """One event from every member, on the host; ``total`` is the sum of a row of counts (1 if None)."""

    def in_units(self, scale: Float[Array, "..."], shift: Float[Array, "..."]) -> Self:
        """The distribution of ``scale · x + shift``, of a family that is ``standardised``; others stay as they are."""
        return self

    def cdf(self, x: np.ndarray) -> np.ndarray:
        """``P(X ≤ x)``; x broadcasts against the batch.

        Raises:
            ValueError: it is not known.
        """
        raise ValueError(f"no distribution function is known for the family {self.name}")

    def location_scale(self) -> tuple[np.ndarray, np.ndarray]:
        """Where the members lie on the line, and how wide they are.

        Raises:
            ValueError: they have no location.
        """
        raise ValueError(f"no quantiles are known for the family {self.name}")

    def code_probabilities(self) -> np.ndarray | None:
        """``p(x = l)`` of every code l on a last axis, where the values are codes."""
        return None

    def filling(self, weights: Float[np.ndarray, "rows components"]) -> np.ndarray | None:
        """What a gap is filled with under these weights of the members, where it is not the mean; else None."""
        probabilities = self.code_probabilities()
        if probabilities is None:
            return None
        return np.einsum("nk,kdl->ndl", weights, probabilities).argmax(-1)

    def seeding_features(self, x: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows features"]:
        """Columns in the space where seeds are sought, NaN where missing: counts and sizes by their square root."""
        return unit_columns(np.sqrt(x) if x.min(initial=0.0, where=~np.isnan(x)) >= 0 else x)

    def values(self) -> dict[str, Array]:
        """The parameters by name."""
        return {parameter.name: vars(self)[parameter.name] for parameter in self.parameters}

    def with_values(self, values: dict[str, Array]) -> Self:
        """The same kind of density at other parameters."""
        return dataclasses.replace(self, **values)


class Family(Distribution):
    """A batch of distributions; the leading axes of every parameter are the batch.

    ``event_dims`` is 0 where one value is one event (Poisson, a scalar Normal, a category's code) and 1
    where a row of values is one event (multinomial, a Gaussian vector). All logarithms are natural and every
    density is complete with its constants. A missing value (NaN) has no density (NaN) and gives no statistics
    (zeros).
    """

    exponential: ClassVar[bool] = True
    """False where T(x) depends on the parameters through a local posterior (negative binomial)."""
    noise_floor: ClassVar[tuple[float, ...] | None] = None
    """The direction c in which a floor ε acts on the statistics, where the likelihood has no bound without.

    Adding ``ε c`` per unit of weight to the statistics and ``ε ⟨η, c⟩`` to every log-density in the E-step
    is exact: the bound of rows that are each blurred a little (a Normal's variance stays above ε).
    """

    @abc.abstractmethod
    def expected_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """``E[T]`` at ``x`` with a last axis F: T(x), or its mean under the local posterior at ``self``."""

    @abc.abstractmethod
    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        """The M-step: maximum likelihood from summed statistics ``[*batch, F]`` and weights ``[*batch]``.

        May iterate inside, warm from ``self``. Where ``weight`` is 0 the parameters of ``self`` stay.
        """

    @abc.abstractmethod
    def entropy(self, base: float | None = None) -> Float[Array, "..."]:
        """``H(p) = −E_p log p`` in nats, or to another base."""

    @abc.abstractmethod
    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        """``H(p, q) = −E_p log q`` of ``self`` = p against ``other`` = q."""

    @abc.abstractmethod
    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        """``KL(p‖q) = H(p, q) − H(p)``."""

    @abc.abstractmethod
    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        """Draws of shape ``shape + batch + event``."""

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        return np.asarray(self.sample(key=jax.random.key(int(random.integers(2**31)))))


class ExponentialFamily(Family):
    """A family whose T(x) is free of the parameters."""

    @abc.abstractmethod
    def sufficient_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """T(x) with a last axis F; finite on the support, zeros outside it and where x is missing."""

    @abc.abstractmethod
    def log_base(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """``log h(x)``; 0 outside the support and where x is missing."""

    @property
    @abc.abstractmethod
    def natural(self) -> Float[Array, "... F"]:
        """η, finite always: probabilities of zero are read as the smallest normal number."""

    @property
    @abc.abstractmethod
    def log_normalizer(self) -> Float[Array, "..."]:
        """A(η)."""

    @property
    @abc.abstractmethod
    def mean_parameters(self) -> Float[Array, "... F"]:
        """``m = E[T] = ∇A(η)``."""

    @abc.abstractmethod
    def from_natural(self, natural: Float[Array, "... F"]) -> Self:
        """The member with these natural parameters (static fields are taken from ``self``)."""

    @abc.abstractmethod
    def from_mean_parameters(self, mean_parameters: Float[Array, "... F"]) -> Self:
        """The member with these mean parameters: ``η = (∇A)⁻¹(m)``."""

    def expected_statistics(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        return self.sufficient_statistics(x)

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        # −E_p[⟨η', T⟩ − A(η') + log h] : only E_p[log h] is not the same expression for all families
        inner = (other.natural * self.mean_parameters).sum(-1)
        return in_base(other.log_normalizer - inner - self.expected_log_base(), base)

    def entropy(self, base: float | None = None) -> Float[Array, "..."]:
        return self.cross_entropy(self, base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        # A(η') − A(η) − ⟨η' − η, m⟩ (a Bregman divergence): E[log h] cancels
        inner = ((other.natural - self.natural) * self.mean_parameters).sum(-1)
        return in_base(other.log_normalizer - self.log_normalizer - inner, base)

    @abc.abstractmethod
    def expected_log_base(self) -> Float[Array, "..."]:
        """``E_p[log h(x)]``, closed where it is closed, else summed or integrated to 1e-9."""
