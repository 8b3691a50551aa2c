"""Forward and backward through a hidden Markov chain in probabilities, each step scaled (Rabiner 1989, section V.A).

``α_t(j) = p(z_t = j | x_1…t)`` and ``β_t(i) = p(x_t+1… | z_t = i) / p(x_t+1… | x_1…t)``, so that their product is the
smoothed ``p(z_t | x)``, and ``c_t = p(x_t | x_1…t−1)`` up to the scale of the densities. The reverse pass is written
out: it costs what the forward one does, and its sums are the expected counts of the transitions.

It is exact where every transition has some probability, however little: what underflows then is made up for at the
next step. Chains with impossible ones are computed in logarithms (`tacit.models.sequence.logarithmic`).

Arrays lead with the steps of the lanes; a state has ``[*starts, states, lanes]``.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import xp
from tacit.compute import Array
from tacit.models.sequence.scans import afresh, before, scan

swap = xp.swapaxes


class Passed(NamedTuple):
    """What a pass forward leaves: everything that the pass backward wants."""

    filtered: Float[Array, "steps *starts states lanes"]
    """``p(z_t | x_1…t)``."""
    entering: Float[Array, "*starts states lanes"]
    """The same before the first step of every lane."""
    log_scale: Float[Array, "steps *starts lanes"]
    """``log p(x_t | x_1…t−1)``, less what was taken from the log-densities."""
    leaving: Float[Array, "*starts states lanes"]
    """β at the last step of every lane."""


def forward(
    start: Float[Array, "*starts states"],
    matrix: Float[Array, "*starts states states"],
    b: Float[Array, "steps *starts states lanes"],
    first: Bool[Array, "steps lanes"],
    whole: bool,
) -> Passed:
    """The pass forward. ``b`` are the densities of every row under every state, over the largest of them."""
    across, begin = swap(matrix, -1, -2), start[..., None]

    def step(x, item):
        here, begins = item
        x = afresh(begins, begin, across @ x) * here
        c = x.sum(-2)
        x = x / c[..., None, :]
        return x, (x, c)

    shape = b.shape[1:]
    ends: tuple[Any, Any]
    ends = (xp.broadcast_to(begin, shape), xp.ones(shape)) if whole else _ends(start, matrix, b, first)
    entering, leaving = ends
    last, (filtered, c) = scan(step, entering, (b, first))
    leaving = leaving / (last * leaving).sum(-2)[..., None, :]
    return Passed(filtered, entering, xp.log(c), leaving)


def _ends(
    start: Float[Array, "*starts states"],
    matrix: Float[Array, "*starts states states"],
    b: Float[Array, "steps *starts states lanes"],
    first: Bool[Array, "steps lanes"],
) -> tuple[Float[Array, "*starts states lanes"], Float[Array, "*starts states lanes"]]:
    """α before every lane, and β at its end but for a factor, from the lanes' matrices.

    A lane's matrix is what the pass forward makes of each state that it may begin in, with a scale for each.
    """
    across, begin = swap(matrix, -1, -2), start[..., None]
    *starts, states, lanes = b.shape[1:]

    def step(carry, item):
        x, scale = carry
        here, begins = item
        x = afresh(begins, begin, across @ x)
        x = (x.reshape(*starts, states, states, lanes) * here[..., :, None, :]).reshape(x.shape)
        c = x.sum(-2)
        return (x / c[..., None, :], scale + xp.log(c)), ()

    eye = np.broadcast_to(np.eye(states)[:, :, None], (*starts, states, states, lanes))
    x = xp.asarray(eye.reshape(*starts, states, states * lanes), b.dtype)
    (x, scale), _ = scan(step, (x, xp.zeros((*starts, states * lanes), b.dtype)), (b, first))
    scale = scale.reshape(*starts, states, lanes)
    carried = x.reshape(*starts, states, states, lanes) * xp.exp(scale - scale.max(-2)[..., None, :])[..., None, :, :]
    each = xp.moveaxis(carried, -1, 0)  # [lanes, *starts, to, from]

    def onward(a, lane):
        after = (lane @ a[..., None])[..., 0]
        return after / after.sum(-1)[..., None], a

    def back(beta, lane):
        earlier = (swap(lane, -1, -2) @ beta[..., None])[..., 0]
        return earlier / earlier.sum(-1)[..., None], beta

    _, entering = scan(onward, start, each)
    _, leaving = scan(back, xp.ones(start.shape, b.dtype), each, reverse=True)
    return xp.moveaxis(entering, 0, -1), xp.moveaxis(leaving, 0, -1)


class CountedStates(NamedTuple):
    """Expected counts."""

    states: Float[Array, "steps *starts states lanes"]
    """``w p(z_t = k | x)``."""
    transitions: Float[Array, "*starts states states"]
    begun: Float[Array, "*starts states"]
    """Of first steps."""


def backward(
    matrix: Float[Array, "*starts states states"],
    b: Float[Array, "steps *starts states lanes"],
    first: Bool[Array, "steps lanes"],
    weights: Float[Array, "steps lanes"],
    passed: Passed,
) -> CountedStates:
    """The pass backward, with the counts of what it passes."""

    def step(carry, item):
        beta, pairs, begun = carry
        here, begins, w, log_c, now, earlier = item
        smoothed = now * beta * w
        v = here * beta / xp.exp(log_c)[..., None, :]
        pairs = pairs + (earlier * xp.where(begins, 0.0, w)) @ swap(v, -1, -2)
        begun = begun + (smoothed * begins).sum(-1)
        return (afresh(begins, 1.0, matrix @ v), pairs, begun), smoothed

    zeros = xp.zeros(matrix.shape, b.dtype)
    earlier = before(passed.entering, passed.filtered)
    items = (b, first, weights, passed.log_scale, passed.filtered, earlier)
    (_, pairs, begun), states = scan(step, (passed.leaving, zeros, zeros[..., 0]), items, reverse=True)
    return CountedStates(states, matrix * pairs, begun)
