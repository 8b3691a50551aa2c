"""Predictions of a column, as they are told on the terminal."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tacit.cli import console
from tacit.plots.style import alike, shorten
from tacit.report.prediction_words import coefficient_sentence, quality_sentences, ranked

SHOWN, TOLD = 15, 5
"""Coefficients listed, and put into sentences, at most."""


def show_predictions(told: Mapping[str, Any]) -> None:
    """The coefficients as a table and in words, and how good the predictions are."""
    lines = told["coefficients"]
    if lines:
        _show_coefficients(ranked(lines), told)
    console.heading("How good is it?")
    for sentence in quality_sentences(told):
        console.bullet(sentence)


def _show_coefficients(lines: Sequence[Mapping[str, Any]], told: Mapping[str, Any]) -> None:
    classes = any(line["class"] for line in lines)
    odds = told["kind"] == "classes"
    of = f"the log odds of {told['name']} = {told['positive']}" if odds and not classes else told["name"]
    console.heading(f"What goes with {of if not classes else 'each class'}")
    shown = lines[:SHOWN]
    cells = []
    for line in shown:
        middle, low, high = alike([line["mean"], line["lower"], line["upper"]], 3)
        standard = alike([line["standard_mean"]], 2)[0]
        owner = [shorten(line["class"], 12)] if classes else []
        cells.append([*owner, shorten(line["term"], 20 if classes else 30), middle, f"{low} to {high}", standard])
    heads = [*(["class"] if classes else []), "column", "coefficient", "95 % interval", "standardised"]
    last = len(heads) - 1
    console.table(heads, cells, right=[last - 2, last - 1, last])
    if len(lines) > SHOWN:
        console.say(f"and {len(lines) - SHOWN} more in metrics.json and the report", "dim", indent=1)
    clear = [line for line in lines if line["lower"] > 0 or line["upper"] < 0]
    if not clear:
        console.say("No column is clear of having no effect: every interval holds 0.", indent=1)
    for line in clear[:TOLD]:
        console.bullet(coefficient_sentence(line, told))
    if any(not math.isfinite(line["sd"]) for line in lines):
        console.say("Where no interval stands, the rows are too few or too alike to give one.", indent=1)
