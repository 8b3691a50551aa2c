"""Where rows lie: a file, a folder, a pattern such as ``sales-*.csv``, or places one a line. Nothing is read here."""

import difflib
import glob
import re
import stat
from pathlib import Path
from typing import Any

from tacit.data.errors import DataError, counted

ENDINGS: dict[str, str] = (
    dict.fromkeys((".csv", ".tsv", ".tab"), "text")
    | dict.fromkeys((".parquet", ".pq"), "Parquet")
    | dict.fromkeys((".arrow", ".feather", ".ipc"), "Arrow")
    | dict.fromkeys((".jsonl", ".ndjson"), "JSON lines")
    | dict.fromkeys((".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"), "workbooks")
)
"""How files of tables end, and what they are."""
PICTURES = (".png", ".jpg", ".jpeg")
PACKED = (".gz", ".bz2", ".xz", ".zst")


def files_of(source: Any) -> tuple[Path, ...] | None:
    """The files that a source names together; None where it is one place, or nothing that lies in files.

    Raises:
        DataError: a pattern that no file has, or a folder with tables of several kinds.
    """
    if isinstance(source, list | tuple) and source and all(isinstance(each, str | Path) for each in source):
        return tuple(Path(each).expanduser() for each in source)
    if not isinstance(source, str | Path):
        return None
    text = str(source)
    if "\n" in text:
        return tuple(Path(line).expanduser() for line in text.splitlines() if line)
    path = Path(text).expanduser()
    if path.is_dir():
        return _inside(path)
    if not any(sign in text for sign in "*?[") or path.exists():
        return None
    found = tuple(Path(each) for each in sorted(glob.glob(str(path), recursive=True)) if Path(each).is_file())
    if not found and ".npz:" not in text:
        raise DataError(f"no file is called like {text!r}.")
    return found or None


def _inside(folder: Path) -> tuple[Path, ...] | None:
    """The tables in a folder, and in no folder below; None where there is none, or where there are pictures."""
    found: dict[str, list[Path]] = {}
    if any(path.suffix.lower() in PICTURES for path in folder.rglob("*")):
        return None  # images, beside which a table of labels may lie
    for path in sorted(folder.iterdir()):
        kind = kind_of(path)
        if kind is not None and path.is_file() and not path.name.startswith((".", "_")):
            found.setdefault(kind, []).append(path)
    if len(found) > 1:
        held = ", ".join(f"{counted(len(paths), 'file')} of {kind}" for kind, paths in found.items())
        example = next(iter(found.values()))[0]
        raise DataError(
            f"{folder} holds tables of several kinds ({held}). Say which by a pattern: '{folder}/*{example.suffix}'."
        )
    return tuple(next(iter(found.values()))) if found else None


def kind_of(path: Path) -> str | None:
    """What a file is by its ending; None where that says nothing of a table."""
    name = path.name.lower()
    name = next((name.removesuffix(end) for end in PACKED if name.endswith(end)), name)
    return ENDINGS.get(Path(name).suffix)


def is_address(place: str) -> bool:
    """Whether a place is an address, such as ``s3://bucket/folder``."""
    return re.match(r"[a-zA-Z][\w+.-]+://", place) is not None


def is_pipe(path: Path) -> bool:
    """Whether a path is a pipe, such as ``/dev/fd/63``: it can be read once."""
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(kind) or stat.S_ISCHR(kind) or stat.S_ISSOCK(kind)


def check(place: str) -> None:
    """Raise `DataError` where there is nothing at all."""
    if place != "-" and not is_address(place):
        locate(place)


def locate(source: Any) -> tuple[Path | None, str | None]:
    """The file a source names, and the array inside it after a colon; None for bytes and standard input."""
    if not isinstance(source, str | Path) or str(source) == "-":
        return None, None
    path, key = Path(source).expanduser(), None
    if is_pipe(path):
        return None, None
    several = None if path.is_dir() else files_of(source)
    if several is not None:
        for each in several:
            locate(each)
        return None, None
    if not path.exists() and ".npz:" in path.name:
        name, _, key = path.name.rpartition(":")
        path = path.with_name(name)
    if not path.exists():
        raise DataError(_missing_file(path))
    return path, key


def _missing_file(path: Path) -> str:
    near = ""
    if path.parent.is_dir():
        names = [child.name for child in path.parent.iterdir()]
        close = difflib.get_close_matches(path.name, names, n=1, cutoff=0.6)
        near = f" Did you mean {str(path.with_name(close[0]))!r}?" if close else ""
    else:
        near = f" There is no folder {str(path.parent)!r} either."
    return f"no such file: {str(path)!r}.{near}"
