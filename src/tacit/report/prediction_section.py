"""The sections of a model that foretells a column: what goes with it, and how good it is."""

import numpy as np

from tacit import plots
from tacit.plots.style import alike, short_number
from tacit.report import words
from tacit.report.content import ReportContent
from tacit.report.html import Child, Html, table, tag
from tacit.report.parts import folded, framed, picture, section
from tacit.report.prediction_content import Coefficient, Prediction

DRAWN, SENTENCES, LINES = 24, 8, 30
"""Coefficients that are drawn, put into sentences, and listed before the rest is folded."""


def lead(prediction: Prediction, content: ReportContent) -> str:
    """One sentence at the head of the page."""
    rows = 0 if content.values is None else len(content.values)
    columns = 0 if content.schema is None else len(content.schema)
    name = words.readable(prediction.name)[0]
    what = f"one of {len(prediction.classes)} classes" if prediction.classes else "a number"
    return (
        f"{name}, {what}, is foretold from {words.counted(columns, 'column')}, as learned from "
        f"{words.counted(rows, 'row')}."
    )


def facts(prediction: Prediction) -> list[tuple[str, str, str]]:
    """The figures one looks for first."""
    found = []
    if prediction.accuracy is not None:
        right, common = prediction.accuracy
        found.append(("In the right class", words.percent(right), f"{words.percent(common)} by the commonest"))
    if prediction.error is not None:
        off, median = alike(list(prediction.error), 3)
        found.append(("Off on average by", off, f"{median} by the median"))
    if prediction.gain is not None and np.isfinite(prediction.gain[0]):
        gain, error = prediction.gain
        found.append(("Gained from the columns", short_number(gain, 3), f"± {short_number(error, 2)} nats per row"))
    return found


def effect_section(content: ReportContent) -> Html | None:
    """The coefficients: a picture, what they mean, a table."""
    prediction = content.prediction
    if prediction is None or not prediction.coefficients:
        return None
    lines, name = prediction.coefficients, words.readable(prediction.name)[0]
    of = f"the log odds of {name} = {prediction.positive}" if prediction.classes else name
    of = "the score of each class" if any(line.owner for line in lines) else of
    shown = lines[:DRAWN]
    figure = plots.coefficient_plot(
        [_label(line) for line in shown],
        *(np.array([line.standard[place] for line in shown]) for place in range(3)),
        says="per standard deviation of the column" + ("" if prediction.classes else f", in those of {name}"),
    )
    more = "" if len(lines) <= DRAWN else f" {len(lines) - DRAWN} weaker ones are not drawn."
    caption = (
        f"What goes with {of}, the other columns staying the same: the strongest first, in standard deviations so that "
        f"columns can be compared, with 95 % intervals. Grey: the interval holds 0.{more}"
    )
    clear = [line for line in lines if line.clear]
    said: Child = tag("p", "No column is clear of having no effect: every interval holds 0.")
    if clear:
        said = tag("ul", [tag("li", line.sentence) for line in clear[:SENTENCES]])
    careful = "These are differences between rows that are alike in all other columns; they need not be causes."
    return section(
        "effects",
        f"What goes with {name}",
        said,
        tag("p", careful, class_="note"),
        framed(caption, picture(figure, "coefficients", f"Coefficients with intervals: {of}"), class_="wide"),
        _table(lines),
    )


def _label(line: Coefficient) -> str:
    return f"{line.owner}: {line.name}" if line.owner else line.name


def _table(lines: tuple[Coefficient, ...]) -> Child:
    classes = any(line.owner for line in lines)
    head: list[Child] = ["Column", "Coefficient", "95 % from", "to", "In standard units"]
    head = ["Class", *head] if classes else head
    body: list[list[Child]] = []
    for line in lines:
        figures: list[Child] = [*alike([line.mean, line.lower, line.upper], 4), *alike([line.standard[0]], 3)]
        body.append([*([line.owner] if classes else []), line.name, *figures])
    numbers = tuple(range(len(head) - 4, len(head)))
    caption = "Coefficients per unit of their column, the most telling first."
    shown = table(caption, head, body[:LINES], numbers=numbers)
    if len(body) <= LINES:
        return shown
    rest = table("The other coefficients.", head, body[LINES:], numbers=numbers)
    return [shown, folded(words.counted(len(body) - LINES, "more coefficient"), rest)]


def foretold_section(content: ReportContent) -> Html | None:
    """How well the rows kept aside were foretold."""
    prediction = content.prediction
    if prediction is None:
        return None
    said = tag("ul", [tag("li", each) for each in prediction.quality])
    return section("foretold", "How good it is", said, _honest(prediction), _beside(prediction))


def _honest(prediction: Prediction) -> Child:
    """Whether the probabilities are honest: of the one class of two, or of the class that was called likeliest."""
    if prediction.chances is None or prediction.observed is None or not len(prediction.chances):
        return None
    chances, observed = np.asarray(prediction.chances), np.asarray(prediction.observed)
    if chances.shape[1] == 2:
        what = f"{words.readable(prediction.name)[0]} = {prediction.positive}"
        said, came = chances[:, 1], observed == 1
    else:
        said, came, what = chances.max(axis=1), chances.argmax(axis=1) == observed, "the class called likeliest"
    figure = plots.reliability_plot(said, came, says=f"The probability told for {what}"[:60])
    caption = (
        f"Are the probabilities honest? Each dot is a share of the {words.counted(len(said), 'row')} kept aside: to "
        f"the right the probability that {what} was given, upwards how often it came, with 95 % intervals. On the "
        "line, they are."
    )
    return [tag("h3", "Probabilities"), framed(caption, picture(figure, "reliability", "Reliability diagram"))]


def _beside(prediction: Prediction) -> Child:
    if prediction.foretold is None or prediction.observed is None or not len(prediction.foretold):
        return None
    observed = np.asarray(prediction.observed, np.float64)
    figure = plots.foretold_plot(prediction.foretold, observed, ends=prediction.ends, name=prediction.name)
    within = (
        f" Grey lines are {words.percent(prediction.level)} intervals; rows outside theirs are orange."
        if prediction.ends is not None
        else ""
    )
    caption = f"The rows kept aside: what came against what was foretold. On the line, the two are the same.{within}"
    return [
        tag("h3", "Row by row"),
        framed(caption, picture(figure, "foretold", "What came against what was foretold")),
    ]
