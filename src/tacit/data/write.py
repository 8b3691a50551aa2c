"""Writing a table to CSV, Parquet, Arrow or JSON lines: whole or not at all."""

import contextlib
import gzip
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Self

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
GROUP_BYTES = 16_000_000
"""Of the rows of a row group of Parquet, before they are packed."""
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
    with writing(destination, form, guard=guard) as put:
        put(table)


@contextlib.contextmanager
def writing(
    destination: str | Path | BinaryIO = "-", form: str | None = None, *, guard: bool = False
) -> Iterator[Callable[[pa.Table], None]]:
    """What writes tables of the same columns one after the other as one table, as `write` does.

    A file is there under its name when the block has ended well, and not before: who is killed half-way leaves none.

    Args:
        destination, form, guard: see `write`.

    Raises:
        DataError: an ending or form that is not known, a folder that is not there or cannot be written to, or a table
            whose columns are others than those of the first.
    """
    if form is not None and form not in FORMATS:
        raise DataError(f"cannot write {form!r}; say one of {listed(FORMATS)}.")
    if not isinstance(destination, str | Path):
        with _Parts(destination, form or "csv", guard) as parts:
            yield parts.put
    elif str(destination) == "-":
        sys.stdout.flush()
        with _Parts(sys.stdout.buffer, form or "csv", guard) as parts:
            yield parts.put
        sys.stdout.buffer.flush()
    else:
        path = Path(destination).expanduser()
        chosen = form or _by_ending(path)
        with replacing(path) as file, _unzipped(path, file) as inner, _Parts(inner, chosen, guard) as parts:
            yield parts.put


@contextlib.contextmanager
def _unzipped(path: Path, file: BinaryIO) -> Iterator[BinaryIO | gzip.GzipFile]:
    if not path.name.lower().endswith(".gz"):
        yield file
        return
    with gzip.GzipFile(path.name.removesuffix(".gz"), "wb", fileobj=file, mtime=0) as zipped:
        yield zipped


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


class _Parts:
    """Tables that go to one file; Arrow's own writers are opened with the first of them."""

    def __init__(self, file: BinaryIO | gzip.GzipFile, form: str, guard: bool) -> None:
        self._file, self._form, self._guard = file, form, guard and form == "csv"
        self._schema: pa.Schema | None = None
        self._writer: Any = None
        self._held: list[pa.Table] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flushed()
        if self._writer is not None:
            with contextlib.nullcontext() if kind is None else contextlib.suppress(Exception):
                self._writer.close()

    def put(self, table: pa.Table) -> None:
        """Write some more rows."""
        table = _without_nan(table)
        table = guarded(table) if self._guard else table
        try:
            if self._schema is not None and table.schema != self._schema:
                table = table.cast(self._schema)
        except (pa.ArrowException, ValueError) as error:
            raise DataError(f"rows of one table have different columns: {error}") from None
        self._schema = table.schema
        self._held.append(table)
        if self._form != "parquet" or sum(each.nbytes for each in self._held) >= GROUP_BYTES:
            self._flushed()

    def _flushed(self) -> None:
        if not self._held:
            return
        table = self._held[0] if len(self._held) == 1 else pa.concat_tables(self._held)
        self._held = []
        if self._form == "json":
            _write_lines(table, self._file)
            return
        try:
            if self._writer is None:
                self._writer = self._opened(table.schema)
            self._writer.write_table(table)
        except pa.ArrowException as error:
            raise DataError(f"this table cannot be written as {self._form}: {error}") from None

    def _opened(self, schema: pa.Schema) -> Any:
        if self._form == "csv":
            return pacsv.CSVWriter(self._file, schema, write_options=pacsv.WriteOptions(quoting_style="needed"))
        return (
            parquet.ParquetWriter(self._file, schema) if self._form == "parquet" else ipc.new_file(self._file, schema)
        )


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
