"""Mini-batches: Robbins–Monro averages of the statistics, ``s ← (1 − ρ_t) s + ρ_t (W/w) s_batch``, then an M-step.

Online EM of Cappé & Moulines (2009), ``ρ_t = (t + 1)^−κ``. The statistics of different models are averaged, so they
are taken about a fixed origin.
"""

import time
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PyTree

from tacit.compute import Array, compiled
from tacit.data.blocks import Block, Source, Standardise
from tacit.inference import closed_form as cf
from tacit.inference.fit import Fit, Trace, on_host
from tacit.waiting import computing

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


def first_average(model: Any, block: Block, view: Standardise) -> Average:
    """Nothing seen yet; the first batch replaces the statistics, whose shapes alone count here."""
    shapes = eqx.filter_eval_shape(_batch_statistics, model, block.rows[0], block.weights[0], view)
    zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    return Average(model, zeros, np.zeros(()))


def _batch_statistics(model, rows, weights, view):
    sums = model.prepare()(view(rows), weights, jax.random.key(0))
    share = 1.0 / jnp.where(weights.sum() > 0, weights.sum(), 1.0)
    return jax.tree.map(lambda leaf: leaf * share, model.absolute(sums.statistics))


@compiled
def see(average: Average, block: Block, view: Standardise, total: Float[Array, ""], step: StepSize = USUAL) -> Average:
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
def _bound(model: Any, block: Block, view: Standardise) -> Float[Array, ""]:
    single = jax.tree.map(lambda leaf: leaf[None] if eqx.is_array(leaf) else leaf, model.prepare())
    return cf.accumulate(single, block, view, jnp.zeros((1, 2), jnp.uint32), jnp.zeros(1, jnp.int32)).bound[0]


def online(model: Any, source: Source, view: Standardise, *, max_iter: int, tol: float) -> Fit:
    """Passes over all batches from one start, until the exact bound of a pass changes by less than ``tol`` a row."""
    began = time.monotonic()
    weight = float(source.total_weight)
    average = first_average(model, next(source.blocks()), view)
    rows = [(0, _total(model, source, view), time.monotonic() - began)]
    best, status = (rows[0][1], model), cf.RUNNING
    while status == cf.RUNNING and len(rows) <= max_iter:
        with computing("online EM", source.size, keeps=False):
            for block in source.blocks():
                average = see(average, block, view, np.asarray(weight))
            bound = _total(average.model, source, view)
        rows.append((len(rows), bound, time.monotonic() - began))
        if not np.isfinite(bound):
            status = cf.NAN
        elif abs(bound - rows[-2][1]) < tol * weight:
            status = cf.CONVERGED
        if bound > best[0]:
            best = bound, average.model
    final = on_host(best[1])
    trace = Trace(*(np.array(column) for column in zip(*rows, strict=True)))
    iteration = len(rows) - 1
    ended = cf.STOPPED if status == cf.RUNNING else status
    return Fit(final, None, best[0], iteration, ended, trace, {iteration: final}, np.array([best[0]]))


def _total(model: Any, source: Source, view: Standardise) -> float:
    local = sum(float(_bound(model, block, view)) for block in source.blocks())
    return local + float(model.global_bound())
