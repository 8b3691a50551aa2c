"""The two terms of a bound over the epochs: how well rows come back, and what their codes cost."""

import numpy as np
from jaxtyping import Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tacit.compute import Array
from tacit.plots import style
from tacit.plots.progress import after_the_leap

_APART = 11.0
"""Points between the figures of two lines that end at the same height."""


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
    figure, [[above], [below]] = style.new_panels(2, 1, size, gap=(0, 0.55), margin=(0.7, 1.15, 0.32, 0.5))
    lines = [("reconstruction", reconstruction, style.GROUPS[1], "-"), ("bound", bound, style.ACCENT, "-")]
    if held_out is not None:
        lines.append(("held-out bound", held_out, style.INK, (0, (4, 2))))
    heights = [np.asarray(line, dtype=np.float64) for _, line, _, _ in lines]
    for (_, _, colour, dashes), height in zip(lines, heights, strict=True):
        above.plot(x, height, color=colour, linewidth=style.LINE, linestyle=dashes, zorder=3)
    settled = [height[after_the_leap(height[np.isfinite(height)]) :] for height in heights]
    above.set_ylim(*style.span(*settled, margin=0.08))
    _name_ends(above, x, heights, [name for name, *_ in lines], [colour for *_, colour, _ in lines])
    style.heading(above, "Bound and reconstruction, nats a row", limit=46, colour=style.QUIET)
    cost = np.asarray(kl, dtype=np.float64)
    below.plot(x, cost, color=style.GROUPS[2], linewidth=style.LINE, zorder=3)
    below.set_ylim(*style.span(np.append(cost[np.isfinite(cost)], 0.0), margin=0.08))
    _name_ends(below, x, [cost], ["KL"], [style.GROUPS[2]])
    style.heading(below, "KL, nats a row", limit=46, colour=style.QUIET)
    for ax in (above, below):
        ax.set_xlim(*style.span(x, margin=0.02))
        style.whole_ticks(ax)
    above.tick_params(labelbottom=False)
    style.below(below, "Epoch")
    return figure


def _name_ends(
    ax: Axes, x: Num[np.ndarray, "looks"], heights: list[np.ndarray], names: list[str], colours: list[str]
) -> None:
    """The name and the last value of every line at its right end, moved apart where they would lie on each other."""
    figure = ax.get_figure()
    low, high = ax.get_ylim()
    points = ax.get_position().height * (figure.get_figheight() if figure is not None else 1.0) * 72.0 / (high - low)
    ends = [(height[np.isfinite(height)][-1:], name, colour) for height, name, colour in zip(heights, names, colours, strict=True)]
    placed = -np.inf
    for end, name, colour in sorted(((float(e[0]), n, c) for e, n, c in ends if e.size), key=lambda each: each[0]):
        at = max((end - low) * points, placed + _APART)
        placed = at
        ax.annotate(
            f"{name} {style.short_number(end, 4)}",
            (float(x[-1]), end),
            xytext=(6, at - (end - low) * points),
            textcoords="offset points",
            fontsize=style.SMALL,
            color=colour,
            va="center",
            annotation_clip=False,
        )
