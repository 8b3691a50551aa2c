"""The single way from a file to what a model takes: `load`."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from tacit.data.cells import ColumnsOneByOne, cells_of
from tacit.data.dates import Dated, base_of, dated, fill, made_from_dates
from tacit.data.encode import HeldColumns, Unseen, check_present, ignored, only
from tacit.data.erring import take_errors, variances_of
from tacit.data.errors import DataError, counted, listed, nearest, quoted
from tacit.data.frames import from_frame
from tacit.data.kinds import AS_ONE, LeftOut, infer, judge
from tacit.data.levels import show_level
from tacit.data.long import CountTable, LogColumns, count_table, parse_long
from tacit.data.parquet import ParquetColumns
from tacit.data.places import files_of, locate
from tacit.data.purchases import KINDS_OF_CUSTOMERS, customers
from tacit.data.read import TableReading, form_of, named_signs_out, other_sheets_named, read, with_options
from tacit.data.reading import FOUND_OUT, ReadAs, ReadingOptions
from tacit.data.schema import Column, Schema
from tacit.data.sequenced import FoundSequences, SequenceColumns, take_sequence
from tacit.data.write import unguarded


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """A table as a model takes it.

    Attributes:
        values: ``[rows, columns]`` in float64: NaN where missing, codes of levels, the user's units.
        schema: what the columns are.
        left_out: the columns no model sees, with reasons.
        source: where it was read.
        row_ids: ``[rows]``, what a person calls each row (an identifier column), or None.
        notes: what was guessed or ignored on the way, in plain words.
        read_as: how a table of text is written, or None.
        date_forms: how the columns of dates are written of which others were made (`Dated.form`).
        variances: ``[rows, columns]``, of the errors of measurement of every value, or None.
        sequences: of which sequence every row is, and when; or None.
        number: how many rows the source has, where `values` are some of them only.
    """

    values: Float[np.ndarray, "rows columns"]
    schema: Schema
    left_out: tuple[LeftOut, ...] = ()
    source: str = ""
    row_ids: np.ndarray | None = None
    notes: tuple[str, ...] = ()
    read_as: ReadAs | None = None
    date_forms: Mapping[str, str] = dataclasses.field(default_factory=dict)
    variances: Float[np.ndarray, "rows columns"] | None = None
    sequences: FoundSequences | None = None
    number: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The headings of the columns of `values`."""
        return self.schema.names

    def __len__(self) -> int:
        return len(self.values) if self.number is None else self.number


@dataclasses.dataclass(frozen=True)
class SummaryLine:
    """What is said about one column in a summary.

    Attributes:
        name: the heading.
        kind: its kind, or "left out".
        missing: the share of rows without a value, 0 to 1 (NaN for columns left out).
        values: the range and mean, or the levels and their shares.
        note: the reason of the kind.
    """

    name: str
    kind: str
    missing: float
    values: str
    note: str


def load(
    source: Any,
    kinds: Mapping[str, str] | None = None,
    schema: Schema | None = None,
    long: str | Sequence[str] | None = None,
    id_column: str | None = None,
    *,
    unseen: Unseen = "error",
    errors: Mapping[str, str] | None = None,
    sequence: SequenceColumns | None = None,
    reading: ReadingOptions | None = None,
    **options: Any,
) -> Table | CountTable:
    """Read a table and make it ready for a model.

    Args:
        source: a path, ``-``, bytes, an open file (see `read`), or a table in memory (see `from_frame`).
        kinds: kinds of some columns by name, over what is inferred.
        schema: the columns of a fitted model; new data is read as they say, nothing is inferred.
        long: ``customer,item,quantity``: the table is a log, to be added up into counts; with date or price behind,
            ``customer,item,quantity,date,price``, it becomes recency, frequency and monetary value of every customer.
        id_column: the column that names the rows; otherwise the first identifier that differs in every row.
        unseen: with `schema`, what a level it does not know becomes: "error" or "missing".
        errors: of columns, the column that holds the standard deviation of each value's error of measurement.
        sequence: the columns that say of which sequence a row is, and when it was seen.
        reading: how the table is written, as far as it is known.
        options: the same one by one, as `read` takes them.

    Returns:
        A `Table`, or a `CountTable` for a log.

    Raises:
        DataError: whatever is wrong with the table; row and column are named.
    """
    said = with_options(reading or ReadingOptions(), options)
    log = None if long is None else parse_long(long)
    if log is not None and errors:
        raise DataError("errors of measurement (--error) are of the columns of a table, and a purchase log has none.")
    if log is not None and log.counted:
        return _load_log(_opened(source, reading, options), log, kinds, schema, id_column, net=said.returns == "net")
    if log is not None:
        source = _customers_of(_opened(source, reading, options), log, net=said.returns == "net")
        id_column, reading, options = id_column or log.customer, None, {}
        kinds = kinds if schema is not None else _kinds_of_customers(source, kinds)
    table, about = _columns(source, reading, options, schema)
    held = take_errors(table, errors or {})
    found = None if sequence is None else take_sequence(table, sequence)
    beside = {*held, *(() if sequence is None else sequence.names)}
    table.column_names[:] = [name for name in table.column_names if name not in beside]
    if id_column is not None:
        _check_known(id_column, table)
    if schema is not None:
        if said.dates is not None:
            raise DataError("what dates become was settled when the model was fitted; leave dates out for new data.")
        new = _load_new(table, about.source, about.notes, kinds, schema, id_column, unseen)
        return _with_errors(dataclasses.replace(new, read_as=about.read_as, sequences=found), errors, held)
    first = _load_first(table, about, kinds, id_column, said.dates or "parts")
    if sequence is not None:
        first = dataclasses.replace(first, sequences=found, notes=(*first.notes, sequence.told()))
    return _with_errors(first, errors, held)


def _load_first(
    table: HeldColumns | ParquetColumns,
    about: "_About",
    kinds: Mapping[str, str] | None,
    id_column: str | None,
    way: str,
) -> Table:
    """A table that no model knows yet: what its columns are is inferred; dates become what ``way`` says."""
    chosen = dict(kinds or {})
    if id_column is not None:
        chosen.setdefault(id_column, "identifier")
    with other_sheets_named(about.notes):
        found, left_out = infer(table, chosen)
    ids = row_ids(table, id_column, (entry.name for entry in left_out if entry.role == "identifier"))
    one = [(each.name, each.note.partition(AS_ONE)[2]) for each in found.columns if AS_ONE in each.note]
    notes = (*about.notes, *(f"levels of {quoted(name)} taken as one: {spelled}" for name, spelled in one))
    from_dates = [] if way == "drop" else _from_dates(table, left_out, chosen, cycles=way == "parts")
    values = table.encoded(found)
    whole = Table(values, found, left_out, about.source, ids, (*notes, *_empty(values, found)), about.read_as)
    return _joined(whole, from_dates)


def _with_errors(table: Table, errors: Mapping[str, str] | None, held: Mapping[str, np.ndarray]) -> Table:
    """A table with the errors of measurement of its values, where it has some."""
    if not errors:
        return table
    said = ", ".join(f"{quoted(name)} has its errors of measurement in {error!r}" for name, error in errors.items())
    variances = variances_of(table.values, table.schema, errors, held)
    return dataclasses.replace(table, variances=variances, notes=(*table.notes, said))


def _from_dates(
    table: ColumnsOneByOne, left_out: Sequence[LeftOut], chosen: Mapping[str, str], *, cycles: bool
) -> list[tuple[str, Dated]]:
    """What the columns of dates become that nobody left out."""
    found = []
    for entry in left_out:
        made = None
        if entry.role == "date" and entry.name not in chosen:
            made = dated(entry.name, only(table, entry.name), cycles=cycles)
        if made is not None and not {column.name for column in made.columns} & set(table.column_names):
            found.append((entry.name, made))
    return found


def _joined(table: Table, from_dates: Sequence[tuple[str, Dated]]) -> Table:
    """A table with the columns that were made from dates as its last."""
    if not from_dates:
        return table
    names = {name for name, _ in from_dates}
    return dataclasses.replace(
        table,
        values=np.column_stack([table.values, *(made.values for _, made in from_dates)]),
        schema=Schema((*table.schema.columns, *(column for _, made in from_dates for column in made.columns))),
        left_out=tuple(entry for entry in table.left_out if entry.name not in names),
        notes=(*table.notes, *(made.note for _, made in from_dates)),
        date_forms={name: made.form for name, made in from_dates},
    )


_MOSTLY_EMPTY = 0.8
"""A column with a larger share of empty cells is told of."""


def _empty(values: Float[np.ndarray, "rows columns"], schema: Schema) -> tuple[str, ...]:
    """A note about the columns that are mostly empty."""
    shares = [float(np.isnan(values[:, place]).mean()) for place in range(len(schema))]
    told = [
        f"{name!r} ({share:.0%})" for name, share in zip(schema.names, shares, strict=True) if share > _MOSTLY_EMPTY
    ]
    more = f" and {len(told) - 8} more" if len(told) > 8 else ""
    return (f"mostly empty: {', '.join(told[:8])}{more}; --kind COLUMN=drop leaves one out",) if told else ()


@dataclasses.dataclass(frozen=True)
class _About:
    """What is known of a source beside its columns."""

    source: str
    notes: tuple[str, ...] = ()
    read_as: ReadAs | None = None


def _columns(
    source: Any, reading: ReadingOptions | None, options: Mapping[str, Any], schema: Schema | None = None
) -> tuple[HeldColumns | ParquetColumns, _About]:
    """The columns of a source, and what was guessed; those of a Parquet file are read one at a time."""
    paths = _parquet_files(source)
    if paths:
        columns = ParquetColumns(paths, with_options(reading or ReadingOptions(), options))
        told = (f"{len(paths)} files are one table, from {paths[0]} to {paths[-1]}",) if len(paths) > 1 else ()
        return columns, _About(columns.source, told)
    found = _opened(source, reading, options)
    table = found.table if schema is None else unguarded(found.table, schema)
    return HeldColumns(table), _About(found.source, found.notes, found.read_as)


def _parquet_files(source: Any) -> list[Path]:
    """The files of a source, if all are Parquet; else none."""
    several = files_of(source)
    if several is None:
        path = locate(source)[0] if isinstance(source, str | Path) else None
        several = (path,) if path is not None and path.is_file() else ()
    for each in several:
        locate(each)
    return list(several) if several and all(form_of(path) == "parquet" for path in several) else []


def _opened(source: Any, reading: ReadingOptions | None, options: Mapping[str, Any]) -> TableReading:
    if (
        files_of(source) is not None
        or isinstance(source, str | bytes)
        or hasattr(source, "__fspath__")
        or hasattr(source, "read")
    ):
        return read(source, reading, **options)
    if isinstance(source, TableReading):
        return source
    return TableReading(
        named_signs_out(from_frame(source), with_options(reading or FOUND_OUT, options)), "the data in memory"
    )


def _customers_of(reading: TableReading, log: LogColumns, *, net: bool) -> TableReading:
    """A row a customer of a log with dates or prices."""
    found = customers(reading.table, log, net=net)
    return dataclasses.replace(reading, table=found.table, notes=(*reading.notes, *found.notes))


def _kinds_of_customers(reading: TableReading, asked: Mapping[str, str] | None) -> dict[str, str]:
    names = reading.table.column_names
    return {name: kind for name, kind in KINDS_OF_CUSTOMERS.items() if name in names} | dict(asked or {})


def _load_log(
    reading: TableReading,
    log: LogColumns,
    kinds: Mapping[str, str] | None,
    schema: Schema | None,
    id_column: str | None,
    *,
    net: bool,
) -> CountTable:
    if kinds or (id_column is not None and id_column != log.customer):
        raise DataError("a log becomes counts: it takes no kinds, and its rows are named by its first column.")
    items = None if schema is None else schema.names
    counts = count_table(
        reading.table, log.customer, log.item, log.quantity, items=items, source=reading.source, net=net
    )
    return dataclasses.replace(counts, notes=(*reading.notes, *counts.notes), read_as=reading.read_as)


def _load_new(
    table: HeldColumns | ParquetColumns,
    label: str,
    notes: tuple[str, ...],
    kinds: Mapping[str, str] | None,
    schema: Schema,
    id_column: str | None,
    unseen: Unseen,
) -> Table:
    if kinds:
        raise DataError("the kinds were settled when the model was fitted; leave them out when reading new data.")
    made = made_from_dates(table, schema)
    known = {name: name if name in table.column_names else base_of(name) or name for name in schema.names}
    check_present(table, Schema(tuple(Column(name, "continuous") for name in dict.fromkeys(known.values()))))
    extra = [name for name in ignored(table, schema) if name not in made.values() and name != id_column]
    if extra:
        notes = (*notes, f"{counted(len(extra), 'column')} the model does not know ignored: {listed(extra)}")
    named = (name for name in extra if judge(cells_of(name, only(table, name))).role == "identifier")
    ids = row_ids(table, id_column, named)
    if not made:
        return Table(table.encoded(schema, unseen), schema, (), label, ids, notes)
    rest = Schema(tuple(column for column in schema.columns if column.name not in made))
    values = np.empty((table.num_rows, len(schema)))
    fill(values, table, schema, made, unseen)
    values[:, [schema.names.index(name) for name in rest.names]] = table.encoded(rest, unseen)
    return Table(values, schema, (), label, ids, notes)


def _check_known(name: str, table: ColumnsOneByOne) -> None:
    if name not in table.column_names:
        close = nearest(name, table.column_names)
        raise DataError(f"no column {name!r} to name the rows by; there are {listed(table.column_names, 20)}.{close}")


def row_ids(table: ColumnsOneByOne, id_column: str | None, candidates: Iterable[str]) -> np.ndarray | None:
    """What names the rows: the column asked for, else the first candidate that never repeats."""
    if id_column is not None:
        return _plain_values(table, id_column)
    for name in candidates:
        column = only(table, name)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pc.count_distinct(column, mode="all").as_py() == table.num_rows:
            return _plain_values(table, name)
    return None


def _plain_values(table: ColumnsOneByOne, name: str) -> np.ndarray:
    column = only(table, name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_nested(column.type):
        raise DataError(f"{quoted(name)} holds lists or records and cannot name rows.")
    if pa.types.is_integer(column.type) and not column.null_count:
        return np.asarray(column.to_numpy())
    return np.asarray(column.to_pylist(), object)


def describe(table: Table) -> list[SummaryLine]:
    """A line for every column: kind, share missing, what it holds and why; columns left out come last."""
    lines = []
    for place, column in enumerate(table.schema.columns):
        values = table.values[:, place]
        present = values[~np.isnan(values)]
        missing = 1.0 - len(present) / max(len(values), 1)
        held = _levels_held(present, column.levels) if column.levels is not None else _range_held(present)
        lines.append(SummaryLine(column.name, column.word, missing, held, column.note))
    return lines + [SummaryLine(entry.name, "left out", float("nan"), "", entry.reason) for entry in table.left_out]


def _levels_held(codes: Float[np.ndarray, " rows"], levels: tuple[Any, ...], most: int = 4) -> str:
    """The most frequent levels and their shares: ``Adelie 44 %, Gentoo 36 %, Chinstrap 20 %``."""
    counts = np.bincount(codes.astype(np.int64), minlength=len(levels))
    order = np.argsort(-counts, kind="stable")
    total = max(int(counts.sum()), 1)
    parts = [f"{show_level(levels[code])} {counts[code] / total:.0%}" for code in order[:most]]
    return ", ".join(parts) + (f" and {len(levels) - most} more" if len(levels) > most else "")


def _range_held(values: Float[np.ndarray, " rows"]) -> str:
    """``172 to 231, mean 200.9``."""
    if not len(values):
        return "nothing"
    low, high, mean = (_short(float(value)) for value in (values.min(), values.max(), values.mean()))
    return f"{low} to {high}, mean {mean}"


def _short(value: float) -> str:
    """Four digits, or all that stand before the point: ``0.02514``, ``3,928``, ``120,512``, ``1.5e+09``."""
    size = abs(value)
    if not 1e-4 <= size < 1e9:
        return f"{value:.4g}"
    digits = max(0, 3 - math.floor(math.log10(size)))
    text = f"{value:,.{digits}f}"
    return text.rstrip("0").rstrip(".") if digits else text
