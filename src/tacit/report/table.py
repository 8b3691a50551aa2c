"""The rows of a table as a report shows them: what the columns are, what is missing, what was left out."""

from collections.abc import Sequence, Sized
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from tacit import plots
from tacit.data.kinds import LeftOut
from tacit.data.levels import show_level
from tacit.data.schema import Column, Schema
from tacit.plots.style import as_written, decimals_of, short_number
from tacit.report import sentences
from tacit.report.html import Child, table, tag
from tacit.report.page import Fact
from tacit.report.parts import folded, framed, picture

_LINES = 30


@dataclass(frozen=True, eq=False)
class FittedTable:
    """The rows that were fitted.

    Attributes:
        schema: The columns of ``values``.
        values: NaN where missing, codes of levels, the user's units.
        row_names: What a person calls each row; else they are numbered from 1.
    """

    schema: Schema
    values: Float[np.ndarray, "rows columns"]
    row_names: Sequence[object] | None = None

    def __post_init__(self) -> None:
        if self.values.shape[1] != len(self.schema):
            raise ValueError(f"values has {self.values.shape[1]} columns, the schema {len(self.schema)}")
        self.check("row_names", self.row_names)

    def check(self, name: str, column: Sized | None) -> None:
        """Refuse what should have an entry a row and has not."""
        if column is not None and len(column) != len(self.values):
            raise ValueError(f"{name} has {len(column)} rows, values has {len(self.values)}")

    def decimals(self, column: int) -> int | None:
        """With how many decimals the numbers of a column are written; None for no number in particular."""
        return decimals_of(self.values[:, column])

    @property
    def missing(self) -> Bool[np.ndarray, "rows columns"]:
        """True where a value is missing."""
        return np.isnan(self.values)

    @property
    def gaps(self) -> float:
        """The share of values that are missing."""
        return float(self.missing.mean()) if self.values.size else 0.0


def table_facts(rows: FittedTable) -> list[Fact]:
    """How large the table is."""
    number, columns = rows.values.shape
    return [
        Fact("Rows", short_number(number, 15)),
        Fact("Columns", str(columns)),
        Fact("Values missing", sentences.percent(rows.gaps)),
    ]


def told_columns(rows: FittedTable | None) -> list[Child]:
    """The columns and their kinds, and what is missing."""
    if rows is None or not len(rows.schema):
        return []
    parts: list[Child] = _columns(rows.schema.columns, rows.values)
    missing = rows.missing
    if missing.any():
        figure = plots.missing_summary(missing, rows.schema.names)
        whole = int((~missing.any(1)).sum())
        said = (
            f"{sentences.capital(sentences.percent(float(missing.mean())))} of the values are missing; "
            f"{sentences.counted(whole, 'row')} of {short_number(len(missing), 15)} are complete."
        )
        caption = "Bars: share missing. Squares: which gaps occur together, and in how many rows."
        parts += [tag("h3", "Missing values"), tag("p", said), framed(caption, picture(figure, "missing", said))]
    return parts


def told_left_out(left_out: Sequence[LeftOut]) -> list[Child]:
    """The columns that no model saw."""
    if not left_out:
        return []
    body: list[list[Child]] = [[each.name, each.reason] for each in left_out]
    caption = "Columns that the model did not see, and why."
    return [tag("h3", "Left out"), table(caption, ["Column", "Reason"], body)]


def _columns(columns: tuple[Column, ...], values: np.ndarray) -> list[Child]:
    body: list[list[Child]] = []
    for j, column in enumerate(columns):
        seen = values[np.isfinite(values[:, j]), j]
        holds = tag("td", _holds(column, seen), class_="text")
        body.append([column.name, column.word, holds, tag("td", column.note, class_="text")])
    head: list[Child] = ["Column", "Kind", "Values", "Why this kind"]
    caption = f"{sentences.counted(len(body), 'column')} went into the model."
    shown: list[Child] = [table(caption, head, body[:_LINES])]
    rest = body[_LINES:]
    if rest:
        shown.append(folded(sentences.counted(len(rest), "more column"), table("The other columns.", head, rest)))
    return shown


def _holds(column: Column, seen: np.ndarray) -> str:
    """A column's values in a few words: its range and mean, or its commonest levels."""
    if not len(seen):
        return "no value at all"
    if column.levels is not None:
        counts = np.bincount(seen.astype(int), minlength=len(column.levels))
        order = np.argsort(-counts, kind="stable")[:4]
        named = [f"{show_level(column.levels[i])} {sentences.percent(counts[i] / len(seen))}" for i in order]
        more = len(column.levels) - len(order)
        return ", ".join(named) + (f" and {more} more" if more > 0 else "")
    decimals = decimals_of(seen)
    low, high = (as_written(float(end), decimals) for end in (seen.min(), seen.max()))
    return f"{low} to {high}, mean {short_number(float(seen.mean()), 4)}"
