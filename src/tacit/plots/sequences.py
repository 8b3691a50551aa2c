"""Sequences: which state when, how states follow one another, and what comes next."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch

from tacit.compute import Array
from tacit.plots import axes, style

LEAST = 0.01
"""Arrows of transitions that are less likely are left out."""


def transition_diagram(
    matrix: Float[Array, "states states"], shares: Float[Array, " states"], *, size: float = 3.4
) -> Figure:
    """The states in a ring, as large as their share of the steps, with an arrow for every likely transition.

    Args:
        matrix: ``p(next | now)``, a row a state.
        shares: of the steps.
        size: Width and height in inches.

    Returns:
        A figure; beside a state stands how likely it is followed by itself.
    """
    matrix, shares = np.asarray(matrix, np.float64), np.asarray(shares, np.float64)
    states = len(matrix)
    figure, [[ax]] = axes.new_panels(1, 1, (size, size), margin=(0.05, 0.05, 0.05, 0.05))
    ax.set_axis_off()
    ax.set_aspect("equal")
    angle = np.pi / 2 - 2 * np.pi * np.arange(states) / max(states, 1)
    places = np.stack([np.cos(angle), np.sin(angle)], 1) * (0.0 if states == 1 else 1.0)
    radii = 0.13 + 0.16 * np.sqrt(shares / max(shares.max(), 1e-12))
    for one in range(states):
        for other in range(states):
            if one != other and matrix[one, other] >= LEAST:
                _arrow(ax, places, radii, one, other, float(matrix[one, other]))
    for state, (place, radius) in enumerate(zip(places, radii, strict=True)):
        colour = style.group_colour(state)
        ax.add_patch(Circle(place, radius, color=colour, zorder=4))
        ax.text(place[0], place[1], str(state + 1), ha="center", va="center", color=style.ink_on(colour), zorder=5)
        above = 1.0 if place[1] > -0.2 else -1.0
        ax.text(
            place[0],
            place[1] + above * (radius + 0.14),
            f"stays {matrix[state, state]:.0%}",
            ha="center",
            va="center",
            fontsize=style.SMALL,
            zorder=5,
        )
    ax.set_xlim(-1.75, 1.75)
    ax.set_ylim(-1.6, 1.6)
    return figure


def _arrow(ax: Axes, places: np.ndarray, radii: np.ndarray, one: int, other: int, chance: float) -> None:
    way = places[other] - places[one]
    length = float(np.hypot(*way))
    unit = way / length
    side = np.array([-unit[1], unit[0]])
    begin = places[one] + unit * (radii[one] + 0.02) + side * 0.05
    end = places[other] - unit * (radii[other] + 0.03) + side * 0.05
    ax.add_patch(
        FancyArrowPatch(
            begin,
            end,
            arrowstyle="-|>",
            mutation_scale=8 + 6 * chance,
            linewidth=0.6 + 4.0 * chance,
            color=style.QUIET,
            connectionstyle="arc3,rad=-0.12",
            shrinkA=0,
            shrinkB=0,
            zorder=3,
        )
    )
    middle = begin + 0.5 * (end - begin) + side * (0.06 * length + 0.08)
    ax.text(
        middle[0], middle[1], f"{chance:.0%}", ha="center", va="center", fontsize=style.SMALL, color=style.INK, zorder=6
    )


def state_paths(
    paths: Sequence[Int[np.ndarray, " steps"]],
    probabilities: Sequence[Float[np.ndarray, "steps states"]],
    names: Sequence[str],
    *,
    width: float = 6.4,
    states: int | None = None,
) -> Figure:
    """A line a sequence: the state of every step in its colour, paler where it is less sure.

    Args:
        paths: the states from 0, step by step.
        probabilities: of the states.
        names: of the sequences.
        width: in inches.
        states: how many there are, for the legend.
    """
    number = len(paths)
    figure, [[ax]] = axes.new_panels(1, 1, (width, 0.34 * number + 0.15), margin=(1.0, 0.15, 0.15, 0.45))
    longest = max(len(path) for path in paths)
    picture = np.ones((number, longest, 3))
    for row, (path, shares) in enumerate(zip(paths, probabilities, strict=True)):
        colours = np.array([_rgb(style.group_colour(int(state))) for state in path])
        sure = shares[np.arange(len(path)), path][:, None]
        picture[row, : len(path)] = sure * colours + (1.0 - sure)
    ax.imshow(picture, aspect="auto", interpolation="nearest", extent=(0.5, longest + 0.5, number - 0.5, -0.5))
    for edge in range(1, number):
        ax.axhline(edge - 0.5, color=style.PAPER, linewidth=3.0)
    ax.set_yticks(range(number), [style.plain(name, 14) for name in names])
    ax.tick_params(axis="y", length=0)
    axes.below(ax, "Step")
    return figure


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def fans(
    past: Float[Array, "seen columns"],
    mean: Float[Array, "steps columns"],
    lower: Float[Array, "steps columns"],
    upper: Float[Array, "steps columns"],
    names: Sequence[str],
    level: float,
    *,
    cell: tuple[float, float] = (2.9, 1.7),
) -> Figure:
    """A panel a column: what was seen, what is expected next, and between which ends it lies.

    Args:
        past: the last steps, NaN where missing.
        mean, lower, upper: of the next steps.
        names: of the columns.
        level: probability of the interval.
        cell: Width and height of a panel, in inches.
    """
    across = min(2, len(names))
    down = -(-len(names) // across)
    figure, panels = axes.new_panels(down, across, cell, gap=(0.55, 0.55), margin=(0.6, 0.2, 0.32, 0.5))
    past, steps = np.asarray(past, np.float64), len(mean)
    before, after = np.arange(1 - len(past), 1), np.arange(1, steps + 1)
    for place, ax in enumerate(ax for line in panels for ax in line):
        if place >= len(names):
            ax.set_axis_off()
            continue
        ax.fill_between(after, lower[:, place], upper[:, place], color=style.ACCENT, alpha=0.2, linewidth=0)
        ax.plot(after, mean[:, place], color=style.ACCENT, linewidth=style.LINE)
        ax.plot(before, past[:, place], "-o", color=style.QUIET, markersize=2.0, linewidth=0.8)
        ax.axvline(0.5, color=style.RULE, linewidth=style.HAIR)
        seen = past[:, place][np.isfinite(past[:, place])]
        ax.set_ylim(*axes.span(seen, np.asarray(lower)[:, place], np.asarray(upper)[:, place], margin=0.08))
        axes.heading(ax, style.plain(names[place]), colour=style.QUIET, limit=40)
        axes.below(ax, f"Steps from the last row; band {level:.0%}")
    return figure
