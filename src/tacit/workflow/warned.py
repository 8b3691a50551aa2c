"""What is warned of while some work is done, kept apart for each of several threads that work at once."""

import contextlib
import contextvars
import re
import threading
import warnings
from collections.abc import Iterator
from typing import Any

HARMLESS = ("persistent compilation cache",)
"""Warnings of JAX about its cache folder, which harm nothing."""

_own: contextvars.ContextVar[list[str] | None] = contextvars.ContextVar("tacit_warned", default=None)


class _Router:
    """Stands in for `warnings.showwarning` as long as anybody collects; puts back what was there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lists: list[list[str]] = []
        self._before: Any = None

    def join(self, found: list[str]) -> None:
        with self._lock:
            if not self._lists:
                self._before = warnings.catch_warnings()
                self._before.__enter__()
                warnings.simplefilter("always")
                warnings.showwarning = self._route
            self._lists.append(found)

    def leave(self, found: list[str]) -> None:
        with self._lock:
            self._lists = [each for each in self._lists if each is not found]
            if not self._lists:
                self._before.__exit__(None, None, None)

    def _route(self, message: Warning | str, *_: object, **__: object) -> None:
        """To who works in this thread; from a helper's thread, to everybody."""
        own = _own.get()
        for found in list(self._lists) if own is None else [own]:
            found.append(str(message))


_ROUTER = _Router()


@contextlib.contextmanager
def collected() -> Iterator[list[str]]:
    """The texts of all warnings inside the scope, in their order, instead of having them shown.

    Python's own `warnings.catch_warnings` belongs to the process: two threads would take each other's.
    """
    found: list[str] = []
    token = _own.set(found)
    _ROUTER.join(found)
    try:
        yield found
    finally:
        _ROUTER.leave(found)
        _own.reset(token)


def plain(text: str) -> str:
    """A warning of an estimator for people who count groups from 1."""
    text = " ".join(text.split())
    return re.sub(r"\b[Cc]omponent (\d+)", lambda found: f"group {int(found[1]) + 1}", text)
