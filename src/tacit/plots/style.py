"""The one look of every picture: colours, sizes, bare axes, short labels.

Light backgrounds, thin rules, no frame. The colours of the groups were chosen so that any two of the first
six differ by at least 17 in CIE Lab, and any two of the eight by at least 13, for normal sight and for red-,
green- and blue-blind sight (simulation of Machado, Oliveira & Fernandes 2009). Beyond eight the colours
repeat, and the number written beside a group tells it apart.
"""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tacit.compute import Array

INK = "#1E252B"
QUIET = "#5A656F"
RULE = "#CDD3D8"
FAINT = "#ECEFF2"
DATA = "#B9C1C8"
PAPER = "#FFFFFF"
GROUPS = ("#1A60AF", "#B35A21", "#26A68F", "#771154", "#88B6E5", "#CDAA37", "#482974", "#914242")
ACCENT = GROUPS[0]

TEXT = 9.5
"""Points; a picture of up to 350 points across stays legible when a phone shrinks it to its own width."""
SMALL = 8.5
HAIR = 0.7
LINE = 1.6


def group_colour(group: int) -> str:
    """The colour of the group with this number, counted from 0."""
    return GROUPS[group % len(GROUPS)]


def ink_on(colour: str) -> str:
    """White or dark ink, whichever has the greater contrast on a colour (WCAG 2 relative luminance)."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    luminance = float(linear @ np.array([0.2126, 0.7152, 0.0722]))
    return PAPER if 1.05 / (luminance + 0.05) > (luminance + 0.05) / 0.065 else INK


def shorten(text: object, limit: int) -> str:
    """A text as one line: control characters and direction marks are spaces, the middle of a long one is "…"."""
    line = "".join(" " if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") else c for c in str(text))
    line = re.sub(r"\s+", " ", line).strip()
    if len(line) > limit:
        tail = (limit - 1) // 3
        line = line[: limit - 1 - tail].rstrip() + "…" + line[len(line) - tail :].lstrip()
    return line


def plain(text: object, limit: int = 26) -> str:
    """A user's text as one short line that matplotlib does not read as mathematics: dollars are escaped."""
    return shorten(text, limit).replace("$", r"\$")


def short_number(value: float, digits: int = 3) -> str:
    """A number for reading: three figures, a thin space between thousands, true minus, no trailing zeros."""
    if not np.isfinite(value):
        return "–" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    size = abs(value)
    if size != 0 and (size >= 1e7 or size < 1e-4):
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        text = f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"
    else:
        decimals = digits if size == 0 else max(0, digits - 1 - int(np.floor(np.log10(size))))
        text = f"{value:,.{decimals}f}".replace(",", "\u202f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "0") else text.replace("-", "−")


def alike(values: Sequence[float], digits: int = 4) -> list[str]:
    """Numbers of one column of a table, with equally many decimals: as many as the largest has room for."""
    single = [short_number(value, digits) for value in values]
    sizes = [abs(value) for value in values if np.isfinite(value) and value != 0]
    if not sizes or max(sizes) > 1000 * min(sizes) or any("e" in text for text in single):
        return single
    room = max(0, digits - 1 - int(np.floor(np.log10(max(sizes)))))
    decimals = min(room, max(len(text.partition(".")[2]) for text in single))
    texts = (f"{value:,.{decimals}f}".replace(",", "\u202f").replace("-", "−") for value in values)
    return [text if np.isfinite(value) else one for text, value, one in zip(texts, values, single, strict=True)]


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
        axis.offsetText.set(fontsize=SMALL, color=QUIET)


def whole_ticks(ax: Axes, ticks: int = 4) -> None:
    """Ticks at whole numbers only, on the horizontal axis."""
    ax.xaxis.set_major_locator(MaxNLocator(ticks, min_n_ticks=1, integer=True))


def no_ticks(ax: Axes, *axes: str) -> None:
    """Take the ticks and their figures off the axes named ("x", "y")."""
    for axis in axes:
        getattr(ax, f"set_{axis}ticks")([])


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


def thin(rows: int, at_most: int) -> np.ndarray:
    """Indices of at most so many rows in a mixed order (no group always lies on top), the same every time."""
    return np.random.default_rng(rows).permutation(rows)[:at_most]
