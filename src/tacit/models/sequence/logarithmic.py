"""The passes through a hidden Markov chain in logarithms: exact whatever is impossible, and with max in place of Σ.

``total`` is log Σ exp, for the forward–backward pass, or max, for the path that is likeliest (Viterbi 1967). Both are
scaled step by step, so that no number grows with the length of a sequence.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit.arrays import traced, xp
from tacit.compute import Array
from tacit.models.sequence.scaled import CountedStates, Passed
from tacit.models.sequence.scans import afresh, before, scan

Total = Callable[[Array, int], Array]
"""Over one axis of an array."""


def log_sum(values: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
    """``log Σ exp`` along an axis; −∞ where all are."""
    top = values.max(axis)
    safe = xp.where(xp.isneginf(top), 0.0, top)
    mass = xp.exp(values - xp.expand_dims(safe, axis)).sum(axis)
    return safe + xp.where(mass > 0, xp.log(xp.where(mass > 0, mass, 1.0)), -xp.inf)


def largest(values: Float[Array, "..."], axis: int) -> Float[Array, "..."]:
    """The largest along an axis."""
    return values.max(axis)


def _finite(values: Float[Array, "..."]) -> Float[Array, "..."]:
    return xp.where(xp.isneginf(values), 0.0, values)


def forward(
    log_start: Float[Array, "*starts states"],
    log_matrix: Float[Array, "*starts states states"],
    log_b: Float[Array, "steps *starts states lanes"],
    first: Bool[Array, "steps lanes"],
    whole: bool,
    total: Total,
) -> Passed:
    """The pass forward; all of what it leaves is in logarithms."""
    begin, every = log_start[..., None], log_matrix[..., None]

    def step(x, item):
        here, begins = item
        x = afresh(begins, begin, total(x[..., :, None, :] + every, -3)) + here
        c = total(x, -2)
        x = x - _finite(c)[..., None, :]
        return x, (x, c)

    shape = log_b.shape[1:]
    ends: tuple[Any, Any]
    if whole:
        ends = xp.broadcast_to(begin, shape), xp.zeros(shape, log_b.dtype)
    else:
        ends = _ends(log_start, log_matrix, log_b, first, total)
    entering, leaving = ends
    last, (filtered, c) = scan(step, entering, (log_b, first))
    leaving = leaving - _finite(total(last + leaving, -2))[..., None, :]
    return Passed(filtered, entering, c, leaving)


def _ends(
    log_start: Float[Array, "*starts states"],
    log_matrix: Float[Array, "*starts states states"],
    log_b: Float[Array, "steps *starts states lanes"],
    first: Bool[Array, "steps lanes"],
    total: Total,
) -> tuple[Float[Array, "*starts states lanes"], Float[Array, "*starts states lanes"]]:
    """As in `tacit.models.sequence.scaled`."""
    *starts, states, lanes = log_b.shape[1:]
    begin, every = log_start[..., None], log_matrix[..., None]

    def step(carry, item):
        x, scale = carry
        here, begins = item
        x = afresh(begins, begin, total(x[..., :, None, :] + every, -3))
        x = (x.reshape(*starts, states, states, lanes) + here[..., :, None, :]).reshape(x.shape)
        c = total(x, -2)
        return (x - _finite(c)[..., None, :], scale + c), ()

    with np.errstate(divide="ignore"):
        eye = np.log(np.eye(states))
    x: Any = np.broadcast_to(eye[:, :, None], (*starts, states, states, lanes)).reshape(*starts, states, states * lanes)
    carry = (xp.asarray(x, log_b.dtype), xp.zeros((*starts, states * lanes), log_b.dtype))
    (x, scale), _ = scan(step, carry, (log_b, first))
    carried = x.reshape(*starts, states, states, lanes) + scale.reshape(*starts, 1, states, lanes)
    each = xp.moveaxis(carried, -1, 0)

    def onward(a, lane):
        after = total(lane + a[..., None, :], -1)
        return after - _finite(total(after, -1))[..., None], a

    def back(beta, lane):
        earlier = total(lane + beta[..., :, None], -2)
        return earlier - _finite(earlier.max(-1))[..., None], beta

    _, entering = scan(onward, xp.asarray(log_start, log_b.dtype), each)
    _, leaving = scan(back, xp.zeros(log_start.shape, log_b.dtype), each, reverse=True)
    return xp.moveaxis(entering, 0, -1), xp.moveaxis(leaving, 0, -1)


def backward(
    log_matrix: Float[Array, "*starts states states"],
    log_b: Float[Array, "steps *starts states lanes"],
    first: Bool[Array, "steps lanes"],
    weights: Float[Array, "steps lanes"],
    passed: Passed,
) -> CountedStates:
    """The pass backward, with the counts of what it passes."""
    every = log_matrix[..., None]

    def step(carry, item):
        beta, pairs, begun = carry
        here, begins, w, log_c, now, earlier = item
        smoothed = xp.exp(now + beta) * w
        v = here + beta - _finite(log_c)[..., None, :]
        both = every + v[..., None, :, :]
        pairs = pairs + (xp.exp(earlier[..., :, None, :] + both) * xp.where(begins, 0.0, w)).sum(-1)
        begun = begun + (smoothed * begins).sum(-1)
        return (afresh(begins, 0.0, log_sum(both, -2)), pairs, begun), smoothed

    zeros = xp.zeros(log_matrix.shape, log_b.dtype)
    earlier = before(passed.entering, passed.filtered)
    items = (log_b, first, weights, passed.log_scale, passed.filtered, earlier)
    (_, pairs, begun), states = scan(step, (passed.leaving, zeros, zeros[..., 0]), items, reverse=True)
    return CountedStates(states, pairs, begun)


def likeliest(
    log_matrix: Float[Array, "*starts states states"],
    first: Bool[Array, "steps lanes"],
    whole: bool,
    passed: Passed,
) -> Int[Array, "steps *starts lanes"]:
    """The likeliest path, from a pass forward with max: back along pointers, so that no tie can tear it.

    From a sequence's first step the pointer leads to the end of the sequence before it.
    """
    every = log_matrix[..., None]

    def pointers(state, item):
        earlier, begins = item
        onward = (earlier[..., :, None, :] + every).argmax(-3)
        return state, xp.where(begins, earlier.argmax(-2)[..., None, :], onward)

    earlier = before(passed.entering, passed.filtered)
    _, found = scan(pointers, (), (earlier, first))

    ends = passed.filtered[-1].argmax(-2) if whole else _ends_of_path(found, passed)

    def back(state, pointer):
        return xp.take_along_axis(pointer, state[..., None, :], axis=-2)[..., 0, :], state

    return scan(back, ends, found, reverse=True)[1]


def _ends_of_path(found: Int[Array, "steps *starts states lanes"], passed: Passed) -> Int[Array, "*starts lanes"]:
    """The states at the ends of lanes that follow one another."""

    def through(ends, pointer):
        return xp.take_along_axis(pointer, ends, axis=-2), ()

    *starts, states, lanes = found.shape[1:]
    own: Any = np.broadcast_to(np.arange(states)[:, None], (*starts, states, lanes))
    own = xp.asarray(own, found.dtype) if traced(found) else own
    through_lane, _ = scan(through, own, found, reverse=True)  # where a lane is entered, by where it ends

    def lanes_back(end, lane):
        return xp.take_along_axis(lane, end[..., None], axis=-1)[..., 0], end

    last = passed.filtered[-1]
    _, ends = scan(lanes_back, last[..., -1].argmax(-1), xp.moveaxis(through_lane, -1, 0), reverse=True)
    return xp.moveaxis(ends, 0, -1)


def counted(
    path: Int[Array, "steps *starts lanes"],
    states: int,
    first: Bool[Array, "steps lanes"],
    weights: Float[Array, "steps lanes"],
) -> CountedStates:
    """The counts of a path; the pairs across the lanes' ends too, where lanes follow one another."""
    own = (path[..., None, :] == np.arange(states)[:, None]) * 1.0
    spread = (slice(None),) + (None,) * (own.ndim - 2)
    w = weights[spread]
    entering = xp.concatenate([own[-1][..., :1] * 0.0, own[-1][..., :-1]], axis=-1)
    earlier = before(entering, own)
    kept = own * xp.where(first, 0.0, weights)[spread]
    pairs = (earlier @ xp.swapaxes(kept, -1, -2)).sum(0)
    smoothed = own * w
    return CountedStates(smoothed, pairs, (smoothed * first[spread]).sum((0, -1)))
