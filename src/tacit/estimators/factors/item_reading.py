"""How items are read: families from the kinds of columns, levels in their order, and what is refused."""

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tacit.data.dataset import ColumnMoments, Dataset
from tacit.data.errors import listed
from tacit.data.schema import Column, Schema
from tacit.estimators.settings import settings
from tacit.estimators.table_reading import KindReading
from tacit.models.factors.item_starts import FAMILIES

KIND_OF = {
    "normal": "continuous",
    "binary": "binary",
    "ordinal": "categorical",
    "count": "count",
    "categorical": "categorical",
}
FEWEST, MOST = 3, 10
"""Different whole numbers of a column that is taken as ordinal."""


class ItemColumns(KindReading):
    """What is known of the columns after a fit."""

    families_: list[str]
    """Of every column."""
    ranks_: tuple[tuple[int, ...] | None, ...]
    """Of the codes of ordinal columns whose order the user gave."""
    schema_: Schema


@settings
class ItemReading(ItemColumns):
    """Reads items and measurements."""

    _: KW_ONLY
    families: str | type | Mapping[Any, Any] = "auto"
    """"auto": two values are binary, 3 to 10 different whole numbers and ordered categories ordinal, texts categorical,
    other whole numbers from 0 counts, all else normal; or one family for all columns; or a mapping of columns (names
    or places) to families, others as "auto". A list of levels in their order makes a column ordinal."""

    def automatic(self, schema: Schema, values: ColumnMoments) -> list[str]:
        """The families that suit the kinds of the columns."""
        return [_suits(column) for column in schema.columns]

    def _family(self, asked: Any) -> str:
        if isinstance(asked, (list, tuple)):
            return "ordinal"
        if asked not in FAMILIES:
            raise ValueError(
                f"family {asked!r} is unknown; choose one of {', '.join(FAMILIES)}, or give the levels of an ordinal "
                "column in their order"
            )
        return str(asked)

    def _kind_of(self, family: str) -> str:
        return KIND_OF[family]

    def _more_kinds(self, table: Any, wanted: dict[str, str]) -> dict[str, str]:
        """Whole numbers of few different values have levels."""
        few = {name: "categorical" for name in table.column_names if name not in wanted and _few(table.column(name))}
        return wanted | few

    def _settle_columns(self, rows: Dataset) -> None:
        """Name the families and the order of the levels."""
        named, _ = self._named(self.schema_.names)
        chosen = self.automatic(self.schema_, rows.moments())
        self.families_ = [named.get(place, family) for place, family in enumerate(chosen)]
        self.ranks_ = tuple(
            self._rank(place, column) if self.families_[place] == "ordinal" else None
            for place, column in enumerate(self.schema_.columns)
        )

    def has_correlations(self, schema: Schema | None) -> bool:
        """Whether all columns have an order, so that they correlate."""
        if schema is None:
            return False
        named, _ = self._named(schema.names)
        return all(named.get(place, _suits(column)) != "categorical" for place, column in enumerate(schema.columns))

    def ordered(self, rows: Dataset) -> tuple[list[str], np.ndarray]:
        """The names of the columns and their values, levels by their ranks.

        Raises:
            ValueError: a column has levels without an order.
        """
        self._settle_columns(rows)
        names = list(self.schema_.names)
        nominal = [name for name, family in zip(names, self.families_, strict=True) if family == "categorical"]
        if nominal:
            raise ValueError(
                f"the levels of column {listed(nominal)} have no order, and so no correlations that parallel analysis "
                "could use: give their order, or take criterion='bic'"
            )
        return names, self._ranked(rows.rows())

    def _rank(self, place: int, column: Column) -> tuple[int, ...] | None:
        """The rank of every code of an ordinal column; None where codes are ranks."""
        asked = self._order(place)
        levels = column.levels or ()
        if asked is None and not column.ordered and any(isinstance(level, str) for level in levels):
            raise ValueError(
                f"the levels of column {column.name!r} are texts ({listed(levels)}), whose order is not known: give "
                f"them in their order, families={{{column.name!r}: [...]}}, or make it categorical"
            )
        if asked is None:
            return None
        places = {str(level): rank for rank, level in enumerate(asked)}
        unknown = [level for level in levels if str(level) not in places]
        if unknown:
            raise ValueError(f"the order of the levels of column {column.name!r} lacks {listed(unknown)}")
        ranks = [places[str(level)] for level in levels]
        return tuple(int(rank) for rank in np.argsort(np.argsort(ranks)))

    def _order(self, place: int) -> list[Any] | None:
        """The levels of a column in the order that the user gave, if any."""
        if not isinstance(self.families, Mapping):
            return None
        name = self.schema_.names[place]
        given = self.families.get(name, self.families.get(place))
        return list(given) if isinstance(given, (list, tuple)) else None

    def _ranked(self, rows: np.ndarray, *, back: bool = False) -> np.ndarray:
        """Codes of levels as ranks, or ranks as codes."""
        found = np.array(rows, np.float64)
        for place, ranks in enumerate(self.ranks_):
            if ranks is not None:
                table = np.append(np.argsort(ranks) if back else np.asarray(ranks), 0).astype(np.float64)
                column = found[:, place]
                seen = ~np.isnan(column)
                found[seen, place] = table[column[seen].astype(int)]
        return found

    def _check_items(self, rows: np.ndarray) -> None:
        """Refuse columns that say nothing; rows have a weight.

        Raises:
            ValueError: names the columns.
        """
        names = np.asarray(self.schema_.names, object)
        seen = ~np.isnan(rows)
        empty = names[~seen.any(0)]
        if empty.size:
            raise ValueError(f"no value is seen in column {listed(empty)}: leave it out")
        low, high = np.nanmin(rows, axis=0), np.nanmax(rows, axis=0)
        still = names[low == high]
        if still.size:
            raise ValueError(
                f"all values are the same in column {listed(still)}, and no factor can explain what does not vary: "
                "leave it out"
            )
        negative = names[(np.asarray(self.families_) == "count") & ((low < 0) | (np.nan_to_num(rows) % 1 != 0).any(0))]
        if negative.size:
            raise ValueError(f"column {listed(negative)} holds what is no count: 0, 1, 2, …")


def _suits(column: Column) -> str:
    if column.ordered:
        return "ordinal"
    if column.kind == "binary":
        return "binary"
    if column.kind == "count":
        return "count"
    if column.kind != "categorical":
        return "normal"
    levels = column.levels or ()
    numbers = not any(isinstance(level, str) for level in levels)
    return "ordinal" if numbers and len(levels) <= MOST else "categorical"


def _few(column: Any) -> bool:
    """Whether a column is of few different whole numbers."""
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return False
    values = column.drop_null()
    if pa.types.is_floating(column.type):
        values = values.filter(pc.invert(pc.is_nan(values)))
    different = values.unique().to_numpy()
    return FEWEST <= len(different) <= MOST and bool((different % 1 == 0).all())
