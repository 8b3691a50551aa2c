"""How a fit went: the bound over the iterations, and the groups taking shape."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Num
from matplotlib.figure import Figure

from tacit.compute import Array
from tacit.plots import axes, style
from tacit.plots.scatter import draw_ellipses, draw_points, frame

Progress = tuple[Num[Array, "components"], Num[Array, "components 2"], Num[Array, "components 2 2"]]
"""Weights, means and covariances of the groups at one iteration, in two columns."""

_POINTS = 1000


def moment_name(iteration: int, last: int) -> str:
    """What a snapshot is called: the start, after so many steps, or the end."""
    if iteration == 0:
        return "The start"
    steps = "1 step" if iteration == 1 else f"{iteration} steps"
    return f"The end, {steps}" if iteration == last else f"After {steps}"


def evolution(
    values: Num[Array, "rows 2"],
    snapshots: Mapping[int, Progress],
    names: Sequence[str] = ("", ""),
    *,
    across: int = 5,
    cell: tuple[float, float] = (1.65, 1.55),
    last: int | None = None,
) -> Figure:
    """A strip of small pictures: the groups' ellipses at the start, on the way, and at the end.

    Args:
        values: Two columns, NaN where missing.
        snapshots: Weights, means and covariances in these two columns, by iteration.
        names: The columns' names.
        across: Greatest number of panels in a line.
        cell: Width and height of a panel, in inches.
        last: The iteration at which the fit ended; by default the last snapshot.

    Returns:
        A figure with a panel per snapshot, in the order of the iterations.
    """
    xy = np.asarray(values, dtype=np.float64)
    moments = sorted(snapshots)
    lines = max(1, -(-len(moments) // across))
    columns = max(1, -(-len(moments) // lines))
    figure, panels = axes.new_panels(lines, columns, cell, (0.14, 0.5), (0.65, 0.1, 0.3, 0.45))
    flat = [ax for line in panels for ax in line]
    kept = style.thin(len(xy), _POINTS)
    (x_limits, _), (y_limits, _) = frame(xy[:, 0]), frame(xy[:, 1])
    end = moments[-1] if last is None and moments else last
    for ax, iteration in zip(flat, moments, strict=False):
        _, means, covariances = snapshots[iteration]
        draw_points(ax, xy[kept], size=5.0, alpha=0.8)
        draw_ellipses(ax, means, covariances)
        ax.set_xlim(*x_limits)
        ax.set_ylim(*y_limits)
        axes.heading(ax, moment_name(iteration, int(end or 0)))
        axes.below(ax, names[0], limit=24)
    for ax in flat[len(moments) :]:
        ax.remove()
    for line in panels:
        axes.beside(line[0], names[1], limit=24)
        for ax in line[1:]:
            ax.tick_params(labelleft=False)
    return figure


def after_the_leap(height: Num[np.ndarray, "steps"]) -> int:
    """How many first steps to leave out, because they leap so far that the rest would look flat."""
    early = max(1, len(height) // 20)
    if len(height) < 5:
        return 0
    rest = float(height[-1] - height[early])
    return early if rest > 0 and float(height[-1] - height[0]) > 8 * rest else 0


def bound_trace(
    iteration: Num[Array, "steps"],
    bound: Num[Array, "steps"],
    *,
    marks: Sequence[int] = (),
    unit: str = "nats",
    size: tuple[float, float] = (3.4, 1.7),
) -> Figure:
    """How the bound rose; a line that ever falls shows that something is wrong.

    Args:
        iteration: Number of each step.
        bound: The bound after it, in ``unit``; steps where it is not finite are left out.
        marks: Iterations shown as open dots, such as those of :func:`evolution`.
        unit: What the bound is counted in.
        size: Width and height of the panel, in inches.

    Returns:
        A figure with one panel.
    """
    steps, height = np.asarray(iteration, dtype=np.float64), np.asarray(bound, dtype=np.float64)
    seen = np.isfinite(steps) & np.isfinite(height)
    steps, height = steps[seen], height[seen]
    figure, [[ax]] = axes.new_panels(1, 1, size, margin=(0.75, 0.5, 0.32, 0.5))
    ax.plot(steps, height, color=style.ACCENT, linewidth=style.LINE, zorder=3)
    dots = np.isin(steps, np.asarray(marks)) if len(marks) else np.zeros(len(steps), bool)
    ax.plot(steps[dots], height[dots], "o", markersize=5, color=style.ACCENT, mfc=style.PAPER, zorder=4)
    if len(steps):
        ax.plot(steps[-1:], height[-1:], "o", markersize=5, color=style.ACCENT, zorder=5)
        ax.annotate(
            style.short_number(float(height[-1]), 5),
            (steps[-1], height[-1]),
            xytext=(0, 7),
            textcoords="offset points",
            fontsize=style.SMALL,
            color=style.ACCENT,
            ha="center",
            annotation_clip=False,
        )
    ax.set_xlim(*axes.span(steps, margin=0.02))
    later = after_the_leap(height)
    ax.set_ylim(*axes.span(height[later:], margin=0.12))
    if later:
        words = "1 step lies" if later == 1 else f"{later} steps lie"
        note = f"the first {words} below the frame"
        ax.text(0.99, 0.04, note, transform=ax.transAxes, ha="right", fontsize=style.SMALL - 1, color=style.QUIET)
    axes.whole_ticks(ax)
    ax.yaxis.set_major_formatter(lambda value, _: style.short_number(value, 6))  # no power of ten over the heading
    axes.heading(ax, f"Bound ({unit})", colour=style.QUIET)
    axes.below(ax, "Iteration")
    return figure
