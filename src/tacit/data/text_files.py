"""Delimited files as they are gathered, before it is settled what their texts mean: one, or some that are one table."""

import codecs
import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.data.blocks_of_text import SAMPLE, Opener, TextBlocks, WrongText, first_bytes, line_of
from tacit.data.dialect import Dialect, find_dialect
from tacit.data.errors import DataError, counted, shown
from tacit.data.finished_columns import Unfinished
from tacit.data.reading import ReadingOptions, plain_number
from tacit.data.totals import below

_TEXTS = pa.dictionary(pa.int32(), pa.large_string())
_EXACT = 2**53


@dataclasses.dataclass(frozen=True, eq=False)
class TextSource:
    """A delimited file before it is read.

    Attributes:
        opener: opens the bytes.
        label: what it is called in messages.
        options: what the user knows about it.
        tab: prefer tabs when in doubt (.tsv).
        notes: what was guessed before, such as which sheet of a workbook is read.
    """

    opener: Opener
    label: str
    options: ReadingOptions
    tab: bool = False
    notes: tuple[str, ...] = ()


class TextFile:
    """A delimited file with all its rows.

    Attributes:
        source, dialect: what was read, and how it is laid out.
        columns: by their names; those without a name and a value are left out.
        rows: how many.
        below: rows at the end that may be totals and are not among the rows, as texts by the names of their columns.
        notes: what was guessed or left out.
    """

    def __init__(self, source: TextSource) -> None:
        """Read it, in the first encoding that it can be read in; raises `DataError` saying what is wrong with it."""
        self.source = source
        label, options = source.label, source.options
        with source.opener() as stream:
            sample = first_bytes(stream)
        if not sample.strip(b"\xef\xbb\xbf \t\r\n"):
            raise DataError(f"{label} is empty: expected a heading and rows.")
        encodings = _encodings(sample, options)
        if not encodings[0].startswith("utf-16") and not options.encoding and b"\x00" in sample:
            raise DataError(f"{label} is not a text table (it has zero bytes). Save it as CSV in UTF-8.")
        for encoding in encodings:
            try:
                self.dialect: Dialect = find_dialect(
                    sample, len(sample) >= SAMPLE, label, options, source.tab, encoding
                )
                self._blocks = TextBlocks(source.opener, label, self.dialect, options)
                self.gather(totals=bool(options.keep_totals))
                return
            except (UnicodeDecodeError, WrongText):
                continue
            except LookupError:
                raise DataError(f"unknown encoding {encoding!r}; say utf-8, latin-1 or another Python codec.") from None
        raise DataError(f"{label} cannot be read as {encodings[0]}; name its encoding, or save it as UTF-8.")

    def gather(self, *, totals: bool) -> None:
        """Read all rows; with ``totals`` also those at the end that may be totals."""
        found = self._blocks.read(None if totals else below)
        if not found.rows:
            many = counted(len(self.dialect.names), "column")
            raise DataError(f"{self.source.label} has a heading ({many}) but no rows.")
        self.columns, self.rows = found.columns, found.rows
        self.below = [dict(zip(self.dialect.names, row, strict=True)) for row in found.below]
        options, dialect = self.source.options, self.dialect
        plain = ("utf-8", options.encoding, options.fitted and options.fitted.encoding)
        told = () if dialect.encoding in plain else (f"not UTF-8: read as {dialect.encoding}",)
        self.notes = [*self.source.notes, *told, *dialect.notes, *found.notes]
        self._leave_out_surplus()

    def _leave_out_surplus(self) -> None:
        """Leave out columns without a name and without a value."""
        dialect, missing = self.dialect, self.source.options.missing
        empty = {name for name, each in self.columns.items() if each.is_empty(missing)}
        gone = [name for name in self.columns if name in dialect.made_up and name in empty and dialect.header]
        surplus = dialect.names[-1] if dialect.surplus else ""
        if surplus:
            if surplus not in empty:
                cells = self.texts([surplus])[surplus].cells
                row = next(row for row, cell in enumerate(cells.to_pylist()) if cell and cell.strip() not in missing)
                text = cells[row].as_py().strip()
                number = plain_number(text)
                found = shown(text if number is None else number)
                raise DataError(
                    f"{self.source.label}, row {row + 1} (line {self.line(row)}): {found} stands behind the last "
                    f"column of the heading, {dialect.names[-2]!r}. Give it a name, or remove it."
                )
            self.notes.append("every row ends in a separator and the heading does not: nothing stands behind it")
        names = [name for name in gone if name != surplus]
        if names and len(names) < len(self.columns):
            self.notes.append(f"{counted(len(names), 'column')} without a name and without a value left out")
        self.columns = {name: each for name, each in self.columns.items() if name not in gone} or self.columns

    def texts(self, names: Sequence[str]) -> dict[str, Unfinished]:
        """Some columns, every cell as it is written."""
        return self._blocks.texts(names)

    def line(self, row: int) -> int:
        """The line of the file, from 1, in which a row (from 0) begins."""
        return line_of(self.source.opener, self.dialect, row)

    def decimal_signs(self) -> dict[str, frozenset[str]]:
        """The decimal signs that every column has without doubt."""
        return {name: frozenset(each.decimal_signs()) for name, each in self.columns.items()}

    @property
    def delimiter(self) -> str:
        """What separates cells; "" where there is one column."""
        return self.dialect.delimiter if len(self.dialect.names) > 1 else ""


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


def gathered(files: Sequence[TextFile]) -> dict[str, Unfinished]:
    """The columns of some files as those of one: numbers where all have numbers, else texts."""
    if len(files) == 1:
        return dict(files[0].columns)
    found, again = {}, []
    for name in files[0].columns:
        parts = [file.columns[name] for file in files]
        if {part.kind for part in parts} <= {"empty", "int", "float"} and not _inexact(parts):
            found[name] = _numbers(name, parts)
        else:
            found[name] = parts[0]  # in its place; read as texts below
            again.append(name)
    return found | as_texts(files, again)


def as_texts(files: Sequence[TextFile], names: Sequence[str]) -> dict[str, Unfinished]:
    """Some columns of some files as texts."""
    if not names:
        return {}
    held = []
    for file in files:
        again = [name for name in names if not file.columns[name].texts]
        held.append(file.columns | (file.texts(again) if again else {}))
    found = {}
    for name in names:
        chunks = [chunk for columns in held for chunk in _dictionaries(columns[name].cells)]
        found[name] = Unfinished(name, "text", pa.chunked_array(chunks, _TEXTS).unify_dictionaries())
    return found


def _dictionaries(cells: pa.Array | pa.ChunkedArray) -> list[pa.Array]:
    chunks = cells.chunks if isinstance(cells, pa.ChunkedArray) else [cells]
    return [pa.nulls(len(chunk), _TEXTS) if pa.types.is_null(chunk.type) else chunk for chunk in chunks]


def _inexact(parts: Sequence[Unfinished]) -> bool:
    """Whether whole numbers of one file would lose digits beside the decimals of another."""
    if not any(part.kind == "float" for part in parts):
        return False
    sizes = [pc.max(pc.abs(part.cells)).as_py() for part in parts if part.kind == "int"]
    return any(size is not None and size > _EXACT for size in sizes)


def _numbers(name: str, parts: Sequence[Unfinished]) -> Unfinished:
    kinds = {part.kind for part in parts}
    kind = next((each for each in ("float", "int") if each in kinds), "empty")
    wanted = {"float": pa.float64(), "int": pa.int64(), "empty": pa.null()}[kind]
    cells = pa.concat_arrays([_whole(part.cells).cast(wanted) for part in parts])
    signs = tuple(sorted({sign for part in parts for sign in part.signs}))
    pointed, open_ = any(part.pointed for part in parts), any(part.open for part in parts)
    return Unfinished(name, kind, cells, pointed, open_, signs)


def _whole(cells: pa.Array | pa.ChunkedArray) -> pa.Array:
    return cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells


def file_of(files: Sequence[TextFile], row: int) -> tuple[TextFile, int]:
    """The file that a row of all files together lies in, and its place there."""
    ends = np.cumsum([file.rows for file in files])
    at = int(np.searchsorted(ends, row, side="right"))
    return files[at], row - int(ends[at]) + files[at].rows
