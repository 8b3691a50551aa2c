"""``tacit score``: how likely each row is, which are odd, and in which columns."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import sparse

from tacit.cli import results, talk
from tacit.cli.documents import score_documents
from tacit.cli.feeding import feed
from tacit.cli.judging import WIDE
from tacit.cli.listing import ROW_COMMANDS, can
from tacit.cli.opened import New, Opened, labels
from tacit.cli.predicting import score_targets
from tacit.cli.sources import Rows
from tacit.compute import compilation_cache
from tacit.data.errors import counted
from tacit.data.levels import show_level
from tacit.data.schema import Schema
from tacit.evaluation.conformal import Calibration
from tacit.evaluation.odd import odd_columns
from tacit.plots.style import short_number
from tacit.storage.errors import ModelFileError

NAMED = 3
"""Columns named for a row at most."""
NOTICED = 1.0
"""Nats below what is typical from which a column is worth a word."""


@compilation_cache()
def score(run: Path, new: New, alarm: float | None, explain: int, out: str | None, form: str | None) -> None:
    """Score new rows by a run, and give the table."""
    results.check(out, form)
    opened = Opened.at(run)
    if opened.target is not None:
        score_targets(opened, new, alarm, out, form)
        return
    if not hasattr(opened.estimator, "score_samples"):
        raise ModelFileError(f"the model of {str(run)!r} gives no densities. {_instead(opened.estimator)}")
    calibration, typical = _calibration(opened)
    if alarm is not None:
        _check_alarm(run, calibration, alarm)
    if opened.vocabulary is not None:
        score_documents(opened, new, calibration, alarm, out, form)
        return
    rows = opened.read(new)
    scores = np.asarray(opened.estimator.score_samples(opened.feed(rows)), np.float64)
    columns = labels(rows) | {"log_density": pa.array(scores)}
    order = np.argsort(scores, kind="stable")
    told = order[: explain if opened.schema is not None else 0]
    if calibration is not None:
        columns["p_value"] = pa.array(calibration.p_values(scores))
    if calibration is not None and alarm is not None:
        odd = calibration.flag(scores, alarm)
        columns["odd"] = pa.array(odd)
        told = order[odd[order]]
    if opened.schema is not None:
        why = np.full(len(rows), "", object)
        why[told] = reasons(opened, rows.pick(told), opened.schema, typical)
        columns["why"] = pa.array([text or None for text in why], pa.string())
    table = pa.table(columns)
    first = order[: results.SHOWN] if alarm is None else told
    results.give(table, out, form, show=table.take(pa.array(first)), wrap="why")
    _summary(rows, calibration, alarm, len(told))


def _instead(estimator: Any) -> str:
    """What a model without densities can do with rows."""
    words = [f"`tacit {word}`" for word in can(estimator) if word in ROW_COMMANDS]
    return f"It can be asked by {', '.join(words)}." if words else ""


def _calibration(opened: Opened) -> tuple[Calibration | None, np.ndarray | None]:
    """What the run kept of the rows kept aside; None where there were none."""
    try:
        kept = opened.run.calibration()
    except FileNotFoundError:
        return None, None
    if "scores" not in kept:
        raise ModelFileError(f"{str(opened.run.path)!r}: calibration.safetensors holds no scores; repeat the run.")
    typical = kept.get("typical")
    if typical is not None and (opened.schema is None or typical.shape != (len(opened.schema),)):
        typical = None
    return Calibration.from_scores(kept["scores"]), typical


def _check_alarm(run: Path, calibration: Calibration | None, alarm: float) -> None:
    """Refuse an alarm that the calibration rows cannot give."""
    needed = Calibration.rows_needed(alarm)
    there = 0 if calibration is None else calibration.scores.size
    if there >= needed:
        return
    least = f", which allows --alarm {math.ceil(1e4 / (there + 1)) / 1e4:g} at least" if there else ""
    raise ModelFileError(
        f"--alarm {alarm:g} needs at least {counted(needed, 'row')} kept aside, and {str(run)!r} kept {there}{least}. "
        "Fit again with a larger --holdout or more rows, or raise the alarm."
    )


def reasons(opened: Opened, rows: Rows, schema: Schema, typical: np.ndarray | None) -> list[str]:
    """For each row the columns that are least likely given the rest of it: ``bill_length_mm 60.1 (−9.2 nats)``.

    The figure is ``log p(x_j | rest) = log p(x) − log p(x without j)`` against what ordinary rows have in the column,
    which frees it of the column's unit.
    """
    if not len(rows):
        return []
    try:
        if len(schema) > WIDE or sparse.issparse(rows.values):
            return [_wide(opened, schema, rows.values[place : place + 1]) for place in range(len(rows))]
        found = odd_columns(opened.estimator, opened.feed(rows))
    except ValueError:  # a model whose columns have no density apart
        return [""] * len(rows)
    ordinary = np.zeros(len(schema)) if typical is None else np.nan_to_num(typical)
    values = np.asarray(rows.values)
    return [_said(schema, found[place] - ordinary, values[place], range(len(schema))) for place in range(len(rows))]


def _wide(opened: Opened, schema: Schema, row: Any) -> str:
    """The same for a row of very many columns, of which those that are not 0 are looked at, the largest first."""
    dense = (row.toarray() if sparse.issparse(row) else np.asarray(row)).astype(np.float64)
    order = np.argsort(-np.nan_to_num(np.abs(dense[0])), kind="stable")[:WIDE]
    columns = [int(place) for place in order if not np.isnan(dense[0, place]) and dense[0, place] != 0]
    if not columns:
        return ""
    without = np.repeat(dense, len(columns) + 1, axis=0)
    without[np.arange(len(columns)), columns] = np.nan
    X = without if sparse.issparse(row) else feed(opened.estimator, without, schema)
    scores = opened.estimator.score_samples(X)
    return _said(schema, scores[-1] - scores[:-1], dense[0, columns], columns)


def _said(schema: Schema, nats: np.ndarray, values: np.ndarray, columns: Sequence[int]) -> str:
    """The lowest columns of a row, in words."""
    order = np.argsort(np.where(np.isnan(nats), np.inf, nats), kind="stable")
    low = [place for place in order[:NAMED] if nats[place] <= -NOTICED]
    told = [f"{_cell(schema, columns[place], values[place])} ({_nats(nats[place])})" for place in low]
    return "; ".join(told) or "only as a combination"


def _nats(value: float) -> str:
    return "impossible" if np.isneginf(value) else f"{short_number(float(value), 2)} nats"


def _cell(schema: Schema, place: int, value: float) -> str:
    column = schema.columns[place]
    if column.levels is not None:
        return f"{column.name} {show_level(column.levels[int(value)])}"
    return f"{column.name} {short_number(float(value), 5)}"


def _summary(rows: Rows, calibration: Calibration | None, alarm: float | None, flagged: int) -> None:
    """What the table says, in a sentence on standard error."""
    if alarm is not None:
        talk.remark(
            f"{counted(flagged, 'odd row')} of {len(rows):,}; of ordinary rows at most "
            f"{short_number(100 * alarm)} % would be flagged on average."
        )
    elif calibration is None:
        talk.remark("No p-values: the fit kept no rows aside (--holdout 0).")
