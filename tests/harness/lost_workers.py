"""Tasks whose workers are lost, for every kind of engine; a worker finds them by this module's name."""

import os
import signal
from pathlib import Path


def died_once(part: int, once: str) -> int:
    """Ten times the part; the first time that 2 is asked for, the worker dies."""
    if part == 2 and not Path(once).exists():
        Path(once).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 10 * part


def always_dies(part: int) -> int:
    """The worker dies."""
    os.kill(os.getpid(), signal.SIGKILL)
    return part


def broken(part: int) -> float:
    """An error of the task's own."""
    return part / 0
