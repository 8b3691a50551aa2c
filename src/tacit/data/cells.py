"""One column taken out of an Arrow table: numbers with NaN for missing, or codes of its distinct texts."""

import dataclasses
import functools
import unicodedata
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int

from tacit.data.number_forms import Known, Settled, numbers_of, settle
from tacit.data.written import Written, means_missing, take_apart

Origin = Literal["number", "truth", "text", "time", "empty", "other"]

_SPECIAL = r"^[-+]?(?i:inf|infinity)$"
EXACT = 2**53
"""Whole numbers up to here are told apart in 64 bits."""
MOST_MERGED = 100
"""More levels than this are not compared by what people vary in writing them."""


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
        merged: spellings that were taken for another, and that one.
    """

    codes: Int[np.ndarray, " rows"]
    texts: pa.Array
    merged: tuple[tuple[str, str], ...] = ()

    @functools.cached_property
    def counts(self) -> Int[np.ndarray, " texts"]:
        """How often each distinct text occurs."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))

    @functools.cached_property
    def _written(self) -> Written:
        return take_apart(self.texts)

    @functools.cached_property
    def _settled(self) -> Settled:
        return settle("", self._written, self._written.number, Known())

    @functools.cached_property
    def parsed(self) -> Float[np.ndarray, " texts"]:
        """Every distinct text as a number (``1,234``, ``$5`` and ``45%`` too), NaN where it is none.

        ``inf`` is a number here, so that whoever uses it can refuse it by name.
        """
        if self._settled.trouble:
            return np.full(len(self.texts), np.nan)
        numbers = _to_float(numbers_of(self._written, self._settled))
        special = pc.match_substring_regex(self.texts, _SPECIAL)
        if pc.any(special).as_py():
            known = pc.replace_substring_regex(self.texts, r"^\+", "")
            known = pc.if_else(special, known, pa.scalar(None, known.type)).cast(pa.float64())
            numbers = np.where(np.isnan(numbers), _to_float(known), numbers)
        return numbers

    @property
    def trouble(self) -> str:
        """Why numbers are no numbers of one kind; "" where nothing is to be said."""
        return self._settled.trouble

    @functools.cached_property
    def has_leading_zeros(self) -> bool:
        """Whether texts such as ``007`` occur among whole numbers: codes, whatever the others look like."""
        written = self._written
        return bool(written.coded.any() and written.digits_only[written.number].all())

    @functools.cached_property
    def beyond(self) -> bool:
        """Whether all texts are whole numbers, and at least half of the cells are too large to be exact in 64 bits."""
        written = self._written
        if not len(self.texts) or not written.digits_only.all():
            return False
        return self.share(np.abs(self.parsed) > EXACT) >= 0.5

    @functools.cached_property
    def signs(self) -> Bool[np.ndarray, " texts"]:
        """Which texts mean missing, as nothing else stands in the column but numbers."""
        number = ~np.isnan(self.parsed)
        signs = means_missing(self.texts) & ~number
        all_else = bool(number.any()) and bool((number | signs).all()) and not self.has_leading_zeros
        return signs if all_else else np.zeros(len(signs), bool)

    def share(self, chosen: Bool[np.ndarray, " texts"]) -> float:
        """The share of the rows present that hold one of the chosen texts."""
        return float(self.counts[chosen].sum() / self.counts.sum())

    def without(self, gone: Bool[np.ndarray, " texts"]) -> "Words":
        """Some texts taken for missing."""
        if not gone.any():
            return self
        places = np.append(np.where(gone, -1, np.cumsum(~gone) - 1), -1)
        return Words(places[self.codes], self.texts.filter(pa.array(~gone)), self.merged)

    def as_one(self) -> "Words":
        """Texts that differ as people vary them (``Yes``, ``yes``), as the commonest of each; of few levels only."""
        if not 1 < len(self.texts) <= 10 * MOST_MERGED:
            return self
        texts = [str(text) for text in self.texts.to_pylist()]
        keys = [loosely(text) for text in texts]
        if len(set(keys)) == len(keys) or len(set(keys)) > MOST_MERGED:
            return self
        best: dict[str, int] = {}
        for place in np.argsort(-self.counts, kind="stable").tolist():
            best.setdefault(keys[place], place)
        kept = sorted(best.values())
        new = {place: code for code, place in enumerate(kept)}
        places = np.array([new[best[key]] for key in keys] + [-1])
        merged = [(texts[place], texts[best[key]]) for place, key in enumerate(keys) if best[key] != place]
        return Words(places[self.codes], self.texts.take(pa.array(kept)), tuple(merged))


_FOLDED_ALONE = "ynmfwtj"


def loosely(text: str) -> str:
    """A text without what people vary in writing it: capitals, blanks, composed and decomposed accents.

    Single letters keep their case, for ``a`` and ``A`` may be two things, but for those of yes and no or of the sexes.
    """
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    return plain.casefold() if len(plain) > 1 or plain.casefold() in _FOLDED_ALONE else plain


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
    """The cells of one column: `numbers`, or `words`, or neither where there is nothing to read.

    Attributes:
        name: the heading.
        rows: how many there are.
        origin: what the table held: numbers, truth values, texts, dates or times, nothing at all, or
            something that is not a single value (lists, raw bytes).
        category: whether the table itself declared the column to be categories (a dictionary type).
        order: the texts of categories that the table declares to be ordered, the lowest first.
        numbers: ``[rows]`` in float64 with NaN where missing; truth values are 0 and 1.
        words: texts.
    """

    name: str
    rows: int
    origin: Origin
    category: bool = False
    numbers: Float[np.ndarray, " rows"] | None = None
    words: Words | None = None
    order: tuple[str, ...] | None = None

    def as_one(self) -> "Cells":
        """The same with spellings of one level as one (`Words.as_one`)."""
        return self if self.words is None or self.category else dataclasses.replace(self, words=self.words.as_one())

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


def _order(column: pa.ChunkedArray) -> tuple[str, ...] | None:
    """The texts of ordered categories; None where they have no order, or are no texts."""
    inner = column.type.value_type
    if not column.type.ordered or not (pa.types.is_string(inner) or pa.types.is_large_string(inner)):
        return None
    chunks = column.unify_dictionaries().chunks
    return tuple(str(text).strip() for text in chunks[0].dictionary.to_pylist()) if chunks else None


def cells_of(name: str, column: pa.ChunkedArray) -> Cells:
    """Take one column out of a table; dates, lists and raw bytes are only recognised, not read."""
    kind, rows = column.type, len(column)
    category, order = pa.types.is_dictionary(kind), None
    if category:
        order = _order(column)
        kind = kind.value_type
        column = column.cast(kind)
    if pa.types.is_null(kind) or column.null_count == rows:
        return Cells(name, rows, "empty", category)
    if pa.types.is_boolean(kind):
        return Cells(name, rows, "truth", category, numbers=_to_float(column.cast(pa.uint8())))
    if _is_too_large(column, kind):
        return Cells(name, rows, "number", category, words=_to_words(column.cast(pa.string())))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        numbers = _to_float(column)
        return Cells(name, rows, "empty" if np.isnan(numbers).all() else "number", category, numbers)
    if pa.types.is_duration(kind):
        ticks = _to_float(column.cast(pa.int64()))
        return Cells(name, rows, "number", category, ticks / _TICKS_OF_HOUR[kind.unit])
    if _is_text(kind):
        words = _to_words(column)
        words = words if category else words.without(words.signs)
        return Cells(name, rows, "text" if len(words.texts) else "empty", category, words=words, order=order)
    return Cells(name, rows, "time" if pa.types.is_temporal(kind) else "other", category)


def _is_too_large(column: pa.ChunkedArray, kind: pa.DataType) -> bool:
    """Whether whole numbers are beyond what 64 bits with a point tell apart."""
    if not (pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0)):
        return False
    ends = pc.min_max(column).as_py()
    return max(abs(int(ends["min"])), abs(int(ends["max"]))) > EXACT


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
