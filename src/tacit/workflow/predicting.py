"""What a supervised model predicts of new rows, and how well it does where the target is known."""

import numpy as np
import pyarrow as pa
from sklearn.base import is_classifier

from tacit.compute import compilation_cache
from tacit.data.errors import counted
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
    if opened.target is None or not isinstance(rows.table, Table):
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
    order = np.argsort(scores, kind="stable")
    table = pa.table(told)
    remark = _summary(opened.estimator, X, y, scores, len(rows.table) - len(rows), name)
    return TableAnswer(table, shown=table.take(pa.array(order[:FIRST_ROWS])), remarks=(remark,))


def _kept(opened: Opened) -> Calibration | None:
    try:
        return Calibration.from_scores(opened.run.calibration()["scores"])
    except (FileNotFoundError, KeyError):
        return None


def _summary(estimator: Estimator, X: MatrixLike, y: np.ndarray, scores: np.ndarray, without: int, name: str) -> str:
    """How well all of them were predicted, in a sentence."""
    said = np.asarray(estimator.predict(X))
    how = (
        f"{percent(float(np.mean(said == y)))} in the right class"
        if is_classifier(estimator)
        else f"off by {short_number(float(np.mean(np.abs(said - y))), 3)} on average"
    )
    lack = f" {counted(without, 'row')} without {name} left out." if without else ""
    return (
        f"{counted(len(y), 'row')}: {how}, {short_number(float(np.mean(scores)), 3)} nats a row. The least expected "
        f"come first on the screen.{lack}"
    )
