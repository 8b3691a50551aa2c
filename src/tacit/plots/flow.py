"""Densities without groups: contours, white noise carried back, rows drawn beside rows of the data, calibration."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Num
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tacit.compute import Array
from tacit.plots import axes, style
from tacit.plots.density import bin_edges, heights
from tacit.plots.scatter import frame

_POINTS = 1000
_COLUMNS = 4
_SHARES = (0.95, 0.8, 0.5, 0.2)
"""Shares of the mass that the contours hold."""
_HUES = LinearSegmentedColormap.from_list("tacit", [style.PAPER, "#C9DDF2", style.ACCENT])
_BARS = 10


def density_map(
    x: Float[Array, "across"],
    y: Float[Array, "down"],
    log_density: Float[Array, "down across"],
    rows: Num[Array, "rows 2"],
    names: Sequence[str],
    *,
    size: tuple[float, float] = (4.2, 3.4),
) -> Figure:
    """A density of two columns: lines that hold 20, 50, 80 and 95 % of it, over rows.

    Args:
        x, y: Places along both columns, in increasing order.
        log_density: There, in nats.
        rows: Rows, NaN where missing.
        names: The columns' names.
        size: Width and height of the panel, in inches.

    Returns:
        A figure with one panel.
    """
    figure, [[ax]] = axes.new_panels(1, 1, size, margin=(0.68, 0.12, 0.15, 0.45))
    _draw_contours(ax, np.asarray(x), np.asarray(y), np.asarray(log_density))
    _draw_cloud(ax, np.asarray(rows, np.float64), style.QUIET, alpha=0.5)
    ax.set_xlim(float(x[0]), float(x[-1]))
    ax.set_ylim(float(y[0]), float(y[-1]))
    axes.below(ax, names[0])
    axes.beside(ax, names[1])
    return figure


def _draw_contours(ax: Axes, x: np.ndarray, y: np.ndarray, log_density: np.ndarray) -> None:
    """Levels above which these shares of the mass on the grid lie."""
    seen = np.where(np.isfinite(log_density), log_density, -np.inf)
    density = np.exp(seen - seen.max())
    order = np.sort(density.ravel())[::-1]
    mass = np.cumsum(order) / order.sum()
    levels = np.unique([order[min(int(np.searchsorted(mass, share)), order.size - 1)] for share in _SHARES])
    shades = np.concatenate([levels, [1.0 + 1e-9]])
    if levels.size > 1:
        colours = _HUES(np.linspace(0.25, 0.9, levels.size))
        ax.contourf(x, y, density, levels=shades, colors=colours, alpha=0.75, zorder=1)
        ax.contour(x, y, density, levels=levels, colors=[style.ACCENT], linewidths=style.HAIR, zorder=2)


def _draw_cloud(ax: Axes, rows: np.ndarray, colour: str, *, alpha: float = 0.55) -> None:
    seen = rows[np.isfinite(rows).all(1)]
    kept = seen[style.thin(len(seen), _POINTS)]
    ax.scatter(kept[:, 0], kept[:, 1], s=5.0, color=colour, alpha=alpha, linewidths=0, rasterized=True, zorder=3)


def warped_grid(
    lines: Sequence[Float[Array, "_ 2"]],
    rows: Num[Array, "rows 2"],
    names: Sequence[str],
    *,
    size: tuple[float, float] = (4.2, 3.4),
) -> Figure:
    """The map as a picture: a square grid over white noise, carried to where the rows are.

    Args:
        lines: The lines of the grid, as they lie among the rows.
        rows: Rows, NaN where missing.
        names: The columns' names.
        size: Width and height of the panel, in inches.

    Returns:
        A figure with one panel.
    """
    figure, [[ax]] = axes.new_panels(1, 1, size, margin=(0.68, 0.12, 0.15, 0.45))
    cloud = np.asarray(rows, np.float64)
    _draw_cloud(ax, cloud, style.DATA, alpha=0.7)
    ax.add_collection(LineCollection([np.asarray(line) for line in lines], colors=style.ACCENT, linewidths=0.8))
    ax.set_xlim(*frame(cloud[:, 0])[0])
    ax.set_ylim(*frame(cloud[:, 1])[0])
    axes.below(ax, names[0])
    axes.beside(ax, names[1])
    return figure


def rows_beside(
    values: Num[Array, "rows columns"],
    samples: Num[Array, "draws columns"],
    names: Sequence[str],
    *,
    cell: tuple[float, float] = (1.15, 1.05),
) -> Figure:
    """All pairs of the first columns: rows of the data below the diagonal, rows drawn from the model above it.

    Args:
        values: The table, NaN where missing.
        samples: Rows drawn from the model.
        names: The columns' names.
        cell: Width and height of a panel, in inches.

    Returns:
        A figure with a panel for every pair, and on the diagonal both histograms.
    """
    x, y = np.asarray(values, np.float64), np.asarray(samples, np.float64)
    number = min(len(names), _COLUMNS)
    figure, panels = axes.new_panels(number, number, cell, (0.12, 0.12), (0.62, 0.12, 0.3, 0.45))
    limits = [frame(x[:, j] if np.isfinite(x[:, j]).any() else y[:, j])[0] for j in range(number)]
    for row, line in enumerate(panels):
        for column, ax in enumerate(line):
            ax.set_xlim(*limits[column])
            if row == column:
                _draw_both(ax, x[:, row], y[:, row])
            else:
                above = column > row
                _draw_cloud(ax, (y if above else x)[:, [column, row]], style.ACCENT if above else style.QUIET)
                ax.set_ylim(*limits[row])
            ax.tick_params(labelleft=column == 0 and row > 0, labelbottom=row == number - 1)
            ax.locator_params(nbins=3)
            if row == number - 1:
                axes.below(ax, names[column], limit=18)
            if column == 0:
                axes.beside(ax, names[row], limit=16)
    return figure


def _draw_both(ax: Axes, column: np.ndarray, drawn: np.ndarray) -> None:
    """Both histograms: the data filled, the model as a line."""
    edges = bin_edges(column, 24)
    bars, line = heights(column, edges), heights(drawn, edges)
    ax.stairs(bars, edges, fill=True, color=style.DATA, alpha=0.6, linewidth=0)
    ax.stairs(line, edges, color=style.ACCENT, linewidth=1.2)
    ax.set_ylim(0, 1.08 * max(float(bars.max(initial=0.0)), float(line.max(initial=0.0))) or 1.0)
    axes.no_ticks(ax, "y")


def rank_bars(
    ranks: Num[Array, "rows columns"],
    names: Sequence[str],
    *,
    across: int = 3,
    cell: tuple[float, float] = (2.2, 0.95),
) -> Figure:
    """Calibration: where values lie in the model, a tenth of it to a bar; all bars are alike if the model is right.

    Args:
        ranks: Between 0 and 1; NaN where nothing is known.
        names: The columns' names.
        across: Panels in a line.
        cell: Width and height of a panel, in inches.

    Returns:
        A figure with a panel for each column, and a band that holds nineteen of twenty bars of a right model.
    """
    values = np.asarray(ranks, np.float64)
    columns, down = max(1, min(across, len(names))), max(1, -(-len(names) // across))
    figure, panels = axes.new_panels(down, columns, cell, (0.3, 0.62), (0.12, 0.15, 0.32, 0.3))
    for place, ax in enumerate(ax for line in panels for ax in line):
        if place >= len(names):
            ax.remove()
            continue
        own = values[:, place]
        own = own[np.isfinite(own)]
        share = np.histogram(own, bins=_BARS, range=(0.0, 1.0))[0] * _BARS / max(own.size, 1)
        slack = 1.96 * np.sqrt(_BARS * (1 - 1 / _BARS) / max(own.size, 1))
        ax.axhspan(max(1 - slack, 0.0), 1 + slack, color=style.FAINT, zorder=0)
        ax.axhline(1.0, color=style.QUIET, linewidth=style.HAIR, zorder=1)
        ax.stairs(share, np.linspace(0, 1, _BARS + 1), fill=True, color=style.ACCENT, alpha=0.7, linewidth=0, zorder=2)
        ax.set_xlim(0, 1)
        ax.set_ylim(0, max(1.15 * float(share.max(initial=0.0)), 1.1 * (1 + slack)))
        axes.no_ticks(ax, "y")
        axes.heading(ax, names[place], limit=28)
    return figure


def member_scores(
    names: Sequence[str],
    scores: Float[Array, "members"],
    errors: Float[Array, "members"],
    *,
    width: float = 3.4,
) -> Figure:
    """Held-out scores side by side, each with two standard errors to either side; the last is that of their sum.

    Args:
        names: What is scored.
        scores: In nats a row; higher is better.
        errors: Standard errors.
        width: Of the panel, in inches.

    Returns:
        A figure with one panel.
    """
    number = len(names)
    figure, [[ax]] = axes.new_panels(1, 1, (width, 0.32 * number + 0.2), margin=(1.6, 0.2, 0.15, 0.5))
    lines = np.arange(number)
    colours = [*[style.QUIET] * (number - 1), style.ACCENT]
    for line, score, error, colour in zip(lines, np.asarray(scores), np.asarray(errors), colours, strict=True):
        ax.plot([score - 2 * error, score + 2 * error], [line, line], color=colour, linewidth=style.LINE)
        ax.plot([score], [line], "o", color=colour, markersize=5)
        axes.line_name(ax, float(line), names[int(line)], limit=24)
    ax.set_ylim(number - 0.4, -0.6)
    axes.no_ticks(ax, "y")
    axes.below(ax, "Nats a row that was held out; higher is better", limit=60)
    return figure
