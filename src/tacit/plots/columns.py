"""Columns one by one, drawn by kind: densities for numbers, bars for counts and categories."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tacit.compute import Array
from tacit.plots import axes, style
from tacit.plots.density import bin_edges, draw_column, heights, in_logarithms, log_axis, whole

Curves = tuple[Num[Array, "points"], Num[Array, "components points"]]
"""A grid in increasing order and the weighted component densities ``π_k p_k(x)`` on it."""

_LEVELS = 8
_LABELS = 0.36
_LINE = 0.2


def group_table(
    codes: Num[Array, "rows"], levels: int, responsibilities: Num[Array, "rows components"]
) -> Float[np.ndarray, "components levels"]:
    """The probability of each level in each group, over rows that have a value; zeros for an empty group."""
    code, share = np.asarray(codes, dtype=np.float64), np.asarray(responsibilities, dtype=np.float64)
    seen = np.isfinite(code) & (code >= 0) & (code < levels)
    table = np.zeros((share.shape[1], levels))
    for k in range(share.shape[1]):
        table[k] = np.bincount(code[seen].astype(int), weights=share[seen, k], minlength=levels)[:levels]
    total = table.sum(1, keepdims=True)
    return np.divide(table, total, out=np.zeros_like(table), where=total > 0)


def draw_levels(
    ax: Axes, table: Float[Array, "components levels"], levels: Sequence[str], *, grey: bool = False
) -> None:
    """A line for every level and a bar in it for every group, each on a track that stands for 100 %.

    The levels that are commonest somewhere come in their own order; beyond eight the rest are one line.
    """
    shares, names = np.asarray(table, dtype=np.float64), [str(level) for level in levels]
    if len(names) > _LEVELS:
        kept = np.sort(np.argsort(-shares.max(0, initial=0.0), kind="stable")[: _LEVELS - 1])
        rest = np.setdiff1d(np.arange(len(names)), kept)
        shares = np.concatenate([shares[:, kept], shares[:, rest].sum(1, keepdims=True)], axis=1)
        names = [names[j] for j in kept] + [f"{len(rest)} others"]
    groups = max(len(shares), 1)
    step = (1 - _LABELS) / groups
    group, line = (index.ravel() for index in np.indices(shares.shape))
    left, low = _LABELS + group * step, line - 0.3
    axes.boxes(ax, left, low, 0.9 * step, 0.6, [style.FAINT])
    colours = [style.QUIET if grey else style.group_colour(int(k)) for k in group]
    axes.boxes(ax, left, low, 0.9 * step * shares.ravel(), 0.6, colours)
    for at, name in enumerate(names):
        text = style.plain(name, 14)
        ax.text(_LABELS - 0.02, at, text, fontsize=style.SMALL, color=style.INK, ha="right", va="center")
    if not grey and groups <= 12:
        for k in range(groups):
            axes.badge(ax, _LABELS + (k + 0.45) * step, -0.95, k, size=6.0)
    ax.set_xlim(0, 1)
    ax.set_ylim(max(len(names), 1) - 0.5, -0.5 if grey else -1.4)
    ax.spines["bottom"].set_visible(False)
    axes.no_ticks(ax, "x", "y")


def draw_ridges(
    ax: Axes,
    values: Num[Array, "rows"],
    responsibilities: Num[Array, "rows components"],
    *,
    logarithm: bool = False,
    grey: bool = False,
) -> float | None:
    """A small histogram for each group, one above the other on one axis, each as tall as the others.

    Returns:
        The greatest value where a long tail is not shown, else none.
    """
    x, share = np.asarray(values, dtype=np.float64), np.asarray(responsibilities, dtype=np.float64)
    x = np.log10(np.where(x > 0, x, np.nan)) if logarithm else x
    bulk, tail = without_tail(x)
    edges = bin_edges(bulk)
    lone = whole(bulk) and bool(np.allclose(np.diff(edges), 1.0))
    base = np.arange(share.shape[1])[::-1].astype(np.float64)
    for k, floor in enumerate(base):
        colour = style.QUIET if grey else style.group_colour(k)
        bar = heights(bulk, edges, share[:, k])
        bar = 0.82 * bar / (bar.max() or 1.0)
        inset = 0.1 * lone * np.diff(edges)  # bins of one whole number each stand apart
        axes.boxes(ax, edges[:-1] + inset, floor, np.diff(edges) - 2 * inset, bar, [colour])
        if not grey:
            where: dict[str, Any] = {
                "transform": ax.get_yaxis_transform(),
                "fontsize": style.SMALL - 1,
                "fontweight": "bold",
            }
            ax.text(-0.015, floor + 0.02, str(k + 1), color=colour, ha="right", **where)
    ax.hlines(base, float(edges[0]), float(edges[-1]), color=style.RULE, linewidth=style.HAIR, zorder=0)
    ax.set_xlim(float(edges[0]), float(edges[-1]))
    ax.set_ylim(0, max(share.shape[1], 1))
    if whole(values) and not logarithm:
        axes.whole_ticks(ax)
    axes.no_ticks(ax, "y")
    if logarithm:
        log_axis(ax)
    return tail


def without_tail(values: Num[np.ndarray, "rows"]) -> tuple[Num[np.ndarray, "rows"], float | None]:
    """A column without its highest 2 % where these would take more than half of the axis, and its maximum."""
    seen = values[np.isfinite(values)]
    if seen.size < 50:
        return values, None
    low, high = float(seen.min()), float(np.percentile(seen, 98))
    if seen.max() - low <= 2 * (high - low) or high <= low:
        return values, None
    return np.where(values <= high, values, np.nan), float(seen.max())


def draw_marginal(
    ax: Axes,
    values: Num[Array, "rows"],
    name: str,
    kind: str,
    responsibilities: Num[Array, "rows components"] | None,
    levels: Sequence[str] = (),
    curves: Curves | None = None,
) -> None:
    """One column by its kind: curves over a histogram where there are curves, else bars for each group."""
    grey = responsibilities is None
    share = np.ones((len(values), 1)) if responsibilities is None else np.asarray(responsibilities)
    in_logs = in_logarithms(values, kind)
    title = style.plain(name, 28)
    if kind in ("categorical", "binary"):
        named = list(levels) or [str(i) for i in range(_level_count(values))]
        draw_levels(ax, group_table(values, len(named), share), named, grey=grey)
    elif curves is not None:
        draw_column(ax, values, *curves, logarithm=in_logs)
    else:
        tail = draw_ridges(ax, values, share, logarithm=in_logs, grey=grey)
        if tail is not None:
            most = style.short_number(10.0**tail if in_logs else tail)
            title = f"{style.plain(name, 20)} (tail to {most} cut)"
    axes.heading(ax, title, limit=60)


def _level_count(values: Num[Array, "rows"]) -> int:
    x = np.asarray(values, dtype=np.float64)
    return 1 + int(np.max(x, where=np.isfinite(x), initial=0.0))


def marginals(
    values: Num[Array, "rows columns"],
    names: Sequence[str],
    kinds: Sequence[str],
    *,
    responsibilities: Num[Array, "rows components"] | None = None,
    levels: Mapping[int, Sequence[str]] | None = None,
    curves: Mapping[int, Curves] | None = None,
    across: int = 3,
    width: float = 2.3,
) -> Figure:
    """Every column by its kind: densities for continuous ones, bars for each group for the others.

    Args:
        values: The table, NaN where missing, categories as codes 0, 1, ….
        names: The columns' names.
        kinds: "continuous", "positive", "count", "binary" or "categorical" for each.
        responsibilities: Probability of each group for each row; without them all rows are one grey group.
        levels: Names of the levels, by the index of the column.
        curves: Weighted component densities, by the index of the column.
        across: Panels in a line.
        width: Width of a panel, in inches.

    Returns:
        A figure with a panel for each column.
    """
    x = np.asarray(values, dtype=np.float64)
    named, drawn = levels or {}, curves or {}
    groups = 1 if responsibilities is None else int(np.shape(responsibilities)[1])
    lines = [_lines(x[:, j], kind, named.get(j, ()), j in drawn, groups) for j, kind in enumerate(kinds)]
    down = max(1, -(-len(names) // across))
    columns = max(1, min(across, len(names)))
    cell = (width, _LINE * max(lines, default=4))
    bare = all(kind in ("categorical", "binary") for kind in kinds)
    gap, bottom = (0.45, 0.15) if bare else (0.62, 0.3)
    figure, panels = axes.new_panels(down, columns, cell, (0.38, gap), (0.18, 0.15, 0.32, bottom))
    flat = [ax for line in panels for ax in line]
    for j, ax in enumerate(flat):
        if j >= len(names):
            ax.remove()
            continue
        _shorten(ax, lines[j] / max(lines))
        draw_marginal(ax, x[:, j], names[j], kinds[j], responsibilities, named.get(j, ()), drawn.get(j))
    return figure


def _lines(column: Num[np.ndarray, "rows"], kind: str, levels: Sequence[str], curves: bool, groups: int) -> int:
    """Height of a panel, in lines of text."""
    if kind in ("categorical", "binary"):
        return 1 + min(len(levels) or _level_count(column), _LEVELS)
    return 7 if curves else max(3, min(2 * groups, 8), groups)


def _shorten(ax: Axes, part: float) -> None:
    """Keep the upper part of a panel, so that few levels do not make fat bars."""
    box = ax.get_position()
    ax.set_position((box.x0, box.y1 - part * box.height, box.width, part * box.height))
