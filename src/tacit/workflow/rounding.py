"""Drawn and filled-in numbers as the table has them: with its decimals, and between its least and its greatest."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float
from scipy import sparse

from tacit.data.dataset import dataset_of
from tacit.data.dates import MONTH_FIRST, dates_of
from tacit.data.restored_dates import date_parts, has_time, instead_of_parts, put_right, written_dates
from tacit.data.schema import Schema
from tacit.data.table import Table
from tacit.plots.style import decimals_of, thin
from tacit.workflow.sources import Rows

LOOKED_AT = 200_000
"""Values of a column by which it is said with how many decimals it is written."""
TRIES = 25
"""How often rows that lie outside are drawn again before what still does is put on the nearest end."""

Written = Mapping[str, Any]
"""Of a column: "low", "high" and "decimals"; empty of levels, and where there is no value. Of days gone by also "date",
how the dates are written."""


def written(rows: Rows) -> list[dict[str, Any]]:
    """How the columns of a table are written, and between which ends they lie."""
    if rows.schema is None or rows.target is not None or sparse.issparse(rows.whole.values):
        return []
    data = dataset_of(rows.whole.values)
    forms = rows.table.date_forms if isinstance(rows.table, Table) else {}
    dates = {rows.schema.names[each.days]: forms[each.base] for each in date_parts(rows.schema) if each.base in forms}
    found: list[dict[str, Any]] = []
    low, high = data.ends() if data.portable else (None, None)
    some = data.rows(thin(len(data), LOOKED_AT)) if data.portable else None
    for place, column in enumerate(rows.schema.columns):
        values = data.column(place) if some is None else some[:, place]
        seen = values[~np.isnan(values)]
        if column.levels is not None or not seen.size:
            found.append({})
            continue
        part = seen if seen.size <= LOOKED_AT else seen[thin(seen.size, LOOKED_AT)]
        least = seen.min() if low is None else low[place]
        most = seen.max() if high is None else high[place]
        found.append({"low": float(least), "high": float(most), "decimals": decimals_of(part)})
        if column.name in dates:
            found[-1]["date"] = dates[column.name]
    return found


def ends(told: Sequence[Written], columns: int) -> tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " columns"]]:
    """The least and the greatest of every column; infinite where nothing is known."""
    if len(told) != columns:
        return np.full(columns, -np.inf), np.full(columns, np.inf)
    return (
        np.array([each.get("low", -np.inf) for each in told]),
        np.array([each.get("high", np.inf) for each in told]),
    )


def drawn_within(
    draw: Callable[[int, int], Float[np.ndarray, "rows columns"]],
    number: int,
    told: Sequence[Written],
    free: Bool[np.ndarray, " columns"] | None = None,
) -> Float[np.ndarray, "rows columns"]:
    """So many rows of a model between the ends of the table: those outside are drawn again.

    Args:
        draw: gives some rows, by how many and by which try this is.
        number: rows wanted.
        told: how the columns are written.
        free: the columns that are drawn; all where None.
    """
    first = draw(number, 0)
    low, high = ends(told, first.shape[1])
    chosen = np.ones(first.shape[1], bool) if free is None else free
    kept = [first[_inside(first, low, high, chosen)]]
    there, outside = len(kept[0]), first[~_inside(first, low, high, chosen)]
    for again in range(1, TRIES):
        if there >= number:
            break
        more = draw(number, again)
        inside = _inside(more, low, high, chosen)
        kept.append(more[inside])
        there += int(inside.sum())
    rows = np.concatenate([*kept, np.where(chosen, np.clip(outside, low, high), outside)])[:number]
    return np.where(chosen, rounded(rows, told), rows)


def _inside(rows: np.ndarray, low: np.ndarray, high: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    return ((~chosen) | np.isnan(rows) | ((rows >= low) & (rows <= high))).all(axis=1)


def within(values: Float[np.ndarray, "... columns"], told: Sequence[Written]) -> Float[np.ndarray, "... columns"]:
    """Values put between the ends of the table, and rounded as it is."""
    low, high = ends(told, values.shape[-1])
    return rounded(np.clip(values, low, high), told)


def rounded(values: Float[np.ndarray, "... columns"], told: Sequence[Written]) -> Float[np.ndarray, "... columns"]:
    """Values with as many decimals as the columns of the table have."""
    values = np.array(values, np.float64)
    for place, each in enumerate(told if len(told) == values.shape[-1] else ()):
        if each.get("decimals") is not None:
            values[..., place] = np.round(values[..., place], int(each["decimals"]))
    return values


def date_forms(schema: Schema, told: Sequence[Written]) -> dict[str, str]:
    """How the columns of dates are written of which columns were made; as dates, or times, where a run does not say."""
    found = {}
    for parts in date_parts(schema):
        clock = "part of day" in parts.cycles
        said = told[parts.days].get("date") if len(told) == len(schema) else None
        found[parts.base] = str(said or ("time" if clock else "date"))
    return found


def one_date(
    values: Float[np.ndarray, "rows columns"],
    schema: Schema,
    told: Sequence[Written],
    free: Bool[np.ndarray, "rows columns"] | None = None,
) -> Float[np.ndarray, "rows columns"]:
    """Rows in which all that was made from one date is of one date; what is not ``free`` stays as it is."""
    drawn = np.ones(values.shape, bool) if free is None else free
    whole = {base: not has_time(form) for base, form in date_forms(schema, told).items()}
    return put_right(values, schema, drawn, ends(told, len(schema)), whole=whole)


def with_dates(
    table: pa.Table, values: Float[np.ndarray, "rows columns"], schema: Schema, told: Sequence[Written]
) -> pa.Table:
    """A table of all columns of a schema with the dates themselves where their parts were."""
    return instead_of_parts(table, values, schema, date_forms(schema, told))


def dates_filled(
    table: pa.Table, values: Float[np.ndarray, "rows columns"], missing: np.ndarray, schema: Schema
) -> pa.Table:
    """A table as it was read, with its gaps in columns of dates filled, written as the others there are."""
    for parts in date_parts(schema):
        if parts.base not in table.column_names or not missing[:, parts.days].any():
            continue
        column = table.column(parts.base)
        form = dates_of(column, month_first=schema.columns[parts.days].note.endswith(MONTH_FIRST))[2]
        made = written_dates(np.where(missing[:, parts.days], values[:, parts.days] + parts.zero, np.nan), form)
        plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        if pa.types.is_timestamp(plain.type) and plain.type.tz is not None:
            made = pc.assume_timezone(made, plain.type.tz, ambiguous="earliest", nonexistent="earliest")
        filled = pc.coalesce(plain, made.cast(plain.type))
        table = table.set_column(table.column_names.index(parts.base), parts.base, filled)
    return table


def like_source(table: pa.Table, source: pa.Table | None, schema: Schema, told: Sequence[Written]) -> pa.Table:
    """A table whose columns of whole numbers are whole numbers, as in the source or where all of it was whole."""
    for place, column in enumerate(schema.columns):
        name = column.name
        if name not in table.column_names or not pa.types.is_floating(table.schema.field(name).type):
            continue
        whole = len(told) == len(schema) and told[place].get("decimals") == 0
        if source is not None and name in source.column_names:
            whole = whole and pa.types.is_integer(source.schema.field(name).type)
        if whole and max(abs(told[place]["low"]), abs(told[place]["high"])) < 2**53:
            at = table.column_names.index(name)
            table = table.set_column(at, name, table.column(name).cast(pa.int64(), safe=False))
    return table
