"""Marginal maximum likelihood of items by quasi-Newton steps, in the host's loop.

The E-step gives the likelihood and, by Fisher's identity, its gradient. The information of the complete data, which an
EM step inverts, is where limited-memory BFGS begins (Liu & Nocedal 1989; Jamshidian & Jennrich 1997), so its first step
is that of EM, and the later ones know what EM does not: how far z hides from the rows. EM alone creeps for thousands of
steps along what the rows hardly settle, such as a rotation, which changes the likelihood by no more than the error of
the quadrature. A step is kept where the bound rises as its slope promises; where none does, an EM step is taken. Above
three factors the bound is variational, its gradient that of the best q, and the last resort a step along the gradient.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tacit.inference.loop import Line, Loop, Trace
from tacit.inference.status import CONVERGED, FELL, INTERRUPTED, NAN, RUNNING, STOPPED
from tacit.inference.watch import Progress
from tacit.models.factors.items import Coded, Curve, Expected, ItemModel

MEMORY = 16
"""Steps whose change of the gradient is remembered."""
PATIENCE = 2
"""Iterations running without a rise that counts, after which a fit has ended."""
PROMISE = 1e-4
"""Of the rise that the slope promises, what a step must bring (Armijo)."""
SHORTER = 10
"""Times that a step is shortened before an EM step takes its place."""
SLACK = 1e-9
"""Of the bound of a row: a fall by less is rounding."""


class ItemState(NamedTuple):
    """Where a fit stands."""

    model: Float[np.ndarray, " parameters"]
    bound: Float[np.ndarray, " 1"]
    """Of the last parameters that were looked at; −∞ before the first iteration."""
    iteration: Int[np.ndarray, ""]
    """Steps."""
    status: Int[np.ndarray, ""]
    moves: Float[np.ndarray, "memory parameters"]
    """The last steps, the newest first; 0 of those that are not."""
    turns: Float[np.ndarray, "memory parameters"]
    """By how much each of them lowered the gradient."""
    still: Int[np.ndarray, ""]
    """Iterations running in which the bound rose by less than what counts."""


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


class Looked(NamedTuple):
    """A model whose bound is known."""

    model: ItemModel
    bound: float
    expected: Expected
    curve: Curve | None = None


class _QuasiNewton:
    """Steps (`tacit.inference.loop.Fitting`)."""

    snapshots: tuple[int, ...] = ()

    def __init__(self, model: ItemModel, coded: Coded, schedule: ItemSchedule) -> None:
        self.template, self.coded, self.schedule = model, coded, schedule
        self.label, self.size = schedule.label, (len(coded.base), coded.features.shape[1])
        self.weight = float(coded.weights.sum())
        self.grid = model.grid()
        self._here: Looked | None = None

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
                state = self._step(state)
                lines.append(Line(int(state.iteration), state.bound))
        return state, lines

    def _look(self, at: np.ndarray) -> Looked | None:
        """A model, its bound and what is expected of the rows; None where parameters are none."""
        model = self.template.with_flat(at)
        if not model.valid():
            return None
        found = model.expected(self.coded, self.grid, None if self._here is None else self._here.expected.codes)
        return Looked(model, found.log_likelihood + model.log_prior(self.schedule.precision), found)

    def _step(self, state: ItemState) -> ItemState:
        """One step from parameters to better ones."""
        precision = self.schedule.precision
        here = self._here if self._here is not None else self._look(np.asarray(state.model))
        assert here is not None
        model, bound, expected = here.model, here.bound, here.expected
        before, iteration, at = float(np.asarray(state.bound)[0]), int(state.iteration), model.flat()
        still = int(state.still) + 1 if bound - before < self.schedule.tol else 0
        status, now = self._judged(before, bound, iteration, still), np.asarray([bound])
        state = state._replace(model=at, bound=now, still=np.asarray(still), status=np.asarray(status))
        if status != RUNNING:
            return state
        curve = here.curve or model.curve(self.coded, expected, self.grid, precision)
        moves, turns = np.asarray(state.moves), np.asarray(state.turns)
        found = self._along(at, bound, curve, _direction(curve, moves, turns))
        if found is None:
            moves, turns = np.zeros_like(moves), np.zeros_like(turns)
            if model.has_bound:
                found = self._along(at, bound, curve, curve.solved(curve.gradient))
            else:
                found = self._look(model.improved(expected, self.grid, precision).flat())
            if found is None or not found.bound >= bound:
                return state._replace(status=np.asarray(CONVERGED))  # no step raises it: rounding is all that is left
        beyond = found.model.curve(self.coded, found.expected, self.grid, precision)
        self._here = found._replace(curve=beyond)
        after = found.model.flat()
        move, turn = after - at, curve.gradient - beyond.gradient
        if move @ turn > 1e-10 * np.sqrt((move @ move) * (turn @ turn)):
            moves, turns = np.roll(moves, 1, axis=0), np.roll(turns, 1, axis=0)
            moves[0], turns[0] = move, turn
        return state._replace(model=after, iteration=np.asarray(iteration + 1), moves=moves, turns=turns)

    def _along(self, at: np.ndarray, bound: float, curve: Curve, direction: np.ndarray) -> Looked | None:
        """The first of ever shorter steps whose bound has risen enough."""
        promised, length = float(curve.gradient @ direction), 1.0
        if not promised > 0.0:
            return None
        for _ in range(SHORTER):
            found = self._look(at + length * direction)
            if found is not None and found.bound >= bound + PROMISE * length * promised:
                return found
            length /= 4.0 if found is None else 2.0
        return None

    def _judged(self, before: float, bound: float, steps: int, still: int) -> int:
        if not np.isfinite(bound):
            return NAN
        if bound < before - SLACK * max(self.weight, abs(bound)):
            return FELL
        if still >= PATIENCE:
            return CONVERGED
        return STOPPED if steps >= self.schedule.max_iter else RUNNING


def _direction(
    curve: Curve, moves: Float[np.ndarray, "memory parameters"], turns: Float[np.ndarray, "memory parameters"]
) -> Float[np.ndarray, " parameters"]:
    """Where limited-memory BFGS goes: the two loops of Nocedal (1980)."""
    known = [place for place in range(len(moves)) if turns[place].any()]
    left, shares = curve.gradient.copy(), {}
    for place in known:
        shares[place] = (moves[place] @ left) / (moves[place] @ turns[place])
        left -= shares[place] * turns[place]
    found = curve.solved(left)
    for place in reversed(known):
        share = (turns[place] @ found) / (moves[place] @ turns[place])
        found += (shares[place] - share) * moves[place]
    return found


def fit_items(start: ItemModel, coded: Coded, schedule: ItemSchedule) -> ItemFit:
    """From a start to the parameters at which the likelihood, with the prior, no longer rises.

    Args:
        start: with valid parameters.
        coded: the rows.
        schedule: when to end.
    """
    fitting = _QuasiNewton(start, coded, schedule)
    loop = Loop(fitting)
    none = np.zeros((MEMORY, start.flat().size))
    fresh = ItemState(
        start.flat(), np.asarray([-np.inf]), np.asarray(0), np.asarray(RUNNING), none, none, np.asarray(0)
    )
    state = loop.run(fresh)
    status = INTERRUPTED if loop.interrupted else int(state.status)
    trace = Trace(
        np.array([iteration for iteration, _, _ in loop.trace]),
        np.array([float(bound[0]) for _, _, bound in loop.trace]),
        np.array([seconds for _, seconds, _ in loop.trace]),
    )
    return ItemFit(start.with_flat(np.asarray(state.model)), status, int(state.iteration), trace)
