"""What was read, as it is told on the terminal: columns and their kinds, what was left out and why."""

import numpy as np

from tacit.cli import console
from tacit.data.corpus import Corpus
from tacit.data.dialect import SPELLED
from tacit.data.errors import counted, listed
from tacit.data.images import ImageSet, sized
from tacit.data.long import CountTable
from tacit.data.number_forms import NAMES
from tacit.data.reading import ReadAs
from tacit.data.schema import Schema
from tacit.data.table import Table, describe
from tacit.report.sentences import percent
from tacit.workflow.sources import Rows

LINES = 30
"""Columns listed at most when a table is shown."""
LABELS = 12
"""Labels listed at most when images are shown."""
VALUES = {"levels": "8-bit grey levels", "shares": "Numbers from 0 to 1", "numbers": "Real numbers"}
"""What the values of images are, in words."""


def show_rows(rows: Rows) -> None:
    """Print what was read: columns and their kinds, what was left out and why, what was guessed."""
    table, name = rows.table, rows.table.source
    if isinstance(table, ImageSet):
        _show_images(table)
    elif isinstance(table, Corpus):
        _show_corpus(table)
    elif isinstance(table, CountTable):
        filled = table.counts.nnz / max(table.counts.shape[0] * table.counts.shape[1], 1)
        console.heading(f"Read {name}")
        console.say(
            f"A purchase log of {counted(len(rows), 'customer')} and {counted(rows.columns, 'item')}; "
            f"{percent(filled)} of the counts are above 0.",
            indent=1,
        )
    else:
        _show_columns(table)
    for note in table.notes:
        console.bullet(note)


def _show_images(images: ImageSet) -> None:
    console.heading(f"Read {images.source}: {counted(len(images), 'image')} of {sized(images.shape)}")
    console.say(f"{VALUES[images.pixels]}.", indent=1)
    if images.labels is not None:
        names, counts = np.unique(images.labels.astype(str), return_counts=True)
        shown = ", ".join(f"{name} ({count:,})" for name, count in zip(names[:LABELS], counts, strict=False))
        more = f" and {len(names) - LABELS} more" if len(names) > LABELS else ""
        console.say(f"{counted(len(names), 'label')}, which no model sees: {shown}{more}.", indent=1)


def _show_columns(table: Table) -> None:
    lines = [line for line in describe(table) if line.kind != "left out"]
    console.heading(f"Read {table.source}: {counted(len(table), 'row')}")
    cells = [(line.name, line.kind, _gaps(line.missing), line.values) for line in lines[:LINES]]
    console.table(["column", "kind", "missing", "values"], cells, right=[2])
    if len(lines) > LINES:
        console.say(f"and {counted(len(lines) - LINES, 'column')} more", "dim", indent=1)
    if table.left_out:
        console.say("Left out (--kind COLUMN=KIND brings one back):", indent=1)
        for entry in table.left_out[:LINES]:
            console.bullet(f"{entry.name}: {entry.reason}")
        if len(table.left_out) > LINES:
            console.say(f"and {listed([e.name for e in table.left_out[LINES:]], 5)}", "dim", indent=1)


def in_words(read_as: ReadAs) -> str:
    """How a table of text is written."""
    sign = SPELLED.get(read_as.delimiter, repr(read_as.delimiter))
    decimal = {".": ", decimal points", ",": ", decimal commas"}.get(read_as.decimal, "")
    between = f", {NAMES[read_as.thousands]} between thousands" if read_as.thousands in NAMES else ""
    return f"text in {read_as.encoding}, cells apart by a {sign}{decimal}{between}"


def _gaps(share: float) -> str:
    return "–" if share == 0 else percent(share)


def _show_corpus(corpus: Corpus) -> None:
    """Documents and their words."""
    words = corpus.counts.shape[1]
    console.heading(f"Read {corpus.source}: {counted(len(corpus), 'document')}")
    mean = corpus.tokens / max(len(corpus), 1)
    filled = corpus.counts.nnz / max(len(corpus) * words, 1)
    console.say(
        f"{counted(words, 'different word')}, {corpus.tokens:,} in all: {mean:,.0f} a document on average; "
        f"{percent(filled)} of the counts are above 0.",
        indent=1,
    )


def show_target(rows: Rows) -> None:
    """Say what is to be predicted, and which rows are no use for it."""
    if rows.target is None or rows.target_values is None:
        return
    column = rows.target.column
    line = describe(Table(rows.target_values[:, None], Schema((column,)), (), ""))[0]
    console.say(f"To be predicted: {column.name}, {column.word} ({line.values}).", indent=1)
    for note in rows.table.notes[-1:]:
        if f"without {column.name}" in note:
            console.bullet(note)
