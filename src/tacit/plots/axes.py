"""Bare axes in the one look of every picture: panels, ticks, headings, boxes, badges."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from numpy.typing import ArrayLike

from tacit.compute import Array
from tacit.plots.style import HAIR, INK, PAPER, QUIET, RULE, SMALL, TEXT, group_colour, ink_on, plain

UNITS = ((1e9, "G"), (1e6, "M"), (1e4, "k"))
"""From how large a figure on it is told in which unit; k is a thousand."""
MOST_FIGURES = 10_000
"""A tick has at most four figures before its unit, or is told as matplotlib does."""


def new_panels(
    rows: int,
    columns: int,
    cell: tuple[float, float],
    gap: tuple[float, float] = (0.35, 0.45),
    margin: tuple[float, float, float, float] = (0.5, 0.12, 0.3, 0.38),
) -> tuple[Figure, list[list[Axes]]]:
    """A figure with a grid of bare panels.

    Args:
        rows: Panels down.
        columns: Panels across.
        cell: Width and height of a panel, in inches.
        gap: Space between panels across and down, in inches.
        margin: Left, right, top and bottom, in inches.

    Returns:
        The figure and its panels, ``panels[row][column]`` from the top left.
    """
    left, right, top, bottom = margin
    width = left + columns * cell[0] + (columns - 1) * gap[0] + right
    height = top + rows * cell[1] + (rows - 1) * gap[1] + bottom
    figure = Figure(figsize=(width, height), facecolor=PAPER)
    panels = []
    for row in range(rows):
        y = height - top - cell[1] - row * (cell[1] + gap[1])
        across = [left + column * (cell[0] + gap[0]) for column in range(columns)]
        boxes = [(x / width, y / height, cell[0] / width, cell[1] / height) for x in across]
        panels.append([figure.add_axes(box) for box in boxes])
    for panel in (panel for line in panels for panel in line):
        tidy(panel)
    return figure, panels


class ShortTicks(ScalarFormatter):
    """Figures of ticks that stay apart: from ten thousand on in thousands (k), millions (M) or billions (G)."""

    _unit, _sign, _decimals = 1.0, "", 0

    def set_locs(self, locs: ArrayLike) -> None:
        """Choose the unit for ticks at these places."""
        super().set_locs(np.asarray(locs, float).tolist())
        places = np.unique(np.asarray(locs, float))
        most = np.abs(places).max(initial=0.0)
        self._unit, self._sign, self._decimals = 1.0, "", 0
        if not UNITS[-1][0] <= most < UNITS[0][0] * 1000.0 or len(places) < 2:
            return
        unit, sign = next(pair for pair in UNITS if most >= pair[0])
        unit = 1000.0 if sign == "k" else unit
        told = places / unit
        decimals = next((d for d in range(4) if np.allclose(told * 10**d, np.round(told * 10**d), 0, 1e-6)), None)
        if decimals is not None and np.abs(told).max() * 10**decimals < MOST_FIGURES:
            self._unit, self._sign, self._decimals = unit, sign, decimals

    def __call__(self, x: float | np.number, pos: int | None = None) -> str:
        """The text of a tick."""
        if not self._sign:
            return str(super().__call__(float(x), pos))
        return "0" if x == 0 else f"{x / self._unit:.{self._decimals}f}{self._sign}".replace("-", "−")

    def get_offset(self) -> str:
        """What is told once for all ticks: nothing where each has its unit."""
        return "" if self._sign else str(super().get_offset())


def tidy(ax: Axes, *, x_ticks: int = 4, y_ticks: int = 4) -> None:
    """Bare axes: no frame but the base line, short ticks, quiet figures."""
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.spines["bottom"].set_color(RULE)
    ax.spines["bottom"].set_linewidth(HAIR)
    ax.set_facecolor("none")
    ax.tick_params(labelsize=SMALL, labelcolor=QUIET, color=RULE, width=HAIR, length=3, pad=2)
    for axis, ticks in ((ax.xaxis, x_ticks), (ax.yaxis, y_ticks)):
        axis.set_major_locator(MaxNLocator(ticks, min_n_ticks=2))
        axis.set_major_formatter(ShortTicks())
        axis.offsetText.set(fontsize=SMALL, color=QUIET)


def whole_ticks(ax: Axes, ticks: int = 4) -> None:
    """Ticks at whole numbers only, on the horizontal axis."""
    ax.xaxis.set_major_locator(MaxNLocator(ticks, min_n_ticks=1, integer=True))


def no_ticks(ax: Axes, *axes: str) -> None:
    """Take the ticks and their figures off the axes named ("x", "y")."""
    for axis in axes:
        ax.set(**{f"{axis}ticks": []})


def heading(ax: Axes, text: object, *, limit: int = 30, colour: str = INK) -> None:
    """A panel's name, above its left edge."""
    ax.annotate(
        plain(text, limit),
        (0, 1),
        xytext=(0, 5),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=TEXT,
        color=colour,
        annotation_clip=False,
    )


def below(ax: Axes, text: object, *, limit: int = 34) -> None:
    """What the horizontal axis shows, under it."""
    ax.set_xlabel(plain(text, limit), fontsize=SMALL, color=QUIET, labelpad=3)


def beside(ax: Axes, text: object, *, limit: int = 22) -> None:
    """What the vertical axis shows, beside it."""
    ax.set_ylabel(plain(text, limit), fontsize=SMALL, color=QUIET, labelpad=5)


def line_name(ax: Axes, line: float, text: object, *, limit: int = 20) -> None:
    """The name of a horizontal bar, left of the panel."""
    ax.annotate(
        plain(text, limit),
        (0, line),
        xycoords=("axes fraction", "data"),
        xytext=(-6, 0),
        textcoords="offset points",
        fontsize=TEXT,
        color=INK,
        ha="right",
        va="center",
        annotation_clip=False,
    )


def boxes(
    ax: Axes,
    left: Array,
    bottom: Array | float,
    width: Array | float,
    height: Array | float,
    colours: Sequence[str],
) -> None:
    """Many bars at once, far quicker than one by one; the arguments are broadcast to the bars."""
    x, y, w, h = np.broadcast_arrays(left, bottom, width, height)
    corners = np.stack([np.stack([x, x + w, x + w, x], -1), np.stack([y, y, y + h, y + h], -1)], -1)
    seen = (w != 0) & (h != 0)
    hues = [colour for colour, there in zip(colours, seen, strict=True) if there] if len(colours) > 1 else colours
    if seen.any():
        ax.add_collection(PolyCollection(list(corners[seen]), facecolors=hues, linewidths=0), autolim=False)


def badge(ax: Axes, x: float, y: float, group: int, *, size: float = SMALL) -> None:
    """The number of a group in a disc of its colour."""
    colour = group_colour(group)
    disc = {"boxstyle": "circle,pad=0.22", "facecolor": colour, "edgecolor": PAPER, "linewidth": HAIR}
    ax.text(
        x,
        y,
        str(group + 1),
        fontsize=size,
        fontweight="bold",
        color=ink_on(colour),
        ha="center",
        va="center",
        bbox=disc,
        zorder=6,
        clip_on=True,
    )


def span(*values: Array | Sequence[float], margin: float = 0.05) -> tuple[float, float]:
    """Limits around the finite values, never empty: a constant gets room on both sides."""
    flat = np.concatenate([np.ravel(np.asarray(value, dtype=np.float64)) for value in values])
    flat = flat[np.isfinite(flat)]
    if flat.size == 0:
        return 0.0, 1.0
    low, high = float(flat.min()), float(flat.max())
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        half = 0.5 * abs(high) if high != 0 else 1.0
        return low - half, high + half
    pad = margin * (high - low)
    return low - pad, high + pad
