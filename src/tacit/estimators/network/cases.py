"""Many cases at once: a table of what is known in, a table of posteriors out."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.data.errors import counted, listed, nearest
from tacit.data.frames import from_frame
from tacit.data.levels import show_level
from tacit.data.results import TableResult
from tacit.estimators.network.columns import NodeColumns


@dataclass(frozen=True, eq=False)
class CasesAnswer(TableResult):
    """The posteriors of columns in many cases.

    Attributes:
        levels: by name, the probability of every level in every case, ``(n, levels)``; NaN where the case says the
            value itself, or is impossible.
        numbers: by name, mean and standard deviation, ``(n, 2)``.
        level_names: by name, the levels.
    """

    levels: Mapping[str, np.ndarray]
    numbers: Mapping[str, np.ndarray]
    level_names: Mapping[str, tuple[Any, ...]]

    def __getitem__(self, name: str) -> np.ndarray:
        """The figures of one column, a row a case."""
        return self.levels[name] if name in self.levels else self.numbers[name]

    def __len__(self) -> int:
        return next((len(each) for each in (*self.levels.values(), *self.numbers.values())), 0)

    def to_arrow(self) -> pa.Table:
        """A line a case; a column a level ("smoke=yes"), two a number ("x mean", "x sd"); empty where it is said."""
        columns = {}
        for name, shares in self.levels.items():
            for level, share in zip(self.level_names[name], shares.T, strict=True):
                columns[f"{name}={show_level(level)}"] = pa.array(share, mask=np.isnan(share))
        for name, figures in self.numbers.items():
            for word, figure in zip(("mean", "sd"), figures.T, strict=True):
                columns[f"{name} {word}"] = pa.array(figure, mask=np.isnan(figure))
        return pa.table(columns)


def is_table(evidence: Any) -> bool:
    """Whether evidence is of many cases: a frame, or a mapping of columns with a list each."""
    if evidence is None:
        return False
    if isinstance(evidence, Mapping):
        return any(np.ndim(value) > 0 for value in evidence.values() if not isinstance(value, Mapping))
    return not isinstance(evidence, str) and np.ndim(evidence) != 1


def table_of(evidence: Any, columns: NodeColumns) -> pa.Table:
    """Cases as a table of all columns; those that it does not have are not known.

    Raises:
        ValueError: a column that the network does not have, or a hidden node.
    """
    table = from_frame(evidence)
    names = columns.schema.names
    for name in table.column_names:
        if name not in names:
            hidden = name in columns.names
            what = "is a hidden node, whose state no row says" if hidden else "is no column of the network"
            raise ValueError(f"{name!r} {what}; there are {listed(names, 12)}.{nearest(name, names)}")
    lacking = pa.nulls(table.num_rows)
    return pa.table({name: table.column(name) if name in table.column_names else lacking for name in names})


def say_impossible(lost: np.ndarray) -> None:
    """Warn of rows that cannot be."""
    if lost.any():
        first = np.flatnonzero(lost)[:5].tolist()
        rows = ", ".join(map(str, first)) + (", …" if lost.sum() > len(first) else "")
        said = f"{counted(int(lost.sum()), 'row')} ({rows}) cannot be under this network, and the answer there is NaN"
        warnings.warn(said, UserWarning, stacklevel=5)


def answered(
    columns: NodeColumns, rows: np.ndarray, found: Mapping[int, np.ndarray], wanted: Sequence[int]
) -> CasesAnswer:
    """What is asked of the posteriors of gaps; NaN in the rows that say a value themselves."""
    levels: dict[str, np.ndarray] = {}
    numbers: dict[str, np.ndarray] = {}
    for place in wanted:
        name = columns.names[place]
        number = columns.levels[place]
        said = ~np.isnan(rows[:, place]) if place < rows.shape[1] else np.zeros(len(rows), bool)
        figures = found.get(place, np.full((len(rows), number or 2), np.nan))
        (numbers if number is None else levels)[name] = np.where(said[:, None], np.nan, figures)
    return CasesAnswer(levels, numbers, {columns.names[v]: columns.levels_of(v) for v in wanted if columns.levels[v]})
