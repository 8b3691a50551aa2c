"""Numbers that look like a sign for "missing" (999999), or a slip: they stand far outside all others of a column."""

import re
from collections.abc import Iterator

import numpy as np

from tacit.data.errors import counted
from tacit.data.table import Table
from tacit.plots.style import short_number
from tacit.workflow.sources import Rows

MOST = 3
"""Rows that are named at most of one number."""
LOOKED_AT, ENDS = 20_000, 50
"""Of longer columns so many numbers are looked at, and so many at either end."""
SLIP = 1000.0
"""How many times the width of all others a number must be away from them that looks like no sign."""
_NINES = re.compile(r"-?9{2,}[6789]?(\.9+)?")
_ENDS = {
    *(sign * (2**bits - 1) for bits in (15, 16, 31, 32, 63) for sign in (1, -1)),
    *(-(2**bits) for bits in (15, 31, 63)),
}
_HUGE = 1e20
"""Numbers of such a size stand for nothing that is measured."""


def signs(rows: Rows) -> tuple[str, ...]:
    """A sentence for every number that looks like a sign for a missing value: its column, its rows, and what to do.

    A number stands apart where its distance to the others is larger than all of them are wide; one that does not look
    like a sign must be a thousand times as far.
    """
    if not isinstance(rows.table, Table) or rows.schema is None:
        return ()
    if rows.table.number is not None:  # some of the rows only are there
        return ()
    values, numbers, found = rows.table.values, rows.numbers, []
    for place, column in enumerate(rows.schema.columns):
        if column.levels is not None:
            continue
        for sign, low, high in apart(values[:, place]):
            where = numbers[np.flatnonzero(values[:, place] == sign)]
            listed = ", ".join(str(number) for number in where[:MOST].tolist()) + (" …" if where.size > MOST else "")
            shown = f"{sign:.15g}"
            one = where.size == 1
            found.append(
                f"{column.name}: {'row' if one else counted(where.size, 'row') + ':'} {listed} "
                f"{'has' if one else 'have'} {shown}, far outside all other values ({short_number(low)} to "
                f"{short_number(high)}). If that stands for “missing”, leave the cell empty or say --missing {shown}: "
                "as a number it decides the fit"
            )
    return tuple(found)


def apart(values: np.ndarray) -> Iterator[tuple[float, float, float]]:
    """Numbers that stand apart from all others, each with the least and the largest of the others."""
    known = values[np.isfinite(values)]
    if known.size > LOOKED_AT:  # the ends, and enough of the others to know how wide they are
        some = known[:: known.size // LOOKED_AT].copy()
        known.partition((ENDS, known.size - ENDS))  # in place: a column may be large
        known = np.concatenate([known[:ENDS], known[-ENDS:], some])
    rest, found = np.unique(known), []
    while rest.size > 3:
        sides = [(rest[0], rest[1:]), (rest[-1], rest[:-1])]
        gaps = [(abs(end - others[np.argmin(abs(others - end))]), end, others) for end, others in sides]
        looks = [each for each in gaps if _stands_apart(*each)]
        if not looks:
            # two signs on one side hide each other: 9998 and 9999
            looks = [(gap, end, others) for gap, end, others in gaps if _is_sign(end) and _hidden(end, others)]
        if not looks:
            break
        _, end, rest = max(looks, key=lambda each: each[0])
        found.append(float(end))
    for sign in found:
        yield sign, float(rest[0]), float(rest[-1])


def _stands_apart(gap: float, end: float, others: np.ndarray) -> bool:
    width = others[-1] - others[0]
    return bool(gap > (1.0 if _is_sign(end) else SLIP) * width)


def _hidden(end: float, others: np.ndarray) -> bool:
    """Whether a sign stands apart once other signs beside it, or on the other side, are left out."""
    plain = np.array([value for value in others.tolist() if not _is_sign(value)])
    return plain.size > 2 and bool(abs(plain - end).min() > plain[-1] - plain[0])


def _is_sign(value: float) -> bool:
    """Whether a number is made of nines, is the end of what some integers can hold, or is huge."""
    return bool(_NINES.fullmatch(f"{value:.15g}")) or float(value) in _ENDS or bool(abs(value) >= _HUGE)
