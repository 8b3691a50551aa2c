"""Topics in pictures: where they lie, how large they are, what documents are made of, how many to take."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Integer, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke

from tacit.compute import Array
from tacit.plots import axes, style
from tacit.plots.progress import after_the_leap

NAMED = 30
"""Topics on a map that are named by their foremost words; of more, only the largest."""
_LEAST_AREA = 0.12
"""Of the largest circle: smaller ones could not be read."""


def topic_map_plot(
    points: Num[Array, "topics 2"],
    sizes: Num[Array, "topics"],
    names: Sequence[str],
    *,
    side: float = 7.6,
) -> Figure:
    """Topics as circles in a plane: near ones use the same words, the area is the share of the corpus.

    Args:
        points: where each lies.
        sizes: the share of each, 0 to 1.
        names: a word or two of each.
        side: width of the panel, in inches.

    Returns:
        A figure with one panel, equal scales on both axes.
    """
    xy, share = np.asarray(points, np.float64), np.maximum(np.asarray(sizes, np.float64), 0.0)
    height = 0.62 * side
    figure, [[ax]] = axes.new_panels(1, 1, (side, height), margin=(0.05, 0.05, 0.05, 0.05))
    wide, high = (max(float(np.ptp(xy[:, axis])), 1e-9) if len(xy) else 1.0 for axis in (0, 1))
    scale = 1.3 * max(wide / side, high / height)  # data units an inch, with room for circles and words at the rim
    largest = float(share.max(initial=0.0)) or 1.0
    reach = 0.048 * scale * side * min(1.0, np.sqrt(14 / max(len(xy), 1)))
    radius = reach * np.sqrt(np.maximum(share / largest, _LEAST_AREA))
    middle = 0.5 * (xy.max(axis=0) + xy.min(axis=0)) if len(xy) else np.zeros(2)
    ax.set_xlim(middle[0] - 0.5 * side * scale, middle[0] + 0.5 * side * scale)
    ax.set_ylim(middle[1] - 0.5 * height * scale, middle[1] + 0.5 * height * scale)
    ax.axhline(0.0, color=style.FAINT, linewidth=style.HAIR, zorder=1)
    ax.axvline(0.0, color=style.FAINT, linewidth=style.HAIR, zorder=1)
    for place in np.argsort(-radius, kind="stable"):
        colour = style.group_colour(int(place))
        look = {"facecolor": colour, "edgecolor": style.PAPER, "linewidth": 1.2, "alpha": 0.85, "zorder": 3}
        ax.add_patch(Circle(tuple(xy[place]), radius[place], **look))
        ax.text(
            float(xy[place, 0]),
            float(xy[place, 1]),
            str(place + 1),
            fontsize=style.SMALL,
            fontweight="bold",
            color=style.ink_on(colour),
            ha="center",
            va="center",
            zorder=5,
        )
    _name(ax, xy, radius, names, np.argsort(-share, kind="stable")[:NAMED], scale)
    axes.no_ticks(ax, "x", "y")
    ax.spines["bottom"].set_visible(False)
    return figure


def _name(
    ax: Axes,
    xy: Float[np.ndarray, "topics 2"],
    radius: Float[np.ndarray, "topics"],
    names: Sequence[str],
    chosen: Integer[np.ndarray, "some"],
    scale: float,
) -> None:
    """Words beside the circles, each above or below, right or left of its own, where the fewest are in the way."""
    letter, line = 0.066 * scale, 0.15 * scale
    taken = [(x - r, x + r, y - r, y + r) for (x, y), r in zip(xy, radius, strict=True)]
    middle = float(xy[:, 0].mean()) if len(xy) else 0.0
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    far = 10.0 * (right - left)
    beyond = [(left - far, left, low, high), (right, right + far, low, high)]
    for place in chosen:
        text = style.shorten(names[place], 30)
        (x, y), r, wide = xy[place], radius[place], letter * len(text)
        gap = 0.25 * line
        boxes = {
            "below": (x - wide / 2, x + wide / 2, y - r - gap - line, y - r - gap),
            "above": (x - wide / 2, x + wide / 2, y + r + gap, y + r + gap + line),
            "right": (x + r + gap, x + r + gap + wide, y - line / 2, y + line / 2),
            "left": (x - r - gap - wide, x - r - gap, y - line / 2, y + line / 2),
        }
        order = ["below", "above", *(("left", "right") if x < middle else ("right", "left"))]
        cost = {side_: sum(_overlap(boxes[side_], other) for other in (*taken, *beyond)) for side_ in order}
        best = min(order, key=lambda side_: cost[side_])
        if cost[best] > 0.35 * wide * line:
            continue  # there is no room: the number in the circle says which line of the table it is
        box = boxes[best]
        taken.append(box)
        said = ax.text(
            0.5 * (box[0] + box[1]),
            0.5 * (box[2] + box[3]),
            style.plain(text, 30),
            fontsize=style.SMALL - 0.5,
            color=style.INK,
            ha="center",
            va="center",
            zorder=6,
        )
        said.set_path_effects([withStroke(linewidth=2.0, foreground=style.PAPER)])


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """The area that two boxes (left, right, bottom, top) have in common."""
    wide = min(one[1], other[1]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[2], other[2])
    return max(wide, 0.0) * max(high, 0.0)


def topic_bars(
    sizes: Num[Array, "topics"],
    names: Sequence[str],
    *,
    shown: Integer[Array, "some"] | None = None,
    width: float = 2.4,
) -> Figure:
    """The share of every topic as bars, the largest first, each with its number and words.

    Args:
        sizes: 0 to 1.
        names: what each is called.
        shown: the topics to draw, from above; all by their sizes if None.
        width: of the panel, in inches.

    Returns:
        A figure with one panel.
    """
    share = np.nan_to_num(np.asarray(sizes, np.float64))
    order = np.argsort(-share, kind="stable") if shown is None else np.asarray(shown)
    count = len(order)
    figure, [[ax]] = axes.new_panels(1, 1, (width, 0.23 * max(count, 1)), margin=(2.45, 0.6, 0.32, 0.12))
    lines = np.arange(count, dtype=np.float64)
    hues = [style.group_colour(int(place)) for place in order]
    if count:
        axes.boxes(ax, np.zeros(count), lines - 0.34, share[order], 0.68, hues)
    for line, place in enumerate(order):
        axes.line_name(ax, line, f"{place + 1} · {names[place]}", limit=34)
        ax.annotate(
            style.short_number(100.0 * share[place], 2) + " %",
            (share[place], line),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=style.SMALL,
            color=style.QUIET,
            va="center",
            annotation_clip=False,
        )
    ax.set_xlim(0.0, max(float(share.max(initial=0.0)), 1e-6))
    ax.set_ylim(max(count, 1) - 0.5, -0.5)
    axes.no_ticks(ax, "x", "y")
    ax.spines["bottom"].set_visible(False)
    axes.heading(ax, "Share of all words", colour=style.QUIET)
    return figure


def document_mixtures(
    shares: Num[Array, "documents topics"], names: Sequence[str], *, width: float = 4.4, least: float = 0.05
) -> Figure:
    """What documents are made of: a bar each, cut into its topics, the greatest first.

    Args:
        shares: of the topics in each document, 0 to 1.
        names: what the documents are called.
        width: of the panel, in inches.
        least: shares below this are one grey end.

    Returns:
        A figure with one panel.
    """
    share = np.nan_to_num(np.asarray(shares, np.float64))
    count = len(share)
    figure, [[ax]] = axes.new_panels(1, 1, (width, 0.26 * max(count, 1)), margin=(2.45, 0.3, 0.32, 0.3))
    for line in range(count):
        order = np.argsort(-share[line], kind="stable")
        kept = order[share[line, order] >= least]
        ends = np.concatenate([[0.0], np.cumsum(share[line, kept])])
        if len(kept):
            hues = [style.group_colour(int(place)) for place in kept]
            axes.boxes(ax, ends[:-1], line - 0.38, share[line, kept] - 0.003, 0.76, hues)
        if ends[-1] < 1.0:
            axes.boxes(ax, np.array([ends[-1]]), line - 0.38, 1.0 - ends[-1], 0.76, [style.FAINT])
        for place, start in zip(kept, ends[:-1], strict=True):
            if share[line, place] >= 0.055:
                colour = style.group_colour(int(place))
                middle = start + 0.5 * share[line, place]
                ax.text(
                    middle,
                    line,
                    str(place + 1),
                    fontsize=style.SMALL - 1,
                    color=style.ink_on(colour),
                    ha="center",
                    va="center",
                )
        axes.line_name(ax, line, names[line], limit=36)
    ax.set_xlim(0.0, 1.0)
    ax.set_ylim(max(count, 1) - 0.5, -0.5)
    axes.no_ticks(ax, "y")
    ax.set_xticks([0.0, 0.5, 1.0], ["0", "50 %", "100 %"])
    axes.heading(ax, "Share of the document's words", colour=style.QUIET, limit=40)
    return figure


def topic_choice(
    numbers: Integer[Array, "candidates"],
    columns: Mapping[str, Num[Array, "candidates"]],
    chosen: int,
    criterion: str,
    *,
    cell: tuple[float, float] = (1.9, 1.5),
) -> Figure:
    """Several criteria against the number of topics, a panel each; the chosen number is marked in all.

    Args:
        numbers: of topics.
        columns: the criteria by name, higher is better; NaN where there is none.
        chosen: the index of the number that was chosen.
        criterion: the name of the one that chose.
        cell: width and height of a panel, in inches.

    Returns:
        A figure with a panel a criterion.
    """
    k = np.asarray(numbers, np.float64)
    shown = {name: np.asarray(values, np.float64) for name, values in columns.items()}
    shown = {name: values for name, values in shown.items() if np.isfinite(values).any()}
    figure, panels = axes.new_panels(1, len(shown), cell, gap=(0.7, 0.4), margin=(0.65, 0.2, 0.32, 0.5))
    for ax, (name, values) in zip(panels[0], shown.items(), strict=True):
        own = name == criterion
        seen = np.isfinite(values)
        colour = style.ACCENT if own else "#9AA5AE"
        ax.plot(k[seen], values[seen], "-o", color=colour, linewidth=style.LINE, markersize=3.5, zorder=3)
        if seen[chosen]:
            ax.plot(k[chosen], values[chosen], "o", markersize=9, color=colour, mec=style.PAPER, zorder=5)
        ax.set_xlim(*axes.span(k, margin=0.06))
        ax.set_ylim(*axes.span(values, margin=0.12))
        axes.whole_ticks(ax)
        axes.heading(ax, _UNITS.get(name, name), colour=style.INK if own else style.QUIET, limit=34)
        axes.below(ax, "Number of topics")
    return figure


_UNITS = {"completion": "Completion, nats a word", "coherence": "Coherence, NPMI", "stability": "Stability, share"}


def figures_over_trace(
    iteration: Num[Array, "steps"],
    curves: Mapping[str, Num[Array, "steps"]],
    *,
    below: str = "Iteration",
    cell: tuple[float, float] = (2.7, 1.6),
) -> Figure:
    """Some figures over the course of a fit, a panel each.

    Args:
        iteration: of each look.
        curves: the figures by what they are called with their unit; NaN where one was not measured.
        below: what the looks are counted in.
        cell: width and height of a panel, in inches.

    Returns:
        A figure with a panel a curve.
    """
    steps = np.asarray(iteration, np.float64)
    figure, panels = axes.new_panels(1, max(len(curves), 1), cell, gap=(0.75, 0.4), margin=(0.75, 0.3, 0.32, 0.5))
    for ax, (name, values) in zip(panels[0], curves.items(), strict=False):
        height = np.asarray(values, np.float64)
        seen = np.isfinite(height) & np.isfinite(steps)
        ax.plot(steps[seen], height[seen], color=style.ACCENT, linewidth=style.LINE, zorder=3)
        if seen.any():
            ax.plot(steps[seen][-1:], height[seen][-1:], "o", markersize=5, color=style.ACCENT, zorder=4)
            ax.annotate(
                style.short_number(float(height[seen][-1]), 3),
                (steps[seen][-1], height[seen][-1]),
                xytext=(0, 7),
                textcoords="offset points",
                fontsize=style.SMALL,
                color=style.ACCENT,
                ha="center",
                annotation_clip=False,
            )
        ax.set_xlim(*axes.span(steps[seen], margin=0.02))
        rising = height[seen] if not seen.any() or height[seen][-1] >= height[seen][0] else -height[seen]
        ax.set_ylim(*axes.span(height[seen][after_the_leap(rising) :], margin=0.15))
        axes.whole_ticks(ax)
        axes.heading(ax, name, colour=style.QUIET, limit=40)
        axes.below(ax, below)
    return figure
