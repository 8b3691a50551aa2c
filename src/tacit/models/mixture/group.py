"""A group of columns whose components are a family of ``families``: a product over columns, or one vector."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from tacit.compute import Array
from tacit.data.blocks import Standardise
from tacit.families.student_t import StudentT
from tacit.models.mixture.steps import (
    FamilyFeatures,
    LinearStep,
    LocalPosteriorStep,
    Step,
    observed_events,
    take,
)


class FamilyGroup(eqx.Module):
    """``p(x|k) = ∏_j p(x_j|θ_kj)`` over the columns of the group; the family's batch is ``[K, columns]``.

    A family of vectors (``event_dims`` 1) sees all columns of the group as one event; its batch is ``[K, 1]``.
    """

    family: Any
    fixed: Bool[Array, " components"] | None
    prior: Any
    columns: tuple[int, ...] = eqx.field(static=True)
    free: int = eqx.field(static=True)
    """Free parameters of one component."""
    complete: bool = eqx.field(static=True, default=True)
    blur: Float[Array, " columns"] | None = None
    """ε, what every entry is blurred by where the likelihood of a component that collapses has no bound."""

    def prepare(self) -> Step:
        if not self.family.exponential:
            return LocalPosteriorStep(self.family, self.columns, self.blur)
        natural = self.family.natural
        normalizer = self.family.log_normalizer
        if self.blur is not None:
            normalizer = normalizer - self.blur * (natural @ jnp.asarray(self.family.blur))
        components = natural.shape[0]
        flat = natural.reshape(components, -1)
        features = FamilyFeatures(self.family, self.complete)
        if self.complete:
            return LinearStep(features, flat, -normalizer.sum(-1), self.columns)
        natural = jnp.concatenate([flat, -normalizer], axis=1)
        return LinearStep(features, natural, jnp.zeros(components, flat.dtype), self.columns)

    def m_step(
        self, statistics: tuple[Float[Array, "components ..."], Float[Array, "components ..."]]
    ) -> "FamilyGroup":
        """Maximum likelihood, or the mode of the posterior under a conjugate prior, of every component."""
        weight, expected = statistics
        if self.family.exponential:
            shape = self.family.natural.shape
            events = shape[1]
            if self.complete:
                weight = jnp.broadcast_to(weight[:, None], (shape[0], events))
            else:
                weight, expected = expected[:, -events:], expected[:, :-events]
            expected = expected.reshape(shape)
            if self.blur is not None:
                expected = expected + (weight * self.blur)[..., None] * jnp.asarray(self.family.blur)
        if self.prior is not None:
            weight, expected = weight + self.prior.weight, expected + self.prior.statistics
        new = self.family.maximise(expected, weight)
        if self.fixed is not None:
            new = _keep(self.fixed, self.family, new)
        return eqx.tree_at(lambda group: group.family, self, new)

    def absolute(self, statistics: Any) -> Any:
        """The statistics as they are: T(x) knows no origin but 0."""
        return statistics

    relative = absolute

    def global_bound(self, active: Bool[Array, " components"]) -> Float[Array, ""]:
        """The log prior density of the natural parameters, 0 without a prior."""
        if self.prior is None:
            return jnp.zeros(())
        return jnp.where(active[:, None], self.prior.log_prob(self.family), 0.0).sum()

    def log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, "rows components"]:
        """Log-density of the group's observed columns under every component."""
        events, seen = observed_events(self.family, take(rows, self.columns))
        return jnp.where(seen[:, None], self.family.log_prob(events[:, None]), 0.0).sum(-1)

    def n_parameters(self) -> int:
        """Free parameters of all components (fixed ones do not count)."""
        components = jax.tree.leaves(self.family)[0].shape[0]
        return self.free * (components if self.fixed is None else int((~self.fixed).sum()))

    def take(self, order: Int[Array, " components"]) -> "FamilyGroup":
        """The group with components chosen and ordered by index."""
        family = jax.tree.map(lambda leaf: leaf[order], self.family)
        return dataclasses.replace(self, family=family, fixed=None if self.fixed is None else self.fixed[order])

    def in_units(self, view: Standardise) -> "FamilyGroup":
        """The density of the user's values; only columns of a family of location and scale are ever scaled."""
        if not isinstance(self.family, StudentT):
            return self
        columns = np.asarray(self.columns)
        shift, scale = view.shift[columns], view.scale[columns]
        blur = None if self.blur is None else self.blur * scale**2
        return dataclasses.replace(self, family=self.family.affine(scale, shift), blur=blur)

    def with_rows(self, *, complete: bool, tile: int) -> "FamilyGroup":
        """The same density for rows with or without gaps."""
        return dataclasses.replace(self, complete=complete)

    def floored(self) -> Bool[Array, "*starts components columns"]:
        """Where a component has little more width than the blur (on the host)."""
        return np.asarray(self.family.spread) < 2.0 * np.asarray(self.blur)[..., None, :]


def _keep(fixed, old, new):
    def pick(a, b):
        return jnp.where(fixed.reshape(-1, *(1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(pick, old, new)
