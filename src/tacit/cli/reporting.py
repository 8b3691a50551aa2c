"""The report of a run: everything the page tells, gathered from the fit and from what the run keeps."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from tacit import report
from tacit.cli import outcome
from tacit.cli.feeding import feed
from tacit.cli.judging import responsibilities
from tacit.cli.sources import Rows
from tacit.evaluation._rows import new_rows
from tacit.report import gather
from tacit.report.content import Candidate, Candidates, Groups, HeldOut, ModelSummary, Repeat, ReportContent, Trace
from tacit.storage.config import RunConfig
from tacit.storage.model_file import versions

SAMPLES = 500
DENSE_ROWS = 200_000
SPARSE_ROWS = 5_000
ITEMS = 60
"""Rows of a table, rows of counts, and items that a report shows at most."""


def write_report(path: Path, estimator: Any, fitted: Rows, told: Mapping[str, Any], config: RunConfig) -> Path:
    """Write the report of a fit as one HTML file.

    Args:
        path: where to.
        estimator: fitted.
        fitted: the rows it was fitted to.
        told: the run's metrics.
        config: what the run is repeated from.
    """
    if fitted.schema is None:
        path.write_text("<!DOCTYPE html><title>Images</title>", encoding="utf-8")
        return path
    return report.write(path, content(estimator, fitted, told, config))


def content(estimator: Any, fitted: Rows, told: Mapping[str, Any], config: RunConfig) -> ReportContent:
    """What the report tells."""
    rows, columns, left = _looked_at(fitted)
    table = rows.as_table(columns)
    X = feed(estimator, rows.values, fitted.schema)
    share = responsibilities(estimator, X)
    model = getattr(estimator, "model_", None)
    score = told["held_out"]
    trace = getattr(estimator, "trace_", None)
    return ReportContent(
        title=f"{'A model of' if share is None else 'The groups in'} {Path(table.source).name}",
        source=Path(table.source).name,
        schema=table.schema,
        values=table.values,
        row_names=None if table.row_ids is None else table.row_ids.tolist(),
        left_out=table.left_out,
        notes=(*table.notes, *left),
        model=ModelSummary(
            outcome.name_of(told),
            f"{outcome.reason(told)}.",
            structure=told["structure"],
            parameters=told["fit"]["parameters"],
        ),
        graph=estimator.graph() if hasattr(estimator, "graph") else None,
        candidates=_candidates(told["choice"]),
        trace=None
        if trace is None
        else Trace(
            np.asarray(trace.iteration),
            np.asarray(trace.bound),
            float(trace.seconds[-1]) if len(trace.seconds) else None,
            told["fit"]["converged"],
            told["fit"]["stop_reason"],
        ),
        snapshots=gather.snapshots(estimator),
        groups=None
        if share is None
        else Groups(
            np.array([group["share"] for group in told["groups"]]),
            share,
            gather.gaussians(model),
            gather.curves(model, table.schema, table.values) if len(columns) == fitted.columns else {},
        ),
        log_density=np.asarray(estimator.score_samples(X)) if hasattr(estimator, "score_samples") else None,
        samples=_samples(estimator, columns),
        held_out=None if score is None else HeldOut(score["nats"], score["standard_error"], score["rows"]),
        warnings=tuple(told["warnings"]),
        repeat=Repeat(command=shlex.join(config.command), config=config.to_toml(), versions=tuple(versions().items())),
    )


def _looked_at(fitted: Rows) -> tuple[Rows, np.ndarray, tuple[str, ...]]:
    """The rows and columns that a page can show, and a note on what is left: of counts the items bought most."""
    columns, notes, limit = np.arange(fitted.columns), [], DENSE_ROWS
    if sparse.issparse(fitted.values):
        limit = SPARSE_ROWS
        if len(columns) > ITEMS:
            totals = np.asarray(fitted.values.sum(axis=0)).ravel()
            columns = np.sort(np.argsort(-totals, kind="stable")[:ITEMS])
            notes.append(f"this report shows the {ITEMS} items of {fitted.columns} that were bought most")
    if len(fitted) > limit:
        notes.append(f"this report shows {limit:,} of the {len(fitted):,} rows, drawn at random")
        places = np.random.default_rng(0).choice(len(fitted), limit, replace=False)
        fitted = fitted.pick(np.sort(places))
    return fitted, columns, tuple(notes)


def _samples(estimator: Any, columns: np.ndarray) -> np.ndarray | None:
    """Rows drawn from the model, for a model that can be drawn from without more being said."""
    if not hasattr(estimator, "sample"):
        return None
    try:
        return new_rows(estimator, SAMPLES)[:, columns]
    except ValueError:
        return None


def _candidates(choice: Mapping[str, Any]) -> Candidates | None:
    """What was chosen from, or nothing where there was no choice."""
    rows = choice["candidates"]
    if len(rows) < 2:
        return None
    column = choice["criterion"].replace("-", "_")
    listed = tuple(
        Candidate(
            int(row["n_components"]),
            row["covariance"],
            _number(row[column]),
            _number(row["log_likelihood"]),
            row["n_parameters"],
            bool(row["converged"]),
            bool(row["at_floor"]),
        )
        for row in rows
    )
    name = choice["criterion"].upper() if len(column) == 3 else choice["criterion"]
    return Candidates(listed, outcome.chosen_place(rows, column), name)


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
