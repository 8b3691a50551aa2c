"""Tables whose columns are of different kinds, at the door of a mixture: text and categories become codes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.data.encode import decode, encode
from tacit.data.frames import from_frame
from tacit.data.kinds import infer
from tacit.data.schema import Schema
from tacit.estimators import _layout
from tacit.estimators._base import read_rows
from tacit.estimators._face import MixtureFace
from tacit.families import FAMILIES


class TableColumns(MixtureFace):
    """Reads tables by the families of their columns, which the estimator's ``families`` names."""

    families: str | Mapping[Any, str]
    schema_: Schema

    def _read(self, X: Any, *, reset: bool, minimum: int = 1) -> np.ndarray:
        """Rows as numbers: codes for levels, NaN where missing; at fit the kinds of the columns are found."""
        frame = not isinstance(X, np.ndarray | list | tuple) or (
            np.asarray(X, dtype=object).dtype.kind == "O" and _text(X)
        )
        if frame and not hasattr(X, "toarray"):
            table = from_frame(X)
            if reset:
                self.feature_names_in_ = np.asarray(table.column_names, dtype=object)
                self.n_features_in_ = len(table.column_names)
        else:
            rows = read_rows(self, X, reset=reset, minimum=minimum)
            names = getattr(self, "feature_names_in_", [f"x{place}" for place in range(rows.shape[1])])
            table = from_frame({str(name): rows[:, place] for place, name in enumerate(names)})
        if reset:
            self.schema_ = self._schema(table)
        return encode(table, self.schema_)

    def decode(self, values: np.ndarray) -> pa.Table:
        """Rows of numbers, as ``sample`` and ``impute`` give them, as a table with the levels of the data."""
        self._fitted()
        return decode(np.asarray(values, float), self.schema_)

    def _schema(self, table: Any) -> Schema:
        names = table.column_names
        wanted = {names[p]: FAMILIES[f].column_kind for p, f in self._named(names)[0].items()}
        for name in names:  # a column with one value or none is still a column of the table
            column = table.column(name)
            if name not in wanted and (column.null_count == len(column) or len(column.unique()) < 3):
                wanted |= _as_it_is(name, column)
        schema, left = infer(table, wanted)
        if left:
            said = "; ".join(f"{entry.name}: {entry.reason}" for entry in left)
            raise ValueError(f"drop these columns or name their families ({said})")
        return schema

    def _named(self, names: Sequence[str]) -> tuple[dict[int, str], list[tuple[int, ...]]]:
        """The families the user named, by place, and the columns named together."""
        if isinstance(self.families, str):
            if self.families == "auto":
                return {}, []
            known = _family(self.families)
            return dict.fromkeys(range(len(names)), known), [tuple(range(len(names)))]
        chosen: dict[int, str] = {}
        together = []
        for key, family in self.families.items():
            places = tuple(_layout.place_of(k, names, "families") for k in (key if isinstance(key, tuple) else (key,)))
            chosen |= dict.fromkeys(places, _family(family))
            if len(places) > 1:
                together.append(places)
        return chosen, together


def _text(X: Any) -> bool:
    return any(isinstance(cell, str) for cell in np.asarray(X, dtype=object).ravel()[:1000])


def _family(name: str) -> str:
    if name not in FAMILIES:
        raise ValueError(f"family {name!r} is unknown; choose one of {', '.join(FAMILIES)}")
    return name


def _as_it_is(name: str, column: Any) -> dict[str, str]:
    """A kind for a column that says little: numbers stay numbers."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        unique = set(column.drop_null().unique().to_pylist())
        return {} if len(unique) == 2 else {name: "continuous"}
    return {}
