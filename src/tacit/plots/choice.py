"""Choosing a model: the criterion of every candidate against its number of groups."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Integer, Num
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tacit.compute import Array
from tacit.plots import axes, style

_LABEL_GAP = 11.0
"""Least distance between two labels, in points."""


def candidates(
    components: Integer[Array, "candidates"],
    structures: Sequence[str],
    criterion: Num[Array, "candidates"],
    *,
    at_floor: Bool[Array, "candidates"] | None = None,
    chosen: int | None = None,
    name: str = "BIC",
    what: str = "group",
    size: tuple[float, float] = (3.1, 2.7),
) -> Figure:
    """The criterion against the number of groups, a line for every structure.

    The chosen candidate is a large dot, its structure in colour and the others in grey; candidates that rest
    on their floor are hollow. Where some are far worse than the rest, the frame leaves them out and says so.

    Args:
        components: Number of groups of each candidate.
        structures: Its covariance structure or family ("" where there is only one).
        criterion: Its criterion, higher is better; NaN where the fit failed.
        at_floor: Whether it rests on its floor.
        chosen: The index of the candidate that was chosen.
        name: What the criterion is called.
        what: What is counted, if not groups.
        size: Width and height of the panel, in inches.

    Returns:
        A figure with one panel.
    """
    k, value = np.asarray(components, dtype=np.float64), np.asarray(criterion, dtype=np.float64)
    hollow = np.zeros(len(k), dtype=bool) if at_floor is None else np.asarray(at_floor, dtype=bool)
    kinds = list(dict.fromkeys(structures))
    right = 0.25 + 0.085 * min(max((len(kind) for kind in kinds), default=0), 16)
    low, high, beneath = _window(value)
    notes = _notes(beneath, bool(hollow.any()))
    figure, [[ax]] = axes.new_panels(1, 1, size, margin=(0.75, right, 0.32, 0.68 if notes else 0.5))
    own = structures[chosen] if chosen is not None else None
    ends = []
    for kind in kinds:
        mine = np.flatnonzero([s == kind for s in structures])
        mine = mine[np.argsort(k[mine], kind="stable")]
        colour = style.ACCENT if kind == own else "#9AA5AE" if len(kinds) <= 5 else "#B9C1C8"
        weight = 1.0 if kind == own or len(kinds) <= 5 else 0.6
        _line(ax, k[mine], value[mine], hollow[mine], colour, weight, 4 if kind == own else 3)
        mine = mine[np.isfinite(value[mine])]
        if len(mine):
            ends.append((float(k[mine[-1]]), float(value[mine[-1]]), kind, colour))
    if chosen is not None and np.isfinite(value[chosen]):
        ax.plot(k[chosen], value[chosen], "o", markersize=9, color=style.ACCENT, mec=style.PAPER, zorder=6)
    ax.set_ylim(low, high)
    ax.set_xlim(*axes.span(k, margin=0.03))
    axes.whole_ticks(ax, 9)
    _label_lines(ax, ends, size[1] * 72)
    axes.heading(ax, f"{name} (higher is better)", colour=style.QUIET, limit=40)
    axes.below(ax, f"Number of {what}s")
    figure.text(0.01, 0.01, notes, fontsize=style.SMALL - 1, color=style.QUIET, ha="left", va="bottom")
    return figure


def _line(
    ax: Axes,
    k: Float[np.ndarray, "some"],
    value: Float[np.ndarray, "some"],
    hollow: Bool[np.ndarray, "some"],
    colour: str,
    weight: float,
    height: int,
) -> None:
    line = weight * (style.LINE if height > 3 else 1.0)
    value = np.where(np.isfinite(value), value, np.nan)  # the line has a gap where a candidate has no criterion
    ax.plot(k, value, color=colour, linewidth=line, zorder=height)
    dot: dict[str, Any] = {"color": colour, "zorder": height}
    ax.plot(k[~hollow], value[~hollow], "o", markersize=3.5 * weight, **dot)
    ax.plot(k[hollow], value[hollow], "o", markersize=4.5 * weight, mfc=style.PAPER, mew=weight, **dot)


def _window(value: Float[np.ndarray, "candidates"]) -> tuple[float, float, int]:
    """Limits of the vertical axis, and the number of candidates left beneath them.

    The better half is always seen, with twice its height below it.
    """
    seen = value[np.isfinite(value)]
    beneath = 0
    if seen.size >= 5:
        best, middle = float(seen.max()), float(np.median(seen))
        floor = best - 3.0 * (best - middle)
        if middle < best:
            beneath = int((seen < floor).sum())
            seen = seen[seen >= floor]
    return *axes.span(seen, margin=0.06), beneath


def _notes(beneath: int, hollow: bool) -> str:
    notes = ["hollow: rests on its floor, never chosen"] if hollow else []
    notes += [f"{beneath} much worse {'one' if beneath == 1 else 'ones'} below the frame"] if beneath else []
    return " · ".join(notes)


def _label_lines(ax: Axes, ends: list[tuple[float, float, str, str]], height: float) -> None:
    """Write each structure at the right end of its line, moved apart where they would touch."""
    low, high = ax.get_ylim()
    shown = sorted((e for e in ends if e[2]), key=lambda end: end[1])
    places = [min(max((y - low) / (high - low), 0.0), 1.0) * height for _, y, _, _ in shown]
    gap = min(_LABEL_GAP, height / max(len(places), 1))
    for i in range(1, len(places)):
        places[i] = max(places[i], places[i - 1] + gap)
    for i in range(len(places) - 1, -1, -1):
        ceiling = height if i == len(places) - 1 else places[i + 1] - gap
        places[i] = min(places[i], ceiling)
    for (_, _, kind, colour), place in zip(shown, places, strict=True):
        bold = "bold" if colour == style.ACCENT else "normal"
        ax.annotate(
            style.plain(kind, 16),
            (1, place / height),
            xytext=(6, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=style.SMALL,
            fontweight=bold,
            color=colour if colour == style.ACCENT else style.QUIET,
            va="center",
            annotation_clip=False,
        )
