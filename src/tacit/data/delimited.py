"""CSV and its cousins: finding out how a file is written, and reading it with Arrow."""

import codecs
import csv
import dataclasses
import re
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from tacit.data.errors import DataError, counted, listed, place, quoted, shown

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "?", "null", "NULL", "None", "<NA>", "#N/A")
"""Cells that count as missing unless the user names others."""

_DELIMITERS = (",", ";", "\t", "|")
_SPELLED = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}
_SAMPLE = 1 << 18
_LINES = 400
_NUMBER = re.compile(r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")
_COMMA_NUMBER = re.compile(r"^\s*[-+]?\d+,\d+\s*$")
_LEADING_ZERO = re.compile(r"^\s*0\d+\s*$")

Opener = Callable[[], pa.NativeFile]
"""Opens the (decompressed) bytes of the source from their beginning; may be called more than once."""


@dataclasses.dataclass(frozen=True)
class Options:
    """How a delimited file is written; None is found out.

    Attributes:
        delimiter: one character.
        decimal: "." or ",".
        header: whether the first line names the columns.
        encoding: a Python codec name.
        missing: the cells that count as missing, besides empty ones.
    """

    delimiter: str | None = None
    decimal: str | None = None
    header: bool | None = None
    encoding: str | None = None
    missing: Sequence[str] = MISSING


@dataclasses.dataclass(frozen=True)
class _Dialect:
    encoding: str
    delimiter: str
    decimal: str
    names: tuple[str, ...]
    header: bool
    skip: int
    as_text: tuple[str, ...]
    notes: tuple[str, ...]


def read_delimited(
    opener: Opener, label: str, options: Options, tab: bool = False
) -> tuple[pa.Table, tuple[str, ...]]:
    """Read comma-, semicolon-, tab- or bar-separated text.

    Args:
        opener: opens the bytes.
        label: what the source is called in messages.
        options: what the user knows about the file.
        tab: prefer tabs when in doubt (.tsv).

    Returns:
        The table, and a note for everything that was guessed and is not plain CSV in UTF-8.

    Raises:
        DataError: nothing in it, not text, a heading without rows, a name twice, a row of another length.
    """
    with opener() as stream:
        sample = stream.read(_SAMPLE)
    if not sample.strip(b"\xef\xbb\xbf \t\r\n"):
        raise DataError(f"{label} is empty: expected a heading and rows.")
    encodings = (options.encoding,) if options.encoding else _encodings(sample)
    if encodings[0] != "utf-16" and b"\x00" in sample:
        raise DataError(f"{label} is not a text table (it has zero bytes). Save it as CSV in UTF-8.")
    for encoding in encodings:
        try:
            table, notes = _read_as(opener, label, options, tab, sample, encoding)
        except UnicodeDecodeError:
            continue
        except LookupError:
            raise DataError(
                f"unknown encoding {encoding!r}; say utf-8, latin-1 or another Python codec."
            ) from None
        told = () if encoding in ("utf-8", options.encoding) else (f"not UTF-8: read as {encoding}",)
        return table, (*told, *notes)
    raise DataError(f"{label} cannot be read as {encodings[0]}; name its encoding, or save it as UTF-8.")


def _read_as(
    opener: Opener, label: str, options: Options, tab: bool, sample: bytes, encoding: str
) -> tuple[pa.Table, tuple[str, ...]]:
    dialect = _dialect(sample, label, options, tab, encoding)
    try:
        with opener() as stream:
            table = _arrow(stream, dialect, options)
    except pa.ArrowInvalid as error:
        raise DataError(_explain(opener, label, dialect, options, str(error))) from None
    if any(pa.types.is_binary(kind) for kind in table.schema.types):
        raise UnicodeDecodeError(encoding, b"", 0, 1, "text that is not in this encoding")
    if table.num_rows == 0:
        raise DataError(f"{label} has a heading ({counted(len(dialect.names), 'column')}) but no rows.")
    _check_last_quote(opener, table, label)
    return _tidy(table, dialect, tuple(options.missing)), dialect.notes


def _arrow(
    stream: pa.NativeFile,
    dialect: _Dialect,
    options: Options,
    handler: Callable[[pacsv.InvalidRow], str] | None = None,
) -> pa.Table:
    read = pacsv.ReadOptions(
        column_names=list(dialect.names),
        skip_rows=dialect.skip,
        skip_rows_after_names=int(dialect.header),
        encoding=dialect.encoding,
        block_size=1 << 24,
        use_threads=handler is None,
    )
    parse = pacsv.ParseOptions(
        delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=handler
    )
    convert = pacsv.ConvertOptions(
        null_values=["", *options.missing],
        strings_can_be_null=True,
        decimal_point=dialect.decimal,
        column_types={name: pa.string() for name in dialect.as_text},
    )
    return pacsv.read_csv(stream, read_options=read, parse_options=parse, convert_options=convert)


def _explain(opener: Opener, label: str, dialect: _Dialect, options: Options, error: str) -> str:
    """Read once more, row by row, to say which row is of another length."""
    bad: list[pacsv.InvalidRow] = []

    def note(row: pacsv.InvalidRow) -> str:
        if len(bad) < 1000:
            bad.append(row)
        return "skip"

    try:
        with opener() as stream:
            _arrow(stream, dialect, options, note)
    except pa.ArrowInvalid:
        bad.clear()
    if not bad:
        return f"{label} cannot be read as a table: {error}"
    first = bad[0]
    where = f"row {first.number - int(dialect.header)}" if first.number is not None else "a row"
    more = " or more" if len(bad) == 1000 else ""
    rest = f" {counted(len(bad), 'row')}{more} like it." if len(bad) > 1 else ""
    other = "the heading has" if dialect.header else "the others have"
    return (
        f"{label}, {where}: {counted(first.actual_columns, 'cell')} where {other} "
        f"{first.expected_columns} ({shown(first.text, 60)}).{rest} Correct the row; a cell with a "
        f"{_SPELLED.get(dialect.delimiter, repr(dialect.delimiter))} inside needs quotes around it."
    )


def _encodings(sample: bytes) -> tuple[str, ...]:
    """What to try in turn: anything can be read as latin-1, so it comes last."""
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("utf-16",)
    return ("utf-8", "cp1252", "latin-1")


def _dialect(sample: bytes, label: str, options: Options, tab: bool, encoding: str) -> _Dialect:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    text = decoder.decode(sample, final=False).removeprefix("\ufeff")
    notes: list[str] = []
    start = re.match(r'(\s*\n)?("?sep=(.)"?\r?\n)?', text)
    skip = text.count("\n", 0, start.end()) if start else 0
    delimiter = options.delimiter or (start and start[3])
    text = text[start.end() :] if start else text
    lines = _whole_lines(text, len(sample) == _SAMPLE)
    delimiter = delimiter or _delimiter(lines, tab)
    if delimiter not in (",", "\t") and not options.delimiter:
        notes.append(f"cells are separated by a {_SPELLED.get(delimiter, repr(delimiter))}")
    rows = _split(lines, delimiter)
    header = _has_header(rows) if options.header is None else options.header
    if not header and options.header is None:
        notes.append("no heading: the first line is all numbers; columns are called column_1, column_2, …")
    names, body = _names(rows[0], header, label), rows[1:] if header else rows
    decimal = options.decimal or _decimal(body, delimiter)
    if decimal == "," and not options.decimal:
        notes.append("decimal commas")
    as_text = tuple(
        name
        for index, name in enumerate(names)
        if any(len(row) > index and _LEADING_ZERO.match(row[index]) for row in body)
    )
    return _Dialect(encoding, delimiter, decimal, names, header, skip, as_text, tuple(notes))


def _whole_lines(text: str, cut: bool) -> list[str]:
    """The first lines of the sample; the last one only if it is complete."""
    lines = text.splitlines(keepends=True)[: _LINES + 1]
    if cut and len(lines) > 1:
        lines = lines[:-1]
    return lines


def _split(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    return [row for row in csv.reader(lines, delimiter=delimiter) if row]


def _delimiter(lines: Sequence[str], tab: bool) -> str:
    """The one that cuts all lines into equally many cells, the most of them; else the heading decides."""
    candidates = ("\t", *_DELIMITERS) if tab else _DELIMITERS
    best, best_score = candidates[0], (-1, -1)
    for candidate in candidates:
        widths = [len(row) for row in _split(lines, candidate)]
        even = min(widths) == max(widths)
        score = (2 if even and widths[0] > 1 else 1 if even else 0, widths[0])
        if not even and widths[0] > 1:
            score = (1, widths[0])
        if score > best_score:
            best, best_score = candidate, score
    return best


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
    cells = [cell for row in body for cell in row]
    with_comma = [cell.strip() for cell in cells if _COMMA_NUMBER.match(cell)]
    with_point = any("." in cell and _NUMBER.match(cell) for cell in cells)
    not_thousands = any(not re.match(r"^[-+]?[1-9]\d{0,2},\d{3}$", cell) for cell in with_comma)
    return "," if with_comma and not_thousands and not with_point else "."


def _tidy(table: pa.Table, dialect: _Dialect, missing: tuple[str, ...]) -> pa.Table:
    """Take blanks off texts; a sign for missing is then missing, and what are then numbers are numbers."""
    for index, field in enumerate(table.schema):
        if not pa.types.is_string(field.type):
            continue
        encoded = table.column(index).cast(pa.large_string()).combine_chunks().dictionary_encode()
        trimmed = pc.utf8_trim_whitespace(encoded.dictionary)
        if trimmed.equals(encoded.dictionary):
            continue
        gone = pc.is_in(trimmed, value_set=pa.array(["", *missing], trimmed.type))
        cleaned = pc.if_else(gone, pa.scalar(None, trimmed.type), trimmed)
        if field.name not in dialect.as_text:
            cleaned = _as_numbers(cleaned, dialect.decimal)
        table = table.set_column(index, field.name, pc.take(cleaned, encoded.indices))
    return table


def _as_numbers(texts: pa.Array, decimal: str) -> pa.Array:
    """Texts as whole or broken numbers if all of them are, else as they are."""
    for kind in (pa.int64(), pa.float64()):
        try:
            return pc.replace_substring(texts, decimal, ".").cast(kind)
        except pa.ArrowInvalid:
            continue
    return texts


def _check_last_quote(opener: Opener, table: pa.Table, label: str) -> None:
    """A quote that is never closed swallows the rest of the file into the last cell."""
    column = table.column(table.num_columns - 1)
    last = column[-1].as_py() if pa.types.is_string(column.type) else None
    if not last or "\n" not in last:
        return
    with opener() as stream:
        closed = stream.read().rstrip(b"\r\n\0 ").endswith(b'"')
    if not closed:
        where = place(table.column_names[-1], table.num_rows - 1)
        raise DataError(f"{label}, {where}: a quote is opened and never closed ({shown(last)}). Close it.")
