"""What is worth knowing of a model that predicts a column: coefficients, and how well it does on rows kept aside."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import is_classifier

from tacit.data.dataset import dataset_of
from tacit.data.features import Target, Term, class_names
from tacit.data.levels import show_level
from tacit.data.schema import Schema
from tacit.estimators.capabilities import HasCoefficients, PredictsClasses, PredictsCounts, PredictsIntervals, can
from tacit.estimators.settings import Estimator
from tacit.evaluation.classes import class_scores
from tacit.evaluation.predictive import log_predictive, predictive_score
from tacit.report.prediction_sentences import step_of
from tacit.workflow.sources import Rows
from tacit.workflow.supervised import features, targets

LEVEL = 0.9
"""Of the intervals of predictions."""


def judge_predictions(estimator: Estimator, fitted: Rows, kept: Rows) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a run keeps of what it predicts, as plain numbers and texts; and arrays of the rows kept aside.

    Args:
        estimator: fitted.
        fitted: the rows it has seen.
        kept: the rows kept aside, perhaps none.
    """
    if fitted.target is None or fitted.schema is None:
        raise TypeError("these rows have no target")
    column, classes = fitted.target.column, can(estimator, PredictsClasses)
    known = targets(estimator, fitted)
    told: dict[str, Any] = {
        "name": column.name,
        "kind": "classes" if classes else "number",
        "multiplies": can(estimator, PredictsCounts),
        "dispersion": float(estimator.dispersion_) if can(estimator, PredictsCounts) else None,
        "classes": [str(each) for each in estimator.classes_] if classes else None,
        "positive": str(estimator.classes_[-1]) if classes else None,
        "coefficients": _coefficients(estimator, fitted, known, fitted.schema, fitted.target),
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
        arrays["observed"] = np.array(
            [_position(order, int(code)) for code in np.asarray(kept.target_values)], np.int64
        )
        each = class_scores(arrays["probabilities"], arrays["observed"])
        told["by_class"] = [dataclasses.asdict(one) for one in each]
    else:
        arrays |= {"predicted": np.asarray(estimator.predict(X), np.float64), "observed": np.asarray(y, np.float64)}
        if can(estimator, PredictsIntervals):
            low, high = estimator.predict_interval(X, LEVEL)
            arrays |= {"lower": np.asarray(low, np.float64), "upper": np.asarray(high, np.float64)}
    return told, arrays


def _position(order: Sequence[int], code: int) -> int:
    """Where a level stands among the classes of the fit; −1 where it is none of them."""
    return list(order).index(code) if code in order else -1


def _coefficients(
    estimator: Estimator, fitted: Rows, known: np.ndarray, schema: Schema, target: Target
) -> list[dict[str, Any]] | None:
    """A mapping a coefficient but for the intercept, in the user's units and in standard deviations."""
    if not can(estimator, HasCoefficients) or target.fills is None:
        return None
    found = estimator.summary()
    spread = np.sqrt(target.designed(dataset_of(fitted.data)).moments().variance)
    own = is_classifier(estimator) or can(estimator, PredictsCounts)
    scale = 1.0 if own else float(np.std(known)) or 1.0
    each = {term.name: (term, float(sd)) for term, sd in zip(target.terms, spread, strict=True)}
    owners = found.classes or (None,) * len(found.names)
    lines = []
    for place, (name, owner) in enumerate(zip(found.names, owners, strict=True)):
        if name not in each:
            continue  # the intercept
        term, sd = each[name]
        seen = {key: float(vars(found)[key][place]) for key in ("mean", "sd", "lower", "upper")}
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
