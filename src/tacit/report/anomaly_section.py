"""The most and the least likely rows, and why a row is an anomaly: where it lies far from its own group."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from jaxtyping import Float, Integer

from tacit import plots
from tacit.compute import Array
from tacit.data.levels import show_level
from tacit.data.schema import Column
from tacit.plots.style import alike, short_number, thin
from tacit.report.groups import Groups
from tacit.report.html import Child, Html, table, tag
from tacit.report.parts import Section, badge, cells, framed, picture, row_name, section
from tacit.report.sentences import percent, readable
from tacit.report.table import FittedTable

_ODD = 10
_ROWS = 50_000
_TYPICAL = 5
_COLUMNS = 8


def anomaly_section(
    rows: FittedTable,
    log_density: Float[Array, " rows"],
    groups: Groups | None = None,
    reasons: Mapping[int, str] = MappingProxyType({}),
    how: str = "",
) -> Section | None:
    """A picture of how likely the rows are, the odd ones with reasons, and the most typical ones.

    Args:
        rows: The table.
        log_density: Of each row, in nats; NaN where it was not scored.
        groups: The groups to which rows belong.
        reasons: By row, why it is odd; else worked out from its group's means and spreads.
        how: What there is to say of how they were scored.
    """
    rows.check("log_density", log_density)
    density = np.asarray(log_density, dtype=np.float64)
    order = np.argsort(np.where(np.isnan(density), np.inf, density), kind="stable")
    order = order[np.isfinite(density[order]) | (density[order] == -np.inf)]
    if len(order) == 0:
        return None
    odd = order[: min(_ODD, max(1, len(order) // 2))]
    typical = _typical(order[len(odd) :], rows.values)
    about = (
        "The log density says how well the model expects a row, in nats: higher is more typical. Only "
        f"differences count: a row that lies 2.3 lower is ten times less likely.{how}"
    )
    finite = density[np.isfinite(density)]
    figure = plots.density_plot(finite, "Log density of the rows, in nats", logarithm=False, size=(4.2, 1.2))
    return section(
        "rows",
        "Odd rows",
        "Odd and typical rows",
        tag("p", about),
        framed(None, picture(figure, "rows-density", "Histogram of the log density of the rows")),
        _table(
            "The least likely rows, the oddest first (sd: standard deviations)", odd, rows, groups, density, reasons
        ),
        _table("The most likely rows", typical, rows, groups, density, None) if len(typical) else None,
    )


def _typical(rising: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The likeliest rows, the likeliest first; of rows without gaps, if there are enough: a gap costs nothing."""
    whole = rising[~np.isnan(values[rising]).any(axis=1)]
    return (whole if len(whole) >= _TYPICAL else rising)[::-1][:_TYPICAL]


def _table(
    caption: str,
    some: np.ndarray,
    rows: FittedTable,
    groups: Groups | None,
    density: np.ndarray,
    reasons: Mapping[int, str] | None,
) -> Html:
    """Some rows, the likeliest without reasons."""
    columns, values = rows.schema.columns, rows.values
    share = None if groups is None else np.asarray(groups.responsibilities)
    several = share is not None and share.shape[1] > 1
    sample = thin(len(density), _ROWS) if len(density) > _ROWS else None
    why = [] if reasons is None else anomaly_reasons(values, columns, share, some, sample=sample)
    shown = list(range(len(columns)))[:_COLUMNS]
    written = [cells(values[some, j].tolist(), columns[j]) for j in shown]
    likely = alike(density[some].tolist())
    head: list[Child] = [
        "Row",
        *(["Why"] if reasons is not None else []),
        *(["Group"] if several else []),
        "Log density",
    ]
    body: list[list[Child]] = []
    for i, row in enumerate(some):
        line: list[Child] = [row_name(int(row), rows.row_names)]
        if reasons is not None:
            line.append(tag("td", reasons.get(int(row), why[i]), class_="why"))
        if several and share is not None:
            best, none = int(np.nan_to_num(share[row]).argmax()), 1.0 - float(share[row].sum())
            noise = groups is not None and groups.noise is not None and none > share[row, best]
            label: list[Child] = ["noise"] if noise else [badge(best)]
            line.append(tag("td", *label, f" {percent(none if noise else float(share[row, best]))}", class_="tight"))
        body.append([*line, likely[i], *(texts[i] for texts in written)])
    first = len(head)
    right = [first - 1, *(first + i for i, j in enumerate(shown) if columns[j].levels is None)]
    more = len(columns) - len(shown)
    text = f"{caption}." + (f" The first {_COLUMNS} of {len(columns)} columns are shown." if more > 0 else "")
    return table(text, [*head, *(columns[j].name for j in shown)], body, numbers=tuple(right))


_NOTICED = 2.0
"""The least surprise worth a word, in nats: a number 2 standard deviations off, a level of 13 %."""


def anomaly_reasons(
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
    own = np.nan_to_num(share[rows])
    group, noise = own.argmax(1), 1.0 - own.sum(1) > own.max(1)
    share = np.nan_to_num(share if sample is None else share[sample])
    of = "this table" if responsibilities is None else "its group"
    found: list[list[tuple[float, str]]] = [[] for _ in rows]
    for j, column in enumerate(columns):
        x = values[:, j] if sample is None else values[sample, j]
        seen = np.isfinite(x)
        for i, row in enumerate(rows):
            if np.isfinite(values[row, j]):
                weight = np.where(seen, share[:, group[i]], 0.0)
                names = "the nearest group" if noise[i] else of
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
