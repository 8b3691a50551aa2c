"""Purchase logs: one line per customer and item becomes a sparse table of counts, customers × items."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from tacit.data.cells import Cells, cells_of
from tacit.data.encode import only
from tacit.data.errors import DataError, counted, in_all, listed, nearest, place, quoted, shown
from tacit.data.reading import ReadAs
from tacit.data.schema import Column, Schema


@dataclasses.dataclass(frozen=True, eq=False)
class CountTable:
    """How often every customer took every item.

    Attributes:
        counts: ``[customers, items]``, a `scipy.sparse.csr_array` in float64, duplicate lines summed.
        row_ids: ``[customers]``, who each row is, sorted.
        names: ``[items]``, what each column counts, sorted (or as given, when scoring).
        source: where it was read.
        notes: what was left out, in plain words.
        read_as: how a log of text is written, or None.
    """

    counts: "sp.csr_array"
    row_ids: np.ndarray
    names: tuple[str, ...]
    source: str = ""
    notes: tuple[str, ...] = ()
    read_as: ReadAs | None = None

    @property
    def schema(self) -> Schema:
        """Every item as a column of counts."""
        return Schema(tuple(Column(name, "count", note="from a log of purchases") for name in self.names))


class LogColumns(NamedTuple):
    """The columns of a log; those that it has not are None."""

    customer: str
    item: str
    quantity: str | None = None
    date: str | None = None
    price: str | None = None

    @property
    def counted(self) -> bool:
        """Whether the log becomes counts of items; with dates or prices it becomes a few columns a customer."""
        return self.date is None and self.price is None


def parse_long(text: str | Sequence[str]) -> LogColumns:
    """``customer,item,quantity,date,price`` as column names; what comes after the item may be absent or empty."""
    parts = [part.strip() for part in text.split(",")] if isinstance(text, str) else list(text)
    if not 2 <= len(parts) <= 5 or not all(parts[:2]) or (len(parts) == 3 and not parts[2]):
        raise DataError(
            f"{text!r} does not name the columns of a log; write customer,item or customer,item,quantity, or with date "
            "and price customer,item,quantity,date,price (what the log has not stays empty)."
        )
    named = [part for part in parts if part]
    if len(set(named)) != len(named):
        raise DataError(f"{text!r} names a column of the log twice.")
    return LogColumns(*(part or None for part in parts))  # type: ignore[arg-type]


def check_columns(table: pa.Table, log: LogColumns) -> None:
    """Refuse a log that lacks a column."""
    for name in log:
        if name is not None and name not in table.column_names:
            close = nearest(name, table.column_names)
            raise DataError(f"the log has no column {name!r}; there are {listed(table.column_names, 20)}.{close}")


class Lines(NamedTuple):
    """The lines of a log, understood.

    Attributes:
        who, what: ``[lines]``, places among ``ids`` and ``items``; −1 where nothing stands.
        many: ``[lines]``, how many were taken.
        keep: ``[lines]``, which lines count.
        ids, items: the different customers and items, sorted.
        notes: which lines were left out, in plain words.
    """

    who: Int[np.ndarray, " lines"]
    what: Int[np.ndarray, " lines"]
    many: Float[np.ndarray, " lines"]
    keep: Bool[np.ndarray, " lines"]
    ids: np.ndarray
    items: np.ndarray
    notes: tuple[str, ...]


def lines_of(table: pa.Table, log: LogColumns, *, net: bool = False) -> Lines:
    """Who took what and how many, line by line.

    Lines without a customer, an item or a quantity are left out and counted. Quantities below 0 are returns: with
    ``net`` they stay, to be taken off what was bought, else they are left out and counted.
    """
    who, ids = _places(cells_of(log.customer, only(table, log.customer)))
    what, items = _places(cells_of(log.item, only(table, log.item)))
    many = _quantities(table, log.quantity)
    notes, keep = [], np.ones(len(many), bool)
    for gone, name in ((who < 0, "customer"), (what < 0, "item"), (np.isnan(many), "quantity")):
        if (gone & keep).any():
            an = "an" if name == "item" else "a"
            notes.append(f"{counted(int((gone & keep).sum()), 'line')} without {an} {name} left out")
            keep &= ~gone
    back = keep & ((many == 0) if net else ~(many > 0))
    if back.any():
        zero = "of 0" if net else "of 0 or less"
        notes.append(
            f"{counted(int(back.sum()), 'line')} with a quantity {zero} left out{'' if net else ' (returns?)'}"
        )
    if net and (many[keep] < 0).any():
        notes.append(f"{counted(int((many[keep] < 0).sum()), 'return')} taken off what was bought")
    return Lines(who, what, np.nan_to_num(many), keep & ~back, ids, items, tuple(notes))


def count_table(
    table: pa.Table,
    customer: str,
    item: str,
    quantity: str | None = None,
    *,
    items: Sequence[str] | None = None,
    source: str = "",
    net: bool = False,
) -> CountTable:
    """Add up a log into customers × items.

    Lines without a customer, an item or a quantity are left out and noted.

    Args:
        table: one line per purchase.
        customer, item: the columns that say who took what.
        quantity: the column that says how many; 1 a line without it.
        items: the items a model knows, in its order; lines about others are left out and noted.
        source: where the table was read.
        net: whether returns (quantities below 0) are taken off what the customer bought of the item; else such lines
            are left out and noted.

    Raises:
        DataError: a column is absent or empty; a quantity is no whole number; no line is left. Row and column are
            named.
    """
    log = LogColumns(customer, item, quantity)
    check_columns(table, log)
    who, what, many, keep, ids, found, said = lines_of(table, log, net=net)
    notes = list(said)
    names = [_as_text(value) for value in found.tolist()]
    if items is not None:
        what, unknown = _align(what, names, items)
        if (unknown & keep).any():
            notes.append(f"{counted(int((unknown & keep).sum()), 'line')} about items the model does not know left out")
        keep, names = keep & ~unknown, list(items)
    if not keep.any():
        raise DataError(f"no line of the log is left ({'; '.join(notes) or 'it is empty'}).")
    who, ids = _only_used(who[keep], ids)
    what, many = what[keep], many[keep]
    if items is None:
        what, kept = _only_used(what, np.arange(len(names)))
        names = [names[index] for index in kept.tolist()]
    counts = sp.coo_array((many, (who, what)), shape=(len(ids), len(names))).tocsr()
    counts.sum_duplicates()
    if net:
        counts, ids, names, more = _without_returns(counts, ids, names, fixed=items is not None)
        notes += more
    return CountTable(counts, ids, tuple(names), source, tuple(notes))


def _without_returns(
    counts: "sp.csr_array", ids: np.ndarray, names: list[str], *, fixed: bool
) -> "tuple[sp.csr_array, np.ndarray, list[str], list[str]]":
    """Counts of what was kept: nothing is below 0, and who kept nothing is no row.

    Items that nobody kept are no columns, unless they are ``fixed`` by a model.
    """
    below = int((counts.data < 0).sum())
    counts.data = np.maximum(counts.data, 0.0)
    counts.eliminate_zeros()
    notes = [f"{counted(below, 'count')} below 0 (returned before the log begins?) taken as 0"] if below else []
    rows = np.diff(counts.indptr) > 0
    if not rows.any():
        raise DataError("no line of the log is left: all that was bought was returned.")
    if not rows.all():
        notes.append(f"{counted(int((~rows).sum()), 'customer')} who returned everything left out")
        counts, ids = counts[np.flatnonzero(rows)], ids[rows]
    columns = np.flatnonzero(np.bincount(counts.indices, minlength=counts.shape[1]))
    if not fixed and columns.size < len(names):
        counts, names = counts[:, columns], [names[place] for place in columns.tolist()]
    return counts, ids, names, notes


def _places(cells: Cells) -> tuple[Int[np.ndarray, " rows"], np.ndarray]:
    """For every line the place of its value among the sorted distinct ones (−1 for none), and those."""
    if cells.origin in ("time", "other"):
        raise DataError(
            f"{quoted(cells.name)} holds dates, lists or raw bytes; customers and items are numbers or texts."
        )
    if cells.origin == "empty":
        raise DataError(f"{quoted(cells.name)} is empty in every row of the log.")
    if cells.words is None:
        numbers, missing = cells.as_numbers()[0], cells.missing()
        distinct, inverse = np.unique(numbers[~missing], return_inverse=True)
        places = np.full(len(numbers), -1)
        places[~missing] = inverse
        whole = bool(np.all(distinct == np.round(distinct)))
        return places, distinct.astype(np.int64) if whole else distinct
    order = pc.sort_indices(cells.words.texts).to_numpy()
    rank = np.empty(len(order) + 1, np.int64)
    rank[order], rank[-1] = np.arange(len(order)), -1
    return rank[cells.words.codes], np.asarray(cells.words.texts.take(pa.array(order)).to_pylist(), object)


def _quantities(table: pa.Table, quantity: str | None) -> Float[np.ndarray, " rows"]:
    if quantity is None:
        return np.ones(table.num_rows)
    cells = cells_of(quantity, only(table, quantity))
    if cells.origin not in ("number", "truth", "text"):
        raise DataError(f"{quoted(quantity)} holds no numbers; name the column that says how many.")
    many, text = cells.as_numbers()
    missing = cells.missing()
    bad = text | (~missing & (np.isnan(many) | np.isinf(many) | (many != np.round(many))))
    if bad.any():
        row = int(np.argmax(bad))
        found = shown(cells.at(row))
        rest = in_all(int(bad.sum()), "line")
        raise DataError(
            f"{place(quantity, row)}: {found}, where a whole number is expected{rest}. Correct it, or leave "
            "the quantity out of the description to count every line once."
        )
    return many


def _align(
    what: Int[np.ndarray, " rows"], names: Sequence[str], items: Sequence[str]
) -> tuple[Int[np.ndarray, " rows"], np.ndarray]:
    """Places among the items a model knows, and which lines are about others."""
    known = {name: index for index, name in enumerate(items)}
    lookup = np.asarray([*(known.get(name, -1) for name in names), -1], np.int64)
    return lookup[what], lookup[what] < 0


def _only_used(places: Int[np.ndarray, " rows"], labels: np.ndarray) -> tuple[Int[np.ndarray, " rows"], np.ndarray]:
    used, again = np.unique(places, return_inverse=True)
    return again, labels[used]


def _as_text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
