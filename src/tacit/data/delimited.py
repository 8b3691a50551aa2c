"""CSV and its cousins, read with Arrow: what is wrong is said with its place."""

import codecs
import dataclasses
from collections.abc import Mapping

import pyarrow as pa

from tacit.data.blocks_of_text import SAMPLE, Opener, TextBlocks, WrongText, first_bytes, line_of
from tacit.data.dialect import Dialect, find_dialect
from tacit.data.errors import DataError, counted, listed, place, shown
from tacit.data.finished_columns import Finished, Unfinished, finish_numbers, finish_texts, is_swallowed
from tacit.data.number_forms import NAMES, Contradiction, Known
from tacit.data.reading import NumberForm, ReadAs, ReadingOptions
from tacit.data.totals import below, sums_up

__all__ = ["Opener", "read_delimited"]


def read_delimited(
    opener: Opener, label: str, options: ReadingOptions, tab: bool = False
) -> tuple[pa.Table, tuple[str, ...], ReadAs]:
    """Read comma-, semicolon-, tab- or bar-separated text.

    Args:
        opener: opens the bytes.
        label: what the source is called in messages.
        options: what the user knows about the file.
        tab: prefer tabs when in doubt (.tsv).

    Returns:
        The table, a note for everything that was guessed and is not plain CSV in UTF-8, and how it is written.

    Raises:
        DataError: nothing in it, not text, a heading without rows, a row of another length, a cell that contradicts
            how the table of the fit was read.
    """
    with opener() as stream:
        sample = first_bytes(stream)
    if not sample.strip(b"\xef\xbb\xbf \t\r\n"):
        raise DataError(f"{label} is empty: expected a heading and rows.")
    encodings = _encodings(sample, options)
    if not encodings[0].startswith("utf-16") and not options.encoding and b"\x00" in sample:
        raise DataError(f"{label} is not a text table (it has zero bytes). Save it as CSV in UTF-8.")
    for encoding in encodings:
        try:
            dialect = find_dialect(sample, len(sample) >= SAMPLE, label, options, tab, encoding)
            found = _Reading(opener, label, options, dialect).read()
        except (UnicodeDecodeError, WrongText):
            continue
        except LookupError:
            raise DataError(f"unknown encoding {encoding!r}; say utf-8, latin-1 or another Python codec.") from None
        plain = ("utf-8", options.encoding, options.fitted and options.fitted.encoding)
        told = () if encoding in plain else (f"not UTF-8: read as {encoding}",)
        return found.table, (*told, *found.notes), found.read_as
    raise DataError(f"{label} cannot be read as {encodings[0]}; name its encoding, or save it as UTF-8.")


def _encodings(sample: bytes, options: ReadingOptions) -> tuple[str, ...]:
    """What to try in turn: anything can be read as latin-1, so it comes last."""
    if options.encoding:
        return (options.encoding,)
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("utf-16",)
    even, odd = sample[0:2000:2].count(0), sample[1:2000:2].count(0)
    if max(even, odd) > 0.3 * min(len(sample) / 2, 1000) and min(even, odd) == 0:
        return ("utf-16-le" if odd else "utf-16-be",)
    fitted = () if options.fitted is None else (options.fitted.encoding,)
    return tuple(dict.fromkeys(("utf-8", *fitted, "cp1252", "latin-1")))


@dataclasses.dataclass(frozen=True, eq=False)
class _Found:
    table: pa.Table
    notes: tuple[str, ...]
    read_as: ReadAs


class _Reading:
    """One file, read in one encoding."""

    def __init__(self, opener: Opener, label: str, options: ReadingOptions, dialect: Dialect) -> None:
        self.label, self.options, self.dialect = label, options, dialect
        self.blocks = TextBlocks(opener, label, dialect, options)
        self.known = Known(options, dialect.delimiter if len(dialect.names) > 1 else "")

    def read(self) -> _Found:
        """The whole table."""
        below_it = None if self.options.keep_totals else below
        found = self.blocks.read(below_it)
        if not found.rows:
            many = counted(len(self.dialect.names), "column")
            raise DataError(f"{self.label} has a heading ({many}) but no rows.")
        columns = self._columns(found.columns)
        notes = [*self.dialect.notes, *found.notes]
        if found.below:
            verdict = sums_up(found.below, [each.cells for each in columns], [each.form for each in columns])
            if not verdict.left_out:  # a row like the others after all
                found = self.blocks.read(None)
                columns = self._columns(found.columns)
                notes = [*self.dialect.notes, *found.notes]
            notes += [verdict.note] if verdict.note else []
        columns, dropped = self._without_surplus(columns)
        notes += dropped
        notes += [*self._number_notes(columns), *self._swallowed(columns)]
        self._check_last_quote(columns[-1])
        table = pa.table([each.cells for each in columns], names=[each.name for each in columns])
        return _Found(table, tuple(notes), self._read_as(columns))

    def _columns(self, raw: Mapping[str, Unfinished]) -> list[Finished]:
        """Numbers and texts for every column; those that other columns explain are read again as texts."""
        own = {sign for each in raw.values() for sign in each.decimal_signs()}
        sign = next(iter(own)) if len(own) == 1 else ""
        known = dataclasses.replace(self.known, sign=sign)
        again = [name for name, each in raw.items() if each.kind == "float" and self._other_way(each, known)]
        raw = dict(raw) | (self.blocks.texts(again) if again else {})
        found = []
        for name, each in raw.items():
            try:
                found.append(finish_texts(each, known) if each.texts else finish_numbers(each, known))
            except Contradiction as error:
                raise self._contradicted(name, each, error) from None
        return self._with_percent(found)

    def _other_way(self, column: Unfinished, known: Known) -> bool:
        """Whether plain numbers with points are to be looked at as texts, for a decimal comma is known."""
        if not column.pointed and not column.open:
            return False
        fit = known.of_fit(column.name).decimal if known.same else ""
        wanted = known.said or fit or ("" if column.pointed else known.sign)
        return wanted == "," or (known.options.thousands is not None and column.open)

    def _contradicted(self, name: str, column: Unfinished, error: Contradiction) -> DataError:
        row = column.row_of(error.text)
        line = line_of(self.blocks.opener, self.dialect, row)
        said = self.options.decimal or self.options.thousands
        cure = (
            "Leave the option out: every column is looked at by itself. Or correct the cell."
            if said and self.options.fitted is None
            else "Say how this table is written: --decimal . or --decimal , (and --thousands), or correct the cell."
        )
        return DataError(f"{self.label}, {place(name, row)} (line {line}): {error.what}. {cure}")

    def _with_percent(self, columns: list[Finished]) -> list[Finished]:
        """Refuse shares where the fit's column was in per cents."""
        for each in columns if self.options.fitted is not None else ():
            form = self.known.of_fit(each.name)
            if form.unit == "%" and not form.shares and each.numeric and not each.form.unit and each.largest() <= 1:
                raise DataError(
                    f"{self.label}, column {each.name!r}: no number is above 1 and none has a sign for per cent, and "
                    "the column of the fit was in per cents (45 for 45%). Write them so."
                )
        return columns

    def _without_surplus(self, columns: list[Finished]) -> tuple[list[Finished], list[str]]:
        """Leave out columns without a name and without a value."""
        surplus = self.dialect.names[-1] if self.dialect.surplus else ""
        gone = [each for each in columns if each.name in self.dialect.made_up and each.empty and self.dialect.header]
        notes = []
        if surplus:
            last = columns[-1]
            if not last.empty:
                row = next(row for row, cell in enumerate(last.cells.to_pylist()) if cell is not None)
                line = line_of(self.blocks.opener, self.dialect, row)
                raise DataError(
                    f"{self.label}, row {row + 1} (line {line}): {shown(last.cells[row].as_py())} stands behind the "
                    f"last column of the heading, {self.dialect.names[-2]!r}. Give it a name, or remove it."
                )
            notes.append("every row ends in a separator and the heading does not: nothing stands behind it")
        names = [each.name for each in gone if each.name != surplus]
        if names and len(names) < len(columns):
            notes.append(f"{counted(len(names), 'column')} without a name and without a value left out")
        kept = [each for each in columns if each not in gone]
        return (kept or columns), notes

    def _number_notes(self, columns: list[Finished]) -> list[str]:
        """What was settled about numbers, alike columns in one sentence."""
        signs = {each.form.decimal for each in columns if each.form.decimal and each.numeric}
        notes: list[str] = []
        commas = [each.name for each in columns if each.form.decimal == "," and each.numeric and not each.mixed]
        if commas and self.options.decimal != ",":
            notes.append(
                "decimal commas" if signs == {","} else f"decimal commas in {_names(commas)}, points in others"
            )
        for sign in NAMES:
            names = [each.name for each in columns if each.form.thousands == sign and each.numeric and not each.open]
            if names:
                notes.append(f"{NAMES[sign]} between thousands in {_names(names)}")
        grouped: dict[str, list[str]] = {}
        for each in columns:
            for note in each.notes:
                grouped.setdefault(note, []).append(each.name)
        notes += [f"{_names(names)} {note}" for note, names in grouped.items()]
        for each in [each for each in columns if each.open][:6]:
            notes.append(_open_note(each))
        return notes

    def _check_last_quote(self, column: Finished) -> None:
        """A quote that is never closed swallows the rest of the file into the last cell."""
        last = column.cells[-1].as_py() if pa.types.is_string(column.cells.type) else None
        if not last or "\n" not in last:
            return
        with self.blocks.opener() as stream:
            closed = stream.read().rstrip(b"\r\n\0 ").endswith(b'"')
        if not closed:
            where = place(column.name, len(column.cells) - 1)
            raise DataError(f"{self.label}, {where}: a quote is opened and never closed ({shown(last)}). Close it.")

    def _swallowed(self, columns: list[Finished]) -> list[str]:
        """A cell in quotes that holds whole rows: a quote was opened by mistake."""
        for each in columns:
            found = is_swallowed(each.cells, self.dialect.delimiter, len(columns))
            if found is not None:
                row, lines = found
                return [
                    f"{place(each.name, row)}: one cell in quotes holds {lines} lines that look like rows; is a quote "
                    "mark opened by mistake?"
                ]
        return []

    def _read_as(self, columns: list[Finished]) -> ReadAs:
        """What a run keeps."""
        decimals = {each.form.decimal for each in columns if each.numeric and each.form.decimal}
        thousands = {each.form.thousands for each in columns if each.numeric and each.form.thousands}
        decimal = next(iter(decimals)) if len(decimals) == 1 else ""
        between = next(iter(thousands)) if len(thousands) == 1 else ""
        plain = (NumberForm(), NumberForm(decimal=decimal), NumberForm(decimal=decimal, thousands=between))
        forms = {each.name: each.form for each in columns if each.numeric and each.form not in plain}
        return ReadAs(self.dialect.encoding, self.dialect.delimiter, decimal, between, forms)


def _names(names: list[str]) -> str:
    return listed(names, 4)


def _open_note(column: Finished) -> str:
    """What is said of a column whose numbers could be others."""
    sign = "," if "," in column.open else "."
    as_read, other = ("thousands", "decimal") if sign == "," else ("decimal", "thousands")
    what = {"thousands": "between thousands", "decimal": "before decimals"}
    return (
        f"column {column.name!r}: the {NAMES[sign][:-1]} in {column.open} was taken to stand {what[as_read]}; if it "
        f"stands {what[other]}, say --{other} {sign}"
    )
