"""A closed-form model's own bound raised by gradients instead, to compare the optimisers on one objective.

The bound is the one of the closed-form driver (Fisher's identity makes its gradient at the posterior that of the
log-likelihood); the optimiser is optax's L-BFGS with its line search, on unconstrained coordinates.
"""

import time
from typing import Any, NamedTuple, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, PyTree

from tacit.compute import Array, compiled
from tacit.data.blocks import Block, Source, Standardise
from tacit.inference import closed_form as cf
from tacit.inference.fit import Fit, Trace, on_host
from tacit.waiting import computing


class Around(Protocol):
    """Unconstrained coordinates of a model; zero is the model one starts from."""

    @property
    def owners(self) -> np.ndarray:
        """An entry for every coordinate."""

    def mixture(self, step: Float[Array, " coordinates"]) -> Any:
        """The model at these coordinates."""


class Climb(NamedTuple):
    """Where an ascent stands."""

    step: Float[Array, " coordinates"]
    optimiser: PyTree
    bound: Float[Array, ""]
    change: Float[Array, ""]


def ascend(around: Around, source: Source, view: Standardise, *, max_iter: int, tol: float) -> Fit:
    """Raise the bound of one start until it changes by less than ``tol`` nats a row; the rows are held in memory."""
    began = time.monotonic()
    blocks = tuple(jax.device_put(b) for b in source.blocks())
    weight = np.asarray(float(source.total_weight))
    climb = _begin(around, blocks, view, weight, np.zeros(around.owners.size))
    rows = [(0, float(climb.bound), time.monotonic() - began)]
    status = cf.RUNNING
    while status == cf.RUNNING and len(rows) <= max_iter:
        with computing("gradient ascent", source.size, keeps=False):
            climb = _move(around, climb, blocks, view, weight)
        rows.append((len(rows), float(climb.bound), time.monotonic() - began))
        if not np.isfinite(rows[-1][1]):
            status = cf.NAN
        elif float(climb.change) < tol * weight:
            status = cf.CONVERGED
    model = on_host(around.mixture(climb.step))
    iteration = len(rows) - 1
    trace = Trace(*(np.array(column) for column in zip(*rows, strict=True)))
    ended = cf.STOPPED if status == cf.RUNNING else status
    return Fit(model, None, rows[-1][1], iteration, ended, trace, {iteration: model}, trace.bound[-1:])


def _loss(step: Array, around: Around, blocks: tuple[Block, ...], view: Standardise, weight: Array) -> Float[Array, ""]:
    model = around.mixture(step)
    single = jax.tree.map(lambda leaf: leaf[None] if eqx.is_array(leaf) else leaf, model.prepare())
    key, zero = jnp.zeros((1, 2), jnp.uint32), jnp.zeros(1, jnp.int32)
    sums = cf.total_sums(cf.accumulate(single, block, view, key, zero) for block in blocks)
    return -(sums.bound[0] + model.global_bound()) / weight


@compiled
def _begin(around: Any, blocks: tuple[Block, ...], view: Standardise, weight: Array, step: Array) -> Climb:
    bound = -_loss(step, around, blocks, view, weight) * weight
    return Climb(step, optax.lbfgs().init(step), bound, jnp.asarray(jnp.inf))


@compiled
def _move(around: Any, climb: Climb, blocks: tuple[Block, ...], view: Standardise, weight: Array) -> Climb:
    optimiser = optax.lbfgs()

    def loss(step):
        return _loss(step, around, blocks, view, weight)

    value, slope = optax.value_and_grad_from_state(loss)(climb.step, state=climb.optimiser)
    update, state = optimiser.update(slope, climb.optimiser, climb.step, value=value, grad=slope, value_fn=loss)
    step = optax.apply_updates(climb.step, update)
    bound = -loss(step) * weight
    return Climb(step, state, bound, jnp.abs(bound - climb.bound))
