"""A fit, as it is told on the terminal from what its run keeps: the model, the choice, the groups, how good it is."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tacit.cli import console
from tacit.plots.style import alike, short_number, shorten
from tacit.report import sentences
from tacit.report.prediction_sentences import coefficient_sentence, quality_sentences, ranked
from tacit.workflow.summary import chosen_place, criterion_name, criterion_of, label, name_of, reason, topic_verdicts

SHOWN = 6
"""Candidates listed at most."""


def show_choice(told: Mapping[str, Any]) -> None:
    """What was tried, what was chosen, and why."""
    console.heading("The model")
    console.say(f"{name_of(told)}. {reason(told)}.", indent=1)
    _show_views(told.get("views"))
    choice = told["choice"]
    candidates = choice["candidates"]
    if len(candidates) < 2:
        return
    if told.get("topics"):
        show_sweep(candidates, choice["criterion"])
        return
    column = choice["criterion"].replace("-", "_")
    name, what = criterion_name(choice["criterion"]), choice.get("what", "group")
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
        sentences.choice(
            criterion_of(candidates[best], column),
            None if rival is None else criterion_of(rival, column),
            label(candidates[best], what),
            "" if rival is None else label(rival, what),
            name,
            len(candidates),
            len(floored),
            sum(bool(candidate.get("outpaced")) for candidate in candidates),
        ),
        indent=1,
    )
    if choice["sampled"]:
        console.say(f"The choice was made on {sentences.counted(choice['sampled'], 'row')} drawn at random.", indent=1)
    console.say("")
    _candidates(candidates, order[:SHOWN], best, column, name, what)


def _show_views(told: Mapping[str, Any] | None) -> None:
    """Of a purchase log: both views, which question each answers, and what rows kept aside say of them."""
    if told is None:
        return
    best, other = told["views"]
    judges = sentences.counted(told["rows"], "row")
    console.say(f"A log can be seen in two ways. On {judges} kept aside, in nats a row of counts:", indent=1)
    rows = [[view["question"], view["model"], view["groups"], f"{view['nats']:.2f}"] for view in (best, other)]
    console.table(["question", "model", "groups", "nats"], rows, right=[2, 3], strong=0)
    alike = "much the same groups" if told["agreement"] > 0.8 else "other groups"
    console.say(
        f"The first is kept. The second finds {alike} (adjusted Rand index {told['agreement']:.2f}): "
        f"--model {other['model']} fits it.",
        indent=1,
    )


def _candidates(
    candidates: Sequence[Mapping[str, Any]], order: list[int], best: int, column: str, name: str, what: str
) -> None:
    values = [criterion_of(candidates[place], column) for place in order]
    texts = alike([value if np.isfinite(value) else np.nan for value in values], 6)
    structures = len({row["covariance"] for row in candidates}) > 1
    beside = [row.get("bic") for row in (candidates[place] for place in order)] if column == "parallel" else []
    bic = alike([np.nan if value is None else value for value in beside], 6)
    rows = []
    for at, (place, text) in enumerate(zip(order, texts, strict=True)):
        row = candidates[place]
        parameters = row["n_parameters"]
        last = bic[at] if bic else "–" if parameters is None else short_number(parameters, 12)
        rows.append([row["n_components"], *([row["covariance"]] if structures else []), text, last, _remark(row)])
    heads = [f"{what}s", *(["structure"] if structures else []), name, "BIC" if bic else "parameters", ""]
    end = len(heads) - 1
    console.table(heads, rows, right=[0, end - 2, end - 1], strong=order.index(best) if best in order else None)
    if len(candidates) > len(order):
        console.say(f"and {len(candidates) - len(order)} more in metrics.json", "dim", indent=1)


def _remark(row: Mapping[str, Any]) -> str:
    if row.get("outpaced"):
        return "left on the way"
    if row["at_floor"]:
        return "rests on its floor"
    return "" if row["converged"] else "did not settle"


def show_groups(told: Mapping[str, Any]) -> None:
    """The groups or topics in plain words, the held-out score, and what one should know."""
    if told.get("topics"):
        show_topics(told["topics"])
    if told.get("target"):
        show_predictions(told["target"])
    if told.get("factors"):
        show_factors(told["factors"])
    if told.get("density"):
        show_density(told["density"])
    groups = told["groups"]
    if groups:
        console.heading("The groups" if len(groups) > 1 else "The rows")
        noise = told.get("noise")
        if len(groups) == 1:
            console.bullet("One group describes all rows." if noise is None else "One group describes the other rows.")
        else:
            names = [group.get("name") for group in groups]
            for group in groups:
                console.bullet(sentences.named(group["words"], names))
        if noise is not None:
            console.bullet(sentences.noise(noise))
        if len(groups) > 1:
            console.say(told["certainty"], indent=1)
        if told.get("emptied"):
            console.say(sentences.emptied(len(groups), told["emptied"]), indent=1)
    structure = sentences.structure(told["structure"])
    if structure and len(groups) > 1:
        console.say(f"Shape {told['structure']}: {structure}.", indent=1)
    score = told["held_out"]
    if score is not None:
        console.heading("How good is it?")
        what = "image" if told.get("image") else "row"
        bound = bool(score.get("bound"))
        said = sentences.held_out(score["nats"], score["standard_error"], score["rows"], None, what, bound=bound)
        console.say(said, indent=1)
    if told.get("verdict"):
        console.heading("How far to trust it")
        for text in told["verdict"]:
            console.bullet(text)
    if told["warnings"]:
        console.heading("Worth knowing")
        for text in told["warnings"]:
            console.bullet(text, "!")


def show_density(told: Mapping[str, Any]) -> None:
    """What a density without groups is made of, and whether it is right."""
    console.heading("The density")
    for text in (*told["sentences"], *told["calibration"]):
        console.bullet(text)


def show_factors(told: Mapping[str, Any]) -> None:
    """What each factor is made of, and how well they explain the columns."""
    console.heading("The factors" if len(told["sentences"]) > 1 else "The factor")
    for text in told["sentences"]:
        console.bullet(text)
    for text in (*(told.get("fit_sentences") or ()), *(told.get("number") or {}).get("sentences", ())[:2]):
        console.say(text, indent=1)


def show_topics(told: Mapping[str, Any]) -> None:
    """The topics as a table, and how good they are."""
    each = told["each"]
    console.heading("The topics" if len(each) > 1 else "The topic")
    order = sorted(range(len(each)), key=lambda place: -each[place]["share"])
    coherence = alike([each[place]["coherence"] for place in order], 2)
    rows = [
        (place + 1, sentences.percent(each[place]["share"]), ", ".join(each[place]["words"]), value)
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
    console.say(f"{sentences.counted(numbers[best], 'topic')} came out with the highest {criterion}.", indent=1)


SHOWN_COEFFICIENTS, TOLD_COEFFICIENTS = 15, 5
"""Coefficients listed, and put into sentences, at most."""


def show_predictions(told: Mapping[str, Any]) -> None:
    """The coefficients as a table and in words, and how good the predictions are."""
    lines = told["coefficients"]
    if lines:
        _show_coefficients(ranked(lines), told)
    console.heading("How good is it?")
    for sentence in quality_sentences(told):
        console.bullet(sentence)
    each = told.get("by_class") or []
    if each and len(each) <= SHOWN_COEFFICIENTS:
        cells = [
            (
                shorten(name, 24),
                line["rows"],
                *(_share(line[key]) for key in ("recall", "precision")),
                _auc(line["auc"]),
            )
            for name, line in zip(told["classes"], each, strict=True)
        ]
        console.say("")
        console.table(["class", "rows", "found", "right", "AUC"], cells, right=[1, 2, 3, 4])
        console.say("Found: of its rows (recall). Right: of those put into it (precision).", "dim", indent=1)


def _share(value: float | None) -> str:
    return "–" if value is None else sentences.percent(value)


def _auc(value: float | None) -> str:
    return "–" if value is None else short_number(value, 3)


def _show_coefficients(lines: Sequence[Mapping[str, Any]], told: Mapping[str, Any]) -> None:
    classes = any(line["class"] for line in lines)
    odds = told["kind"] == "classes"
    of = f"the log odds of {told['name']} = {told['positive']}" if odds and not classes else told["name"]
    of = f"the logarithm of the expected {told['name']}" if told.get("multiplies") else of
    console.heading(f"What goes with {of if not classes else 'each class'}")
    shown = lines[:SHOWN_COEFFICIENTS]
    cells = []
    for line in shown:
        middle, low, high = alike([line["mean"], line["lower"], line["upper"]], 3)
        standard = alike([line["standard_mean"]], 2)[0]
        owner = [shorten(line["class"], 12)] if classes else []
        cells.append([*owner, shorten(line["term"], 20 if classes else 30), middle, f"{low} to {high}", standard])
    heads = [*(["class"] if classes else []), "column", "coefficient", "95 % interval", "standardised"]
    last = len(heads) - 1
    console.table(heads, cells, right=[last - 2, last - 1, last])
    if len(lines) > SHOWN_COEFFICIENTS:
        console.say(f"and {len(lines) - SHOWN_COEFFICIENTS} more in metrics.json and the report", "dim", indent=1)
    clear = [line for line in lines if line["lower"] > 0 or line["upper"] < 0]
    if not clear:
        console.say("No column is clear of having no effect: every interval holds 0.", indent=1)
    for line in clear[:TOLD_COEFFICIENTS]:
        console.bullet(coefficient_sentence(line, told))
    if any(not math.isfinite(line["sd"]) for line in lines):
        console.say("Where no interval stands, the rows are too few or too alike to give one.", indent=1)
