"""Tables whose columns are of different kinds: text and categories become codes, before any model sees them."""

import abc
import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from tacit.data.dataset import Dataset, DenseRows
from tacit.data.encode import decode, encode
from tacit.data.file_rows import FileRows
from tacit.data.frames import from_frame
from tacit.data.kinds import infer
from tacit.data.schema import Schema
from tacit.estimators.base import read_rows, unmasked_objects
from tacit.estimators.capabilities import ReadsKinds
from tacit.estimators.mixture import layout
from tacit.estimators.settings import Estimator, settings


@settings
class KindReading(ReadsKinds, Estimator):
    """Reads tables by the families of their columns, which the estimator's ``families`` names."""

    _: KW_ONLY
    families: str | type | Mapping[Any, Any] = "auto"
    """"auto" (from the kinds of the columns), one family for all columns, or a mapping of columns (names or places, or
    tuples of them) to families; others are chosen as "auto"."""

    @abc.abstractmethod
    def _family(self, asked: Any) -> str:
        """A family by its name; raises ``ValueError`` where there is none."""

    @abc.abstractmethod
    def _kind_of(self, family: str) -> str:
        """The kind of column that a family is for."""

    def read(self, X: Any, *, reset: bool, minimum: int = 1) -> Dataset:
        """Rows as numbers: codes for levels, NaN where missing; at fit the kinds of the columns are found."""
        if isinstance(X, Dataset) and X.schema is not None:
            return self._described(X, X.schema, reset=reset)
        X = X.rows() if isinstance(X, Dataset) else X
        if isinstance(X, np.ma.MaskedArray) and X.dtype == object:
            X = unmasked_objects(X)
        if isinstance(X, np.ma.MaskedArray) and X.dtype.names is not None:
            X = {name: X[name] for name in X.dtype.names}
        if isinstance(X, np.ndarray) and X.dtype.kind in "mM":
            raise ValueError("X holds dates or durations: give a frame with names for the columns, or numbers")
        frame = not isinstance(X, np.ndarray | list | tuple) or (
            np.asarray(X, dtype=object).dtype.kind == "O" and _text(X)
        )
        if frame and not sparse.issparse(X):
            table = from_frame(X)
            if reset:
                self.feature_names_in_ = np.asarray(table.column_names, dtype=object)
                self.n_features_in_ = len(table.column_names)
        else:
            rows = read_rows(self, X, reset=reset, minimum=minimum)
            table = from_frame({name: rows[:, place] for place, name in enumerate(self._column_names())})
        if reset:
            self.schema_ = self._schema(table)
        return DenseRows(encode(table, self.schema_))

    def _described(self, data: Dataset, known: Schema, *, reset: bool) -> Dataset:
        """Rows of known columns: as they are where their kinds are those of the families, else encoded anew."""
        if reset:
            named = {known.names[place]: self._kind_of(f) for place, f in self._named(known.names)[0].items()}
            self.feature_names_in_ = np.asarray(known.names, dtype=object)
            self.n_features_in_ = len(known)
            if data.portable:
                data, known = _of_kinds(data, known, named)
            as_named = all(named.get(column.name, column.kind) == column.kind for column in known.columns)
            if as_named and data.moments().seen.all():  # what has no value is refused below
                self.schema_ = known
            else:
                self.__dict__.pop("schema_", None)
        elif data.portable and _codes(known) == _codes(self.schema_):
            return data
        elif isinstance(data, FileRows) and known.names == self.schema_.names:
            return data.read_as(self.schema_).weighted(data.given_weights)
        if "schema_" in vars(self) and self.schema_ == known:
            return data
        table = decode(data.rows(), known)
        if reset:
            self.schema_ = self._schema(table)
        return DenseRows(encode(table, self.schema_), data.weights)

    def decode(self, values: np.ndarray) -> pa.Table:
        """Rows of numbers, as ``sample`` and ``impute`` give them, as a table with the levels of the data."""
        check_is_fitted(self)
        return decode(np.asarray(values, float), self.schema_)

    def _schema(self, table: Any) -> Schema:
        names = table.column_names
        wanted = {names[p]: self._kind_of(f) for p, f in self._named(names)[0].items()}
        for name in names:  # a column with one value or none is still a column of the table
            column = table.column(name)
            if name not in wanted and (column.null_count == len(column) or _few(column)):
                wanted |= _as_it_is(name, column)
        wanted = self._more_kinds(table, wanted)
        schema, left = infer(table, wanted)
        numbered = [entry for entry in left if entry.role == "identifier" and _numbers(table.column(entry.name))]
        if numbered:
            for entry in numbered:
                warnings.warn(
                    f"column {entry.name!r} {entry.reason.removeprefix('an identifier: ')}. It is taken as a "
                    "measurement; leave it out if it says nothing of a row.",
                    UserWarning,
                    stacklevel=2,
                )
            schema, left = infer(table, wanted | {entry.name: "continuous" for entry in numbered})
        for entry in left:
            if entry.role == "date":
                raise ValueError(f"column {entry.name!r} holds {entry.reason}: {_of_dates(entry.name, table)}")
        if left:
            said = "; ".join(f"{entry.name}: {entry.reason}" for entry in left)
            raise ValueError(f"drop these columns or name their families ({said})")
        return schema

    def _more_kinds(self, table: Any, wanted: dict[str, str]) -> dict[str, str]:
        """The kinds that are wanted of columns, and those that the model has reasons of its own for."""
        return wanted

    def _named(self, names: Sequence[str]) -> tuple[dict[int, str], list[tuple[int, ...]]]:
        """The families the user named, by place, and the columns named together."""
        if isinstance(self.families, str | type):
            if self.families == "auto":
                return {}, []
            known = self._family(self.families)
            return dict.fromkeys(range(len(names)), known), [tuple(range(len(names)))]
        chosen: dict[int, str] = {}
        together = []
        for key, family in self._by_column(names).items():
            places = tuple(layout.place_of(k, names, "families") for k in (key if isinstance(key, tuple) else (key,)))
            chosen |= dict.fromkeys(places, self._family(family))
            if len(places) > 1:
                together.append(places)
        return chosen, together

    def _by_column(self, names: Sequence[str]) -> Mapping[Any, Any]:
        """Families by column; a list names one for each."""
        if isinstance(self.families, Mapping):
            return self.families
        if not isinstance(self.families, list | tuple) or len(self.families) != len(names):
            raise ValueError(
                f"families must be 'auto', a family, a mapping of columns to families, or a list with one for each of "
                f"the {len(names)} columns; got {self.families!r}"
            )
        return dict(enumerate(self.families))


def _codes(schema: Schema) -> list[Any]:
    """What decides which numbers stand for the values of columns."""
    return [(column.name, column.levels, column.rest) for column in schema.columns]


def _of_kinds(data: Dataset, known: Schema, kinds: Mapping[str, str]) -> tuple[Dataset, Schema]:
    """Rows in files, some columns of which are something else; where their codes change, these are settled anew."""
    columns = []
    for column in known.columns:
        kind: Any = kinds.get(column.name, column.kind)
        stays = kind == ("categorical" if column.levels is not None else "continuous")
        columns.append(dataclasses.replace(column, kind=kind) if stays else column)
    other = Schema(tuple(columns))
    changed = {c.name: kinds[c.name] for c in other.columns if kinds.get(c.name, c.kind) != c.kind}
    data = data.described(other)
    if changed and isinstance(data, FileRows):
        data = data.of_kinds(changed)
        other = data.schema
    return data, other


def _few(column: Any) -> bool:
    """Whether a column of single values has fewer than three."""
    return not pa.types.is_nested(column.type) and len(column.unique()) < 3


def _numbers(column: Any) -> bool:
    return pa.types.is_integer(column.type) or pa.types.is_floating(column.type)


def _text(X: Any) -> bool:
    return any(isinstance(cell, str) for cell in np.asarray(X, dtype=object).ravel()[:1000])


def _as_it_is(name: str, column: Any) -> dict[str, str]:
    """A kind for a column that says little: numbers stay numbers."""
    if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
        unique = set(column.drop_null().unique().to_pylist())
        return {} if len(unique) == 2 else {name: "continuous"}
    return {}


def _of_dates(name: str, table: Any) -> str:
    """What to do with a column of dates."""
    kind = table.column(name).type
    own = f"X[{name!r}]"
    if not pa.types.is_timestamp(kind):
        own = f"pd.to_datetime({own})"
    return (
        f"give what they say, such as the days gone by, ({own} - {own}.min()).dt.days, or the month, {own}.dt.month, "
        "or leave it out. The command line does so by itself (--dates)."
    )
