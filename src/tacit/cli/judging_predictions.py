"""What is worth knowing of a model that foretells a column: coefficients, and how well it does on rows kept aside."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from tacit.cli import talk
from tacit.cli.sources import Rows
from tacit.cli.targets import features, targets
from tacit.data.features import Target, Term, class_names
from tacit.data.levels import show_level
from tacit.data.schema import Schema
from tacit.evaluation.predictive import log_predictive, predictive_score
from tacit.plots.style import alike, shorten
from tacit.report.prediction_words import coefficient_sentence, quality_sentences, ranked, step_of

LEVEL = 0.9
"""Of the intervals of predictions."""
SHOWN, TOLD = 15, 5
"""Coefficients listed, and put into sentences, at most."""


def judge_predictions(estimator: Any, fitted: Rows, kept: Rows) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a run keeps of what it foretells, as plain numbers and texts; and arrays of the rows kept aside.

    Args:
        estimator: fitted.
        fitted: the rows it has seen.
        kept: the rows kept aside, perhaps none.
    """
    if fitted.aim is None or fitted.schema is None:
        raise TypeError("these rows have no target")
    column, classes = fitted.aim.column, is_classifier(estimator)
    known = targets(estimator, fitted)
    told: dict[str, Any] = {
        "name": column.name,
        "kind": "classes" if classes else "number",
        "classes": [str(each) for each in estimator.classes_] if classes else None,
        "positive": str(estimator.classes_[-1]) if classes else None,
        "coefficients": _coefficients(estimator, fitted, known, fitted.schema, fitted.aim),
        "score": None,
    }
    if not len(kept):
        return told, {}
    X, y = features(estimator, kept), targets(estimator, kept)
    score = predictive_score(estimator, X, y, known, level=LEVEL)
    told["score"] = dataclasses.asdict(score)
    arrays = {"scores": log_predictive(estimator, X, y), "rows": np.asarray(kept.numbers, np.int64)}
    arrays["scores"] = np.maximum(arrays["scores"], -1e300)
    if classes:
        place = {name: code for code, name in enumerate(class_names(column))}
        order = [place[str(name)] for name in estimator.classes_]
        arrays |= {"probabilities": np.asarray(estimator.predict_proba(X), np.float64)}
        arrays["observed"] = np.array([_position(order, int(code)) for code in np.asarray(kept.target)], np.int64)
    else:
        arrays |= {"predicted": np.asarray(estimator.predict(X), np.float64), "observed": np.asarray(y, np.float64)}
        if hasattr(estimator, "predict_interval"):
            low, high = estimator.predict_interval(X, LEVEL)
            arrays |= {"lower": np.asarray(low, np.float64), "upper": np.asarray(high, np.float64)}
    return told, arrays


def _position(order: Sequence[int], code: int) -> int:
    """Where a level stands among the classes of the fit; −1 where it is none of them."""
    return list(order).index(code) if code in order else -1


def _coefficients(
    estimator: Any, fitted: Rows, known: np.ndarray, schema: Schema, target: Target
) -> list[dict[str, Any]] | None:
    """A mapping a coefficient but for the intercept, in the user's units and in standard deviations."""
    if not hasattr(estimator, "summary") or target.fills is None:
        return None
    found = estimator.summary()
    spread = target.design(fitted.values).std(axis=0)
    scale = 1.0 if is_classifier(estimator) else float(np.std(known)) or 1.0
    each = {term.name: (term, float(sd)) for term, sd in zip(target.terms, spread, strict=True)}
    owners = found.classes or (None,) * len(found.names)
    lines = []
    for place, (name, owner) in enumerate(zip(found.names, owners, strict=True)):
        if name not in each:
            continue  # the intercept
        term, sd = each[name]
        seen = {key: float(getattr(found, key)[place]) for key in ("mean", "sd", "lower", "upper")}
        own = {key: value / term.scale for key, value in seen.items()}
        standard = {f"standard_{key}": seen[key] * sd / scale for key in ("mean", "lower", "upper")}
        lines.append({"class": owner, "term": name} | _origin(term, sd, schema) | own | standard)
    return lines


def _origin(term: Term, spread: float, schema: Schema) -> dict[str, Any]:
    column = schema.columns[term.place]
    if term.code is None or term.reference is None or column.levels is None:
        return {"column": column.name, "level": None, "reference": None, "step": step_of(spread * term.scale)}
    level, reference = (show_level(column.levels[code]) for code in (term.code, term.reference))
    return {"column": column.name, "level": level, "reference": reference, "step": 1.0}


def tell_predictions(told: Mapping[str, Any]) -> None:
    """The coefficients as a table and in words, and how good the predictions are."""
    lines = told["coefficients"]
    if lines:
        _tell_coefficients(ranked(lines), told)
    talk.heading("How good is it?")
    for sentence in quality_sentences(told):
        talk.bullet(sentence)


def _tell_coefficients(lines: Sequence[Mapping[str, Any]], told: Mapping[str, Any]) -> None:
    classes = any(line["class"] for line in lines)
    odds = told["kind"] == "classes"
    of = f"the log odds of {told['name']} = {told['positive']}" if odds and not classes else told["name"]
    talk.heading(f"What goes with {of if not classes else 'each class'}")
    shown = lines[:SHOWN]
    cells = []
    for line in shown:
        middle, low, high = alike([line["mean"], line["lower"], line["upper"]], 3)
        standard = alike([line["standard_mean"]], 2)[0]
        owner = [shorten(line["class"], 12)] if classes else []
        cells.append([*owner, shorten(line["term"], 20 if classes else 30), middle, f"{low} to {high}", standard])
    heads = [*(["class"] if classes else []), "column", "coefficient", "95 % interval", "standardised"]
    last = len(heads) - 1
    talk.table(heads, cells, right=[last - 2, last - 1, last])
    if len(lines) > SHOWN:
        talk.say(f"and {len(lines) - SHOWN} more in metrics.json and the report", "dim", indent=1)
    clear = [line for line in lines if line["lower"] > 0 or line["upper"] < 0]
    if not clear:
        talk.say("No column is clear of having no effect: every interval holds 0.", indent=1)
    for line in clear[:TOLD]:
        talk.bullet(coefficient_sentence(line, told))
    if any(not math.isfinite(line["sd"]) for line in lines):
        talk.say("Where no interval stands, the rows are too few or too alike to give one.", indent=1)
