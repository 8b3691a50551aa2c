"""Whether the first line of a table names its columns, and what the columns are called."""

import itertools
import re
import unicodedata
from collections.abc import Sequence

from tacit.data.errors import listed

_NUMBER = re.compile(r"^[-+−]?[$€£¥]?\s?(\d[\d.,'\u00a0\u202f ]*|[.,]\d+)([eEdD][-+]?\d+)?\s?[%$€£¥]?$")
_DATE = re.compile(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ]\d{1,2}:\d{2}.*)?$|^\d{1,2}:\d{2}(:\d{2})?$")
_YEAR = re.compile(r"^(19|20|21)\d{2}$")
_UNIT = re.compile(r"^[\[(]?[^\W\d]{1,4}[\])]?$|^[\[(]?[^\s\d]{0,6}[%°/²³€$£^µ][^\s]{0,6}[\])]?$")
_LOOKED_AT = 100
"""Rows that are looked at."""


def says_number(cell: str) -> bool:
    """Whether a cell holds a number, with a decimal point or comma, or with signs between thousands."""
    return bool(_NUMBER.match(cell.strip()))


def _says_value(cell: str) -> bool:
    """Whether a cell holds what is no name: a number, a date or a time."""
    return says_number(cell) or bool(_DATE.match(cell.strip()))


def has_heading(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first line names the columns.

    It does where a word stands above numbers. It does not where numbers stand above numbers only (but 0, 1, 2, … or
    years, as in a table over time), nor where no word is above numbers and most words occur again below.
    """
    first = [cell.strip() for cell in rows[0]]
    body = [row for row in rows[1 : _LOOKED_AT + 1] if len(row) == len(first)]
    if not body:
        return not all(_says_value(cell) for cell in first)
    numeric = [_mostly_values([row[place] for row in body]) for place in range(len(first))]
    words = [place for place, cell in enumerate(first) if cell and not _says_value(cell)]
    if any(numeric[place] for place in words):
        return True
    values = [place for place, cell in enumerate(first) if _says_value(cell)]
    over = [place for place in values if numeric[place]]
    if over:
        return _enumerates([first[place] for place in over], alone=len(over) == len(first))
    return not _occur_again(first, words, body)


def _mostly_values(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    return 2 * sum(_says_value(cell) for cell in filled) > len(filled)


def _enumerates(cells: Sequence[str], alone: bool) -> bool:
    """Whether numbers are names: 0, 1, 2, …, or 1, 2, 3, …, or years that follow one another."""
    if len(cells) < 2:
        return False
    if any(list(cells) == [str(index + start) for index in range(len(cells))] for start in (0, 1)):
        return True
    if not all(_YEAR.match(cell) for cell in cells):
        return False
    steps = {int(later) - int(earlier) for earlier, later in itertools.pairwise(cells)}
    return len(steps) == 1 and 0 not in steps and (not alone or len(cells) > 2)


def _occur_again(first: Sequence[str], words: Sequence[int], body: Sequence[Sequence[str]]) -> bool:
    """Whether at least half of the words of the first line, in columns of words, stand in their column again."""
    again = sum(any(row[place].strip() == first[place] for row in body) for place in words)
    return bool(words) and 2 * again >= len(words)


def named(first: Sequence[str], header: bool) -> tuple[tuple[str, ...], frozenset[str], list[str]]:
    """The names of the columns, all different; those that were made up; and notes about what was changed."""
    if not header:
        names = tuple(f"column_{index + 1}" for index in range(len(first)))
        return names, frozenset(names), []
    composed = [unicodedata.normalize("NFC", cell) for cell in first]
    cells = [" ".join(cell.split()) if "\n" not in cell else cell.strip() for cell in composed]
    known = {cell for cell in cells if cell}
    used: set[str] = set()
    again: dict[str, list[str]] = {}
    found, made_up = [], set()
    for index, cell in enumerate(cells):
        name = cell or f"column_{index + 1}"
        if name in used or (not cell and name in known):
            number = 2
            while f"{name}_{number}" in used or f"{name}_{number}" in known:
                number += 1
            again.setdefault(name, []).append(f"{name}_{number}")
            name = f"{name}_{number}"
        if not cell:
            made_up.add(name)
        used.add(name)
        found.append(name)
    notes = [
        f"the heading has {name!r} {_times(len(new) + 1)}: called {listed([name, *new], 6)}"
        for name, new in itertools.islice(again.items(), 6)
    ]
    return tuple(found), frozenset(made_up), notes


def _times(number: int) -> str:
    return "twice" if number == 2 else f"{number} times"


def is_unit_row(rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether the line below the heading holds units: short words above columns of numbers, and nothing else."""
    if len(rows) < 5:
        return False
    below = [cell.strip() for cell in rows[1]]
    body = [row for row in rows[2 : _LOOKED_AT + 2] if len(row) >= width]
    filled = [place for place, cell in enumerate(below[:width]) if cell]
    if not filled or not all(_UNIT.match(below[place]) for place in filled) or len(below) < width:
        return False
    numeric = {place for place in range(width) if _all_values([row[place] for row in body])}
    over = [place for place in filled if place in numeric]
    return len(over) == len(filled) and len(over) >= min(2, len(numeric)) > 0


def _all_values(cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell.strip()]
    return bool(filled) and all(_says_value(cell) for cell in filled)
