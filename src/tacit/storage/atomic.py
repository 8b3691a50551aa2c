"""Files that appear under their name whole or not at all, even when the machine stops in the middle."""

import contextlib
import os
import secrets
from pathlib import Path

_PART = ".part"


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write beside, sync, rename, sync the folder: a reader sees the old content or the new, never a mixture.

    Text is written as UTF-8 with its line ends as they are. Raises `OSError` when the folder is not there or
    cannot be written to; the file is then as it was.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}{_PART}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames inside a folder durable, where the system lets one."""
    with contextlib.suppress(OSError):  # some network file systems refuse, and Windows has no such thing
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def remove_leftovers(folder: Path) -> None:
    """Remove what writers that were killed half-way left in a folder."""
    for path in folder.glob(f".*{_PART}"):
        path.unlink(missing_ok=True)
