"""A fit on the terminal or in a log while it runs, and Ctrl-C."""

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, Self

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from tacit.cli import console as talk
from tacit.cli.observing import show
from tacit.inference.watch import Progress
from tacit.waiting import breakable
from tacit.workflow.events import Event, FitEnded, FitProgress, Observer, StageStarted

LINE_SECONDS = 10.0
"""Between two lines on how a fit gets on, where they go to a file."""


class Watch(logging.Handler):
    """Shows how a command gets on, and minds Ctrl-C. A context manager around the fits, and one of their watchers.

    After a first Ctrl-C the fit that runs, and every fit that follows, is broken off at once if it has anything to
    keep, else where it is next looked at: nothing is lost. A second one ends the command. What tacit logs on the way
    is shown too.

    Attributes:
        stopped: whether Ctrl-C was pressed.
    """

    def __init__(self, what: str, console: Console | None = None) -> None:
        """Say what is going on, such as "Fitting": a line that moves on a terminal, else lines now and then."""
        super().__init__(logging.WARNING)
        self.stopped = False
        self._console = console or talk.aside()
        self._progress = Bar(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID = self._progress.add_task(talk.clean(what), total=None, detail="")
        self._fits = 0
        self._before: Any = None
        self._began = self._told = time.monotonic()

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupted)
        logging.getLogger("tacit").addHandler(self)
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        logging.getLogger("tacit").removeHandler(self)
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def stage(self, words: str) -> None:
        """What is being done now."""
        self._fits = 0
        self._progress.update(self._task, description=talk.clean(words), detail="getting ready")
        self._line(f"{words} …")

    def look(self, progress: Progress) -> None:
        """A fit is running."""
        done = f"{self._fits} done, " if self._fits else ""
        detail = f"{done}{progress.bound_per_weight:.4g} nats a row" + (f", {progress.words}" if progress.words else "")
        self._progress.update(self._task, detail=detail)
        now = time.monotonic()
        if now - self._told > LINE_SECONDS:
            self._line(f"  {now - self._began:.0f} s: {detail}")
        if self.stopped:
            raise KeyboardInterrupt  # the fit takes it from here, and ends with what it has

    def done(self, progress: Progress) -> None:
        """A fit has ended."""
        self._fits += 1

    def emit(self, record: logging.LogRecord) -> None:
        """Something is logged while the command runs."""
        talk.say(record.getMessage(), "dim", console=self._progress.console)

    def _line(self, words: str) -> None:
        """A line of a log; a terminal shows the same in place."""
        self._told = time.monotonic()
        if not self._console.is_terminal:
            talk.say(words, console=self._console)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
        words = "Stopping (Ctrl-C again to leave at once)"
        self._progress.update(self._task, description=words)
        self._line(words)
        if breakable():
            raise KeyboardInterrupt


@contextlib.contextmanager
def watched(what: str) -> Iterator[Observer]:
    """An observer that shows how fits get on, and stops them after Ctrl-C; ``what`` is going on, such as "Fitting"."""
    with Watch(what) as looking:

        def tell(event: Event) -> None:
            match event:
                case StageStarted(text):
                    looking.stage(text)
                case FitProgress(progress):
                    looking.look(progress)
                case FitEnded(progress):
                    looking.done(progress)
                case _:
                    show(event)

        yield Observer(tell, lambda: looking.stopped)
