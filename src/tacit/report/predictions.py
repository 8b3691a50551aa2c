"""What a report tells of a model that predicts a column, taken from what its run keeps."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from tacit.report.prediction_sentences import coefficient_sentence, quality_sentences, ranked


@dataclass(frozen=True)
class Coefficient:
    """One coefficient, in the user's units and in standard deviations.

    Attributes:
        name: The column, or a level of it: ``sex = male``.
        owner: The class whose score it belongs to; empty where there is one line of coefficients.
        mean: The estimate, per unit of the column.
        lower: From where its 95 % interval goes.
        upper: To where.
        standard: The estimate, and the ends of its interval, per standard deviation of the column (and in standard
            deviations of the target, where that is a number).
        sentence: What it means.
    """

    name: str
    owner: str
    mean: float
    lower: float
    upper: float
    standard: tuple[float, float, float]
    sentence: str

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.lower > 0 or self.upper < 0


@dataclass(frozen=True, eq=False)
class Prediction:
    """How a column is predicted.

    Attributes:
        name: The column.
        classes: What there is to be told apart; empty where it is a number.
        positive: The class whose odds the coefficients speak of.
        coefficients: The most telling first; None where the model has none.
        quality: How good it is, in plain sentences.
        accuracy: Share of rows in the right class, and that of always saying the commonest; or None.
        r2: Of a number, or None.
        error: Mean absolute error of a number, and that of always saying the median; or None.
        gain: Nats a row above knowing the target's distribution alone, with its standard error; or None.
        chances: Of rows kept aside, the probability of each class.
        observed: Of these rows the class, −1 where it was not there at fit; or the number.
        predicted: The number that was predicted.
        ends: Of its interval, from and to.
        level: Of the interval.
    """

    name: str
    classes: tuple[str, ...] = ()
    positive: str = ""
    coefficients: tuple[Coefficient, ...] | None = None
    quality: tuple[str, ...] = ()
    accuracy: tuple[float, float] | None = None
    r2: float | None = None
    error: tuple[float, float] | None = None
    gain: tuple[float, float] | None = None
    chances: Float[np.ndarray, "kept classes"] | None = None
    observed: Float[np.ndarray, " kept"] | Int[np.ndarray, " kept"] | None = None
    predicted: Float[np.ndarray, " kept"] | None = None
    ends: tuple[Float[np.ndarray, " kept"], Float[np.ndarray, " kept"]] | None = None
    level: float = 0.9
    multiplies: bool = False
    """Whether coefficients multiply the expected count rather than add to a number."""


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
        predicted=kept.get("predicted"),
        ends=(kept["lower"], kept["upper"]) if "lower" in kept else None,
        level=score.get("level", 0.9) or 0.9,
        multiplies=bool(told.get("multiplies")),
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
