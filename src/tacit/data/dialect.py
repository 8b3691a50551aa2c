"""How a delimited text file is laid out, found out from its first lines: what separates cells, and where it begins."""

import codecs
import csv
import dataclasses
import io
import itertools
import re
from collections.abc import Sequence

from tacit.data.errors import DataError, shown
from tacit.data.headings import has_heading, is_unit_row, named, says_number
from tacit.data.reading import MISSING, ReadingOptions

SPELLED = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar", " ": "blank"}
_DELIMITERS = (",", ";", "\t", "|")
_LINES = 400
_PREAMBLE = 20
_BELOW = 5
"""Lines of one cell at the end that do not speak against a table of more."""


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How a delimited file is laid out.

    Attributes:
        encoding, delimiter: as in `ReadingOptions`.
        names: the headings, made up where there are none.
        made_up: those of ``names`` for which the heading has nothing.
        skip: how many lines stand above the heading, or above the first row if the heading is not to be parsed.
        header: how many lines are to be parsed and passed over: the heading, and units below it.
        surplus: whether every row ends in a separator and the heading does not.
        notes: what was guessed and is not plain CSV.
    """

    encoding: str
    delimiter: str
    names: tuple[str, ...]
    made_up: frozenset[str]
    skip: int
    header: int
    surplus: bool
    notes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class _Row:
    """Cells, and how many lines stand above them."""

    cells: list[str]
    above: int

    @property
    def filled(self) -> int:
        """How many cells hold something."""
        return sum(bool(cell.strip()) for cell in self.cells)


def find_dialect(sample: bytes, cut: bool, label: str, options: ReadingOptions, tab: bool, encoding: str) -> Dialect:
    """The dialect of a file from its first bytes (`cut` says that there are more).

    Raises:
        UnicodeDecodeError: the bytes are not in this encoding.
        DataError: cells stand apart by several blanks, or the line of the heading is not there.
    """
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    text = decoder.decode(sample, final=False).removeprefix("\ufeff")
    lines = list(io.StringIO(text, newline=""))
    lines = lines[:-1] if cut and len(lines) > 1 else lines
    said = re.match(r'^"?sep=(.)"?\s*$', next((line for line in lines if line.strip()), ""))
    above = _above(lines, options, label, bool(said))
    delimiter = options.delimiter or (said[1] if said else None)
    delimiter, rows, notes = _laid_out(lines[above : above + _LINES], delimiter, options, tab, label)
    if delimiter not in (",", "\t") and not options.delimiter and len(rows[0].cells) > 1:
        notes.append(f"cells are separated by a {SPELLED.get(delimiter, repr(delimiter))}")
    return _headed(rows, delimiter, above, encoding, options, notes)


def _above(lines: Sequence[str], options: ReadingOptions, label: str, said: bool) -> int:
    """How many lines are passed over before anything is looked at: as the user says, and empty ones."""
    asked = max(options.skip_rows, options.header - 1 if options.header else 0)
    if asked >= len(lines):
        what = f"line {options.header:d} to name the columns" if options.header else f"more than {asked} lines"
        raise DataError(f"{label} has no {what}.")
    if options.header:
        return asked
    empty = sum(1 for _ in itertools.takewhile(lambda line: not line.strip(), lines[asked:]))
    return asked + empty + (1 if said and asked == 0 else 0)


def _rows(lines: Sequence[str], delimiter: str) -> list[_Row]:
    """The rows that are not empty."""
    reader = csv.reader(lines, delimiter=delimiter)
    found, above = [], 0
    for cells in reader:
        if cells and any(cells):
            found.append(_Row(cells, above))
        above = reader.line_num
    return found


def _laid_out(
    lines: Sequence[str], delimiter: str | None, options: ReadingOptions, tab: bool, label: str
) -> tuple[str, list[_Row], list[str]]:
    """The delimiter, the rows from the heading on, and notes about what stands above."""
    fitted = () if options.fitted is None else (options.fitted.delimiter,)
    usual = ("\t", *_DELIMITERS) if tab else (*fitted, *_DELIMITERS)
    candidates = (delimiter,) if delimiter else tuple(dict.fromkeys(usual))
    parsed = {each: _rows(lines, each) for each in candidates}
    free = options.header is None
    even = {each: rows for each, rows in parsed.items() if _even(rows) > 1}
    if even:
        best = max(even, key=lambda each: _even(even[each]))
        start = _titles(even[best]) if free else 0
        return best, even[best][start:], _passed_over(even[best], start)
    for each in candidates if free else ():
        start = _below_titles(parsed[each])
        if start:
            return each, parsed[each][start:], _passed_over(parsed[each], start)
    heading = {each: len(rows[0].cells) if rows else 0 for each, rows in parsed.items()}
    best = max(candidates, key=lambda each: (_mostly(parsed[each]), heading[each], _even(parsed[each])))
    if delimiter is None and _mostly(parsed[best]) < 2 and _by_blanks(lines, label):
        return " ", _rows(lines, " "), []
    return best, parsed[best], []


def _even(rows: Sequence[_Row]) -> int:
    """How many cells all rows have, the heading perhaps one less; 0 where they differ."""
    if not rows:
        return 0
    many = len(rows)
    while many > 2 and len(rows) - many < _BELOW and len(rows[many - 1].cells) == 1:
        many -= 1
    first, rest = len(rows[0].cells), {len(row.cells) for row in rows[1:many]}
    narrow = first > 1 and rest == {first + 1}
    return first if rest <= {first} or narrow else 0


def _below_titles(rows: Sequence[_Row]) -> int:
    """How many rows of fewer cells stand above an even table with a heading in words; 0 where there is none."""
    last = min(_PREAMBLE, len(rows) - 2)
    for start, narrow in [(start, narrow) for narrow in (False, True) for start in range(1, last + 1)]:
        rest = rows[start:]
        width = _even(rest)
        if width > 1 and len(rest) > 2 and (narrow or len(rest[1].cells) == width):
            start += _titles(rest)
            if all(len(row.cells) < width for row in rows[:start]) and _in_words(rows[start]):
                return start
    return 0


def _mostly(rows: Sequence[_Row]) -> int:
    """How many cells the first row has, if half of the others have as many."""
    if not rows:
        return 0
    first = len(rows[0].cells)
    alike = sum(len(row.cells) == first for row in rows[1:])
    return first if 2 * alike >= len(rows) - 1 else min(first, 1)


def _titles(rows: Sequence[_Row]) -> int:
    """How many rows at the top hold one cell at most where the table below holds more: a title, remarks."""
    width = len(rows[0].cells)
    start = 0
    while start < min(_PREAMBLE, len(rows) - 2) and rows[start].filled <= 1 and bool(rows[start].cells[0].strip()):
        start += 1
    rest = rows[start + 1 :]
    full = sum(row.filled > 1 for row in rest)
    sound = width > 1 and start and rows[start].filled > 1 and _in_words(rows[start]) and full >= 0.8 * len(rest)
    return start if sound and len(rest) >= 2 else 0


def _in_words(row: _Row) -> bool:
    return not any(says_number(cell) for cell in row.cells)


def _passed_over(rows: Sequence[_Row], start: int) -> list[str]:
    if not start:
        return []
    lines = rows[start].above - rows[0].above
    first = " ".join(cell for cell in rows[0].cells if cell).strip()
    return [f"{lines} line{'s' * (lines > 1)} above the heading passed over: {shown(first)}"]


def _by_blanks(lines: Sequence[str], label: str) -> bool:
    """Whether single blanks separate the cells; several of them are refused."""
    rows = [line.split() for line in lines if line.strip()]
    if len(rows) < 2 or len(rows[0]) < 2 or len({len(row) for row in rows}) > 1:
        return False
    if not all(says_number(cell) or cell in MISSING for cell in rows[1]):
        return False
    if any(line.strip("\r\n") != " ".join(line.split()) for line in lines):
        raise DataError(f"{label}: cells seem to stand apart by several blanks. Save it with commas or tabs between.")
    return True


def _headed(
    rows: Sequence[_Row], delimiter: str, above: int, encoding: str, options: ReadingOptions, notes: list[str]
) -> Dialect:
    """The heading, and where the rows begin."""
    cells = [row.cells for row in rows]
    header = has_heading(cells) if options.header is None else bool(options.header)
    if not header and options.header is None:
        numbers = all(says_number(cell) for cell in cells[0])
        why = "is all numbers" if numbers else "looks like a row"
        notes.append(f"no heading: the first line {why}; columns are called column_1, column_2, …")
        if not numbers:
            notes[-1] += f" (--header {above + rows[0].above + 1} makes it the heading)"
    width = len(cells[0])
    while len(cells) > 2 and len(cells[-1]) == 1 < width:
        cells.pop()  # remarks below the table
    longer = header and width > 1 and len(cells) > 1 and all(len(row) == width + 1 for row in cells[1:])
    surplus = longer and all(not row[-1].strip() for row in cells[1:])
    unnamed = longer and not surplus
    if unnamed:
        notes.append("the heading lacks a name for the first column, called column_1")
    first = ["", *cells[0]] if unnamed else [*cells[0], ""] if surplus else cells[0]
    names, made_up, said = named(first, header)
    units = header and not unnamed and is_unit_row(cells, width)
    if units:
        said.append(f"the line of units below the heading passed over: {shown(', '.join(filter(None, cells[1])))}")
    skip = above + rows[0].above + (1 if unnamed else 0)
    count = 0 if unnamed or not header else 1 + units
    return Dialect(encoding, delimiter, names, made_up, skip, count, surplus, (*notes, *said))
