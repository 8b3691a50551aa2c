"""A network in layers, parents above their children: an arrow's width is its strength, hidden nodes are dashed."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from tacit.plots import style
from tacit.plots.layout import layers

HEIGHT, LETTER, PAD, GAP, LAYER = 0.26, 0.085, 0.16, 0.22, 0.72
"""Inches: of a box, a letter of its label, what surrounds the label, what is between two boxes and two layers."""
SWEEPS = 12
"""Of the ordering within layers."""
WIDEST = 9.0
"""Inches: a layer that is wider is broken into several lines."""


def network_picture(
    names: Sequence[str],
    edges: Sequence[tuple[str, str]],
    *,
    strengths: Mapping[tuple[str, str], float] | None = None,
    hidden: Sequence[str] = (),
    undirected: Sequence[tuple[str, str]] = (),
) -> Figure:
    """The figure.

    Args:
        names: of the nodes.
        edges: parent and child.
        strengths: of arrows, 0 or more; all alike where None.
        hidden: nodes that no row shows.
        undirected: arrows whose direction the data cannot tell; they are drawn without a head.
    """
    widths = {name: PAD * 2 + LETTER * max(2, len(style.plain(name, 18))) for name in names}
    lines = _lines(_ordered(names, edges), widths)
    across = max(sum(widths[n] for n in line) + GAP * (len(line) - 1) for line in lines) + 0.3
    tall = LAYER * (len(lines) - 1) + HEIGHT + 0.4
    figure = Figure((across, tall))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, across)
    axes.set_ylim(0, tall)
    axes.axis("off")
    spots = _spots(lines, widths, across, tall)
    most = max((strengths or {}).values(), default=1.0) or 1.0
    bare = set(undirected)
    for source, target in edges:
        share = 0.35 if strengths is None else np.sqrt(max(0.0, strengths.get((source, target), 0.0)) / most)
        _arrow(axes, spots[source], spots[target], 0.6 + 2.6 * float(share), headed=(source, target) not in bare)
    for name, (x, y) in spots.items():
        box = FancyBboxPatch(
            (x - widths[name] / 2, y - HEIGHT / 2),
            widths[name],
            HEIGHT,
            boxstyle="round,pad=0,rounding_size=0.09",
            facecolor=style.PAPER if name in hidden else style.FAINT,
            edgecolor=style.INK,
            linewidth=style.HAIR,
            linestyle="--" if name in hidden else "-",
            zorder=3,
        )
        axes.add_patch(box)
        axes.text(x, y, style.plain(name, 18), ha="center", va="center", size=style.SMALL, color=style.INK, zorder=4)
    return figure


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], width: float, *, headed: bool) -> None:
    (x0, y0), (x1, y1) = start, end
    arrow = FancyArrowPatch(
        (x0, y0 - HEIGHT / 2),
        (x1, y1 + HEIGHT / 2),
        arrowstyle=f"-|>,head_length={3 + width},head_width={1.5 + width / 2}" if headed else "-",
        connectionstyle=f"arc3,rad={0.0 if y0 - y1 < 1.5 * LAYER else 0.12}",
        linewidth=width,
        color=style.QUIET,
        alpha=0.75,
        shrinkA=0,
        shrinkB=0,
        zorder=2,
    )
    axes.add_patch(arrow)


def _ordered(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The layers, each in the order of the means of its neighbours' places (Sugiyama, Tagawa & Toda 1981)."""
    depth = layers(names, edges)
    below: dict[str, list[int]] = {name: [] for name in names}
    for source, target in edges:
        below[source].append(depth[target])
    targets = {target for _, target in edges}
    # what has no parents stands just above its first child, and not at the top of all
    depth |= {name: min(below[name]) - 1 for name in names if name not in targets and below[name]}
    rows: list[list[str]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for name in names:
        rows[depth[name]].append(name)
    near: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        near[source].append(target)
        near[target].append(source)
    for sweep in range(SWEEPS):
        place = {name: (at + 0.5) / len(row) for row in rows for at, name in enumerate(row)}
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            means = {n: float(np.mean([place[m] for m in near[n]])) if near[n] else place[n] for n in row}
            row.sort(key=means.__getitem__)
            place |= {name: (at + 0.5) / len(row) for at, name in enumerate(row)}
    return rows


def _lines(rows: Sequence[Sequence[str]], widths: Mapping[str, float]) -> list[list[str]]:
    """Layers that are too wide in several lines, their nodes in turn, so that neighbours stay near."""
    found: list[list[str]] = []
    for row in rows:
        wide = sum(widths[name] + GAP for name in row)
        number = max(1, int(np.ceil(wide / WIDEST)))
        found += [list(row[start::number]) for start in range(number)]
    return found


def _spots(
    lines: Sequence[Sequence[str]], widths: Mapping[str, float], across: float, tall: float
) -> dict[str, tuple[float, float]]:
    spots = {}
    for number, line in enumerate(lines):
        total = sum(widths[n] for n in line)
        free = (across - 0.3 - total) / (len(line) + 1)
        x = 0.15 + free
        for name in line:
            spots[name] = (x + widths[name] / 2, tall - 0.2 - HEIGHT / 2 - LAYER * number)
            x += widths[name] + free
    return spots
