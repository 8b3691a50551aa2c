"""The sections of a model that predicts a column: what goes with it, and how good it is."""

from collections.abc import Sequence

import numpy as np

from tacit import plots
from tacit.data.kinds import LeftOut
from tacit.plots.style import alike, short_number
from tacit.report import sentences
from tacit.report.class_section import class_part
from tacit.report.data_section import told_copies, told_correlations
from tacit.report.fit import FitFacts, closing
from tacit.report.html import Child, table, tag
from tacit.report.page import Fact, Report
from tacit.report.parts import Section, folded, framed, picture, section, those_there
from tacit.report.predictions import Coefficient, Prediction
from tacit.report.table import FittedTable, table_facts, told_columns, told_left_out

DRAWN, SENTENCES, LINES = 24, 8, 30
"""Coefficients that are drawn, put into sentences, and listed before the rest is folded."""


def prediction_report(
    title: str,
    fit: FitFacts,
    rows: FittedTable,
    prediction: Prediction,
    left_out: Sequence[LeftOut] = (),
    own: Sequence[Section | None] = (),
) -> Report:
    """The page of a model that predicts a column.

    Args:
        title: Heading of the page.
        fit: What every report tells.
        rows: The columns from which it is predicted, in the rows that were fitted.
        prediction: How the column is predicted.
        left_out: Columns that no model saw.
        own: What the model tells of itself.
    """
    number, columns = rows.values.shape
    what = f"one of {len(prediction.classes)} classes" if prediction.classes else "a number"
    lead = f"{sentences.readable(prediction.name)[0]}, {what}, is predicted from "
    lead += f"{sentences.counted(columns, 'column')}, as learned from {sentences.counted(number, 'row')}."
    settled = None if fit.trace is None else fit.trace.converged
    return Report(
        title,
        [*table_facts(rows), *_facts(prediction)],
        those_there(
            _effects(prediction),
            *own,
            _quality(prediction),
            *closing(
                fit,
                "Reading the table",
                data=(*told_columns(rows), *told_correlations(rows), *told_copies(rows), *told_left_out(left_out)),
            ),
        ),
        lead,
        (*fit.warnings, *sentences.cautions(None, number, columns, settled, False)),
    )


def _facts(prediction: Prediction) -> list[Fact]:
    """The figures one looks for first."""
    found = []
    if prediction.accuracy is not None:
        right, common = prediction.accuracy
        found.append(
            Fact("In the right class", sentences.percent(right), f"{sentences.percent(common)} by the commonest")
        )
    if prediction.error is not None:
        off, median = alike(list(prediction.error), 3)
        found.append(Fact("Off on average by", off, f"{median} by the median"))
    if prediction.gain is not None and np.isfinite(prediction.gain[0]):
        gain, error = prediction.gain
        found.append(Fact("Gained from the columns", short_number(gain, 3), f"± {short_number(error, 2)} nats per row"))
    return found


def _effects(prediction: Prediction) -> Section | None:
    """The coefficients: a picture, what they mean, a table."""
    if not prediction.coefficients:
        return None
    lines, name = prediction.coefficients, sentences.readable(prediction.name)[0]
    of = f"the log odds of {name} = {prediction.positive}" if prediction.classes else name
    of = f"the logarithm of the expected {name}" if prediction.multiplies else of
    of = "the score of each class" if any(line.owner for line in lines) else of
    shown = lines[:DRAWN]
    figure = plots.coefficient_plot(
        [_label(line) for line in shown],
        *(np.array([line.standard[place] for line in shown]) for place in range(3)),
        says="per standard deviation of the column"
        + ("" if prediction.classes or prediction.multiplies else f", in those of {name}"),
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
        "What goes with it",
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
    return [shown, folded(sentences.counted(len(body) - LINES, "more coefficient"), rest)]


def _quality(prediction: Prediction) -> Section | None:
    """How well the rows kept aside were predicted."""
    said = tag("ul", [tag("li", each) for each in prediction.quality])
    return section(
        "predicted",
        "How good it is",
        "How good it is",
        said,
        class_part(prediction),
        _honest(prediction),
        _beside(prediction),
    )


def _honest(prediction: Prediction) -> Child:
    """Whether the probabilities are honest: of the one class of two, or of the class that was called likeliest."""
    if prediction.chances is None or prediction.observed is None or not len(prediction.chances):
        return None
    chances, observed = np.asarray(prediction.chances), np.asarray(prediction.observed)
    if chances.shape[1] == 2:
        what = f"{sentences.readable(prediction.name)[0]} = {prediction.positive}"
        said, came = chances[:, 1], observed == 1
    else:
        said, came, what = chances.max(axis=1), chances.argmax(axis=1) == observed, "the class called likeliest"
    figure = plots.reliability_plot(said, came, says=f"The probability told for {what}"[:60])
    caption = (
        f"Are the probabilities honest? Each dot is a share of the {sentences.counted(len(said), 'row')} kept aside: "
        f"to the right the probability that {what} was given, upwards how often it came, with 95 % intervals. On the "
        "line, they are."
    )
    return [tag("h3", "Probabilities"), framed(caption, picture(figure, "reliability", "Reliability diagram"))]


def _beside(prediction: Prediction) -> Child:
    if prediction.predicted is None or prediction.observed is None or not len(prediction.predicted):
        return None
    observed = np.asarray(prediction.observed, np.float64)
    figure = plots.predicted_plot(prediction.predicted, observed, ends=prediction.ends, name=prediction.name)
    within = (
        f" Grey lines are {sentences.percent(prediction.level)} intervals; rows outside theirs are orange."
        if prediction.ends is not None
        else ""
    )
    caption = f"The rows kept aside: what came against what was predicted. On the line, the two are the same.{within}"
    return [
        tag("h3", "Row by row"),
        framed(caption, picture(figure, "predicted", "What came against what was predicted")),
    ]
