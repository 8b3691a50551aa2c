"""Rows as points, groups as ellipses: one pair of columns, or all pairs of a few."""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from tacit.compute import Array
from tacit.plots import axes, style
from tacit.plots.density import bin_edges, draw_density, gaussian_curves, heights, log_axis, wants_logarithm

HALF, MOST = 1.177410022515475, 2.145966026289347
"""Radii, in standard deviations, that hold 50 % and 90 % of a Gaussian in the plane: ``√(−2 log(1 − p))``."""

_POINTS = 2000
_COLUMNS = 5
_BARS = 24


def outline(
    mean: Num[Array, "2"], covariance: Num[Array, "2 2"], radius: float
) -> Float[np.ndarray, "2 points"] | None:
    """The ellipse ``(x−μ)ᵀ Σ⁻¹ (x−μ) = radius²``; none where a parameter is not finite.

    The square root is taken of the correlation, so that columns of very different scales stay exact.
    """
    centre, spread = np.asarray(mean, dtype=np.float64), np.asarray(covariance, dtype=np.float64)
    scale = np.sqrt(np.maximum(np.diagonal(spread), 0.0))
    if not (np.isfinite(centre).all() and np.isfinite(spread).all()):
        return None
    unit = np.where(scale > 0, scale, 1.0)
    values, vectors = np.linalg.eigh(spread / unit[:, None] / unit[None, :] + np.diag(1.0 * (scale == 0)))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    turn = np.linspace(0.0, 2 * np.pi, 73)
    return centre[:, None] + radius * scale[:, None] * (root @ np.stack([np.cos(turn), np.sin(turn)]))


def draw_ellipses(
    ax: Axes,
    means: Num[Array, "components 2"],
    covariances: Num[Array, "components 2 2"],
    *,
    numbers: bool = True,
    radii: tuple[float, ...] = (HALF, MOST),
) -> None:
    """The groups' ellipses, each in its colour, with its number at the mean."""
    crowded = len(means) > 12
    for k, (mean, covariance) in enumerate(zip(np.asarray(means), np.asarray(covariances), strict=True)):
        colour = style.group_colour(k)
        for radius in radii[:1] if crowded else radii:
            line = outline(mean, covariance, radius)
            if line is not None:
                # the line gives the limits: to work out those of a patch takes longer than to draw it
                ax.add_artist(Polygon(line.T, facecolor=colour, alpha=0.07, linewidth=0, zorder=2))
                ax.plot(*line, color=colour, linewidth=1.3 if radius == radii[0] else 0.9, zorder=4)
        if numbers and np.isfinite(mean).all():
            axes.badge(ax, float(mean[0]), float(mean[1]), k, size=6.5 if crowded else style.SMALL - 0.5)


def draw_points(
    ax: Axes,
    points: Num[Array, "rows 2"],
    labels: Integer[Array, "rows"] | None = None,
    *,
    size: float = 9.0,
    alpha: float = 0.6,
) -> None:
    """Rows as dots in the colours of their groups; a label below 0, or none, is grey."""
    xy = np.asarray(points, dtype=np.float64)
    seen = np.isfinite(xy).all(1)
    group = np.full(len(xy), -1) if labels is None else np.asarray(labels)
    palette = np.array([style.DATA, *style.GROUPS])
    colours = palette[np.where(group < 0, 0, group % len(style.GROUPS) + 1)]
    if seen.any():
        x, y = xy[seen].T
        ax.scatter(x, y, s=size, c=list(colours[seen]), alpha=alpha, linewidths=0, rasterized=True, zorder=3)


def hard_labels(
    rows: int,
    responsibilities: Num[Array, "rows components"] | None,
    labels: Integer[Array, "rows"] | None,
) -> Integer[np.ndarray, "rows"]:
    """The most probable group of each row, −1 where there is none, or where what is lacking to 1 is more probable."""
    if labels is not None:
        return np.asarray(labels, dtype=np.int64)
    if responsibilities is None or np.shape(responsibilities)[1] == 0:
        return np.full(rows, -1)
    share = np.nan_to_num(np.asarray(responsibilities, dtype=np.float64), nan=-1.0)
    none = np.maximum(1.0 - np.maximum(share, 0.0).sum(1), 0.0)
    return np.where(share.max(1) > none, share.argmax(1), -1)


def frame(values: Num[Array, "rows"]) -> tuple[tuple[float, float], int]:
    """Limits that show the bulk of a column, and how many values they leave out.

    All values, unless a few lie so far off that the middle 99 % would fill less than a sixth of the axis.
    """
    x = np.asarray(values, dtype=np.float64)
    x = x[np.isfinite(x)]
    if x.size < 20:
        return axes.span(x), 0
    low, high = np.percentile(x, [0.5, 99.5])
    if high > low and x.max() - x.min() > 6 * (high - low):
        limits = axes.span(np.array([low, high]), margin=0.3)
        return limits, int(((x < limits[0]) | (x > limits[1])).sum())
    return axes.span(x), 0


def ellipses(
    values: Num[Array, "rows 2"],
    names: Sequence[str],
    *,
    responsibilities: Num[Array, "rows components"] | None = None,
    labels: Integer[Array, "rows"] | None = None,
    means: Num[Array, "components 2"] | None = None,
    covariances: Num[Array, "components 2 2"] | None = None,
    size: tuple[float, float] = (4.2, 3.4),
) -> Figure:
    """One pair of columns: rows as points, each group as the ellipses that hold half and nine tenths of it.

    Without ellipses, columns above 0 that are wide or skewed have logarithmic axes.

    Args:
        values: Two columns, NaN where missing.
        names: Their names.
        responsibilities: Probability of each group for each row; the colour is the most probable one.
        labels: Or the group of each row, −1 for none.
        means: Centre of each group.
        covariances: Covariance of each group.
        size: Width and height of the panel, in inches.

    Returns:
        A figure with one panel.
    """
    xy = np.asarray(values, dtype=np.float64)
    in_logs = [j for j in (0, 1) if means is None and wants_logarithm(xy[:, j])]
    xy = _shown(xy, (0, 1), in_logs)
    outside = max(frame(xy[:, j])[1] for j in (0, 1))
    figure, [[ax]] = axes.new_panels(1, 1, size, margin=(0.55, 0.15, 0.32, 0.68 if outside else 0.5))
    kept = style.thin(len(xy), _POINTS)
    group = hard_labels(len(xy), responsibilities, labels)
    draw_points(ax, xy[kept], group[kept], size=12.0)
    if means is not None and covariances is not None:
        draw_ellipses(ax, means, covariances)
    _frame_both(ax, xy)
    for j in in_logs:
        log_axis(ax, vertical=j == 1)
    axes.heading(ax, names[1], limit=40)
    axes.below(ax, names[0], limit=46)
    _say_outside(figure, outside)
    return figure


def _frame_both(ax: Axes, xy: Num[np.ndarray, "rows 2"]) -> None:
    ax.set_xlim(*frame(xy[:, 0])[0])
    ax.set_ylim(*frame(xy[:, 1])[0])


def _say_outside(figure: Figure, outside: int) -> None:
    if outside:
        word = "value lies" if outside == 1 else "values lie"
        text = f"{style.short_number(outside)} far-off {word} outside the frame"
        figure.text(0.01, 0.005, text, fontsize=style.SMALL - 1, color=style.QUIET, ha="left", va="bottom")


def telling_columns(
    values: Num[Array, "rows columns"], labels: Integer[Array, "rows"], at_most: int = _COLUMNS
) -> list[int]:
    """The columns that differ most between groups (variance between over variance), in their own order."""
    x, group = np.asarray(values, dtype=np.float64), np.asarray(labels)
    if x.shape[1] <= at_most:
        return list(range(x.shape[1]))
    seen = np.isfinite(x)
    filled = np.where(seen, x, 0.0)
    count = np.maximum(seen.sum(0), 1)
    centre = filled.sum(0) / count
    total = (np.where(seen, x - centre, 0.0) ** 2).sum(0)
    between = np.zeros(x.shape[1])
    for k in np.unique(group[group >= 0]):
        mine = seen[group == k].sum(0)
        gap = np.where(mine > 0, filled[group == k].sum(0) / np.maximum(mine, 1) - centre, 0.0)
        between += mine * gap**2
    share = np.divide(between, total, out=np.zeros_like(between), where=total > 0)
    return sorted(np.argsort(-share, kind="stable")[:at_most].tolist())


def pair_plot(
    values: Num[Array, "rows columns"],
    names: Sequence[str],
    *,
    responsibilities: Num[Array, "rows components"] | None = None,
    labels: Integer[Array, "rows"] | None = None,
    weights: Num[Array, "components"] | None = None,
    means: Num[Array, "components columns"] | None = None,
    covariances: Num[Array, "components columns columns"] | None = None,
    logarithms: Sequence[int] | None = None,
    at_most: int = _COLUMNS,
    cell: float = 1.5,
) -> Figure:
    """Every pair of a few columns, with each column's histogram and component densities on the diagonal.

    Above 2000 rows a random 2000 are drawn; above ``at_most`` columns, those that tell the groups apart best.

    Args:
        values: The columns, NaN where missing.
        names: Their names.
        responsibilities: Probability of each group for each row; the colour is the most probable one.
        labels: Or the group of each row, −1 for none.
        weights: Share of each group; equal shares of the labels by default.
        means: Centre of each group, in the coordinates shown.
        covariances: Covariance of each group, in the coordinates shown.
        logarithms: Columns shown as log₁₀; by default, if no means are given, the positive and wide ones.
        at_most: Greatest number of columns.
        cell: Side of a panel, in inches.

    Returns:
        A figure whose lower triangle holds the pairs.
    """
    x = np.asarray(values, dtype=np.float64)
    group = hard_labels(len(x), responsibilities, labels)
    chosen = telling_columns(x, group, at_most)
    if logarithms is None:
        logarithms = [j for j in chosen if means is None and wants_logarithm(x[:, j])]
    x, count = _shown(x, chosen, logarithms), len(chosen)
    centres = None if means is None else np.asarray(means)[:, chosen]
    spreads = None if covariances is None else np.asarray(covariances)[:, chosen][:, :, chosen]
    outside = max(frame(x[:, j])[1] for j in range(count))
    margin = (0.68, 0.4, 0.32, 0.65 if outside else 0.45)
    figure, panels = axes.new_panels(count, count, (cell, cell), (0.14, 0.24), margin)
    kept, shares = style.thin(len(x), _POINTS), _shares(group, weights, centres)
    for row, column in itertools.product(range(count), repeat=2):
        ax, pair = panels[row][column], [column, row]
        if column > row:
            ax.remove()
            continue
        if row == column:
            _diagonal(ax, x[:, row], group, shares, centres, spreads, row)
            axes.heading(ax, names[chosen[row]], limit=34)
        else:
            draw_points(ax, x[kept][:, pair], group[kept], size=6.0)
            if centres is not None and spreads is not None:
                draw_ellipses(ax, centres[:, pair], spreads[:, pair][:, :, pair], numbers=count <= 4)
            _frame_both(ax, x[:, pair])
        _label(ax, row, column, [names[j] for j in chosen], [j in logarithms for j in chosen])
    _say_outside(figure, outside)
    return figure


def _shown(
    x: Float[np.ndarray, "rows columns"], chosen: Sequence[int], logarithms: Sequence[int]
) -> Float[np.ndarray, "rows some"]:
    """The chosen columns, some of them as log₁₀, NaN where there is nothing to show."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shown = np.stack([np.log10(x[:, j]) if j in logarithms else x[:, j] for j in chosen], axis=1)
    return np.where(np.isfinite(shown), shown, np.nan)


def _label(ax: Axes, row: int, column: int, names: Sequence[str], in_logs: Sequence[bool]) -> None:
    """Figures and names on the outer edges only."""
    if in_logs[column]:
        log_axis(ax)
    if in_logs[row] and row != column:
        log_axis(ax, vertical=True)
    if row < len(names) - 1:
        ax.tick_params(labelbottom=False)
    else:
        axes.below(ax, names[column], limit=22)
    if column > 0:
        ax.tick_params(labelleft=False)
    elif row > 0:
        axes.beside(ax, names[row])


def _shares(
    group: Integer[np.ndarray, "rows"],
    weights: Num[Array, "components"] | None,
    means: Num[Array, "components columns"] | None,
) -> Float[np.ndarray, "components"]:
    if weights is not None:
        return np.asarray(weights, dtype=np.float64)
    components = 0 if means is None else len(means)
    counts = np.bincount(group[group >= 0], minlength=components)[:components]
    return counts / max(counts.sum(), 1)


def _diagonal(
    ax: Axes,
    column: Num[np.ndarray, "rows"],
    group: Integer[np.ndarray, "rows"],
    shares: Float[np.ndarray, "components"],
    means: Num[Array, "components columns"] | None,
    covariances: Num[Array, "components columns columns"] | None,
    index: int,
) -> None:
    """A column's histogram under the components' densities, or under an outline for each group."""
    limits = frame(column)[0]
    ax.set_xlim(*limits)
    if means is not None and covariances is not None:
        grid = np.linspace(*limits, 160)
        variances = np.asarray(covariances)[:, index, index]
        curves = gaussian_curves(grid, shares, np.asarray(means)[:, index], variances)
        draw_density(ax, column, grid, curves, at_most=_BARS)
        return
    draw_density(ax, column, at_most=_BARS)
    edges = bin_edges(column, _BARS)
    for k in np.unique(group[group >= 0]):
        bar = heights(column, edges, 1.0 * (group == k)) * float((group == k)[np.isfinite(column)].mean())
        if bar.any():
            ax.stairs(bar, edges, color=style.group_colour(int(k)), linewidth=1.0)
