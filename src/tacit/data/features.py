"""A column to be predicted, and the others as numbers for it: levels as ones and zeros, gaps filled."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from tacit.data.dataset import Dataset, MadeRows
from tacit.data.errors import DataError
from tacit.data.levels import show_level
from tacit.data.schema import Column, Schema

FLAT = 1e-13
"""A standard deviation below this share of the mean is rounding."""


@dataclasses.dataclass(frozen=True)
class Term:
    """One number that a model sees of a row.

    Attributes:
        name: the column's, or ``sex = male`` for a level.
        place: of its column in the schema.
        code: of its level, or None for a number.
        reference: the code of the level that it is compared with, which has no term.
        shift: what is taken from a number.
        scale: what it is then divided by.
    """

    name: str
    place: int
    code: int | None = None
    reference: int | None = None
    shift: float = 0.0
    scale: float = 1.0


@dataclasses.dataclass(frozen=True)
class Target:
    """The column that a model predicts, and what it makes of the others.

    Attributes:
        column: its heading, kind and levels.
        fills: what stands for a gap in each of the other columns: the mean of the fitted rows, or the code of the
            commonest level. None where the model takes the columns as they are.
        terms: what the model sees of them.
    """

    column: Column
    fills: tuple[float, ...] | None = None
    terms: tuple[Term, ...] = ()

    def values(self, table: np.ndarray, *, classes: bool) -> np.ndarray:
        """The target's values as a model takes them.

        Args:
            table: codes or numbers, ``[rows]``, without gaps.
            classes: whether the model tells classes, which are texts, or predicts a number.
        """
        if self.column.levels is None:
            return np.asarray(table, np.float64)
        named = class_names(self.column) if classes else np.array(self.column.levels, np.float64)
        return named[table.astype(int)]

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries and lists; `from_json` gives the same again."""
        return {
            "column": Schema((self.column,)).to_json(),
            "fills": None if self.fills is None else list(self.fills),
            "terms": [dataclasses.asdict(term) for term in self.terms],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The same again; raises `DataError` where the document is of something else."""
        columns, fills = Schema.from_json(document["column"]).columns, document["fills"]
        if len(columns) != 1:
            raise DataError(f"a target is one column, not {len(columns)}.")
        terms = tuple(Term(**each) for each in document["terms"])
        return cls(columns[0], None if fills is None else tuple(float(value) for value in fills), terms)

    def designed(self, rows: Dataset) -> MadeRows:
        """The terms of every row of a data set, worked out as they are asked for."""
        return MadeRows(rows, self.design, len(self.terms), tuple(term.name for term in self.terms))

    def design(self, values: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows terms"]:
        """The terms of every row, gaps filled."""
        whole = values if self.fills is None else np.where(np.isnan(values), np.asarray(self.fills), values)
        columns = [
            (whole[:, term.place] - term.shift) / term.scale
            if term.code is None
            else (whole[:, term.place] == term.code).astype(np.float64)
            for term in self.terms
        ]
        return np.column_stack(columns) if columns else np.zeros((len(values), 0))


def class_names(column: Column) -> np.ndarray:
    """The levels of a column as texts, in the order of their codes."""
    return np.array([show_level(level) for level in column.levels or ()], dtype=str)


def learned(column: Column, rows: Dataset, schema: Schema, *, scaled: bool) -> Target:
    """What a model sees of some columns, and what stands for their gaps, as the fitted rows have it.

    A column of two levels is a one for the second; one of more levels a one for each that is not the commonest, which
    the others are compared with. Levels that no fitted row has are none of them.

    Args:
        column: to be predicted.
        rows: of the other columns.
        schema: of them.
        scaled: whether numbers are centred and put into standard deviations.
    """
    fills, terms = [], []
    for place, each in enumerate(schema.columns):
        values = rows.column(place)
        seen = values[~np.isnan(values)]
        if each.levels is None:
            mean, spread = (float(seen.mean()), float(seen.std())) if seen.size else (0.0, 0.0)
            spread = spread if spread > FLAT * abs(mean) else 0.0
            fills.append(mean)
            terms.append(Term(each.name, place, None, None, *((mean, spread or 1.0) if scaled else (0.0, 1.0))))
            continue
        codes, counts = np.unique(seen.astype(int), return_counts=True)
        common = int(codes[counts.argmax()]) if codes.size else 0
        fills.append(float(common))
        reference = common if len(each.levels) > 2 or not codes.size else int(codes[0])
        terms += [
            Term(f"{each.name} = {show_level(each.levels[code])}", place, int(code), reference)
            for code in codes
            if code != reference
        ]
    return Target(column, tuple(fills), tuple(terms))
