"""The host's loop, for every way to fit: so many iterations, and a look in between.

How to step is a value (`Fitting`). Between two advances the loop records the trace, keeps snapshots, tells the
watchers and listens for Ctrl-C; a checkpoint is one of the watchers. None of this changes a bit of the result.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import numpy as np

from tacit import trees
from tacit.engine import PyTree, is_array
from tacit.inference.series import interrupt
from tacit.inference.watch import OtherForm, Progress, Snapshot, watchers
from tacit.waiting import computing

ADVANCE_SECONDS = 0.5
"""Between two looks, as soon as it is known how long an iteration takes."""


class Trace(NamedTuple):
    """How the bound rose: an entry a look at it, the first at the model of the start.

    That is every iteration, or every second one where EM is accelerated.
    """

    iteration: np.ndarray
    bound: np.ndarray
    """In nats, summed over rows and their weights."""
    seconds: np.ndarray


class Line(NamedTuple):
    """What an iteration adds to the trace."""

    iteration: int
    """Its number."""
    bound: np.ndarray
    """Of every start; or the figures of a round of mini-batches."""


class Fitting(Protocol):
    """How a fit steps. It holds what stays; all that changes is in the state, a pytree with ``bound`` and ``model``."""

    label: str
    """What the watchers call the fit."""
    size: tuple[int, int]
    """Rows and columns."""
    snapshots: tuple[int, ...]
    """Lines of the trace whose models are kept."""

    def running(self, state: PyTree, loop: "Loop") -> bool:
        """Whether an iteration is to follow."""

    def advance(self, state: PyTree, number: int, loop: "Loop") -> tuple[PyTree, Sequence[Line]]:
        """At most ``number`` iterations from a state: the state after them, and a line for each that counts."""

    def left(self, loop: "Loop") -> int:
        """The most iterations that may follow."""

    def progress(self, state: PyTree, loop: "Loop") -> Progress:
        """Where the fit stands."""


class Loop:
    """One fit on its way.

    Attributes:
        trace: a line an iteration: its number, seconds since the start, bounds.
        snapshots: models after some iterations, by their line.
        interrupted: whether Ctrl-C ended it.
        whole: whether its state is one to go on from.
        begun: lines of the trace from before the fit was taken up again.
        repaired: whether a repair gave the start another form.
    """

    def __init__(
        self,
        fitting: Fitting,
        repair: "Callable[[PyTree, Loop], PyTree] | None" = None,
        looks: Sequence[int] = (),
    ) -> None:
        """Drive a fitting.

        Args:
            fitting: how to step.
            repair: sees the state and this loop after every advance; a state that it returns takes that one's place.
            looks: lines of the trace after which it sees the state, whatever the time between two looks.
        """
        self.trace: list[tuple[int, float, np.ndarray]] = []
        self.snapshots: dict[int, PyTree] = {}
        self.interrupted, self.whole, self.begun, self.repaired = False, True, 0, False
        self._fitting, self._repair, self._watchers = fitting, repair, watchers()
        self._looks = (*fitting.snapshots, *looks)
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the fit began, with those of before it was taken up again."""
        return time.monotonic() - self._began

    def run(self, state: PyTree) -> PyTree:
        """From a fresh state to the last one, with NumPy leaves."""
        state = self._resumed(state)
        self._last = (state, len(self.trace))
        try:
            self._iterate(state)
        except KeyboardInterrupt:
            if not self.trace:
                raise  # nothing is known of the start yet
            self._interrupt()
        state, lines = self._last
        del self.trace[lines:]
        self.snapshots = {line: model for line, model in self.snapshots.items() if line < lines}
        progress = self.progress(state)
        for watcher in self._watchers:
            watcher.done(progress)
        return on_host(state)

    def progress(self, state: PyTree) -> Progress:
        """Where the fit stands, with all that it needs to go on."""
        snapshot = Snapshot(state, self.trace, self.snapshots, self.repaired) if self.whole else None
        return self._fitting.progress(state, self)._replace(snapshot=snapshot)

    def break_off(self) -> None:
        """Ctrl-C came in the middle of an advance, whose fitting ends it with what it has."""
        self.whole = False
        self._interrupt()

    def _interrupt(self) -> None:
        self.interrupted = True
        interrupt()

    def tell(self, progress: Progress) -> None:
        """Let the watchers look; one of them may break the fit off."""
        for watcher in self._watchers:
            watcher.look(progress)

    def computing(self) -> AbstractContextManager[None]:
        """The scope of a program that may take long."""
        return computing(self._fitting.label, self._fitting.size, keeps=bool(self.trace))

    def _resumed(self, state: PyTree) -> PyTree:
        for watcher in self._watchers:
            try:
                kept = watcher.resume(self._fitting.label, state)
            except OtherForm as found:
                kept = found.read(self._in_other_form(state))
            if kept is not None:
                state, self.trace, self.snapshots, self.repaired = kept
                self._began -= self.trace[-1][1] if self.trace else 0.0
                self.begun = len(self.trace)
        return state

    def _in_other_form(self, state: PyTree) -> PyTree:
        """A fresh start as it is repaired after its first look."""
        if self._repair is None:
            return state
        first, _ = self._fitting.advance(state, 1, self)
        repaired = self._repair(first, self)
        return state if repaired is None else repaired

    def _iterate(self, state: PyTree) -> None:
        steps = 1
        while self._fitting.running(state, self):
            landing = [line + 1 - len(self.trace) for line in self._looks if line >= len(self.trace)]
            steps = min([steps, *landing, max(1, self._fitting.left(self))])
            before = time.monotonic()
            state, lines = self._fitting.advance(state, steps, self)
            repaired = None if self._repair is None else self._repair(state, self)
            if repaired is not None and not self.trace:
                state, self.repaired = repaired, True  # the start itself is another one
                continue
            self._record(state, lines)
            state = state if repaired is None else repaired
            self._last = (state, len(self.trace))
            spent = time.monotonic() - before
            steps = max(1, min(16 * steps, int(steps * ADVANCE_SECONDS / max(spent, 1e-6))))
            if lines:
                self.tell(self.progress(state))

    def _record(self, state: PyTree, lines: Sequence[Line]) -> None:
        seconds = self.seconds
        self.trace += [(line.iteration, seconds, line.bound) for line in lines]
        last = len(self.trace) - 1
        if lines and last in self._fitting.snapshots:
            self.snapshots[last] = on_host(state.model)


def on_host(tree: PyTree) -> PyTree:
    """The same tree with NumPy arrays."""
    return trees.map(lambda leaf: np.asarray(leaf) if is_array(leaf) else leaf, tree)
