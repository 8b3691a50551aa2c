"""Why a row is an anomaly: where it lies far from its own group, or from all rows, and what was expected there."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from tacit.compute import Array
from tacit.data.levels import show_level
from tacit.data.schema import Column
from tacit.plots.style import as_written, decimals_of, short_number
from tacit.report.sentences import group_name, listed, percent, quoted, readable

NOTICED = 2.0
"""The least surprise worth a word, in nats: a number 2 standard deviations off, a level of 13 %."""
SOMEWHAT = 0.5
"""The least that is named where nothing is surprising: a number 1 standard deviation off, a level of 60 %."""
FAR = 4.5
"""The same among all rows: 3 standard deviations."""
OWN = 0.2
"""A row that makes more than this share of its group says itself what is usual there."""
SURE = 0.9
"""The probability of a group from which a row belongs to it."""
FEWEST = 5
"""Rows a column from which it is said how columns go together."""


class _Told(NamedTuple):
    """How surprising a value is in nats, and the words for it."""

    nats: float
    words: str


def anomaly_reasons(
    values: Float[np.ndarray, "rows columns"],
    columns: Sequence[Column],
    responsibilities: Float[Array, "rows components"] | None,
    rows: Integer[Array, " some"],
    *,
    sample: Integer[Array, " kept"] | None = None,
    at_most: int = 2,
    dependent: frozenset[int] = frozenset(),
) -> list[str]:
    """For some rows, the columns that are most surprising given each row's most probable group.

    A number's surprise is ``½ z²`` with the mean and standard deviation of its group (of logarithms for a
    positive column), a level's is ``−log p``. A row in which no column is surprising in its group is set beside all
    other rows; then its columns are set beside what the others of them let expect, where the model knows how they go
    together; and where nothing stands out, that is said, with the columns that come next to it.

    Args:
        values: The table, NaN where missing, codes of levels.
        columns: What the columns are.
        responsibilities: Probability of each group for each row; without them all rows are one group.
        rows: The rows to be explained.
        sample: The rows that means and spreads are taken from, all by default.
        at_most: Greatest number of columns named.
        dependent: The columns that in the model go together with others within a group.
    """
    share = np.ones((len(values), 1)) if responsibilities is None else np.asarray(responsibilities)
    own = np.nan_to_num(share[rows])
    kept = np.arange(len(values)) if sample is None else np.asarray(sample)
    known, share = values[kept], np.nan_to_num(share[kept])
    decimals = [None if column.levels is not None else decimals_of(known[:, j]) for j, column in enumerate(columns)]
    said = []
    for place, row in enumerate(np.asarray(rows).tolist()):
        noise = 1.0 - own[place].sum() > own[place].max()
        others = kept != row
        asked = _Asked(values[row], columns, decimals, known)
        names = "this table" if responsibilities is None else "the nearest group" if noise else "its group"
        weights = share[:, own[place].argmax()]
        if own[place].max() > OWN * weights.sum():
            weights, names = others.astype(np.float64), "all other rows"
        within = asked.surprises(weights, names)
        telling = [each for each in within if each.nats >= NOTICED][:at_most]
        if not telling:
            telling = [each for each in asked.surprises(others * 1.0, "all other rows") if each.nats >= FAR][:at_most]
        said.append(
            "; ".join(each.words for each in telling)
            or asked.together(weights, sorted(dependent), at_most)
            or _between(own[place])
            or _nothing(within[:at_most])
        )
    return said


def _between(own: np.ndarray) -> str:
    """That a row belongs to no group clearly; nothing where it does."""
    order = np.argsort(-own, kind="stable")[:2]
    if own.size < 2 or own[order[0]] >= SURE or own[order[1]] < 1.0 - SURE:
        return ""
    return f"lies between {listed([group_name(int(k)) for k in sorted(order)])}; no column by itself stands out"


def _nothing(within: Sequence[_Told]) -> str:
    named = [each.words for each in within if each.nats >= SOMEWHAT]
    return "no column by itself stands out" + (f"; farthest out: {'; '.join(named)}" if named else "")


class _Asked:
    """A row beside the others."""

    def __init__(
        self,
        row: Float[np.ndarray, " columns"],
        columns: Sequence[Column],
        decimals: Sequence[int | None],
        known: Float[np.ndarray, "kept columns"],
    ) -> None:
        self._row, self._columns, self._decimals, self._known = row, columns, decimals, known

    def surprises(self, weights: Float[np.ndarray, " kept"], names: str) -> list[_Told]:
        """Its columns, the most surprising first, beside rows that weigh so much and are called so."""
        found = [self._surprise(j, weights, names) for j in range(len(self._columns)) if np.isfinite(self._row[j])]
        return sorted((each for each in found if each.words), key=lambda each: -each.nats)

    def _surprise(self, j: int, weights: np.ndarray, names: str) -> _Told:
        column, value, x = self._columns[j], float(self._row[j]), self._known[:, j]
        weight = np.where(np.isfinite(x), weights, 0.0)
        total = max(float(weight.sum()), 1e-300)
        name = readable(column.name)[0]
        if column.levels is not None:
            p = float(weight[x == value].sum()) / total
            level = quoted(show_level(column.levels[int(value)]))
            rare = "found in no row of" if p == 0 else "rare in" if -np.log(p) >= NOTICED else "one of several in"
            return _Told(-float(np.log(max(p, 1e-300))), f"{name} {level}, {rare} {names} ({percent(p)})")
        y, w = self._scaled(j, x), weight / total
        seen = (w > 0) & np.isfinite(y)
        mean = float(w[seen] @ y[seen])
        spread = float(np.sqrt(w[seen] @ (y[seen] - mean) ** 2))
        here = float(self._scaled(j, np.array([value]))[0])
        if spread <= 1e-12 * abs(mean) or not np.isfinite(spread):
            alone = bool(seen.any()) and abs(here - mean) > 1e-12 * abs(mean)
            words = f"{self._amount(j)}, where {names} {'has' if names != 'all other rows' else 'have'} "
            usual = float(x[seen][0]) if alone else 0.0
            return _Told(np.inf, words + as_written(usual, self._decimals[j])) if alone else _Told(0.0, "")
        z = (here - mean) / spread
        return _Told(0.5 * z * z, f"{self._amount(j)}, {short_number(abs(z), 2)} sd {_side(z)} {names}")

    def together(self, weights: Float[np.ndarray, " kept"], dependent: Sequence[int], at_most: int) -> str:
        """The columns that lie far from what the others let expect, in a Gaussian of the rows that weigh so much."""
        numbers = [j for j in dependent if self._columns[j].levels is None and np.isfinite(self._row[j])]
        if len(numbers) < 2:
            return ""
        y = np.column_stack([self._scaled(j, self._known[:, j]) for j in numbers])
        seen = (weights > 0) & np.isfinite(y).all(axis=1)
        if weights[seen].sum() < FEWEST * len(numbers):
            return ""
        w = weights[seen] / weights[seen].sum()
        mean = w @ y[seen]
        covariance = (y[seen] - mean).T @ (w[:, None] * (y[seen] - mean))
        scale = np.sqrt(np.diag(covariance))
        if not (scale > 0).all():
            return ""
        precision = np.linalg.pinv(covariance / np.outer(scale, scale), rcond=1e-10, hermitian=True)
        here = np.array([self._scaled(j, self._row[[j]])[0] for j in numbers])
        off = (precision @ ((here - mean) / scale)) / np.diag(precision)  # from what the others let expect
        z = off * np.sqrt(np.diag(precision))
        order = [int(i) for i in np.argsort(-np.abs(z), kind="stable") if 0.5 * z[i] ** 2 >= NOTICED][:at_most]
        told = []
        for i in order:
            j = numbers[i]
            usual = float(self._unscaled(j, here[i] - off[i] * scale[i]))
            told.append(
                f"{self._amount(j)} where its other columns let expect {as_written(usual, self._decimals[j])} "
                f"({short_number(abs(z[i]), 2)} sd {_side(z[i])})"
            )
        return f"unusual only as a combination: {'; '.join(told)}" if told else ""

    def _scaled(self, j: int, x: np.ndarray) -> np.ndarray:
        if self._columns[j].kind != "positive":
            return np.asarray(x, np.float64)
        return np.log(np.where(x > 0, x, np.nan))

    def _unscaled(self, j: int, y: float) -> float:
        return float(np.exp(y)) if self._columns[j].kind == "positive" else y

    def _amount(self, j: int) -> str:
        name, unit = readable(self._columns[j].name)
        return f"{name} {as_written(float(self._row[j]), self._decimals[j])}{f' {unit}' if unit else ''}"


def _side(z: float) -> str:
    return "above" if z > 0 else "below"
