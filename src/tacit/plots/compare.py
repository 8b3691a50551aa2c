"""Rows made by the model beside rows of the data: alike, if the model fits."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tacit.compute import Array
from tacit.plots import axes, style
from tacit.plots.columns import group_table
from tacit.plots.density import bin_edges, heights, log_axis, wants_logarithm, whole
from tacit.plots.scatter import frame

_POINTS = 1000
_LEVELS = 6


def samples_beside_data(
    values: Num[Array, "rows 2"],
    samples: Num[Array, "draws 2"],
    names: Sequence[str],
    *,
    cell: tuple[float, float] = (1.8, 1.7),
) -> Figure:
    """Two clouds in the same frame: the data on the left, as many rows drawn from the model on the right.

    Args:
        values: Two columns of the data, NaN where missing.
        samples: The same columns of rows drawn from the model.
        names: The columns' names.
        cell: Width and height of a panel, in inches.

    Returns:
        A figure with two panels.
    """
    left, right = np.asarray(values, dtype=np.float64), np.asarray(samples, dtype=np.float64)
    left = left[np.isfinite(left).all(1)]
    shown = min(len(left), len(right), _POINTS) or _POINTS
    figure, [panels] = axes.new_panels(1, 2, cell, (0.2, 0), (0.68, 0.12, 0.3, 0.45))
    limits = [frame(left[:, j] if len(left) else right[:, j])[0] for j in (0, 1)]
    for ax, cloud, name, colour in zip(
        panels, (left, right), ("Data", "Made by the model"), (style.QUIET, style.ACCENT), strict=True
    ):
        kept = cloud[style.thin(len(cloud), shown)]
        ax.scatter(kept[:, 0], kept[:, 1], s=6.0, color=colour, alpha=0.55, linewidths=0, rasterized=True)
        ax.set_xlim(*limits[0])
        ax.set_ylim(*limits[1])
        axes.heading(ax, name, colour=colour)
        axes.below(ax, names[0], limit=26)
    axes.beside(panels[0], names[1], limit=26)
    panels[1].tick_params(labelleft=False)
    return figure


def samples_by_column(
    values: Num[Array, "rows columns"],
    samples: Num[Array, "draws columns"],
    names: Sequence[str],
    kinds: Sequence[str],
    *,
    levels: Mapping[int, Sequence[str]] | None = None,
    across: int = 3,
    cell: tuple[float, float] = (2.2, 1.1),
) -> Figure:
    """Column by column, the data in grey and rows drawn from the model in blue.

    Args:
        values: The table, NaN where missing, categories as codes 0, 1, ….
        samples: Rows drawn from the model, in the same columns.
        names: The columns' names.
        kinds: "continuous", "positive", "count", "binary" or "categorical" for each.
        levels: Names of the levels, by the index of the column.
        across: Panels in a line.
        cell: Width and height of a panel, in inches.

    Returns:
        A figure with a panel for each column.
    """
    x, y = np.asarray(values, dtype=np.float64), np.asarray(samples, dtype=np.float64)
    columns, down = max(1, min(across, len(names))), max(1, -(-len(names) // across))
    figure, panels = axes.new_panels(down, columns, cell, (0.3, 0.62), (0.12, 0.15, 0.32, 0.3))
    for j, ax in enumerate(ax for line in panels for ax in line):
        if j >= len(names):
            ax.remove()
        elif kinds[j] in ("categorical", "binary"):
            _draw_levels(ax, x[:, j], y[:, j], (levels or {}).get(j, ()))
            axes.heading(ax, names[j], limit=28)
        else:
            _draw_histograms(ax, x[:, j], y[:, j], kinds[j] == "positive" and wants_logarithm(x[:, j]))
            axes.heading(ax, names[j], limit=28)
    return figure


def _draw_histograms(
    ax: Axes, column: Num[np.ndarray, "rows"], drawn: Num[np.ndarray, "draws"], logarithm: bool
) -> None:
    if logarithm:
        column, drawn = (np.log10(np.where(x > 0, x, np.nan)) for x in (column, drawn))
    edges = bin_edges(column)
    limits, _ = frame(np.concatenate([column, drawn]))
    step = float(edges[1] - edges[0])
    before = np.arange(int(np.clip((edges[0] - limits[0]) / step, 0, 200)), 0, -1)
    after = np.arange(1, 1 + int(np.clip((limits[1] - edges[-1]) / step, 0, 200)))
    edges = np.concatenate([edges[0] - step * before, edges, edges[-1] + step * after])
    bars, line = heights(column, edges), heights(drawn, edges)
    ax.stairs(bars, edges, fill=True, color=style.DATA, alpha=0.6, linewidth=0)
    ax.stairs(line, edges, color=style.ACCENT, linewidth=1.2)
    ax.set_xlim(*limits)
    if whole(column):
        axes.whole_ticks(ax)
    ax.set_ylim(0, 1.08 * max(float(bars.max()), float(line.max())) or 1.0)
    axes.no_ticks(ax, "y")
    if logarithm:
        log_axis(ax)


def _draw_levels(
    ax: Axes, column: Num[np.ndarray, "rows"], drawn: Num[np.ndarray, "draws"], levels: Sequence[str]
) -> None:
    both = np.concatenate([column, drawn])
    count = len(levels) or 1 + int(np.max(both, where=np.isfinite(both), initial=0.0))
    tables = [group_table(x, count, np.ones((len(x), 1)))[0] for x in (column, drawn)]
    kept = np.sort(np.argsort(-np.maximum(*tables), kind="stable")[:_LEVELS])
    lines = np.arange(len(kept))
    for offset, table, colour in zip((-0.18, 0.18), tables, (style.DATA, style.ACCENT), strict=True):
        ax.barh(lines + offset, table[kept], height=0.32, color=colour)
    for line, level in enumerate(kept):
        name = style.plain(levels[level] if len(levels) else level, 14)
        ax.text(-0.03, line, name, fontsize=style.SMALL, color=style.INK, ha="right", va="center")
    ax.set_xlim(-0.55, 1.0)
    ax.set_ylim(max(len(kept), 2) - 0.5, -0.5)
    ax.spines["bottom"].set_visible(False)
    axes.no_ticks(ax, "x", "y")
