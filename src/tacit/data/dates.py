"""Dates as columns that a model can use: the days gone by, the month, the weekday and the part of the day.

What goes round is a column of levels, which has no false edge between December and January, or Sunday and Monday. The
names of the columns say all that new data need: ``joined: days since 2020-01-01``.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float

from tacit.data.cells import ColumnsOneByOne
from tacit.data.encode import Unseen, encode, only
from tacit.data.errors import DataError, in_all, quoted
from tacit.data.errors import place as place_of
from tacit.data.schema import Column, Schema

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOURS = ("0 to 6 h", "6 to 12 h", "12 to 18 h", "18 to 24 h")
CYCLES: Mapping[str, tuple[str, ...]] = {"month": MONTHS, "weekday": WEEKDAYS, "part of day": HOURS}
"""What goes round, and its levels."""

_NAME = re.compile(r"^(.+): (days since (\d{4}-\d{2}-\d{2})|month|weekday|part of day)$", re.DOTALL)
_DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y"),
    *("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d/%m/%y", "%m/%d/%y"),
    *("%d %b %Y", "%d-%b-%Y", "%d %B %Y", "%b %d %Y", "%B %d %Y", "%d-%b-%y", "%Y%m%d"),
)
_TIMES = ("", " %H:%M:%S", " %H:%M", " %I:%M:%S %p", " %I:%M %p")
_TURNED = {"%d/%m/%Y": "%m/%d/%Y", "%d-%m-%Y": "%m-%d-%Y", "%d/%m/%y": "%m/%d/%y"}
_DAY = 86_400.0
MONTH_FIRST, DAY_FIRST, TAKEN_DAY_FIRST = ", month first", ", day first", ", read as day, month, year"
"""Stand in the note of a column, so that new data are read the same way; the last where it could be either."""


class Dated(NamedTuple):
    """The columns that a column of dates became.

    Attributes:
        columns: what they are.
        values: ``[rows, columns]``, NaN where there is no date.
        note: what was done, in plain words.
        form: how the dates are written: "date", "time", what `strftime` takes, or the same after "int:".
    """

    columns: tuple[Column, ...]
    values: Float[np.ndarray, "rows columns"]
    note: str
    form: str = "date"


def dated(name: str, column: pa.ChunkedArray, *, cycles: bool = True) -> Dated | None:
    """What a column of dates becomes; None where its cells cannot be read as dates, or say one day only.

    Args:
        name: the heading.
        column: dates, times, texts or whole numbers such as 20210401.
        cycles: whether month, weekday and part of the day are columns too, where the rows span enough of them.
    """
    days, how, form = dates_of(column)
    present = days[~np.isnan(days)]
    if not present.size or present.min() == present.max():
        return None
    first = np.datetime64(int(np.floor(present.min())), "D").astype("datetime64[Y]").astype("datetime64[D]")
    # one step apart from row to row, they number the rows and say nothing else of them
    wanted = [] if _numbers_rows(days) else [f"days since {first}"]
    span = float(np.ptp(present))
    if cycles:
        wanted += ["month"] * (span >= 365) + ["weekday"] * (span >= 28)
        wanted += ["part of day"] * bool((present % 1 != 0).mean() > 0.5)
    columns, values = [], []
    for part in wanted:
        found = part_of(days, part)
        codes = np.unique(found[~np.isnan(found)])
        if codes.size < 2:
            continue
        levels = CYCLES.get(part)
        if levels is not None and codes.size < len(levels):  # such as no Sundays: those that are there
            levels = tuple(levels[int(code)] for code in codes)
            found = np.where(np.isnan(found), np.nan, np.searchsorted(codes, found).astype(float))
        if levels is None:
            kind: Column = Column(f"{name}: {part}", "continuous", None, f"days gone by, of the dates in {name}{how}")
        else:
            kind = Column(f"{name}: {part}", "binary" if len(levels) == 2 else "categorical", levels, f"of {name}{how}")
        columns.append(kind)
        values.append(found)
    if not columns:
        return None
    said = ", ".join(column.name.rpartition(": ")[2] for column in columns)
    note = f"{name!r} holds dates{how}: taken as {said} (--dates says otherwise: days, or drop)"
    return Dated(tuple(columns), np.column_stack(values), note, form)


def _numbers_rows(days: Float[np.ndarray, " rows"]) -> bool:
    """Whether dates run up or down by one step from row to row."""
    steps = np.diff(days)
    if steps.size < 10 or np.isnan(steps).all():
        return False
    usual = float(np.nanmedian(steps))
    return usual != 0.0 and float(np.mean(np.abs(steps - usual) <= 0.01 * abs(usual))) >= 0.9


def base_of(name: str) -> str | None:
    """The column of dates that a column was made from, by its name."""
    found = _NAME.match(name)
    return found[1] if found else None


def made_from_dates(table: ColumnsOneByOne, schema: Schema) -> dict[str, str]:
    """The columns of a schema that are to be made from dates of a table, and from which."""
    bases = {name: base_of(name) for name in schema.names if name not in table.column_names}
    return {name: base for name, base in bases.items() if base is not None and base in table.column_names}


def encoded(table: ColumnsOneByOne, schema: Schema, unseen: Unseen = "error") -> Float[np.ndarray, "rows columns"]:
    """What `encode` gives, of a schema that may have columns made from dates."""
    made = made_from_dates(table, schema)
    kept = [place for place, name in enumerate(schema.names) if name not in made]
    values = np.empty((table.num_rows, len(schema)))
    values[:, kept] = encode(table, Schema(tuple(schema.columns[place] for place in kept)), unseen=unseen)
    return fill(values, table, schema, made, unseen)


def fill(
    values: Float[np.ndarray, "rows columns"],
    table: ColumnsOneByOne,
    schema: Schema,
    made: Mapping[str, str],
    unseen: Unseen = "error",
) -> Float[np.ndarray, "rows columns"]:
    """Work out the columns made from dates, in place.

    Raises:
        DataError: no cell of a column can be read as a date, days and months stand the other way round than at the fit,
            or a weekday or the like was not seen there.
    """
    known: dict[str, np.ndarray] = {}
    for name, base in made.items():
        if base not in known:
            column = only(table, base)
            known[base], how = days_of(column, month_first=schema[name].note.endswith(MONTH_FIRST))
            _check_order(base, schema[name].note, how)
            if np.isnan(known[base]).all() and column.null_count < len(column):
                raise DataError(f"{quoted(base)} should hold dates, as at the fit, and none of its cells is one.")
        place = schema.names.index(name)
        found, levels = part_of(known[base], name.rpartition(": ")[2]), schema.columns[place].levels
        if levels is not None:
            names = CYCLES[name.rpartition(": ")[2]]
            codes = np.array([levels.index(level) if level in levels else np.nan for level in names])
            coded = np.where(np.isnan(found), np.nan, codes[np.nan_to_num(found).astype(int)])
            strange = np.flatnonzero(np.isnan(coded) & ~np.isnan(found))
            if strange.size and unseen == "error":
                met = names[int(found[strange[0]])]
                raise DataError(
                    f"{place_of(base, int(strange[0]))}: its {name.rpartition(': ')[2]} is {met}, which no row of the "
                    f"fit had{in_all(strange.size, 'row')}. Say --unseen-as-missing to let it count as missing."
                )
            found = coded
        values[:, place] = found
    return values


def _check_order(base: str, note: str, how: str) -> None:
    """Refuse dates that have days and months the other way round than those of the fit."""
    month_first = note.endswith(MONTH_FIRST)
    day_first = note.endswith((DAY_FIRST, TAKEN_DAY_FIRST))
    if (month_first and how == DAY_FIRST) or (day_first and how == MONTH_FIRST):
        was, now = ("month", "day") if month_first else ("day", "month")
        raise DataError(
            f"{quoted(base)}: the dates have the {now} first, and those of the fit were read with the {was} first. "
            "Write them alike, as 2023-03-26 for instance, or fit again."
        )


def day_zero(part: str) -> int:
    """The day from which ``days since 2020-01-01`` count, in days since 1970."""
    return int(np.datetime64(part.removeprefix("days since "), "D").astype(int))


def part_of(days: Float[np.ndarray, " rows"], part: str) -> Float[np.ndarray, " rows"]:
    """One thing that dates, in days since 1970, say."""
    if part.startswith("days since "):
        return days - day_zero(part)
    missing = np.isnan(days)
    whole = np.floor(np.where(missing, 0.0, days)).astype(np.int64)
    if part == "month":
        found = whole.astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12
    elif part == "weekday":
        found = (whole + 3) % 7  # 1970 began on a Thursday
    else:
        found = np.minimum((np.where(missing, 0.0, days) % 1 * 4).astype(int), 3)
    return np.where(missing, np.nan, found.astype(float))


def days_of(column: pa.ChunkedArray, *, month_first: bool = False) -> tuple[Float[np.ndarray, " rows"], str]:
    """Dates as days since 1970, NaN where there is none, and a word about how they are written.

    Args:
        column: of dates, texts or whole numbers.
        month_first: whether the month stands first where that is not plain from the cells.
    """
    return dates_of(column, month_first=month_first)[:2]


def dates_of(column: pa.ChunkedArray, *, month_first: bool = False) -> tuple[Float[np.ndarray, " rows"], str, str]:
    """What `days_of` gives, and how they are written as `Dated` has it."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            column = pc.local_timestamp(column)  # the hour that a clock there showed
        return _seconds(column) / _DAY, "", "date" if pa.types.is_date(kind) else "time"
    numbers = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if numbers:
        column = pc.cast(column, pa.int64(), safe=False).cast(pa.string())
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return np.full(len(column), np.nan), "", "date"
    encoded_texts = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    found, how, form = _parsed(encoded_texts.dictionary, month_first)
    codes = encoded_texts.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.append(found, np.nan)[codes], how, f"int:{form}" if numbers else form


def _seconds(column: pa.Array | pa.ChunkedArray) -> Float[np.ndarray, " rows"]:
    """Seconds since 1970."""
    whole = pa.chunked_array([column]) if isinstance(column, pa.Array) else column
    exact = whole.cast(pa.timestamp("us"), safe=False).cast(pa.int64()).cast(pa.float64(), safe=False)
    return np.asarray(exact.to_numpy()) / 1e6


def _parsed(texts: pa.Array, month_first: bool) -> tuple[Float[np.ndarray, " texts"], str, str]:
    """Texts as days since 1970, by the one form that most of them have, which is given too."""
    plain = pc.utf8_trim_whitespace(texts)
    for pattern, by in (
        (r"(\d)[T_](\d)", r"\1 \2"),
        (r"(:\d{2})[.,]\d+", r"\1"),
        (r"\s*(Z|UTC|GMT|[-+]\d{2}:?\d{2})$", ""),
        (r"^(?i:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+", ""),
        (r",\s*", " "),
    ):
        plain = pc.replace_substring_regex(plain, pattern, by)
    best, form, clock = None, "", ""
    for day in _DAYS:
        for time in _TIMES:
            found = pc.strptime(plain, format=day + time, unit="s", error_is_null=True)
            if best is None or found.null_count < best.null_count:
                best, form, clock = found, day, time
            if found.null_count == plain.null_count:
                break
        if best is not None and best.null_count == plain.null_count:
            break
    if best is None or best.null_count - plain.null_count > 0.1 * len(plain):
        return np.full(len(texts), np.nan), "", "date"
    if form in _TURNED.values():
        return _seconds(best) / _DAY, MONTH_FIRST, form + clock
    if form not in _TURNED:
        return _seconds(best) / _DAY, "", form + clock
    turned = pc.strptime(plain, format=_TURNED[form] + clock, unit="s", error_is_null=True)
    if turned.null_count > best.null_count:
        return _seconds(best) / _DAY, DAY_FIRST, form + clock
    if month_first:
        return _seconds(turned) / _DAY, MONTH_FIRST, _TURNED[form] + clock
    return _seconds(best) / _DAY, TAKEN_DAY_FIRST, form + clock
