"""The most and the least likely rows."""

import numpy as np

from tacit import plots
from tacit.plots.style import alike, short_number, thin
from tacit.report.content import ReportContent
from tacit.report.html import Child, Html, table, tag
from tacit.report.oddity import oddities
from tacit.report.parts import badge, cells, framed, picture, row_name, section
from tacit.report.words import percent

_ODD = 10
_ROWS = 50_000
_TYPICAL = 5
_COLUMNS = 8


def row_section(content: ReportContent) -> Html | None:
    """A picture of how likely the rows are, the odd ones with reasons, and the most typical ones."""
    if content.log_density is None or content.values is None or content.schema is None:
        return None
    density = np.asarray(content.log_density, dtype=np.float64)
    order = np.argsort(np.where(np.isnan(density), np.inf, density), kind="stable")
    order = order[np.isfinite(density[order]) | (density[order] == -np.inf)]
    if len(order) == 0:
        return None
    odd = order[: min(_ODD, max(1, len(order) // 2))]
    typical = _typical(order[len(odd) :], content)
    about = (
        "The log density says how well the model expects a row, in nats: higher is more typical. Only "
        "differences count: a row that lies 2.3 lower is ten times less likely."
    )
    if content.code is not None:
        about += " It is estimated from below, with codes drawn at random."
        some = int((~np.isnan(density)).sum())
        if some < len(density):
            about += (
                f" {short_number(some, 15)} of the {short_number(len(density), 15)} rows, drawn at random, were scored."
            )
    finite = density[np.isfinite(density)]
    figure = plots.density_plot(finite, "Log density of the rows, in nats", logarithm=False, size=(4.2, 1.2))
    return section(
        "rows",
        "Odd and typical rows",
        tag("p", about),
        framed(None, picture(figure, "rows-density", "Histogram of the log density of the rows")),
        _table(
            "The least likely rows, the oddest first (sd: standard deviations)", odd, content, density, reasons=True
        ),
        _table("The most likely rows", typical, content, density, reasons=False) if len(typical) else None,
    )


def _typical(rising: np.ndarray, content: ReportContent) -> np.ndarray:
    """The likeliest rows, the likeliest first; of rows without gaps, if there are enough: a gap costs nothing."""
    whole = rising[~np.isnan(content.values[rising]).any(axis=1)] if content.values is not None else rising
    return (whole if len(whole) >= _TYPICAL else rising)[::-1][:_TYPICAL]


def _table(
    caption: str, rows: np.ndarray, content: ReportContent, density: np.ndarray, *, reasons: bool
) -> Html | None:
    if content.values is None or content.schema is None:
        return None
    columns, groups = content.schema.columns, content.groups
    share = None if groups is None else np.asarray(groups.responsibilities)
    several = share is not None and share.shape[1] > 1
    sample = thin(len(density), _ROWS) if len(density) > _ROWS else None
    why = oddities(content.values, columns, share, rows, sample=sample) if reasons else []
    shown = list(range(len(columns)))[:_COLUMNS]
    written = [cells(content.values[rows, j].tolist(), columns[j]) for j in shown]
    likely = alike(density[rows].tolist())
    head: list[Child] = ["Row", *(["Why"] if reasons else []), *(["Group"] if several else []), "Log density"]
    body: list[list[Child]] = []
    for i, row in enumerate(rows):
        line: list[Child] = [row_name(int(row), content.row_names)]
        if reasons:
            line.append(tag("td", content.reasons.get(int(row), why[i]), class_="why"))
        if several and share is not None:
            best = int(np.nan_to_num(share[row]).argmax())
            line.append(tag("td", badge(best), f" {percent(float(share[row, best]))}", class_="tight"))
        body.append([*line, likely[i], *(texts[i] for texts in written)])
    first = len(head)
    right = [first - 1, *(first + i for i, j in enumerate(shown) if columns[j].levels is None)]
    more = len(columns) - len(shown)
    text = f"{caption}." + (f" The first {_COLUMNS} of {len(columns)} columns are shown." if more > 0 else "")
    return table(text, [*head, *(columns[j].name for j in shown)], body, numbers=tuple(right))
