"""Purchase logs with dates or prices: a row a customer, with how lately, how often and for how much they bought."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from tacit.data.cells import cells_of
from tacit.data.dates import days_of
from tacit.data.encode import only
from tacit.data.errors import DataError, counted, place, quoted
from tacit.data.long import LogColumns, check_columns, lines_of

KINDS_OF_CUSTOMERS = {"recency": "continuous", "frequency": "count", "items": "count"}
"""What the columns are, whatever their values look like."""


class Customers(NamedTuple):
    """What is known of every customer of a log."""

    table: pa.Table
    """``customer``, and what the log allows of ``recency``, ``frequency``, ``monetary`` and ``items``."""
    notes: tuple[str, ...]


def customers(table: pa.Table, log: LogColumns, *, net: bool = False) -> Customers:
    """Recency, frequency and monetary value of every customer.

    ``recency`` is the days from the last purchase to the last day of the log, ``frequency`` the different days (without
    dates, the lines) with a purchase, ``monetary`` the sum of quantity times price, and ``items`` the sum of the
    quantities.

    Args:
        table: one line per purchase.
        log: its columns.
        net: whether returns are taken off what was bought; else they are left out.

    Raises:
        DataError: a column is absent or holds something else; column and row are named.
    """
    check_columns(table, log)
    lines = lines_of(table, log, net=net)
    keep, notes = lines.keep, list(lines.notes)
    when = None
    if log.date is not None:
        when, how = days_of(only(table, log.date))
        gone = np.isnan(when) & keep
        if gone.sum() > 0.1 * keep.sum():
            raise DataError(
                f"{place(log.date, int(np.argmax(gone)))}: no date. Name the column of dates as the fourth."
            )
        if gone.any():
            notes.append(f"{counted(int(gone.sum()), 'line')} without a date left out")
        keep = keep & ~gone
        notes += [f"dates{how}"] if how else []
    if not keep.any():
        raise DataError(f"no line of the log is left ({'; '.join(notes) or 'it is empty'}).")
    who, ids = np.unique(lines.who[keep], return_inverse=True)[::-1]
    many = lines.many[keep]
    bought = many > 0
    made: dict[str, np.ndarray] = {}
    if when is not None:
        day = np.floor(when[keep])
        last = np.full(ids.size, -np.inf)
        np.maximum.at(last, who[bought], day[bought])
        made["recency"] = np.where(np.isinf(last), np.nan, day.max() - last)
        made["frequency"] = _different(who[bought], day[bought], ids.size)
    else:
        made["frequency"] = np.bincount(who[bought], minlength=ids.size).astype(float)
    if log.price is not None:
        made["monetary"] = np.bincount(who, many * _prices(table, log.price, keep), minlength=ids.size)
    made["items"] = np.maximum(np.bincount(who, many, minlength=ids.size), 0.0)
    named = np.asarray(lines.ids)[ids]
    columns = {log.customer: pa.array(named.tolist())} | {name: pa.array(values) for name, values in made.items()}
    return Customers(pa.table(columns), (*notes, f"a row for each of {counted(ids.size, 'customer')}"))


def _different(
    who: Int[np.ndarray, " lines"], day: Float[np.ndarray, " lines"], size: int
) -> Float[np.ndarray, " customers"]:
    """How many different days every customer has."""
    pairs = np.unique(np.column_stack([who, day]), axis=0)
    return np.bincount(pairs[:, 0].astype(int), minlength=size).astype(float)


def _prices(table: pa.Table, name: str, keep: np.ndarray) -> Float[np.ndarray, " lines"]:
    cells = cells_of(name, only(table, name))
    if cells.origin not in ("number", "text"):
        raise DataError(f"{quoted(name)} holds no numbers; name the column of prices as the fifth.")
    prices, text = cells.as_numbers()
    bad = (text | ~np.isfinite(prices)) & keep
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{place(name, row)}: {cells.at(row)!r} is no price. Correct it, or leave the line out.")
    return prices[keep]
