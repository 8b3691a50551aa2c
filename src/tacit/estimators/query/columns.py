"""What a query says of columns: names, levels and numbers become sets of values."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from tacit.data.errors import listed, nearest
from tacit.data.levels import show_level
from tacit.data.schema import Column, Level
from tacit.data.value_sets import Box, ValueSet, both, either, neither
from tacit.estimators.query.grammar import (
    FLIPPED,
    Compared,
    Condition,
    Every,
    Member,
    No,
    Query,
    QueryError,
    Some,
    Word,
    number,
)

MOST = 2000
"""Boxes that a condition is taken apart into at most."""
ABSENT = ("missing", "na", "nan", "null", "none")


@dataclasses.dataclass(frozen=True)
class AskedColumns:
    """The columns that may be asked, and the query that asks."""

    columns: tuple[Column, ...]
    text: str

    def place(self, word: Word) -> int:
        """Which column a word names."""
        names = [column.name for column in self.columns]
        if word.text in names:
            return names.index(word.text)
        folded = [place for place, name in enumerate(names) if name.casefold() == word.text.casefold()]
        if len(folded) == 1:
            return folded[0]
        near = nearest(word.text, names) + _comma(word)
        raise self._fault(f"there is no column {word.text!r}.{near or f' There are {listed(names, 12)}.'}", word)

    def known(self, word: Word) -> bool:
        """Whether a word names a column."""
        return any(column.name.casefold() == word.text.casefold() for column in self.columns)

    def boxes(self, condition: Condition) -> list[Box]:
        """The rows of which a condition holds, as boxes none of which overlap."""
        match condition:
            case Compared():
                place, values = self._compared(condition)
                found: list[Box] = [] if values.empty else [{place: values}]
            case Member(column, words):
                place = self.place(column)
                values = ValueSet(())
                for word in words:
                    values = values.union(self._ordered(place, "=", word))
                found = [{place: values}]
            case Every(parts):
                found = [{}]
                for part in parts:
                    found = both(found, self.boxes(part))
            case Some(parts):
                found = []
                for part in parts:
                    found = either(found, self.boxes(part))
                    self._check(found)
            case No(part):
                found = neither(self.boxes(part))
        self._check(found)
        return found

    def _check(self, boxes: Sequence[Box]) -> None:
        if len(boxes) > MOST:
            raise QueryError(
                "the condition has too many parts with 'or' and 'not': ask for them one by one", self.text, 0, 1
            )

    def _compared(self, said: Compared) -> tuple[int, ValueSet]:
        operands, orders = said.operands, said.orders
        if len(orders) == 2:
            low, middle, high = operands
            place = self.place(middle)
            if orders[0][0] == "!" or orders[1][0] == "!":
                raise self._fault("a range has < or <= at its ends", middle)
            return place, self._ordered(place, FLIPPED[orders[0]], low).intersect(self._ordered(place, orders[1], high))
        left, right = operands
        if not self.known(left) and self.known(right):
            place = self.place(right)
            return place, self._ordered(place, FLIPPED[orders[0]], left)
        place = self.place(left)
        return place, self._ordered(place, orders[0], right)

    def _ordered(self, place: int, order: str, word: Word) -> ValueSet:
        column = self.columns[place]
        if order in ("=", "!="):
            value = float(self._code(column, word)) if column.levels is not None else self._number(column, word)
            equal = ValueSet.of([value])
            return equal if order == "=" else equal.complement()
        if column.levels is None:
            return _side(order, self._number(column, word))
        if isinstance(column.levels[0], str | bool):
            raise self._fault(
                f"the levels of {column.name!r} have no order: write {column.name} = …, or in {{…}}", word
            )
        end = self._number(column, word)
        return ValueSet.of(
            code
            for code, level in enumerate(column.levels)
            if not isinstance(level, str) and _side(order, end).contains(np.asarray(float(level)))
        )

    def _number(self, column: Column, word: Word) -> float:
        value = number(word)
        if value is not None:
            return value
        if self.known(word):
            raise self._fault(f"columns are compared with values, and {word.text!r} is a column", word)
        if word.text.casefold() in ABSENT:
            raise self._fault("what is missing is no part of the model: leave the column out", word)
        raise self._fault(f"{column.name!r} holds numbers, and {word.text!r} is none.{_comma(word)}", word)

    def _code(self, column: Column, word: Word) -> int:
        levels = column.levels or ()
        shown = [show_level(level) for level in levels]
        if word.text in shown:
            return shown.index(word.text)
        folded = [code for code, text in enumerate(shown) if text.casefold() == word.text.casefold()]
        value = number(word)
        same = [code for code, level in enumerate(levels) if _same(level, value)]
        for found in (folded, same):
            if len(found) == 1:
                return found[0]
        near = nearest(word.text, shown) or f" There are {listed(shown, 12)}."
        if word.text.casefold() in ABSENT:
            near += " What is missing is no part of the model."
        raise self._fault(f"{column.name!r} has no level {word.text!r}.{near}", word)

    def _fault(self, said: str, word: Word) -> QueryError:
        return QueryError(said, self.text, word.start, word.end)


def names_of(columns: Sequence[Column]) -> list[str]:
    """The words that a query may hold: names of columns and of their levels."""
    levels = [show_level(level) for column in columns for level in column.levels or ()]
    return [*(column.name for column in columns), *levels]


def _comma(word: Word) -> str:
    """What may be wrong where words stand beside one another."""
    return " A comma may be missing." if " " in word.text and not word.quoted else ""


def _same(level: Level, value: float | None) -> bool:
    return value is not None and not isinstance(level, str | bool) and float(level) == value


def _side(order: str, end: float) -> ValueSet:
    if order in ("<", "<="):
        return ValueSet.range(-math.inf, end, closed_high=order == "<=")
    return ValueSet.range(end, math.inf, closed_low=order == ">=")


def asked(query: Query, columns: Sequence[Column]) -> tuple[list[Box] | None, int | None, list[Box]]:
    """What is asked, as boxes or as the place of a column, and what is known.

    Raises:
        QueryError: a name that is none, or a value that its column cannot have.
    """
    read = AskedColumns(tuple(columns), query.text)
    event = None if query.event is None else read.boxes(query.event)
    place = None if query.column is None else read.place(query.column)
    given: list[Box] = [{}] if query.given is None else read.boxes(query.given)
    if query.given is not None and not given:
        raise QueryError("what is known contradicts itself: no row is like that", query.text, 0, len(query.text))
    return event, place, given
