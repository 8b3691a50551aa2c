"""The second driver: follow a stochastic gradient of an objective over mini-batches of rows.

Everything here is pure and compiled; the host's loop is in ``train``. Random keys are folded from the seed, the round
and the step, never split along the way, so a fit that is broken off after a round goes on to the same end.
"""

import functools
from typing import Any, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree
from jaxtyping import Float, Int, PRNGKeyArray, PyTree, UInt32

from tacit.compute import Array, as_key, compiled, row_bucket
from tacit.data import blocks
from tacit.inference.objectives import Batch, LatentVariable, Objective, Terms
from tacit.inference.sharing import Sharing, shared

SMALL_ROWS = 16_384
LARGE_GRAIN = 4096
ROWS_AT_ONCE = 512
"""Rows of a held-out evaluation that are looked at together."""


class Reader(Protocol):
    """What is done to stored rows on their way into the model, such as drawing binary pixels of grey ones."""

    def __call__(self, rows: PyTree, key: PRNGKeyArray) -> PyTree: ...


def as_stored(rows: PyTree, key: PRNGKeyArray) -> PyTree:
    """The reader of rows that are taken as they are."""
    return rows


class Batches(NamedTuple):
    """Rows on the device; every leaf leads with ``[rows]``."""

    rows: PyTree
    weights: Float[Array, " rows"]


def room(rows: int) -> int:
    """How many rows to make room for: few sizes are compiled while they are small, and little is wasted when large."""
    return row_bucket(rows) if rows <= SMALL_ROWS else -(-rows // LARGE_GRAIN) * LARGE_GRAIN


def padded(rows: PyTree, weights: np.ndarray, to: int) -> Batches:
    """Rows and weights made up to a number of rows, with copies of the last row and weight 0."""
    mass = np.pad(weights, (0, to - weights.shape[0])).astype(np.float32)
    return Batches(jax.tree.map(lambda leaf: blocks.padded(np.asarray(leaf), to), rows), mass)


class TrainSchedule(NamedTuple):
    """Traced knobs: changing them compiles nothing."""

    learning_rate: Float[Array, ""]
    steps: Float[Array, ""]
    """Steps of the whole fit: the rate falls to 0 along a half cosine over them (infinite: it stays)."""
    warm_steps: Float[Array, ""]
    """Steps over which the weight of the KL rises from 0 to 1."""


class TrainState(eqx.Module):
    """Where a stochastic fit stands after a round; all that it needs to go on."""

    model: PyTree
    """The parameters: arrays that gradients move; None elsewhere."""
    optimiser: PyTree
    best: Any
    """The parameters of the best held-out bound so far."""
    best_bound: Float[Array, ""]
    step: Int[Array, ""]
    best_step: Int[Array, ""]
    rate: Float[Array, ""]
    """What multiplies the learning rate: 1, or ½ after the one roll-back."""
    status: Int[Array, ""]
    key: UInt32[Array, "2"]
    bound: Float[Array, " figures"]
    """The last line of the trace."""


class OnOneVector(optax.GradientTransformation):
    """A rule that sees all parameters, and their slope, laid in one vector."""


@functools.cache
def adam(
    clip: float = 0.0, decay: float = 0.0, eps: float = 1e-8, *, flat: bool = False
) -> optax.GradientTransformation:
    """Adam (Kingma & Ba 2015), with gradients clipped by their global norm; the rate is the driver's.

    With ``decay`` parameters are drawn towards 0 by so much of a step, apart from the gradient (Loshchilov & Hutter
    2019). A gradient that is small beside ``eps`` makes small steps: rounding is not followed where the slope is 0.
    ``flat`` lays all parameters in one vector, which of many small arrays is faster, and faster to compile.
    """
    clipping = [optax.clip_by_global_norm(clip)] if clip > 0 else []
    decaying = [optax.add_decayed_weights(decay)] if decay > 0 else []
    steps = optax.chain(*clipping, optax.scale_by_adam(eps=eps), *decaying)
    return OnOneVector(*optax.flatten(steps)) if flat else steps


def rate_at(step: Int[Array, "*steps"], pace: TrainSchedule) -> Float[Array, "*steps"]:
    """The learning rate of steps: a half cosine from its start to 0."""
    done = jnp.where(jnp.isinf(pace.steps), 0.0, jnp.minimum(step / pace.steps, 1.0))
    return pace.learning_rate * 0.5 * (1.0 + jnp.cos(jnp.pi * done))


def _means(values: Terms, weights: Float[Array, " rows"]) -> dict[str, Float[Array, ""]]:
    mass = jnp.maximum(weights.sum(), 1e-30)
    return {name: jnp.sum(weights * value) / mass for name, value in values.items()}


@compiled
def run_steps(
    state: TrainState,
    static: PyTree,
    batches: Batches,
    order: Int[Array, "steps batch"],
    first: Int[Array, ""],
    last: Int[Array, ""],
    totals: dict[str, Float[Array, ""]],
    pace: TrainSchedule,
    objective: Objective,
    optimiser: optax.GradientTransformation,
    read: Reader,
    over: Sharing | None = None,
) -> tuple[TrainState, dict[str, Float[Array, ""]], Int[Array, ""]]:
    """The steps ``first`` … ``last − 1`` of a round in one compiled program.

    ``order`` says which rows every step sees; −1 is padding. ``totals`` adds up the terms over the steps. Devices may
    share the rows of a batch (``over``). Returns the state, the totals and the first step whose objective was no number
    (or −1).
    """
    base = as_key(state.key)
    flat = isinstance(optimiser, OnOneVector)
    begun, whole = ravel_pytree(state.model) if flat else (state.model, lambda parameters: parameters)
    # of all steps at once: where it is used the compiler would find each anew
    rates = -state.rate * rate_at(state.step + jnp.arange(order.shape[0]) - first, pace)

    def advance(number, carry):
        moved, opt, totals, bad, step = carry
        key, reading = jax.random.split(jax.random.fold_in(base, step))
        index = order[number]
        weights = batches.weights[index] * (index >= 0)
        rows = read(jax.tree.map(lambda leaf: leaf[index], batches.rows), reading)
        rows, weights = shared((rows, weights), over)
        warmth = jnp.minimum((step + 1.0) / jnp.maximum(pace.warm_steps, 1.0), 1.0)

        def loss(parameters):
            raised, terms = objective(eqx.combine(parameters, static), Batch(rows, weights, key, warmth))
            return -_means({"objective": raised}, weights)["objective"], terms

        (value, terms), slope = jax.value_and_grad(loss, has_aux=True)(whole(moved))
        update, opt = optimiser.update(ravel_pytree(slope)[0] if flat else slope, opt, moved)
        moved = jax.tree.map(lambda p, u: p + (rates[number] * u).astype(p.dtype), moved, update)
        line = _means(terms, weights) | {"objective": -value, "steps": jnp.ones(())}
        totals = {name: total + line[name] for name, total in totals.items()}
        bad = jnp.where((bad < 0) & ~jnp.isfinite(value), step, bad)
        return moved, opt, totals, bad, step + 1

    carry = (begun, state.optimiser, totals, jnp.asarray(-1, jnp.int32), state.step)
    moved, opt, totals, bad, step = jax.lax.fori_loop(first, last, advance, carry)
    after = eqx.tree_at(lambda s: (s.model, s.optimiser, s.step), state, (whole(moved), opt, step))
    return after, totals, bad


def blank_totals(
    model: PyTree, static: PyTree, batches: Batches, objective: Objective, read: Reader
) -> dict[str, Float[Array, ""]]:
    """Zeros for every term that the objective names."""

    def terms():
        key = jax.random.key(0)
        few = jax.tree.map(lambda leaf: leaf[:1], batches.rows)
        whole = eqx.combine(model, static)
        return objective(whole, Batch(read(few, key), jnp.ones(1), key, jnp.ones(())))[1]

    names = ("objective", "steps", *jax.eval_shape(terms))
    return {name: np.zeros((), np.float32) for name in names}


@compiled
def evaluate(
    model: LatentVariable,
    batches: Batches,
    key: UInt32[Array, "2"],
    read: Reader,
    bound: Objective,
    over: Sharing | None = None,
) -> dict[str, Float[Array, ""]]:
    """The mean terms of a bound over all rows, and itself as "objective", a chunk at a time.

    The rows come padded to whole chunks.
    """
    count = batches.weights.shape[0]
    chunk = min(ROWS_AT_ONCE, count)
    chunks = jax.tree.map(lambda leaf: leaf.reshape(count // chunk, chunk, *leaf.shape[1:]), batches)
    base = as_key(key)

    def add(number, part):
        draw, reading = jax.random.split(jax.random.fold_in(base, number))
        rows, weights = shared((read(part.rows, reading), part.weights), over)
        raised, terms = bound(model, Batch(rows, weights, draw, jnp.ones(())))
        terms |= {"objective": raised}
        return number + 1, {name: jnp.sum(weights * value) for name, value in terms.items()}

    _, parts = jax.lax.scan(add, jnp.asarray(0, jnp.int32), chunks)
    return {name: part.sum() / batches.weights.sum() for name, part in parts.items()}
