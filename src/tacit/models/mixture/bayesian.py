"""``p(X, Z, π, θ) = p(π) ∏_k p(θ_k) ∏_n π_{z_n} p(x_n|θ_{z_n})`` with ``q(Z) q(π) q(θ)``: variational Bayes EM.

The E-step is that of a mixture with expected parameters (Bishop 2006, section 10.2; Beal 2003),

    log r_nk = E log π_k + E log p(x_n|θ_k) + const,

and the M-step the conjugate posteriors of the expected statistics. The bound is complete,
``F = Σ_n log Σ_k exp(E log π_k + E log p(x_n|θ_k)) − KL(q(π)‖p(π)) − Σ_k KL(q(θ_k)‖p(θ_k))``, so it can be compared
over K, and is the log evidence where q is the posterior (K = 1).
"""

import dataclasses
from typing import Any

from jaxtyping import Bool, Float, Int

from tacit import trees
from tacit.arrays import Pytree, chosen, static, xp
from tacit.compute import Array
from tacit.data.blocks import Standardise
from tacit.models.components.base import ComponentPosterior
from tacit.models.mixture.model import MixtureModel, MixtureStep
from tacit.models.mixture.rules import PosteriorRule, Rule
from tacit.models.mixture.stick_breaking import WeightPosterior


class MixturePosterior(Pytree):
    """The variational posterior of weights and groups; components that are not ``active`` are padding, at the end.

    Where the order of the components is part of the prior (a Dirichlet process), ``sorted`` lets the M-step put the
    heaviest first: the rows' share of the bound is the same in any order, and the weights' is largest in this one
    (Kurihara, Welling & Teh 2007). Statistics that are averaged over batches need components that stay in place.
    """

    weights: WeightPosterior
    groups: tuple[ComponentPosterior, ...]
    active: Bool[Array, " components"]
    rule: Rule = PosteriorRule()
    sorted: bool = static(default=True)

    monotone = True

    def prepare(self) -> MixtureStep:
        log_weights = xp.where(self.active, self.weights.expected_log(), -xp.inf)
        return MixtureStep(log_weights, tuple(g.prepare() for g in self.groups), self.rule)

    def m_step(self, statistics: Any) -> "MixturePosterior":
        counts, parts = statistics
        groups = self.groups
        if self.sorted and self.weights.ordered:
            order = xp.argsort(-xp.where(self.active, counts, -1.0), stable=True)
            counts, parts = trees.map(lambda leaf: chosen(leaf, order), (counts, parts))
            groups = tuple(g.take(order) for g in groups)
        weights = self.weights.updated(counts, self.active)
        groups = tuple(g.m_step(s) for g, s in zip(groups, parts, strict=True))
        return dataclasses.replace(self, weights=weights, groups=groups)

    def global_bound(self) -> Float[Array, "*starts"]:
        """``−KL(q(π, θ)‖p(π, θ))``."""
        return sum((g.global_bound(self.active) for g in self.groups), -self.weights.kl_divergence())

    def absolute(self, statistics: Any) -> Any:
        """Statistics of this model's E-step about the origin, whatever its form."""
        counts, parts = statistics
        return counts, tuple(g.absolute(s) for g, s in zip(self.groups, parts, strict=True))

    def relative(self, statistics: Any) -> Any:
        """Statistics about the origin as this model's M-step takes them."""
        counts, parts = statistics
        return counts, tuple(g.relative(s) for g, s in zip(self.groups, parts, strict=True))

    def feasible(self, statistics: Any) -> Bool[Array, "*starts"]:
        """Whether no component has extrapolated rows below 0."""
        return (statistics[0] >= 0).all(-1)

    def predictive(self) -> MixtureModel:
        """``p(x | X) ≈ Σ_k E[π_k] ∫ p(x|θ) q(θ_k) dθ``: a mixture again, of active components only."""
        groups = tuple(g.predictive() for g in self.groups)
        return MixtureModel(xp.log(self.weights.mean()), groups, self.active)

    def expected(self) -> MixtureModel:
        """The mixture at the posterior means of its weights and parameters."""
        groups = tuple(g.expected() for g in self.groups)
        return MixtureModel(xp.log(self.weights.mean()), groups, self.active)

    def take(self, order: Int[Array, "*starts chosen"]) -> "MixturePosterior":
        """The posterior with components chosen and ordered by index."""
        groups = tuple(g.take(order) for g in self.groups)
        return MixturePosterior(self.weights.take(order), groups, chosen(self.active, order), self.rule, self.sorted)

    def in_units(self, view: Standardise) -> "MixturePosterior":
        """The posterior of the parameters of the user's values."""
        return dataclasses.replace(self, groups=tuple(g.in_units(view) for g in self.groups))

    def with_rows(self, *, complete: bool, tile: int = 1) -> "MixturePosterior":
        """The same posterior for rows with or without gaps; those with gaps come in tiles of one pattern."""
        return dataclasses.replace(self, groups=tuple(g.with_rows(complete=complete, tile=tile) for g in self.groups))

    def n_parameters(self) -> int:
        """Free parameters of the mixture, whose posterior this is."""
        return max(int(self.active.size) - 1, 0) + sum(g.n_parameters() for g in self.groups)
