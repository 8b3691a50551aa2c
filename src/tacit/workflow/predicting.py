"""What a supervised model predicts of new rows, and how well it does where the target is known."""

import dataclasses

import numpy as np
import pyarrow as pa
from sklearn.base import is_classifier

from tacit.compute import compilation_cache
from tacit.data.errors import DataError, counted
from tacit.data.table import Table
from tacit.estimators.capabilities import Assigns, MatrixLike, PredictsClasses, PredictsIntervals, can
from tacit.estimators.settings import Estimator
from tacit.evaluation.conformal import Calibration
from tacit.evaluation.predictive import log_predictive
from tacit.plots.style import short_number
from tacit.report.sentences import percent
from tacit.storage.errors import ModelFileError
from tacit.workflow.answers import FIRST_ROWS, TableAnswer
from tacit.workflow.events import SILENT, Observer
from tacit.workflow.opened import Opened, labels
from tacit.workflow.sources import Rows
from tacit.workflow.supervised import targets
from tacit.workflow.targets import gaps_said

SCORED_LEVEL = 0.9
"""Of the intervals beside known targets."""


@compilation_cache()
def predict(opened: Opened, rows: Rows, level: float = 0.9, observer: Observer = SILENT) -> TableAnswer:
    """The predicted target of every row: the likeliest class and the chances of all, or a number and its ends.

    Args:
        opened: the run.
        rows: the new rows, as `Opened.read` gives them.
        level: of the intervals around numbers.
        observer: is told what is done with gaps.

    Raises:
        ModelFileError: the model predicts no column.
    """
    if opened.target is None:
        instead = "use `tacit assign` for groups" if can(opened.estimator, Assigns) else "it was fitted to none"
        raise ModelFileError(f"the model of {str(opened.run.path)!r} predicts no column (fit --target): {instead}.")
    filled = gaps_said(rows)
    if filled is not None:
        observer.note(f"Note: {filled.split(' So ')[0]}")
    X = opened.feed(rows)
    return TableAnswer(pa.table(labels(rows) | predictions(opened.estimator, X, opened.target.column.name, level)))


def predictions(estimator: Estimator, X: MatrixLike, name: str, level: float) -> dict[str, pa.Array]:
    """The columns that a prediction adds, the first of them under this name."""
    said = np.asarray(estimator.predict(X))
    if can(estimator, PredictsClasses):
        chances = np.asarray(estimator.predict_proba(X), np.float64)
        found = {name: pa.array(said.astype(str).tolist()), "probability": pa.array(chances.max(axis=1))}
        each = {f"p({label})": pa.array(chances[:, place]) for place, label in enumerate(estimator.classes_)}
        return found | each
    found = {name: pa.array(said.astype(np.float64))}
    if can(estimator, PredictsIntervals):
        low, high = estimator.predict_interval(X, level)
        found |= {"from": pa.array(np.asarray(low, np.float64)), "to": pa.array(np.asarray(high, np.float64))}
    return found


def score_targets(opened: Opened, rows: Rows) -> TableAnswer:
    """``log p(target | columns)`` of rows whose target is known, and how well they are predicted."""
    if not isinstance(rows.table, Table):
        raise TypeError("the run predicts no column of a table")
    table, tally = scored_targets(opened, rows)
    order = np.argsort(table.column("log_density").to_numpy(), kind="stable")
    tally = dataclasses.replace(tally, without=len(rows.table) - len(rows))
    return TableAnswer(table, shown=table.take(pa.array(order[:FIRST_ROWS])), remarks=(tally.said(),))


@dataclasses.dataclass(frozen=True)
class TargetTally:
    """How well targets are predicted, of as many rows as were looked at.

    Attributes:
        opened: the run.
        rows: how many.
        right: in the right class; or the sum of the distances from the true numbers.
        nats: the sum of the log densities.
        without: rows whose target is not known.
    """

    opened: Opened
    rows: int = 0
    right: float = 0.0
    nats: float = 0.0
    without: int = 0

    def plus(self, other: "TargetTally") -> "TargetTally":
        """Of the rows of both."""
        right, nats = self.right + other.right, self.nats + other.nats
        return TargetTally(self.opened, self.rows + other.rows, right, nats, self.without + other.without)

    def said(self) -> str:
        """How well all of them were predicted, in a sentence."""
        if self.opened.target is None or not self.rows:
            raise DataError("the target is missing in every row: there is nothing to score.")
        mean = self.right / self.rows
        how = (
            f"{percent(mean)} in the right class"
            if is_classifier(self.opened.estimator)
            else f"off by {short_number(mean, 3)} on average"
        )
        name = self.opened.target.column.name
        lack = f" {counted(self.without, 'row')} without {name} left out." if self.without else ""
        return (
            f"{counted(self.rows, 'row')}: {how}, {short_number(self.nats / self.rows, 3)} nats a row. The least "
            f"expected come first on the screen.{lack}"
        )


def scored_targets(opened: Opened, rows: Rows) -> tuple[pa.Table, TargetTally]:
    """What is said of rows whose target is known, and how well they are predicted together."""
    if opened.target is None:
        raise TypeError("the run predicts no column of a table")
    name = opened.target.column.name
    X, y = opened.feed(rows), targets(opened.estimator, rows)
    scores = log_predictive(opened.estimator, X, y)
    said = predictions(opened.estimator, X, f"predicted {name}", SCORED_LEVEL)
    told = labels(rows) | {f"known {name}": pa.array(y.tolist()), f"predicted {name}": said[f"predicted {name}"]}
    told |= {"log_density": pa.array(scores)}
    kept = _kept(opened)
    if kept is not None:
        told["p_value"] = pa.array(kept.p_values(scores))
    told |= said
    found = np.asarray(opened.estimator.predict(X))
    hits = found == y if is_classifier(opened.estimator) else np.abs(found - y)
    return pa.table(told), TargetTally(opened, len(y), float(np.sum(hits)), float(np.sum(scores)))


def _kept(opened: Opened) -> Calibration | None:
    try:
        return Calibration.from_scores(opened.run.calibration()["scores"])
    except (FileNotFoundError, KeyError):
        return None
