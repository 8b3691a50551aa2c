"""Scree: eigenvalues beside those of tables of noise."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tacit.compute import Array
from tacit.plots import axes, style


def scree(
    components: Float[Array, "dims"],
    factors: Float[Array, "dims"],
    *,
    components_of_noise: Float[Array, "dims"],
    factors_of_noise: Float[Array, "dims"],
    suggested: tuple[int, int],
    noise: str = "noise",
    cell: tuple[float, float] = (2.9, 2.3),
) -> Figure:
    """Eigenvalues of the correlations and of what the columns share, a panel each, with the line of noise.

    Args:
        components: Eigenvalues of the correlation matrix, in decreasing order.
        factors: Those of the matrix with communalities on its diagonal.
        components_of_noise: The eigenvalues of noise that the first must exceed.
        factors_of_noise: Those that the second must exceed.
        suggested: How many do, from the first on; these dots are large.
        noise: What the line of noise is called.
        cell: Width and height of a panel, in inches.

    Returns:
        A figure with two panels.
    """
    figure, [[left, right]] = axes.new_panels(1, 2, cell, gap=(0.6, 0.4), margin=(0.5, 0.2, 0.32, 0.5))
    _panel(left, np.asarray(components, np.float64), np.asarray(components_of_noise, np.float64), suggested[0], noise)
    axes.heading(left, f"Principal components: {suggested[0]}", colour=style.QUIET, limit=40)
    axes.below(left, "Number of the component")
    _panel(right, np.asarray(factors, np.float64), np.asarray(factors_of_noise, np.float64), suggested[1], noise)
    axes.heading(right, f"Common factors: {suggested[1]}", colour=style.QUIET, limit=40)
    axes.below(right, "Number of the factor")
    return figure


def _panel(ax: Axes, values: np.ndarray, limits: np.ndarray, suggested: int, noise: str) -> None:
    number = np.arange(1, len(values) + 1)
    ax.plot(number, limits, "--", color=style.QUIET, linewidth=1.0, zorder=2, label=style.plain(noise, 40))
    ax.plot(number, values, "-o", color="#9AA5AE", linewidth=1.0, markersize=2.5, zorder=3, label="the table")
    ax.plot(number[:suggested], values[:suggested], "o", color=style.ACCENT, markersize=6, mec=style.PAPER, zorder=4)
    ax.set_xlim(*axes.span(number.astype(float), margin=0.05))
    ax.set_ylim(*axes.span(values, limits, margin=0.08))
    axes.whole_ticks(ax)
    ax.legend(loc="upper right", fontsize=style.SMALL, frameon=False)
