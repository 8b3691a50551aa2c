"""Dates put together again from the columns that were made of them: one date a row, with its own month and weekday.

A model draws or fills in the days gone by, the month, the weekday and the part of the day each by itself. The date is
the day nearest to the drawn days that has the drawn weekday, lies between the ends of the fit, and has a month and
whatever else is known; its month follows from it.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float

from tacit.data.dates import CYCLES, base_of, day_zero, part_of
from tacit.data.schema import Schema

FARTHEST = 400
"""Days from the drawn one within which a day is looked for that has all that is known."""
_DATE, _TIME = "date", "time"


class DateParts(NamedTuple):
    """The columns of a schema that were made from one column of dates.

    Attributes:
        base: the column of dates.
        days: where the days gone by stand among the columns.
        zero: the day from which they count, in days since 1970.
        cycles: where month, weekday and part of the day stand.
    """

    base: str
    days: int
    zero: int
    cycles: Mapping[str, int]

    @property
    def places(self) -> list[int]:
        """All of them."""
        return sorted([self.days, *self.cycles.values()])


def date_parts(schema: Schema) -> list[DateParts]:
    """The dates that can be put together again: those whose days gone by are a column."""
    found: dict[str, dict[str, int]] = {}
    for place, name in enumerate(schema.names):
        base = base_of(name)
        if base is not None and base not in schema.names:
            found.setdefault(base, {})[name.removeprefix(f"{base}: ")] = place
    made = []
    for base, parts in found.items():
        days = next((part for part in parts if part.startswith("days since ")), None)
        if days is not None:
            cycles = {part: place for part, place in parts.items() if part in CYCLES}
            made.append(DateParts(base, parts[days], day_zero(days), cycles))
    return made


def put_right(
    values: Float[np.ndarray, "rows columns"],
    schema: Schema,
    free: Bool[np.ndarray, "rows columns"],
    ends: tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " columns"]],
    *,
    whole: Mapping[str, bool],
) -> Float[np.ndarray, "rows columns"]:
    """The same rows, in which all that was made from one date is of one date.

    Args:
        values: of all columns, without gaps among those of dates.
        schema: the columns.
        free: what was drawn or filled in rather than known.
        ends: the least and the greatest of every column.
        whole: of every column of dates whether it has no time of day.
    """
    values = np.array(values, np.float64)
    for parts in date_parts(schema):
        rows = np.flatnonzero(free[:, parts.places].any(axis=1) & ~np.isnan(values[:, parts.places]).any(axis=1))
        if rows.size:
            values[rows] = _one_date(values[rows], free[rows], schema, parts, ends, whole.get(parts.base, True))
    return values


def _one_date(
    values: np.ndarray,
    free: np.ndarray,
    schema: Schema,
    parts: DateParts,
    ends: tuple[np.ndarray, np.ndarray],
    whole: bool,
) -> np.ndarray:
    """Of rows in which a date, or a part of one, was drawn."""
    drawn = values[:, parts.days] + parts.zero
    wanted = {part: _codes(values[:, place], schema, place, part) for part, place in parts.cycles.items()}
    clock = wanted.pop("part of day", None)
    low, high = (np.floor(end[parts.days] + parts.zero) for end in ends)
    fixed = {part: ~free[:, parts.cycles[part]] for part in wanted}
    known_day = ~free[:, parts.days]
    start = np.clip(np.round(drawn) if whole else np.floor(drawn), low, high)
    found = np.where(known_day, np.floor(drawn), np.nan)
    # first with the weekday that was drawn, then with any that the fit has seen
    for soft in (("weekday",), ()):
        for step in _steps():
            todo = np.flatnonzero(np.isnan(found))
            if not todo.size:
                break
            day = start[todo] + step
            good = (day >= low) & (day <= high)
            for part, codes in wanted.items():
                own = part_of(day, part)
                seen = np.array([level in (schema.columns[parts.cycles[part]].levels or ()) for level in CYCLES[part]])
                must = fixed[part][todo] | (part in soft)
                good &= np.where(must, own == codes[todo], seen[own.astype(int)])
            found[todo[good]] = day[good]
    found = np.where(np.isnan(found), start, found)
    rest = np.zeros(len(found)) if whole else drawn - np.floor(drawn)
    if clock is not None:
        quarter = np.where(known_day & ~free[:, parts.cycles["part of day"]], np.floor(rest * 4), clock)
        rest = (quarter + rest * 4 % 1) / 4
    when = np.where(known_day, drawn, found + rest)
    values[:, parts.days] = when - parts.zero
    for part, place in parts.cycles.items():
        levels = list(schema.columns[place].levels or ())
        own = part_of(when, part).astype(int)
        codes = np.array([levels.index(each) if each in levels else np.nan for each in CYCLES[part]])[own]
        values[:, place] = np.where(np.isnan(codes), values[:, place], codes)
    return values


def _codes(values: np.ndarray, schema: Schema, place: int, part: str) -> np.ndarray:
    """Codes of levels that the fit saw as places in the whole cycle."""
    levels = schema.columns[place].levels or ()
    names = CYCLES[part]
    return np.array([names.index(str(level)) for level in levels], np.float64)[values.astype(int)]


def _steps() -> Sequence[int]:
    """0, 1, −1, 2, −2, …"""
    return [0, *(sign * step for step in range(1, FARTHEST) for sign in (1, -1))]


def written_dates(days: Float[np.ndarray, " rows"], form: str) -> pa.Array:
    """Days since 1970 as the table has its dates: a date, a time, a text of a form, or a whole number."""
    missing = np.isnan(days)
    seconds = pa.array(np.round(np.where(missing, 0.0, days) * 86_400).astype(np.int64), mask=missing)
    when = seconds.cast(pa.timestamp("s"))
    if form == _DATE:
        return when.cast(pa.date32())
    if form == _TIME:
        return when
    if form.startswith("int:"):
        return pc.strftime(when, form.removeprefix("int:")).cast(pa.int64())
    return pc.strftime(when, form)


def has_time(form: str) -> bool:
    """Whether dates of a form have a time of day."""
    return form == _TIME or "%H" in form or "%I" in form


def instead_of_parts(
    table: pa.Table, values: Float[np.ndarray, "rows columns"], schema: Schema, forms: Mapping[str, str]
) -> pa.Table:
    """A table of all columns of a schema with the dates themselves where their parts were."""
    for parts in date_parts(schema):
        made = written_dates(values[:, parts.days] + parts.zero, forms.get(parts.base, _DATE))
        names = [schema.names[place] for place in parts.places]
        at = table.column_names.index(names[0])
        table = table.drop_columns(names).add_column(at, parts.base, made)
    return table
