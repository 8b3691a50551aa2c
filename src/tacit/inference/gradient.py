"""A closed-form model's own bound raised by gradients instead, to compare the optimisers on one objective.

The bound is the one of the closed-form driver (Fisher's identity makes its gradient at the posterior that of the
log-likelihood); the optimiser is optax's L-BFGS with its line search, on unconstrained coordinates.
"""

from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, PyTree

from tacit.compute import Array, compiled
from tacit.data.blocks import Block, View
from tacit.data.sources import BlockSource
from tacit.inference import closed_form as cf
from tacit.inference.fit import Fit, fit_of_one, progress_of_one
from tacit.inference.loop import Line, Loop
from tacit.inference.watch import Progress


class Around(Protocol):
    """Unconstrained coordinates of a model; zero is the model one starts from."""

    @property
    def owners(self) -> np.ndarray:
        """An entry for every coordinate."""

    def mixture(self, step: Float[Array, " coordinates"]) -> Any:
        """The model at these coordinates."""


class Climb(eqx.Module):
    """Where an ascent stands."""

    model: Any
    step: Float[Array, " coordinates"]
    optimiser: PyTree
    bound: Float[Array, ""]
    change: Float[Array, ""]


class _Ascent:
    """Steps of L-BFGS from one start; the rows are held in memory (`Fitting`)."""

    snapshots: tuple[int, ...] = ()

    def __init__(self, around: Around, source: BlockSource, view: View, max_iter: int, tol: float, label: str) -> None:
        self.around, self.view, self.label, self.size = around, view, label, source.size
        self.blocks = tuple(jax.device_put(b) for b in source.blocks())
        self.weight = np.asarray(float(source.total_weight))
        self.max_iter, self.tol = max_iter, tol

    def begin(self) -> Climb:
        """The start and its bound."""
        return _begin(self.around, self.blocks, self.view, self.weight, np.zeros(self.around.owners.size))

    def status(self, climb: Climb) -> int:
        """Whether and why an ascent is to end."""
        if not np.isfinite(climb.bound):
            return cf.NAN
        return cf.CONVERGED if float(climb.change) < self.tol * self.weight else cf.RUNNING

    def running(self, state: Climb, loop: Loop) -> bool:
        return not loop.trace or (self.status(state) == cf.RUNNING and len(loop.trace) <= self.max_iter)

    def left(self, loop: Loop) -> int:
        return self.max_iter + 1 - len(loop.trace)

    def advance(self, state: Climb, number: int, loop: Loop) -> tuple[Climb, list[Line]]:
        """One step; the start itself makes the first line."""
        if loop.trace:
            with loop.computing():
                state = _move(self.around, state, self.blocks, self.view, self.weight)
        return state, [Line(len(loop.trace), np.asarray(state.bound))]

    def progress(self, state: Climb, loop: Loop) -> Progress:
        return progress_of_one(self, state, loop, self.max_iter, float(self.weight))


def ascend(around: Around, source: BlockSource, view: View, *, max_iter: int, tol: float, label: str = "fit") -> Fit:
    """Raise the bound of one start until it changes by less than ``tol`` nats a row; the rows are held in memory."""
    ascent = _Ascent(around, source, view, max_iter, tol, label)
    loop = Loop(ascent)
    with loop.computing():
        begun = ascent.begin()
    climb = loop.run(begun)
    return fit_of_one(climb.model, float(climb.bound), ascent.status(climb), loop)


def _loss(step: Array, around: Around, blocks: tuple[Block, ...], view: View, weight: Array) -> Float[Array, ""]:
    model = around.mixture(step)
    single = jax.tree.map(lambda leaf: leaf[None] if eqx.is_array(leaf) else leaf, model.prepare())
    key, zero = jnp.zeros((1, 2), jnp.uint32), jnp.zeros(1, jnp.int32)
    sums = cf.total_sums(cf.accumulate(single, block, view, key, zero) for block in blocks)
    return -(sums.bound[0] + model.global_bound()) / weight


@compiled
def _begin(around: Around, blocks: tuple[Block, ...], view: View, weight: Array, step: Array) -> Climb:
    bound = -_loss(step, around, blocks, view, weight) * weight
    return Climb(around.mixture(step), step, optax.lbfgs().init(step), bound, jnp.asarray(jnp.inf))


@compiled
def _move(around: Around, climb: Climb, blocks: tuple[Block, ...], view: View, weight: Array) -> Climb:
    optimiser = optax.lbfgs()

    def loss(step):
        return _loss(step, around, blocks, view, weight)

    value, slope = optax.value_and_grad_from_state(loss)(climb.step, state=climb.optimiser)
    update, state = optimiser.update(slope, climb.optimiser, climb.step, value=value, grad=slope, value_fn=loss)
    step = optax.apply_updates(climb.step, update)
    bound = -loss(step) * weight
    return Climb(around.mixture(step), step, state, bound, jnp.abs(bound - climb.bound))
