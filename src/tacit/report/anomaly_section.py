"""The most and the least likely rows, and why a row is an anomaly: where it lies far from its own group."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from jaxtyping import Float

from tacit import plots
from tacit.compute import Array
from tacit.plots.style import alike, thin
from tacit.report.groups import Groups
from tacit.report.html import Child, Html, table, tag
from tacit.report.oddness import anomaly_reasons
from tacit.report.parts import Section, badge, cells, framed, picture, row_name, section
from tacit.report.sentences import named, percent
from tacit.report.table import FittedTable

_ODD = 10
_ROWS = 50_000
_TYPICAL = 5
_COLUMNS = 30


def anomaly_section(
    rows: FittedTable,
    log_density: Float[Array, " rows"],
    groups: Groups | None = None,
    reasons: Mapping[int, str] = MappingProxyType({}),
    how: str = "",
    usual: Float[Array, " rows"] | None = None,
) -> Section | None:
    """A picture of how likely the rows are, the odd ones with reasons, and the most typical ones.

    Complete rows are set beside one another, and rows with gaps beside what is usual for as much as is seen of them.

    Args:
        rows: The table.
        log_density: Of each row, in nats; NaN where it was not scored.
        groups: The groups to which rows belong.
        reasons: By row, why it is odd; else worked out from its group's means and spreads.
        how: What there is to say of how they were scored.
        usual: Of each row, what rows of the model have of which as much is seen.
    """
    rows.check("log_density", log_density)
    density = np.asarray(log_density, dtype=np.float64)
    order = np.argsort(np.where(np.isnan(density), np.inf, density), kind="stable")
    order = order[np.isfinite(density[order]) | (density[order] == -np.inf)]
    if len(order) == 0:
        return None
    gaps = np.asarray(rows.missing.any(axis=1))
    whole = order[~gaps[order]]
    apart = len(whole) >= _TYPICAL
    first = whole if apart else order
    odd = first[: min(_ODD, max(1, len(first) // 2))]
    typical = first[len(odd) :][::-1][:_TYPICAL]
    about = (
        "The log density says how well the model expects a row, in nats (natural units of information): higher is more "
        f"typical. Only differences count: a row that lies 2.3 lower is ten times less likely.{how}"
    )
    shown = density[first]
    of = "rows without gaps" if apart and len(whole) < len(order) else "rows"
    figure = plots.density_plot(
        shown[np.isfinite(shown)], f"Log density of the {of}, in nats", logarithm=False, size=(4.2, 1.2)
    )
    least = f"The least likely {of}, the oddest first (sd: standard deviations)"
    return section(
        "rows",
        "Odd rows",
        "Odd and typical rows",
        tag("p", about),
        framed(None, picture(figure, "rows-density", f"Histogram of the log density of the {of}")),
        _table(least, odd, rows, groups, density, reasons),
        _table(f"The most likely {of}", typical, rows, groups, density, None) if len(typical) else None,
        _with_gaps(rows, order[gaps[order]], density, groups, reasons, usual) if apart else None,
    )


def _with_gaps(
    rows: FittedTable,
    order: np.ndarray,
    density: np.ndarray,
    groups: Groups | None,
    reasons: Mapping[int, str],
    usual: Float[Array, " rows"] | None,
) -> Child:
    """The oddest of the rows with gaps, by how far they lie from what is usual for as much as is seen of them."""
    if not len(order):
        return None
    said = (
        "Of a row with gaps the log density is that of the values that are there, so it cannot be set beside that of a "
        "complete row."
    )
    against = None
    if usual is not None:
        against = density - np.asarray(usual, np.float64)
        order = order[~np.isnan(against[order])]
        order = order[np.argsort(against[order], kind="stable")]
        said += (
            " Here it is set beside what the model expects on average of a row of which as much is seen: below 0 is "
            "less likely than usual."
        )
    odd = order[: min(_ODD, max(1, len(order) // 2))]
    if not len(odd):
        return None
    caption = "The least likely rows with gaps, the oddest first"
    return [tag("h3", "Rows with gaps"), tag("p", said), _table(caption, odd, rows, groups, density, reasons, against)]


def _table(
    caption: str,
    some: np.ndarray,
    rows: FittedTable,
    groups: Groups | None,
    density: np.ndarray,
    reasons: Mapping[int, str] | None,
    against: np.ndarray | None = None,
) -> Html:
    """Some rows, the likeliest without reasons; ``against``: how far each lies from what is usual."""
    columns, values = rows.schema.columns, rows.values
    share = None if groups is None else np.asarray(groups.responsibilities)
    several = share is not None and share.shape[1] > 1
    sample = thin(len(density), _ROWS) if len(density) > _ROWS else None
    joint = frozenset() if groups is None else groups.dependent
    why = [] if reasons is None else anomaly_reasons(values, columns, share, some, sample=sample, dependent=joint)
    shown = list(range(len(columns)))[:_COLUMNS]
    written = [cells(values[some, j].tolist(), columns[j], rows.decimals(j)) for j in shown]
    titles = [columns[j].name for j in shown]
    likely = alike(density[some].tolist())
    usual = None if against is None else alike(against[some].tolist(), 3)
    head: list[Child] = [
        "Row",
        *(["Why"] if reasons is not None else []),
        *(["Group"] if several else []),
        "Log density",
        *(["From usual"] if usual is not None else []),
    ]
    body: list[list[Child]] = []
    for i, row in enumerate(some):
        line: list[Child] = [row_name(int(row), rows.row_names)]
        if reasons is not None:
            line.append(
                tag("td", named(reasons.get(int(row), why[i]), () if groups is None else groups.names), class_="why")
            )
        if several and share is not None:
            best, none = int(np.nan_to_num(share[row]).argmax()), 1.0 - float(share[row].sum())
            noise = groups is not None and groups.noise is not None and none > share[row, best]
            label: list[Child] = ["noise"] if noise else [badge(best)]
            line.append(tag("td", *label, f" {percent(none if noise else float(share[row, best]))}", class_="tight"))
        nats = [likely[i]] if usual is None else [likely[i], usual[i]]
        held = [tag("span", tag("i", name), " ", texts[i]) for name, texts in zip(titles, written, strict=True)]
        body.append([*line, *nats, tag("td", held, class_="values")])
    first = len(head)
    right = range(first - (1 if usual is None else 2), first)
    more = len(columns) - len(shown)
    text = f"{caption}." + (f" The first {_COLUMNS} of {len(columns)} columns are shown." if more > 0 else "")
    return table(text, [*head, "Values"], body, numbers=tuple(right))
