"""One writer a folder: a second one is told who has it, and the lock of a process that died holds nobody up."""

import contextlib
import json
import os
import platform
import threading
import time
import weakref
from pathlib import Path
from typing import Self

from tacit.storage.errors import ModelFileError

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
"""The file that is locked; it says who has the folder, for whoever finds it locked."""

_guard = threading.RLock()
_held: "weakref.WeakValueDictionary[str, FolderLock]" = weakref.WeakValueDictionary()
"""What this process holds, by the real path of the folder."""


class FolderLock:
    """The right to write to a folder, for one process at a time, and within it for one object at a time.

    A context manager that lets go at its end of what was acquired in it; an object that is gone lets go too. Where the
    system or the file system has no locks, nothing is locked.
    """

    def __init__(self, folder: Path) -> None:
        """Of a folder, which may not be there yet; nothing is locked so far."""
        self.folder = folder
        self._number: int | None = None  # of the open file
        self._process = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()

    def acquire(self, *, take_over: bool = False) -> bool:
        """Take the folder, which must be there; to take it again does nothing.

        Args:
            take_over: take it also from another object of this process, which then has it no more.

        Returns:
            Whether it was locked now, and by nobody of this process before.

        Raises:
            ModelFileError: another has it; names its process, since when it has it, and what to do.
        """
        if fcntl is None:
            return False
        with _guard:
            key = os.path.realpath(self.folder)
            holder = _held.get(key)
            if holder is not None and holder._process != os.getpid():
                holder = None  # a copy that a fork made: the parent has the lock
            if holder is self:
                return False
            if holder is not None:
                if not take_over:  # its file is not opened: to close it again would let go of the lock
                    raise _refusal(self.folder, f"process {os.getpid()}, which is this one, has it", "end that fit")
                self._number, holder._number = holder._number, None
            else:
                self._number = _locked(self.folder)
            if self._number is not None:
                _held[key], self._process = self, os.getpid()
            return holder is None and self._number is not None

    def release(self) -> None:
        """Let go of the folder, if it is held; its lock file vanishes."""
        with _guard:
            if self._number is None:
                return
            if self._process == os.getpid():  # a forked child has a copy of this object, but not the lock
                _held.pop(os.path.realpath(self.folder), None)
                (self.folder / LOCK).unlink(missing_ok=True)
            os.close(self._number)
            self._number = None


def _locked(folder: Path) -> int | None:
    """The number of the folder's open lock file, locked for this process; None where that cannot be."""
    path = folder / LOCK
    while True:
        try:
            number = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError:
            return None  # the first who writes here will say why that cannot be done
        try:
            fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(number)
            raise _taken(folder) from None
        except OSError:
            os.close(number)
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(number), path.stat()):
                break
        os.close(number)  # whoever had it removed the file in between
    os.ftruncate(number, 0)
    who = {"process": os.getpid(), "host": platform.node(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    os.write(number, json.dumps(who).encode("ascii"))
    return number


def _taken(folder: Path) -> ModelFileError:
    try:
        who = json.loads((folder / LOCK).read_text(encoding="ascii"))
        process = int(who["process"])
        said = f"process {process} on {who['host']} has had it since {who['since']}"
        do = f"stop it (kill {process})"
    except (OSError, ValueError, KeyError, TypeError):
        said, do = "another process has it", "stop it"
    return _refusal(folder, said, do)


def _refusal(folder: Path, said: str, do: str) -> ModelFileError:
    return ModelFileError(
        f"{str(folder)!r} is being written to by a fit that is running: {said}. Wait until it has ended, {do}, or "
        "choose another folder."
    )
