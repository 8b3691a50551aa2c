"""A fit on the terminal while it runs, and Ctrl-C."""

import signal
import threading
from types import FrameType
from typing import Any, Self

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from tacit.cli import console as talk
from tacit.inference.closed_form import State
from tacit.inference.watch import Kept, Moment


class Watch:
    """Shows how a command gets on, and minds Ctrl-C. A context manager around the fits, and one of their watchers.

    After a first Ctrl-C the fit that runs, and every fit that follows, is broken off where it is next looked at, and
    keeps what it has: nothing is lost. A second one ends the command at once.

    Attributes:
        stopped: whether Ctrl-C was pressed.
    """

    def __init__(self, what: str, console: Console | None = None) -> None:
        """Say what is going on, such as "Fitting"; on anything but a terminal nothing is shown."""
        self.stopped = False
        console = console or talk.aside()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID = self._progress.add_task(talk.clean(what), total=None, detail="")
        self._fits = 0
        self._before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupted)
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def stage(self, words: str) -> None:
        """What is being done now."""
        self._fits = 0
        self._progress.update(self._task, description=talk.clean(words), detail="getting ready")

    def look(self, moment: Moment) -> None:
        """A fit is running."""
        done = f"{self._fits} done, " if self._fits else ""
        self._progress.update(self._task, detail=f"{done}{moment.bound_per_weight:.4g} nats a row")
        if self.stopped:
            raise KeyboardInterrupt  # the fit takes it from here, and ends with what it has

    def done(self, moment: Moment) -> None:
        """A fit has ended."""
        self._fits += 1

    def resume(self, label: str, state: State) -> Kept | None:
        """Nothing is kept here."""
        return None

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self.stopped:
            raise KeyboardInterrupt
        self.stopped = True
        self._progress.update(self._task, description="Stopping (Ctrl-C again to leave at once)")
