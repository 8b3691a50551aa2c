"""``tacit fit``: from a table or images to a run folder with a model, its judgement and a report."""

import dataclasses
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import typer
from sklearn.base import clone

from tacit import registry
from tacit.cli import corpora, folders, outcome, talk
from tacit.cli import settings as words
from tacit.cli.choosing import Chosen, Plan, choose, plan
from tacit.cli.failures import INTERRUPTED, UsageFault
from tacit.cli.judging import Judgement, judge
from tacit.cli.listing import ROW_COMMANDS, can
from tacit.cli.progress import Watch
from tacit.cli.reporting import write_report
from tacit.cli.sources import Rows, Source, tell
from tacit.cli.targets import aim, check_learnable, classes_of, features, gaps_said, settled, targets, tell_target
from tacit.compute import compilation_cache
from tacit.data.errors import counted
from tacit.data.images import ImageSet
from tacit.data.schema import Schema
from tacit.evaluation.topic_trace import TopicTrace
from tacit.inference.watch import watch
from tacit.storage.checkpoint import Checkpoint, fingerprint
from tacit.storage.config import RunConfig
from tacit.storage.lock import FolderLock
from tacit.storage.logs import CsvLog
from tacit.storage.run import REPORT, TRACE, RunFolder

EVERY = 10.0
"""Seconds between two checkpoints of a fit."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What ``tacit fit`` was asked to do; the fields are its arguments and options."""

    source: Source
    model: str | None = None
    settings: tuple[str, ...] = ()
    criterion: str | None = None
    holdout: float = 0.1
    seed: int = 0
    out: Path | None = None
    resume: bool = False
    overwrite: bool = False
    command: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Finished:
    """A fit that was written: the rows it has seen, the estimator, and its run."""

    rows: Rows
    estimator: Any
    run: RunFolder


@compilation_cache()
def fit(request: Request) -> Finished:
    """Read, choose, fit, judge, write and tell.

    Raises:
        typer.Exit: after Ctrl-C, when the best so far has been written.
    """
    began = time.monotonic()
    given = words.parse(request.settings)
    model = None if request.model is None else words.model_name(request.model)
    if model is not None:
        words.named(model, given)
    kind = None if model is None else registry.get(model)
    with _folder(request) as lock:
        return _fitted(request, lock, model, given, kind, began)


def _fitted(
    request: Request,
    lock: FolderLock,
    model: str | None,
    given: dict[str, Any],
    kind: type | None,
    began: float,
) -> Finished:
    """All of it, once the folder is known: one that is there is held already, a new one as soon as it is made."""
    rows = request.source.load(corpus=corpora.wanted(request.source.path, request.source.words, kind))
    tell(rows)
    if request.source.target is not None:
        rows = aim(rows, request.source.target)
        tell_target(rows)
    seen, unseen = split(len(rows), request.holdout, request.seed, classes_of(rows))
    fitted, kept = rows.pick(seen), rows.pick(unseen)
    column = None if rows.aim is None else rows.aim.column
    todo = plan(fitted.values, rows.schema, model, given, criterion=request.criterion, seed=request.seed, target=column)
    check_learnable(todo.estimator, fitted)
    fitted, kept = settled(fitted, kept, todo.estimator)
    config = _config(request, todo, todo.estimator, rows)
    run = folders.begin(lock.folder, config, resume=request.resume, overwrite=request.overwrite)
    lock.acquire()
    if len(kept):
        what = counted(len(fitted), rows.what)
        talk.say(f"{what} to learn from, {len(kept):,} kept aside to test the model on.", indent=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        checkpoint = Checkpoint(run.checkpoint_folder, _fingerprint(todo, fitted), EVERY)
        log = CsvLog(run.path / TRACE)  # of a fit that runs; what the fit itself keeps replaces it
        topics = [] if fitted.vocabulary is None else [TopicTrace(fitted.values)]
        with Watch("Fitting") as looking, watch(looking, checkpoint, log, *topics):
            chosen = _chosen(todo, fitted, looking)
        said = [gaps_said(fitted), *(str(each.message) for each in caught)]
        found = judge(chosen, fitted, kept, [each for each in said if each is not None], *topics)
    told = outcome.metrics(todo, chosen, found, fitted, time.monotonic() - began, looking.stopped)
    _write(run, _config(request, todo, chosen.estimator, rows), chosen.estimator, found, told, fitted)
    if not looking.stopped:
        checkpoint.clear()
    outcome.tell_choice(told)
    outcome.tell_groups(told)
    _tell_where(run, chosen.estimator, looking.stopped, rows)
    if looking.stopped:
        raise typer.Exit(INTERRUPTED)
    return Finished(rows, chosen.estimator, run)


def _chosen(todo: Plan, fitted: Rows, looking: Watch) -> Chosen:
    try:
        if fitted.aim is not None:
            looking.stage("Fitting")
            estimator = clone(todo.estimator)
            return Chosen(estimator.fit(features(estimator, fitted), targets(estimator, fitted)), ())
        words = None if fitted.vocabulary is None else fitted.vocabulary.words
        return choose(todo, fitted.values, fitted.schema, looking, words)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "stopped by Ctrl-C before anything was written. The same command with --resume goes on."
        ) from None


def split(rows: int, holdout: float, seed: int, classes: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Which rows are fitted and which are kept aside, both in the order of the table.

    At least one row is kept aside where any are wanted, and at least two are fitted. Of ``classes`` to be foretold,
    codes ``[rows]``, equal shares are kept aside, and of each at least one row is fitted.
    """
    number = 0 if holdout == 0 else max(0, min(max(1, round(holdout * rows)), rows - 2))
    order = np.random.default_rng(seed).permutation(rows)
    if classes is not None:
        order, number = _even(order, classes), min(number, rows - np.unique(classes).size)
    return np.sort(order[number:]), np.sort(order[:number])


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
    return rows.pick(split(len(rows), holdout, seed, classes_of(rows))[0])


def _folder(request: Request) -> FolderLock:
    """The folder of the run, held if there is one; leaves where nothing is left to do, before anything is read."""
    if request.resume and request.overwrite:
        raise UsageFault("--resume goes on with a run and --overwrite throws it away; say one of them.")
    folder = folders.choose_folder(request.out, request.source.path, resume=request.resume, overwrite=request.overwrite)
    lock = FolderLock(folder)
    if folders.is_run(folder):
        lock.acquire()
    if folders.is_run(folder) and not request.overwrite:
        if not request.resume:
            raise folders.taken(folder)
        run = RunFolder(folder)
        if run.finished and not folders.interrupted(run):
            talk.say(f"The fit in {folder} is finished: there is nothing to go on with. `tacit show {folder}` tells.")
            raise typer.Exit(0)
    return lock


def _config(request: Request, todo: Plan, estimator: Any, rows: Rows) -> RunConfig:
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
    return RunConfig.of(estimator, data=data, seed=request.seed, command=request.command)


def _fingerprint(todo: Plan, fitted: Rows) -> str:
    """What tells this fit from another: settings, what is tried, and the rows."""
    columns = None if fitted.schema is None else fitted.schema.to_json()
    tried = json.dumps([todo.groups, todo.structures, todo.criterion, todo.starts, columns])
    return fingerprint(todo.estimator, fitted.values, np.frombuffer(tried.encode("utf-8"), np.uint8))


def _write(
    run: RunFolder, config: RunConfig, estimator: Any, found: Judgement, told: dict[str, Any], fitted: Rows
) -> None:
    """Everything into the run folder; the model comes late, for a run that has one is finished."""
    folders.rewrite(run, config)
    run.write_metrics(told)
    if getattr(estimator, "trace_", None) is not None:
        run.write_trace(getattr(estimator, "history_", estimator.trace_))
    if found.calibration:
        run.write_calibration(found.calibration)
    if fitted.vocabulary is not None:
        run.write_vocabulary(fitted.vocabulary)
    if fitted.aim is not None:
        run.write_target(fitted.aim)
    run.write_model(estimator, schema=fitted_schema(estimator, fitted.schema))
    write_report(run.path / REPORT, estimator, fitted, told, config, found.calibration)


def fitted_schema(estimator: Any, schema: Schema | None) -> Schema | None:
    """The columns with the kinds that the fit gave them, where the user named other families; None for images."""
    own = getattr(estimator, "schema_", None)
    if schema is None or own is None or own.names != schema.names:
        return schema
    return Schema(
        tuple(new if new.kind != old.kind else old for old, new in zip(schema.columns, own.columns, strict=True))
    )


def _tell_where(run: RunFolder, estimator: Any, stopped: bool, rows: Rows) -> None:
    if stopped:
        talk.heading("Stopped by Ctrl-C: this is the best so far")
        talk.say(f"Go on with it: the same command with --out {run.path} --resume", indent=1)
    talk.say("")
    talk.fact("Run", run.path)
    talk.fact("Report", run.path / REPORT)
    asked = {word for word in can(estimator) if word in ROW_COMMANDS}
    asked -= {"transform"} if "encode" in asked else set()  # which gives the same, and more
    first, *others = sorted(asked, key=ROW_COMMANDS.index)
    also = f"   (also {', '.join(others)})" if others else ""
    talk.fact("Next", f"tacit {first} {run.path} {'NEW.npz' if rows.what == 'image' else 'NEW.csv'}{also}")
