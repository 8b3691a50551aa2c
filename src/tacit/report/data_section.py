"""What the table itself shows before any model: which columns rise together, which rows are copies."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.data.schema import Schema
from tacit.plots.style import alike, short_number, thin
from tacit.report import sentences
from tacit.report.html import Child, table, tag
from tacit.report.parts import folded, row_name
from tacit.report.table import FittedTable

_ROWS = 20_000
_COLUMNS = 12
"""Columns of a matrix of correlations, at most: those that go together most."""
_PAIRS = 10
_COPIES = 10
_FEWEST = 10
"""Rows in which both columns are known, from which a correlation is told."""


class Pair(NamedTuple):
    """Two columns: Pearson's and Spearman's correlation over the rows in which both are known."""

    one: int
    other: int
    linear: float
    ranks: float


def correlations(values: Float[np.ndarray, "rows columns"], schema: Schema) -> list[Pair]:
    """Every pair of columns of numbers, the strongest first; none of columns that do not vary."""
    numbers = [j for j, column in enumerate(schema.columns) if column.levels is None]
    rows = values if len(values) <= _ROWS else values[thin(len(values), _ROWS)]
    found = []
    for place, one in enumerate(numbers):
        for other in numbers[place + 1 :]:
            both = np.isfinite(rows[:, [one, other]]).all(axis=1)
            x, y = rows[both, one], rows[both, other]
            if len(x) < _FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
                continue
            linear = float(np.corrcoef(x, y)[0, 1])
            ranks = float(np.corrcoef(_ranks(x), _ranks(y))[0, 1])
            found.append(Pair(one, other, linear, ranks))
    return sorted(found, key=lambda pair: -max(abs(pair.linear), abs(pair.ranks)))


def _ranks(values: Float[np.ndarray, " rows"]) -> Float[np.ndarray, " rows"]:
    """Places in ascending order, from 1; equal values share the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - 0.5 * (counts - 1))[place]


def copies(values: Float[np.ndarray, "rows columns"]) -> list[np.ndarray]:
    """Sets of rows that are the same in every column, gaps included, the largest first."""
    filled = np.where(np.isnan(values), np.inf, values) + 0.0  # −0 is 0
    _, place, counts = np.unique(filled, axis=0, return_inverse=True, return_counts=True)
    repeated = np.flatnonzero(counts > 1)
    order = np.argsort(place.ravel(), kind="stable")
    ends = np.cumsum(counts)
    found = [order[ends[each] - counts[each] : ends[each]] for each in repeated]
    return sorted(found, key=lambda rows: (-len(rows), int(rows[0])))


def told_correlations(rows: FittedTable | None) -> list[Child]:
    """Which columns of numbers rise and fall together."""
    pairs = [] if rows is None or len(rows.schema) > 60 else correlations(rows.values, rows.schema)
    if rows is None or not pairs:
        return []
    names = rows.schema.names
    body: list[list[Child]] = []
    linear, ranks = (alike([getattr(pair, kind) for pair in pairs[:_PAIRS]], 2) for kind in ("linear", "ranks"))
    for pair, one, other in zip(pairs, linear, ranks, strict=False):
        body.append([f"{names[pair.one]} and {names[pair.other]}", one, other])
    caption = (
        "Columns that rise (or, below 0, fall) together, over all rows: from −1 over 0 (not at all) to 1. In a line: "
        "Pearson's correlation; in order: Spearman's, of the ranks."
    )
    shown: list[Child] = [
        tag("h3", "Which columns go together"),
        table(caption, ["Columns", "In a line", "In order"], body, numbers=(1, 2)),
    ]
    if len(pairs) > len(body):
        shown.append(folded("All of them", _matrix(pairs, rows.schema)))
    return shown


def _matrix(pairs: list[Pair], schema: Schema) -> Child:
    chosen = sorted(list(dict.fromkeys(j for pair in pairs for j in (pair.one, pair.other)))[:_COLUMNS])
    of = {(pair.one, pair.other): pair.linear for pair in pairs}
    body: list[list[Child]] = []
    for one in chosen:
        cells: list[Child] = []
        for other in chosen:
            value = 1.0 if one == other else of.get((min(one, other), max(one, other)), float("nan"))
            depth = int(np.searchsorted([0.2, 0.5, 0.8], abs(value), side="right")) if one != other else 0
            class_ = f"number {'more' if value > 0 else 'less'}-{depth}" if depth else "number"
            cells.append(tag("td", "" if one == other else short_number(round(value, 2), 2), class_=class_))
        body.append([schema.names[one], *cells])
    head: list[Child] = ["Column", *(schema.names[j] for j in chosen)]
    return table("Pearson's correlations.", head, body, numbers=tuple(range(1, len(chosen) + 1)))


def told_copies(rows: FittedTable | None) -> list[Child]:
    """Which rows are the same as others."""
    found = [] if rows is None or not len(rows.schema) else copies(rows.values)
    if rows is None or not found:
        return []
    surplus = sum(len(each) - 1 for each in found)
    said = (
        f"{sentences.counted(surplus, 'row')} {'is' if surplus == 1 else 'are'} the same as another in every column "
        "that the model sees. Where such copies are a mistake, they make it too sure of itself."
    )
    body: list[list[Child]] = []
    for each in found[:_COPIES]:
        names = [row_name(int(row), rows.row_names) for row in each[:8]]
        more = f" and {len(each) - 8} more" if len(each) > 8 else ""
        body.append([str(len(each)), tag("td", ", ".join(names) + more, class_="text")])
    rest = f" The {len(found) - _COPIES} smaller sets are not listed." if len(found) > _COPIES else ""
    return [
        tag("h3", "Copies"),
        tag("p", said),
        table(f"Rows that are the same.{rest}", ["How many", "Rows"], body, numbers=(0,)),
    ]
