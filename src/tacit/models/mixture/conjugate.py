"""A group of columns of an exponential family with a conjugate posterior over every parameter.

The E-step is that of the family with *expected* parameters: ``E log p(x|θ) = ⟨E η, T(x)⟩ − E A(η) + log h(x)``.
"""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int

from tacit.compute import Array
from tacit.data.blocks import Standardise
from tacit.families.bernoulli import Bernoulli
from tacit.families.categorical import Categorical
from tacit.families.exponential import Exponential
from tacit.families.multinomial import Multinomial
from tacit.families.negative_binomial import NegativeBinomial
from tacit.families.poisson import Poisson
from tacit.families.priors import (
    BetaBernoulli,
    ConjugatePrior,
    DirichletCategorical,
    GammaExponential,
    GammaPoisson,
)
from tacit.models.mixture.group import FamilyGroup
from tacit.models.mixture.predictive import DirichletMultinomial, Lomax
from tacit.models.mixture.steps import FamilyFeatures, LinearStep, Step


class ConjugateGroup(eqx.Module):
    """``q(θ_kj)`` of every component and column; a family of vectors has one θ_k for all columns of the group."""

    posterior: ConjugatePrior
    """With batch ``[K, columns]``, or ``[K, 1]``."""
    prior: ConjugatePrior
    """With batch ``[columns]``, or ``[1]``."""
    family: Any
    """Of which only T(x) and h(x) are used."""
    columns: tuple[int, ...] = eqx.field(static=True)
    free: int = eqx.field(static=True)
    """Free parameters of one component."""
    complete: bool = eqx.field(static=True, default=True)

    blur = None

    @classmethod
    def template(
        cls, prior: ConjugatePrior, width: int, family: Any, columns: tuple[int, ...], free: int, *, complete: bool
    ) -> "ConjugateGroup":
        """Components of which nothing is known but the prior."""
        posterior = jax.tree.map(lambda leaf: jnp.repeat(jnp.asarray(leaf)[None], width, axis=0), prior)
        return cls(posterior, prior, family, columns, free, complete)

    def prepare(self) -> Step:
        natural = self.posterior.expected_natural()
        normalizer = self.posterior.expected_log_normalizer()
        components = normalizer.shape[0]
        flat = natural.reshape(components, -1)
        features = FamilyFeatures(self.family, self.complete)
        if self.complete:
            return LinearStep(features, flat, -normalizer.sum(-1), self.columns)
        natural = jnp.concatenate([flat, -normalizer], axis=1)
        return LinearStep(features, natural, jnp.zeros(components, flat.dtype), self.columns)

    def m_step(self, statistics: tuple[Float[Array, " components"], Float[Array, "components f"]]) -> "ConjugateGroup":
        """The conjugate posterior under expected statistics."""
        weight, expected = statistics
        shape = self.posterior.expected_natural().shape
        events = shape[1]
        if self.complete:
            weight = jnp.broadcast_to(weight[:, None], (shape[0], events))
        else:
            weight, expected = expected[:, -events:], expected[:, :-events]
        posterior = self.prior.posterior(expected.reshape(shape), weight)
        return eqx.tree_at(lambda group: group.posterior, self, posterior)

    def absolute(self, statistics: Any) -> Any:
        """The statistics as they are: T(x) knows no origin but 0."""
        return statistics

    relative = absolute

    def global_bound(self, active: Bool[Array, " components"]) -> Float[Array, ""]:
        """``−KL(q(θ)‖p(θ))`` of all components."""
        return -jnp.where(active[:, None], self.posterior.kl_divergence(self.prior), 0.0).sum()

    def predictive(self) -> FamilyGroup:
        """The density of a new row given the component, its parameters integrated out."""
        return FamilyGroup(_predictive(self.posterior, self.family), None, None, self.columns, self.free)

    def expected(self) -> FamilyGroup:
        """The group at the posterior means of its parameters."""
        return FamilyGroup(_expected(self.posterior, self.family), None, None, self.columns, self.free)

    def in_units(self, view: Standardise) -> "ConjugateGroup":
        """Itself: counts, codes and waiting times are never scaled."""
        return self

    def with_rows(self, *, complete: bool, tile: int) -> "ConjugateGroup":
        """The same posterior for rows with or without gaps."""
        return dataclasses.replace(self, complete=complete)

    def take(self, order: Int[Array, " chosen"]) -> "ConjugateGroup":
        """The group with components chosen and ordered by index."""
        return dataclasses.replace(self, posterior=jax.tree.map(lambda leaf: leaf[order], self.posterior))

    def n_parameters(self) -> int:
        """Free parameters of all components."""
        return self.free * int(jax.tree.leaves(self.posterior)[0].shape[0])


def _expected(posterior: ConjugatePrior, family: Any) -> Any:
    match posterior:
        case GammaPoisson():
            return Poisson(posterior.shapes / posterior.rates)
        case GammaExponential():
            return Exponential(posterior.shapes / posterior.rates)
        case DirichletCategorical() if family.event_dims:
            return Multinomial(posterior.distribution.mean())
    return _predictive(posterior, family)


def _predictive(posterior: ConjugatePrior, family: Any) -> Any:
    match posterior:
        case GammaPoisson():
            return NegativeBinomial(posterior.shapes / posterior.rates, jnp.asarray(posterior.shapes))
        case GammaExponential():
            return Lomax(posterior.shapes, posterior.rates)
        case BetaBernoulli():
            return Bernoulli(posterior.ones / posterior.weight)
        case DirichletCategorical() if family.event_dims:
            return DirichletMultinomial(posterior.distribution.concentrations)
        case DirichletCategorical():
            return Categorical(posterior.distribution.mean())
    raise ValueError(f"no predictive density is known under {type(posterior).__name__}")
