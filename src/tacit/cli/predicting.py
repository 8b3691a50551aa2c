"""``tacit predict``, and ``tacit score`` of a run that foretells a column."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.base import is_classifier

from tacit.cli import results, talk
from tacit.cli.failures import UsageFault
from tacit.cli.opened import New, Opened, labels
from tacit.cli.sources import Rows
from tacit.cli.targets import gaps_said, targets
from tacit.compute import compilation_cache
from tacit.data.encode import Unseen, encode
from tacit.data.errors import DataError, counted
from tacit.data.read import Reading, read
from tacit.data.schema import Schema
from tacit.data.table import load
from tacit.evaluation.conformal import Calibration
from tacit.evaluation.predictive import log_predictive
from tacit.plots.style import short_number
from tacit.report.words import percent
from tacit.storage.errors import ModelFileError


@compilation_cache()
def predict(run: Path, new: New, level: float, out: str | None, form: str | None) -> None:
    """Give the foretold target of every row: the likeliest class and the chances of all, or a number and its ends."""
    results.check(out, form)
    opened = Opened.at(run)
    if opened.target is None:
        instead = "use `tacit assign` for groups" if hasattr(opened.estimator, "predict") else "it was fitted to none"
        raise ModelFileError(f"the model of {str(run)!r} foretells no column (fit --target): {instead}.")
    rows = _rows(opened, new, read(new.path))
    filled = gaps_said(rows)
    if filled is not None:
        talk.remark(f"Note: {filled.split(' So ')[0]}")
    X = opened.feed(rows)
    told = labels(rows) | foretold(opened.estimator, X, opened.target.column.name, level)
    results.give(pa.table(told), out, form)


def _rows(opened: Opened, new: New, reading: Reading) -> Rows:
    """The columns that the model sees; the target, where it is there, is none of them."""
    if opened.target is None:
        raise TypeError("the run foretells no column")
    name = opened.target.column.name
    if name in reading.table.column_names:
        reading = dataclasses.replace(reading, table=reading.table.drop_columns([name]))
    unseen: Unseen = "missing" if new.unseen else "error"
    found = Rows.of(load(reading, schema=opened.schema, id_column=new.id_column, unseen=unseen))
    for note in found.table.notes:
        talk.remark(f"Note: {note}.")
    return dataclasses.replace(found, aim=opened.target)


def foretold(estimator: Any, X: Any, name: str, level: float) -> dict[str, pa.Array]:
    """The columns that ``tacit predict`` adds."""
    said = np.asarray(estimator.predict(X))
    if is_classifier(estimator):
        chances = np.asarray(estimator.predict_proba(X), np.float64)
        found = {name: pa.array(said.astype(str).tolist()), "probability": pa.array(chances.max(axis=1))}
        each = {f"p({label})": pa.array(chances[:, place]) for place, label in enumerate(estimator.classes_)}
        return found | each
    found = {name: pa.array(said.astype(np.float64))}
    if hasattr(estimator, "predict_interval"):
        low, high = estimator.predict_interval(X, level)
        found |= {"from": pa.array(np.asarray(low, np.float64)), "to": pa.array(np.asarray(high, np.float64))}
    return found


def score_targets(opened: Opened, new: New, alarm: float | None, out: str | None, form: str | None) -> None:
    """Give ``log p(target | columns)`` of rows whose target is known, and how well they are foretold."""
    if opened.target is None or opened.schema is None:
        raise TypeError("the run foretells no column")
    if alarm is not None:
        raise UsageFault("--alarm is about odd rows; the model of this run scores the target of each row alone.")
    name = opened.target.column.name
    reading = read(new.path)
    if name not in reading.table.column_names:
        raise DataError(f"{new.path} has no column {name!r}, which is what is scored; `tacit predict` foretells it.")
    rows = _rows(opened, new, reading)
    values = encode(reading.table, Schema((opened.target.column,)), unseen="missing" if new.unseen else "error")[:, 0]
    known = np.flatnonzero(~np.isnan(values))
    if not known.size:
        raise DataError(f"{name!r} is missing in every row of {new.path}: there is nothing to score.")
    rows = dataclasses.replace(rows.pick(known), target=values[known])
    X, y = opened.feed(rows), targets(opened.estimator, rows)
    scores = log_predictive(opened.estimator, X, y)
    said = foretold(opened.estimator, X, f"foretold {name}", 0.9)
    told = labels(rows) | {f"known {name}": pa.array(y.tolist()), f"foretold {name}": said[f"foretold {name}"]}
    told |= {"log_density": pa.array(scores)}
    kept = _kept(opened)
    if kept is not None:
        told["p_value"] = pa.array(kept.p_values(scores))
    told |= said
    order = np.argsort(scores, kind="stable")
    table = pa.table(told)
    results.give(table, out, form, show=table.take(pa.array(order[: results.SHOWN])))
    _summary(opened.estimator, X, y, scores, len(values) - len(known), name)


def _kept(opened: Opened) -> Calibration | None:
    try:
        return Calibration.from_scores(opened.run.calibration()["scores"])
    except (FileNotFoundError, KeyError):
        return None


def _summary(estimator: Any, X: Any, y: np.ndarray, scores: np.ndarray, without: int, name: str) -> None:
    """How well all of them were foretold, in a sentence on standard error."""
    said = np.asarray(estimator.predict(X))
    how = (
        f"{percent(float(np.mean(said == y)))} in the right class"
        if is_classifier(estimator)
        else f"off by {short_number(float(np.mean(np.abs(said - y))), 3)} on average"
    )
    lack = f" {counted(without, 'row')} without {name} left out." if without else ""
    talk.remark(
        f"{counted(len(y), 'row')}: {how}, {short_number(float(np.mean(scores)), 3)} nats a row. The least expected "
        f"come first on the screen.{lack}"
    )
