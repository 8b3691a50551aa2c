"""One column: its histogram, the mixture's density and the components it is made of."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from tacit.compute import Array
from tacit.plots import axes, style

_WIDE, _SKEWED_WIDE, _SKEWED = 30.0, 5.0, 1.5
"""Factors between the largest value and the least, and a skewness, that make a logarithmic axis."""
_CLOSE = 2.5
"""A spike may rise to so many times the histogram before it is cut."""


def gaussian_curves(
    grid: Num[Array, "points"],
    weights: Num[Array, "components"],
    means: Num[Array, "components"],
    variances: Num[Array, "components"],
) -> Float[Array, "components points"]:
    """``π_k N(x; μ_k, σ²_k)`` on a grid; a variance of 0 or NaN gives a curve of zeros."""
    scale = np.sqrt(np.where(np.asarray(variances) > 0, variances, np.nan))[:, None]
    z = (np.asarray(grid)[None, :] - np.asarray(means)[:, None]) / scale
    curves = np.asarray(weights)[:, None] * np.exp(-0.5 * z**2) / (scale * np.sqrt(2 * np.pi))
    return np.nan_to_num(curves, nan=0.0, posinf=0.0)


def bin_edges(values: Num[Array, "rows"], at_most: int = 50) -> Float[Array, "edges"]:
    """Edges of a histogram: one bin per whole number if there are few, else as many as the rules of
    Freedman & Diaconis (1981) and √N ask for, at least 8."""
    x = np.asarray(values, dtype=np.float64)
    x = x[np.isfinite(x)]
    low, high = axes.span(x, margin=0.0)
    if whole(x) and np.unique(x).size > 1 and 1 <= high - low <= 40:
        return np.arange(low - 0.5, high + 1.0)
    if x.size < 2:
        return np.linspace(low, high, 9)
    width = 2 * float(np.subtract(*np.percentile(x, [75, 25]))) / x.size ** (1 / 3)
    bins = max((high - low) / width if width > 0 else 0.0, x.size**0.5)
    return np.linspace(low, high, int(np.clip(bins, 8, at_most)) + 1)


def heights(
    values: Num[Array, "rows"], edges: Num[Array, "edges"], weights: Num[Array, "rows"] | None = None
) -> Float[Array, "bins"]:
    """The histogram as a density over the rows that have the value; zeros where there are none."""
    x = np.asarray(values, dtype=np.float64)
    seen = np.isfinite(x)
    mass = None if weights is None else np.asarray(weights, dtype=np.float64)[seen]
    bins = len(edges) - 1
    place = np.searchsorted(edges, x[seen], side="right") - 1
    place = np.where(x[seen] == edges[-1], bins - 1, place)  # the last bin holds its upper edge
    held = (place >= 0) & (place < bins)
    counts = np.bincount(place[held], None if mass is None else mass[held], minlength=bins)
    total = float(seen.sum() if mass is None else mass.sum())
    return counts / (max(total, 1e-300) * np.diff(edges)) if total > 0 else np.zeros(len(edges) - 1)


def whole(values: Num[Array, "rows"]) -> bool:
    """Whether every value there is is a whole number."""
    x = np.asarray(values, dtype=np.float64)
    x = x[np.isfinite(x)]
    return x.size > 0 and bool(np.all(x == np.round(x)))


def wants_logarithm(values: Num[Array, "rows"]) -> bool:
    """Whether a column is read better on a logarithmic axis.

    It is where all values are above 0, and it is wide (the largest is 30 times the least), or skewed as its logarithms
    are not.
    """
    x = np.asarray(values, dtype=np.float64)
    x = x[np.isfinite(x)]
    if x.size < 2 or not x.min() > 0:
        return False
    if x.max() / x.min() > _WIDE:
        return True
    return bool(x.max() / x.min() > _SKEWED_WIDE and _skewness(x) > _SKEWED > 2 * abs(_skewness(np.log(x))))


def _skewness(x: Float[np.ndarray, "rows"]) -> float:
    """The third standardised moment; 0 where all values are alike."""
    away = x - x.mean()
    scale = away.std()
    return float(np.mean((away / scale) ** 3)) if scale > 0 else 0.0


def in_logarithms(values: Num[Array, "rows"], kind: str) -> bool:
    """Whether a column of a kind is drawn on a logarithmic axis by itself."""
    return kind in ("positive", "continuous", "count") and wants_logarithm(values)


def draw_density(
    ax: Axes,
    values: Num[Array, "rows"],
    grid: Num[Array, "points"] | None = None,
    curves: Num[Array, "components points"] | None = None,
    *,
    groups: Sequence[int] | None = None,
    total: bool = True,
    numbers: bool = False,
    at_most: int = 50,
) -> None:
    """Histogram in grey, each component in the colour of its group, their sum in dark ink.

    Args:
        ax: Where to draw.
        values: The column, NaN where missing.
        grid: Points in increasing order.
        curves: Weighted component densities ``π_k p_k`` at the grid.
        groups: The number of each curve's group; 0, 1, … by default.
        total: Whether the sum of the curves is drawn too.
        numbers: Whether each curve's group is written at its peak.
        at_most: Greatest number of bars.
    """
    edges = bin_edges(values, at_most)
    bars = heights(values, edges)
    if whole(values):
        axes.whole_ticks(ax)
    if np.any(bars > 0):
        ax.stairs(bars, edges, fill=True, color=style.DATA, alpha=0.55, linewidth=0)
    top = float(bars.max(initial=0.0))
    if grid is not None and curves is not None and len(grid) > 1:
        shown = np.nan_to_num(np.asarray(curves, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        if total and len(shown) > 1:
            ax.plot(grid, shown.sum(0), color=style.INK, linewidth=1.0)
        for number, curve in zip(groups or range(len(shown)), shown, strict=True):
            ax.plot(grid, curve, color=style.group_colour(number), linewidth=style.LINE)
        if numbers and len(shown) > 1:
            _number_peaks(ax, np.asarray(grid), shown, groups or range(len(shown)))
        peak = float(shown.sum(0).max(initial=0.0))
        top = max(top, min(peak, _CLOSE * top) if top > 0 else peak)
    ax.set_ylim(0, 1.08 * top if top > 0 else 1.0)
    axes.no_ticks(ax, "y")


def _number_peaks(
    ax: Axes,
    grid: Num[np.ndarray, "points"],
    curves: Num[np.ndarray, "components points"],
    groups: Sequence[int],
) -> None:
    for number, curve in zip(groups, curves, strict=True):
        if len(curves) <= 12 and curve.max() > 0:
            top = int(curve.argmax())
            axes.badge(ax, float(grid[top]), float(curve[top]), number, size=6.5)


def log_axis(ax: Axes, *, vertical: bool = False) -> None:
    """Figures in plain numbers beside an axis that holds log₁₀ of the column."""
    axis, (low, high) = (ax.yaxis, ax.get_ylim()) if vertical else (ax.xaxis, ax.get_xlim())
    decades = np.arange(np.floor(low), np.ceil(high) + 1)
    step = max(1, int(np.ceil(len(decades) / 5)))
    ticks = [d for d in decades[::step] if low <= d <= high]
    if len(ticks) < 2:  # less than two decades: 1, 2, 5, 10, 20, …
        ticks = [d + part for d in decades for part in np.log10([1.0, 2.0, 5.0]) if low <= d + part <= high]
    axis.set_ticks(ticks)
    axis.set_major_formatter(FuncFormatter(lambda tick, _: style.short_number(10.0**tick)))


def density_plot(
    values: Num[Array, "rows"],
    name: str = "",
    grid: Num[Array, "points"] | None = None,
    curves: Num[Array, "components points"] | None = None,
    *,
    logarithm: bool | None = None,
    size: tuple[float, float] = (4.2, 2.2),
) -> Figure:
    """One column as a picture: histogram, mixture density and its components.

    Args:
        values: The column in the user's units, NaN where missing.
        name: What it is called.
        grid: Points in increasing order, in the user's units.
        curves: Weighted component densities ``π_k p_k(x)`` at the grid, per unit of the column.
        logarithm: Whether the axis is logarithmic; by default where the column is positive and wide.
        size: Width and height of the panel, in inches.

    Returns:
        A figure with one panel.
    """
    figure, [[ax]] = axes.new_panels(1, 1, size, margin=(0.15, 0.15, 0.12, 0.5))
    draw_column(ax, values, grid, curves, logarithm=logarithm)
    axes.below(ax, name, limit=48)
    return figure


def draw_column(
    ax: Axes,
    values: Num[Array, "rows"],
    grid: Num[Array, "points"] | None = None,
    curves: Num[Array, "components points"] | None = None,
    *,
    logarithm: bool | None = None,
) -> None:
    """Draw one column on a linear or a logarithmic axis; on the latter, ``p(log₁₀ x) = x ln 10 · p(x)``."""
    x = np.asarray(values, dtype=np.float64)
    in_logs = wants_logarithm(x) if logarithm is None else logarithm
    if in_logs:
        positive = np.where(x > 0, x, np.nan)
        if grid is not None and curves is not None:
            g = np.asarray(grid, dtype=np.float64)
            keep = g > 0
            grid, curves = np.log10(g[keep]), np.asarray(curves)[:, keep] * g[keep] * np.log(10.0)
        draw_density(ax, np.log10(positive), grid, curves, numbers=True)
        ax.set_xlim(*axes.span(np.log10(positive)))
        log_axis(ax)
    else:
        draw_density(ax, x, grid, curves, numbers=True)
        ax.set_xlim(*axes.span(x))
