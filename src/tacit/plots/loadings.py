"""Scores of rows on factors, with arrows for the columns; and loadings as a heat map."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from tacit.plots import axes, style
from tacit.plots.style import thin

WHISKERS = 40
"""Rows whose uncertainty is drawn."""
NEGATIVE = "#d62728"
"""The colour of loadings below 0."""
ARROWS = 8
"""Columns that are drawn as arrows, those that load most."""


def factor_scores(
    scores: Float[np.ndarray, "rows factors"],
    deviations: Float[np.ndarray, "rows factors"],
    loadings: Float[np.ndarray, "columns factors"],
    names: Sequence[str],
) -> Figure:
    """Rows on the first two factors (of one, how often each score occurs), and columns as arrows.

    Args:
        scores, deviations: of rows, NaN or infinite where they are not known.
        loadings: standardised.
        names: of the columns.
    """
    if scores.shape[1] < 2:
        figure, [[ax]] = axes.new_panels(1, 1, (4.6, 2.2), margin=(0.4, 0.2, 0.1, 0.55))
        ax.hist(scores[:, 0][np.isfinite(scores[:, 0])], bins=30, color=style.DATA)
        axes.below(ax, "Score on the factor", limit=60)
        return figure
    figure, [[ax]] = axes.new_panels(1, 1, (4.6, 4.2), margin=(0.55, 0.3, 0.3, 0.55))
    x, y = scores[:, 0], scores[:, 1]
    unsure = np.flatnonzero(np.isfinite(deviations[:, :2]).all(1) & (deviations[:, :2] > 0).any(1))
    for row in unsure[thin(len(unsure), WHISKERS)] if len(unsure) > WHISKERS else unsure:
        wide, high = 2.0 * deviations[row, 0], 2.0 * deviations[row, 1]
        ax.plot([x[row] - wide, x[row] + wide], [y[row], y[row]], color=style.RULE, linewidth=style.HAIR, zorder=1)
        ax.plot([x[row], x[row]], [y[row] - high, y[row] + high], color=style.RULE, linewidth=style.HAIR, zorder=1)
    ax.plot(x, y, "o", color=style.DATA, markersize=2.5, alpha=0.6, zorder=2)
    reach = float(np.nanmax(np.abs(scores[:, :2]), initial=1.0))
    lengths = np.hypot(loadings[:, 0], loadings[:, 1])
    scale = 0.9 * reach / max(float(lengths.max()), 1e-12)
    for place in np.argsort(-lengths, kind="stable")[:ARROWS]:
        right, up = (float(each) for each in loadings[place, :2] * scale)
        ax.annotate("", (right, up), (0.0, 0.0), arrowprops={"arrowstyle": "->", "color": style.ACCENT}, zorder=3)
        ax.annotate(
            style.plain(names[place], 18),
            (1.06 * right, 1.06 * up),
            color=style.ACCENT,
            fontsize=7,
            ha="left" if right >= 0 else "right",
            va="center",
            zorder=4,
        )
    ax.margins(0.15)
    axes.heading(ax, "Score on factor 2", colour=style.QUIET, limit=40)
    axes.below(ax, "Score on factor 1", limit=60)
    return figure


def loading_map(loadings: Float[np.ndarray, "columns factors"], names: Sequence[str]) -> Figure:
    """Loadings as a heat map: blue above 0, red below.

    Args:
        loadings: standardised, columns in the order in which they are drawn, from the top.
        names: of the columns.
    """
    count, factors = loadings.shape
    figure, [[ax]] = axes.new_panels(1, 1, (0.55 * factors + 0.2, 0.24 * count + 0.1), margin=(2.0, 0.2, 0.15, 0.45))
    ax.imshow(loadings, cmap="RdBu", vmin=-1.0, vmax=1.0, aspect="auto")
    ax.set_yticks(np.arange(count), [style.plain(name, 30) for name in names])
    ax.set_xticks(np.arange(factors), [str(place + 1) for place in range(factors)])
    for row, column in np.ndindex(count, factors):
        value = loadings[row, column]
        ink = "white" if abs(value) > 0.6 else style.INK
        ax.text(column, row, style.two_decimals(float(value)), ha="center", va="center", fontsize=7, color=ink)
    axes.below(ax, "Factor", limit=20)
    return figure


SHOWN_PATHS = 0.3
"""The loading from which on a path is drawn; a convention."""


def path_diagram(
    loadings: Float[np.ndarray, "columns factors"],
    names: Sequence[str],
    correlations: Float[np.ndarray, "factors factors"] | None = None,
) -> Figure:
    """Factors as circles, columns as boxes, and a path for every loading of 0.3 or more: blue above 0, red below.

    Args:
        loadings: standardised, columns in the order in which they are drawn, from the top.
        names: of the columns.
        correlations: of the factors; those of 0.1 or more are written on an arc between them.
    """
    count, factors = loadings.shape
    high = max(count, 2 * factors)
    figure, [[ax]] = axes.new_panels(1, 1, (4.8, 0.26 * high + 0.3), margin=(0.3, 0.2, 0.1, 0.1))
    rows = (np.arange(count)[::-1] + 0.5) * high / count
    middles = (np.arange(factors)[::-1] + 0.5) * high / factors
    for column, factor in np.ndindex(count, factors):
        value = float(loadings[column, factor])
        if abs(value) >= SHOWN_PATHS:
            colour = style.ACCENT if value > 0 else NEGATIVE
            ends = {"arrowstyle": "->", "color": colour, "linewidth": 0.4 + 2.0 * abs(value), "alpha": 0.8}
            ax.annotate("", (1.0, rows[column]), (0.12, middles[factor]), arrowprops=ends)
    for column, name in enumerate(names):
        box = {"boxstyle": "square,pad=0.25", "facecolor": "white", "edgecolor": style.RULE}
        ax.text(1.02, rows[column], style.plain(name, 26), fontsize=7, va="center", color=style.INK, bbox=box)
    for factor in range(factors):
        circle = {"boxstyle": "circle,pad=0.35", "facecolor": "white", "edgecolor": style.INK}
        ax.text(0.05, middles[factor], str(factor + 1), fontsize=8, ha="center", va="center", bbox=circle)
    for one, other in zip(*np.triu_indices(factors, 1), strict=True):
        related = 0.0 if correlations is None else float(correlations[one, other])
        if abs(related) >= 0.1:
            bend = {"arrowstyle": "<->", "color": style.RULE, "connectionstyle": "arc3,rad=0.45"}
            ax.annotate("", (0.0, middles[other]), (0.0, middles[one]), arrowprops=bend)
            height = 0.5 * (middles[one] + middles[other])
            ax.text(-0.16, height, style.two_decimals(related), fontsize=6, ha="center", va="center", color=style.QUIET)
    ax.set(xlim=(-0.3, 1.6), ylim=(0.0, high))
    ax.axis("off")
    return figure
