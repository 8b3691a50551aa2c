"""Topics, as they are told on the terminal."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tacit.cli import console
from tacit.plots.style import alike, short_number
from tacit.report import words
from tacit.workflow.summary import topic_verdicts


def show_topics(told: Mapping[str, Any]) -> None:
    """The topics as a table, and how good they are."""
    each = told["each"]
    console.heading("The topics" if len(each) > 1 else "The topic")
    order = sorted(range(len(each)), key=lambda place: -each[place]["share"])
    coherence = alike([each[place]["coherence"] for place in order], 2)
    rows = [
        (place + 1, words.percent(each[place]["share"]), ", ".join(each[place]["words"]), value)
        for place, value in zip(order, coherence, strict=True)
    ]
    console.table(["topic", "share", "words, the most telling first", "coherence"], rows, right=[0, 1, 3])
    console.heading("How good is it?")
    for sentence in topic_verdicts(told):
        console.bullet(sentence)


def show_sweep(candidates: Sequence[Mapping[str, Any]], criterion: str) -> None:
    """How the numbers of topics compare, the chosen one set off."""
    values = [-math.inf if row[criterion] is None else row[criterion] for row in candidates]
    best = int(np.argmax(values))
    console.say("")
    completion = alike([row["completion"] for row in candidates], 5)
    coherence = alike([row["coherence"] for row in candidates], 3)
    stability = ["–" if row["stability"] is None else short_number(row["stability"], 2) for row in candidates]
    perplexity = [short_number(row["perplexity"], 4) for row in candidates]
    numbers = [row["n_components"] for row in candidates]
    cells = list(zip(numbers, perplexity, completion, coherence, stability, strict=True))
    heads = ["topics", "perplexity", "nats a word", "NPMI", "stability"]
    console.table(heads, cells, right=range(5), strong=best)
    console.say(f"{words.counted(numbers[best], 'topic')} came out with the highest {criterion}.", indent=1)
