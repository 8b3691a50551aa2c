"""The two terms of a bound over the epochs: how well rows come back, and what their codes cost."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tacit.compute import Array
from tacit.plots import axes, style

_APART = 11.0
"""Points between the figures of two lines that end at the same height."""
_FLAT = 3.0
"""How much more than the rest a first leap spans where the rest would look flat beside it."""
_Line = tuple[str, Array, str, Any]
"""A name, heights, a colour, dashes."""


def two_terms(
    epoch: Num[Array, "looks"],
    reconstruction: Num[Array, "looks"],
    kl: Num[Array, "looks"],
    bound: Num[Array, "looks"],
    held_out: Num[Array, "looks"] | None = None,
    *,
    size: tuple[float, float] = (3.1, 1.6),
) -> Figure:
    """Above, the bound and its reconstruction term; below, the KL, which is the difference of the two.

    Args:
        epoch: Of each look.
        reconstruction: ``E log p(x|z)``, in nats a row.
        kl: ``KL(q(z|x) ‖ p(z))``, in nats a row.
        bound: Their difference, on the rows that were learned from.
        held_out: The bound on rows that were held out.
        size: Width and height of the upper panel, in inches.

    Returns:
        A figure with two panels.
    """
    x = np.asarray(epoch, dtype=np.float64)
    figure, [[above], [below]] = axes.new_panels(2, 1, size, gap=(0, 0.55), margin=(0.7, 1.45, 0.32, 0.5))
    lines: list[_Line] = [("reconstruction", reconstruction, style.GROUPS[1], "-"), ("bound", bound, style.ACCENT, "-")]
    if held_out is not None:
        lines.append(("held-out bound", held_out, style.INK, (0, (4, 2))))
    _lines(above, x, lines, None if held_out is None else np.asarray(held_out, dtype=np.float64))
    axes.heading(above, "Bound and reconstruction, nats", limit=46, colour=style.QUIET)
    _lines(below, x, [("KL", kl, style.GROUPS[2], "-")])
    axes.heading(below, "KL, nats", limit=46, colour=style.QUIET)
    axes.below(below, "Epoch")
    return figure


def _lines(
    ax: Axes,
    x: Num[np.ndarray, "looks"],
    lines: Sequence[_Line],
    steered: np.ndarray | None = None,
) -> None:
    """Some lines in one panel, without their first leap where the rest would look flat beside it.

    ``steered``, the last of them, chose the model: an open dot marks its best look, and how far it falls after that
    does not set the frame.
    """
    heights = [np.asarray(line, dtype=np.float64) for _, line, _, _ in lines]
    for (_, _, colour, dashes), height in zip(lines, heights, strict=True):
        mark = "o" if len(x) == 1 else None
        ax.plot(x, height, color=colour, linewidth=style.LINE, linestyle=dashes, marker=mark, markersize=4, zorder=3)
    framed = heights
    if steered is not None and np.isfinite(steered).any():
        best = int(np.nanargmax(steered))
        ax.plot(x[best], steered[best], "o", markersize=5, color=lines[-1][2], mfc=style.PAPER, zorder=4)
        framed = [*heights[:-1], np.where(np.arange(len(x)) > best, np.nan, steered)]
    early = _leap(framed)
    low, high = axes.span(*(height[early:] for height in framed), margin=0.08)
    ax.set_ylim(low, high)
    if early:
        note = "the start lies outside the frame"
        ax.text(0.99, 0.04, note, transform=ax.transAxes, ha="right", fontsize=style.SMALL - 1, color=style.QUIET)
    ax.set_xlim(*axes.span(x, margin=0.02))
    axes.whole_ticks(ax)
    _name_ends(ax, x, heights, [name for name, *_ in lines], [colour for *_, colour, _ in lines])


def _leap(heights: Sequence[np.ndarray]) -> int:
    """How many first looks to leave out: a tenth, where with them the lines span far more than without."""
    looks = len(heights[0])
    early = max(1, looks // 10)
    every, rest = (np.ptp(axes.span(*(height[start:] for height in heights), margin=0.0)) for start in (0, early))
    return early if looks >= 5 and every > _FLAT * rest else 0


def _name_ends(
    ax: Axes, x: Num[np.ndarray, "looks"], heights: list[np.ndarray], names: list[str], colours: list[str]
) -> None:
    """The name and the last value of every line at its right end, moved apart where they would lie on each other."""
    low, high = ax.get_ylim()
    points = ax.bbox.height * 72.0 / ax.figure.dpi / (high - low)
    ends = [(height[np.isfinite(height)][-1:], *rest) for height, *rest in zip(heights, names, colours, strict=True)]
    placed = -np.inf
    for end, name, colour in sorted(((float(e[0]), n, c) for e, n, c in ends if e.size), key=lambda each: each[0]):
        inside = min(max(end, low), high)
        placed = max((inside - low) * points, placed + _APART)
        ax.annotate(
            f"{name} {style.short_number(end, 4)}",
            (float(x[-1]), inside),
            xytext=(6, placed - (inside - low) * points),
            textcoords="offset points",
            fontsize=style.SMALL,
            color=colour,
            va="center",
            annotation_clip=False,
        )
