"""How likely each row is, which are anomalies, and in which columns."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Self

import numpy as np
import pyarrow as pa
from scipy import sparse

from tacit.compute import compilation_cache
from tacit.data.errors import counted
from tacit.data.levels import show_level
from tacit.data.schema import Schema
from tacit.estimators.capabilities import Matrix, Samples, Scores, can
from tacit.estimators.explaining import Explains
from tacit.estimators.explaining import told as link_told
from tacit.evaluation.anomalies import odd_columns
from tacit.evaluation.conformal import Calibration
from tacit.evaluation.gaps import usual_of
from tacit.evaluation.rows import new_rows
from tacit.evaluation.typicality import ratios
from tacit.plots.style import short_number
from tacit.storage.errors import ModelFileError
from tacit.workflow.answers import FIRST_ROWS, TableAnswer
from tacit.workflow.documents import score_documents
from tacit.workflow.errors import RequestError
from tacit.workflow.feeding import feed
from tacit.workflow.judging import WIDE, by_ratio
from tacit.workflow.listing import next_commands
from tacit.workflow.opened import Opened, labels
from tacit.workflow.predicting import score_targets
from tacit.workflow.sources import Rows

NAMED = 3
"""Columns named for a row at most."""
NOTICED = 1.0
"""Nats below what is typical from which a column is worth a word."""


@compilation_cache()
def score(opened: Opened, rows: Rows, alarm: float | None = None, explain: int = 10) -> TableAnswer:
    """Score new rows by a run.

    Args:
        opened: the run.
        rows: the new rows, as `Opened.read` gives them.
        alarm: the share of ordinary rows that may be flagged; None flags none.
        explain: how many of the least likely rows get a reason where there is no alarm.

    Raises:
        ModelFileError: the model has no densities, or the run kept too few rows aside for the alarm.
    """
    check_alarm_of_target(opened, alarm)
    if opened.target is not None:
        return score_targets(opened, rows)
    measure = Measure.of(opened, alarm)
    if opened.vocabulary is not None:
        return score_documents(opened, rows, measure.calibration, alarm)
    columns, scores = measure.columns(rows)
    gaps, order = _with_gaps(opened, rows, scores, measure.by_ratio)
    told = first_of(order, gaps, explain if opened.schema is not None else 0)
    if "odd" in columns:
        told = order[np.asarray(columns["odd"])[order]]
    if opened.schema is not None:
        columns["why"] = measure.why(rows, told)
    table = pa.table(columns)
    first = first_of(order, gaps, FIRST_ROWS, together=True) if alarm is None else told
    remarks = measure.summary(len(rows), len(told))
    if gaps.any() and not gaps.all():
        remarks = (*remarks, GAPS_SAID)
    return TableAnswer(table, shown=table.take(pa.array(first)), wrap="why", remarks=remarks)


def check_alarm_of_target(opened: Opened, alarm: float | None) -> None:
    """Refuse an alarm where the target is scored."""
    if opened.target is not None and alarm is not None:
        raise RequestError("--alarm is about odd rows; the model of this run scores the target of each row alone.")


@dataclasses.dataclass(frozen=True, eq=False)
class Measure:
    """What rows are scored by: a run, and what it kept of the rows kept aside.

    Attributes:
        opened: the run.
        alarm: the share of ordinary rows that may be flagged, or None.
        calibration: the scores of the rows kept aside, or None.
        typical: of every column, what ordinary rows have in it; or None.
        by_ratio: the columns that count by ratios, or None.
    """

    opened: Opened
    alarm: float | None
    calibration: Calibration | None
    typical: np.ndarray | None
    by_ratio: np.ndarray | None

    @classmethod
    def of(cls, opened: Opened, alarm: float | None) -> Self:
        """Raises `ModelFileError` where the model has no densities, or too few rows were kept aside for the alarm."""
        if not can(opened.estimator, Scores):
            raise ModelFileError(f"the model of {str(opened.run.path)!r} gives no densities. {_instead(opened)}")
        calibration, typical = _calibration(opened)
        if alarm is not None:
            _check_alarm(opened, calibration, alarm)
        by_ratio = None if opened.vocabulary is not None else _by_ratio(opened)
        return cls(opened, alarm, calibration, typical, by_ratio)

    def columns(self, rows: Rows) -> tuple[dict[str, pa.Array], np.ndarray]:
        """What is said of rows beside reasons, and the scores that they are ordered by."""
        scores = np.asarray(self.opened.estimator.score_samples(self.opened.feed(rows)), np.float64)
        columns = labels(rows) | {"log_density": pa.array(scores)}
        if self.by_ratio is not None:  # the order of rows, and what is odd, must not hang on units
            scores = scores + ratios(np.asarray(rows.values, np.float64), self.by_ratio).sum(axis=1)
            columns["typicality"] = pa.array(scores)
        if self.calibration is not None:
            p_values = self.calibration.p_values(scores)
            columns["p_value"] = pa.array(p_values)
            if self.alarm is not None:
                columns["odd"] = pa.array(p_values <= self.alarm)
        return columns, scores

    def why(self, rows: Rows, told: np.ndarray) -> pa.Array:
        """The reasons of some rows, by their places; of all others none."""
        why = np.full(len(rows), "", object)
        if len(told) and self.opened.schema is not None:
            why[told] = reasons(self.opened, rows.pick(told), self.opened.schema, self.typical)
        return pa.array([text or None for text in why], pa.string())

    def summary(self, rows: int, flagged: int) -> tuple[str, ...]:
        """What all rows say together, in a sentence."""
        if self.alarm is not None:
            return (
                f"{counted(flagged, 'odd row')} of {rows:,}; of ordinary rows at most "
                f"{short_number(100 * self.alarm)} % would be flagged on average.",
            )
        return () if self.calibration is not None else ("No p-values: the fit kept no rows aside (--holdout 0).",)


def _by_ratio(opened: Opened) -> np.ndarray | None:
    """The columns that count by ratios; None where none does, or the run kept log densities alone to judge by."""
    chosen = by_ratio(opened.estimator, opened.schema)
    try:
        known = "typicality" in opened.run.calibration()
    except FileNotFoundError:
        known = True
    return chosen if chosen.any() and known else None


GAPS_SAID = (
    "Rows with gaps stand apart: their log density is that of the values that are there, and cannot be set beside that "
    "of a complete row. They are ordered by how far they lie from what is usual for as much as is seen of them."
)
USUAL_ROWS = 200
"""Rows drawn to see what is usual where some columns are missing."""
SHOWN_GAPS = 5
"""Rows with gaps that a person is shown, beside complete ones."""


def _with_gaps(
    opened: Opened, rows: Rows, scores: np.ndarray, chosen: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Which rows have gaps; and all rows in order, the least likely first, those with gaps after the complete ones."""
    order = np.argsort(scores, kind="stable")
    none = np.zeros(len(scores), bool)
    if opened.schema is None or sparse.issparse(rows.whole.values):
        return none, order
    missing = np.isnan(np.asarray(rows.values, np.float64))
    gaps = np.asarray(missing.any(axis=1))
    if not gaps.any() or gaps.all():
        return none, order
    patterns, place, counts = np.unique(missing[gaps], axis=0, return_inverse=True, return_counts=True)
    usual = usual_of_gaps(opened, patterns, counts, chosen)[place.ravel()]
    return gaps, gaps_last(scores, gaps, usual)


def gaps_last(scores: np.ndarray, gaps: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """All rows in order, the least likely first, those with gaps after the complete ones.

    Args:
        scores: of all rows.
        gaps: which rows have some.
        usual: of those, the score that is usual for as much as is seen of them.
    """
    order, apart = np.argsort(scores, kind="stable"), np.flatnonzero(gaps)
    against = scores[apart] - usual
    return np.concatenate([order[~gaps[order]], apart[np.argsort(against, kind="stable")]])


def usual_of_gaps(opened: Opened, patterns: np.ndarray, counts: np.ndarray, chosen: np.ndarray | None) -> np.ndarray:
    """The score that is usual where these columns are missing, a set of them a row; 0 where that is not known."""
    schema = opened.schema
    if schema is None or not can(opened.estimator, Samples):
        return np.zeros(len(patterns))
    try:
        drawn = np.asarray(new_rows(opened.estimator, USUAL_ROWS), np.float64)

        def score(some: np.ndarray) -> np.ndarray:
            found = np.asarray(opened.estimator.score_samples(feed(opened.estimator, some, schema)))
            return found if chosen is None else found + ratios(some, chosen).sum(axis=1)

        return np.nan_to_num(usual_of(score, drawn, patterns, counts))
    except ValueError:  # rows that cannot be drawn without their total
        return np.zeros(len(patterns))


def first_of(order: np.ndarray, gaps: np.ndarray, number: int, *, together: bool = False) -> np.ndarray:
    """The oddest complete rows and the oddest with gaps; so many of each, or of both together."""
    whole, apart = order[~gaps[order]], order[gaps[order]]
    if together:
        apart = apart[: max(SHOWN_GAPS, number - len(whole))]
        return np.concatenate([whole[: number - len(apart[:number])], apart[:number]])
    return np.concatenate([whole[:number], apart[:number]])


def _instead(opened: Opened) -> str:
    """What a model without densities can do with rows."""
    commands = [f"`tacit {command}`" for command in next_commands(opened.model, opened.estimator)]
    return f"It can be asked by {', '.join(commands)}." if commands else ""


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
    return Calibration.from_scores(kept.get("typicality", kept["scores"])), typical


def _check_alarm(opened: Opened, calibration: Calibration | None, alarm: float) -> None:
    """Refuse an alarm that the calibration rows cannot give."""
    needed = Calibration.rows_needed(alarm)
    there = 0 if calibration is None else calibration.scores.size
    if there >= needed:
        return
    least = f", which allows --alarm {math.ceil(1e4 / (there + 1)) / 1e4:g} at least" if there else ""
    raise ModelFileError(
        f"--alarm {alarm:g} needs at least {counted(needed, 'row')} kept aside, and {str(opened.run.path)!r} kept "
        f"{there}{least}. Fit again with a larger --holdout or more rows, or raise the alarm."
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
        chosen = _by_ratio(opened)
        if chosen is not None:
            found = found + ratios(np.asarray(rows.values, np.float64), chosen)
    except ValueError:  # a model whose columns have no density apart
        return [""] * len(rows)
    ordinary = np.zeros(len(schema)) if typical is None else np.nan_to_num(typical)
    values = np.asarray(rows.values)
    return [
        _said(schema, found[place] - ordinary, values[place], range(len(schema)))
        or _otherwise(opened, schema, found[place] - ordinary, values[place])
        for place in range(len(rows))
    ]


def _otherwise(opened: Opened, schema: Schema, nats: np.ndarray, values: np.ndarray) -> str:
    """What there is to say of a row no column of which is unlikely given all the others.

    A column may lie far out by itself, with others that agree (a total of everything); else the first that is
    surprising given those before it; else nothing stands out, and the least likely columns are named.
    """
    if can(opened.estimator, Explains):
        try:
            every = range(len(values))
            seen = [place for place in every if not np.isnan(values[place])]
            alone = [link for place in seen for link in opened.estimator.chain(values, [place], schema)]
            links = sorted((link for link in alone if link.surprising), key=lambda link: link.tail)
            if links:
                return "; ".join(f"{link_told(link)}, by itself" for link in links[:NAMED])
            first = next((link for link in opened.estimator.chain(values, every, schema) if link.surprising), None)
            if first is not None:
                return f"only as a combination: {link_told(first)}"
        except ValueError:  # columns that have no density one by one
            pass
    order = np.argsort(np.where(np.isnan(nats), np.inf, nats), kind="stable")[:2]
    low = [f"{_cell(schema, int(place), values[place])} ({_nats(nats[place])})" for place in order if nats[place] < 0]
    return "no column stands out" + (f"; lowest are {'; '.join(low)}" if low else "")


def _wide(opened: Opened, schema: Schema, row: Matrix) -> str:
    """The same for a row of very many columns, of which those that are not 0 are looked at, the largest first."""
    dense = (row if isinstance(row, np.ndarray) else row.toarray()).astype(np.float64)
    order = np.argsort(-np.nan_to_num(np.abs(dense[0])), kind="stable")[:WIDE]
    columns = [int(place) for place in order if not np.isnan(dense[0, place]) and dense[0, place] != 0]
    if not columns:
        return ""
    without = np.repeat(dense, len(columns) + 1, axis=0)
    without[np.arange(len(columns)), columns] = np.nan
    X = without if sparse.issparse(row) else feed(opened.estimator, without, schema)
    scores = opened.estimator.score_samples(X)
    return _said(schema, scores[-1] - scores[:-1], dense[0, columns], columns) or "no column stands out"


def _said(schema: Schema, nats: np.ndarray, values: np.ndarray, columns: Sequence[int]) -> str:
    """The columns of a row that are unlikely given the others, in words; nothing where none is."""
    order = np.argsort(np.where(np.isnan(nats), np.inf, nats), kind="stable")
    low = [place for place in order[:NAMED] if nats[place] <= -NOTICED]
    told = [f"{_cell(schema, columns[place], values[place])} ({_nats(nats[place])})" for place in low]
    return "; ".join(told)


def _nats(value: float) -> str:
    return "impossible" if np.isneginf(value) else f"{short_number(float(value), 2)} nats"


def _cell(schema: Schema, place: int, value: float) -> str:
    column = schema.columns[place]
    if column.levels is not None:
        return f"{column.name} {show_level(column.levels[int(value)])}"
    return f"{column.name} {short_number(float(value), 9)}"
