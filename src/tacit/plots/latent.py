"""The code of a deep model: where rows lie in it, and how much each of its dimensions is told."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Num, Shaped
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from tacit.compute import Array
from tacit.plots import axes, style
from tacit.plots.scatter import HALF, MOST, frame

LABELS = 24
"""Labels told apart at most, by colour and mark; more are not drawn."""
_MARKS = ("o", "^", "s")


def latent_map(
    points: Num[Array, "rows 2"],
    names: Sequence[str],
    labels: Shaped[np.ndarray, "rows"] | None = None,
    *,
    rings: bool = True,
    side: float = 4.2,
) -> Figure:
    """Rows by two numbers of their code, in the colours of their labels, each label named where its rows are.

    Args:
        points: Two numbers of every row's code.
        names: What the two are called.
        labels: What each row is; more than 24 different ones are not told apart.
        rings: Whether circles hold half and nine tenths of a standard normal prior.
        side: Of the panel, in inches.

    Returns:
        A figure with one panel.
    """
    xy = np.asarray(points, dtype=np.float64)
    figure, [[ax]] = axes.new_panels(1, 1, (side, side), margin=(0.55, 0.15, 0.32, 0.5))
    if rings:
        for radius in (HALF, MOST):
            ax.add_patch(Circle((0.0, 0.0), radius, fill=False, edgecolor=style.QUIET, linewidth=style.HAIR, zorder=4))
    kinds = np.array([]) if labels is None else np.unique(labels)
    if labels is None or not 1 < len(kinds) <= LABELS:
        colour = style.ACCENT
        ax.scatter(xy[:, 0], xy[:, 1], s=9.0, color=colour, alpha=0.5, linewidths=0, rasterized=True, zorder=3)
    else:
        _by_label(ax, xy, np.asarray(labels), kinds)
    limits = [frame(xy[:, j])[0] for j in (0, 1)]
    half = 0.5 * max(high - low for low, high in limits)
    x, y = (0.5 * (low + high) for low, high in limits)
    ax.set_xlim(x - half, x + half)
    ax.set_ylim(y - half, y + half)
    axes.heading(ax, names[1], limit=40)
    axes.below(ax, names[0], limit=46)
    return figure


def _by_label(
    ax: Axes, xy: Float[np.ndarray, "rows 2"], labels: Shaped[np.ndarray, "rows"], kinds: Shaped[np.ndarray, "kinds"]
) -> None:
    """A cloud a label, by colour and then by mark, and its name at the middle."""
    for number, kind in enumerate(kinds):
        mine, colour = xy[labels == kind], style.group_colour(number)
        mark = _MARKS[number // len(style.GROUPS)]
        ax.scatter(
            mine[:, 0],
            mine[:, 1],
            s=11.0,
            marker=mark,
            color=colour,
            alpha=0.6,
            linewidths=0,
            rasterized=True,
            zorder=3,
        )
    for number, kind in enumerate(kinds):
        x, y = np.median(xy[labels == kind], axis=0)
        name = ax.text(
            x,
            y,
            style.plain(kind, 14),
            fontsize=style.TEXT + 1,
            fontweight="bold",
            color=style.group_colour(number),
            ha="center",
            va="center",
            zorder=6,
            clip_on=True,
        )
        name.set_path_effects([withStroke(linewidth=2.5, foreground=style.PAPER)])


def latent_use(
    kl: Num[Array, "dims"], active: Bool[Array, "dims"], names: Sequence[str], *, width: float = 2.6
) -> Figure:
    """What every dimension of the code is told, as bars, the most told first; idle ones are pale.

    Args:
        kl: Nats a row of each dimension.
        active: Which of them are in use.
        names: What they are called.
        width: Of the panel, in inches.

    Returns:
        A figure with one panel.
    """
    nats, used = np.asarray(kl, dtype=np.float64), np.asarray(active, dtype=bool)
    count = len(nats)
    figure, [[ax]] = axes.new_panels(1, 1, (width, 0.23 * count), margin=(0.75, 0.6, 0.32, 0.12))
    lines = np.arange(count, dtype=np.float64)
    hues = [style.ACCENT if one else style.DATA for one in used]
    axes.boxes(ax, np.zeros(count), lines - 0.34, np.maximum(nats, 0.0), 0.68, hues)
    for line, (value, name) in enumerate(zip(nats, names, strict=True)):
        axes.line_name(ax, line, name, limit=10)
        ax.annotate(
            style.short_number(value, 2 if value < 10 else 3),
            (max(value, 0.0), line),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=style.SMALL,
            color=style.QUIET,
            va="center",
            annotation_clip=False,
        )
    ax.set_xlim(0.0, max(float(np.nanmax(nats, initial=0.0)), 1e-6))
    ax.set_ylim(count - 0.5, -0.5)
    axes.no_ticks(ax, "x", "y")
    ax.spines["bottom"].set_visible(False)
    axes.heading(ax, "KL, nats", colour=style.QUIET)
    return figure
