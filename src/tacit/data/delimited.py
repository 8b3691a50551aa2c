"""CSV and its cousins, read with Arrow: what is wrong is said with its place.

Several files are read as if they were one: what one of them leaves open (``1,234`` in every row), the others decide.
"""

import dataclasses
from collections.abc import Sequence

import pyarrow as pa

from tacit.data.blocks_of_text import Opener
from tacit.data.compressed import said_plainly
from tacit.data.errors import DataError, listed, place, shown
from tacit.data.finished_columns import Finished, Unfinished, finish_numbers, finish_texts, is_swallowed
from tacit.data.number_forms import NAMES, Contradiction, Known
from tacit.data.reading import NumberForm, ReadAs, ReadingOptions
from tacit.data.several import check_alike
from tacit.data.text_files import TextFile, TextSource, as_texts, file_of, gathered
from tacit.data.totals import sums_up

__all__ = ["Opener", "TextSource", "read_delimited", "read_delimited_files"]

Delimited = tuple[pa.Table, tuple[str, ...], ReadAs]


def read_delimited(opener: Opener, label: str, options: ReadingOptions, tab: bool = False) -> Delimited:
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
    return read_delimited_files([TextSource(opener, label, options, tab)], options)


def read_delimited_files(sources: Sequence[TextSource], options: ReadingOptions) -> Delimited:
    """Read files as one table, as `read_delimited` does one; what is said and not of all names its files.

    Raises:
        DataError: as there; or a file has other columns than the first, or numbers that are open where the others,
            written in several ways, do not tell either.
    """
    files = []
    for source in sources:
        with said_plainly(source.label):
            files.append(TextFile(source))
    for file in files[1:]:
        check_alike(list(files[0].columns), list(file.columns), files[0].source.label, file.source.label)
    whole = _Whole(files, options)
    columns = whole.settle()
    if whole.with_kept_totals(columns):
        columns = whole.settle()
    table = pa.table([each.cells for each in columns], names=[each.name for each in columns])
    return table, whole.notes(columns), whole.read_as(columns)


@dataclasses.dataclass(frozen=True, eq=False)
class _Group:
    """Files whose numbers are written alike, by what they have without doubt; and what is known of them."""

    files: list[TextFile]
    known: Known

    def settle(self) -> dict[str, Finished]:
        """Numbers and texts for every column; those that other columns explain are read again as texts."""
        raw = gathered(self.files)
        raw |= as_texts(self.files, [name for name, each in raw.items() if each.kind == "float" and self._other(each)])
        return {name: self.finish(each) for name, each in raw.items()}

    def finish(self, column: Unfinished) -> Finished:
        """A column as it goes into the table; raises `DataError` for a cell that contradicts what is known."""
        try:
            return finish_texts(column, self.known) if column.texts else finish_numbers(column, self.known)
        except Contradiction as error:
            raise self._contradicted(column, error) from None

    def _other(self, column: Unfinished) -> bool:
        """Whether plain numbers with points are to be looked at as texts, for a decimal comma is known."""
        if not column.pointed and not column.open:
            return False
        known = self.known
        fit = known.of_fit(column.name).decimal if known.same else ""
        around = known.elsewhere.get(column.name) or known.around if known.delimiter != "," else frozenset[str]()
        wanted = known.said or fit or ("" if column.pointed else known.sign or ("," if "," in around else ""))
        return wanted == "," or (known.options.thousands is not None and column.open)

    def _contradicted(self, column: Unfinished, error: Contradiction) -> DataError:
        file, row = file_of(self.files, column.row_of(error.text))
        options = self.known.options
        said = options.decimal or options.thousands
        cure = (
            "Leave the option out: every column is looked at by itself. Or correct the cell."
            if said and options.fitted is None
            else "Say how all files are written, --decimal . or --decimal , (and --thousands), or write it like others."
            if self.known.around
            else "Say how this table is written: --decimal . or --decimal , (and --thousands), or correct the cell."
        )
        return DataError(
            f"{file.source.label}, {place(column.name, row)} (line {file.line(row)}): {error.what}. {cure}"
        )


class _Whole:
    """Files that are one table."""

    def __init__(self, files: list[TextFile], options: ReadingOptions) -> None:
        self.files, self.options = files, options
        self.groups = _groups(files, options)
        self.order = [file for group in self.groups for file in group.files]
        """The files in the order of the groups."""
        self.verdicts: list[tuple[TextFile, str]] = []

    def settle(self) -> list[Finished]:
        """Every column of all files, the rows in the order of the files."""
        parts = [group.settle() for group in self.groups]
        names = list(self.files[0].columns)
        found = [self._joined(name, [part[name] for part in parts]) for name in names]
        self._check_per_cents(found)
        if len(self.groups) == 1:
            return found
        return [dataclasses.replace(each, cells=self._in_order(each.cells)) for each in found]

    def _joined(self, name: str, parts: list[Finished]) -> Finished:
        """A column of all groups: numbers where all have them in one unit, else the texts."""
        if len(parts) == 1:
            return parts[0]
        there = [part for part in parts if not part.empty]
        kinds = {part.cells.type for part in there}
        units = {part.form.unit for part in there}
        if all(part.numeric for part in there) and len(units) <= 1:
            kind = pa.float64() if pa.float64() in kinds or not kinds else pa.int64()
            cells = pa.chunked_array([chunk for part in parts for chunk in _chunks(part.cells.cast(kind))])
            form = there[0].form if there else NumberForm()
            mixed = len({part.form.decimal for part in there} - {""}) > 1
            decimals = {part.form.decimal for part in there} - {""}
            form = dataclasses.replace(form, decimal=decimals.pop() if len(decimals) == 1 else "")
            notes = tuple(dict.fromkeys(note for part in parts for note in part.notes))
            return Finished(name, cells, form, mixed, next((part.open for part in parts if part.open), ""), notes)
        whole = as_texts(self.order, [name])[name]
        found = self.groups[0].finish(whole) if not any(part.numeric for part in there) else None
        if found is not None:
            return found
        listing = " and ".join(sorted({repr(unit) if unit else "none" for unit in units}))
        trouble = (
            f"numbers in several units ({listing})" if all(part.numeric for part in there) else "not all are numbers"
        )
        texts = pa.chunked_array([chunk.dictionary_decode().cast(pa.string()) for chunk in whole.cells.chunks])
        return Finished(name, texts, notes=(f"keeps its texts: {trouble}",))

    def _in_order(self, cells: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
        """Cells of the groups one after another, put into the order of the files."""
        starts, start = {}, 0
        for file in self.order:
            starts[id(file)] = start
            start += file.rows
        parts = [cells.slice(starts[id(file)], file.rows) for file in self.files]
        return pa.chunked_array([chunk for part in parts for chunk in _chunks(part)], cells.type)

    def slices(self, columns: list[Finished]) -> list[tuple[TextFile, list[Finished]]]:
        """Every file with its own rows of the columns."""
        found, start = [], 0
        for file in self.files:
            own = [dataclasses.replace(each, cells=each.cells.slice(start, file.rows)) for each in columns]
            found.append((file, own if len(self.files) > 1 else columns))
            start += file.rows
        return found

    def with_kept_totals(self, columns: list[Finished]) -> bool:
        """Judge the rows that may be totals; True where some are rows like the others, and were read again."""
        again = False
        for file, own in self.slices(columns) if any(file.below for file in self.files) else ():
            if not file.below:
                continue
            rows = [[row.get(each.name, "") for each in own] for row in file.below]
            verdict = sums_up(rows, [each.cells for each in own], [each.form for each in own])
            if verdict.note:
                self.verdicts.append((file, verdict.note))
            if not verdict.left_out:  # a row like the others after all
                file.gather(totals=True)
                again = True
        if again:
            self.groups = _groups(self.files, self.options)
            self.order = [file for group in self.groups for file in group.files]
        return again

    def _check_per_cents(self, columns: list[Finished]) -> None:
        """Refuse shares where the fit's column was in per cents."""
        for each in columns if self.options.fitted is not None else ():
            form = self.groups[0].known.of_fit(each.name)
            if form.unit == "%" and not form.shares and each.numeric and not each.form.unit and each.largest() <= 1:
                raise DataError(
                    f"{self.files[0].source.label}, column {each.name!r}: no number is above 1 and none has a sign for "
                    "per cent, and the column of the fit was in per cents (45 for 45%). Write them so."
                )

    def notes(self, columns: list[Finished]) -> tuple[str, ...]:
        """All that was guessed: of the files, then of the columns."""
        told = {id(file): list(file.notes) for file in self.files}
        for file, note in self.verdicts:
            told[id(file)].append(note)
        swallowed: list[str] = []
        for file, own in self.slices(columns):
            _check_last_quote(file, own[-1])
            found = _swallowed(file, own)
            swallowed += [found if len(self.files) == 1 else f"{file.source.label}, {found}"] if found else []
        said: dict[str, list[str]] = {}
        for file in self.files:
            for note in told[id(file)]:
                said.setdefault(note, []).append(file.source.label)
        own_notes = [
            note if len(labels) == len(self.files) else f"{', '.join(labels[:3])}{' …' * (len(labels) > 3)}: {note}"
            for note, labels in said.items()
        ]
        return (*own_notes, *_number_notes(columns, self.options), *swallowed)

    def read_as(self, columns: list[Finished]) -> ReadAs:
        """What a run keeps."""
        decimals = {each.form.decimal for each in columns if each.numeric and each.form.decimal}
        thousands = {each.form.thousands for each in columns if each.numeric and each.form.thousands}
        if any(each.mixed for each in columns):
            decimals |= {".", ","}
        decimal = next(iter(decimals)) if len(decimals) == 1 else ""
        between = next(iter(thousands)) if len(thousands) == 1 else ""
        plain = (NumberForm(), NumberForm(decimal=decimal), NumberForm(decimal=decimal, thousands=between))
        forms = {each.name: each.form for each in columns if each.numeric and each.form not in plain}
        encodings = [file.dialect.encoding for file in self.files]
        encoding = next((each for each in encodings if each != "utf-8"), "utf-8")
        return ReadAs(encoding, self.files[0].dialect.delimiter, decimal, between, forms)


def _groups(files: list[TextFile], options: ReadingOptions) -> list[_Group]:
    """Files put together by what separates their cells and by the decimal signs that they have without doubt.

    Files without any such sign go to those with one, where only one group has the same separator.
    """
    signs = {id(file): file.decimal_signs() for file in files}
    own = {id(file): frozenset(sign for each in signs[id(file)].values() for sign in each) for file in files}
    every = frozenset(sign for each in own.values() for sign in each)
    delimiters = {file.delimiter for file in files}
    if len(delimiters) == 1 and (len(every) < 2 or len(files) == 1 or options.decimal or options.thousands):
        sign = next(iter(every)) if len(every) == 1 else ""
        return [_Group(files, Known(options, files[0].delimiter, sign))]
    kept: dict[tuple[str, frozenset[str]], list[TextFile]] = {}
    for file in files:
        alike = {own[id(each)] for each in files if each.delimiter == file.delimiter and own[id(each)]}
        key = own[id(file)] or (next(iter(alike)) if len(alike) == 1 else frozenset[str]())
        kept.setdefault((file.delimiter, key), []).append(file)
    found = []
    for (delimiter, key), inside in kept.items():
        others = [file for file in files if file not in inside]
        names = files[0].columns
        # a file that is all of one way says nothing of columns in a file that is all of another
        telling = [file for file in others if file.delimiter == delimiter and (len(key) != 1 or len(own[id(file)]) > 1)]
        elsewhere = {name: frozenset(sign for file in telling for sign in signs[id(file)][name]) for name in names}
        around = frozenset(sign for file in others for sign in own[id(file)])
        sign = next(iter(key)) if len(key) == 1 else ""
        found.append(_Group(inside, Known(options, delimiter, sign, elsewhere, around)))
    return found


def _chunks(cells: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    return cells.chunks if isinstance(cells, pa.ChunkedArray) else [cells]


def _check_last_quote(file: TextFile, column: Finished) -> None:
    """A quote that is never closed swallows the rest of the file into the last cell."""
    last = column.cells[-1].as_py() if pa.types.is_string(column.cells.type) else None
    if not last or "\n" not in last:
        return
    with file.source.opener() as stream:
        closed = stream.read().rstrip(b"\r\n\0 ").endswith(b'"')
    if not closed:
        where = place(column.name, len(column.cells) - 1)
        raise DataError(f"{file.source.label}, {where}: a quote is opened and never closed ({shown(last)}). Close it.")


def _swallowed(file: TextFile, columns: list[Finished]) -> str:
    """A cell in quotes that holds whole rows: a quote was opened by mistake; "" where there is none."""
    for each in columns:
        found = is_swallowed(each.cells, file.dialect.delimiter, len(columns))
        if found is not None:
            row, lines = found
            return (
                f"{place(each.name, row)}: one cell in quotes holds {lines} lines that look like rows; is a quote "
                "mark opened by mistake?"
            )
    return ""


def _number_notes(columns: list[Finished], options: ReadingOptions) -> list[str]:
    """What was settled about numbers, alike columns in one sentence."""
    signs = {each.form.decimal for each in columns if each.form.decimal and each.numeric}
    notes: list[str] = []
    commas = [each.name for each in columns if each.form.decimal == "," and each.numeric and not each.mixed]
    if commas and options.decimal != ",":
        notes.append("decimal commas" if signs == {","} else f"decimal commas in {_names(commas)}, points in others")
    for sign in NAMES:
        names = [each.name for each in columns if each.form.thousands == sign and each.numeric and not each.open]
        if names:
            notes.append(f"{NAMES[sign]} between thousands in {_names(names)}")
    mixed = [each.name for each in columns if each.mixed and not any("decimal points and" in n for n in each.notes)]
    if mixed:
        notes.append(
            f"{_names(mixed)} {'have' if len(mixed) > 1 else 'has'} decimal points in some files, commas in others"
        )
    grouped: dict[str, list[str]] = {}
    for each in columns:
        for note in each.notes:
            grouped.setdefault(note, []).append(each.name)
    notes += [f"{_names(names)} {note}" for note, names in grouped.items()]
    for each in [each for each in columns if each.open][:6]:
        notes.append(_open_note(each))
    return notes


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
