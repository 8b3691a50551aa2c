"""Components that are a family of ``families``: a product over their columns, or one vector of all of them."""

import dataclasses
from typing import Self, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit import trees
from tacit.arrays import chosen, static, xp
from tacit.compute import Array
from tacit.data.blocks import Standardise
from tacit.engine import PyTree
from tacit.families.base import Distribution, ExponentialFamily, Family
from tacit.families.priors import ConjugatePrior
from tacit.models.components.base import Component
from tacit.models.components.coordinates import Chart, family_charts, free_components
from tacit.models.components.steps import (
    FamilyFeatures,
    LinearStep,
    LocalPosteriorStep,
    Step,
    observed_events,
    take,
    under_all,
)

P = TypeVar("P", bound=ConjugatePrior)


class FamilyComponent(Component):
    """``p(x|k) = ∏_j p(x_j|θ_kj)`` over the columns; the family's batch is ``[K, columns]``.

    A family of vectors (``event_dims`` 1) sees all columns as one event; its batch is ``[K, 1]``.
    """

    family: Distribution
    fixed: Bool[Array, " components"] | None
    prior: ConjugatePrior | None
    columns: tuple[int, ...] = static()
    free: int = static()
    """Free parameters of one component."""
    complete: bool = static(default=True)
    noise_floor: Float[Array, " columns"] | None = None
    """ε, what every entry is blurred by where the likelihood of a component that collapses has no bound."""

    @property
    def name(self) -> str:
        return self.family.name

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.family.symbols

    @property
    def parameters(self) -> PyTree:
        return self.family

    @property
    def background(self) -> bool:
        return self.family.background

    @property
    def column_kind(self) -> str:
        return self.family.column_kind

    @property
    def given_total(self) -> bool:
        return self.family.given_total

    @property
    def has_prior(self) -> bool:
        return self.prior is not None

    def prepare(self) -> Step:
        if not isinstance(self.family, ExponentialFamily):
            return LocalPosteriorStep(self.family, self.columns, self.noise_floor)
        natural = self.family.natural
        normalizer = self.family.log_normalizer
        if self.noise_floor is not None:
            normalizer = normalizer - self.noise_floor[..., None, :] * (natural @ np.asarray(self.family.noise_floor))
        flat = natural.reshape(*natural.shape[:-2], -1)
        features = FamilyFeatures(self.family, self.complete)
        if self.complete:
            return LinearStep(features, flat, -normalizer.sum(-1), self.columns)
        natural = xp.concatenate([flat, -normalizer], axis=-1)
        return LinearStep(features, natural, xp.zeros_like(flat[..., 0]), self.columns)

    def m_step(self, statistics: tuple[Float[Array, "..."], Float[Array, "..."]]) -> Self:
        """Maximum likelihood, or the mode of the posterior under a conjugate prior, of every component."""
        weight, expected = statistics
        assert isinstance(self.family, Family)  # predictive densities are never fitted
        if isinstance(self.family, ExponentialFamily):
            shape = self.family.natural.shape
            weight, expected = by_event(weight, expected, shape, complete=self.complete)
            if self.noise_floor is not None:
                expected = expected + (weight * self.noise_floor[..., None, :])[..., None] * np.asarray(
                    self.family.noise_floor
                )
        if self.prior is not None:
            prior = over_components(self.prior, weight.ndim - 2)
            weight, expected = weight + prior.weight, expected + prior.statistics
        new = self.family.maximise(expected, weight)
        if self.fixed is not None:
            new = _keep(self.fixed, self.family, new)
        return dataclasses.replace(self, family=new)

    def global_bound(self, active: Bool[Array, "*starts components"]) -> Float[Array, "*starts"]:
        """The log prior density of the natural parameters, 0 without a prior."""
        if self.prior is None:
            return xp.zeros_like(active[..., 0], dtype=float)
        assert isinstance(self.family, ExponentialFamily)  # only they have conjugate priors
        prior = over_components(self.prior, active.ndim - 1)
        return xp.where(active[..., None], prior.log_prob(self.family), 0.0).sum((-2, -1))

    def log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, "*starts rows components"]:
        """Log-density of the observed columns under every component."""
        events, seen = observed_events(self.family, take(rows, self.columns))
        return xp.where(seen[:, None], under_all(self.family).log_prob(events[:, None]), 0.0).sum(-1)

    def n_parameters(self) -> int:
        """Free parameters of all components (fixed ones do not count)."""
        components = trees.leaves(self.family)[0].shape[0]
        return self.free * (components if self.fixed is None else int((~self.fixed).sum()))

    def take(self, order: Int[Array, "*starts chosen"]) -> Self:
        family = trees.map(lambda leaf: chosen(leaf, order), self.family)
        return dataclasses.replace(self, family=family, fixed=None if self.fixed is None else chosen(self.fixed, order))

    def in_units(self, view: Standardise) -> Self:
        if not self.family.standardised:
            return self
        columns = np.asarray(self.columns)
        shift, scale = view.shift[columns], view.scale[columns]
        noise_floor = None if self.noise_floor is None else self.noise_floor * scale**2
        return dataclasses.replace(self, family=self.family.in_units(scale, shift), noise_floor=noise_floor)

    def with_rows(self, *, complete: bool, tile: int) -> Self:
        return dataclasses.replace(self, complete=complete)

    def plain(self) -> Component:
        return dataclasses.replace(self, prior=None, fixed=None)

    def without_floor(self) -> Self:
        return (
            self if self.noise_floor is None else dataclasses.replace(self, noise_floor=np.zeros_like(self.noise_floor))
        )

    def floored(self) -> Bool[np.ndarray, "*starts components columns"] | None:
        """Where a component has little more width than the noise floor, or than its family allows (on the host)."""
        least = self.family.least_spread if self.noise_floor is None else np.asarray(self.noise_floor)[..., None, :]
        return None if least is None else np.asarray(self.family.spread) < 2.0 * least

    def supports(self, x: Float[Array, "rows d"]) -> Bool[Array, "rows d"]:
        return self.family.supports(x)

    def moments(self) -> tuple[Float[Array, "components d"], Float[Array, "components d"]]:
        mean, variance = self.family.moments()
        return mean.reshape(mean.shape[0], -1), variance.reshape(variance.shape[0], -1)

    def draw(
        self, labels: Int[np.ndarray, " rows"], random: np.random.Generator, total: np.ndarray | None = None
    ) -> Float[np.ndarray, "rows d"]:
        family = trees.map(lambda leaf: np.asarray(leaf)[labels], self.family)
        return family.draw(random, None if total is None else total[:, None]).reshape(labels.size, -1)

    def column(self, place: int) -> Distribution:
        if self.family.event_dims:
            raise ValueError(
                f"column {self.columns[place]} is part of one {self.name} row and has no density of its own"
            )
        return trees.map(lambda leaf: leaf[:, place], self.family)

    def marginal(self, positions: np.ndarray, places: tuple[int, ...]) -> Component:
        if self.family.event_dims:
            if len(positions) < len(self.columns):
                raise ValueError(
                    f"columns {list(self.columns)} are one {self.name} row and have no density apart: "
                    "take all of them or none"
                )
            return self._answering(self.family, places, self.free)
        family = trees.map(lambda leaf: leaf[:, positions], self.family)
        return self._answering(family, places, self.free * len(positions) // len(self.columns))

    def _answering(self, family: Distribution, places: tuple[int, ...], free: int) -> Self:
        """These densities over columns at other places, with nothing that only a fit needs."""
        return dataclasses.replace(
            self, family=family, fixed=None, prior=None, columns=places, free=free, complete=True, noise_floor=None
        )

    def seeding_features(self, x: Float[np.ndarray, "rows d"]) -> Float[np.ndarray, "rows features"]:
        return self.family.seeding_features(x)

    def code_probabilities(self) -> Float[np.ndarray, "components d levels"] | None:
        return self.family.code_probabilities()

    def filling(self, weights: Float[np.ndarray, "rows components"]) -> np.ndarray | None:
        return self.family.filling(weights)

    def distributions(self, *, dense: bool) -> Family | None:
        return self.family if isinstance(self.family, Family) else None

    def values(self) -> dict[str, Array]:
        return self.family.values()

    def with_values(self, values: dict[str, Float[Array, "..."]]) -> Self:
        return dataclasses.replace(self, family=self.family.with_values(values))

    def charts(self) -> dict[str, Chart]:
        family = trees.map(np.asarray, self.family)
        return family_charts(family, free_components(self.fixed, trees.leaves(family)[0].shape[0]))


def by_event(
    counts: Float[Array, "*starts components"], expected: Float[Array, "..."], shape: tuple[int, ...], *, complete: bool
) -> tuple[Float[Array, "*starts components events"], Float[Array, "..."]]:
    """The weight that is seen of every event, and its statistics, from what a step with features of families sums."""
    events = shape[-2]
    if complete:
        return xp.broadcast_to(counts[..., None], shape[:-1]), expected.reshape(shape)
    return expected[..., -events:], expected[..., :-events].reshape(shape)


def over_components(prior: P, starts: int) -> P:
    """A prior with batch ``[*starts, columns]`` as ``[*starts, 1, columns]``."""
    return trees.map(lambda leaf: xp.expand_dims(leaf, starts), prior)


def _keep(fixed, old, new):
    def pick(a, b):
        return xp.where(fixed.reshape(*fixed.shape, *(1,) * (a.ndim - fixed.ndim)), a, b)

    return trees.map(pick, old, new)
