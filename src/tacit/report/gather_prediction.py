"""What a report tells of a model that foretells a column, taken from what its run keeps."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tacit.report.prediction_content import Coefficient, Prediction
from tacit.report.prediction_words import coefficient_sentence, quality_sentences, ranked


def prediction(told: Mapping[str, Any], kept: Mapping[str, np.ndarray]) -> Prediction:
    """Everything that the sections about a prediction show.

    Args:
        told: what the run keeps of its target.
        kept: arrays of the rows kept aside, perhaps none.
    """
    score = told["score"] or {}
    number = told["kind"] == "number"
    return Prediction(
        name=told["name"],
        classes=tuple(told["classes"] or ()),
        positive=told["positive"] or "",
        coefficients=_coefficients(told),
        quality=tuple(quality_sentences(told)),
        accuracy=None if number or not score else (score["accuracy"], score["base_accuracy"]),
        r2=score["r2"] if number and score else None,
        error=(score["error"], score["base_error"]) if number and score else None,
        gain=(score["gain"], score["gain_error"]) if score else None,
        chances=kept.get("probabilities"),
        observed=kept.get("observed"),
        foretold=kept.get("predicted"),
        ends=(kept["lower"], kept["upper"]) if "lower" in kept else None,
        level=score.get("level", 0.9) or 0.9,
    )


def _coefficients(told: Mapping[str, Any]) -> tuple[Coefficient, ...] | None:
    if told["coefficients"] is None:
        return None
    return tuple(
        Coefficient(
            line["term"],
            line["class"] or "",
            float(line["mean"]),
            float(line["lower"]),
            float(line["upper"]),
            (float(line["standard_mean"]), float(line["standard_lower"]), float(line["standard_upper"])),
            coefficient_sentence(line, told),
        )
        for line in ranked(told["coefficients"])
    )
