"""``p(x, y | w) = Σ_k π_k(w) p_k(x, y)``: a latent class model with covariates, a mixture of regressions or of experts.

The E-step is that of every mixture. The M-step of the gate, and of regressions that have no closed form, is one Newton
step that cannot go down (generalised EM: Dempster, Laird & Rubin 1977), so the log-likelihood never falls.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt32

from tacit import trees
from tacit.arrays import Pytree
from tacit.data.blocks import AsTheyAre
from tacit.data.dataset import DenseRows
from tacit.data.sources import source
from tacit.inference.closed_form import Sums
from tacit.inference.fit import Fit, fit
from tacit.models.components.product import FamilyComponent
from tacit.models.gated.gate import Gate, GateSums
from tacit.models.gated.regressions import RegressionComponents

Expert = FamilyComponent | RegressionComponents


class GatedSums(NamedTuple):
    """Expected statistics of all parts."""

    gate: GateSums
    parts: tuple


class GatedStep(Pytree):
    """The E-step."""

    model: "GatedMixture"

    def __call__(
        self,
        rows: Float[np.ndarray, "rows dims"],
        weights: Float[np.ndarray, " rows"],
        key: UInt32[np.ndarray, "..."] | None,
    ) -> Sums:
        log_shares = self.model.gate.log_shares(rows)
        logits = log_shares + self.model.expert_log_prob(rows)
        total = np.logaddexp.reduce(logits, axis=-1)
        weighed = np.exp(logits - total[..., None]) * weights[:, None]
        return Sums(self.model.statistics(rows, log_shares, weighed), total @ weights)


class GatedMixture(Pytree):
    """Shares that depend on covariates, and components that are products of families or regressions."""

    gate: Gate
    experts: tuple[Expert, ...]
    monotone = True

    def prepare(self) -> GatedStep:
        """The E-step of an iteration."""
        return GatedStep(self)

    def expert_log_prob(self, rows: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "*starts rows components"]:
        """``log p_k(x_n, y_n)``; missing entries of items drop out."""
        total = np.zeros(())
        for part in self.experts:
            own = part.log_prob(rows) if isinstance(part, RegressionComponents) else part.prepare().terms(rows)[0]
            total = total + own
        return np.asarray(total)

    def joint_log_prob(self, rows: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "*starts rows components"]:
        """``log π_k(w_n) + log p_k(x_n, y_n)``."""
        return self.gate.log_shares(rows) + self.expert_log_prob(rows)

    def statistics(
        self,
        rows: Float[np.ndarray, "rows dims"],
        log_shares: Float[np.ndarray, "*starts rows components"],
        weighed: Float[np.ndarray, "*starts rows components"],
    ) -> GatedSums:
        """Of rows under weighed responsibilities."""
        parts = tuple(
            part.sums(rows, weighed) if isinstance(part, RegressionComponents) else part.statistics(rows, weighed)
            for part in self.experts
        )
        return GatedSums(self.gate.sums(rows, log_shares, weighed), parts)

    def m_step(self, statistics: "GatedSums | GatedMixture") -> "GatedMixture":
        """The next model; one that was extrapolated is as it stands."""
        if isinstance(statistics, GatedMixture):
            return statistics
        experts = tuple(
            part.moved(own) if isinstance(part, RegressionComponents) else part.m_step(own)
            for part, own in zip(self.experts, statistics.parts, strict=True)
        )
        return GatedMixture(self.gate.moved(statistics.gate), experts)

    def absolute(self, statistics: GatedSums) -> "GatedMixture":
        """Newton steps are relative to where they begin: what is extrapolated is the parameters that they lead to."""
        return self.m_step(statistics)

    def relative(self, statistics: "GatedMixture") -> "GatedMixture":
        """Parameters are what they are."""
        return statistics

    def feasible(self, statistics: "GatedMixture") -> Bool[np.ndarray, "*starts"]:
        """Whether parameters that were extrapolated are numbers, and no variance is below the least."""
        sound = [part.sound() for part in statistics.experts if isinstance(part, RegressionComponents)]
        return np.logical_and.reduce([np.isfinite(statistics.gate.coefficients).all((-1, -2)), *sound])

    def global_bound(self) -> Float[np.ndarray, "*starts"]:
        """0: there are no priors."""
        return np.zeros(self.gate.coefficients.shape[:-2])

    def take(self, order: np.ndarray) -> "GatedMixture":
        """Components in another order."""
        return GatedMixture(self.gate.take(order), tuple(part.take(order) for part in self.experts))


def begun(
    model: GatedMixture,
    rows: Float[np.ndarray, "rows dims"],
    weights: Float[np.ndarray, " rows"],
    responsibilities: Float[np.ndarray, "starts rows components"],
) -> GatedMixture:
    """Starts from responsibilities, stacked; ``model`` leads with an axis of starts."""
    log_shares = model.gate.log_shares(rows)
    return model.m_step(model.statistics(rows, log_shares, responsibilities * weights[:, None]))


def fitted(
    starts: GatedMixture,
    rows: Float[np.ndarray, "rows dims"],
    weights: Float[np.ndarray, " rows"],
    random: np.random.Generator,
    *,
    max_iter: int,
    tol: float,
    label: str,
) -> Fit:
    """The best of some starts, by generalised EM."""
    number = starts.gate.coefficients.shape[0]
    keys = random.integers(2**32, size=(number, 2), dtype=np.uint32)
    held = source(DenseRows(rows).weighted(weights))
    (found,) = fit(
        starts,
        held,
        AsTheyAre(),
        key=keys,
        max_iter=max_iter,
        tol=tol,
        label=label,
        eager=True,
        halving=(),
        # of families the parameters have no free form to extrapolate in: they are log-probabilities, and go fast
        accelerate=all(isinstance(part, RegressionComponents) for part in starts.experts),
    )
    return found


def alone(model: GatedMixture) -> GatedMixture:
    """A model with an axis of one start."""
    return trees.map(lambda leaf: np.asarray(leaf)[None], model)
