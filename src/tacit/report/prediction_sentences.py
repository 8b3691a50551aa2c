"""What coefficients and predictions mean, in sentences for people who know their data."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tacit.plots.style import alike, short_number
from tacit.report.sentences import Sentence, counted, percent, readable

MOST_LOG_ODDS = math.log(1000.0)
"""A sentence speaks of a smaller step of a column where odds would change by more."""


def step_of(spread: float) -> float:
    """A power of ten near a column's standard deviation: the change that a sentence speaks of."""
    return 10.0 ** round(math.log10(spread)) if spread > 0 and math.isfinite(spread) else 1.0


def ranked(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Coefficients, the most telling first: by size in standard deviations, those clear of 0 before the others."""
    clear = [line["lower"] > 0 or line["upper"] < 0 for line in lines]
    order = sorted(range(len(lines)), key=lambda place: (not clear[place], -abs(lines[place]["standard_mean"])))
    return [lines[place] for place in order]


def coefficient_sentence(entry: Mapping[str, Any], target: Mapping[str, Any]) -> Sentence:
    """What one coefficient says, with its interval.

    Args:
        entry: a line of the run's table of coefficients.
        target: what the run tells of its target.
    """
    kind, step = target["kind"], float(entry["step"])
    factors = kind == "classes" or bool(target.get("multiplies"))
    while factors and abs(step * float(entry["mean"])) > MOST_LOG_ODDS and entry["level"] is None:
        step /= 10.0
    low, middle, high = (step * float(entry[key]) for key in ("lower", "mean", "upper"))
    subject = _subject(entry, step)
    if kind == "number" and factors:
        factor, *ends = (_factor(value) for value in (middle, low, high))
        said = (
            f"{subject} the expected {readable(target['name'])[0]} is multiplied by {factor} ({ends[0]} to {ends[1]})"
        )
    elif kind == "number":
        said = f"{subject} {readable(target['name'])[0]} is {_moved(low, middle, high)}"
    else:
        factor, *ends = (_factor(value) for value in (middle, low, high))
        whose = f"{readable(target['name'])[0]} = {entry.get('class') or target['positive']}"
        against = " against the average class" if entry.get("class") else ""
        said = f"{subject} the odds of {whose}{against} are multiplied by {factor} ({ends[0]} to {ends[1]})"
    return said + ("." if low > 0 or high < 0 else "; it may make no difference.")


def _moved(low: float, middle: float, high: float) -> str:
    """``higher by 12.5 (10.7 to 14.3)``: ends on the other side of 0 are said to be so."""
    way, other = ("higher", "lower") if middle >= 0 else ("lower", "higher")
    near, far = (low, high) if middle >= 0 else (-high, -low)
    size, one, two = alike([abs(middle), abs(near), far], 3)
    return f"{way} by {size} ({one}{f' {other}' if near < 0 else ''} to {two}{f' {way}' if near < 0 else ''})"


def _subject(entry: Mapping[str, Any], step: float) -> str:
    name, unit = readable(entry["column"])
    if entry["level"] is not None:
        return f"With {name} {entry['level']} instead of {entry['reference']},"
    return f"With {name} higher by {short_number(step, 6)}{' ' + unit if unit else ''},"


def _factor(value: float) -> str:
    if value > math.log(1e4):
        return "over 10,000"
    return short_number(math.exp(value), 3) if value > -math.log(1e4) else "under 0.0001"


def quality_sentences(target: Mapping[str, Any]) -> list[Sentence]:
    """How well the rows kept aside were predicted, in plain words."""
    score = target["score"]
    if score is None:
        return ["No rows were kept aside (--holdout 0): how well others are predicted is not known."]
    rows, name = counted(score["rows"], "row"), readable(target["name"])[0]
    if target["kind"] == "number":
        error, base = alike([score["error"], score["base_error"]], 3)
        r2 = f", R² {short_number(score['r2'], 3)}" if math.isfinite(score["r2"]) else ""
        of = "mean absolute error of the predicted median" if target.get("multiplies") else "mean absolute error"
        said = [
            f"Of {rows} kept aside, {name} was predicted to within {error} on average ({of}; {base} if one always says "
            f"the median){r2}."
        ]
        if math.isfinite(score["coverage"]):
            said.append(f"{percent(score['level'])} intervals held {percent(score['coverage'])} of them.")
    else:
        said = [
            f"Of {rows} kept aside {percent(score['accuracy'])} were put into the right class; always to say the "
            f"commonest, {percent(score['base_accuracy'])}."
        ]
    return [*said, *_nats(score, name)]


def cautions_of_predictions(target: Mapping[str, Any]) -> list[Sentence]:
    """What to know where a model is no better than saying always the same."""
    score = target["score"]
    if score is None:
        return []
    name = readable(target["name"])[0]
    if target["kind"] == "number" and score["error"] > score["base_error"] * (1 + 1e-9):
        error, base = alike([score["error"], score["base_error"]], 3)
        return [
            f"On rows kept aside the model is worse than always saying the median of {name}: off by {error} on average "
            f"against {base}. Do not rely on its predictions; another model (--model) may suit the target better."
        ]
    if target["kind"] == "classes" and score["accuracy"] < score["base_accuracy"]:
        return [
            f"On rows kept aside the model is right less often ({percent(score['accuracy'])}) than always saying the "
            f"commonest {name} ({percent(score['base_accuracy'])}). Do not rely on its classes."
        ]
    return []


def _nats(score: Mapping[str, Any], name: str) -> list[Sentence]:
    if not math.isfinite(score["nats"]):
        return []
    nats, error = score["nats"], score["standard_error"]
    gain, doubt = score["gain"], score["gain_error"]
    told = f"The predictive score is {_measured(nats, error)} nats a row; "
    if math.isfinite(doubt) and abs(gain) <= 2.0 * doubt:
        return [f"{told}that is no clear gain over knowing only how {name} is distributed ({_measured(gain, doubt)})."]
    if gain < 0:
        return [f"{told}that is worse than knowing only how {name} is distributed, by {_measured(-gain, doubt)}."]
    times = short_number(math.exp(min(gain, 20.0)), 3)
    return [
        f"{told}{_measured(gain, doubt)} better than knowing only how {name} is distributed: what was there is made "
        f"{times} times as likely."
    ]


def _measured(value: float, error: float) -> str:
    return f"{short_number(value, 3)} ± {short_number(error, 2)}" if math.isfinite(error) else short_number(value, 3)
