"""A fit on the terminal while it runs, and Ctrl-C."""

import signal
import threading
from types import FrameType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from tacit.cli import talk
from tacit.inference.closed_form import State
from tacit.inference.watch import Kept, Moment


class Watch:
    """Shows how a command gets on, and remembers that Ctrl-C was pressed.

    Use it as a context manager around the fits, and as one of their watchers. The first Ctrl-C breaks off the fit
    that runs, which keeps the best so far; whoever starts the fits then looks at ``stopped`` and starts no more.
    """

    def __init__(self, what: str, console: Console | None = None) -> None:
        """Say what is going on, such as "Fitting"; on anything but a terminal nothing is shown."""
        self.stopped = False
        console = console or talk.aside()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task: TaskID = self._progress.add_task(talk.clean(what), total=None, detail="")
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

    def stage(self, words: str, number: int = 0, of: int = 0) -> None:
        """What is being done now, and which part of how many it is."""
        self._progress.update(
            self._task, description=talk.clean(words), completed=number, total=of or None, detail="getting ready"
        )

    def look(self, moment: Moment) -> None:
        """A fit is running."""
        self._progress.update(self._task, detail=f"step {moment.iteration}, {moment.bound_per_weight:.4g} nats a row")

    def done(self, moment: Moment) -> None:
        """A fit has ended."""
        self._progress.update(self._task, detail="")

    def resume(self, label: str, state: State) -> Kept | None:
        """Nothing is kept here."""
        return None

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        self.stopped = True
        raise KeyboardInterrupt
