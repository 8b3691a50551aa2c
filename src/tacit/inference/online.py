"""Mini-batches: Robbins–Monro averages of the statistics, ``s ← (1 − ρ_t) s + ρ_t (W/w) s_batch``, then an M-step.

Online EM of Cappé & Moulines (2009), ``ρ_t = (t + 1)^−κ``. The statistics of different models are averaged, so they
are taken about a fixed origin.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, PyTree

from tacit.compute import Array, compiled
from tacit.data.blocks import Block, View
from tacit.data.sources import BlockSource
from tacit.inference import closed_form as cf
from tacit.inference.fit import Fit, fit_of_one
from tacit.inference.loop import Line, Loop
from tacit.inference.watch import Progress

KAPPA = 0.6
"""How fast the step size falls: in (½, 1]."""


class StepSize(NamedTuple):
    """The step size ``(t + offset)^−decay``; both are traced."""

    decay: Float[Array, ""]
    offset: Float[Array, ""]


USUAL = StepSize(np.asarray(KAPPA), np.asarray(1.0))


class Average(NamedTuple):
    """A model that has seen some batches, and the running average of their statistics."""

    model: Any
    statistics: PyTree
    """About a fixed origin, for a total weight of 1."""
    time: Float[Array, ""]
    """Batches seen."""


def first_average(model: Any, block: Block, view: View) -> Average:
    """Nothing seen yet; the first batch replaces the statistics, whose shapes alone count here."""
    shapes = eqx.filter_eval_shape(_batch_statistics, model, block.rows[0], block.weights[0], view)
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    return Average(model, zeros, np.zeros(()))


def _batch_statistics(model, rows, weights, view):
    sums = model.prepare()(view(rows), weights, jax.random.key(0))
    share = 1.0 / jnp.where(weights.sum() > 0, weights.sum(), 1.0)
    return jax.tree.map(lambda leaf: leaf * share, model.absolute(sums.statistics))


@compiled
def see(average: Average, block: Block, view: View, total: Float[Array, ""], step: StepSize = USUAL) -> Average:
    """Go over the chunks of a block, one batch each; ``total`` is the weight of all rows, for the priors."""
    dynamic, static = eqx.partition(average, eqx.is_array)

    def batch(carry, part):
        rows, weights = part
        now = eqx.combine(carry, static)
        rate = (now.time + step.offset) ** -step.decay
        fresh = _batch_statistics(now.model, rows, weights, view)
        mean = jax.tree.map(lambda old, new: (1.0 - rate) * old + rate * new, now.statistics, fresh)
        scaled = jax.tree.map(lambda leaf: leaf * total, mean)
        model = now.model.m_step(now.model.relative(scaled))
        after = eqx.filter(Average(model, mean, now.time + 1.0), eqx.is_array)
        return jax.tree.map(lambda a, b: jnp.where(weights.sum() > 0, a, b), after, carry), None

    dynamic, _ = jax.lax.scan(batch, dynamic, (block.rows, block.weights))
    return eqx.combine(dynamic, static)


@compiled
def _bound(model: Any, block: Block, view: View) -> Float[Array, ""]:
    single = jax.tree.map(lambda leaf: leaf[None] if eqx.is_array(leaf) else leaf, model.prepare())
    return cf.accumulate(single, block, view, jnp.zeros((1, 2), jnp.uint32), jnp.zeros(1, jnp.int32)).bound[0]


class _State(eqx.Module):
    """Where the passes stand."""

    model: Any
    average: Average
    best: Any
    best_bound: Float[Array, ""]
    bound: Float[Array, ""]
    status: Int[Array, ""]


class _Passes:
    """Passes over all batches from one start (`Fitting`)."""

    snapshots: tuple[int, ...] = ()

    def __init__(self, source: BlockSource, view: View, max_iter: int, tol: float, label: str) -> None:
        self.source, self.view, self.label, self.size = source, view, label, source.size
        self.max_iter, self.tol, self.weight = max_iter, tol, float(source.total_weight)

    def begin(self, model: Any) -> _State:
        """The state before anything was seen."""
        average = first_average(model, next(self.source.blocks()), self.view)
        nothing = np.asarray(-np.inf)
        return _State(average.model, average, average.model, nothing, nothing, np.asarray(cf.RUNNING))

    def running(self, state: _State, loop: Loop) -> bool:
        return int(state.status) == cf.RUNNING and len(loop.trace) <= self.max_iter

    def left(self, loop: Loop) -> int:
        return self.max_iter + 1 - len(loop.trace)

    def advance(self, state: _State, number: int, loop: Loop) -> tuple[_State, list[Line]]:
        """One pass; the first advance only evaluates the start."""
        average = state.average
        with loop.computing():
            if loop.trace:
                for block in self.source.blocks():
                    average = see(average, block, self.view, np.asarray(self.weight))
            bound = self._total(average.model)
        status = cf.RUNNING
        if not np.isfinite(bound) and loop.trace:
            status = cf.NAN
        elif loop.trace and abs(bound - float(state.bound)) < self.tol * self.weight:
            status = cf.CONVERGED
        best = (average.model, bound) if bound > float(state.best_bound) else (state.best, state.best_bound)
        after = _State(average.model, average, best[0], np.asarray(best[1]), np.asarray(bound), np.asarray(status))
        return after, [Line(len(loop.trace), np.asarray(bound))]

    def progress(self, state: _State, loop: Loop) -> Progress:
        bound = float(state.bound) / self.weight
        running = int(self.running(state, loop))
        return Progress(
            self.label, len(loop.trace) - 1, self.max_iter, bound, running, 1, loop.seconds, None, begun=loop.begun
        )

    def _total(self, model: Any) -> float:
        local = sum(float(_bound(model, block, self.view)) for block in self.source.blocks())
        return local + float(model.global_bound())


def online(model: Any, source: BlockSource, view: View, *, max_iter: int, tol: float, label: str = "fit") -> Fit:
    """Passes over all batches from one start, until the exact bound of a pass changes by less than ``tol`` a row."""
    passes = _Passes(source, view, max_iter, tol, label)
    loop = Loop(passes)
    state = loop.run(passes.begin(model))
    return fit_of_one(state.best, float(state.best_bound), int(state.status), loop)
