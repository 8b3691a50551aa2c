"""Calibration: what intervals hold against what they claim to."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from tacit.compute import Array
from tacit.plots import axes, style


def coverage_plot(
    levels: Float[Array, "levels"],
    observed: Mapping[str, Float[Array, "levels"]],
    errors: Mapping[str, Float[Array, "levels"]] | None = None,
    *,
    size: tuple[float, float] = (3.0, 3.0),
) -> Figure:
    """Observed share against claimed share, a line for every model; on the diagonal they are equal.

    Args:
        levels: What the intervals claim to hold.
        observed: What they hold, by the name of the model; the first is in colour.
        errors: Standard errors, by the same names; a band of two of them is drawn.
        size: Width and height of the panel, in inches.

    Returns:
        A figure with one panel.
    """
    figure, [[ax]] = axes.new_panels(1, 1, size, margin=(0.55, 0.2, 0.32, 0.5))
    claimed = np.asarray(levels, dtype=np.float64)
    ax.plot([0, 1], [0, 1], color=style.QUIET, linewidth=0.8, zorder=2)
    for place, (name, share) in enumerate(observed.items()):
        colour = style.group_colour(place)
        values = np.asarray(share, dtype=np.float64)
        ax.plot(claimed, values, "o-", color=colour, markersize=3, linewidth=style.LINE, zorder=4, label=name)
        if errors is not None:
            band = 2.0 * np.asarray(errors[name], dtype=np.float64)
            ax.fill_between(claimed, values - band, values + band, color=colour, alpha=0.15, linewidth=0, zorder=3)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1.02)
    if any(observed):
        ax.legend(loc="upper left", fontsize=style.SMALL, frameon=False)
    axes.heading(ax, "Share inside", colour=style.QUIET, limit=40)
    axes.below(ax, "Share that the interval claims")
    return figure
