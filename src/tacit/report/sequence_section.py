"""How states follow one another: in words, as a diagram, over time, and what comes next."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from tacit import plots
from tacit.estimators.sequence.forecasts import Forecast
from tacit.plots.style import short_number
from tacit.report import sentences
from tacit.report.html import Child, Html, table, tag
from tacit.report.parts import Section, folded, framed, picture, section

SHOWN = 12
"""Sequences that are drawn at most."""
DRAWN_STATES = 10
"""States of a diagram at most; the table has all of them."""
COLUMNS = 8
"""Columns whose forecast is drawn at most."""


@dataclass(frozen=True, eq=False)
class SequenceFacts:
    """What a report tells of sequences.

    Attributes:
        matrix: how likely each state follows each; None of a model without states.
        start: how likely a sequence begins in each; None likewise.
        shares: of the steps; None likewise.
        paths: of some sequences the likeliest states, step by step.
        probabilities: of these the states' probabilities.
        names: of these sequences.
        number: of all sequences.
        forecast: of the first of them, or None.
    """

    matrix: Float[np.ndarray, "states states"] | None
    start: Float[np.ndarray, " states"] | None
    shares: Float[np.ndarray, " states"] | None
    paths: tuple[Int[np.ndarray, " steps"], ...]
    probabilities: tuple[Float[np.ndarray, "steps states"], ...]
    names: tuple[str, ...]
    number: int
    forecast: Forecast | None


def sequence_section(facts: SequenceFacts | None) -> Section | None:
    """Words first, then the pictures."""
    if facts is None:
        return None
    return section(
        "time",
        "Over time",
        "How groups follow one another" if facts.matrix is not None else "Over time",
        _words(facts),
        _diagram(facts),
        _paths(facts),
        _ahead(facts),
    )


def told_states(matrix: Float[np.ndarray, "states states"], start: Float[np.ndarray, " states"]) -> list[str]:
    """A sentence a state: how long it lasts, and what follows it."""
    told = []
    for state, line in enumerate(matrix):
        stays, others = float(line[state]), np.where(np.arange(len(line)) == state, 0.0, line)
        lasts = 1.0 / max(1.0 - stays, 1e-300)
        how = "is never left" if lasts > 1e6 else f"lasts {short_number(lasts, 2)} steps on average"
        if lasts < 1e6 and len(line) > 1:
            best = int(others.argmax())
            how += f"; {sentences.percent(float(others[best] / others.sum()))} of the ways out lead to group {best + 1}"
        told.append(f"Group {state + 1} {how}. {sentences.percent(float(start[state]))} of sequences begin in it.")
    return told


def _words(facts: SequenceFacts) -> Html | None:
    if facts.matrix is None or facts.start is None:
        return None
    return tag("ul", [tag("li", text) for text in told_states(facts.matrix, facts.start)])


def _diagram(facts: SequenceFacts) -> list[Child]:
    if facts.matrix is None or facts.shares is None or len(facts.matrix) < 2:
        return []
    number = len(facts.matrix)
    head: list[Child] = ["From", *(f"to {place + 1}" for place in range(number))]
    body: list[list[Child]] = [
        [f"Group {place + 1}", *(sentences.percent(float(each)) for each in line)]
        for place, line in enumerate(facts.matrix)
    ]
    listed = table("How likely each group follows each", head, body, numbers=tuple(range(1, number + 1)))
    if number > DRAWN_STATES:
        return [folded("All transitions", listed)]
    figure = plots.transition_diagram(facts.matrix, facts.shares)
    how = "An arrow is as thick as the step is likely; a circle as large as its group. Arrows below 1 % are left out."
    return [
        framed(how, picture(figure, "transitions", "Groups, and how they follow one another")),
        folded("As a table", listed),
    ]


def _paths(facts: SequenceFacts) -> Html | None:
    if not facts.paths:
        return None
    figure = plots.state_paths(facts.paths, facts.probabilities, facts.names)
    how = "The likeliest group of every step; paler where it is less sure"
    if facts.number > len(facts.paths):
        how += f". {len(facts.paths)} of {short_number(facts.number, 12)} sequences are shown"
    return framed(f"{how}.", picture(figure, "paths-of-groups", "The group of every step"))


def _ahead(facts: SequenceFacts) -> list[Child]:
    found = facts.forecast
    if found is None:
        return []
    levelled = found.levels or {}  # a band of codes would say nothing
    chosen = np.array([place for place in range(len(found.columns)) if place not in levelled][:COLUMNS], int)
    if not chosen.size:
        return []
    figure = plots.fans(
        found.past[0][:, chosen] if found.past else np.empty((0, chosen.size)),
        found.mean[0][:, chosen],
        found.lower[0][:, chosen],
        found.upper[0][:, chosen],
        [found.columns[place] for place in chosen],
        found.level,
    )
    of = f" of sequence {found.sequences[0]}" if len(found.sequences) else ""
    how = f"What comes after the last row{of}: the mean, and the band that holds {sentences.percent(found.level)}."
    return [tag("h3", "What comes next"), framed(how, picture(figure, "forecast", "Forecast with intervals"))]
