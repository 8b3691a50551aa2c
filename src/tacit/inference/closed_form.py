"""The first driver: alternate in closed form, for every model whose statistics add.

A local step sees rows and returns expected statistics and its share of the bound; a global step turns the summed
statistics into the next model. ``F(q, θ)`` at a model is ``sums.bound + model.global_bound()`` of the sums that
this model made, so a start that stops keeps the model whose bound it holds (Neal & Hinton 1998).

Everything here is pure and leads with an axis of starts; the host's loop is in ``fit``.
"""

import functools
import operator
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from jaxtyping import Bool, Float, Int, UInt32

from tacit import trees
from tacit.arrays import Pytree, xp
from tacit.compute import Array, compiled, is_eager
from tacit.data.blocks import Block, View
from tacit.engine import PRNGKeyArray, PyTree, eqx, is_array, jax, jnp
from tacit.inference.status import CONVERGED as CONVERGED
from tacit.inference.status import FELL as FELL
from tacit.inference.status import INTERRUPTED as INTERRUPTED
from tacit.inference.status import NAN as NAN
from tacit.inference.status import RUNNING as RUNNING
from tacit.inference.status import STOPPED as STOPPED

TRACE_ROWS = 256
"""The most iterations one compiled call can take: the length of its trace buffer."""


class Sums(NamedTuple):
    """What a local step returns: purely additive over rows and linear in their weights."""

    statistics: PyTree
    bound: Float[Array, ""]


class LocalStep(Protocol):
    """The E-step of one iteration, made by ``prepare`` and free of all that only the M-step needs.

    It is a pytree, so models that differ in their M-step alone share one compiled E-step.
    """

    def __call__(self, rows: Float[Array, "rows dims"], weights: Float[Array, " rows"], key: PRNGKeyArray) -> Sums: ...


class ClosedForm(Protocol):
    """What a model must offer to this driver. Array fields are traced; all else is static."""

    @property
    def monotone(self) -> bool:
        """False where a fall of the bound is noise (sampled or mini-batch steps)."""

    def prepare(self) -> LocalStep:
        """Once an iteration: Cholesky factors, natural parameters, expected log-weights."""

    def m_step(self, statistics: PyTree) -> Self:
        """The next model; may iterate inside, warm from ``self``."""

    def global_bound(self) -> Float[Array, ""]:
        """At ``self``: the log prior, or −KL(q(θ)‖p(θ)), or 0."""

    def absolute(self, statistics: PyTree) -> PyTree:
        """This model's statistics about a fixed origin, so that those of several models may be averaged."""

    def relative(self, statistics: PyTree) -> PyTree:
        """Statistics about the fixed origin as this model's ``m_step`` takes them."""

    def feasible(self, statistics: PyTree) -> Bool[Array, ""]:
        """Whether extrapolated statistics may still be those of some rows: no count below 0."""


class State(Pytree):
    """Where each start stands; every array leads with ``[starts]``."""

    model: Any
    statistics: PyTree
    bound: Float[Array, " starts"]
    iteration: Int[Array, " starts"]
    """M-steps done; −1 before the first model's bound is known."""
    status: Int[Array, " starts"]
    key: UInt32[Array, "starts 2"]
    """Raw key data (threefry): plain numbers that can be stored and compared."""
    given: Bool[Array, " starts"]
    """The model at hand is the next to be evaluated; else the next one is made from the statistics."""


class Limits(NamedTuple):
    """Traced knobs: changing them compiles nothing."""

    max_iter: Int[Array, "*starts"]
    tol: Float[Array, ""]
    """Change of the bound per unit of weight, in nats, below which a start has converged."""
    slack: Float[Array, ""]
    """Fall of the bound, relative to its size, that counts as rounding."""
    weight: Float[Array, ""]
    """Total weight of the rows."""


def over_starts(function: Callable, starts: int, *arguments: PyTree, shared: tuple = ()) -> PyTree:
    """``vmap`` over the starts of ``arguments``, with ``shared`` ones passed as they are.

    One start is run without ``vmap``, because that compiles to plainer code. Where nothing is compiled the function
    itself takes arrays that lead with the starts.
    """
    if is_eager():
        return function(*arguments, *shared)
    if starts == 1:
        single = (trees.map(lambda leaf: leaf[0] if is_array(leaf) else leaf, a) for a in arguments)
        result = function(*single, *shared)
        return trees.map(lambda leaf: leaf[None] if is_array(leaf) else leaf, result)
    axes = (eqx.if_array(0),) * len(arguments) + (None,) * len(shared)
    return eqx.filter_vmap(function, in_axes=axes)(*arguments, *shared)


@partial(compiled, hurry=True)
def accumulate(
    steps: PyTree,
    block: Block,
    view: View,
    key: UInt32[Array, "starts 2"],
    iteration: Int[Array, " starts"],
) -> Sums:
    """The local step over the chunks of a block, for all starts: features of the rows are computed once.

    Random keys are folded from the start's key, the iteration and the chunk: nothing is split along the way.
    """
    starts = key.shape[0]

    def local(step, raw, number, index, rows, weights):
        if is_eager():
            return step(rows, weights, None)
        chunk_key = jax.random.fold_in(jax.random.fold_in(jax.random.wrap_key_data(raw), number), index)
        return step(rows, weights, chunk_key)

    def sums_of(rows, weights, index):
        return over_starts(local, starts, steps, key, iteration, shared=(index, view(rows), weights))

    return sum_over_chunks(sums_of, tuple(block))


def sum_over_chunks(function: Callable[..., PyTree], chunks: tuple) -> PyTree:
    """``Σ function(*chunk)`` over the leading axis, one chunk at a time."""
    if is_eager():
        if all(isinstance(leaf, np.ndarray) for leaf in chunks):
            return total_sums(function(*chunk) for chunk in zip(*chunks, strict=True))
        number = len(trees.leaves(chunks)[0])
        return total_sums(function(*_entry(chunks, at)) for at in range(number))
    function = jax.jit(function, inline=True)  # looked through once: for the shapes, and for the sum
    shapes = jax.eval_shape(function, *trees.map(lambda leaf: leaf[0], chunks))
    zeros = trees.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)

    def add(total, chunk):
        return trees.map(jnp.add, total, function(*chunk)), None

    return jax.lax.scan(add, zeros, chunks)[0]


def _entry(tree: PyTree, at: int) -> PyTree:
    return trees.map(lambda leaf: leaf[at], tree)


def total_sums(parts: Iterable[PyTree]) -> PyTree:
    """The sum of the sums of several blocks."""
    return functools.reduce(lambda total, part: trees.map(operator.add, total, part), parts)


def begin(models: PyTree, statistics: PyTree, key: UInt32[Array, "starts 2"], *, given: bool) -> State:
    """The state of starts of which nothing is known yet.

    With ``given`` the models are the starts, and the statistics count for their shapes alone; else the M-step of the
    statistics makes the starts, from the models where it needs a model to begin with.
    """
    starts = key.shape[0]
    return State(
        models,
        trees.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), statistics) if given else statistics,
        np.full(starts, -np.inf),
        np.full(starts, -1, np.int32),
        np.full(starts, RUNNING, np.int32),
        key,
        np.full(starts, given),
    )


@partial(compiled, hurry=True)
def prepared(models: PyTree, starts: int) -> PyTree:
    """The local steps of all starts."""
    return over_starts(lambda model: model.prepare(), starts, models)


@partial(compiled, hurry=True)
def propose(state: State) -> tuple[PyTree, PyTree]:
    """The global step of every start: the next models from the summed statistics, or the given ones; their steps."""
    starts = state.key.shape[0]
    models = over_starts(lambda model, statistics: model.m_step(statistics), starts, state.model, state.statistics)
    models = select_starts(state.given, state.model, models)
    return models, prepared(models, starts)


@partial(compiled, hurry=True)
def accept(state: State, models: PyTree, sums: Sums, limits: Limits) -> State:
    """Move running starts whose bound rose to the proposed models; stop the others and say why.

    The model of a start itself is always taken, so that a start that stops at once can be repaired.
    """
    bound = sums.bound + over_starts(lambda model: model.global_bound(), state.key.shape[0], models)
    running = state.status == RUNNING
    size = xp.where(xp.isinf(state.bound), 0.0, xp.abs(state.bound)) + limits.weight
    rose = bound >= state.bound - limits.slack * size
    first = state.iteration < 0
    taken = running & (first | (rose if models.monotone else ~xp.isnan(bound)))
    iteration = state.iteration + taken
    quiet = xp.abs(bound - state.bound) < limits.tol * limits.weight
    status = xp.where(iteration >= limits.max_iter, STOPPED, RUNNING)
    status = xp.where(quiet, CONVERGED, status)
    status = xp.where(xp.isnan(bound), NAN, xp.where(taken, status, FELL))
    return State(
        select_starts(taken, models, state.model),
        select_starts(taken, sums.statistics, state.statistics),
        xp.where(taken, bound, state.bound),
        iteration,
        xp.where(running, status, state.status).astype(state.status.dtype),
        state.key,
        xp.zeros_like(state.given),
    )


@partial(compiled, hurry=True)
def extrapolate(before: State, middle: State, now: State) -> tuple[PyTree, PyTree]:
    """The models and steps of a squared extrapolation of the statistics (SQUAREM; Varadhan & Roland 2008, scheme S3).

    The fixed point map is statistics → M-step → statistics; no parameterisation of the model is needed.
    """

    def proposal(first, s0, second, s1, third, s2):
        s0, s1, s2 = first.absolute(s0), second.absolute(s1), third.absolute(s2)
        change = trees.map(operator.sub, s1, s0)
        bend = trees.map(lambda a, b, c: (c - b) - (b - a), s0, s1, s2)
        lead = 1 if is_eager() else 0
        ratio = xp.sqrt(_squared_norm(change, s2, lead) / xp.maximum(_squared_norm(bend, s2, lead), 1e-300))
        step = xp.maximum(ratio, 1.0)

        def far(s: Array, r: Array, v: Array) -> Array:
            own = step.reshape(step.shape + (1,) * (s.ndim - lead))
            return s + 2 * own * r + own**2 * v

        ahead = trees.map(far, s0, change, bend)
        ahead = select_starts(third.feasible(ahead), ahead, s2)
        return third.m_step(third.relative(ahead))

    states = (before, middle, now)
    parts = [part for state in states for part in (state.model, state.statistics)]
    models = over_starts(proposal, now.key.shape[0], *parts)
    return models, prepared(models, now.key.shape[0])


def _squared_norm(difference: PyTree, size: PyTree, lead: int) -> Float[Array, "*starts"]:
    """Each leaf in units of its own size, so that counts and second moments weigh alike."""

    def relative(d: Array, s: Array) -> Array:
        inner = tuple(range(lead, d.ndim))
        return (d**2).sum(inner) / xp.maximum((s**2).sum(inner), 1e-300)

    parts: list[Array] = trees.leaves(trees.map(relative, difference, size))
    return functools.reduce(operator.add, parts)


@partial(compiled, hurry=True)
def improve(state: State, models: PyTree, sums: Sums) -> State:
    """Take proposed models only where they raise the bound; nothing else about the state changes."""
    bound = sums.bound + over_starts(lambda model: model.global_bound(), state.key.shape[0], models)
    better = (state.status == RUNNING) & (bound > state.bound)
    return State(
        select_starts(better, models, state.model),
        select_starts(better, sums.statistics, state.statistics),
        xp.where(better, bound, state.bound),
        state.iteration,
        state.status,
        state.key,
        state.given,
    )


def select_starts(chosen: Bool[Array, "*starts"], new: PyTree, old: PyTree) -> PyTree:
    """``new`` where chosen, else ``old``, start by start."""
    if is_eager() and (chosen.all() or not chosen.any()):
        return new if chosen.all() else old

    def pick(a, b):
        return xp.where(chosen.reshape(chosen.shape + (1,) * (a.ndim - chosen.ndim)), a, b) if is_array(a) else a

    return trees.map(pick, new, old)


def cycle(state: State, evaluate: Callable[[PyTree, State], Sums], limits: Limits, accelerate: bool) -> State:
    """One iteration; with ``accelerate`` two and an extrapolation, which is dropped unless the bound rises.

    ``evaluate`` gives the sums of steps; the rest is compiled, inside a larger program or piece by piece.
    """

    def step(now: State) -> State:
        models, steps = propose(now)
        return accept(now, models, evaluate(steps, now), limits)

    first = step(state)
    if not accelerate:
        return first
    # the first step of the very first cycle only evaluates the start: what is extrapolated there seldom rises
    second = step(first)
    ahead, steps = extrapolate(state, first, second)
    return improve(second, ahead, evaluate(steps, second))


@partial(compiled, hurry=True)
def run_block(
    state: State,
    blocks: tuple[Block, ...],
    view: View,
    steps: Int[Array, ""],
    limits: Limits,
    accelerate: bool = False,
) -> tuple[State, Float[Array, "trace starts"], Int[Array, ""]]:
    """At most ``steps`` (≤ TRACE_ROWS) cycles in one compiled program; all but shapes is traced.

    Returns the state, the bound of every start after each cycle, and the number of cycles done. The number of
    steps changes no bit of the result, so the host may look in whenever it likes.
    """
    dynamic, static = eqx.partition(state, is_array)
    trace = jnp.full((TRACE_ROWS, state.key.shape[0]), jnp.nan)

    def evaluate(steps, now):
        return total_sums(accumulate(steps, block, view, now.key, now.iteration) for block in blocks)

    def going(carry):
        step, now, _ = carry
        return (step < steps) & jnp.any(now.status == RUNNING)

    def iterate(carry):
        step, now, trace = carry
        after = cycle(eqx.combine(now, static), evaluate, limits, accelerate)
        return step + 1, eqx.filter(after, is_array), trace.at[step].set(after.bound)

    done, dynamic, trace = jax.lax.while_loop(going, iterate, (jnp.asarray(0), dynamic, trace))
    return eqx.combine(dynamic, static), trace, done
