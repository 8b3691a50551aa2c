"""Components of an exponential family with a conjugate posterior over every parameter.

The E-step is that of the family with *expected* parameters: ``E log p(x|θ) = ⟨E η, T(x)⟩ − E A(η) + log h(x)``.
"""

import dataclasses
from collections.abc import Sequence
from typing import Self

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, PyTree

from tacit.arrays import chosen, static, xp
from tacit.compute import Array
from tacit.families.base import ExponentialFamily
from tacit.families.priors import ConjugatePrior
from tacit.models.components.base import Component, ComponentPosterior
from tacit.models.components.product import FamilyComponent, by_event, over_components
from tacit.models.components.steps import FamilyFeatures, LinearStep, Step


class ConjugateComponent(ComponentPosterior):
    """``q(θ_kj)`` of every component and column; a family of vectors has one θ_k for all columns."""

    posterior: ConjugatePrior
    """With batch ``[K, columns]``, or ``[K, 1]``."""
    prior: ConjugatePrior
    """With batch ``[columns]``, or ``[1]``."""
    family: ExponentialFamily
    """Of which only T(x) and h(x) are used."""
    columns: tuple[int, ...] = static()
    free: int = static()
    """Free parameters of one component."""
    complete: bool = static(default=True)

    @classmethod
    def template(
        cls,
        prior: ConjugatePrior,
        width: int,
        family: ExponentialFamily,
        columns: tuple[int, ...],
        free: int,
        *,
        complete: bool,
    ) -> Self:
        """Components of which nothing is known but the prior."""
        posterior = jax.tree.map(lambda leaf: np.repeat(np.asarray(leaf)[None], width, axis=0), prior)
        return cls(posterior, prior, family, columns, free, complete)

    @property
    def name(self) -> str:
        return self.family.name

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.family.symbols

    @property
    def parameters(self) -> PyTree:
        return self.posterior

    def prepare(self) -> Step:
        natural = self.posterior.expected_natural()
        normalizer = self.posterior.expected_log_normalizer()
        flat = natural.reshape(*natural.shape[:-2], -1)
        features = FamilyFeatures(self.family, self.complete)
        if self.complete:
            return LinearStep(features, flat, -normalizer.sum(-1), self.columns)
        natural = xp.concatenate([flat, -normalizer], axis=-1)
        return LinearStep(features, natural, xp.zeros_like(flat[..., 0]), self.columns)

    def m_step(self, statistics: tuple[Float[Array, "..."], Float[Array, "..."]]) -> Self:
        """The conjugate posterior under expected statistics."""
        shape = self.posterior.expected_natural().shape
        weight, expected = by_event(*statistics, shape, complete=self.complete)
        posterior = over_components(self.prior, weight.ndim - 2).posterior(expected, weight)
        return dataclasses.replace(self, posterior=posterior)

    def global_bound(self, active: Bool[Array, "*starts components"]) -> Float[Array, "*starts"]:
        """``−KL(q(θ)‖p(θ))`` of all components."""
        prior = over_components(self.prior, active.ndim - 1)
        return -xp.where(active[..., None], self.posterior.kl_divergence(prior), 0.0).sum((-2, -1))

    def predictive(self) -> Component:
        return FamilyComponent(self.posterior.predictive(self.family), None, None, self.columns, self.free)

    def expected(self) -> Component:
        return FamilyComponent(self.posterior.expected(self.family), None, None, self.columns, self.free)

    def with_rows(self, *, complete: bool, tile: int) -> Self:
        return dataclasses.replace(self, complete=complete)

    def take(self, order: Int[Array, "*starts chosen"]) -> Self:
        return dataclasses.replace(self, posterior=jax.tree.map(lambda leaf: chosen(leaf, order), self.posterior))

    def n_parameters(self) -> int:
        return self.free * int(jax.tree.leaves(self.posterior)[0].shape[0])

    def draw_parameters(
        self, number: int, random: np.random.Generator
    ) -> tuple[Component, Float[np.ndarray, " draws"]]:
        drawn = self.posterior.members(number, random, self.family)
        ratio = np.asarray(self.prior.log_prob(drawn) - self.posterior.log_prob(drawn)).sum((1, 2))
        return FamilyComponent(drawn, None, None, self.columns, self.free), ratio

    def entries(self, drawn: Component, columns: Sequence[str]) -> list[tuple[str, Float[np.ndarray, " draws"]]]:
        ((name, values),) = drawn.values().items()
        what = "rate" if name == "rates" else "probability"
        found = []
        for k in range(values.shape[1]):
            for place in np.ndindex(values.shape[2:]):
                if self.family.event_dims:
                    entry = columns[place[1]]
                else:
                    entry = columns[place[0]] + (f" = {place[1]}" if len(place) > 1 else "")
                found.append((f"{what} of {entry} in {k + 1}", np.asarray(values)[(slice(None), k, *place)]))
        return found

    def parameter_moments(self) -> tuple[Float[np.ndarray, "components p"], Float[np.ndarray, "components p"]]:
        mean, sd = self.posterior.moments()
        return mean.reshape(len(mean), -1), sd.reshape(len(sd), -1)
