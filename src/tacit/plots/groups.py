"""How large the groups are."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Num
from matplotlib.figure import Figure

from tacit.compute import Array
from tacit.plots import axes, style


def word_bars(words: Sequence[str], counts: Num[Array, "words"]) -> Figure:
    """How often words stand, the first at the top."""
    figure, [[ax]] = axes.new_panels(1, 1, (3.2, max(0.22 * len(words), 0.4)), margin=(1.6, 0.2, 0.15, 0.45))
    place = np.arange(len(words))[::-1].astype(np.float64)
    axes.boxes(ax, np.zeros(len(words)), place - 0.35, np.asarray(counts, np.float64), 0.7, [style.DATA])
    for word, at in zip(words, place, strict=True):
        axes.line_name(ax, float(at), word, limit=22)
    ax.set_xlim(0, max(float(np.max(counts, initial=0.0)), 1.0))
    ax.set_ylim(-0.6, len(words) - 0.4)
    axes.no_ticks(ax, "y")
    axes.below(ax, "How often")
    return figure


def group_sizes(
    weights: Num[Array, "components"],
    names: Sequence[str] | None = None,
    *,
    rows: int | None = None,
    width: float = 3.0,
) -> Figure:
    """A bar for each group, its share written beside it.

    Args:
        weights: Share of each group; they need not sum to one.
        names: What the groups are called; "Group 1" and so on by default.
        rows: Number of rows, to write how many each share comes to.
        width: Length of the longest bar, in inches.

    Returns:
        A figure with a line for each group.
    """
    share = np.nan_to_num(np.asarray(weights, dtype=np.float64), nan=0.0)
    share = share / share.sum() if share.sum() > 0 else share
    count = max(len(share), 1)
    called = [f"Group {k + 1}" for k in range(len(share))] if names is None else list(names)
    left = 0.25 + 0.078 * min(max((len(str(name)) for name in called), default=0), 20)
    figure, [[ax]] = axes.new_panels(1, 1, (width, 0.27 * count), margin=(left, 1.25, 0.08, 0.08))
    ax.barh(np.arange(len(share)), share, height=0.62, color=[style.group_colour(k) for k in range(len(share))])
    longest = float(share.max(initial=0.0)) or 1.0
    for k, (name, part) in enumerate(zip(called, share, strict=True)):
        words = f"{100 * part:.0f} %" if part >= 0.01 or part == 0 else "under 1 %"
        if rows is not None:
            words += f"  ({style.short_number(round(part * rows), 9)})"
        ax.text(part + 0.02 * longest, k, words, fontsize=style.SMALL, color=style.QUIET, va="center")
        axes.line_name(ax, k, name)
    ax.set_xlim(0, longest)
    ax.set_ylim(count - 0.5, -0.5)
    ax.spines["bottom"].set_visible(False)
    axes.no_ticks(ax, "x", "y")
    return figure
