"""What each column of a table is: its kind, its levels and the reason, and the same as JSON."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any, Literal, Self, get_args

from tacit.data.errors import DataError, listed, nearest

Kind = Literal["continuous", "positive", "count", "binary", "categorical"]
Reads = Literal["table", "counts", "images", "documents", "sequences"]
"""What rows may be: columns of a table, counts, images, documents as counts of words, or sequences."""
KINDS: tuple[Kind, ...] = get_args(Kind)
ORDINAL = "ordinal"
"""What a column of levels with an order is called: a categorical column whose levels stand in their order."""
LEVELLED: tuple[Kind, ...] = ("binary", "categorical")
"""The kinds whose values are codes 0..L−1 of named levels."""

Level = str | int | float | bool
_VERSION = 1


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: its heading.
        kind: "continuous", "positive" (above 0, strongly skewed), "count", "binary" or "categorical".
        levels: for binary and categorical columns, the value behind each code 0..L−1; else None.
        note: why it has this kind, in plain words.
    """

    name: str
    kind: Kind
    levels: tuple[Level, ...] | None = None
    note: str = ""
    rest: str | None = None
    """Of a column of texts: the level that stands for every text that is none of the others."""
    ordered: bool = False
    """Of a categorical column: whether its levels rise from the first to the last, as answers do."""

    def __post_init__(self) -> None:
        if (self.kind in LEVELLED) != (self.levels is not None):
            need = "needs its levels" if self.kind in LEVELLED else "has no levels"
            raise DataError(f"{self.name!r}: a {self.kind} column {need}.")
        if self.levels is not None:
            _check_levels(self.name, self.kind, self.levels)
        if self.ordered and self.kind != "categorical":
            raise DataError(f"{self.name!r}: only a categorical column has ordered levels, not a {self.kind} one.")
        if self.rest is not None and self.rest not in (self.levels or ()):
            raise DataError(f"{self.name!r}: {self.rest!r} should stand for rare levels, and is none of its levels.")

    @property
    def levelled(self) -> bool:
        """Whether values are codes of levels."""
        return self.levels is not None

    @property
    def word(self) -> str:
        """The kind as it is told: "ordinal" of levels with an order."""
        return ORDINAL if self.ordered else self.kind


def _check_levels(name: str, kind: Kind, levels: tuple[Any, ...]) -> None:
    if not all(level == level and isinstance(level, str | int | float) for level in levels):
        raise DataError(f"{name!r}: levels are texts, numbers or truth values, not {listed(levels)}.")
    if len({str(level) for level in levels}) != len(levels):
        raise DataError(f"{name!r}: a level occurs twice in {listed(levels)}.")
    if kind == "binary" and len(levels) != 2:
        raise DataError(f"{name!r}: a binary column has 2 levels, not {len(levels)}.")
    if not levels:
        raise DataError(f"{name!r}: a categorical column has at least one level.")
    if len({isinstance(level, str) for level in levels}) > 1:
        raise DataError(f"{name!r}: levels are all text or all numbers, not both ({listed(levels)}).")
    if not isinstance(levels[0], str) and any(a >= b for a, b in itertools.pairwise(levels)):
        raise DataError(f"{name!r}: levels that are numbers must increase ({listed(levels)}).")


@dataclasses.dataclass(frozen=True)
class Schema:
    """The columns a model was fitted on, in order; the names differ from one another."""

    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for column in self.columns:
            if column.name in seen:
                raise DataError(f"the schema names column {column.name!r} twice.")
            seen.add(column.name)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The headings, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds, in order."""
        return tuple(column.kind for column in self.columns)

    def index(self, name: str) -> int:
        """The place of a column; raises `DataError` with the nearest name when there is none."""
        if name not in self.names:
            raise DataError(f"no column {name!r}; there are {listed(self.names, 20)}.{nearest(name, self.names)}")
        return self.names.index(name)

    def __getitem__(self, name: str) -> Column:
        return self.columns[self.index(name)]

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for `json.dump`; `from_json` gives the same schema back."""
        columns = [
            {
                "name": column.name,
                "kind": column.kind,
                "levels": None if column.levels is None else list(column.levels),
                "note": column.note,
            }
            | ({} if column.rest is None else {"rest": column.rest})
            | ({"ordered": True} if column.ordered else {})
            for column in self.columns
        ]
        return {"version": _VERSION, "columns": columns}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; anything else raises `DataError` and says what is wrong."""
        if not isinstance(document, Mapping) or not isinstance(document.get("columns"), list):
            raise DataError("not a schema: expected an object with a list 'columns'.")
        version = document.get("version", _VERSION)
        if not isinstance(version, int) or version > _VERSION:
            raise DataError(f"the schema has version {version!r}; this tacit reads up to {_VERSION}: update it.")
        return cls(tuple(_column(entry) for entry in document["columns"]))


def _column(entry: object) -> Column:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise DataError("not a schema: every column is an object with a text 'name'.")
    name = str(entry["name"])
    kind, levels, note = (entry.get(key) for key in ("kind", "levels", "note"))
    if not isinstance(kind, str) or not isinstance(levels, list | None) or not isinstance(note or "", str):
        raise DataError(f"not a schema: column {name!r} needs a text 'kind', a list or null 'levels', a text 'note'.")
    known = next((each for each in KINDS if each == kind), None)
    if known is None:
        raise DataError(f"{name!r}: unknown kind {kind!r}; a column is one of {listed(KINDS)}.")
    if levels is not None:
        _check_levels(name, known, tuple(levels))
    rest = entry.get("rest")
    if not isinstance(rest, str | None):
        raise DataError(f"not a schema: column {name!r} has {rest!r:.40} for its rare levels, which is no text.")
    ordered = entry.get("ordered", False)
    if not isinstance(ordered, bool):
        raise DataError(f"not a schema: whether column {name!r} is ordered is {ordered!r:.40}, not true or false.")
    return Column(name, known, None if levels is None else tuple(levels), note or "", rest, ordered)
