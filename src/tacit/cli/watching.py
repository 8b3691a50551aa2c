"""Fits while they run: events of the workflow, as a `Watch` shows them, and Ctrl-C, which it hears."""

import contextlib
from collections.abc import Iterator

from tacit.cli.observing import show
from tacit.cli.progress import Watch
from tacit.workflow.events import Event, FitEnded, FitProgress, Observer, StageStarted


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
