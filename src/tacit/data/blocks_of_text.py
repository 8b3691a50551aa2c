"""A delimited file in blocks of rows, every cell a text: parsed by Arrow, gathered into columns."""

import codecs
import csv
import dataclasses
import io
import re
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from tacit.data.dialect import SPELLED, Dialect
from tacit.data.errors import DataError, counted, shown
from tacit.data.finished_columns import Unfinished
from tacit.data.reading import ReadingOptions
from tacit.data.text_columns import MissingSigns, TextColumn

SAMPLE, _MOST_SAMPLE, _SAMPLE_LINES = 1 << 18, 1 << 26, 20
BLOCK, WIDE_BLOCK, BLOCK_OF_A_COLUMN = 1 << 20, 1 << 26, 1 << 13
"""Bytes of text that are parsed together: so many, and more where there are many columns."""
_LARGEST_BLOCK = 1 << 30
_BELOW, _MOST_BAD = 6, 1000
"""Rows at the end that may be no rows of the table."""
_REMARK = re.compile(
    r"^\W*(source|sources|note|notes|quelle|anmerkung|stand|legend|data|©|copyright|last updated|updated|generated|"
    r"exported|created|printed|downloaded|end of|eof|\(?\d+ rows?\b|footnote|\*|#)",
    re.IGNORECASE,
)

Opener = Callable[[], pa.NativeFile]
"""Opens the (decompressed) bytes of the source from their beginning; may be called more than once."""
Below = Callable[[Sequence[Sequence[str]]], int]
"""How many of the last rows, given as texts, are no rows of the table."""


class WrongText(Exception):
    """The bytes are not in the encoding that was tried."""


class _Again(Exception):
    """What was read is to be read again, otherwise."""


def first_bytes(stream: pa.NativeFile) -> bytes:
    """The beginning of a file: enough of it to hold some rows."""
    sample = stream.read(SAMPLE)
    while len(sample) < _MOST_SAMPLE and sample.count(b"\n") < _SAMPLE_LINES:
        more = stream.read(len(sample))
        if not more:
            break
        sample += more
    return bytes(sample)


@dataclasses.dataclass(frozen=True, eq=False)
class Gathered:
    """All rows of a file.

    Attributes:
        columns: by name.
        rows: how many.
        below: rows at the end that were left out, as texts.
        notes: what else was left out.
    """

    columns: dict[str, Unfinished]
    rows: int
    below: list[list[str]]
    notes: list[str]


class TextBlocks:
    """A delimited file that is read in blocks, as often as it is asked for."""

    def __init__(self, opener: Opener, label: str, dialect: Dialect, options: ReadingOptions) -> None:
        self.opener, self._label, self._dialect, self._options = opener, label, dialect, options
        self._block = min(WIDE_BLOCK, max(BLOCK, BLOCK_OF_A_COLUMN * len(dialect.names)))
        self._remarks: list[str] = []
        self._rows = 0

    def read(self, below: Below | None) -> Gathered:
        """Every column, numbers where all cells are plain numbers; ``below`` says what is left out at the end."""
        while True:
            try:
                return self._read(below)
            except _Again:
                continue

    def _read(self, below: Below | None) -> Gathered:
        missing = MissingSigns.of(self._options.missing, usual=self._options.usual_missing)
        columns = [TextColumn(name, missing) for name in self._dialect.names]
        rows, headings = 0, 0
        left: list[list[str]] = []
        for whole, last in _marked(self._batches(None)):
            batch, again = self._without_headings(whole)
            headings += again
            if last and below is not None:
                tail = batch.slice(max(0, batch.num_rows - _BELOW))
                texts = [
                    ["" if cell is None else cell for cell in row]
                    for row in zip(*tail.to_pydict().values(), strict=True)
                ]
                many = below(texts)
                if many and rows + batch.num_rows > many:
                    left, batch = texts[len(texts) - many :], batch.slice(0, batch.num_rows - many)
            for column, cells in zip(columns, batch.columns, strict=True):
                column.add(cells)
            rows += batch.num_rows
            pa.default_memory_pool().release_unused()
        self._rows = rows
        found = {}
        for column in columns:
            found[column.name] = Unfinished.of(column)
            pa.default_memory_pool().release_unused()
        again_texts = [name for name, each in found.items() if each.kind == "again"]
        found |= self.texts(again_texts) if again_texts else {}
        notes = [f"the heading stands again in {counted(headings, 'row')}, left out"] if headings else []
        return Gathered(found, rows, left, notes + self._remark_notes())

    def texts(self, names: Sequence[str]) -> dict[str, Unfinished]:
        """Some columns, every cell as it is written; of the rows that `read` gave."""
        wanted = set(names)
        parts: dict[str, list[pa.Array]] = {name: [] for name in self._dialect.names if name in wanted}
        places = {name: place for place, name in enumerate(self._dialect.names) if name in wanted}
        rows = 0
        for whole in self._batches(None):
            batch = self._without_headings(whole)[0]
            batch = batch.slice(0, max(0, self._rows - rows))
            rows += batch.num_rows
            for name, held in parts.items():
                held.append(batch.column(places[name]).cast(pa.large_string()).dictionary_encode())
        kind = pa.dictionary(pa.int32(), pa.large_string())
        return {
            name: Unfinished(name, "text", pa.chunked_array(held, kind).unify_dictionaries())
            for name, held in parts.items()
        }

    def _without_headings(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, int]:
        """The rows that are not the heading once more, as in files laid end to end."""
        names = self._dialect.names
        if not self._dialect.header or names[0] in self._dialect.made_up or len(names) < 2:
            return batch, 0
        same = pc.fill_null(pc.equal(batch.column(0), names[0]), False)
        if not pc.any(same).as_py():
            return batch, 0
        for place_of, name in enumerate(names[1:], 1):
            if name not in self._dialect.made_up:
                same = pc.and_(
                    same, pc.fill_null(pc.equal(pc.utf8_trim_whitespace(batch.column(place_of)), name), False)
                )
        many = pc.sum(same).as_py()
        return (batch.filter(pc.invert(same)), many) if many else (batch, 0)

    def _batches(self, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
        """The rows as texts; raises `DataError` naming the first row of another length."""
        handler = _skip if self._remarks else None
        try:
            with self.opener() as stream:
                yield from pacsv.open_csv(stream, *self._said_to_arrow(columns, handler))
        except pa.ArrowInvalid as error:
            said = str(error)
            if "invalid UTF8" in said:
                raise WrongText from None
            if "straddling" in said and self._block < _LARGEST_BLOCK:
                self._block *= 16  # a row is longer than a block
                raise _Again from None
            self._look_at_wrong_rows(said)
            raise _Again from None

    def _look_at_wrong_rows(self, error: str) -> None:
        """Read once more, row by row: remarks below the table are passed over, other rows refused."""
        bad: list[pacsv.InvalidRow] = []

        def note(row: pacsv.InvalidRow) -> str:
            if len(bad) < _MOST_BAD:
                bad.append(row)
            return "skip"

        good = 0
        try:
            with self.opener() as stream:
                for batch in pacsv.open_csv(stream, *self._said_to_arrow(None, note)):
                    good += batch.num_rows
        except pa.ArrowInvalid:
            bad.clear()
        if not bad or self._remarks:
            raise DataError(f"{self._label} cannot be read as a table: {error}")
        below = bad[0].number is not None and bad[0].number > good + self._dialect.skip + self._dialect.header
        if below and len(bad) <= _BELOW and _REMARK.match(bad[0].text) and all(row.actual_columns == 1 for row in bad):
            self._remarks = [row.text.strip() for row in bad]
            return
        raise DataError(self._wrong_row(bad))

    def _wrong_row(self, bad: Sequence[pacsv.InvalidRow]) -> str:
        first, many = bad[0], len(bad)
        dialect = self._dialect
        where = "a row" if first.number is None else f"row {first.number - dialect.header - dialect.skip}"
        cells = counted(first.actual_columns, "cell")
        rest = f" {counted(many, 'row')}{' or more' * (many == _MOST_BAD)} like it." if many > 1 else ""
        other = "the heading has" if dialect.header else "the others have"
        sign = SPELLED.get(dialect.delimiter, repr(dialect.delimiter))
        return (
            f"{self._label}, {where}: {cells} where {other} {first.expected_columns} ({shown(first.text, 60)}).{rest} "
            f"Correct the row; a cell with a {sign} inside needs quotes around it."
        )

    def _remark_notes(self) -> list[str]:
        many = len(self._remarks)
        return [f"{counted(many, 'line')} below the table passed over: {shown(self._remarks[0])}"] if many else []

    def _said_to_arrow(
        self, columns: list[str] | None, handler: Callable[[pacsv.InvalidRow], str] | None
    ) -> tuple[pacsv.ReadOptions, pacsv.ParseOptions, pacsv.ConvertOptions]:
        names = list(self._dialect.names)
        read = pacsv.ReadOptions(
            column_names=names,
            skip_rows=self._dialect.skip,
            skip_rows_after_names=self._dialect.header,
            encoding=self._dialect.encoding,
            block_size=self._block,
            use_threads=handler is None,
        )
        delimiter = self._dialect.delimiter
        parse = pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=handler)
        convert = pacsv.ConvertOptions(
            null_values=["", *self._options.missing],
            strings_can_be_null=True,
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=columns,
        )
        return read, parse, convert


def _skip(_: pacsv.InvalidRow) -> str:
    return "skip"


def _marked(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, bool]]:
    """Every batch, and whether it is the last; a short last one is joined to that before it."""
    held = None
    for batch in batches:
        if held is not None and batch.num_rows > 2 * _BELOW:
            yield held, False
            held = batch
        else:
            held = batch if held is None else pa.concat_batches([held, batch])
    if held is not None:
        yield held, True


def line_of(opener: Opener, dialect: Dialect, row: int) -> int:
    """The line of the file, from 1, in which a row of the table (from 0) begins."""
    with opener() as stream:
        text = codecs.decode(stream.read(), dialect.encoding, "replace")
    lines = io.StringIO(text, newline="")
    for _ in range(dialect.skip):
        lines.readline()
    reader = csv.reader(lines, delimiter=dialect.delimiter)
    above, seen = 0, -dialect.header
    for cells in reader:
        if cells:
            if seen == row:
                break
            seen += 1
        above = reader.line_num
    return dialect.skip + above + 1
