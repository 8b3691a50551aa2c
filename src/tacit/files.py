"""Files that appear under their name whole or not at all, even when the machine stops in the middle."""

import contextlib
import errno
import functools
import io
import os
import platform
import re
import secrets
import shutil
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_PART = ".part"
_NAMED = 40
"""Letters of a file's name that its unfinished copy keeps: names of files have a longest length."""
_OWNER = re.compile(r"\.(\d+)@([0-9a-f]{8})\.[0-9a-f]{16}" + re.escape(_PART) + "$")
"""How the name of an unfinished copy ends: the process that writes it, where that runs, and what tells copies apart."""


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write a file as `replacing` does; text as UTF-8 with its line ends as they are."""
    with replacing(path) as file:
        file.write(content.encode("utf-8") if isinstance(content, str) else content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write to, which replaces ``path`` when the block ends well and vanishes when it does not.

    It is written beside, synced and renamed, and the folder is synced: a reader sees the old content or the new, never
    a mixture. Symbolic links are followed, and a file that is there keeps its mode and its owner. What is no regular
    file (a pipe, a device such as ``/dev/null``) is written to as it is.

    Raises:
        OSError: the folder is not there or cannot be written to, or the disk is full; the file is then as it was.
    """
    with naming(path), _replacing(path) as file:
        yield file


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let errors of the system while a file is written name it, and, where the disk is full, what is free there."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            if error.errno is not None and error.filename is None:
                error.filename = str(path)
            raise
        free = _free(path)
        left = "" if free is None else f": {_bytes(free)} free in {str(path.parent)!r}"
        raise OSError(
            f"{str(path)!r} could not be written, for its disk is full{left}. Make room, or write to another disk, "
            "and try again; what was there before is as it was"
        ) from error


_FULL = (errno.ENOSPC, errno.EDQUOT)


def _free(path: Path) -> int | None:
    """What may still be written beside a file, in bytes; None where the system does not say."""
    with contextlib.suppress(OSError):
        return shutil.disk_usage(path.parent).free
    return None


def _bytes(number: float) -> str:
    """``12 kB``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:.3g} {unit}"


@contextlib.contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    before = _found(path)
    if before is not None and not _replaceable(path, before):
        with path.open("wb") as straight, _seekable(straight) as file:
            yield file
        return
    place = Path(os.path.realpath(path))
    beside = place.with_name(f".{place.name[:_NAMED]}.{os.getpid()}@{_where()}.{secrets.token_hex(8)}{_PART}")
    try:
        with beside.open("xb") as file:
            if before is not None:
                _keep(beside, before)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, place)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(place.parent)


def _found(path: Path) -> os.stat_result | None:
    """What is known of the file that a name leads to; None where there is none yet."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _replaceable(path: Path, found: os.stat_result) -> bool:
    """Whether a name leads to a regular file that another can take the place of."""
    with contextlib.suppress(FileNotFoundError):  # /proc/self/fd/1 may lead to a file whose name is gone
        return stat.S_ISREG(found.st_mode) and os.path.samestat(found, os.stat(os.path.realpath(path)))
    return False


@contextlib.contextmanager
def _seekable(file: BinaryIO) -> Iterator[BinaryIO]:
    """The file itself, or a buffer for one that cannot be sought in, as writers of archives and arrays do."""
    if file.seekable():
        yield file
    else:
        buffer = io.BytesIO()
        yield buffer
        file.write(buffer.getbuffer())


def _keep(beside: Path, before: os.stat_result) -> None:
    """Give a new file the mode and, where that is allowed, the owner of the one that it replaces."""
    mode, own = stat.S_IMODE(before.st_mode), beside.stat()
    if os.name == "posix" and (own.st_uid, own.st_gid) != (before.st_uid, before.st_gid):
        try:
            os.chown(beside, before.st_uid, before.st_gid)
        except OSError:
            mode &= ~stat.S_IRWXG  # what one group may do, another may not
    os.chmod(beside, mode)


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable, where the system lets one."""
    with contextlib.suppress(OSError):  # some network file systems refuse, and Windows has no such thing
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def remove_leftovers(folder: Path, *, of_the_dead: bool = False) -> None:
    """Remove what writers that were killed half-way left in a folder.

    Args:
        folder: nobody may be writing there, unless ``of_the_dead``.
        of_the_dead: leave what may belong to a process that lives: the file's name says which one wrote it, and one
            that another machine may have written stays.
    """
    for path in folder.glob(f".*{_PART}"):
        if path.is_file() and (not of_the_dead or _abandoned(path.name)):
            path.unlink(missing_ok=True)


def _abandoned(name: str) -> bool:
    """Whether the process that wrote an unfinished copy ran here and is no more."""
    owner = _OWNER.search(name)
    if owner is None or owner[2] != _where() or os.name != "posix":
        return False
    try:
        os.kill(int(owner[1]), 0)  # asks, and sends nothing
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it lives, and is another user's; or it is no number of a process
        return False
    return False


@functools.cache
def _where() -> str:
    """What tells machines, and containers on one machine, apart: a process has its number inside one only."""
    inside = ""
    with contextlib.suppress(OSError):
        inside = os.readlink("/proc/self/ns/pid")
    return f"{zlib.crc32(f'{platform.node()} {inside}'.encode()):08x}"
