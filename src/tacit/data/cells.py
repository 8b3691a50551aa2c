"""One column taken out of an Arrow table: numbers with NaN for missing, or codes of its distinct texts."""

import dataclasses
import functools
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

Origin = Literal["number", "truth", "text", "time", "empty", "other"]

_NUMBER = r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
_SPECIAL = r"^[-+]?(?i:inf|infinity)$"
_DRESSED = r"^([-+]?[$€£¥]?|[$€£¥]\s?[-+])\s?(\d{1,3}(,\d{3})+|\d+)(\.\d+)?\s?[%$€£¥]?$"
_LEADING_ZERO = r"^0\d+$"


_TICKS_OF_HOUR = {"s": 3600.0, "ms": 3600e3, "us": 3600e6, "ns": 3600e9}
"""Durations are measurements, in hours."""


class ColumnsOneByOne(Protocol):
    """A table that gives its columns one at a time, as an Arrow table does."""

    @property
    def column_names(self) -> list[str]: ...

    @property
    def num_rows(self) -> int: ...

    def column(self, name: str, /) -> pa.ChunkedArray: ...


@dataclasses.dataclass(frozen=True, eq=False)
class Words:
    """A column of text, as codes of its distinct texts.

    Attributes:
        codes: ``[rows]``, the place of each row's text in `texts`, −1 where missing.
        texts: ``[texts]``, the distinct ones without surrounding blanks, in order of first appearance.
    """

    codes: Int[np.ndarray, " rows"]
    texts: pa.Array

    @functools.cached_property
    def counts(self) -> Int[np.ndarray, " texts"]:
        """How often each distinct text occurs."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))

    @functools.cached_property
    def parsed(self) -> Float[np.ndarray, " texts"]:
        """Every distinct text as a number (``1,234``, ``$5`` and ``45%`` too), NaN where it is none."""
        return parse_numbers(self.texts)

    @functools.cached_property
    def has_leading_zeros(self) -> bool:
        """Whether texts such as ``007`` occur: codes, whatever the others look like."""
        return bool(pc.any(pc.match_substring_regex(self.texts, _LEADING_ZERO)).as_py())

    def share(self, chosen: Bool[np.ndarray, " texts"]) -> float:
        """The share of the rows present that hold one of the chosen texts."""
        return float(self.counts[chosen].sum() / self.counts.sum())


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one column: `numbers`, or `words`, or neither where there is nothing to read.

    Attributes:
        name: the heading.
        rows: how many there are.
        origin: what the table held: numbers, truth values, texts, dates or times, nothing at all, or
            something that is not a single value (lists, raw bytes).
        category: whether the table itself declared the column to be categories (a dictionary type).
        numbers: ``[rows]`` in float64 with NaN where missing; truth values are 0 and 1.
        words: texts.
    """

    name: str
    rows: int
    origin: Origin
    category: bool = False
    numbers: Float[np.ndarray, " rows"] | None = None
    words: Words | None = None

    def as_numbers(self) -> tuple[Float[np.ndarray, " rows"], Bool[np.ndarray, " rows"]]:
        """Numbers with NaN for missing, and where a text stood that is no number."""
        if self.words is not None:
            values = np.append(self.words.parsed, np.nan)[self.words.codes]
            return values, np.isnan(values) & (self.words.codes >= 0)
        values = np.full(self.rows, np.nan) if self.numbers is None else self.numbers
        return values, np.zeros(self.rows, bool)

    def missing(self) -> Bool[np.ndarray, " rows"]:
        """Where nothing stands."""
        return self.words.codes < 0 if self.words is not None else np.isnan(self.as_numbers()[0])

    def at(self, row: int) -> str | float:
        """What stands in a row (counted from 0), for a message."""
        if self.words is not None:
            return str(self.words.texts[int(self.words.codes[row])].as_py())
        return float(self.as_numbers()[0][row])


def cells_of(name: str, column: pa.ChunkedArray) -> Cells:
    """Take one column out of a table; dates, lists and raw bytes are only recognised, not read."""
    kind, rows = column.type, len(column)
    category = pa.types.is_dictionary(kind)
    if category:
        kind = kind.value_type
        column = column.cast(kind)
    if pa.types.is_null(kind) or column.null_count == rows:
        return Cells(name, rows, "empty", category)
    if pa.types.is_boolean(kind):
        return Cells(name, rows, "truth", category, numbers=_to_float(column.cast(pa.uint8())))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = _to_float(column)
        return Cells(name, rows, "empty" if np.isnan(numbers).all() else "number", category, numbers)
    if pa.types.is_duration(kind):
        ticks = _to_float(column.cast(pa.int64()))
        return Cells(name, rows, "number", category, ticks / _TICKS_OF_HOUR[kind.unit])
    if _is_text(kind):
        words = _to_words(column)
        return Cells(name, rows, "text" if len(words.texts) else "empty", category, words=words)
    return Cells(name, rows, "time" if pa.types.is_temporal(kind) else "other", category)


def parse_numbers(texts: pa.Array) -> Float[np.ndarray, " texts"]:
    """Texts as numbers in float64, NaN where a text is none.

    Signs for money or per cent and commas between thousands are taken off: ``$1,234`` is 1234, ``45%`` is 45.
    ``inf`` is a number here, so that whoever uses it can refuse it by name.
    """
    bare = pc.match_substring_regex(texts, f"({_NUMBER})|({_SPECIAL})")
    dressed = pc.and_(pc.invert(bare), pc.match_substring_regex(texts, _DRESSED))
    if pc.any(dressed).as_py():
        stripped = pc.replace_substring_regex(texts, r"[\s,%$€£¥]", "")
        texts = pc.if_else(dressed, stripped, texts)
    known = pc.if_else(pc.or_(bare, dressed), texts, pa.scalar(None, texts.type))
    return _to_float(pc.cast(pc.replace_substring_regex(known, r"^\+", ""), pa.float64()))


def _to_float(column: pa.Array | pa.ChunkedArray) -> Float[np.ndarray, " rows"]:
    if column.type != pa.float64():
        column = column.cast(pa.float64(), safe=False)
    return np.asarray(column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy())


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _to_words(column: pa.ChunkedArray) -> Words:
    """Codes of the distinct trimmed texts; only the distinct ones are ever touched one by one."""
    encoded = column.cast(pa.large_string()).combine_chunks().dictionary_encode()
    trimmed = pc.utf8_trim_whitespace(encoded.dictionary)
    trimmed = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, trimmed.type), trimmed)
    merged = trimmed.dictionary_encode()
    places = merged.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    first = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return Words(np.append(places, -1)[first].astype(np.int64), merged.dictionary)
