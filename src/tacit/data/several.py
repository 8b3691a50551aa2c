"""Several files as one table: a folder, a pattern such as ``sales-*.csv``, or places one a line."""

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tacit.data.errors import DataError, counted, listed

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


def together(tables: Sequence[pa.Table], labels: Sequence[str]) -> pa.Table:
    """Tables with the same columns, in any order, as one; the columns stand as in the first.

    Raises:
        DataError: a file with other columns than the first, which is named.
    """
    names = tables[0].column_names
    for table, label in zip(tables[1:], labels[1:], strict=True):
        check_alike(names, table.column_names, labels[0], label)
    columns = [pa.chunked_array(_alike([table.column(name) for table in tables])) for name in names]
    return pa.table(columns, names)


def check_alike(names: Sequence[str], others: Sequence[str], first: str, label: str) -> None:
    """Refuse a file (`label`) with other columns than the first."""
    lacks, more = [name for name in names if name not in others], [name for name in others if name not in names]
    if lacks or more:
        said = [f"it lacks {listed(lacks)}"] if lacks else []
        said += [f"it also has {listed(more)}"] if more else []
        raise DataError(
            f"{label} has other columns than {first}: {' and '.join(said)}. Files are one table where their columns "
            "have the same names; leave it out, or rename the columns."
        )


def _alike(columns: Sequence[pa.ChunkedArray]) -> list[pa.Array]:
    """Columns cast to the type that holds all of them: text where one is text."""
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column for column in columns
    ]
    kinds = {column.type for column in columns if not pa.types.is_null(column.type)}
    kind = kinds.pop() if len(kinds) == 1 else _common(kinds) if kinds else pa.null()
    return [chunk for column in columns for chunk in _cast(column, kind).chunks]


def _common(kinds: set[pa.DataType]) -> pa.DataType:
    empty = [pa.table({"a": pa.array([], kind)}) for kind in kinds]
    try:
        return pa.concat_tables(empty, promote_options="permissive").schema.field("a").type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.string()


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if column.type == kind:
        return column
    if pa.types.is_string(kind) and pa.types.is_floating(column.type):
        whole = pc.equal(pc.round(column), column)
        short = pc.if_else(whole, column.cast(pa.int64(), safe=False).cast(kind), column.cast(kind))
        return short if isinstance(short, pa.ChunkedArray) else pa.chunked_array([short])
    return column.cast(kind)
