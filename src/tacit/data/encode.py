"""From a table to one float64 matrix and back: NaN for missing, codes for levels."""

import itertools
import mmap
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float

from tacit.data.cells import Cells, ColumnsOneByOne, cells_of
from tacit.data.errors import DataError, counted, in_all, listed, nearest, place, quoted, shown
from tacit.data.levels import codes_for, show_level
from tacit.data.schema import Column, Level, Schema

Unseen = Literal["error", "missing"]

HELD_ROWS = 65_536
"""Rows whose numbers lie together while the columns of a table are let go of."""


class HeldColumns:
    """The columns of a table in memory, of which `encoded` lets go one at a time (`ColumnsOneByOne`).

    Args:
        table: that nobody else holds, if memory is to be freed.
    """

    def __init__(self, table: pa.Table) -> None:
        self.column_names: list[str] = list(table.column_names)
        self.num_rows: int = table.num_rows
        self._columns = dict(zip(table.column_names, table.columns, strict=True))

    def column(self, name: str) -> pa.ChunkedArray:
        """One that was not let go of."""
        return self._columns[name]

    def encoded(self, schema: Schema, unseen: Unseen = "error") -> Float[np.ndarray, "rows columns"]:
        """What `encode` gives; the columns of the schema are gone then, and together with them it never takes two."""
        check_present(self, schema)
        if self.num_rows <= HELD_ROWS:
            values = np.empty((self.num_rows, len(schema)))
            for index, column in enumerate(schema.columns):
                values[:, index] = _encoded(self._columns.pop(column.name), column, unseen)
            return values
        edges = [*range(0, self.num_rows, HELD_ROWS), self.num_rows]
        parts = [_mapped(len(schema), end - start) for start, end in itertools.pairwise(edges)]
        for index, column in enumerate(schema.columns):
            numbers = _encoded(self._columns.pop(column.name), column, unseen)
            for start, part in zip(edges, parts, strict=False):
                part[index] = numbers[start : start + HELD_ROWS]
            pa.default_memory_pool().release_unused()
        values = np.empty((self.num_rows, len(schema)))
        for start in edges[-2::-1]:
            values[start : start + HELD_ROWS] = parts.pop().T
        return values


def _mapped(columns: int, rows: int) -> Float[np.ndarray, "columns rows"]:
    """Numbers to be written that go back to the system as soon as nobody holds them."""
    return np.frombuffer(mmap.mmap(-1, 8 * columns * rows)).reshape(columns, rows)


def encode(table: ColumnsOneByOne, schema: Schema, *, unseen: Unseen = "error") -> Float[np.ndarray, "rows columns"]:
    """The values of a table as the model wants them.

    Columns are found by name, in any order; those the schema does not know are not looked at (`ignored` names
    them). Text that is a number counts as one.

    Args:
        table: what was read, or came out of `from_frame`.
        schema: the columns and levels, from `infer` or from a fitted model.
        unseen: what becomes of a level the schema does not know: "error", or "missing" (NaN).

    Returns:
        ``values[rows, columns]`` in float64, NaN where missing, codes 0..L−1 where there are levels.

    Raises:
        DataError: a column is absent; text, an infinite value, a negative or broken count, a value ≤ 0 in a
            positive column, an unseen level; the message names column and row.
    """
    if unseen not in ("error", "missing"):
        raise DataError(f"unseen={unseen!r}: say 'error' or 'missing'.")
    check_present(table, schema)
    values = np.empty((table.num_rows, len(schema)), np.float64)
    for index, column in enumerate(schema.columns):
        # in one line, so that no column outlives its turn
        values[:, index] = _encoded(only(table, column.name), column, unseen)
    return values


def check_present(table: ColumnsOneByOne, schema: Schema) -> None:
    """Refuse a table that lacks a column."""
    there = set(table.column_names)
    absent = [name for name in schema.names if name not in there]
    if absent:
        close = nearest(absent[0], table.column_names)
        raise DataError(
            f"the table lacks {counted(len(absent), 'column')} the model was fitted on: {listed(absent)}. "
            f"It has {listed(table.column_names)}.{close} Add them, empty where unknown."
        )


def ignored(table: ColumnsOneByOne, schema: Schema) -> tuple[str, ...]:
    """The columns of a table that the schema does not know and `encode` does not look at."""
    known = set(schema.names)
    return tuple(name for name in table.column_names if name not in known)


def only(table: ColumnsOneByOne, name: str) -> pa.ChunkedArray:
    """A column by name; raises `DataError` when the heading has it twice."""
    try:
        return table.column(name)
    except KeyError:  # of Arrow, for a name that is there more than once
        raise DataError(f"{quoted(name)} occurs twice in the heading; rename or remove one.") from None


def _encoded(entries: pa.ChunkedArray, column: Column, unseen: Unseen) -> Float[np.ndarray, " rows"]:
    """One column of `encode`, as it was read."""
    numbers = measured(entries, column)
    if numbers is not None:
        return numbers
    codes = _spelled(entries, column)
    return encode_column(cells_of(column.name, entries), column, unseen) if codes is None else codes


def measured(entries: pa.ChunkedArray, column: Column) -> Float[np.ndarray, " rows"] | None:
    """Measurements that are finite numbers or missing, of which there is nothing to say; None for all else."""
    if column.kind != "continuous" or not pa.types.is_floating(entries.type):
        return None
    found = entries.to_numpy().astype(np.float64, copy=False)
    # what is infinite is refused elsewhere, in words
    return found if np.isfinite(found.sum()) or not np.isinf(found).any() else None


def _spelled(entries: pa.ChunkedArray, column: Column) -> Float[np.ndarray, " rows"] | None:
    """The codes of texts that are all spelled as the levels are, or missing: such need not be looked at any closer.

    None where one is not, which may be a level all the same.
    """
    levels = column.levels
    if levels is None or not isinstance(levels[0], str) or not pa.types.is_string(entries.type):
        return None
    found = pc.index_in(entries, value_set=pa.array(levels, pa.string()))
    if found.null_count != entries.null_count:
        return None
    return np.asarray(found.to_numpy(), np.float64)


def encode_column(cells: Cells, column: Column, unseen: Unseen = "error") -> Float[np.ndarray, " rows"]:
    """One column of `encode`: ``[rows]`` in float64."""
    check_single_values(cells, column.kind)
    if column.levels is not None:
        return _encode_levels(cells, column, unseen)
    numbers, text = cells.as_numbers()
    if text.any():
        row, rest = int(np.argmax(text)), in_all(int(text.sum()), "cell")
        if cells.words is not None and cells.words.trouble:
            raise DataError(f"{quoted(cells.name)} cannot be {column.kind}: {cells.words.trouble}.")
        raise DataError(
            f"{place(cells.name, row)}: {shown(cells.at(row))} is not a number{rest}, and the column is "
            f"{column.kind}. Correct it, leave the cell empty, or name it as a sign for missing "
            f"(--missing)."
        )
    check_numbers(numbers, column)
    return numbers


def check_single_values(cells: Cells, kind: str) -> None:
    """Refuse columns that no kind can hold: dates, times, lists, records, raw bytes."""
    if cells.origin in ("time", "other"):
        found = "dates or times" if cells.origin == "time" else "lists, records or raw bytes"
        raise DataError(
            f"{quoted(cells.name)} holds {found}, which cannot be {kind}. "
            "Turn it into numbers or text first, or leave it out."
        )


def check_numbers(numbers: Float[np.ndarray, " rows"], column: Column) -> None:
    """Refuse infinite values everywhere, and what a count or a positive column cannot hold."""
    _refuse(numbers, np.isinf(numbers), column, "is infinite", "Correct it or leave the cell empty.")
    if column.kind == "count":
        other = "Correct it, leave the cell empty, or make the column continuous."
        _refuse(numbers, numbers < 0, column, "is negative and cannot be a count", other)
        broken = numbers != np.round(numbers)
        _refuse(numbers, broken & ~np.isnan(numbers), column, "is not a whole number and cannot be a count", other)
    if column.kind == "positive":
        other = "Correct it, leave the cell empty, or make the column continuous."
        _refuse(numbers, numbers <= 0, column, "is not above 0, as a positive column must be", other)


def _refuse(
    numbers: Float[np.ndarray, " rows"], bad: Bool[np.ndarray, " rows"], column: Column, what: str, cure: str
) -> None:
    if bad.any():
        row, rest = int(np.argmax(bad)), in_all(int(bad.sum()), "row")
        raise DataError(f"{place(column.name, row)}: {shown(float(numbers[row]))} {what}{rest}. {cure}")


def _encode_levels(cells: Cells, column: Column, unseen: Unseen) -> Float[np.ndarray, " rows"]:
    levels: tuple[Level, ...] = column.levels or ()
    codes, unknown = codes_for(cells, levels)
    if column.rest is not None:
        return np.where(unknown, float(levels.index(column.rest)), codes)
    if unseen == "error" and unknown.any():
        row, rest = int(np.argmax(unknown)), in_all(int(unknown.sum()), "row")
        raise DataError(
            f"{place(cells.name, row)}: {shown(cells.at(row))} is none of its levels "
            f"{', '.join(show_level(level) for level in levels[:12])}"
            f"{', …' if len(levels) > 12 else ''}{rest}. Correct it, or let unseen levels count as missing "
            "(--unseen-as-missing)."
        )
    return codes


def decode(values: Float[np.ndarray, "rows columns"], schema: Schema) -> pa.Table:
    """A matrix as a table again: levels for codes, whole numbers for counts, empty cells for NaN.

    Counts are rounded to the nearest whole number (an imputed mean is rarely one).

    Raises:
        DataError: the matrix has another number of columns, or a code that is no level.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 2 or values.shape[1] != len(schema):
        raise DataError(f"expected a matrix of {len(schema)} columns, found one of shape {values.shape}.")
    arrays = [_decode_column(values[:, index], column) for index, column in enumerate(schema.columns)]
    return pa.table(arrays, names=list(schema.names))


def _decode_column(values: Float[np.ndarray, " rows"], column: Column) -> pa.Array:
    missing = np.isnan(values)
    if column.levelled or column.kind == "count":
        _refuse(values, np.isinf(values), column, "is infinite", "Only numbers and NaN can be decoded.")
    if column.levels is not None:
        bad = ~missing & ((values != np.round(values)) | (values < 0) | (values >= len(column.levels)))
        if bad.any():
            row = int(np.argmax(bad))
            raise DataError(
                f"{place(column.name, row)}: {shown(float(values[row]))} is not a code; its "
                f"{len(column.levels)} levels have the codes 0 to {len(column.levels) - 1}."
            )
        codes = pa.array(np.where(missing, 0, values).astype(np.int64), mask=missing)
        if column.ordered and isinstance(column.levels[0], str):
            return pa.DictionaryArray.from_arrays(codes.cast(pa.int32()), pa.array(column.levels), ordered=True)
        return pc.take(pa.array(column.levels), codes)
    if column.kind == "count":
        return pa.array(np.where(missing, 0, np.round(values)).astype(np.int64), mask=missing)
    return pa.array(np.ascontiguousarray(values), mask=missing)
