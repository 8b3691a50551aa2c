"""Purchase logs: one line per customer and item becomes a sparse table of counts, customers × items."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import scipy.sparse as sp
from jaxtyping import Float, Int

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

    counts: sp.csr_array
    row_ids: np.ndarray
    names: tuple[str, ...]
    source: str = ""
    notes: tuple[str, ...] = ()
    read_as: ReadAs | None = None

    @property
    def schema(self) -> Schema:
        """Every item as a column of counts."""
        return Schema(tuple(Column(name, "count", note="from a log of purchases") for name in self.names))


def parse_long(text: str | Sequence[str]) -> tuple[str, str, str | None]:
    """``customer,item,quantity`` (quantity may be absent) as three column names."""
    parts = [part.strip() for part in text.split(",")] if isinstance(text, str) else list(text)
    if len(parts) not in (2, 3) or not all(parts):
        raise DataError(f"{text!r} does not name the columns of a log; write customer,item or customer,item,quantity.")
    if len(set(parts)) != len(parts):
        raise DataError(f"{text!r} names a column of the log twice.")
    return parts[0], parts[1], parts[2] if len(parts) == 3 else None


def count_table(
    table: pa.Table,
    customer: str,
    item: str,
    quantity: str | None = None,
    *,
    items: Sequence[str] | None = None,
    source: str = "",
) -> CountTable:
    """Add up a log into customers × items.

    Lines with a quantity of 0 or less (returns, cancellations) are left out and noted.

    Args:
        table: one line per purchase.
        customer, item: the columns that say who took what.
        quantity: the column that says how many; 1 a line without it.
        items: the items a model knows, in its order; lines about others are left out and noted.
        source: where the table was read.

    Raises:
        DataError: a column is absent; a customer, item or quantity is missing; a quantity is no whole number;
            no line is left. Row and column are named.
    """
    for name in (customer, item, quantity):
        if name is not None and name not in table.column_names:
            close = nearest(name, table.column_names)
            raise DataError(f"the log has no column {name!r}; there are {listed(table.column_names, 20)}.{close}")
    who, ids = _places(cells_of(customer, only(table, customer)))
    what, found = _places(cells_of(item, only(table, item)))
    many = _quantities(table, quantity)
    keep, notes = many > 0, []
    if not keep.all():
        notes.append(f"{counted(int((~keep).sum()), 'line')} with a quantity of 0 or less left out (returns?)")
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
    return CountTable(counts, ids, tuple(names), source, tuple(notes))


def _places(cells: Cells) -> tuple[Int[np.ndarray, " rows"], np.ndarray]:
    """For every line the place of its value among the sorted distinct ones, and those."""
    if cells.origin in ("time", "other"):
        raise DataError(
            f"{quoted(cells.name)} holds dates, lists or raw bytes; customers and items are numbers or texts."
        )
    if cells.origin == "empty":
        raise DataError(f"{quoted(cells.name)} is empty in every row of the log.")
    _refuse_missing(cells)
    if cells.words is None:
        distinct, places = np.unique(cells.as_numbers()[0], return_inverse=True)
        whole = bool(np.all(distinct == np.round(distinct)))
        return places, distinct.astype(np.int64) if whole else distinct
    order = pc.sort_indices(cells.words.texts).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[cells.words.codes], np.asarray(cells.words.texts.take(pa.array(order)).to_pylist(), object)


def _refuse_missing(cells: Cells) -> None:
    missing = cells.missing()
    if missing.any():
        rest = in_all(int(missing.sum()), "line")
        raise DataError(
            f"{place(cells.name, int(np.argmax(missing)))}: nothing there{rest}. Each line of a log says who "
            "took what; remove the lines that do not."
        )


def _quantities(table: pa.Table, quantity: str | None) -> Float[np.ndarray, " rows"]:
    if quantity is None:
        return np.ones(table.num_rows)
    cells = cells_of(quantity, only(table, quantity))
    if cells.origin not in ("number", "truth", "text"):
        raise DataError(f"{quoted(quantity)} holds no numbers; name the column that says how many.")
    many, text = cells.as_numbers()
    bad = text | np.isnan(many) | np.isinf(many) | (many != np.round(many))
    if bad.any():
        row = int(np.argmax(bad))
        found = "nothing there" if cells.missing()[row] else shown(cells.at(row))
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
    lookup = np.asarray([known.get(name, -1) for name in names], np.int64)
    return lookup[what], lookup[what] < 0


def _only_used(places: Int[np.ndarray, " rows"], labels: np.ndarray) -> tuple[Int[np.ndarray, " rows"], np.ndarray]:
    used, again = np.unique(places, return_inverse=True)
    return again, labels[used]


def _as_text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
