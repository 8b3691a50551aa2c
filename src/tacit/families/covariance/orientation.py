"""The common orientation of EVE and VVE: one orthogonal matrix D for all components.

Given the shapes Λ_k, the step is min over D of Σ_k tr(Λ_k⁻¹ Dᵀ S_k D). A turn of two columns of D by an angle
θ changes it by p cos 2θ + q sin 2θ, so the best angle is closed. Columns are turned in disjoint pairs, all
pairs of a round at once, and before each round the shapes are the exact maximiser given D: every move raises
the objective. (Flury & Gautschi 1986 solve for the angle and its shapes together; Browne & McNicholas 2014
move all of D at once under a bound. Both have the same fixed points.)
"""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tacit.arrays import eigh, identity, over_items, put, while_loop, xp
from tacit.compute import Array


class Turned(NamedTuple):
    """Scatter seen along the axes of a common orientation."""

    orientation: Float[Array, "*starts dims dims"]
    scatter: Float[Array, "*starts components dims dims"]
    """Dᵀ S_k D."""

    def along(self) -> Float[Array, "*starts components dims"]:
        """The sums of squares along the axes."""
        return xp.diagonal(self.scatter, axis1=-2, axis2=-1)


def common_orientation(
    scatter: Float[Array, "*starts components dims dims"],
    counts: Float[Array, "*starts components"],
    previous: Float[Array, "*starts components dims dims"],
    equal_volume: bool,
    end: float,
    iterations: int,
) -> tuple[Float[Array, "*starts dims dims"], Float[Array, "*starts components dims"]]:
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
    schedule, active, weight = rounds_of_pairs(scatter.shape[-1]), counts[..., None] > 0, counts.sum(-1)

    def one_round(carry, pairs):
        turned, steepest = carry
        squares = turned.along()
        inverse = xp.where(active, 1.0 / shapes_along(squares, counts, equal_volume), 0.0)
        turn, slope = _best_turn(turned, squares, inverse, weight, pairs)
        rotated = xp.swapaxes(turn, -1, -2)[..., None, :, :] @ turned.scatter @ turn[..., None, :, :]
        return Turned(turned.orientation @ turn, rotated), xp.maximum(steepest, slope)

    def sweep(state):
        turned, steepest = over_items(one_round, (state[0], xp.zeros_like(counts[..., 0])), schedule)
        return turned, (steepest > end).any(), state[2] + 1

    def unfinished(state):
        return state[1] & (state[2] < iterations)

    start = _better_start(scatter, counts, previous, equal_volume)
    axes = while_loop(unfinished, sweep, (start, np.asarray(True), np.asarray(0)))[0].orientation
    # the turned scatter is formed afresh, so that the rounding of many turns does not add up
    return axes, shapes_along(_seen_along(axes, scatter).along(), counts, equal_volume)


@functools.cache
def rounds_of_pairs(dims: int) -> Int[np.ndarray, "rounds two pairs"]:
    """All pairs of columns once, in rounds of disjoint pairs (a round-robin tournament)."""
    players = list(range(dims + dims % 2))
    half, rounds = len(players) // 2, []
    for _ in range(len(players) - 1):
        pairs = zip(players[:half], players[: half - 1 : -1], strict=True)
        rounds.append(np.transpose([sorted(pair) for pair in pairs if max(pair) < dims]))
        players = [players[0], players[-1], *players[1:-1]]
    return np.asarray(rounds, np.int32)  # in every precision


def shapes_along(
    squares: Float[Array, "*starts components dims"], counts: Float[Array, "*starts components"], equal_volume: bool
) -> Float[Array, "*starts components dims"]:
    """The best variances along given axes: S/n, or for EVE the closed form with one volume for all."""
    active = counts > 0
    if not equal_volume:
        return squares / xp.where(active, counts, 1.0)[..., None]
    logs = xp.log(squares)
    centre = logs.mean(-1, keepdims=True)
    volume = xp.where(active, xp.exp(centre[..., 0]), 0.0).sum(-1) / counts.sum(-1)
    return volume[..., None, None] * xp.exp(logs - centre)


def _best_turn(
    turned: Turned,
    squares: Float[Array, "*starts components dims"],
    inverse: Float[Array, "*starts components dims"],
    weight: Float[Array, "*starts"],
    pairs: Int[Array, "two pairs"],
) -> tuple[Float[Array, "*starts dims dims"], Float[Array, "*starts"]]:
    """The best angles of disjoint pairs, as one orthogonal matrix, and the steepest slope before the turn.

    With F = Dᵀ S D and w = 1/Λ, the part of Σ_k tr(Λ_k⁻¹ F_k) that depends on the angle θ of the pair (l, m)
    is ½(p cos 2θ + q sin 2θ), p = Σ_k (w_kl − w_km)(F_kll − F_kmm), q = 2 Σ_k (w_kl − w_km) F_klm.
    """
    l, m = pairs[0], pairs[1]
    first, second, difference = squares[..., l], squares[..., m], inverse[..., l] - inverse[..., m]
    p = (difference * (first - second)).sum(-2)
    q = 2.0 * (difference * turned.scatter[..., l, m]).sum(-2)
    # p and q are known up to the rounding of terms of this size: a slope far below it says nothing
    size = (xp.abs(difference) * xp.sqrt(first * second)).sum(-2)
    flat = (p == 0.0) & (q == 0.0)
    angle = xp.where(flat, 0.0, 0.5 * xp.arctan2(-q, xp.where(flat, 1.0, -p)))
    c, s = xp.cos(angle), xp.sin(angle)
    eye = np.broadcast_to(identity(squares.shape[-1], np.dtype(squares.dtype)), turned.orientation.shape)
    turn = put(eye, ((..., l, l), c), ((..., m, m), c), ((..., m, l), s), ((..., l, m), -s))
    return turn, (xp.abs(q) / (weight[..., None] + size)).max(-1)


def _seen_along(
    orientation: Float[Array, "*starts dims dims"], scatter: Float[Array, "*starts components dims dims"]
) -> Turned:
    rotated = xp.swapaxes(orientation, -1, -2)[..., None, :, :] @ scatter @ orientation[..., None, :, :]
    return Turned(orientation, 0.5 * (rotated + xp.swapaxes(rotated, -1, -2)))


def _better_start(
    scatter: Float[Array, "*starts components dims dims"],
    counts: Float[Array, "*starts components"],
    previous: Float[Array, "*starts components dims dims"],
    equal_volume: bool,
) -> Turned:
    """The better start: the common axes of ``previous``, or those of the pooled scatter."""
    active = counts > 0
    # eigenvectors common to all previous covariances, from a sum with unequal coefficients (the fractions of
    # the multiples of the golden ratio): a plain sum may be round where its terms are not
    unequal = 0.5 + (0.6180339887498949 * np.arange(1, counts.shape[-1] + 1, dtype=scatter.dtype)) % 1.0
    blend = xp.where(active, unequal / xp.trace(previous, axis1=-2, axis2=-1), 0.0)
    mixed = (blend[..., None, None] * previous).sum(-3)
    pooled = (active[..., None, None] * scatter).sum(-3)
    axes = eigh(xp.stack([mixed, pooled]))[1]
    first, second = _seen_along(axes[0], scatter), _seen_along(axes[1], scatter)

    def cost(turned):
        return (counts[..., None] * xp.log(shapes_along(turned.along(), counts, equal_volume))).sum((-2, -1))

    better = cost(first) <= cost(second)
    return Turned(
        xp.where(better[..., None, None], first.orientation, second.orientation),
        xp.where(better[..., None, None, None], first.scatter, second.scatter),
    )
