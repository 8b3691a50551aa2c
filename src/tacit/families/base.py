"""What every family is: a batch of distributions held as one immutable pytree.

The common tongue is the exponential family ``p(x|η) = h(x) exp(⟨η, T(x)⟩ − A(η))`` (Wainwright & Jordan 2008,
section 3): statistics add over rows, so one pair of matrix products serves every family.
"""

import abc
import math
from typing import ClassVar, Self

import equinox as eqx
from jaxtyping import Bool, Float, PRNGKeyArray

from tacit.compute import Array


def in_base(nats: Array, base: float | None) -> Array:
    """Turn nats into logarithms to another base (``None`` leaves nats; 2 gives bits)."""
    return nats if base is None else nats / math.log(base)


class Family(eqx.Module):
    """A batch of distributions; the leading axes of every parameter are the batch.

    ``event_dims`` is 0 where one value is one event (Poisson, a scalar Normal, a category's code) and 1
    where a row of values is one event (multinomial, a Gaussian vector). Methods broadcast the batch of the
    parameters against the batch of ``x``, as NumPy does: ``Poisson(rate[K, D]).log_prob(x[rows, 1, D])`` is
    ``[rows, K, D]``. All logarithms are natural and every density is complete with its constants. A missing
    value (NaN) has no density (NaN) and gives no statistics (zeros).
    """

    name: ClassVar[str]
    event_dims: ClassVar[int] = 0
    exponential: ClassVar[bool] = True
    """False where T(x) depends on the parameters through a local posterior (negative binomial)."""
    blur: ClassVar[tuple[float, ...] | None] = None
    """The direction c in which a floor ε acts on the statistics, where the likelihood has no bound without.

    Adding ``ε c`` per unit of weight to the statistics and ``ε ⟨η, c⟩`` to every log-density in the E-step
    is exact: the bound of rows that are each blurred a little (a Normal's variance stays above ε).
    """

    @abc.abstractmethod
    def log_prob(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """Log-density (or log-mass) in nats, −inf outside the support, in the numerically safest form."""

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

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        """``KL(p‖q) = H(p, q) − H(p)``."""
        return self.cross_entropy(other, base) - self.entropy(base)

    @abc.abstractmethod
    def mean(self) -> Float[Array, "..."]:
        """``E[x]``."""

    @abc.abstractmethod
    def variance(self) -> Float[Array, "..."]:
        """``Var[x]``, element by element."""

    @abc.abstractmethod
    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        """Draws of shape ``shape + batch + event``."""

    @abc.abstractmethod
    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        """Where ``x`` lies in the support, cell by cell, the shape of ``x`` (to name the offending cell)."""


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
