"""Why a row is odd: the columns in which it lies far from its own group."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer

from tacit.compute import Array
from tacit.data.levels import show_level
from tacit.data.schema import Column
from tacit.plots.style import short_number
from tacit.report.words import percent, readable

_NOTICED = 2.0
"""The least surprise worth a word, in nats: a number 2 standard deviations off, a level of 13 %."""


def oddities(
    values: Float[np.ndarray, "rows columns"],
    columns: Sequence[Column],
    responsibilities: Float[Array, "rows components"] | None,
    rows: Integer[Array, " some"],
    *,
    sample: Integer[Array, " kept"] | None = None,
    at_most: int = 2,
) -> list[str]:
    """For some rows, the columns that are most surprising given each row's most probable group.

    A number's surprise is ``½ z²`` with the mean and standard deviation of its group (of logarithms for a
    positive column), a level's is ``−log p``.

    Args:
        values: The table, NaN where missing, codes of levels.
        columns: What the columns are.
        responsibilities: Probability of each group for each row; without them all rows are one group.
        rows: The rows to be explained.
        sample: The rows that means and spreads are taken from, all by default.
        at_most: Greatest number of columns named.
    """
    share = np.ones((len(values), 1)) if responsibilities is None else np.asarray(responsibilities)
    group = np.nan_to_num(share[rows]).argmax(1)
    share = np.nan_to_num(share if sample is None else share[sample])
    names = "this table" if responsibilities is None else "its group"
    found: list[list[tuple[float, str]]] = [[] for _ in rows]
    for j, column in enumerate(columns):
        x = values[:, j] if sample is None else values[sample, j]
        seen = np.isfinite(x)
        for i, row in enumerate(rows):
            if np.isfinite(values[row, j]):
                weight = np.where(seen, share[:, group[i]], 0.0)
                found[i].append(_surprise(float(values[row, j]), x, weight, column, names))
    said = []
    for each in found:
        telling = sorted((pair for pair in each if pair[0] >= _NOTICED), key=lambda pair: -pair[0])
        said.append("; ".join(text for _, text in telling[:at_most]) or "unusual only as a combination")
    return said


def _surprise(
    value: float, x: Float[np.ndarray, " rows"], weight: Float[np.ndarray, " rows"], column: Column, names: str
) -> tuple[float, str]:
    """How surprising a value is in nats, among the values ``x`` of its group, and the words for it."""
    name, unit = readable(column.name)
    total = max(float(weight.sum()), 1e-300)
    if column.levels is not None:
        p = float(weight[x == value].sum()) / total
        level = show_level(column.levels[int(value)])
        return -float(np.log(max(p, 1e-300))), f"{name} {level}, rare in {names} ({percent(p)})"
    scale = np.log if column.kind == "positive" and value > 0 else np.asarray
    inside = (weight > 0) & (x > 0) if column.kind == "positive" else weight > 0
    y, w = scale(np.where(inside, x, 1.0)), weight / total
    mean = float(w @ y)
    spread = float(np.sqrt(w @ (y - mean) ** 2))
    if spread <= 1e-12 * abs(mean) or not np.isfinite(spread):
        return 0.0, ""
    z = (float(scale(value)) - mean) / spread
    side = "above" if z > 0 else "below"
    amount = f"{name} {short_number(value, 4)}{f' {unit}' if unit else ''}"
    return 0.5 * z * z, f"{amount}, {short_number(abs(z), 2)} sd {side} {names}"
