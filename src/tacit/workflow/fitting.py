"""A fit from its rows to a run folder with a model, its judgement and a report.

What a run keeps about its fit beside the model: ``metrics.json``.
"""

import dataclasses
import json
import time
from typing import Any

import numpy as np
from sklearn.base import clone

from tacit import workflow
from tacit.compute import compilation_cache
from tacit.data.images import ImageSet
from tacit.data.long import CountTable
from tacit.data.schema import Schema
from tacit.data.sequenced import SequencedRows, apart
from tacit.data.sums import numbered
from tacit.data.table import Table
from tacit.estimators.capabilities import ReadsKinds, Scores, can
from tacit.estimators.settings import Estimator
from tacit.inference.watch import watch
from tacit.storage.checkpoint import Checkpoint, fingerprint
from tacit.storage.config import RunConfig
from tacit.storage.logs import CsvLog
from tacit.storage.run import REPORT, TRACE, RunFolder
from tacit.workflow import folders
from tacit.workflow.choosing import Chosen, Plan, choose, plan
from tacit.workflow.drifting import kept_columns
from tacit.workflow.errors import AlreadyFinished
from tacit.workflow.events import SILENT, Observer, RowsSplit
from tacit.workflow.judging import Judgement, TopicCurves, empty_groups, judge
from tacit.workflow.reporting import write_report
from tacit.workflow.requests import Asked, FitRequest, read
from tacit.workflow.sources import Rows
from tacit.workflow.supervised import check_learnable, features, settled, targets
from tacit.workflow.targets import classes_of, gaps_said
from tacit.workflow.warned import collected


def metrics(
    plan: Plan, chosen: Chosen, found: Judgement, fitted: Rows, seconds: float, stopped: bool
) -> dict[str, Any]:
    """Everything worth keeping, as plain numbers, texts, lists and mappings."""
    estimator = chosen.estimator
    score = found.held_out
    left_out = fitted.table.left_out if isinstance(fitted.table, Table) else ()
    return {
        "model": plan.model,
        "why": plan.why,
        "structure": str(estimator.get_params(deep=False).get("covariance_type", "")),
        "rows": fitted.whole.values.shape[0],
        "fitted_rows": len(fitted),
        "columns": fitted.columns,
        "written": workflow.rounding.written(fitted),
        "topics": None if found.topics is None else dict(found.topics),
        "target": None if found.target is None else dict(found.target),
        "image": list(fitted.table.shape) if isinstance(fitted.table, ImageSet) else None,
        "source": fitted.table.source,
        "seed": plan.seed,
        "seconds": seconds,
        "interrupted": stopped,
        "choice": {
            "criterion": plan.criterion,
            "what": plan.what,
            "sampled": chosen.sampled,
            "candidates": [dict(row) for row in chosen.candidates],
        },
        "fit": {
            "iterations": estimator.n_iter_,
            "converged": estimator.converged_,
            "stop_reason": estimator.stop_reason_,
            "parameters": estimator.n_parameters_ or None,
            "log_likelihood": found.log_likelihood,
        },
        "groups": [
            {"share": float(share), "words": text}
            for share, text in zip(() if found.shares is None else found.shares, found.groups, strict=True)
        ],
        "noise": found.noise,
        "factors": None if found.factors is None else dict(found.factors),
        "density": None if found.density is None else dict(found.density),
        "certainty": found.certainty,
        "emptied": empty_groups(estimator),
        "verdict": _verdict(estimator, fitted),
        "held_out": None
        if score is None
        else {
            "nats": score.nats,
            "standard_error": score.standard_error,
            "rows": score.rows,
            "bound": can(estimator, Scores) and estimator.scores_are_bounds,
        },
        "warnings": list(found.warnings),
        "notes": list(fitted.table.notes),
        "left_out": [{"name": entry.name, "reason": entry.reason} for entry in left_out],
    }


def _verdict(estimator: Estimator, fitted: Rows) -> list[str]:
    """How far an approximate posterior can be trusted, in sentences."""
    said = [] if estimator.verdict_ is None else list(estimator.verdict_.words())
    scaled = fitted.target is not None and any(term.scale != 1.0 for term in fitted.target.terms)
    if scaled and any("Importance weights change" in text for text in said):
        said.append("Of columns that are numbers, the means above are per standard deviation of the column.")
    return said


EVERY = 10.0
"""Seconds between two checkpoints of a fit."""


@dataclasses.dataclass(frozen=True, eq=False)
class Prepared:
    """A fit that is ready to begin.

    Attributes:
        asked: what is wanted, and all its rows.
        plan: what is to be fitted and what is left to be chosen.
        fitted: the rows that it learns from.
        kept: those kept aside, perhaps none.
        run: the folder that the result goes into.
        began: seconds of `time.monotonic` when it was asked for.
    """

    asked: Asked
    plan: Plan
    fitted: Rows
    kept: Rows
    run: RunFolder
    began: float


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """A fit that has ended, not yet judged.

    Attributes:
        chosen: the estimator, and what it was chosen from.
        plan: of the model that was chosen.
        stopped: whether it was stopped before its end.
        warnings: what it warned of.
        checkpoint: what it can go on from.
        topics: what watched its topics; None for models without any.
        views: of a purchase log, both views and what they say of rows kept aside; else None.
    """

    chosen: Chosen
    plan: Plan
    stopped: bool
    warnings: tuple[str, ...]
    checkpoint: Checkpoint
    topics: TopicCurves | None
    views: dict[str, Any] | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """A fit that was judged and written.

    Attributes:
        rows: all that were read.
        estimator: fitted.
        run: where everything is.
        metrics: what ``metrics.json`` holds.
        stopped: whether it was stopped, and this is the best until then.
    """

    rows: Rows
    estimator: Estimator
    run: RunFolder
    metrics: dict[str, Any]
    stopped: bool


def fit(request: FitRequest, observer: Observer = SILENT) -> Outcome:
    """Read, choose, fit, judge and write.

    Raises:
        KeyboardInterrupt: it was stopped before there was anything to keep, or while it was judged and written.
        AlreadyFinished: the run to go on with is finished.
        ValueError: what is wrong with the rows or a setting; and whatever `tacit.workflow.requests.read` raises.
    """
    began = time.monotonic()
    asked = read(request, observer)
    try:
        prepared = prepare(asked, observer, began)
        return finish(prepared, run(prepared, observer))
    finally:
        asked.lock.release()  # at once, for an error that is looked at keeps what it passed through


@compilation_cache()
def prepare(asked: Asked, observer: Observer, began: float) -> Prepared:
    """Decide what is to be fitted to which rows, and make the run folder.

    Raises:
        AlreadyFinished: the run to go on with lacked nothing but its report, which it now has.
    """
    request, rows = asked.request, asked.rows
    if request.resume and folders.lacks_report(asked.lock.folder):
        report = workflow.runs.write_missing(asked.lock.folder, rows)
        asked.lock.release()
        raise AlreadyFinished(
            f"The fit in {asked.lock.folder} is finished. Its report was missing, and is there now: {report}"
        )
    seen, unseen = _split(rows, request.holdout, request.seed)
    fitted, kept = rows.pick(seen), rows.pick(unseen)
    todo = plan(
        fitted.data,
        rows.schema,
        asked.model,
        asked.settings,
        criterion=request.criterion,
        effort=request.effort,
        seed=request.seed,
        target=None if rows.target is None else rows.target.column,
    )
    check_learnable(todo.estimator, fitted)
    fitted, kept = settled(fitted, kept, todo.estimator)
    config = _config(request, todo, todo.estimator, rows)
    folder = folders.begin(asked.lock.folder, config, resume=request.resume, overwrite=request.overwrite)
    asked.lock.acquire()
    if len(kept):
        observer.tell(RowsSplit(len(fitted), len(kept), rows.what))
    return Prepared(asked, todo, fitted, kept, folder, began)


@compilation_cache()
def run(prepared: Prepared, observer: Observer) -> Fitted:
    """Fit every candidate and keep the best; raises `KeyboardInterrupt` where there is nothing to keep."""
    fitted, folder = prepared.fitted, prepared.run
    checkpoint = Checkpoint(folder.checkpoint_folder, _fingerprint(prepared.plan, fitted), EVERY)
    log = CsvLog(folder.path / TRACE)  # of a fit that runs; what the fit itself keeps replaces it
    topics = [] if fitted.vocabulary is None else [workflow.judging_topics.TopicTrace(fitted.values)]
    with collected() as said, watch(observer, checkpoint, log, *topics):
        chosen, views = _chosen(prepared.plan, fitted, observer), None
        if workflow.views.wanted(prepared.asked, prepared.plan, prepared.kept) and not observer.stopped():
            views = workflow.views.both(prepared.plan, chosen, fitted, prepared.kept, observer)
    best = (chosen, prepared.plan) if views is None else (views.best.chosen, views.best.plan)
    told = None if views is None else views.told()
    return Fitted(*best, observer.stopped(), tuple(said), checkpoint, topics[0] if topics else None, told)


@compilation_cache()
def finish(prepared: Prepared, ended: Fitted) -> Outcome:
    """Judge a fit and write everything into its run folder; the model is what makes it a finished run.

    Raises:
        KeyboardInterrupt: it was stopped before the model was written.
    """
    try:
        return _finished(prepared, ended)
    except KeyboardInterrupt:
        if folders.finished(prepared.run.path):
            raise
        raise KeyboardInterrupt(
            "stopped by Ctrl-C while the result was judged and written. The same command with --resume goes on."
        ) from None


def _finished(prepared: Prepared, ended: Fitted) -> Outcome:
    request, fitted, rows = prepared.asked.request, prepared.fitted, prepared.asked.rows
    chosen, gaps = ended.chosen, gaps_said(fitted)
    said = ended.warnings if gaps is None else (gaps, *ended.warnings)
    with collected():  # what questions to a fitted model warn of says nothing about the fit
        found = judge(chosen, fitted, prepared.kept, said, ended.topics)
    told = metrics(ended.plan, chosen, found, fitted, time.monotonic() - prepared.began, ended.stopped)
    told |= {} if ended.views is None else {"views": ended.views}
    config = _config(request, ended.plan, chosen.estimator, rows)
    _write(prepared.run, config, chosen.estimator, found, told, fitted, prepared.kept)
    if not ended.stopped:
        ended.checkpoint.clear()
    prepared.asked.lock.release()
    return Outcome(rows, chosen.estimator, prepared.run, told, ended.stopped)


def _chosen(todo: Plan, fitted: Rows, observer: Observer) -> Chosen:
    try:
        if fitted.target is not None:
            observer.stage("Fitting")
            estimator = clone(todo.estimator)
            return Chosen(estimator.fit(features(estimator, fitted), targets(estimator, fitted)), ())
        vocabulary = None if fitted.vocabulary is None else fitted.vocabulary.words
        return choose(todo, fitted.data, fitted.schema, observer, vocabulary)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "stopped by Ctrl-C before anything was written. The same command with --resume goes on."
        ) from None


def split(rows: int, holdout: float, seed: int, classes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are fitted and which are kept aside, both in the order of the table.

    At least one row is kept aside where any are wanted, and at least two are fitted. Of ``classes`` to be predicted,
    codes ``[rows]``, equal shares are kept aside, and of each at least one row is fitted.
    """
    number = 0 if holdout == 0 else max(0, min(max(1, round(holdout * rows)), rows - 2))
    order = np.random.default_rng(seed).permutation(numbered(rows))
    if classes is not None:
        order, number = _even(order, classes), min(number, rows - np.unique(classes).size)
    kept, seen = order[:number], order[number:]
    seen.sort()
    kept.sort()
    return seen, kept


def _even(order: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Rows in an order whose every beginning has equal shares of the classes, the last row of each at the end."""
    place = np.empty(len(order))
    for each in np.unique(classes):
        mine = np.flatnonzero(classes[order] == each)
        place[mine] = (np.arange(mine.size) + 0.5) / mine.size
        place[mine[-1]] = 2.0
    return order[np.argsort(place, kind="stable")]


def fitted_rows(rows: Rows, holdout: float, seed: int) -> Rows:
    """The rows of a table that a fit with this share kept aside has seen."""
    return rows.pick(_split(rows, holdout, seed)[0])


def _split(rows: Rows, holdout: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are fitted and which are kept aside; of sequences, whole ones."""
    if isinstance(rows.data, SequencedRows):
        return apart(rows.data, holdout, np.random.default_rng(seed))
    return split(len(rows), holdout, seed, classes_of(rows))


def _config(request: FitRequest, todo: Plan, estimator: Estimator, rows: Rows) -> RunConfig:
    """What the fit is repeated from: the settings, the table, and what was left to be chosen.

    Families that follow from the kinds of the columns are not spelled out.
    """
    if "families" in estimator.get_params(deep=False):
        estimator = clone(estimator).set_params(families=todo.given.get("families", "auto"))
    data = request.source.to_config() | {
        "holdout": request.holdout,
        "criterion": todo.criterion,
        "groups_tried": list(todo.groups),
        "structures_tried": [each for each in todo.structures if each is not None],
        "pixels": rows.table.pixels if isinstance(rows.table, ImageSet) else None,
    }
    if isinstance(rows.table, Table | CountTable) and rows.table.read_as is not None:
        data["read_as"] = rows.table.read_as.to_config()
    return RunConfig.of(estimator, data=data, seed=request.seed, command=request.command)


def _fingerprint(todo: Plan, fitted: Rows) -> str:
    """What tells this fit from another: settings, what is tried, and the rows."""
    columns = None if fitted.schema is None else fitted.schema.to_json()
    tried = json.dumps([todo.groups, todo.structures, todo.criterion, todo.effort, todo.starts, columns])
    return fingerprint(todo.estimator, fitted.data, np.frombuffer(tried.encode("utf-8"), np.uint8))


def _write(
    run: RunFolder,
    config: RunConfig,
    estimator: Estimator,
    found: Judgement,
    told: dict[str, Any],
    fitted: Rows,
    unseen: Rows,
) -> None:
    """Everything into the run folder; the model comes last, for a run that has one is finished."""
    folders.rewrite(run, config)
    run.write_metrics(told)
    if estimator.trace_ is not None:
        run.write_trace(estimator.history_ or estimator.trace_._asdict())
    if found.calibration:
        run.write_calibration(found.calibration)
    kept = kept_columns(estimator, fitted, unseen)
    if kept is not None:
        run.write_columns(kept)
    if fitted.vocabulary is not None:
        run.write_vocabulary(fitted.vocabulary)
    if fitted.target is not None:
        run.write_target(fitted.target)
    write_report(run.path / REPORT, estimator, fitted, told, config, found.calibration)
    run.write_model(estimator, schema=fitted_schema(estimator, fitted.schema))


def fitted_schema(estimator: Estimator, schema: Schema | None) -> Schema | None:
    """The columns with the kinds that the fit gave them, where the user named other families; None for images."""
    if schema is None or not can(estimator, ReadsKinds) or estimator.schema_.names != schema.names:
        return schema
    both = zip(schema.columns, estimator.schema_.columns, strict=True)
    return Schema(tuple(new if new.kind != old.kind else old for old, new in both))
