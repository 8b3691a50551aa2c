"""Lloyd's iteration as a model of the closed-form driver (Lloyd 1982; the σ → 0 limit of EM).

The bound is minus the inertia, ``F = −Σ_n w_n min_k ‖x_n − c_k‖²``, which is
``2 Σ_n w_n max_k (x_n·c_k − ½‖c_k‖²) − Σ_n w_n ‖x_n‖²``; the last term never changes and is the global one.
A start that has come to rest, has used up its iterations or has an empty cluster proposes itself again: the bound
stands still and the driver stops it.
"""

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Bool, Float, Int, PRNGKeyArray

from tacit.compute import Array
from tacit.inference.closed_form import Sums
from tacit.models.kmeans.model import affinity


class Totals(NamedTuple):
    """What rows leave behind in the cluster that they join."""

    values: Float[Array, "*starts clusters dims"]
    """``Σ w x`` of the observed entries."""
    seen: Float[Array, "*starts clusters dims_or_one"]
    """``Σ w`` of the observed entries, a column each where entries are missing."""
    counts: Float[Array, "*starts clusters"]
    """``Σ w`` of the rows."""


class LloydStep(eqx.Module):
    """Nearest centres of a chunk by one matrix product, and the sums by cluster."""

    centres: Float[Array, "clusters dims"]
    active: Bool[Array, " clusters"]
    gaps: bool = eqx.field(static=True)
    plain: bool = eqx.field(static=True)
    """Whether every row has weight 1, except rows of zeros, which pad."""

    def __call__(self, rows: Float[Array, "rows dims"], weights: Float[Array, " rows"], key: PRNGKeyArray) -> Sums:
        kind, wide = rows.dtype, self.centres.dtype
        observed = (~jnp.isnan(rows)).astype(kind) if self.gaps else None
        filled = jnp.where(jnp.isnan(rows), 0.0, rows) if self.gaps else rows
        closeness = affinity(filled, observed, self.centres.astype(kind))
        labels = jnp.argmax(jnp.where(self.active, closeness, -jnp.inf), axis=1).astype(jnp.int32)

        def by_cluster(values):
            # adding up row by row takes half the time of a product with one-hot rows
            return jnp.zeros((self.centres.shape[0], *values.shape[1:]), wide).at[labels].add(values.astype(wide))

        weight = weights[:, None]
        values = by_cluster(filled if self.plain else filled * weight)
        counts = by_cluster(weights)
        seen = counts[:, None] if observed is None else by_cluster(observed * weight)
        # Σ_n w_n (x_n·c − ½‖c‖²), c the nearest centre, is linear in the sums by cluster
        bound = jnp.sum(self.centres * (2.0 * values - seen * self.centres))
        return Sums(Totals(values, seen, counts), bound)


class Lloyd(eqx.Module):
    """The centres of one start, in the coordinates of the view, and how far it has come."""

    centres: Float[Array, "*starts clusters dims"]
    active: Bool[Array, "*starts clusters"]
    """False for clusters that are padding."""
    steps: Int[Array, "*starts"]
    """Moves of the centres so far."""
    settled: Bool[Array, "*starts"]
    """Whether the last move was within the tolerance."""
    stalled: Bool[Array, "*starts"]
    """Whether a cluster is empty, so that a row must be found for it."""
    tolerance: Float[Array, "*starts"]
    """Sum of squared moves of the centres at which a start has come to rest."""
    limit: Int[Array, "*starts"]
    """Most moves."""
    energy: Float[Array, "*starts"]
    """``Σ_n w_n ‖x_n‖²``."""
    gaps: bool = eqx.field(static=True)
    plain: bool = eqx.field(static=True)
    monotone: bool = eqx.field(static=True)
    """False in single precision, where a fall of the bound is rounding."""

    def prepare(self) -> LloydStep:
        return LloydStep(self.centres, self.active, self.gaps, self.plain)

    def global_bound(self) -> Float[Array, ""]:
        return -self.energy

    def m_step(self, statistics: Totals) -> "Lloyd":
        stalled = jnp.any(self.active & (statistics.counts <= 0))
        moved = self.moved(statistics)
        frozen = self.settled | stalled | (self.steps >= self.limit)
        rested = jnp.where(frozen, self.settled, moved.settled)
        return eqx.tree_at(
            lambda m: (m.centres, m.steps, m.settled, m.stalled),
            self,
            (
                jnp.where(frozen, self.centres, moved.centres),
                jnp.where(frozen, self.steps, moved.steps),
                rested,
                stalled & ~self.settled & (self.steps < self.limit),
            ),
        )

    def moved(self, statistics: Totals) -> "Lloyd":
        """The centres at the means of the observed entries; one that no entry informs stays where it is."""
        values, seen, counts = statistics
        means = jnp.where(seen > 0, values / jnp.where(seen > 0, seen, 1.0), self.centres)
        largest = means[jnp.argmax(counts)]
        means = jnp.where((counts > 0)[:, None], means, largest)
        centres = jnp.where(self.active[:, None], means, self.centres)
        settled = jnp.sum((centres - self.centres) ** 2) <= self.tolerance
        return eqx.tree_at(lambda m: (m.centres, m.steps, m.settled), self, (centres, self.steps + 1, settled))
