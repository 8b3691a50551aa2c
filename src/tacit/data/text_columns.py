"""The columns of a text table as its blocks of rows come in: numbers where they are plain, else texts.

A column is held as numbers as long as every cell is one that a computer would write; the first other cell makes it a
column of texts, which are read again from the beginning and looked at together (`number_forms`).
"""

import dataclasses
from collections.abc import Sequence
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc

from tacit.data.written import NUMERIC_MISSING

_OPEN = r"^[-+]?[1-9]\d{0,2}\.\d{3}$"
"""A number with a point that could stand between thousands."""
_DOUBTFUL = r"^[-+]?(?:0\d|\d{19,}$)|[xX]"
"""Zeros in front; whole numbers beyond 64 bits; other bases."""
_HEAD, _FIRST = 64, 3


@dataclasses.dataclass(frozen=True, eq=False)
class MissingSigns:
    """Cells that mean missing: everywhere, and, in small letters, in columns of numbers."""

    everywhere: frozenset[str]
    low: pa.Array

    @classmethod
    def of(cls, missing: Sequence[str], *, usual: bool) -> Self:
        """Those that are given, and with ``usual`` those of columns of numbers."""
        low = [sign.lower() for sign in missing] + list(NUMERIC_MISSING if usual else ())
        return cls(frozenset({*missing, ""}), pa.array(low, pa.string()))


class TextColumn:
    """A column in the making.

    Attributes:
        name: the heading.
        kind: "empty" so far, "int", "float", "text", or "again" where texts came after numbers.
        pointed: whether a decimal point stands there that cannot stand between thousands.
        open: whether a point stands there that can.
        signs: texts that were taken to mean missing, because all else were numbers.
    """

    __slots__ = ("_missing", "_parts", "kind", "name", "open", "pointed", "signs")

    def __init__(self, name: str, missing: "MissingSigns") -> None:
        """A column without cells, in which these signs mean missing."""
        self.name, self.kind = name, "empty"
        self.pointed = self.open = False
        self.signs: set[str] = set()
        self._missing = missing
        self._parts: list[pa.Array] = []

    def add(self, cells: pa.Array) -> None:
        """Take the cells of the next rows, texts with null where missing."""
        if self.kind == "again":
            return
        if cells.null_count == len(cells):
            self._parts.append(pa.nulls(len(cells)))
            return
        if self.kind != "text":
            numbers = self._numbers(cells)
            if numbers is not None:
                self.kind = "float" if self.kind == "float" or pa.types.is_floating(numbers.type) else "int"
                self._parts.append(numbers)
                return
            if self.kind in ("int", "float"):
                self.kind = "again"
                self._parts.clear()
                return
            self.kind = "text"
        self._parts.append(cells.cast(pa.large_string()).dictionary_encode())

    def _numbers(self, cells: pa.Array) -> pa.Array | None:
        """The cells as plain numbers, or None."""
        found = self._cast(cells)
        if found is not None:
            return found
        first = cells.filter(cells.is_valid())[:_HEAD]
        if not pc.any(pc.match_substring_regex(first, r"\d")).as_py():
            return None
        bare = pc.utf8_trim_whitespace(cells)
        low = pc.utf8_lower(bare)
        gone = pc.is_in(low, value_set=self._missing.low)
        signs = set(pc.unique(bare.filter(gone)).to_pylist())
        if signs or not bare.equals(cells):
            bare = pc.if_else(gone, pa.scalar(None, bare.type), bare)
            found = None if bare.null_count == len(bare) else self._cast(bare)
            self.signs |= signs - self._missing.everywhere if found is not None else set()
        return found

    def _cast(self, cells: pa.Array) -> pa.Array | None:
        """Texts as whole numbers, else as numbers, if that loses nothing of how they are written."""
        broken = self.kind == "float" or any("." in cell for cell in cells[:_FIRST].to_pylist() if cell)
        try:
            if broken:
                return self._cast_float(cells)
            whole = cells.cast(pa.int64())
        except pa.ArrowInvalid:
            return self._cast_float(cells)
        written, canonical = (pc.sum(pc.binary_length(each)).as_py() for each in (cells, whole.cast(cells.type)))
        return whole if written == canonical else None

    def _cast_float(self, cells: pa.Array) -> pa.Array | None:
        try:
            numbers = cells.cast(pa.float64())
        except pa.ArrowInvalid:
            return None
        if pc.any(pc.match_substring_regex(cells, _DOUBTFUL)).as_py():
            return None
        for part in (cells[:_HEAD], cells) if not self.pointed else ():
            pointed = pc.match_substring(part, ".")
            may_be = pc.match_substring_regex(part, _OPEN)
            self.open |= bool(pc.any(may_be).as_py())
            self.pointed |= bool(pc.any(pc.and_not(pointed, may_be)).as_py())
            if self.pointed:
                break
        return numbers

    def cells(self) -> pa.Array | pa.ChunkedArray:
        """All cells: numbers in one array, or texts as a chunked array of dictionaries."""
        parts, self._parts = self._parts, []
        kind = {"int": pa.int64(), "float": pa.float64()}.get(self.kind)
        if self.kind == "empty":
            return pa.nulls(sum(len(part) for part in parts))
        if kind is not None:
            return pa.concat_arrays([part if part.type == kind else part.cast(kind) for part in parts])
        texts = pa.dictionary(pa.int32(), pa.large_string())
        known = [pa.nulls(len(part), texts) if part.type == pa.null() else part for part in parts]
        return pa.chunked_array(known, texts).unify_dictionaries()
