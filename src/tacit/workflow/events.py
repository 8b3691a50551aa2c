"""What a piece of work tells while it runs: plain values, given to whoever asked for it, who may also stop it.

A command line prints them, a server sends them on. Work that reports nothing to anybody is given `SILENT`.
"""

import dataclasses
from collections.abc import Callable

from tacit.inference.watch import Progress, Snapshot
from tacit.workflow.sources import Rows


@dataclasses.dataclass(frozen=True, eq=False)
class DataRead:
    """The data were read: what they are stands in ``rows.table``."""

    rows: Rows


@dataclasses.dataclass(frozen=True, eq=False)
class TargetSelected:
    """A column was taken out of the rows, to be predicted from the others."""

    rows: Rows


@dataclasses.dataclass(frozen=True)
class RowsSplit:
    """So many rows are fitted, and so many kept aside; ``what`` is what one is called."""

    fitted: int
    kept: int
    what: str


@dataclasses.dataclass(frozen=True)
class StageStarted:
    """What is being done now, in words."""

    text: str


@dataclasses.dataclass(frozen=True, eq=False)
class FitProgress:
    """Where a fit stands."""

    progress: Progress


@dataclasses.dataclass(frozen=True, eq=False)
class FitEnded:
    """Where a fit stood when it ended."""

    progress: Progress


@dataclasses.dataclass(frozen=True)
class Noted:
    """Something worth knowing beside the result, as a sentence."""

    text: str


Event = DataRead | TargetSelected | RowsSplit | StageStarted | FitProgress | FitEnded | Noted
Listener = Callable[[Event], None]


def _nothing(event: Event) -> None:
    """Nobody listens."""


def _never() -> bool:
    return False


@dataclasses.dataclass(frozen=True)
class Observer:
    """Who is told of a piece of work, and may stop it; one of the watchers of every fit (`tacit.inference.watch`).

    Attributes:
        tell: called with every event, in the thread that works.
        stopped: asked now and then whether to stop: the fit that runs, and every fit that follows, then ends where it
            is, and the best so far is the result.
    """

    tell: Listener = _nothing
    stopped: Callable[[], bool] = _never

    def note(self, text: str) -> None:
        """Tell a sentence."""
        self.tell(Noted(text))

    def stage(self, text: str) -> None:
        """Tell what is being done now."""
        self.tell(StageStarted(text))

    def look(self, progress: Progress) -> None:
        """A fit is running."""
        self.tell(FitProgress(progress))
        if self.stopped():
            raise KeyboardInterrupt  # the fit takes it from here, and ends with what it has

    def done(self, progress: Progress) -> None:
        """A fit has ended."""
        self.tell(FitEnded(progress))

    def resume(self, label: str, state: object) -> Snapshot | None:
        """Nothing is kept here."""
        return None


SILENT = Observer()
"""Nobody is told, and nobody stops it."""
