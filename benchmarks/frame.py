"""What a benchmark says, how it takes turns with its peer, and how a line of it looks."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Row:
    """One figure, ours and the peer's from the same run.

    Attributes:
        what: what was measured.
        unit: of the figures.
        ours: one figure a round.
        peer: the peer's, round for round; empty if there is none.
        peer_name: who that is.
        ratios: peer over ours within each round, so that above 1 ours is the smaller; empty where it says nothing.
        asked: what was asked for, in words.
        met: whether it was met; None where nothing was asked.
        note: what a reader has to know.
    """

    what: str
    unit: str
    ours: tuple[float, ...]
    peer: tuple[float, ...] = ()
    peer_name: str = ""
    ratios: tuple[float, ...] = ()
    asked: str = ""
    met: bool | None = None
    note: str = ""


PAUSE = 0.2
"""Seconds before every turn: threads that wait for work by spinning must not do so in the other side's time."""


def in_turn(
    ours: Callable[[], float], peer: Callable[[], float], rounds: int, seconds: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Call ours, peer, ours, peer …; end after ``rounds``, or before a round that would overrun ``seconds``."""
    mine: list[float] = []
    theirs: list[float] = []
    began = time.perf_counter()
    while len(mine) < rounds:
        for turns, call in ((mine, ours), (theirs, peer)):
            time.sleep(PAUSE)
            turns.append(float(call()))
        spent = time.perf_counter() - began
        if spent * (len(mine) + 1) / len(mine) > seconds:
            break
    return tuple(mine), tuple(theirs)


def timed(
    what: str,
    unit: str,
    turns: tuple[tuple[float, ...], tuple[float, ...]],
    peer_name: str,
    at_least: float | None = None,
    note: str = "",
) -> Row:
    """A row of interleaved times (in ``unit``) with the ratios of the rounds; met if their median is high enough.

    A time that is a difference can come out below zero where something else disturbs the machine: such rounds are
    shown, counted in the note, and have no ratio.
    """
    mine, theirs = turns
    ratios = tuple(b / a for a, b in zip(mine, theirs, strict=True) if a > 0 and b > 0)
    if len(ratios) < len(mine):
        note = f"{len(mine) - len(ratios)} of {len(mine)} rounds disturbed, without a ratio. {note}".strip()
    return Row(
        what,
        unit,
        mine,
        theirs,
        peer_name,
        ratios,
        "" if at_least is None else f"ratio ≥ {at_least:g}",
        None if at_least is None or not ratios else bool(np.median(ratios) >= at_least),
        note,
    )


def clock(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one call, and what it gave."""
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def spaced(count: int) -> str:
    """A number with its thousands apart."""
    return f"{count:,}".replace(",", " ")


def figures(values: tuple[float, ...]) -> str:
    """The median and, of several, the range."""
    if not values:
        return ""
    if len(values) == 1:
        return _short(values[0])
    return f"{_short(float(np.median(values)))} ({_short(min(values))}–{_short(max(values))})"


def _short(value: float) -> str:
    """Four digits; thousands in full."""
    size = abs(value)
    if size >= 1000:
        return f"{value:.1f}"
    return f"{value:.3g}" if size >= 10 or size < 0.01 else f"{value:.4g}"


def ratio(row: Row) -> str:
    """The median ratio and its range, rounded down: nothing is rounded in our favour."""
    if not row.ratios:
        return ""
    low, middle, high = (np.floor(v * 100) / 100 for v in (min(row.ratios), np.median(row.ratios), max(row.ratios)))
    return f"{middle:.2f}" if len(row.ratios) == 1 else f"{middle:.2f} ({low:.2f}–{high:.2f})"


def verdict(row: Row) -> str:
    """What was asked, and whether it was met."""
    if row.met is None:
        return row.asked
    return f"{row.asked}: {'met' if row.met else 'NOT met'}"


def line(row: Row) -> str:
    """A row as the terminal shows it."""
    unit = f" [{row.unit}]" if row.unit else ""
    parts = [f"ours {figures(row.ours)}"] if row.ours else []
    if row.peer:
        parts.append(f"{row.peer_name} {figures(row.peer)}")
    if row.ratios:
        parts.append(f"ratio {ratio(row)}")
    if row.asked:
        parts.append(verdict(row))
    text = f"  {row.what}{unit}\n      {' | '.join(parts)}"
    return f"{text}\n      {row.note}" if row.note else text
