"""How a network reads a table: a family a column, hidden nodes behind them, and the units inside the engine."""

import functools
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from tacit.data.dataset import ColumnMoments, Dataset
from tacit.data.errors import listed, nearest
from tacit.data.schema import Column, Level, Schema
from tacit.estimators.settings import Estimator, settings
from tacit.estimators.table_reading import KindReading

KIND_OF = {
    "categorical": "categorical",
    "normal": "continuous",
    "log-normal": "positive",
    "poisson": "count",
    "exogenous": "continuous",
}
"""The kind of column of every family that may be asked for; the levels of an exogenous column are found."""
FAMILIES = tuple(KIND_OF)
MOST_LEVELS = 500
"""A column of more is no node."""


@dataclass(frozen=True)
class NodeColumns:
    """The nodes of a fitted network.

    Attributes:
        schema: of the visible columns.
        families: of them.
        hidden: the names of the hidden nodes and their numbers of states, which come after the columns.
    """

    schema: Schema
    families: tuple[str, ...]
    hidden: tuple[tuple[str, int], ...]

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Of all nodes."""
        return (*self.schema.names, *(name for name, _ in self.hidden))

    @functools.cached_property
    def places(self) -> dict[str, int]:
        """The node of every name."""
        return {name: node for node, name in enumerate(self.names)}

    @functools.cached_property
    def levels(self) -> tuple[int | None, ...]:
        """How many levels every node has; None of a number."""
        seen = [None if column.levels is None else len(column.levels) for column in self.schema.columns]
        return (*seen, *(states for _, states in self.hidden))

    @property
    def logged(self) -> np.ndarray:
        """Which visible columns are looked at as logarithms."""
        return np.array([family == "log-normal" for family in self.families], bool)

    def levels_of(self, node: int) -> tuple[Level, ...]:
        """The levels of a node; states of a hidden one are numbered from 0."""
        if node < len(self.schema):
            return self.schema.columns[node].levels or ()
        return tuple(range(self.hidden[node - len(self.schema)][1]))

    def node(self, name: Any) -> int:
        """The node of a name, or of a number that is no name.

        Raises:
            ValueError: there is none.
        """
        number = isinstance(name, (int, np.integer)) and not isinstance(name, bool)
        if number and str(name) not in self.places and 0 <= name < len(self.names):
            return int(name)
        if str(name) not in self.places:
            raise ValueError(
                f"no column or hidden node {str(name)!r}; there are {listed(self.names, 12)}."
                f"{nearest(str(name), self.names)}"
            )
        return self.places[str(name)]

    def values(self, rows: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows nodes"]:
        """Rows of a table as rows of nodes: logarithms where they are wanted, NaN for what is hidden."""
        found = np.full((len(rows), len(self.names)), np.nan)
        found[:, : len(self.schema)] = rows
        if self.logged.any():
            with np.errstate(divide="ignore", invalid="ignore"):
                places = np.flatnonzero(self.logged)
                found[:, places] = np.log(rows[:, places])
        return found

    def rows(self, values: Float[np.ndarray, "rows nodes"]) -> Float[np.ndarray, "rows columns"]:
        """Rows of nodes as rows of the table."""
        found = np.array(values[:, : len(self.schema)])
        found[:, self.logged] = np.exp(found[:, self.logged])
        return found

    def log_change(self, rows: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, " rows"]:
        """What a log-density of values gains in the units of the table: ``−Σ log x`` of logarithms."""
        if not self.logged.any():
            return np.zeros(len(rows))
        with np.errstate(divide="ignore", invalid="ignore"):
            found: np.ndarray = -np.nansum(np.log(rows[:, self.logged]), axis=1)
        return found


class HasNodes(Estimator):
    """What is known of the nodes after a fit."""

    columns_: NodeColumns
    random_state: Any


@settings
class NetworkReading(KindReading, Estimator):
    """Reads tables for networks."""

    _: KW_ONLY
    families: Any = "auto"
    """"auto": texts, truth values and two values are "categorical", whole numbers from 0 are "poisson", skewed positive
    numbers "log-normal", other numbers "normal"; or a mapping of columns (names or places) to one of these or to
    "exogenous", which is conditioned on and has no distribution; others as "auto"."""

    def automatic(self, schema: Schema, values: ColumnMoments) -> list[str]:
        """The families that suit the kinds of the columns."""
        return [_suits(column) for column in schema.columns]

    def _family(self, asked: Any) -> str:
        if asked not in FAMILIES:
            raise ValueError(f"family {asked!r} is unknown; choose one of {', '.join(FAMILIES)}")
        return str(asked)

    def _kind_of(self, family: str) -> str:
        return KIND_OF[family]

    def _named(self, names: Any) -> tuple[dict[int, str], list[tuple[int, ...]]]:
        chosen, together = super()._named(names)
        return chosen, together

    def _settled(self, rows: Dataset, hidden: Mapping[str, int] | None) -> NodeColumns:
        """The families of the columns and the hidden nodes.

        Raises:
            ValueError: a column of too many levels, or of one value; a hidden node that has a column's name.
        """
        named, _ = self._named(self.schema_.names)
        chosen = [named.get(place, _suits(column)) for place, column in enumerate(self.schema_.columns)]
        least = rows.ends()[0] if "log-normal" in chosen else np.full(len(chosen), np.inf)
        for column, family, low in zip(self.schema_.columns, chosen, least, strict=True):
            if column.levels is not None and len(column.levels) > MOST_LEVELS:
                raise ValueError(
                    f"column {column.name!r} has {len(column.levels):,} different levels: it names rows rather than "
                    "describing them. Leave it out, or group its rare levels"
                )
            if family == "log-normal" and low <= 0:
                raise ValueError(f"column {column.name!r} holds numbers that are not above 0, and cannot be log-normal")
        if not isinstance(hidden, Mapping | None):
            raise ValueError(f'hidden must name nodes and their numbers of states, {{"Z": 3}}; got {hidden!r}')
        asked = {str(name): number for name, number in (hidden or {}).items()}
        for name, number in asked.items():
            if not isinstance(number, (int, np.integer)) or isinstance(number, bool):
                raise ValueError(f"hidden node {name!r} needs a whole number of states, got {number!r}")
        states = tuple((name, int(number)) for name, number in asked.items())
        for name, number in states:
            if name in self.schema_.names:
                raise ValueError(f"hidden node {name!r} has the name of a column: give it another")
            if number < 2:
                raise ValueError(f"hidden node {name!r} needs at least 2 states, got {number}")
        return NodeColumns(self.schema_, tuple(chosen), states)


def _suits(column: Column) -> str:
    if column.levels is not None:
        return "categorical"
    return {"count": "poisson", "positive": "log-normal"}.get(column.kind, "normal")
