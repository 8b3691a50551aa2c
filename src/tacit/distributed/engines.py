"""What an engine is: one function over partitions, wherever they are worked on."""

import contextlib
import contextvars
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from tacit.compute import compilation_cache

T = TypeVar("T")

TRIES = 3
"""How often a task is given out whose worker was lost."""
EACH = 3
"""Partitions a worker, where nobody says how many there are: a slow one then holds up less."""


class EngineError(ValueError):
    """Tasks cannot be done where they were sent. The message says what, where and what to do."""


class Engine(Protocol):
    """Where the partitions of a data set are worked on."""

    @property
    def partitions(self) -> int:
        """Into how many a data set is cut, as far as it has so many rows."""

    def map(self, function: Callable[..., T], parts: Sequence[Any], shared: tuple = ()) -> list[T]:
        """``[function(part, *shared) for part in parts]``, in this order; a lost worker's tasks are done again.

        Raises:
            EngineError: there is no worker, it has another tacit, or the same task lost its worker again and again.
        """


class InPlace:
    """The partitions are worked on here, one after the other."""

    def __init__(self, partitions: int = 1) -> None:
        self.partitions = checked(partitions)

    def map(self, function: Callable[..., T], parts: Sequence[Any], shared: tuple = ()) -> list[T]:
        """See `Engine`."""
        with using(None):
            return [function(part, *shared) for part in parts]

    def close(self) -> None:
        """There is nothing to close."""


class Answered(NamedTuple):
    """What a worker answers: a result, or which tacit it has where that is another one."""

    result: Any
    other: str | None = None


_ENGINE: contextvars.ContextVar[Engine | None] = contextvars.ContextVar("tacit_engine", default=None)


def current() -> Engine | None:
    """The engine of the innermost ``with``, or None."""
    return _ENGINE.get()


@contextlib.contextmanager
def using(engine: Engine | None) -> Iterator[Engine | None]:
    """Work on the partitions of data sets with this engine inside the scope."""
    token = _ENGINE.set(engine)
    try:
        yield engine
    finally:
        _ENGINE.reset(token)


def checked(partitions: int) -> int:
    """A number of partitions; raises `ValueError` for what is none."""
    if isinstance(partitions, bool) or not isinstance(partitions, int) or partitions < 1:
        raise ValueError(f"partitions must be a whole number of at least 1, got {partitions!r}")
    return partitions


def version() -> str:
    """Of this tacit."""
    return str(sys.modules["tacit"].__dict__["__version__"])


def work(wanted: str, function: Callable[..., Any], part: Any, shared: tuple) -> Answered:
    """A task, on a worker: compiled programs are kept in the folder that all processes of the machine share."""
    if version() != wanted:
        return Answered(None, version())
    with using(None), compilation_cache():
        return Answered(function(part, *shared))


def told(found: Sequence[Answered], where: str) -> list[Any]:
    """The results; raises `EngineError` where a worker has another tacit."""
    for each in found:
        if each.other is not None:
            raise EngineError(
                f"a worker of {where} has tacit {each.other}, and here it is {version()}: the same version is needed "
                "everywhere, or the sums would not be of one model. Install it there, and start the workers again."
            )
    return [each.result for each in found]
