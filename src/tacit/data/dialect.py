"""How a delimited text file is written: found out from its first lines."""

import codecs
import csv
import dataclasses
import re
from collections.abc import Sequence

from tacit.data.errors import DataError, listed, quoted, shown
from tacit.data.reading import MISSING, ReadingOptions

SPELLED = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", " ": "blank"}
_DELIMITERS = (",", ";", "\t", "|")
_LINES = 400
_PREAMBLE = 20
_NUMBER = re.compile(r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")
_COMMA_NUMBER = re.compile(r"^\s*[-+]?\d+,\d+\s*$")
_POINTS_AND_COMMA = re.compile(r"^[^\d]{0,3}\d{1,3}(\.\d{3})+,\d+[^\d]{0,3}$")
_THOUSANDS = re.compile(r"^\s*[-+]?[1-9]\d{0,2},\d{3}\s*$")
_LEADING_ZERO = re.compile(r"^\s*0\d+\s*$")


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How a delimited file is written.

    Attributes:
        encoding, delimiter, decimal: as in `Options`.
        names: the headings, made up where there are none.
        skip: how many lines stand above the heading, or above the first row if the heading is not to be parsed.
        header: whether a heading is to be parsed and passed over.
        as_text: columns that look like numbers but are codes (``007``).
        notes: what was guessed and is not plain CSV.
    """

    encoding: str
    delimiter: str
    decimal: str
    names: tuple[str, ...]
    skip: int
    header: bool
    as_text: tuple[str, ...]
    notes: tuple[str, ...]


def find_dialect(sample: bytes, cut: bool, label: str, options: ReadingOptions, tab: bool, encoding: str) -> Dialect:
    """The dialect of a file from its first bytes (`cut` says that there are more).

    Raises:
        UnicodeDecodeError: the bytes are not in this encoding.
        DataError: a heading names a column twice, or cells stand apart by several blanks.
    """
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    text = decoder.decode(sample, final=False).removeprefix("\ufeff")
    start = re.match(r'(\s*\n)?("?sep=(.)"?\r?\n)?', text)
    above = start.end() if start else 0
    delimiter = options.delimiter or (start[3] if start else None)
    lines = _whole_lines(text[above:], cut)
    delimiter, preamble, notes = _settle(lines, delimiter, tab, label)
    if delimiter not in (",", "\t") and not options.delimiter:
        notes.append(f"cells are separated by a {SPELLED.get(delimiter, repr(delimiter))}")
    rows = _split(lines[preamble:], delimiter)
    header = _has_header(rows) if options.header is None else bool(options.header)
    if not header and options.header is None:
        notes.append("no heading: the first line is all numbers; columns are called column_1, column_2, …")
    body = rows[1:] if header else rows
    unnamed = header and min(len(rows), len(rows[0])) > 1 and all(len(row) == len(rows[0]) + 1 for row in body)
    if unnamed:
        notes.append("the heading lacks a name for the first column, called column_1")
    names = _names(["", *rows[0]] if unnamed else rows[0], header, label)
    decimal = options.decimal or _decimal(body, delimiter)
    if decimal == "," and not options.decimal:
        notes.append("decimal commas")
    skip = text.count("\n", 0, above) + preamble + unnamed
    return Dialect(encoding, delimiter, decimal, names, skip, header and not unnamed, _codes(names, body), tuple(notes))


def _whole_lines(text: str, cut: bool) -> list[str]:
    """The first lines; the last one only if it is complete."""
    lines = text.splitlines(keepends=True)
    if cut and len(lines) > 1:
        lines = lines[:-1]
    return lines[:_LINES]


def _split(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    return [row for row in csv.reader(lines, delimiter=delimiter) if row]


def _settle(lines: Sequence[str], delimiter: str | None, tab: bool, label: str) -> tuple[str, int, list[str]]:
    """The delimiter, how many lines stand above the heading, and notes about them."""
    if delimiter is not None:
        return delimiter, 0, []
    found = _delimiter(lines, tab)
    if len(_split(lines, found)[0]) > 1:
        return found, 0, []
    for candidate in _DELIMITERS:
        preamble = _lines_above(lines, candidate)
        if preamble:
            above = f"{preamble} line{'s' * (preamble > 1)} above the heading passed over: {shown(lines[0].strip())}"
            return candidate, preamble, [above]
    return (" ", 0, []) if _by_blanks(lines, label) else (found, 0, [])


def _delimiter(lines: Sequence[str], tab: bool) -> str:
    """The one that cuts all lines into equally many cells, the most of them; else the heading decides."""
    candidates = ("\t", *_DELIMITERS) if tab else _DELIMITERS
    best, best_score = candidates[0], (-1, -1)
    for candidate in candidates:
        widths = [len(row) for row in _split(lines, candidate)]
        score = (int(len(set(widths)) == 1) + int(widths[0] > 1), widths[0])
        if score > best_score:
            best, best_score = candidate, score
    return best


def _lines_above(lines: Sequence[str], delimiter: str) -> int:
    """How many lines of one cell (a title, remarks) stand above an even table with a heading in words; else 0."""
    for above in range(1, min(_PREAMBLE, len(lines) - 2) + 1):
        rows = _split(lines[above:], delimiter)
        widths = {len(row) for row in rows}
        if len(rows) >= 3 and len(widths) == 1 and widths != {1} and lines[above].strip():
            words = not any(_NUMBER.match(cell) for cell in rows[0])
            return above if words else 0
    return 0


def _by_blanks(lines: Sequence[str], label: str) -> bool:
    """Whether single blanks separate the cells; several of them are refused."""
    rows = [line.split() for line in lines if line.strip()]
    if len(rows) < 2 or len(rows[0]) < 2 or len({len(row) for row in rows}) > 1:
        return False
    if not all(_NUMBER.match(cell) or cell in MISSING for cell in rows[1]):
        return False
    if any(line.strip("\r\n") != " ".join(line.split()) for line in lines):
        raise DataError(f"{label}: cells seem to stand apart by several blanks. Save it with commas or tabs between.")
    return True


def _has_header(rows: Sequence[Sequence[str]]) -> bool:
    """False when every cell of the first line is a number, except for 0, 1, 2, … or 1, 2, 3, …"""
    first = [cell.strip() for cell in rows[0]]
    if not all(_NUMBER.match(cell) or _COMMA_NUMBER.match(cell) for cell in first):
        return True
    runs = ([str(index + start) for index in range(len(first))] for start in (0, 1))
    return len(first) > 1 and len(rows) > 1 and first in runs


def _names(first: Sequence[str], header: bool, label: str) -> tuple[str, ...]:
    if not header:
        return tuple(f"column_{index + 1}" for index in range(len(first)))
    names = tuple(cell.strip() or f"column_{index + 1}" for index, cell in enumerate(first))
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        places = [str(index + 1) for index, name in enumerate(names) if name == twice[0]]
        raise DataError(
            f"{label}: the heading has {listed(twice)} more than once ({quoted(twice[0])} at places "
            f"{', '.join(places)}). Rename or remove the others."
        )
    return names


def _decimal(body: Sequence[Sequence[str]], delimiter: str) -> str:
    """A comma where numbers have commas that cannot stand between thousands, and none has a point."""
    if delimiter == ",":
        return "."
    cells = [cell.strip() for row in body for cell in row]
    if any(_POINTS_AND_COMMA.match(cell) for cell in cells):
        return ","
    with_comma = [cell for cell in cells if _COMMA_NUMBER.match(cell)]
    with_point = any("." in cell and _NUMBER.match(cell) for cell in cells)
    return "," if not with_point and any(not _THOUSANDS.match(cell) for cell in with_comma) else "."


def _codes(names: Sequence[str], body: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The columns in which numbers with leading zeros occur."""
    return tuple(
        name
        for index, name in enumerate(names)
        if any(len(row) > index and _LEADING_ZERO.match(row[index]) for row in body)
    )
