"""Columns of a text table when all rows are there: numbers out of texts, truth values, dates, missing cells."""

import dataclasses
from collections.abc import Sequence
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.data.number_forms import Known, numbers_of, settle
from tacit.data.reading import NumberForm, ReadingOptions, plain_number
from tacit.data.text_columns import TextColumn
from tacit.data.written import means_missing, take_apart

_TRUTH = ("true", "false")
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$"
_TIME = r"^\d{2}:\d{2}(:\d{2})?$"
_ROWS_SWALLOWED = 2
_LOOKED_AT = 50


@dataclasses.dataclass(frozen=True, eq=False)
class Unfinished:
    """A column as it was gathered: plain numbers, or texts.

    Attributes:
        name: the heading.
        kind: "empty", "int", "float", "text" or "again", as `TextColumn` has it.
        cells: numbers; or texts as dictionaries.
        pointed, open: of numbers, as `TextColumn` has them.
        signs: texts that were taken to mean missing.
    """

    name: str
    kind: str
    cells: pa.Array | pa.ChunkedArray
    pointed: bool = False
    open: bool = False
    signs: tuple[str, ...] = ()

    @classmethod
    def of(cls, column: TextColumn) -> Self:
        """What a column has gathered, which is then its own."""
        cells = pa.nulls(0) if column.kind == "again" else column.cells()
        return cls(column.name, column.kind, cells, column.pointed, column.open, tuple(sorted(column.signs)))

    @property
    def texts(self) -> bool:
        """Whether the cells are texts."""
        return self.kind == "text"

    @property
    def dictionary(self) -> pa.Array:
        """The different texts."""
        return self.cells.chunk(0).dictionary if self.cells.num_chunks else pa.array([], pa.large_string())

    def is_empty(self, missing: Sequence[str]) -> bool:
        """Whether nothing but blanks and signs for missing stands in it."""
        if not self.texts:
            return self.kind == "empty"
        return all((text or "").strip() in ("", *missing) for text in self.dictionary.to_pylist())

    def decimal_signs(self) -> set[str]:
        """The decimal signs that the column has without doubt."""
        if not self.texts:
            return {"."} if self.pointed else set()
        written = take_apart(self.dictionary)
        if not _mostly_numbers(written.number):
            return set()
        found = {".": written.surely_pointed, ",": written.surely_commaed}
        return {sign for sign, where in found.items() if where.any()}

    def row_of(self, text: int) -> int:
        """The first row that holds a text, by its place in the dictionary."""
        start = 0
        for chunk in self.cells.chunks:
            where = np.flatnonzero(chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) == text)
            if where.size:
                return start + int(where[0])
            start += len(chunk)
        raise ValueError("no row holds the text")


@dataclasses.dataclass(frozen=True, eq=False)
class Finished:
    """A column as it goes into the table.

    Attributes:
        name: the heading.
        cells: numbers, truth values, dates, or texts.
        form: how numbers are written.
        mixed: whether they have points and commas before decimals.
        open: a number that could be another; "" where none could.
        notes: what is to be said, to follow the name of the column.
    """

    name: str
    cells: pa.Array | pa.ChunkedArray
    form: NumberForm = dataclasses.field(default_factory=NumberForm)
    mixed: bool = False
    open: str = ""
    notes: tuple[str, ...] = ()

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers."""
        return bool(pa.types.is_integer(self.cells.type) or pa.types.is_floating(self.cells.type))

    @property
    def empty(self) -> bool:
        """Whether nothing stands in it."""
        return bool(self.cells.null_count == len(self.cells))

    def largest(self) -> float:
        """Of the sizes of the numbers; infinite where there are none."""
        found = pc.max(pc.abs(self.cells)).as_py()
        return float("inf") if found is None else float(found)


def finish_numbers(column: Unfinished, known: Known) -> Finished:
    """A column of plain numbers."""
    cells, gone = _without_signs(column.cells, known.options)
    form = NumberForm(decimal="." if column.pointed or column.open else "")
    sure = column.pointed or known.sign or known.said or known.of_fit(column.name).decimal or known.delimiter == ","
    example = ""
    if column.open and not sure:
        values = pc.drop_null(cells)
        example = f"{values.filter(pc.not_equal(values, pc.round(values)))[0].as_py():.3f}"
    return Finished(column.name, cells, form, open=example, notes=_missing_note((*column.signs, *gone)))


def finish_texts(column: Unfinished, known: Known) -> Finished:
    """A column of texts: numbers if all are, but for signs for missing; truth values or dates if all are."""
    texts, options = column.dictionary, known.options
    bare = pc.utf8_trim_whitespace(texts)
    gone = pc.is_in(bare, value_set=pa.array(["", *options.missing], bare.type))
    bare = pc.if_else(gone, pa.scalar(None, bare.type), bare)
    there = bare.is_valid().to_numpy(zero_copy_only=False)
    written = take_apart(bare)
    signs = means_missing(bare) & ~written.number if options.usual_missing else np.zeros(len(texts), bool)
    numeric = written.number & there
    if numeric.any() and (numeric | signs | ~there).all():
        settled = settle(column.name, written, numeric, known)
        if settled.form is not None:
            values = numbers_of(written, settled)
            beyond = pa.types.is_floating(values.type) and written.digits_only[numeric].all()  # 64 bits
            if values.null_count == int((~numeric).sum()) and not beyond:
                cells, said = _without_signs(_spread(values, column.cells), options)
                notes = (*settled.notes, *_missing_note((*bare.filter(pa.array(signs)).to_pylist(), *said)))
                return Finished(column.name, cells, settled.form, settled.mixed, settled.open, notes)
        notes = (f"keeps its texts: {settled.trouble}",) if settled.trouble else ()
        return Finished(column.name, _spread(bare, column.cells), notes=notes)
    known_kind = _truth(bare) if pa.types.is_large_string(bare.type) else bare
    return Finished(column.name, _spread(_dates(known_kind), column.cells))


def _mostly_numbers(number: np.ndarray) -> bool:
    return bool(number.any()) and 2 * int(number.sum()) >= len(number)


def _spread(values: pa.Array, cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """The value of every row from those of the different texts."""
    kind = pa.string() if pa.types.is_large_string(values.type) else values.type
    parts = [_taken(values, chunk.indices, kind) for chunk in cells.chunks]
    return pa.chunked_array(parts, kind if all(part.type == kind for part in parts) else values.type)


def _taken(values: pa.Array, places: pa.Array, kind: pa.DataType) -> pa.Array:
    taken = pc.take(values, places)
    return taken if taken.type == kind else taken.cast(kind)


def _truth(texts: pa.Array) -> pa.Array:
    """``true`` and ``false`` as truth values, if nothing else stands there."""
    low = pc.utf8_lower(texts)
    known = pc.is_in(low, value_set=pa.array(_TRUTH, low.type))
    if not pc.all(pc.or_(known, texts.is_null())).as_py() or not pc.any(known).as_py():
        return texts
    return pc.if_else(texts.is_valid(), pc.equal(low, "true"), pa.scalar(None, pa.bool_()))


def _dates(texts: pa.Array) -> pa.Array:
    """Dates and times as ISO 8601 has them, if nothing else stands there."""
    if not pa.types.is_large_string(texts.type) or texts.null_count == len(texts):
        return texts
    wanted = {
        _ISO: (pa.date32(), pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("ns", "UTC")),
        _TIME: (pa.time32("s"),),
    }
    for pattern, kinds in wanted.items():
        if pc.all(pc.match_substring_regex(texts, pattern)).as_py():
            for kind in kinds:
                try:
                    return texts.cast(pa.string()).cast(kind)
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                    continue
    return texts


def _without_signs(
    cells: pa.Array | pa.ChunkedArray, options: ReadingOptions
) -> tuple[pa.Array | pa.ChunkedArray, tuple[str, ...]]:
    """Numbers without those that the user named as signs for missing: 999 is also 999.0."""
    said = []
    for sign in options.own_missing:
        value = plain_number(sign)
        if value is None or pa.types.is_null(cells.type):
            continue
        same = pc.fill_null(pc.equal(cells, pa.scalar(value, pa.float64())), False)
        if pc.any(same).as_py():
            cells = pc.if_else(same, pa.scalar(None, cells.type), cells)
            said.append(sign)
    return cells, tuple(said)


def without_named_signs(column: pa.ChunkedArray, options: ReadingOptions) -> pa.ChunkedArray:
    """A column of a format with types, such as Parquet, without what the user named as signs for missing."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not options.own_missing:
        return column
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        found = _without_signs(column if kind == column.type else column.cast(kind), options)[0]
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = column if kind == column.type else column.cast(kind)
        gone = pc.is_in(pc.utf8_trim_whitespace(texts), value_set=pa.array(options.own_missing, kind))
        found = pc.if_else(gone, pa.scalar(None, kind), texts)
    else:
        return column
    return found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found])


def _missing_note(signs: Sequence[str]) -> tuple[str, ...]:
    if not signs:
        return ()
    listed = ", ".join(repr(sign) for sign in sorted(dict.fromkeys(signs))[:6])
    return (f"is all numbers but for {listed}, taken for missing",)


def is_swallowed(cells: pa.Array | pa.ChunkedArray, delimiter: str, columns: int) -> tuple[int, int] | None:
    """The first row whose cell holds some lines that look like rows, and how many; None where there is none."""
    if not pa.types.is_string(cells.type) or columns < 2:
        return None
    many = pc.fill_null(pc.greater_equal(pc.count_substring(cells, "\n"), _ROWS_SWALLOWED), False)
    if not pc.any(many).as_py():
        return None
    places = np.flatnonzero(many.to_numpy() if isinstance(many, pa.ChunkedArray) else many.to_numpy(False))
    for row in places[:_LOOKED_AT].tolist():
        lines = str(cells[row].as_py()).split("\n")
        alike = sum(line.count(delimiter) >= columns - 1 for line in lines[1:-1])
        if alike >= 0.8 * len(lines[1:-1]):
            return row, len(lines)
    return None
