"""Waiting for compiled programs: what is said when it takes long, and what Ctrl-C may break off.

Nothing here knows JAX, so that the command line can ask before the engine is loaded.
"""

import atexit
import contextlib
import contextvars
import logging
import signal
import threading
import time
from collections.abc import Iterator

PATIENCE = 30.0
"""Seconds of silence after which something is said, and after as many seconds again."""

_left = threading.Event()
_breakable: contextvars.ContextVar[bool] = contextvars.ContextVar("tacit_breakable", default=False)


@contextlib.contextmanager
def computing(label: str, size: tuple[int, int], *, keeps: bool) -> Iterator[None]:
    """Around the work between two looks of a host loop: it is not silent for ever, and may be interrupted.

    What is said goes to Python's logger "tacit" as a warning, which by default is standard error.

    Args:
        label: what the watchers call the fit.
        size: rows and columns.
        keeps: whether the loop has something to keep if the work is interrupted.
    """
    ended = threading.Event()
    keeps = keeps or breakable()
    speaker = threading.Thread(target=_speak, args=(label, size, keeps, ended), name="tacit-patience", daemon=True)
    try:
        speaker.start()
        with keeping(keeps):
            yield
    finally:
        ended.set()


@contextlib.contextmanager
def keeping(keeps: bool = True) -> Iterator[None]:
    """Around work that may be broken off without loss, if ``keeps``: whoever called it keeps what there is."""
    before = _breakable.get()
    try:
        _breakable.set(keeps or before)
        yield
    finally:
        _breakable.set(before)


def breakable() -> bool:
    """Whether an exception raised here now ends in the fit that runs, which keeps what it has."""
    return _breakable.get()


def leave_running() -> None:
    """A program may still run for which nobody waits any longer.

    It cannot be ended, and Python waits for it when it ends itself: from now on Ctrl-C ends that wait too.
    """
    if not _left.is_set():
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_DFL)
    _left.set()


def left_running() -> bool:
    """Whether a program may still run in this process that is no longer waited for."""
    return _left.is_set()


def _speak(label: str, size: tuple[int, int], keeps: bool, ended: threading.Event) -> None:
    began = time.monotonic()
    kept = "stops it and keeps the best so far" if keeps else "stops it (in the command, twice in a row)"
    while not ended.wait(PATIENCE):
        logging.getLogger("tacit").warning(
            "%s: still computing after %.0f seconds, %s rows × %s columns; Ctrl-C %s",
            label,
            time.monotonic() - began,
            f"{size[0]:,}",
            f"{size[1]:,}",
            kept,
        )
