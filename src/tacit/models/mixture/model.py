"""``p(x) = Σ_k π_k ∏_g p_g(x_g|k)``: a mixture over groups of columns, as an immutable pytree."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from tacit.compute import Array
from tacit.data.blocks import Standardise
from tacit.inference.closed_form import Sums
from tacit.models.components.base import Component
from tacit.models.components.steps import Step
from tacit.models.mixture.rules import Draws, PosteriorRule, Rule


class MixtureStep(eqx.Module):
    """The E-step of one iteration: logits under all components, q, and the expected statistics."""

    log_weights: Float[Array, " components"]
    parts: tuple[Step, ...]
    rule: Rule

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "rows components"], list]:
        """``log π_k + log p_k(x_n)``, and what each group wants again for its statistics."""
        logits = self.log_weights
        memos = []
        for part in self.parts:
            log_prob, memo = part.terms(rows)
            logits = logits + log_prob
            memos.append(memo)
        return logits, memos

    def statistics(self, memos: list, responsibilities: Float[Array, "rows components"]) -> Any:
        """Counts, and every group's statistics, under (weighted) responsibilities."""
        parts = tuple(p.statistics(m, responsibilities) for p, m in zip(self.parts, memos, strict=True))
        return responsibilities.sum(0), parts

    def __call__(self, rows: Float[Array, "rows dims"], weights: Float[Array, " rows"], key: PRNGKeyArray) -> Sums:
        logits, memos = self.terms(rows)
        responsibilities, bound = self.rule(logits, key)
        statistics = self.statistics(memos, responsibilities * weights[:, None])
        return Sums(statistics, jnp.sum(weights * bound))


class MixtureModel(eqx.Module):
    """Weights and groups of K components; components that are not ``active`` are padding.

    ``concentration`` is the parameter α of a Dirichlet prior on the weights, whose mode uses α − 1 (1: none).
    """

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
    def weights(self) -> Float[Array, " components"]:
        """``π_k``."""
        return jnp.exp(self.log_weights)

    def prepare(self) -> MixtureStep:
        return MixtureStep(self.log_weights, tuple(g.prepare() for g in self.groups), self.rule)

    def m_step(self, statistics: Any) -> "MixtureModel":
        counts, parts = statistics
        groups = tuple(g.m_step(s) for g, s in zip(self.groups, parts, strict=True))
        rule = self.rule.grown() if isinstance(self.rule, Draws) else self.rule
        return eqx.tree_at(lambda m: (m.log_weights, m.groups, m.rule), self, (self._log_weights(counts), groups, rule))

    def _log_weights(self, counts: Float[Array, " components"]) -> Float[Array, " components"]:
        mass = counts if self.concentration is None else jnp.maximum(counts + self.concentration - 1.0, 0.0)
        mass = jnp.where(self.active, mass, 0.0)
        if self.fixed_weights is None:
            return _log(mass / mass.sum())
        free = jnp.where(self.fixed_weights, 0.0, mass)
        left = 1.0 - jnp.where(self.fixed_weights, self.weights, 0.0).sum()
        shared = left * free / jnp.where(free.sum() > 0, free.sum(), 1.0)
        return jnp.where(self.fixed_weights, self.log_weights, _log(shared))

    def global_bound(self) -> Float[Array, ""]:
        """The log prior density of weights and groups."""
        first, *others = (g.global_bound(self.active) for g in self.groups)
        total = sum(others, first)
        if self.concentration is None:
            return total
        alpha, number = self.concentration, self.active.sum()
        constant = jax.lax.lgamma(alpha * number) - number * jax.lax.lgamma(alpha)
        terms = jnp.where(self.active & (alpha != 1.0), (alpha - 1.0) * self.log_weights, 0.0)
        return total + constant + terms.sum()

    def absolute(self, statistics: Any) -> Any:
        """Statistics of this model's E-step about the origin, whatever its form."""
        counts, parts = statistics
        return counts, tuple(g.absolute(s) for g, s in zip(self.groups, parts, strict=True))

    def relative(self, statistics: Any) -> Any:
        """Statistics about the origin as this model's M-step takes them."""
        counts, parts = statistics
        return counts, tuple(g.relative(s) for g, s in zip(self.groups, parts, strict=True))

    def feasible(self, statistics: Any) -> Bool[Array, ""]:
        """Whether extrapolated statistics leave every component some weight."""
        return jnp.all((statistics[0] > 0) | ~self.active | jnp.isneginf(self.log_weights))

    def component_log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, "rows components"]:
        """``log p_k(x_n)`` of the observed entries, in the numerically safest form."""
        return sum((g.log_prob(rows) for g in self.groups[1:]), self.groups[0].log_prob(rows))

    def joint_log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, "rows components"]:
        """``log π_k + log p_k(x_n)``."""
        return self.log_weights + self.component_log_prob(rows)

    def log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, " rows"]:
        """``log p(x_n)`` in nats; missing entries are integrated out."""
        return jax.nn.logsumexp(self.joint_log_prob(rows), axis=-1)

    def posterior(self, rows: Float[Array, "rows dims"]) -> Float[Array, "rows components"]:
        """``p(z_n = k | x_n)``."""
        return jax.nn.softmax(self.joint_log_prob(rows), axis=-1)

    def take(self, order: Int[Array, " chosen"]) -> "MixtureModel":
        """The mixture with components chosen and ordered by index."""
        fixed = None if self.fixed_weights is None else self.fixed_weights[order]
        groups = tuple(g.take(order) for g in self.groups)
        return MixtureModel(self.log_weights[order], groups, self.active[order], fixed, self.concentration, self.rule)

    def in_units(self, view: Standardise) -> "MixtureModel":
        """The density of the user's values, from that of values centred and scaled on entry."""
        return eqx.tree_at(lambda m: m.groups, self, tuple(g.in_units(view) for g in self.groups))

    def with_rows(self, *, complete: bool, tile: int = 1) -> "MixtureModel":
        """The same density for rows with or without gaps; those with gaps come in tiles of one pattern."""
        groups = tuple(g.with_rows(complete=complete, tile=tile) for g in self.groups)
        return eqx.tree_at(lambda m: m.groups, self, groups)

    def n_parameters(self) -> int:
        """Free parameters: weights and groups, fixed ones not counted."""
        free = self.log_weights.shape[0]
        if self.fixed_weights is not None:
            free = int((~self.fixed_weights).sum())
        return max(free - 1, 0) + sum(g.n_parameters() for g in self.groups)


def _log(mass: Float[Array, " components"]) -> Float[Array, " components"]:
    return jnp.where(mass > 0, jnp.log(jnp.where(mass > 0, mass, 1.0)), -jnp.inf)
