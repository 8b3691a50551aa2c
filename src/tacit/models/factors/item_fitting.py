"""Marginal maximum likelihood of items by EM with squared extrapolation, in the host's loop.

Two EM steps from θ₀ give ``r = θ₁ − θ₀`` and ``v = θ₂ − θ₁ − r``, and ``θ₀ − 2 α r + α² v`` with ``α = −‖r‖ / ‖v‖``
goes further along (SQUAREM; Varadhan & Roland 2008). It is kept where its bound is no lower than that of θ₁; if not, θ₂
is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tacit.inference.loop import Line, Loop, Trace
from tacit.inference.status import CONVERGED, FELL, INTERRUPTED, NAN, RUNNING, STOPPED
from tacit.inference.watch import Progress
from tacit.models.factors.items import Coded, Expected, ItemModel

SLACK = 1e-9
"""Of the bound of a row: a fall by less is rounding."""


class ItemState(NamedTuple):
    """Where a fit stands."""

    model: Float[np.ndarray, " parameters"]
    bound: Float[np.ndarray, " 1"]
    """Of these parameters; −∞ before the first iteration."""
    iteration: Int[np.ndarray, ""]
    """EM steps."""
    status: Int[np.ndarray, ""]


class ItemSchedule(NamedTuple):
    """How long to iterate."""

    max_iter: int
    tol: float
    """Of the bound of all rows, in nats."""
    precision: float = 0.0
    """Of the normal prior."""
    label: str = "items"


class ItemFit(NamedTuple):
    """What a fit ends with."""

    model: ItemModel
    status: int
    iteration: int
    trace: Trace


class _Squared:
    """EM steps in threes (`tacit.inference.loop.Fitting`)."""

    snapshots: tuple[int, ...] = ()

    def __init__(self, model: ItemModel, coded: Coded, schedule: ItemSchedule) -> None:
        self.template, self.coded, self.schedule = model, coded, schedule
        self.label, self.size = schedule.label, (len(coded.base), coded.features.shape[1])
        self.weight = float(coded.weights.sum())
        self.grid = model.grid()

    def running(self, state: ItemState, loop: Loop) -> bool:
        return int(state.status) == RUNNING

    def left(self, loop: Loop) -> int:
        return max(1, self.schedule.max_iter)

    def progress(self, state: ItemState, loop: Loop) -> Progress:
        schedule, running = self.schedule, int(int(state.status) == RUNNING)
        bound = float(np.asarray(state.bound)[0]) / self.weight
        return Progress(
            self.label, int(state.iteration), schedule.max_iter, bound, running, 1, loop.seconds, None, begun=loop.begun
        )

    def advance(self, state: ItemState, number: int, loop: Loop) -> tuple[ItemState, Sequence[Line]]:
        lines: list[Line] = []
        with loop.computing():
            while len(lines) < number and int(state.status) == RUNNING:
                state = self._cycle(state)
                lines.append(Line(int(state.iteration), state.bound))
        return state, lines

    def _bound(self, model: ItemModel) -> tuple[float, Expected]:
        found = model.expected(self.coded, self.grid)
        return found.log_likelihood + model.log_prior(self.schedule.precision), found

    def _cycle(self, state: ItemState) -> ItemState:
        """The bound of the parameters, then up to three steps from them."""
        bound, expected = self._bound(first := self.template.with_flat(np.asarray(state.model)))
        before = float(np.asarray(state.bound)[0])
        status, now = self._judged(before, bound, int(state.iteration)), np.asarray([bound])
        if status != RUNNING:
            return ItemState(np.asarray(state.model), now, np.asarray(state.iteration), np.asarray(status))
        second = first.improved(expected, self.grid, self.schedule.precision)
        steps = int(state.iteration) + 1
        after = second.flat()
        if steps < self.schedule.max_iter:
            middle, expected = self._bound(second)
            third = second.improved(expected, self.grid, self.schedule.precision)
            after, steps = self._further(first, second, third, middle), steps + 2
        return ItemState(after, now, np.asarray(steps), np.asarray(RUNNING))

    def _further(self, first: ItemModel, second: ItemModel, third: ItemModel, least: float) -> np.ndarray:
        """The parameters after an extrapolated step, and an EM step from there."""
        start, end = first.flat(), third.flat()
        step = second.flat() - start
        bend = end - start - 2.0 * step
        size = float(np.sqrt(bend @ bend))
        length = float(np.sqrt(step @ step)) / size if size > 0.0 else 1.0
        while length > 1.0:
            tried = self.template.with_flat(start + 2.0 * length * step + length**2 * bend)
            if tried.valid():
                bound, expected = self._bound(tried)
                if bound >= least:
                    return tried.improved(expected, self.grid, self.schedule.precision).flat()
            length = (length - 1.0) / 4.0 + 1.0 if length > 1.05 else 1.0
        return end

    def _judged(self, before: float, bound: float, steps: int) -> int:
        if not np.isfinite(bound):
            return NAN
        if bound < before - SLACK * max(self.weight, abs(bound)):
            return FELL
        if np.isfinite(before) and bound - before < self.schedule.tol:
            return CONVERGED
        return STOPPED if steps >= self.schedule.max_iter else RUNNING


def fit_items(start: ItemModel, coded: Coded, schedule: ItemSchedule) -> ItemFit:
    """From a start to the parameters at which the likelihood, with the prior, no longer rises.

    Args:
        start: with valid parameters.
        coded: the rows.
        schedule: when to end.
    """
    fitting = _Squared(start, coded, schedule)
    loop = Loop(fitting)
    fresh = ItemState(start.flat(), np.asarray([-np.inf]), np.asarray(0), np.asarray(RUNNING))
    state = loop.run(fresh)
    status = INTERRUPTED if loop.interrupted else int(state.status)
    trace = Trace(
        np.array([iteration for iteration, _, _ in loop.trace]),
        np.array([float(bound[0]) for _, _, bound in loop.trace]),
        np.array([seconds for _, seconds, _ in loop.trace]),
    )
    return ItemFit(start.with_flat(np.asarray(state.model)), status, int(state.iteration), trace)
