"""Mini-batches: Robbins–Monro averages of the statistics, ``s ← (1 − ρ_t) s + ρ_t (W/w) s_batch``, then an M-step.

Online EM of Cappé & Moulines (2009), ``ρ_t = (t + 1)^−κ``. The statistics of different models are averaged, so they
are taken about a fixed origin.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tacit import trees
from tacit.compute import Array, compiled
from tacit.data.blocks import Block, View
from tacit.data.sources import BlockSource
from tacit.engine import PyTree, eqx, is_array, jax, jnp
from tacit.inference import closed_form as cf
from tacit.inference.fit import Fit, fit_of_one, progress_of_one
from tacit.inference.loop import Line, Loop
from tacit.inference.watch import Progress
from tacit.trees import Pytree

KAPPA = 0.6
"""How fast the step size falls: in (½, 1]."""


class StepSize(NamedTuple):
    """The step size ``(t + offset)^−decay``; both are traced."""

    decay: Float[Array, ""]
    offset: Float[Array, ""]


USUAL = StepSize(np.asarray(KAPPA), np.asarray(1.0))


class Average(NamedTuple):
    """A model that has seen some batches, and the running average of their statistics."""

    model: PyTree
    statistics: PyTree
    """About a fixed origin, for a total weight of 1."""
    time: Float[Array, ""]
    """Batches seen."""


def first_average(model: PyTree, block: Block, view: View) -> Average:
    """Nothing seen yet; the first batch replaces the statistics, whose shapes alone count here."""
    shapes = eqx.filter_eval_shape(_batch_sums, model, block.rows[0], block.weights[0], view)[0]
    zeros = trees.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    return Average(model, zeros, np.zeros(()))


def _batch_sums(model, rows, weights, view):
    """A batch's statistics for a weight of 1, and its share of the bound."""
    sums = model.prepare()(view(rows), weights, jax.random.key(0))
    share = 1.0 / jnp.where(weights.sum() > 0, weights.sum(), 1.0)
    return trees.map(lambda leaf: leaf * share, model.absolute(sums.statistics)), sums.bound


@compiled
def see(average: Average, block: Block, view: View, total: Float[Array, ""], step: StepSize = USUAL) -> Average:
    """Go over the chunks of a block, one batch each; ``total`` is the weight of all rows, for the priors."""
    return _seen(average, block, view, total, step)[0]


@compiled
def see_and_tell(
    average: Average, block: Block, view: View, total: Float[Array, ""], step: StepSize
) -> tuple[Average, Float[Array, ""], Float[Array, ""]]:
    """The same, and the batches' shares of the bound, each at the model that saw the batch, with what is global."""
    after, local = _seen(average, block, view, total, step)
    return after, local, after.model.global_bound()


def _seen(
    average: Average, block: Block, view: View, total: Float[Array, ""], step: StepSize
) -> tuple[Average, Float[Array, ""]]:
    dynamic, static = eqx.partition(average, is_array)

    def batch(carry, part):
        rows, weights = part
        now = eqx.combine(carry, static)
        rate = (now.time + step.offset) ** -step.decay
        fresh, bound = _batch_sums(now.model, rows, weights, view)
        mean = trees.map(lambda old, new: (1.0 - rate) * old + rate * new, now.statistics, fresh)
        scaled = trees.map(lambda leaf: leaf * total, mean)
        model = now.model.m_step(now.model.relative(scaled))
        after = eqx.filter(Average(model, mean, now.time + 1.0), is_array)
        return trees.map(lambda a, b: jnp.where(weights.sum() > 0, a, b), after, carry), bound

    dynamic, bounds = jax.lax.scan(batch, dynamic, (block.rows, block.weights))
    return eqx.combine(dynamic, static), bounds.sum()


@compiled
def _bound(model: PyTree, block: Block, view: View) -> Float[Array, ""]:
    single = trees.map(lambda leaf: leaf[None] if is_array(leaf) else leaf, model.prepare())
    return cf.accumulate(single, block, view, jnp.zeros((1, 2), jnp.uint32), jnp.zeros(1, jnp.int32)).bound[0]


class _State(Pytree):
    """Where the passes stand."""

    model: PyTree
    average: Average
    best: Any
    best_bound: Float[Array, ""]
    bound: Float[Array, ""]
    status: Int[Array, ""]


class Ways(NamedTuple):
    """How passes are made."""

    step: StepSize = USUAL
    exact: bool = True
    """Whether the bound of all rows is worked out after every pass, which costs as much as a pass, and the best model
    is the result; else it is told as the batches went, and the last model is the result."""


WAYS = Ways()


class _Passes:
    """Passes over all batches from one start (`Fitting`)."""

    snapshots: tuple[int, ...] = ()

    def __init__(
        self, sources: Callable[[int], BlockSource], view: View, max_iter: int, tol: float, label: str, ways: Ways
    ) -> None:
        self.sources, self.view, self.label, self.ways = sources, view, label, ways
        first = sources(1)
        self.size, self.weight = first.size, float(first.total_weight)
        self.max_iter, self.tol = max_iter, tol

    def begin(self, average: Average) -> _State:
        """The state before anything was seen."""
        nothing = np.asarray(-np.inf)
        return _State(average.model, average, average.model, nothing, nothing, np.asarray(cf.RUNNING))

    def number(self, loop: Loop) -> int:
        """Of the next pass: 0 only evaluates the start."""
        return len(loop.trace) + (not self.ways.exact)

    def running(self, state: _State, loop: Loop) -> bool:
        return int(state.status) == cf.RUNNING and self.number(loop) <= self.max_iter

    def left(self, loop: Loop) -> int:
        return self.max_iter + 1 - self.number(loop)

    def advance(self, state: _State, number: int, loop: Loop) -> tuple[_State, list[Line]]:
        """One pass."""
        average, number = state.average, self.number(loop)
        with loop.computing():
            average, bound = self._passed(average, number)
        status = cf.RUNNING
        if not np.isfinite(bound) and number:
            status = cf.NAN
        elif self.ways.exact and number and abs(bound - float(state.bound)) < self.tol * self.weight:
            status = cf.CONVERGED
        better = bound > float(state.best_bound) if self.ways.exact else status != cf.NAN
        best = (average.model, bound) if better else (state.best, state.best_bound)
        after = _State(average.model, average, best[0], np.asarray(best[1]), np.asarray(bound), np.asarray(status))
        return after, [Line(number, np.asarray(bound))]

    def _passed(self, average: Average, number: int) -> tuple[Average, float]:
        weight, bound, fixed = np.asarray(self.weight), 0.0, 0.0
        for block in self.sources(number).blocks() if number else ():
            if self.ways.exact:
                average = see(average, block, self.view, weight, self.ways.step)
            else:
                average, local, constant = see_and_tell(average, block, self.view, weight, self.ways.step)
                bound, fixed = bound + float(local), float(constant)
        return average, self._total(average.model) if self.ways.exact else bound + fixed

    def progress(self, state: _State, loop: Loop) -> Progress:
        return progress_of_one(self, state, loop, self.max_iter, self.weight)

    def _total(self, model: PyTree) -> float:
        local = sum(float(_bound(model, block, self.view)) for block in self.sources(1).blocks())
        return local + float(model.global_bound())


def online(model: PyTree, source: BlockSource, view: View, *, max_iter: int, tol: float, label: str = "fit") -> Fit:
    """Passes over all batches from one start, until the exact bound of a pass changes by less than ``tol`` a row."""
    average = first_average(model, next(source.blocks()), view)
    return passes(average, lambda number: source, view, max_iter=max_iter, tol=tol, label=label)


def passes(
    average: Average,
    sources: Callable[[int], BlockSource],
    view: View,
    *,
    max_iter: int,
    tol: float = 0.0,
    label: str = "fit",
    ways: Ways = WAYS,
) -> Fit:
    """Passes from a running average.

    Args:
        average: what the passes begin with.
        sources: the batches of a pass, by its number from 1.
        view: centring and scaling.
        max_iter: most passes.
        tol: see `online`.
        label: what the watchers call this fit.
        ways: how passes are made.
    """
    fitting = _Passes(sources, view, max_iter, tol, label, ways)
    loop = Loop(fitting)
    state = loop.run(fitting.begin(average))
    return fit_of_one(state.best, float(state.best_bound), int(state.status), loop)
