"""A fit, as it is told on the terminal from what its run keeps: the model, the choice, the groups, how good it is."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tacit.cli import console
from tacit.cli.show_predictions import show_predictions
from tacit.cli.show_topics import show_sweep, show_topics
from tacit.plots.style import alike, short_number
from tacit.report import words
from tacit.workflow.summary import chosen_place, criterion_of, label, name_of, reason

SHOWN = 6
"""Candidates listed at most."""


def show_choice(told: Mapping[str, Any]) -> None:
    """What was tried, what was chosen, and why."""
    console.heading("The model")
    console.say(f"{name_of(told)}. {reason(told)}.", indent=1)
    choice = told["choice"]
    candidates = choice["candidates"]
    if len(candidates) < 2:
        return
    if told.get("topics"):
        show_sweep(candidates, choice["criterion"])
        return
    column = choice["criterion"].replace("-", "_")
    name = choice["criterion"].upper() if len(column) == 3 else "held-out"
    order = sorted(
        range(len(candidates)),
        key=lambda place: (candidates[place]["at_floor"], -criterion_of(candidates[place], column)),
    )
    best = chosen_place(candidates, column)
    fair = [place for place in order if place != best and not candidates[place]["at_floor"]]
    rival = candidates[fair[0]] if fair else None
    floored = [
        c for c in candidates if c["at_floor"] and criterion_of(c, column) > criterion_of(candidates[best], column)
    ]
    console.say(
        words.choice(
            criterion_of(candidates[best], column),
            None if rival is None else criterion_of(rival, column),
            label(candidates[best]),
            "" if rival is None else label(rival),
            name,
            len(candidates),
            len(floored),
        ),
        indent=1,
    )
    if choice["sampled"]:
        console.say(f"The choice was made on {words.counted(choice['sampled'], 'row')} drawn at random.", indent=1)
    console.say("")
    _candidates(candidates, order[:SHOWN], best, column, name)


def _candidates(candidates: Sequence[Mapping[str, Any]], order: list[int], best: int, column: str, name: str) -> None:
    values = [criterion_of(candidates[place], column) for place in order]
    texts = alike([value if np.isfinite(value) else np.nan for value in values], 6)
    structures = len({row["covariance"] for row in candidates}) > 1
    rows = []
    for place, text in zip(order, texts, strict=True):
        row = candidates[place]
        parameters = row["n_parameters"]
        cells = [row["n_components"], text, "–" if parameters is None else short_number(parameters, 12), _remark(row)]
        rows.append(cells[:1] + ([row["covariance"]] if structures else []) + cells[1:])
    heads = ["groups", *(["structure"] if structures else []), name, "parameters", ""]
    last = len(heads) - 1
    console.table(heads, rows, right=[0, last - 2, last - 1], strong=order.index(best) if best in order else None)
    if len(candidates) > len(order):
        console.say(f"and {len(candidates) - len(order)} more in metrics.json", "dim", indent=1)


def _remark(row: Mapping[str, Any]) -> str:
    if row["at_floor"]:
        return "rests on its floor"
    return "" if row["converged"] else "did not settle"


def show_groups(told: Mapping[str, Any]) -> None:
    """The groups or topics in plain words, the held-out score, and what one should know."""
    if told.get("topics"):
        show_topics(told["topics"])
    if told.get("target"):
        show_predictions(told["target"])
    groups = told["groups"]
    if groups:
        console.heading("The groups" if len(groups) > 1 else "The rows")
        if len(groups) == 1:
            console.bullet("One group describes all rows.")
        else:
            for group in groups:
                console.bullet(group["words"])
            console.say(told["certainty"], indent=1)
        if told.get("emptied"):
            console.say(words.emptied(len(groups), told["emptied"]), indent=1)
    structure = words.structure(told["structure"])
    if structure and len(groups) > 1:
        console.say(f"Shape {told['structure']}: {structure}.", indent=1)
    score = told["held_out"]
    if score is not None:
        console.heading("How good is it?")
        what = "image" if told.get("image") else "row"
        bound = bool(score.get("bound"))
        said = words.held_out(score["nats"], score["standard_error"], score["rows"], None, what, bound=bound)
        console.say(said, indent=1)
    if told.get("verdict"):
        console.heading("How far to trust it")
        for text in told["verdict"]:
            console.bullet(text)
    if told["warnings"]:
        console.heading("Worth knowing")
        for text in told["warnings"]:
            console.bullet(text, "!")
