"""``polychoric_correlations``: how ordinal columns hang together, as the normal variables behind them."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import ArrayLike

from tacit.data.frames import from_frame
from tacit.data.results import TableResult
from tacit.estimators.base import read_weights
from tacit.estimators.capabilities import MatrixLike
from tacit.models.factors.polychoric import polychoric

TOLD = 3
"""Pairs that a sentence names."""


@dataclasses.dataclass(frozen=True, eq=False)
class PolychoricCorrelations(TableResult):
    """Polychoric correlations of ordinal columns; tetrachoric ones where two columns have two levels.

    Attributes:
        names: of the columns.
        correlations: ``(d, d)``.
        thresholds: by name, where the normal variable behind a column is cut, one fewer than its levels.
        levels: by name, in their order, as they are in the table.
        weights: ``(d, d)``: the rows that a pair has in common, by their weights.
        at_bound: pairs of names whose likelihood rises towards 1 or −1: the one tells the other.
        corrected: pairs whose two-by-two table had an empty cell, which was corrected.
        least_eigenvalue: of the correlations as the pairs give them; below 0 they are those of no distribution.
        semidefinite: whether they were made those of one.
    """

    names: tuple[str, ...]
    correlations: np.ndarray
    thresholds: dict[str, np.ndarray]
    levels: dict[str, tuple[Any, ...]]
    weights: np.ndarray
    at_bound: tuple[tuple[str, str], ...]
    corrected: tuple[tuple[str, str], ...]
    least_eigenvalue: float
    semidefinite: bool

    def to_arrow(self) -> pa.Table:
        """The correlations, a line and a column a column, with the names before them."""
        heading = "column" if "column" not in self.names else ""
        columns = {name: self.correlations[:, place] for place, name in enumerate(self.names)}
        return pa.table({heading: list(self.names), **columns})

    def headline(self) -> str:
        """What was found, and what to mind."""
        return str(self)

    def __str__(self) -> str:
        two = all(len(levels) == 2 for levels in self.levels.values())
        text = f"{'Tetrachoric' if two else 'Polychoric'} correlations of {len(self.names)} columns."
        text += _told(self.at_bound, "The likelihood rises to the end of the scale for")
        text += _told(self.corrected, "A cell without rows was corrected for")
        if self.least_eigenvalue >= 0:
            return text
        text += f" Pair by pair they are those of no distribution (least eigenvalue {self.least_eigenvalue:.3g}); "
        return text + ("that was put right." if self.semidefinite else "positive_semidefinite=True puts that right.")


def _told(pairs: Sequence[tuple[str, str]], what: str) -> str:
    if not pairs:
        return ""
    more = f" and {len(pairs) - TOLD} more" if len(pairs) > TOLD else ""
    return f" {what} {', '.join(f'{one!r} with {other!r}' for one, other in pairs[:TOLD])}{more}."


def polychoric_correlations(
    X: MatrixLike,
    *,
    sample_weight: ArrayLike | None = None,
    correction: float = 0.5,
    positive_semidefinite: bool = False,
) -> PolychoricCorrelations:
    """Correlations of the normal variables behind ordinal columns, by maximum likelihood in two steps (Olsson 1979).

    Of answers on a scale of few levels ordinary correlations are too small, and the more so the more lopsided the
    answers are. Here each column is a normal variable that is cut at thresholds: those come from its own shares, and
    then each pair's correlation from its table. With two levels a column these are tetrachoric correlations.

    Args:
        X: a frame, a mapping from names to columns or an array. Levels are numbers in their order, yes and no, the
            categories of an ordered categorical, or any two texts; missing cells are left out pair by pair.
        sample_weight: a weight a row; 2 is the same as two copies.
        correction: what stands in for the empty cell of a two-by-two table, without which its correlation is 1 or −1;
            0 for nothing. Empty cells of larger tables are left as they are.
        positive_semidefinite: whether the matrix, which is found pair by pair, is made that of a distribution.

    Raises:
        ValueError: a column without a value, with one level or more than fifty, or with texts in no order; two columns
            that no row has both.
    """
    table = from_frame(X)
    read = {name: _levels_of(name, table.column(name)) for name in table.column_names}
    rows = np.stack([codes for codes, _ in read.values()], axis=1)
    weights = None if sample_weight is None else np.array(read_weights(rows, sample_weight))
    found = polychoric(
        rows,
        weights,
        correction=correction,
        positive_semidefinite=positive_semidefinite,
        names=table.column_names,
    )
    names = tuple(table.column_names)
    levels = {
        name: tuple(level.item() if given is None else given[int(level)] for level in held)
        for (name, (_, given)), held in zip(read.items(), found.levels, strict=True)
    }
    return PolychoricCorrelations(
        names,
        found.correlations,
        dict(zip(names, found.thresholds, strict=True)),
        levels,
        found.weights,
        tuple((names[i], names[j]) for i, j in found.at_bound),
        tuple((names[i], names[j]) for i, j in found.corrected),
        found.least_eigenvalue,
        positive_semidefinite,
    )


def _levels_of(name: str, column: pa.ChunkedArray) -> tuple[np.ndarray, Sequence[Any] | None]:
    """A column as numbers in the order of its levels, NaN where missing; and what they stand for, if not themselves."""
    kind = column.type
    if pa.types.is_boolean(kind):
        return _numbers(column.cast(pa.int8())), (False, True)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = _numbers(column.cast(pa.float64()))
        if np.isinf(values).any():
            raise ValueError(f"column {name!r} holds infinity: a missing entry is NaN")
        return values, None
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan), ()
    if pa.types.is_dictionary(kind):
        if not kind.ordered:
            return _levels_of(name, column.cast(kind.value_type))
        whole = column.unify_dictionaries().combine_chunks()
        return _numbers(pa.chunked_array([whole.indices])), whole.dictionary.to_pylist()
    texts = sorted({str(value) for value in pc.unique(column).to_pylist() if value is not None})
    if len(texts) > 2:
        raise ValueError(
            f"column {name!r} holds {len(texts)} values ({', '.join(map(repr, texts[:TOLD]))}, …) in no order: make it "
            "numbers, or an ordered categorical (pandas.Categorical(values, categories=…, ordered=True))"
        )
    places = {text: float(place) for place, text in enumerate(texts)}
    codes = [np.nan if value is None else places[str(value)] for value in column.to_pylist()]
    return np.array(codes, np.float64), texts


def _numbers(column: pa.ChunkedArray) -> np.ndarray:
    return np.array(column.cast(pa.float64()).to_numpy(), np.float64)
