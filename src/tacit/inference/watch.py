"""Who may look at a fit while it runs: progress on a terminal, a checkpoint on disk, a picture in a notebook.

The host looks in between blocks of iterations and tells every watcher in the current context.
"""

import contextlib
import contextvars
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np


class Snapshot(NamedTuple):
    """What is kept of a running fit, and all that it needs to go on to the same end."""

    state: Any
    """Of either driver: a pytree whose ``bound`` has the shape of a line of the trace."""
    trace: list[tuple[int, float, np.ndarray]]
    """One entry an iteration or round: its number, seconds since the start, the bound of every start or its figures."""
    snapshots: dict[int, Any]
    """Models of all starts after some iterations."""
    repaired: bool = False
    """Whether the fit goes on from its start in the form that a repair gave it."""


class OtherForm(Exception):
    """What is kept goes on from a repaired start: ``read`` puts it into that one."""

    def __init__(self, read: Callable[[Any], Snapshot]) -> None:
        super().__init__("the start of what is kept was repaired")
        self.read = read


class Progress(NamedTuple):
    """Where a fit stands when the host looks in."""

    label: str
    iteration: int
    max_iter: int
    bound_per_weight: float
    """The best start's bound divided by the total weight, in nats a row."""
    running: int
    starts: int
    seconds: float
    snapshot: Snapshot | None
    """None in the middle of a round, where there is nothing to go on from."""
    words: str = ""
    """What more there is to say of this kind of fit."""
    figures: Mapping[str, float] = MappingProxyType({})
    """What else was measured in the iteration, by name."""
    begun: int = 0
    """How many lines of the trace come from before the fit was taken up again."""


class Watcher(Protocol):
    """Something that is told of every look, and of the end."""

    def look(self, progress: Progress) -> None: ...

    def done(self, progress: Progress) -> None: ...

    def resume(self, label: str, state: object) -> Snapshot | None:
        """What to go on from, if this watcher keeps it of the fit called ``label``; ``state`` is a fresh start.

        Raises:
            OtherForm: what it keeps is of a start that was repaired.
        """


_watchers: contextvars.ContextVar[tuple[Watcher, ...]] = contextvars.ContextVar("tacit_watchers", default=())


@contextlib.contextmanager
def watch(*watchers: Watcher) -> Iterator[None]:
    """Let watchers look at every fit inside the ``with`` block (of this thread)."""
    token = _watchers.set((*_watchers.get(), *watchers))
    try:
        yield
    finally:
        _watchers.reset(token)


def printing(every: int) -> contextlib.AbstractContextManager[None]:
    """Lines of plain text every so many iterations of the fits inside the ``with`` block; none if 0."""
    return watch(Printer(every)) if every else contextlib.nullcontext()


def watchers() -> tuple[Watcher, ...]:
    """The watchers of this context; on a terminal a progress line is one of them."""
    own = _watchers.get()
    return own if own or not (sys.stderr.isatty() or in_notebook()) else (ProgressLine(),)


def in_notebook() -> bool:
    """Whether a person sits at a notebook, where a line is rewritten in place as on a terminal."""
    shell = sys.modules.get("IPython")
    running = None if shell is None else shell.get_ipython()
    return type(running).__name__ == "ZMQInteractiveShell"


class ProgressLine:
    """One line on a terminal, rewritten in place, once a fit has taken more than a second."""

    def __init__(self, patience: float = 1.0) -> None:
        self._patience = patience
        self._shown = False
        self._last = 0.0
        self._written = 0

    def look(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.seconds < self._patience or now - self._last < 0.1:
            return
        self._last, self._shown = now, True
        line = (
            f"{progress.label}: iteration {progress.iteration}/{progress.max_iter}, "
            f"{progress.bound_per_weight:.6f} nats a row, {progress.words or f'{progress.seconds:.0f} s'} "
        )
        sys.stderr.write(f"\r{line}{self._blank(line)}")
        self._written = len(line)
        sys.stderr.flush()

    def _blank(self, line: str) -> str:
        """What wipes the rest of the last line: a terminal knows a sign for it, a notebook takes blanks."""
        return "\033[K" if sys.stderr.isatty() else " " * (self._written - len(line))

    def done(self, progress: Progress) -> None:
        if self._shown:
            sys.stderr.write(f"\r{self._blank('')}\r")
            sys.stderr.flush()
            self._shown = False

    def resume(self, label: str, state: object) -> Snapshot | None:
        return None


class Printer:
    """Lines of plain text, every so many iterations (scikit-learn's ``verbose``)."""

    def __init__(self, every: int) -> None:
        self._every = max(1, every)
        self._next = every

    def look(self, progress: Progress) -> None:
        if progress.iteration >= self._next:
            self._next = progress.iteration + self._every
            self._say(progress)

    def done(self, progress: Progress) -> None:
        self._say(progress)

    def _say(self, progress: Progress) -> None:
        print(f"{progress.label}: iteration {progress.iteration}, {progress.bound_per_weight:.6f} nats a row")

    def resume(self, label: str, state: object) -> Snapshot | None:
        return None
