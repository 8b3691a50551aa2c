"""Rows that follow one another in time, in one sequence or in many."""

import warnings
from typing import Any, NamedTuple, Self

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike

from tacit.data.annotated import AnnotatedRows
from tacit.data.cells import ColumnsOneByOne, cells_of
from tacit.data.dataset import Dataset, Places
from tacit.data.dates import dates_of
from tacit.data.encode import only
from tacit.data.errors import DataError, listed, nearest, place


class SequencedRows(AnnotatedRows):
    """The rows of another data set, each with the sequence that it belongs to and its time.

    Args:
        whole: the rows, in any order.
        groups: ``[rows]``, numbers or texts that say of which sequence a row is.
        time: ``[rows]``, when each row was seen; None where rows stand in order.
    """

    def __init__(self, whole: Dataset, groups: np.ndarray, time: np.ndarray | None = None) -> None:
        super().__init__(whole)
        self.groups, self.time = groups, time

    def _annotated(self, taken: Dataset, places: Places) -> Self:
        return type(self)(taken, self.groups[places], None if self.time is None else self.time[places])


class SequenceColumns(NamedTuple):
    """The columns that say of which sequence a row is, and when it was seen."""

    group: str | None
    time: str | None

    @property
    def names(self) -> tuple[str, ...]:
        """Those that there are."""
        return tuple(name for name in self if name is not None)

    def told(self) -> str:
        """What is made of them, in words."""
        of = "all rows are one sequence" if self.group is None else f"rows of one {self.group!r} are a sequence"
        return of if self.time is None else f"{of}, in the order of {self.time!r}"


def parse_sequence(text: str) -> SequenceColumns:
    """``id,time`` as the two columns; ``id`` alone, or ``,time`` for a single sequence.

    Raises:
        DataError: it is not understood.
    """
    parts = [part.strip() or None for part in text.split(",")]
    if len(parts) > 2 or not any(parts) or (len(parts) == 2 and parts[0] == parts[1]):
        raise DataError(
            f"--sequence {text!r} is not understood; write it as ID,TIME, such as patient,day; as ID where rows stand "
            "in order, or as ,TIME where all rows are one sequence."
        )
    return SequenceColumns(parts[0], parts[1] if len(parts) == 2 else None)


class FoundSequences(NamedTuple):
    """What the columns say of every row."""

    groups: np.ndarray
    time: np.ndarray | None


def take_sequence(table: ColumnsOneByOne, columns: SequenceColumns) -> FoundSequences:
    """The sequence of every row, and its time.

    Raises:
        DataError: a column is not there, or a cell says nothing; column and row are named.
    """
    for name in columns.names:
        if name not in table.column_names:
            there = f"{listed(table.column_names, 20)}.{nearest(name, table.column_names)}"
            raise DataError(f"no column {name!r} (--sequence); there are {there}")
    groups, time = None, None
    if columns.group is not None:
        held = only(table, columns.group).to_pylist()
        groups = np.array([None if each is None or each == "" or each != each else each for each in held], object)
        _refuse_gaps(columns.group, np.array([each is None for each in groups], bool), "of which sequence it is")
        groups = groups.astype(str)
    if columns.time is not None:
        time = _time_of(table, columns.time)
        _refuse_gaps(columns.time, np.isnan(time), "when it was seen: a number, or a date such as 2024-05-31")
    number = len(only(table, columns.names[0]))
    groups = np.zeros(number, np.int64) if groups is None else groups
    try:
        order_of(number, groups, time=time)
    except ValueError as error:
        raise DataError(f"--sequence {','.join(name or '' for name in columns)}: {error}.") from None
    return FoundSequences(groups, time)


def _time_of(table: ColumnsOneByOne, name: str) -> Float[np.ndarray, " rows"]:
    column = only(table, name)
    cells = cells_of(name, column)
    numbers, text = cells.as_numbers()
    if text.any() or np.isnan(numbers).all():
        return np.asarray(dates_of(column)[0], np.float64)
    return np.asarray(numbers, np.float64)


def _refuse_gaps(name: str, missing: np.ndarray, what: str) -> None:
    if missing.any():
        raise DataError(f"{place(name, int(np.argmax(missing)))}: the cell does not say {what}.")


class SequenceOrder(NamedTuple):
    """Rows in the order of their sequences and of time."""

    order: Int[np.ndarray, " rows"]
    """The rows, one sequence after another."""
    lengths: Int[np.ndarray, " sequences"]
    names: tuple[Any, ...] | None
    """What the sequences are called, where groups say so."""
    time: np.ndarray | None
    """By row in order, where it is known."""

    def back(self, values: np.ndarray, axis: int = 0) -> np.ndarray:
        """Values of rows in order, as the rows were given."""
        found = np.empty_like(values)
        places = (slice(None),) * axis + (self.order,)
        found[places] = values
        return found


def order_of(
    rows: int, groups: ArrayLike | None = None, lengths: ArrayLike | None = None, time: ArrayLike | None = None
) -> SequenceOrder:
    """How rows follow one another.

    Args:
        rows: how many there are.
        groups: a number or text a row, which says of which sequence it is; rows of one need not be neighbours.
        lengths: of the sequences, which follow one another; in place of groups.
        time: when each row was seen: rows are put in its order. None: they stand in order.

    Raises:
        ValueError: what is wrong, in which row, and what to do.
    """
    if groups is not None and lengths is not None:
        raise ValueError("groups and lengths both say where sequences begin: give one of them")
    codes, names = np.zeros(rows, np.int64), None
    if lengths is not None:
        codes = _of_lengths(lengths, rows)
    elif groups is not None:
        codes, names = _of_groups(groups, rows)
    times = None if time is None else _times(time, rows)
    order = np.argsort(codes, kind="stable") if times is None else np.lexsort((times, codes))
    counts = np.bincount(codes)
    if times is not None:
        _check_rising(order, codes, times, names)
    return SequenceOrder(order, counts[counts > 0], names, None if times is None else times[order])


def _of_lengths(lengths: ArrayLike, rows: int) -> np.ndarray:
    given = np.atleast_1d(np.asarray(lengths))
    if given.ndim != 1 or given.dtype.kind not in "iu":
        raise ValueError(f"lengths must be whole numbers, one a sequence; got {lengths!r:.60}")
    if given.size == 0 or given.min() < 1:
        at = int(np.argmin(given)) if given.size else 0
        raise ValueError(
            f"lengths must be 1 or more; number {at} is {given[at] if given.size else 'missing'}: leave out sequences "
            "without rows"
        )
    if int(given.sum()) != rows:
        raise ValueError(f"lengths sum to {int(given.sum())}, and there are {rows} rows: every row is of one sequence")
    return np.repeat(np.arange(given.size), given)


def _of_groups(groups: ArrayLike, rows: int) -> tuple[np.ndarray, tuple[Any, ...]]:
    """Codes of the groups in the order in which they are met, and what they are called."""
    given = np.asarray(groups)
    if given.shape != (rows,):
        raise ValueError(f"groups must hold one value a row, {rows} of them; its shape is {given.shape}")
    missing = _missing(given)
    if missing.any():
        raise ValueError(
            f"groups: row {int(np.argmax(missing))} says nothing of which sequence it belongs to; fill it in or leave "
            "the row out"
        )
    try:
        known, first, codes = np.unique(given, return_index=True, return_inverse=True)
    except TypeError:  # of several kinds, such as numbers and texts
        known, first, codes = np.unique(given.astype(str), return_index=True, return_inverse=True)
    place = np.argsort(np.argsort(first))
    return place[codes.ravel()], tuple(known[np.argsort(first)].tolist())


def _missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype.kind == "O":
        return np.array([value is None or value != value for value in values.tolist()], bool)
    return np.zeros(values.shape, bool)


def _times(time: ArrayLike, rows: int) -> Float[np.ndarray, " rows"] | np.ndarray:
    """Times that can be put in order: numbers, or dates."""
    given = np.asarray(time)
    if given.shape != (rows,):
        raise ValueError(f"time must hold one value a row, {rows} of them; its shape is {given.shape}")
    missing = _missing(given)
    if missing.any():
        raise ValueError(
            f"time: row {int(np.argmax(missing))} has none; fill it in or leave the row out. (A step at which nothing "
            "was seen is a row of gaps with its time.)"
        )
    if given.dtype.kind in "OUS":
        try:
            given = np.asarray(given, float)
        except (TypeError, ValueError):
            try:
                with warnings.catch_warnings():  # moments of a time zone are put in order as those of UTC
                    warnings.filterwarnings("ignore", "no explicit representation of timezones")
                    given = np.asarray(given, "datetime64[ns]")
            except (TypeError, ValueError):
                raise ValueError(
                    f"time holds what is neither a number nor a date, such as {str(given[0])!r}: give numbers, dates, "
                    "or text like 2024-05-31"
                ) from None
    if given.dtype.kind == "f" and not np.isfinite(given).all():
        raise ValueError(f"time: row {int(np.argmax(~np.isfinite(given)))} is infinite; give the time it was seen")
    return given


def _check_rising(order: np.ndarray, codes: np.ndarray, times: np.ndarray, names: tuple[Any, ...] | None) -> None:
    again = (np.diff(codes[order]) == 0) & (times[order][1:] == times[order][:-1])
    if again.any():
        at = int(np.argmax(again))
        first, second = sorted((int(order[at]), int(order[at + 1])))
        of = "" if names is None else f" of sequence {names[int(codes[order[at]])]!r}"
        raise ValueError(
            f"rows {first} and {second}{of} have the same time, {times[order[at]]}: a sequence has one row a time. "
            "Leave one out, average them, or say by groups that they are of different sequences"
        )


def apart(
    rows: SequencedRows, share: float, random: np.random.Generator
) -> tuple[Int[np.ndarray, " fitted"], Int[np.ndarray, " kept"]]:
    """Rows that are fitted and rows that are kept aside, both in their order: whole sequences.

    Of a single sequence the last rows are kept, as a sequence of their own. None are kept where that leaves one row.
    """
    order = order_of(len(rows), rows.groups, time=rows.time)
    number = len(order.lengths)
    which = np.repeat(np.arange(number), order.lengths)
    if number > 1:
        wanted = round(share * number)
        chosen = np.isin(which, random.permutation(number)[: min(max(wanted, int(share > 0)), number - 1)])
    else:
        chosen = np.arange(len(rows)) >= min(len(rows) - round(share * len(rows)), len(rows))
        chosen &= len(rows) > 2
    return np.sort(order.order[~chosen]), np.sort(order.order[chosen])


def fold_of(rows: SequencedRows, folds: int, random: np.random.Generator) -> Int[np.ndarray, " rows"]:
    """The part of every row in a cross-validation: whole sequences, or of fewer than that neighbours in time."""
    order = order_of(len(rows), rows.groups, time=rows.time)
    number = len(order.lengths)
    if number >= folds:
        parts = np.repeat(random.permutation(number) % folds, order.lengths)
    else:
        parts = np.arange(len(rows)) * folds // len(rows)
    return order.back(parts)
