"""The common orientation of EVE and VVE: one orthogonal matrix D for all components.

Given the shapes Λ_k, the step is min over D of Σ_k tr(Λ_k⁻¹ Dᵀ S_k D). A turn of two columns of D by an angle
θ changes it by p cos 2θ + q sin 2θ, so the best angle is closed. Columns are turned in disjoint pairs, all
pairs of a round at once, and before each round the shapes are the exact maximiser given D: every move raises
the objective. (Flury & Gautschi 1986 solve for the angle and its shapes together; Browne & McNicholas 2014
move all of D at once under a bound. Both have the same fixed points.)
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int


class Turned(NamedTuple):
    """Scatter seen along the axes of a common orientation."""

    orientation: Float[jax.Array, "dims dims"]
    scatter: Float[jax.Array, "components dims dims"]
    """Dᵀ S_k D."""

    def along(self) -> Float[jax.Array, "components dims"]:
        """The sums of squares along the axes."""
        return jnp.diagonal(self.scatter, axis1=1, axis2=2)


def common_orientation(
    scatter: Float[jax.Array, "components dims dims"],
    counts: Float[jax.Array, " components"],
    previous: Float[jax.Array, "components dims dims"],
    equal_volume: bool,
    end: Float[jax.Array, ""],
    iterations: int,
) -> tuple[Float[jax.Array, "dims dims"], Float[jax.Array, "components dims"]]:
    """D and the variances along its columns that maximise the objective of EVE or VVE.

    The objective has several maxima in D. The better of two starts is taken: the orientation of ``previous``
    (so that the step never lowers the objective) and the axes of the pooled scatter.

    Args:
        scatter: S_k, the identity where the component is inactive.
        counts: n_k, zero where the component is inactive.
        previous: the covariances before the step.
        equal_volume: EVE if True, else VVE.
        end: the slope in any one angle, relative to the weight, at which the sweeps end.
        iterations: limit of the sweeps.
    """
    schedule = jnp.asarray(rounds_of_pairs(scatter.shape[-1]))

    def one_round(carry, pairs):
        turned, steepest = carry
        inverse = 1.0 / shapes_along(turned.along(), counts, equal_volume)
        turn, slope = _best_turn(turned, jnp.where(counts[:, None] > 0, inverse, 0.0), counts.sum(), pairs)
        rotated = turn.T @ turned.scatter @ turn
        return (Turned(turned.orientation @ turn, rotated), jnp.maximum(steepest, slope)), None

    def sweep(state):
        (turned, steepest), _ = jax.lax.scan(one_round, (state[0], jnp.zeros_like(end)), schedule)
        return turned, steepest, state[2] + 1

    def unfinished(state):
        return (state[1] > end) & (state[2] < iterations)

    start = _better_start(scatter, counts, previous, equal_volume)
    state = (start, jnp.full_like(end, jnp.inf), jnp.asarray(0))
    axes = jax.lax.while_loop(unfinished, sweep, state)[0].orientation
    # the turned scatter is formed afresh, so that the rounding of many turns does not add up
    return axes, shapes_along(_seen_along(axes, scatter).along(), counts, equal_volume)


def rounds_of_pairs(dims: int) -> Int[np.ndarray, "rounds two pairs"]:
    """All pairs of columns once, in rounds of disjoint pairs (a round-robin tournament)."""
    players = list(range(dims + dims % 2))
    half, rounds = len(players) // 2, []
    for _ in range(len(players) - 1):
        pairs = zip(players[:half], players[: half - 1 : -1], strict=True)
        rounds.append(np.transpose([sorted(pair) for pair in pairs if max(pair) < dims]))
        players = [players[0], players[-1], *players[1:-1]]
    return np.asarray(rounds)


def shapes_along(
    squares: Float[jax.Array, "components dims"], counts: Float[jax.Array, " components"], equal_volume: bool
) -> Float[jax.Array, "components dims"]:
    """The best variances along given axes: S/n, or for EVE the closed form with one volume for all."""
    active = counts > 0
    if not equal_volume:
        return squares / jnp.where(active, counts, 1.0)[:, None]
    logs = jnp.log(squares)
    centre = logs.mean(-1, keepdims=True)
    volume = jnp.where(active, jnp.exp(centre[:, 0]), 0.0).sum() / counts.sum()
    return volume * jnp.exp(logs - centre)


def _best_turn(
    turned: Turned,
    inverse: Float[jax.Array, "components dims"],
    weight: Float[jax.Array, ""],
    pairs: Int[jax.Array, "two pairs"],
) -> tuple[Float[jax.Array, "dims dims"], Float[jax.Array, ""]]:
    """The best angles of disjoint pairs, as one orthogonal matrix, and the steepest slope before the turn.

    With F = Dᵀ S D and w = 1/Λ, the part of Σ_k tr(Λ_k⁻¹ F_k) that depends on the angle θ of the pair (l, m)
    is ½(p cos 2θ + q sin 2θ), p = Σ_k (w_kl − w_km)(F_kll − F_kmm), q = 2 Σ_k (w_kl − w_km) F_klm.
    """
    l, m = pairs[0], pairs[1]
    squares, difference = turned.along(), inverse[:, l] - inverse[:, m]
    p = (difference * (squares[:, l] - squares[:, m])).sum(0)
    q = 2.0 * (difference * turned.scatter[:, l, m]).sum(0)
    # p and q are known up to the rounding of terms of this size: a slope far below it says nothing
    size = (jnp.abs(difference) * jnp.sqrt(squares[:, l] * squares[:, m])).sum(0)
    flat = (p == 0.0) & (q == 0.0)
    angle = jnp.where(flat, 0.0, 0.5 * jnp.arctan2(-q, jnp.where(flat, 1.0, -p)))
    c, s = jnp.cos(angle), jnp.sin(angle)
    turn = jnp.eye(squares.shape[-1], dtype=squares.dtype)
    turn = turn.at[l, l].set(c).at[m, m].set(c).at[m, l].set(s).at[l, m].set(-s)
    return turn, (jnp.abs(q) / (weight + size)).max()


def _seen_along(
    orientation: Float[jax.Array, "dims dims"], scatter: Float[jax.Array, "components dims dims"]
) -> Turned:
    rotated = orientation.T @ scatter @ orientation
    return Turned(orientation, 0.5 * (rotated + jnp.swapaxes(rotated, -1, -2)))


def _better_start(
    scatter: Float[jax.Array, "components dims dims"],
    counts: Float[jax.Array, " components"],
    previous: Float[jax.Array, "components dims dims"],
    equal_volume: bool,
) -> Turned:
    """The better start: the common axes of ``previous``, or those of the pooled scatter."""
    active = counts > 0
    # eigenvectors common to all previous covariances, from a sum with unequal coefficients (the fractions of
    # the multiples of the golden ratio): a plain sum may be round where its terms are not
    unequal = 0.5 + (0.6180339887498949 * jnp.arange(1, counts.shape[0] + 1, dtype=scatter.dtype)) % 1.0
    blend = jnp.where(active, unequal / jnp.trace(previous, axis1=1, axis2=2), 0.0)
    mixed = jnp.einsum("k,kij->ij", blend, previous)
    pooled = jnp.einsum("k,kij->ij", active.astype(scatter.dtype), scatter)
    axes = jnp.linalg.eigh(jnp.stack([mixed, pooled]))[1]
    starts = jax.vmap(_seen_along, in_axes=(0, None))(axes, scatter)

    def cost(turned):
        return (counts[:, None] * jnp.log(shapes_along(turned.along(), counts, equal_volume))).sum()

    better = jnp.argmin(jax.vmap(cost)(starts))
    return jax.tree.map(lambda leaf: leaf[better], starts)
