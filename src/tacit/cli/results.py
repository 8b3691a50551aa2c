"""What commands give: tables, drawn for a person or written as CSV, JSON, Parquet or Arrow; and images."""

import contextlib
import math
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from tacit import workflow
from tacit.cli import console
from tacit.cli.guarding import Guarding
from tacit.data.errors import counted, listed
from tacit.data.write import FORMATS, write, writing
from tacit.plots.style import alike
from tacit.workflow.answers import FIRST_ROWS, Answer, ImageAnswer, PartsAnswer
from tacit.workflow.errors import RequestError
from tacit.workflow.opened import Opened

CHOICES = ("table", *FORMATS)
BINARY = ("parquet", "arrow")
ENDINGS = (".png", ".npz", ".npy")
"""Of files that images are written to."""
LONG = 40
"""Characters of a text in a cell at most."""


def check(out: str | None, form: str | None) -> None:
    """Refuse what cannot be written, before any work is done."""
    if form is not None and form not in CHOICES:
        raise RequestError(f"--format {form!r} does not exist; say one of {listed(CHOICES)}.")
    if out is not None and form == "table":
        raise RequestError("a file takes csv, json, parquet or arrow, not a drawn table; leave --format out.")
    if out is None and form in BINARY and console.on_terminal():
        raise RequestError(f"{form} is not for reading on a terminal; name a file: --out rows.{form}.")


def check_images(out: str | None, form: str | None, what: str) -> None:
    """Refuse a place where images cannot go, before any work is done."""
    if form is not None:
        raise RequestError(f"--format is for tables, and this gives images; end --out in {' or '.join(ENDINGS)}.")
    if out is None or Path(out).suffix.lower() not in ENDINGS:
        said = "images need a file" if out is None else f"images cannot be written to {out!r}"
        raise RequestError(f"{said}: --out {what}.png for a picture, --out {what}.npz for the numbers.")


def check_either(opened: Opened, out: str | None, form: str | None, what: str) -> None:
    """Refuse what cannot be written, tables or images, by what the run was fitted to."""
    if opened.schema is None and opened.vocabulary is None:
        check_images(out, form, what)
        return
    check(out, form)
    if is_picture(out):
        place = str(opened.run.path)
        raise RequestError(f"{place!r} was fitted to a table: --out takes .csv, .parquet, .arrow or .json.")


def is_picture(out: str | None) -> bool:
    """Whether a picture is asked for rather than arrays."""
    return out is not None and out.lower().endswith(".png")


def is_drawn(out: str | None, form: str | None) -> bool:
    """Whether a result is drawn for a person."""
    return out is None and (form == "table" or (form is None and console.on_terminal()))


def give(answer: Answer | PartsAnswer, out: str | None, form: str | None) -> None:
    """Give a result.

    Args:
        answer: a table, whole or in parts, or images.
        out: a file to write, or None for standard output.
        form: "table", "csv", "json", "parquet", "arrow"; None for a table on a terminal and CSV in a pipe.
    """
    if isinstance(answer, ImageAnswer):
        for text in workflow.pictures.write_images(answer, str(out)):
            console.remark(text)
        return
    if isinstance(answer, PartsAnswer):
        _give_parts(answer, out, form)
        return
    table = answer.table
    if out is not None:
        write(table, out, form, guard=Guarding.on())
        console.remark(f"{counted(table.num_rows, answer.what)} written to {out}.")
    elif is_drawn(out, form):
        draw(table if answer.shown is None else answer.shown, table.num_rows, answer.what, answer.wrap)
    else:
        write(table, "-", form or "csv", guard=Guarding.on())
    for text in answer.remarks:
        console.remark(text)


def _give_parts(answer: PartsAnswer, out: str | None, form: str | None) -> None:
    """Write a table as it comes; of one that is drawn all parts are waited for, as its last remarks are of all."""
    number, first = 0, None
    drawn = is_drawn(out, form)
    with (
        contextlib.nullcontext()
        if drawn
        else writing(out or "-", form if out else form or "csv", guard=Guarding.on()) as put
    ):
        for part in answer:
            number += part.num_rows
            if put is not None:
                put(part)
            elif first is None:
                first = part.slice(0, FIRST_ROWS)
    if out is not None:
        console.remark(f"{counted(number, answer.what)} written to {out}.")
    elif drawn:
        shown = answer.ending.shown if answer.ending.shown is not None else first
        if shown is not None:
            draw(shown, max(number, answer.number or 0), answer.what, answer.wrap)
    for text in answer.ending.remarks:
        console.remark(text)


def draw(table: pa.Table, of: int, what: str = "row", wrap: str | None = None) -> None:
    """Draw the first rows, and as many columns as there is room for; ``of`` so many rows in all."""
    target = console.out()
    part = table.slice(0, FIRST_ROWS)
    cells = [_cells(part.column(name), whole=name == wrap) for name in part.column_names]
    narrow = [[""] if name == wrap else column for name, column in zip(part.column_names, cells, strict=True)]
    room = _columns_that_fit(target.width, table.column_names, narrow)
    right = [place for place in range(room) if _is_number(table.schema.field(place).type)]
    rows = list(zip(*cells[:room], strict=True))
    console.table(table.column_names[:room], rows, right=right, console=target)
    rest = []
    if of > part.num_rows:
        rest.append(counted(of - part.num_rows, f"more {what}"))
    if table.num_columns > room:
        rest.append(counted(table.num_columns - room, "more column"))
    if rest:
        console.say(f"and {' and '.join(rest)}: --out FILE writes all of it", "dim", indent=1, console=target)


def _columns_that_fit(width: int, names: Sequence[str], cells: Sequence[Sequence[str]]) -> int:
    """How many columns have room beside one another, at least one."""
    left = width - 2
    for place, (name, column) in enumerate(zip(names, cells, strict=True)):
        needed = max(len(console.clean(name)), *(len(console.clean(cell)) for cell in column), 1) + 2
        if needed > left and place:
            return place
        left -= needed
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
