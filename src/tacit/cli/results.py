"""Tables that commands give: drawn for a person, or written as CSV, JSON, Parquet or Arrow."""

import math
from collections.abc import Sequence

import pyarrow as pa
from rich.console import Console

from tacit.cli import talk
from tacit.cli.failures import UsageFault
from tacit.data.errors import counted, listed
from tacit.data.write import FORMATS, write
from tacit.plots.style import alike

CHOICES = ("table", *FORMATS)
BINARY = ("parquet", "arrow")
SHOWN = 20
"""Rows drawn at most."""
LONG = 40
"""Characters of a text in a cell at most."""


def check(out: str | None, form: str | None) -> None:
    """Refuse what cannot be written, before any work is done."""
    if form is not None and form not in CHOICES:
        raise UsageFault(f"--format {form!r} does not exist; say one of {listed(CHOICES)}.")
    if out is not None and form == "table":
        raise UsageFault("a file takes csv, json, parquet or arrow, not a drawn table; leave --format out.")
    if out is None and form in BINARY and talk.on_terminal():
        raise UsageFault(f"{form} is not for reading on a terminal; name a file: --out rows.{form}.")


def give(
    table: pa.Table,
    out: str | None,
    form: str | None,
    *,
    what: str = "row",
    show: pa.Table | None = None,
    wrap: str | None = None,
) -> None:
    """Give a result.

    Args:
        table: all of it.
        out: a file to write, or None for standard output.
        form: "table", "csv", "json", "parquet", "arrow"; None for a table on a terminal and CSV in a pipe.
        what: a row of it in words.
        show: what is drawn instead, for a person: other order or fewer columns.
        wrap: the last column, if its texts are drawn whole, over several lines.
    """
    if out is not None:
        write(table, out, form)
        talk.remark(f"{counted(table.num_rows, what)} written to {out}.")
    elif form == "table" or (form is None and talk.on_terminal()):
        draw(table if show is None else show, table.num_rows, what, wrap)
    else:
        write(table, "-", form or "csv")


def draw(table: pa.Table, of: int, what: str = "row", wrap: str | None = None) -> None:
    """Draw the first rows, and as many columns as there is room for; ``of`` so many rows in all."""
    console = talk.out()
    part = table.slice(0, SHOWN)
    cells = [_cells(part.column(name), whole=name == wrap) for name in part.column_names]
    narrow = [[""] if name == wrap else column for name, column in zip(part.column_names, cells, strict=True)]
    room = _columns_that_fit(console, table.column_names, narrow)
    right = [place for place in range(room) if _is_number(table.schema.field(place).type)]
    rows = list(zip(*cells[:room], strict=True))
    talk.table(table.column_names[:room], rows, right=right, console=console)
    rest = []
    if of > part.num_rows:
        rest.append(counted(of - part.num_rows, f"more {what}"))
    if table.num_columns > room:
        rest.append(counted(table.num_columns - room, "more column"))
    if rest:
        talk.say(f"and {' and '.join(rest)}: --out FILE writes all of it", "dim", indent=1, console=console)


def _columns_that_fit(console: Console, names: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    """How many columns have room beside one another, at least one."""
    left = console.width - 2
    for place, (name, column) in enumerate(zip(names, cells, strict=True)):
        width = max(len(talk.clean(name)), *(len(talk.clean(cell)) for cell in column), 1) + 2
        if width > left and place:
            return place
        left -= width
    return len(names)


def _cells(column: pa.ChunkedArray, *, whole: bool = False) -> list[str]:
    """The values of a column as texts, floats with equally many figures, long texts cut unless they stay whole."""
    values = column.to_pylist()
    if pa.types.is_floating(column.type):
        numbers = [math.nan if value is None else value for value in values]
        return ["" if math.isnan(n) else text for n, text in zip(numbers, alike(numbers, 4), strict=True)]
    return ["" if value is None else str(value) if whole else _short(value) for value in values]


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return text if len(text) <= LONG else text[: LONG - 1] + "…"


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
