"""The columns of Parquet files that are one table: whether they go together, and some rows of some of them."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from tacit.data.conditions import Condition
from tacit.data.errors import DataError, brief, listed, nearest
from tacit.data.gathering import FAULTS, DataFile

BATCH_ROWS = 65_536
"""Rows that are decoded together."""
PIECE_ROWS = 2 * BATCH_ROWS
"""Rows of a row group that are read, and held, together."""


class FilePiece(NamedTuple):
    """Neighbouring rows of a row group."""

    number: int
    """Its place among all pieces."""
    file: int
    group: int
    first: int
    """Rows of the group before it."""
    before: int
    """Rows of the file before it."""
    rows: int
    """Before the filter."""
    kept: np.ndarray | None
    """Bits of the rows that the filter leaves, packed; None for all."""
    left: int
    """How many these are."""

    def mask(self) -> np.ndarray | None:
        """Which rows the filter leaves."""
        return None if self.kept is None else np.unpackbits(self.kept, count=self.rows).astype(bool)


def common_schema(
    files: Sequence[DataFile], wanted: Sequence[str] | None = None
) -> tuple[pa.Schema, list[pq.FileMetaData]]:
    """The columns of all files (``wanted`` where some are named), and what their ends say.

    Raises:
        DataError: a file lacks a column, has another one, or has one of another type: file and column are named.
    """
    fields: dict[str, pa.Field] = {}
    ends, names = [], list[str]()
    for place, file in enumerate(files):
        found, end = heading(file)
        ends.append(end)
        own = list(found.names) if wanted is None else [name for name in found.names if name in wanted]
        if not place:
            names = list(own if wanted is None else wanted)
        lacks, more = [n for n in names if n not in own], [n for n in own if n not in names]
        if lacks or more:
            said = " and ".join(
                [f"it lacks {listed(lacks)}"] * bool(lacks) + [f"it also has {listed(more)}"] * bool(more)
            )
            raise DataError(
                f"{file.label} has other columns than {files[0].label}: {said}. Files are one table where their "
                "columns have the same names; leave it out, or name the columns that all have (columns=)."
            )
        for name in own:
            fields[name] = _merged(fields.get(name), found.field(name), file, files[0])
    return pa.schema([fields[name] for name in names]), ends


def heading(file: DataFile) -> tuple[pa.Schema, pq.FileMetaData]:
    """The columns of a file, those of the names of its folders too, and what its end says."""
    opened = file.opened()
    try:
        fields = list(opened.schema_arrow)
        names = [field.name for field in fields]
        if len(set(names)) < len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise DataError(
                f"{file.label}: the heading has {listed(twice)} more than once. Rename or remove the others."
            )
        fields += [_key_field(name, value) for name, value in file.keys.items() if name not in names]
        return pa.schema(fields), opened.metadata
    finally:
        if file.handle is None:
            opened.close()


def _key_field(name: str, value: Any) -> pa.Field:
    return pa.field(name, pa.null() if value is None else pa.scalar(value).type)


def _merged(known: pa.Field | None, found: pa.Field, file: DataFile, first: DataFile) -> pa.Field:
    """A column's type in all files so far; whole numbers and broken ones are both numbers."""
    if known is None or pa.types.is_null(known.type) or known.type == found.type:
        return found
    if pa.types.is_null(found.type):
        return known
    one, other = _plain(known.type), _plain(found.type)
    if _sort(one) != _sort(other) or _sort(one) == "other":
        raise DataError(
            f"{file.label}: column {found.name!r} is {found.type}, and {known.type} in {first.label}. Write it with "
            "the same type everywhere, or leave the column out (columns=)."
        )
    if one == other or _sort(one) == "text":
        return pa.field(found.name, pa.string() if _sort(one) == "text" else one)
    return pa.field(found.name, pa.float64())


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _sort(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "text"
    if pa.types.is_temporal(kind):
        return "time" if pa.types.is_timestamp(kind) else str(kind)
    return "truth" if pa.types.is_boolean(kind) else "other"


def chosen_columns(schema: pa.Schema, columns: Sequence[str] | None) -> list[str]:
    """The columns that are asked for; raises `DataError` for one that there is not, or none at all."""
    if columns is None:
        return list(schema.names)
    if isinstance(columns, str) or not columns:
        raise DataError(f"columns={columns!r}: give a list of names, such as ['amount', 'age'].")
    names = [str(name) for name in columns]
    for name in names:
        if name not in schema.names:
            close = nearest(name, schema.names)
            raise DataError(f"no file has a column {name!r}; there are {listed(schema.names, 20)}.{close}")
    if len(set(names)) < len(names):
        raise DataError(f"columns={names!r} names one more than once.")
    return names


class PieceReader:
    """Rows of the pieces of files. What follows what was read last is read on; nothing is decoded twice then."""

    def __init__(self, files: Sequence[DataFile], schema: pa.Schema, names: Sequence[str]) -> None:
        self._files, self._schema, self._names = files, schema, list(names)
        self._open: tuple[int, pq.ParquetFile] | None = None
        self._going: tuple[tuple[int, int], int, Iterator[pa.RecordBatch], pa.Table | None] | None = None

    def table(self, piece: FilePiece) -> pa.Table:
        """The rows of a piece that the filter leaves.

        Raises:
            DataError: the file is gone, has changed or is damaged.
        """
        file = self._files[piece.file]
        file.check()
        try:
            found = self._raw(piece)
        except FAULTS as error:
            file.check()
            raise DataError(
                f"{file.label} is not a readable Parquet file: it is damaged or cut short ({brief(error)})."
            ) from None
        mask = piece.mask()
        return found if mask is None else found.filter(pa.array(mask))

    def _raw(self, piece: FilePiece) -> pa.Table:
        where = piece.file, piece.group
        file, inside = self._files[piece.file], self._file(piece.file)
        present = set(inside.schema_arrow.names)
        stored = [name for name in self._names if name in present]
        if not stored:
            return self._with_keys(pa.table({"": pa.nulls(piece.rows)}), file, piece.rows)
        if self._going is None or self._going[0] != where or self._going[1] > piece.first:
            self._going = where, 0, inside.iter_batches(BATCH_ROWS, [piece.group], stored), None
        _, at, batches, rest = self._going
        self._going = None
        parts, lack = [] if rest is None else [rest], piece.first + piece.rows - at - (0 if rest is None else len(rest))
        while lack > 0:
            part = pa.Table.from_batches([next(batches)])
            lack -= len(part)
            parts.append(part)
            if at + len(parts[0]) <= piece.first:  # passed over
                at += len(parts.pop(0))
        whole = pa.concat_tables(parts) if parts else None
        if whole is None:
            raise pa.ArrowInvalid("a row group has fewer rows than the end of the file says")
        end = piece.first + piece.rows
        self._going = where, end, batches, whole.slice(end - at) if at + len(whole) > end else None
        return self._with_keys(whole.slice(piece.first - at, piece.rows), file, piece.rows)

    def _with_keys(self, table: pa.Table, file: DataFile, rows: int) -> pa.Table:
        columns = []
        for name in self._names:
            kind = self._schema.field(name).type
            if name in table.column_names:
                column = table.column(name)
            else:
                column = pa.chunked_array([pa.array([file.keys[name]] * rows, kind)])
            columns.append(column if column.type == kind else _cast(column, kind))
        return pa.table(columns, self._names)

    def _file(self, place: int) -> pq.ParquetFile:
        if self._open is None or self._open[0] != place:
            self.close()
            self._open = place, self._files[place].opened()
        return self._open[1]

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None and self._files[self._open[0]].handle is None:
            self._open[1].close()
        self._open = self._going = None


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    return column.cast(kind, safe=False) if pa.types.is_floating(kind) else column.cast(kind)


def cut(
    files: Sequence[DataFile], ends: Sequence[pq.FileMetaData], schema: pa.Schema, condition: Condition | None
) -> list[FilePiece]:
    """The pieces of all files, without those of which the filter leaves no row.

    Row groups whose statistics rule the filter out are not read for it.
    """
    pieces: list[FilePiece] = []
    reader = None if condition is None else PieceReader(files, schema, condition.columns)
    for place, end in enumerate(ends):
        before = 0
        asked = None if condition is None else _possible(files[place], end, schema, condition)
        for group in range(end.num_row_groups):
            rows = end.row_group(group).num_rows
            possible = asked is None or group in asked
            for first in range(0, rows, PIECE_ROWS):
                size = min(PIECE_ROWS, rows - first)
                piece = FilePiece(len(pieces), place, group, first, before + first, size, None, size)
                if reader is not None and condition is not None and possible:
                    piece = _filtered(piece, reader, condition)
                if possible and piece.left:
                    pieces.append(piece)
            before += rows
    if reader is not None:
        reader.close()
    return pieces


def _possible(file: DataFile, end: pq.FileMetaData, schema: pa.Schema, condition: Condition) -> set[int]:
    """The row groups of a file whose statistics do not rule the filter out."""
    if file.handle is None and not set(condition.columns) & set(file.keys):
        fragment = ds.ParquetFileFormat().make_fragment(file.path, filesystem=file.filesystem)
        parts = fragment.split_by_row_group(condition.expression, schema=schema)
        return {group.id for part in parts for group in part.row_groups}
    return set(range(end.num_row_groups))


def _filtered(piece: FilePiece, reader: PieceReader, condition: Condition) -> FilePiece:
    table = reader.table(piece)
    numbered = table.append_column("", pa.array(np.arange(len(table))))
    kept = np.zeros(len(table), bool)
    kept[numbered.filter(condition.expression).column("").to_numpy()] = True
    if kept.all():
        return piece
    return piece._replace(kept=np.packbits(kept), left=int(kept.sum()))


def in_file(message: str, piece: FilePiece, file: DataFile) -> str:
    """A message about a row of a piece, which names the file and the row in it."""
    mask = piece.mask()
    places = np.arange(piece.rows) if mask is None else np.flatnonzero(mask)

    def renumbered(found: re.Match[str]) -> str:
        row = int(found[1]) - 1
        return f", row {piece.before + int(places[row]) + 1}" if row < places.size else found[0]

    said = re.sub(r", row (\d+)", renumbered, message, count=1)
    return f"{file.label}: {said}"
