"""``p(x) = Σ_k π_k ∏_g p_g(x_g|k)``: a mixture over groups of columns, as an immutable pytree."""

import dataclasses
from typing import Any, ClassVar

from jaxtyping import Bool, Float, Int

from tacit import trees
from tacit.arrays import Pytree, chosen, logsumexp, softmax, special, xp
from tacit.compute import Array, is_eager
from tacit.data.blocks import Standardise
from tacit.engine import PRNGKeyArray
from tacit.inference.closed_form import Sums
from tacit.models.components.base import Component
from tacit.models.components.steps import Step
from tacit.models.mixture.products import products_step, sums_of_products
from tacit.models.mixture.ragged import present, sums_of_present
from tacit.models.mixture.rules import Draws, PosteriorRule, Rule
from tacit.spaces import Spaces


class MixtureStep(Pytree):
    """The E-step of one iteration: logits under all components, q, and the expected statistics."""

    log_weights: Float[Array, "*starts components"]
    parts: tuple[Step, ...]
    rule: Rule

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "*starts rows components"], list]:
        """``log π_k + log p_k(x_n)``, and what each group wants again for its statistics."""
        logits = self.log_weights[..., None, :]
        memos = []
        for part in self.parts:
            log_prob, memo = part.terms(rows)
            logits = logits + log_prob
            memos.append(memo)
        return logits, memos

    def statistics(self, memos: list, responsibilities: Float[Array, "*starts rows components"]) -> Any:
        """Counts, and every group's statistics, under (weighted) responsibilities."""
        parts = tuple(p.statistics(m, responsibilities) for p, m in zip(self.parts, memos, strict=True))
        return responsibilities.sum(-2), parts

    def __call__(
        self, rows: Float[Array, "rows dims"], weights: Float[Array, " rows"], key: PRNGKeyArray | None
    ) -> Sums:
        there = present(self.log_weights) if isinstance(self.rule, PosteriorRule) and is_eager() else None
        if there is not None:
            parts = [p for part in self.parts if (p := part.among(there.starts, there.components)) is not None]
            if len(parts) == len(self.parts):
                return sums_of_present(self.log_weights, parts, there, rows, weights)
        if is_eager() and (part := products_step(self.parts, self.rule, rows)) is not None:
            return sums_of_products(self.log_weights, part, rows, weights)
        logits, memos = self.terms(rows)
        responsibilities, bound = self.rule(logits, key)
        statistics = self.statistics(memos, responsibilities * weights[:, None])
        return Sums(statistics, (weights * bound).sum(-1))


class MixtureModel(Pytree):
    """Weights and groups of K components; components that are not ``active`` are padding.

    ``concentration`` is the parameter α of a Dirichlet prior on the weights, whose mode uses α − 1 (1: none).
    """

    spaces: ClassVar[Spaces] = {"log_weights": "log shares", "concentration": "positive"}

    log_weights: Float[Array, " components"]
    groups: tuple[Component, ...]
    """Stacks over groups of columns, which are independent given the component."""
    active: Bool[Array, " components"]
    fixed_weights: Bool[Array, " components"] | None = None
    concentration: Float[Array, ""] | None = None
    rule: Rule = PosteriorRule()

    @property
    def monotone(self) -> bool:
        """Whether the bound of exact steps never falls."""
        return self.rule.monotone

    @property
    def weights(self) -> Float[Array, "*starts components"]:
        """``π_k``."""
        return xp.exp(self.log_weights)

    @property
    def noise(self) -> int:
        """How many components, the last ones, are noise and no groups of rows."""
        return self.groups[0].noise

    def prepare(self) -> MixtureStep:
        return MixtureStep(self.log_weights, tuple(g.prepare() for g in self.groups), self.rule)

    def m_step(self, statistics: Any) -> "MixtureModel":
        counts, parts = statistics
        groups = tuple(g.m_step(s) for g, s in zip(self.groups, parts, strict=True))
        rule = self.rule.grown() if isinstance(self.rule, Draws) else self.rule
        changes = {"log_weights": self._log_weights(counts), "groups": groups, "rule": rule}
        changed: MixtureModel = trees.replace(self, changes)
        return changed

    def _log_weights(self, counts: Float[Array, "*starts components"]) -> Float[Array, "*starts components"]:
        mass = counts
        if self.concentration is not None:
            mass = xp.maximum(counts + self.concentration[..., None] - 1.0, 0.0)
        mass = xp.where(self.active, mass, 0.0)
        if self.fixed_weights is None:
            return _log(mass / mass.sum(-1, keepdims=True))
        free = xp.where(self.fixed_weights, 0.0, mass)
        left = 1.0 - xp.where(self.fixed_weights, self.weights, 0.0).sum(-1, keepdims=True)
        total = free.sum(-1, keepdims=True)
        shared = left * free / xp.where(total > 0, total, 1.0)
        return xp.where(self.fixed_weights, self.log_weights, _log(shared))

    def global_bound(self) -> Float[Array, "*starts"]:
        """The log prior density of weights and groups."""
        first, *others = (g.global_bound(self.active) for g in self.groups)
        total = sum(others, first)
        if self.concentration is None:
            return total
        alpha, number = self.concentration, self.active.sum(-1)
        constant = special.gammaln(alpha * number) - number * special.gammaln(alpha)
        above = alpha[..., None] - 1.0
        terms = xp.where(self.active & (above != 0.0), above * self.log_weights, 0.0)
        return total + constant + terms.sum(-1)

    def absolute(self, statistics: Any) -> Any:
        """Statistics of this model's E-step about the origin, whatever its form."""
        counts, parts = statistics
        return counts, tuple(g.absolute(s) for g, s in zip(self.groups, parts, strict=True))

    def relative(self, statistics: Any) -> Any:
        """Statistics about the origin as this model's M-step takes them."""
        counts, parts = statistics
        return counts, tuple(g.relative(s) for g, s in zip(self.groups, parts, strict=True))

    def feasible(self, statistics: Any) -> Bool[Array, "*starts"]:
        """Whether extrapolated statistics leave every component some weight."""
        return ((statistics[0] > 0) | ~self.active | xp.isneginf(self.log_weights)).all(-1)

    def component_log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, "*starts rows components"]:
        """``log p_k(x_n)`` of the observed entries, in the numerically safest form."""
        return sum((g.log_prob(rows) for g in self.groups[1:]), self.groups[0].log_prob(rows))

    def joint_log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, "*starts rows components"]:
        """``log π_k + log p_k(x_n)``."""
        return self.log_weights[..., None, :] + self.component_log_prob(rows)

    def log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, "*starts rows"]:
        """``log p(x_n)`` in nats; missing entries are integrated out."""
        return logsumexp(self.joint_log_prob(rows))

    def posterior(self, rows: Float[Array, "rows dims"]) -> Float[Array, "*starts rows components"]:
        """``p(z_n = k | x_n)``."""
        return softmax(self.joint_log_prob(rows))

    def take(self, order: Int[Array, "*starts chosen"]) -> "MixtureModel":
        """The mixture with components chosen and ordered by index."""
        fixed = None if self.fixed_weights is None else chosen(self.fixed_weights, order)
        weights, active = chosen(self.log_weights, order), chosen(self.active, order)
        return MixtureModel(
            weights, tuple(g.take(order) for g in self.groups), active, fixed, self.concentration, self.rule
        )

    def in_units(self, view: Standardise) -> "MixtureModel":
        """The density of the user's values, from that of values centred and scaled on entry."""
        return dataclasses.replace(self, groups=tuple(g.in_units(view) for g in self.groups))

    def with_rows(self, *, complete: bool, tile: int = 1) -> "MixtureModel":
        """The same density for rows with or without gaps; those with gaps come in tiles of one pattern."""
        return dataclasses.replace(self, groups=tuple(g.with_rows(complete=complete, tile=tile) for g in self.groups))

    def n_parameters(self) -> int:
        """Free parameters: weights and groups, fixed ones not counted."""
        free = self.log_weights.shape[0]
        if self.fixed_weights is not None:
            free = int((~self.fixed_weights).sum())
        return max(free - 1, 0) + sum(g.n_parameters() for g in self.groups)


def _log(mass: Float[Array, "*starts components"]) -> Float[Array, "*starts components"]:
    return xp.where(mass > 0, xp.log(xp.where(mass > 0, mass, 1.0)), -xp.inf)
