"""The fitted k-means: centres, and whose each row is."""

from typing import Self

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Float, Int

from tacit.compute import Array


class Rescale(eqx.Module):
    """The view ``(x − shift) / scale`` with one scale for all columns, in the precision of the rows.

    ``done`` says that the rows were centred and scaled once, before the first iteration.
    """

    shift: Float[Array, " dims"]
    scale: Float[Array, " dims"]
    done: bool = eqx.field(static=True)

    def __call__(self, rows: Float[Array, "rows dims"]) -> Float[Array, "rows dims"]:
        if self.done:
            return rows
        return ((rows.astype(self.shift.dtype) - self.shift) / self.scale).astype(rows.dtype)


class KMeansModel(eqx.Module):
    """K centres; a row belongs to the nearest one, over the entries that it has.

    Hard EM of ``p(x) = Σ_k N(x; c_k, σ²I)/K``: with entries missing, ``log p(x_o|k) = −‖x_o − c_ko‖²/2σ²`` plus what
    is the same for all k, so a missing entry adds nothing to a distance, and nothing is rescaled for it.
    """

    centres: Float[Array, "clusters dims"]

    def squared_distances(self, rows: Float[Array, "rows dims"]) -> Float[Array, "rows clusters"]:
        """``Σ_j (x_nj − c_kj)²`` over the observed entries, without cancellation."""
        apart = rows[:, None, :] - self.centres.astype(rows.dtype)
        return jnp.sum(jnp.where(jnp.isnan(apart), 0.0, apart) ** 2, axis=-1)

    def nearest(self, rows: Float[Array, "rows dims"]) -> tuple[Int[Array, " rows"], Float[Array, " rows"]]:
        """The nearest centre of every row (the first of equals), and the squared distance to it."""
        origin = jnp.mean(self.centres, axis=0).astype(rows.dtype)
        centres = (self.centres - origin).astype(rows.dtype)
        away = rows - origin
        seen = ~jnp.isnan(away)
        closeness = affinity(jnp.where(seen, away, 0.0), seen.astype(rows.dtype), centres)
        labels = jnp.argmax(closeness, axis=1).astype(jnp.int32)
        apart = jnp.where(seen, away - centres[labels], 0.0)
        return labels, jnp.sum(apart**2, axis=1)

    def in_units(self, view: Rescale) -> Self:
        """The centres of the user's values, from those of values centred and scaled on entry."""
        return eqx.tree_at(lambda m: m.centres, self, self.centres * view.scale + view.shift)

    def take(self, order: Int[Array, " chosen"]) -> Self:
        """The clusters chosen and ordered by index."""
        return eqx.tree_at(lambda m: m.centres, self, self.centres[order])

    def n_parameters(self) -> int:
        """Coordinates of the centres."""
        return self.centres.size


def affinity(
    filled: Float[Array, "rows dims"],
    seen: Float[Array, "rows dims"] | None,
    centres: Float[Array, "clusters dims"],
) -> Float[Array, "rows clusters"]:
    """``x·c_k − ½‖c_k‖²`` over the observed entries: largest where the distance is smallest.

    Args:
        filled: rows with 0 in the gaps.
        seen: 1 where observed, or ``None`` when nothing is missing.
        centres: the centres.
    """
    cross = jnp.matmul(filled, centres.T, precision="highest")
    half = 0.5 * centres**2
    if seen is None:
        return cross - half.sum(axis=1)
    return cross - jnp.matmul(seen, half.T, precision="highest")
