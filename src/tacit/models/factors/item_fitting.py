"""Marginal maximum likelihood of items by EM with Anderson's extrapolation, in the host's loop.

An EM step from θ is ``r(θ) = M(θ) − θ``. With the differences Δθ and Δr of the last few iterations, γ the least squares
solution of ``Δr γ = r``, the next parameters are ``θ + r − (Δθ + Δr) γ`` (Anderson 1965; for EM, with the bound as the
judge, Henderson & Varadhan 2019). They are kept where their bound is no lower; if not, the EM step is taken and the
differences are forgotten. A rotation of the factors changes the likelihood by no more than the error of the quadrature,
and along it EM alone creeps for thousands of steps.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tacit.inference.loop import Line, Loop, Trace
from tacit.inference.status import CONVERGED, FELL, INTERRUPTED, NAN, RUNNING, STOPPED
from tacit.inference.watch import Progress
from tacit.models.factors.items import Coded, Expected, ItemModel

MEMORY = 8
"""Iterations that an extrapolation looks back on."""
PATIENCE = 3
"""Iterations running without a rise that counts, after which a fit has ended."""
FIRM = 1e-10
"""Of the largest singular value of the differences: directions below it are rounding."""
SLACK = 1e-9
"""Of the bound of a row: a fall by less is rounding."""


class ItemState(NamedTuple):
    """Where a fit stands."""

    model: Float[np.ndarray, " parameters"]
    bound: Float[np.ndarray, " 1"]
    """Of the last parameters that were looked at; −∞ before the first iteration."""
    iteration: Int[np.ndarray, ""]
    """EM steps."""
    status: Int[np.ndarray, ""]
    plain: Float[np.ndarray, " parameters"]
    """Where EM alone went: what is taken where the extrapolation has a lower bound."""
    points: Float[np.ndarray, "memory parameters"]
    """The last parameters, and below them their EM steps; NaN of those that are not yet known."""
    steps: Float[np.ndarray, "memory parameters"]
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


class _Extrapolated:
    """EM steps (`tacit.inference.loop.Fitting`)."""

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
        """The bound of the parameters, and the next ones."""
        before, iteration = float(np.asarray(state.bound)[0]), int(state.iteration)
        points, steps = np.asarray(state.points), np.asarray(state.steps)
        bound, expected = self._bound(here := self.template.with_flat(np.asarray(state.model)))
        if not bound >= before and np.isfinite(before):
            points, steps = np.full_like(points, np.nan), np.full_like(steps, np.nan)
            bound, expected = self._bound(here := self.template.with_flat(np.asarray(state.plain)))
        still = int(state.still) + 1 if bound - before < self.schedule.tol else 0
        status, now = self._judged(before, bound, iteration, still), np.asarray([bound])
        at = here.flat()
        if status != RUNNING:
            return state._replace(model=at, bound=now, status=np.asarray(status))
        plain = here.improved(expected, self.grid, self.schedule.precision).flat()
        points, steps = np.roll(points, 1, axis=0), np.roll(steps, 1, axis=0)
        points[0], steps[0] = at, plain - at
        return ItemState(
            self._further(points, steps, plain),
            now,
            np.asarray(iteration + 1),
            np.asarray(RUNNING),
            plain,
            points,
            steps,
            np.asarray(still),
        )

    def _further(self, points: np.ndarray, steps: np.ndarray, plain: np.ndarray) -> np.ndarray:
        """The extrapolated parameters, or those of EM where they are none."""
        known = int(np.isfinite(points[:, 0]).sum())
        if known < 2:
            return plain
        by_point, by_step = -np.diff(points[:known], axis=0), -np.diff(steps[:known], axis=0)
        weights = np.linalg.lstsq(by_step.T, steps[0], rcond=FIRM)[0]
        tried = plain - weights @ (by_point + by_step)
        return tried if self.template.with_flat(tried).valid() else plain

    def _judged(self, before: float, bound: float, steps: int, still: int) -> int:
        if not np.isfinite(bound):
            return NAN
        if bound < before - SLACK * max(self.weight, abs(bound)):
            return FELL
        if still >= PATIENCE:
            return CONVERGED
        return STOPPED if steps >= self.schedule.max_iter else RUNNING


def fit_items(start: ItemModel, coded: Coded, schedule: ItemSchedule) -> ItemFit:
    """From a start to the parameters at which the likelihood, with the prior, no longer rises.

    Args:
        start: with valid parameters.
        coded: the rows.
        schedule: when to end.
    """
    fitting = _Extrapolated(start, coded, schedule)
    loop = Loop(fitting)
    at = start.flat()
    none = np.full((MEMORY, at.size), np.nan)
    fresh = ItemState(at, np.asarray([-np.inf]), np.asarray(0), np.asarray(RUNNING), at, none, none, np.asarray(0))
    state = loop.run(fresh)
    status = INTERRUPTED if loop.interrupted else int(state.status)
    trace = Trace(
        np.array([iteration for iteration, _, _ in loop.trace]),
        np.array([float(bound[0]) for _, _, bound in loop.trace]),
        np.array([seconds for _, seconds, _ in loop.trace]),
    )
    return ItemFit(start.with_flat(np.asarray(state.model)), status, int(state.iteration), trace)
