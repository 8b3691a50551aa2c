"""A column to be foretold, and the others as numbers for it: levels as ones and zeros, gaps filled."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from tacit.data.errors import DataError
from tacit.data.levels import show_level
from tacit.data.schema import Column, Schema


@dataclasses.dataclass(frozen=True)
class Term:
    """One number that a model sees of a row.

    Attributes:
        name: the column's, or ``sex = male`` for a level.
        place: of its column in the schema.
        code: of its level, or None for a number. The first level of a column has no term: it is what the others
            are compared with.
    """

    name: str
    place: int
    code: int | None = None


@dataclasses.dataclass(frozen=True)
class Target:
    """The column that a model foretells, and what it makes of the others.

    Attributes:
        column: its heading, kind and levels.
        fills: what stands for a gap in each of the other columns: the mean of the fitted rows, or the code of the
            commonest level. None where the model takes gaps and levels are no part of it.
    """

    column: Column
    fills: tuple[float, ...] | None = None

    def values(self, table: np.ndarray, *, classes: bool) -> np.ndarray:
        """The target's values as a model takes them.

        Args:
            table: codes or numbers, ``[rows]``, without gaps.
            classes: whether the model tells classes, which are texts, or foretells a number.
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
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """The same again; raises `DataError` where the document is of something else."""
        columns, fills = Schema.from_json(document["column"]).columns, document["fills"]
        if len(columns) != 1:
            raise DataError(f"a target is one column, not {len(columns)}.")
        return cls(columns[0], None if fills is None else tuple(float(value) for value in fills))


def class_names(column: Column) -> np.ndarray:
    """The levels of a column as texts, in the order of their codes."""
    return np.array([show_level(level) for level in column.levels or ()], dtype=str)


def terms(schema: Schema) -> tuple[Term, ...]:
    """What a model sees of the columns: a number as it is, and a one or zero for every level but the first."""
    found = []
    for place, column in enumerate(schema.columns):
        if column.levels is None:
            found.append(Term(column.name, place))
            continue
        rest = list(enumerate(column.levels))[1:]
        found += [Term(f"{column.name} = {show_level(level)}", place, code) for code, level in rest]
    return tuple(found)


def filling(values: Float[np.ndarray, "rows columns"], schema: Schema) -> tuple[float, ...]:
    """What stands for a gap in each column: its mean, or the code of its commonest level (0 where nothing is seen)."""
    found = []
    for place, column in enumerate(schema.columns):
        seen = values[~np.isnan(values[:, place]), place]
        if not seen.size:
            found.append(0.0)
        elif column.levels is None:
            found.append(float(seen.mean()))
        else:
            found.append(float(np.bincount(seen.astype(int)).argmax()))
    return tuple(found)


def design(
    values: Float[np.ndarray, "rows columns"], schema: Schema, fills: tuple[float, ...]
) -> Float[np.ndarray, "rows terms"]:
    """The terms of every row, gaps filled."""
    whole = np.where(np.isnan(values), np.asarray(fills), values)
    columns = [
        whole[:, term.place] if term.code is None else (whole[:, term.place] == term.code).astype(np.float64)
        for term in terms(schema)
    ]
    return np.column_stack(columns) if columns else np.zeros((len(values), 0))
