"""Fits that follow one another: restarts, or a fit that another one begins; what Ctrl-C leaves of them."""

import contextvars
import functools
from collections.abc import Callable, Iterable
from typing import TypeVar

from tacit.waiting import keeping

T = TypeVar("T")
A = TypeVar("A")


class Series:
    """Fits of which Ctrl-C ends all, and what there is by then is kept.

    A host loop that is broken off keeps its own best; what was found before it is kept where it has nothing yet.

    Attributes:
        interrupted: whether Ctrl-C ended it; no other fit begins then.
    """

    def __init__(self) -> None:
        self.interrupted = False

    def then(self, fit: Callable[[], T], otherwise: Callable[[], T] | None = None) -> T:
        """What a fit gives, or ``otherwise`` where Ctrl-C came before the fit had anything to keep.

        Raises:
            KeyboardInterrupt: it did, and there is nothing else.
        """
        token = _around.set((*_around.get(), self))
        try:
            if not self.interrupted:
                with keeping(otherwise is not None):
                    return fit()
        except KeyboardInterrupt:
            self.interrupted = True
        finally:
            _around.reset(token)
        if otherwise is None:
            raise KeyboardInterrupt
        return otherwise()

    def each(self, fit: Callable[[A], T], items: Iterable[A]) -> list[T]:
        """What fits of some items give, one after the other, until Ctrl-C.

        Raises:
            KeyboardInterrupt: it came before the first fit had anything to keep.
        """
        found: list[T] = []

        def add(item: A) -> list[T]:
            found.append(fit(item))
            return found

        for item in items:
            self.then(functools.partial(add, item), kept(found) if found else None)
            if self.interrupted:
                break
        return found


def kept(found: T) -> Callable[[], T]:
    """What there is already, as the ``otherwise`` of `Series.then`."""
    return lambda: found


_around: contextvars.ContextVar[tuple[Series, ...]] = contextvars.ContextVar("tacit_series", default=())


def interrupt() -> None:
    """A fit of the series around this place was broken off: no other of them begins."""
    for series in _around.get():
        series.interrupted = True
