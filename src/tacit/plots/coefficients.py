"""Coefficients as dots with whiskers, and what was predicted beside what came."""

from collections.abc import Sequence

import numpy as np
import scipy.special
from jaxtyping import Bool, Float
from matplotlib.figure import Figure

from tacit.compute import Array
from tacit.plots import axes, style

BINS = 10
LEAST = 5
"""Rows of a dot of the reliability diagram, at least."""
MOST_DOTS = 2000


def coefficient_plot(
    names: Sequence[str],
    mean: Float[Array, " coefficients"],
    lower: Float[Array, " coefficients"],
    upper: Float[Array, " coefficients"],
    *,
    says: str = "",
    width: float = 4.6,
) -> Figure:
    """A dot a coefficient, from the top down, with its interval; those that hold 0 are grey.

    Args:
        names: what each belongs to.
        mean: the dots.
        lower: from where the whiskers go.
        upper: to where.
        says: what stands below the axis.
        width: of the panel, in inches.
    """
    count = len(names)
    figure, [[ax]] = axes.new_panels(1, 1, (width, 0.26 * count + 0.15), margin=(2.3, 0.2, 0.1, 0.55 if says else 0.35))
    clear = (np.asarray(lower) > 0) | (np.asarray(upper) < 0)
    place = np.arange(count)[::-1]
    ax.axvline(0.0, color=style.RULE, linewidth=style.HAIR, zorder=1)
    for own, colour in ((True, style.ACCENT), (False, style.DATA)):
        mine = clear == own
        ax.hlines(place[mine], np.asarray(lower)[mine], np.asarray(upper)[mine], color=colour, linewidth=style.LINE)
        ax.plot(np.asarray(mean)[mine], place[mine], "o", color=colour, markersize=4.5)
    ax.set_ylim(-0.6, count - 0.4)
    ax.set_yticks(place, [style.plain(name, 34) for name in names])
    ax.tick_params(axis="y", length=0, labelcolor=style.INK)
    if says:
        axes.below(ax, says, limit=80)
    return figure


def reliability_plot(chances: Float[Array, " rows"], happened: Bool[Array, " rows"], *, says: str = "") -> Figure:
    """How often something came that was given a probability: dots on the diagonal are honest probabilities.

    Rows are cut into equally many a dot; whiskers are 95 % intervals (Wilson 1927).

    Args:
        chances: the probability that each row was given.
        happened: whether it came.
        says: what stands below the axis.
    """
    figure, [[ax]] = axes.new_panels(1, 1, (3.1, 3.1), margin=(0.65, 0.2, 0.35, 0.6))
    ax.plot([0, 1], [0, 1], color=style.RULE, linewidth=style.HAIR, zorder=1)
    order = np.argsort(chances, kind="stable")
    bins = min(BINS, max(1, len(order) // LEAST))
    for part in np.array_split(order, bins):
        said, came, count = float(np.mean(chances[part])), float(np.mean(happened[part])), len(part)
        low, high = wilson(came, count)
        ax.vlines(said, low, high, color=style.ACCENT, linewidth=style.HAIR)
        ax.plot(said, came, "o", color=style.ACCENT, markersize=4.5)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.heading(ax, "How often it came", colour=style.QUIET, limit=40)
    axes.below(ax, says or "The probability that was told", limit=60)
    return figure


def curves_plot(
    curves: Sequence[tuple[Float[Array, " points"], Float[Array, " points"]]],
    names: Sequence[str],
    *,
    across: str,
    up: str,
    diagonal: bool = False,
) -> Figure:
    """Curves in the unit square, a colour each, with their names beside.

    Args:
        curves: to the right and upwards, from 0 to 1.
        names: of the curves.
        across: what is to the right.
        up: what is upwards.
        diagonal: whether chance is the diagonal.
    """
    figure, [[ax]] = axes.new_panels(1, 1, (2.5, 2.5), margin=(0.55, 0.2, 0.35 + 0.17 * len(names), 0.6))
    if diagonal:
        ax.plot([0, 1], [0, 1], color=style.RULE, linewidth=style.HAIR, zorder=1)
    for place, (x, y) in enumerate(curves):
        ax.plot(x, y, color=style.group_colour(place), linewidth=style.LINE, zorder=2)
        above = 1.04 + 0.068 * (len(names) - place)
        colour = style.group_colour(place)
        ax.text(0.0, above, style.plain(names[place], 40), color=colour, fontsize=style.SMALL, transform=ax.transAxes)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.heading(ax, up, colour=style.QUIET, limit=40)
    axes.below(ax, across, limit=60)
    return figure


def wilson(share: float, count: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of a share of so many rows (Wilson 1927)."""
    z = float(scipy.special.ndtri(0.5 + 0.5 * level))
    middle = share + z * z / (2 * count)
    reach = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    whole = 1 + z * z / count
    return float(max(0.0, (middle - reach) / whole)), float(min(1.0, (middle + reach) / whole))


def predicted_plot(
    predicted: Float[Array, " rows"],
    observed: Float[Array, " rows"],
    *,
    ends: tuple[Float[Array, " rows"], Float[Array, " rows"]] | None = None,
    name: str = "",
) -> Figure:
    """What came against what was predicted; rows outside their interval are orange.

    Args:
        predicted: to the right.
        observed: upwards.
        ends: of the interval of each row.
        name: of the target.
    """
    figure, [[ax]] = axes.new_panels(1, 1, (3.6, 3.6), margin=(0.75, 0.2, 0.35, 0.6))
    some = np.arange(len(observed))[:: max(1, len(observed) // MOST_DOTS)]
    said, came = np.asarray(predicted)[some], np.asarray(observed)[some]
    outside = np.zeros(len(some), bool)
    if ends is not None:
        low, high = (np.asarray(end)[some] for end in ends)
        outside = (came < low) | (came > high)
        ax.vlines(said, low, high, color=style.FAINT, linewidth=1.2, zorder=1)
    # the frame is that of what came: an interval may be far wider
    span = axes.span(said, came)
    ax.plot(span, span, color=style.RULE, linewidth=style.HAIR, zorder=2)
    for mine, colour in ((~outside, style.ACCENT), (outside, style.GROUPS[1])):
        ax.scatter(said[mine], came[mine], s=9, color=colour, alpha=0.7, linewidths=0, zorder=3)
    ax.set(xlim=span, ylim=span)
    axes.heading(ax, f"{style.plain(name, 24)}: what came", colour=style.QUIET, limit=40)
    axes.below(ax, "What was predicted", limit=60)
    return figure
