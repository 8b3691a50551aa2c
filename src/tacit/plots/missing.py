"""Where values are missing: the share of each column, and which columns go missing together."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tacit.compute import Array
from tacit.plots import axes, style

_COLUMNS = 20
_PATTERNS = 8
_LINE = 0.21


def patterns(mask: Bool[Array, "rows columns"], at_most: int) -> tuple[Bool[np.ndarray, "n columns"], list[int]]:
    """The most frequent combinations of missing columns (the complete row among them), and their counts."""
    m = np.asarray(mask, dtype=bool)
    if m.size == 0:
        return np.zeros((0, m.shape[1]), dtype=bool), []
    packed = np.packbits(m, axis=1)
    _, first, counts = np.unique(packed, axis=0, return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))[:at_most]
    return m[first[order]], [int(counts[i]) for i in order]


def missing_summary(mask: Bool[Array, "rows columns"], names: Sequence[str], *, width: float = 1.7) -> Figure:
    """A bar of each column's missing share, and beside it the commonest combinations with their counts.

    Columns without gaps are counted in words; at most twenty with gaps are drawn, the gappiest first.

    Args:
        mask: True where a value is missing.
        names: The columns' names.
        width: Length of a bar of 100 %, in inches.

    Returns:
        A figure with a line for each column that has gaps.
    """
    m = np.asarray(mask, dtype=bool)
    share = m.mean(0) if len(m) else np.zeros(m.shape[1])
    shown = [int(j) for j in np.argsort(-share, kind="stable") if share[j] > 0][:_COLUMNS]
    kept, counts = patterns(m[:, shown], _PATTERNS) if shown else (np.zeros((0, 0), bool), [])
    left = 0.25 + 0.078 * min(max((len(str(names[j])) for j in shown), default=4), 24)
    side = _LINE * max(len(counts), 1) + 0.75
    height = _LINE * max(len(shown), 1)
    figure, [[bars]] = axes.new_panels(1, 1, (width, height), margin=(left, side, 0.55, 0.3))
    full_width, full_height = figure.get_size_inches()
    _draw_shares(bars, share[shown], [names[j] for j in shown])
    if shown:
        box = ((left + width + 0.62) / full_width, 0.3 / full_height)
        tiles = figure.add_axes((*box, _LINE * len(counts) / full_width, height / full_height))
        _draw_patterns(tiles, kept, counts)
    rest = m.shape[1] - int((share > 0).sum())
    hidden = int((share > 0).sum()) - len(shown)
    words = [f"{hidden} more with gaps"] if hidden else []
    words += [f"{rest} {'column' if rest == 1 else 'columns'} without gaps"] if rest else []
    note = " · ".join(words)
    figure.text(0.01, 0.02, note, fontsize=style.SMALL, color=style.QUIET, ha="left", va="bottom")
    return figure


def _draw_shares(ax: Axes, share: Array, names: Sequence[str]) -> None:
    lines = np.arange(len(share))
    ax.barh(lines, np.ones(len(share)), height=0.62, color=style.FAINT)
    ax.barh(lines, share, height=0.62, color=style.ACCENT)
    for line, (part, name) in enumerate(zip(share, names, strict=True)):
        text = f"{100 * part:.0f} %" if part >= 0.01 else "< 1 %"
        ax.annotate(
            text,
            (1, line),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=style.SMALL,
            color=style.QUIET,
            va="center",
        )
        axes.line_name(ax, line, name, limit=24)
    ax.set_xlim(0, 1)
    ax.set_ylim(max(len(share), 1) - 0.5, -0.5)
    ax.spines["bottom"].set_visible(False)
    axes.no_ticks(ax, "x", "y")
    axes.heading(ax, "Missing", colour=style.QUIET)


def _draw_patterns(ax: Axes, kept: Array, counts: list[int]) -> None:
    """A column of tiles for each combination: filled where missing, the number of rows above it."""
    axes.tidy(ax)
    across, down = np.meshgrid(np.arange(len(counts)), np.arange(kept.shape[1]))
    absent = kept.T
    ax.scatter(across[~absent], down[~absent], s=46, marker="s", color=style.FAINT, linewidths=0)
    ax.scatter(across[absent], down[absent], s=46, marker="s", color=style.ACCENT, linewidths=0)
    for i, count in enumerate(counts):
        ax.annotate(
            style.short_number(count, 9),
            (i, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            fontsize=style.SMALL - 0.5,
            color=style.QUIET,
            rotation=90,
            rotation_mode="anchor",
            ha="left",
            va="center",
        )
    ax.set_xlim(-0.5, len(counts) - 0.5)
    ax.set_ylim(kept.shape[1] - 0.5, -0.5)
    ax.spines["bottom"].set_visible(False)
    axes.no_ticks(ax, "x", "y")
