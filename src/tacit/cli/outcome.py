"""What a run keeps about its fit beside the model: ``metrics.json``, as `tacit fit` and `tacit show` tell it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tacit.cli import talk
from tacit.cli.choosing import ASKED, Chosen, Plan
from tacit.cli.judging import Judgement, empty_groups
from tacit.cli.judging_predictions import tell_predictions
from tacit.cli.judging_topics import tell_sweep, tell_topics
from tacit.cli.sources import Rows
from tacit.data.images import ImageSet
from tacit.data.long import CountTable
from tacit.data.table import Table
from tacit.plots.style import alike, short_number
from tacit.report import words

_NAMES = {"k-means": "k-means", "prod-lda": "ProdLDA", "student-t-regression": "Student-t regression"}
_PROPER = {word.lower(): word for word in ("VAE", "Gaussian", "Poisson", "Bayesian", "Dirichlet")}
SHOWN = 6
"""Candidates listed at most."""


def metrics(
    plan: Plan, chosen: Chosen, found: Judgement, fitted: Rows, seconds: float, stopped: bool
) -> dict[str, Any]:
    """Everything worth keeping, as plain numbers, texts, lists and mappings."""
    estimator = chosen.estimator
    score = found.held_out
    left_out = fitted.table.left_out if isinstance(fitted.table, Table) else ()
    return {
        "model": plan.model,
        "why": plan.why,
        "structure": str(getattr(estimator, "covariance_type", "")),
        "rows": len(fitted.table.row_ids) if isinstance(fitted.table, CountTable) else len(fitted.table),
        "fitted_rows": len(fitted),
        "columns": fitted.columns,
        "topics": None if found.topics is None else dict(found.topics),
        "target": None if found.target is None else dict(found.target),
        "image": list(fitted.table.shape) if isinstance(fitted.table, ImageSet) else None,
        "source": fitted.table.source,
        "seed": plan.seed,
        "seconds": seconds,
        "interrupted": stopped,
        "choice": {
            "criterion": plan.criterion,
            "sampled": chosen.sampled,
            "candidates": [dict(row) for row in chosen.candidates],
        },
        "fit": {
            "iterations": getattr(estimator, "n_iter_", None),
            "converged": getattr(estimator, "converged_", None),
            "stop_reason": getattr(estimator, "stop_reason_", ""),
            "parameters": getattr(estimator, "n_parameters_", None),
            "log_likelihood": found.log_likelihood,
        },
        "groups": [
            {"share": float(share), "words": text}
            for share, text in zip(() if found.shares is None else found.shares, found.groups, strict=True)
        ],
        "certainty": found.certainty,
        "emptied": empty_groups(estimator),
        "verdict": _verdict(estimator, fitted),
        "held_out": None
        if score is None
        else {
            "nats": score.nats,
            "standard_error": score.standard_error,
            "rows": score.rows,
            "bound": hasattr(estimator, "elbo"),  # its scores are estimates from below
        },
        "warnings": list(found.warnings),
        "notes": list(fitted.table.notes),
        "left_out": [{"name": entry.name, "reason": entry.reason} for entry in left_out],
    }


def _verdict(estimator: Any, fitted: Rows) -> list[str]:
    """How far an approximate posterior can be trusted, in sentences."""
    verdict = getattr(estimator, "verdict_", None)
    said = [] if verdict is None else list(verdict.words())
    scaled = fitted.aim is not None and any(term.scale != 1.0 for term in fitted.aim.terms)
    if scaled and any("Importance weights change" in text for text in said):
        said.append("Of columns that are numbers, the means above are per standard deviation of the column.")
    return said


def tell_choice(told: Mapping[str, Any]) -> None:
    """What was tried, what was chosen, and why."""
    talk.heading("The model")
    talk.say(f"{name_of(told)}. {reason(told)}.", indent=1)
    choice = told["choice"]
    candidates = choice["candidates"]
    if len(candidates) < 2:
        return
    if told.get("topics"):
        tell_sweep(candidates, choice["criterion"])
        return
    column = choice["criterion"].replace("-", "_")
    name = choice["criterion"].upper() if len(column) == 3 else "held-out"
    order = sorted(
        range(len(candidates)), key=lambda place: (candidates[place]["at_floor"], -_value(candidates[place], column))
    )
    best = chosen_place(candidates, column)
    fair = [place for place in order if place != best and not candidates[place]["at_floor"]]
    rival = candidates[fair[0]] if fair else None
    floored = [c for c in candidates if c["at_floor"] and _value(c, column) > _value(candidates[best], column)]
    talk.say(
        words.choice(
            _value(candidates[best], column),
            None if rival is None else _value(rival, column),
            label(candidates[best]),
            "" if rival is None else label(rival),
            name,
            len(candidates),
            len(floored),
        ),
        indent=1,
    )
    if choice["sampled"]:
        talk.say(f"The choice was made on {words.counted(choice['sampled'], 'row')} drawn at random.", indent=1)
    talk.say("")
    _candidates(candidates, order[:SHOWN], best, column, name)


def _candidates(candidates: Sequence[Mapping[str, Any]], order: list[int], best: int, column: str, name: str) -> None:
    values = [_value(candidates[place], column) for place in order]
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
    talk.table(heads, rows, right=[0, last - 2, last - 1], strong=order.index(best) if best in order else None)
    if len(candidates) > len(order):
        talk.say(f"and {len(candidates) - len(order)} more in metrics.json", "dim", indent=1)


def _remark(row: Mapping[str, Any]) -> str:
    if row["at_floor"]:
        return "rests on its floor"
    return "" if row["converged"] else "did not settle"


def _value(row: Mapping[str, Any], column: str) -> float:
    value = row.get(column)
    return -np.inf if value is None or np.isnan(value) else float(value)


def chosen_place(candidates: Sequence[Mapping[str, Any]], column: str) -> int:
    """Which candidate was chosen: the largest criterion among those that do not rest on their floor."""
    values = [-np.inf if row["at_floor"] else _value(row, column) for row in candidates]
    return int(np.argmax(values))


def label(row: Mapping[str, Any]) -> str:
    """A candidate in words: ``3 groups (VVE)``."""
    groups = words.counted(int(row["n_components"]), "group")
    return f"{groups} ({row['covariance']})" if row["covariance"] else groups


def name_of(told: Mapping[str, Any]) -> str:
    """A model's name as words: ``Gaussian mixture``."""
    name = str(told["model"])
    return words.capital(_NAMES.get(name) or " ".join(_PROPER.get(word, word) for word in name.split("-")))


def reason(told: Mapping[str, Any]) -> str:
    """Why it is this model, in words."""
    return "This model was asked for" if told["why"] == ASKED else f"It was taken because {told['why']}"


def tell_groups(told: Mapping[str, Any]) -> None:
    """The groups or topics in plain words, the held-out score, and what one should know."""
    if told.get("topics"):
        tell_topics(told["topics"])
    if told.get("target"):
        tell_predictions(told["target"])
    groups = told["groups"]
    if groups:
        talk.heading("The groups" if len(groups) > 1 else "The rows")
        if len(groups) == 1:
            talk.bullet("One group describes all rows.")
        else:
            for group in groups:
                talk.bullet(group["words"])
            talk.say(told["certainty"], indent=1)
        if told.get("emptied"):
            talk.say(words.emptied(len(groups), told["emptied"]), indent=1)
    structure = words.structure(told["structure"])
    if structure and len(groups) > 1:
        talk.say(f"Shape {told['structure']}: {structure}.", indent=1)
    score = told["held_out"]
    if score is not None:
        talk.heading("How good is it?")
        what = "image" if told.get("image") else "row"
        bound = bool(score.get("bound"))
        said = words.held_out(score["nats"], score["standard_error"], score["rows"], None, what, bound=bound)
        talk.say(said, indent=1)
    if told.get("verdict"):
        talk.heading("How far to trust it")
        for text in told["verdict"]:
            talk.bullet(text)
    if told["warnings"]:
        talk.heading("Worth knowing")
        for text in told["warnings"]:
            talk.bullet(text, "!")
