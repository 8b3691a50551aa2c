"""CSV and its cousins, read with Arrow: what is wrong is said with its place."""

import codecs
import itertools
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from tacit.data.dialect import SPELLED, Dialect, find_dialect
from tacit.data.errors import DataError, counted, place, shown
from tacit.data.reading import ReadAs, ReadingOptions

_SAMPLE = 1 << 18
BLOCK, WIDE_BLOCK = 1 << 20, 1 << 24
"""Bytes of text that are parsed together; the larger where a row is longer, or a column turns out to be another kind
of thing after so many."""
JOINED_BLOCKS = 8
"""Blocks whose cells are laid together, so that the memory of a column is its own."""
_WITH_COMMA = r"^[€$£¥]?\s?[-+]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?\s?[%€$£¥]?$"
"""A number as it is written with decimal commas: ``1.234,50 €``."""

Opener = Callable[[], pa.NativeFile]
"""Opens the (decompressed) bytes of the source from their beginning; may be called more than once."""


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
            table, notes, read_as = _read_as(opener, label, options, tab, sample, encoding)
        except UnicodeDecodeError:
            continue
        except LookupError:
            raise DataError(f"unknown encoding {encoding!r}; say utf-8, latin-1 or another Python codec.") from None
        told = () if encoding in ("utf-8", options.encoding) else (f"not UTF-8: read as {encoding}",)
        return table, (*told, *notes), ReadAs(encoding, read_as.delimiter, read_as.decimal)
    raise DataError(f"{label} cannot be read as {encodings[0]}; name its encoding, or save it as UTF-8.")


def _read_as(
    opener: Opener, label: str, options: ReadingOptions, tab: bool, sample: bytes, encoding: str
) -> tuple[pa.Table, tuple[str, ...], ReadAs]:
    dialect = find_dialect(sample, len(sample) == _SAMPLE, label, options, tab, encoding)
    try:
        table = _parsed(opener, dialect, options)
    except pa.ArrowInvalid as error:
        raise DataError(_explain(opener, label, dialect, options, str(error))) from None
    if any(pa.types.is_binary(kind) for kind in table.schema.types):
        raise UnicodeDecodeError(encoding, b"", 0, 1, "text that is not in this encoding")
    if table.num_rows == 0:
        raise DataError(f"{label} has a heading ({counted(len(dialect.names), 'column')}) but no rows.")
    _check_last_quote(opener, table, label)
    return (
        _tidy(table, dialect, tuple(options.missing)),
        dialect.notes,
        ReadAs(encoding, dialect.delimiter, dialect.decimal),
    )


def _parsed(opener: Opener, dialect: Dialect, options: ReadingOptions) -> pa.Table:
    """The cells as Arrow infers them; beside them no more is held than some blocks of text.

    The type of a column is that of its first block if all others can be read so, and this is what comes of reading
    the whole. Where they cannot, it is read whole: Arrow then keeps all text until the last cell is known.
    """
    try:
        with opener() as stream:
            reader = pacsv.open_csv(stream, *_said_to_arrow(dialect, options, BLOCK))
            table = pa.concat_tables(_joined(reader))
    except pa.ArrowInvalid:
        with opener() as stream:
            table = pacsv.read_csv(stream, *_said_to_arrow(dialect, options, WIDE_BLOCK))
    for index, name in enumerate(table.column_names):
        column = table.column(name).combine_chunks()
        table = table.set_column(index, name, column)
        pa.default_memory_pool().release_unused()
    return table


def _joined(reader: pacsv.CSVStreamingReader) -> Iterator[pa.Table]:
    """The batches of a reader, some of them laid together; what was freed goes back to the system."""
    while batches := list(itertools.islice(reader, JOINED_BLOCKS)):
        yield pa.Table.from_batches(batches, reader.schema).combine_chunks()
        batches.clear()
        pa.default_memory_pool().release_unused()


def _said_to_arrow(
    dialect: Dialect, options: ReadingOptions, block: int, handler: Callable[[pacsv.InvalidRow], str] | None = None
) -> tuple[pacsv.ReadOptions, pacsv.ParseOptions, pacsv.ConvertOptions]:
    read = pacsv.ReadOptions(
        column_names=list(dialect.names),
        skip_rows=dialect.skip,
        skip_rows_after_names=int(dialect.header),
        encoding=dialect.encoding,
        block_size=block,
        use_threads=handler is None,
    )
    parse = pacsv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=handler)
    convert = pacsv.ConvertOptions(
        null_values=["", *options.missing],
        strings_can_be_null=True,
        decimal_point=dialect.decimal,
        column_types={name: pa.string() for name in dialect.as_text},
    )
    return read, parse, convert


def _explain(opener: Opener, label: str, dialect: Dialect, options: ReadingOptions, error: str) -> str:
    """Read once more, row by row, to say which row is of another length."""
    bad: list[pacsv.InvalidRow] = []

    def note(row: pacsv.InvalidRow) -> str:
        if len(bad) < 1000:
            bad.append(row)
        return "skip"

    try:
        with opener() as stream:
            pacsv.read_csv(stream, *_said_to_arrow(dialect, options, WIDE_BLOCK, note))
    except pa.ArrowInvalid:
        bad.clear()
    if not bad:
        return f"{label} cannot be read as a table: {error}"
    first = bad[0]
    where = f"row {first.number - int(dialect.header) - dialect.skip}" if first.number is not None else "a row"
    more = " or more" if len(bad) == 1000 else ""
    rest = f" {counted(len(bad), 'row')}{more} like it." if len(bad) > 1 else ""
    other = "the heading has" if dialect.header else "the others have"
    return (
        f"{label}, {where}: {counted(first.actual_columns, 'cell')} where {other} "
        f"{first.expected_columns} ({shown(first.text, 60)}).{rest} Correct the row; a cell with a "
        f"{SPELLED.get(dialect.delimiter, repr(dialect.delimiter))} inside needs quotes around it."
    )


def _encodings(sample: bytes) -> tuple[str, ...]:
    """What to try in turn: anything can be read as latin-1, so it comes last."""
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ("utf-16",)
    return ("utf-8", "cp1252", "latin-1")


def _tidy(table: pa.Table, dialect: Dialect, missing: tuple[str, ...]) -> pa.Table:
    """Take blanks off texts; a sign for missing is then missing, and what are then numbers are numbers."""
    for index, field in enumerate(table.schema):
        if not pa.types.is_string(field.type):
            continue
        encoded = table.column(index).cast(pa.large_string()).combine_chunks().dictionary_encode()
        trimmed = pc.utf8_trim_whitespace(encoded.dictionary)
        if trimmed.equals(encoded.dictionary) and dialect.decimal == ".":
            continue
        gone = pc.is_in(trimmed, value_set=pa.array(["", *missing], trimmed.type))
        cleaned = pc.if_else(gone, pa.scalar(None, trimmed.type), trimmed)
        if field.name not in dialect.as_text:
            cleaned = _as_numbers(cleaned, dialect.decimal)
        table = table.set_column(index, field.name, pc.take(cleaned, encoded.indices))
    return table


def _as_numbers(texts: pa.Array, decimal: str) -> pa.Array:
    """Texts as whole or broken numbers if all of them are, else as they are."""
    plain = texts
    if decimal == "," and pc.all(pc.match_substring_regex(texts, _WITH_COMMA)).as_py():
        plain = pc.replace_substring(pc.replace_substring_regex(texts, r"[\s.%€$£¥]", ""), ",", ".")
    for kind in (pa.int64(), pa.float64()):
        try:
            return plain.cast(kind)
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
