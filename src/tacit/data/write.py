"""Writing a table to CSV, Parquet, Arrow or JSON lines: whole or not at all."""

import contextlib
import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.ipc as ipc
import pyarrow.parquet as parquet

from tacit import files
from tacit.data.errors import DataError, listed
from tacit.data.schema import Schema

FORMATS = ("csv", "parquet", "arrow", "json")
"""What can be written; "json" is JSON lines, one object a row."""

_ENDINGS = {
    ".csv": "csv",
    ".csv.gz": "csv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
}
_BATCH = 10_000
_NUMBERS = {b"numbers": b"among texts"}
"""What a column says of itself in which texts that are plain numbers are numbers."""


FORMULA = r"^[\t\r\n ]*[=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]"
"""How a text begins that a spreadsheet takes for a formula; the signs also in their wide forms."""
_RUNS = r"\s*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]"
PLAIN_NUMBER = r"^\s*[+\-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+\-]?\d+)?\s*%?\s*$"


def write(
    table: pa.Table, destination: str | Path | BinaryIO = "-", form: str | None = None, *, guard: bool = False
) -> None:
    """Write a table; missing values are empty cells (CSV) or null.

    A file appears under its name only when it is complete: it is written beside, synced and renamed.

    Args:
        table: what to write.
        destination: a path, ``-`` for standard output, or an open binary file.
        form: "csv", "parquet", "arrow" or "json" (lines); else by the ending, CSV on standard output.
        guard: whether in CSV texts and headings that a spreadsheet would run as formulas get a ``'`` before them.

    Raises:
        DataError: an ending or form that is not known, a folder that is not there or cannot be written to.
    """
    if form is not None and form not in FORMATS:
        raise DataError(f"cannot write {form!r}; say one of {listed(FORMATS)}.")
    table = _without_nan(table)
    if not isinstance(destination, str | Path):
        _write_to(table, destination, form or "csv", guard)
    elif str(destination) == "-":
        sys.stdout.flush()
        _write_to(table, sys.stdout.buffer, form or "csv", guard)
        sys.stdout.buffer.flush()
    else:
        path = Path(destination).expanduser()
        chosen = form or _by_ending(path)
        with replacing(path) as file:
            if path.name.lower().endswith(".gz"):
                with gzip.GzipFile(path.name.removesuffix(".gz"), "wb", fileobj=file, mtime=0) as zipped:
                    _write_to(table, zipped, chosen, guard)
            else:
                _write_to(table, file, chosen, guard)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """`tacit.files.replacing` with `DataError` where the file cannot be written."""
    try:
        with files.replacing(path) as file:
            yield file
    except BrokenPipeError:
        raise  # whoever read has seen enough
    except OSError as error:
        raise DataError(f"cannot write {str(path)!r}: {error.strerror or error}.") from None


def _by_ending(path: Path) -> str:
    name = path.name.lower()
    for ending, form in _ENDINGS.items():
        if name.endswith(ending):
            return form
    raise DataError(f"cannot tell the format of {path.name!r}; end it in one of {listed(_ENDINGS, 20)}, or name one.")


def guarded(table: pa.Table) -> pa.Table:
    """A table whose texts and headings no spreadsheet runs as formulas: those get a ``'`` before them.

    Texts that are plain numbers, such as ``-1.5``, stay as they are.
    """
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            continue
        runs = pc.and_not(pc.match_substring_regex(column, FORMULA), pc.match_substring_regex(column, PLAIN_NUMBER))
        if pc.any(runs).as_py():
            quoted = pc.binary_join_element_wise(pa.scalar("'", column.type), column, pa.scalar("", column.type))
            table = table.set_column(place, field.name, pc.if_else(runs, quoted, column))
    heads = [f"'{name}" if re.match(_RUNS, name) else name for name in table.column_names]
    return table.rename_columns(heads)


def unguarded(table: pa.Table, schema: Schema) -> pa.Table:
    """A table that was written guarded, with the headings and levels that a schema has."""
    known = {f"'{name}": name for name in schema.names if name not in table.column_names}
    table = table.rename_columns([known.get(name, name) for name in table.column_names])
    for column in schema.columns:
        levels = [level for level in column.levels or () if isinstance(level, str) and re.match(_RUNS, level)]
        if not levels or column.name not in table.column_names:
            continue
        cells = table.column(column.name)
        cells = cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells
        if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
            continue
        written = pc.is_in(cells, value_set=pa.array([f"'{level}" for level in levels], cells.type))
        plain = pc.if_else(written, pc.utf8_slice_codeunits(cells, 1), cells)
        table = table.set_column(table.column_names.index(column.name), column.name, plain)
    return table


def numbers_among_texts(table: pa.Table) -> pa.Table:
    """A table whose columns of texts say of themselves that JSON writes those of plain numbers as numbers."""
    fields = [field.with_metadata(_NUMBERS) if pa.types.is_string(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields))


def _write_to(table: pa.Table, file: BinaryIO | gzip.GzipFile, form: str, guard: bool) -> None:
    try:
        if form == "csv":
            table = guarded(table) if guard else table
            pacsv.write_csv(table, file, pacsv.WriteOptions(quoting_style="needed"))
        elif form == "parquet":
            parquet.write_table(table, file)
        elif form == "arrow":
            with ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
        else:
            _write_lines(table, file)
    except pa.ArrowException as error:
        raise DataError(f"this table cannot be written as {form}: {error}") from None


def _write_lines(table: pa.Table, file: BinaryIO | gzip.GzipFile) -> None:
    numeric = [field.name for field in table.schema if field.metadata == _NUMBERS]
    for batch in table.to_batches(max_chunksize=_BATCH):
        found = batch.to_pylist()
        for row in found if numeric else ():
            row.update({name: _number(row[name]) for name in numeric})
        rows = (json.dumps(row, ensure_ascii=False, default=str) for row in found)
        file.write("".join(f"{row}\n" for row in rows).encode("utf-8"))


def _number(text: str | None) -> str | float | int | None:
    if text is None or not re.match(PLAIN_NUMBER, text) or "," in text or "%" in text:
        return text
    return int(text) if re.fullmatch(r"[+\-]?\d+", text) else float(text)


def _without_nan(table: pa.Table) -> pa.Table:
    """NaN written as missing, as it was read."""
    for place, field in enumerate(table.schema):
        if pa.types.is_floating(field.type):
            column = table.column(place)
            gone = pc.if_else(pc.is_nan(column), pa.scalar(None, field.type), column)
            table = table.set_column(place, field.name, gone)
    return table
