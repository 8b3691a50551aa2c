"""The report of a run: what the page tells, taken from the fit and from what the run keeps."""

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import sparse

from tacit import workflow
from tacit.data.corpus import Corpus
from tacit.data.dataset import Values
from tacit.data.schema import Schema
from tacit.data.sequenced import SequencedRows, order_of
from tacit.data.texts import Vocabulary
from tacit.estimators.capabilities import (
    Codes,
    HasTopics,
    MatrixLike,
    Mixes,
    Samples,
    Scores,
    ScoresByDraws,
    TellsTables,
    can,
)
from tacit.estimators.factors.capabilities import HasFactors
from tacit.estimators.network.capabilities import HasArrows
from tacit.estimators.settings import Estimator
from tacit.evaluation.gaps import usual_scores
from tacit.evaluation.rows import new_rows
from tacit.evaluation.typicality import ratios
from tacit.report import deep, groups, predictions, topics
from tacit.report.choice import Candidate, Candidates
from tacit.report.deep import Code
from tacit.report.factor_section import FactorCount, Factors, factor_section
from tacit.report.fit import BoundCurve, FitFacts, HeldOutFact, ModelSummary, Repeat
from tacit.report.flow_section import flow_section
from tacit.report.groups import Groups
from tacit.report.image_section import image_report
from tacit.report.network_section import network_section
from tacit.report.page import Report, write
from tacit.report.parts import Section
from tacit.report.prediction_section import prediction_report
from tacit.report.sequence_section import sequence_section
from tacit.report.table import FittedTable
from tacit.report.table_report import figure_section, table_report
from tacit.report.topic_section import topic_report
from tacit.storage.config import RunConfig
from tacit.storage.model_file import versions
from tacit.workflow import summary
from tacit.workflow.feeding import feed
from tacit.workflow.judging import by_ratio, empty_groups, responsibilities
from tacit.workflow.sources import Rows

SAMPLES = 500
USUAL_ROWS = 200
"""Rows drawn to see what is usual where some columns are missing."""
DENSE_ROWS = 200_000
SPARSE_ROWS = 5_000
ITEMS = 60
"""Rows of a table, rows of counts, and items that a report shows at most."""


def write_report(
    path: Path,
    estimator: Estimator,
    fitted: Rows,
    told: Mapping[str, Any],
    config: RunConfig,
    kept: Mapping[str, np.ndarray] | None = None,
) -> Path:
    """Write the report of a fit as one HTML file.

    Args:
        path: where to.
        estimator: fitted.
        fitted: the rows it was fitted to; images have no ``schema``, and may have ``labels``.
        told: the run's metrics.
        config: what the run is repeated from.
        kept: what the run keeps of the rows kept aside, where a column is predicted.
    """
    return write(path, made(estimator, fitted, told, config, kept))


def made(
    estimator: Estimator,
    fitted: Rows,
    told: Mapping[str, Any],
    config: RunConfig,
    kept: Mapping[str, np.ndarray] | None = None,
) -> Report:
    """The report of a fit, by what it was fitted to: documents, images, or a table, perhaps to predict a column."""
    if fitted.vocabulary is not None:
        return _of_documents(estimator, fitted, fitted.vocabulary, told, config)
    if fitted.schema is None:
        return _of_images(estimator, fitted, told, config)
    rows, columns, left = _looked_at(fitted)
    table = rows.as_table(columns)
    shown = FittedTable(table.schema, table.values, None if table.row_ids is None else table.row_ids.tolist())
    fit, name = _fit(estimator, told, config, table.source, (*table.notes, *left)), Path(table.source).name
    if fitted.target is not None:
        found = predictions.prediction(told["target"], kept or {})
        own = _figures(estimator, rows.data)
        title = f"Predicting {told['target']['name']} in {name}"
        return prediction_report(title, fit, shown, found, table.left_out, (own,))
    X = feed(estimator, rows.data, fitted.schema)
    facts = workflow.reporting_sequences.sequence_facts(estimator, X) if isinstance(X, SequencedRows) else None
    code, arrows = deep.code(estimator, X, fitted.labels), can(estimator, HasArrows)
    share, samples = responsibilities(estimator, X), _samples(estimator, columns)
    density = workflow.reporting_flows.density_facts(
        estimator, told.get("density"), (kept or {}).get("ranks"), shown, X, samples
    )
    return table_report(
        f"{'A model of' if share is None else 'The groups in'} {name}",
        dataclasses.replace(fit, held_out=_held_out(estimator, told, code)),
        shown,
        groups=None if share is None else _groups(estimator, told, share, shown, whole=len(columns) == fitted.columns),
        snapshots=groups.snapshots(estimator),
        candidates=_candidates(told["choice"]),
        log_density=_typicality(estimator, X, code, fitted),
        by_ratio=tuple(np.array(fitted.schema.names)[by_ratio(estimator, fitted.schema)].tolist()),
        usual=_usual(estimator, fitted.schema, shown) if code is None and len(columns) == fitted.columns else None,
        samples=None if code is not None and code.point else samples,
        code=code,
        own=(
            sequence_section(facts),
            flow_section(density),
            factor_section(_factors(estimator, told.get("factors"), X)),
            network_section(workflow.reporting_networks.network_facts(estimator, X) if arrows else None),
            _figures(estimator, X) if density is None else None,
        ),
        reasons=workflow.reporting_networks.reasons(estimator, X) if arrows else {},
        left_out=table.left_out,
    )


def _figures(estimator: Estimator, X: Any) -> Section | None:
    """The tables that a model tells of itself."""
    return figure_section(estimator.told_tables(X) if can(estimator, TellsTables) else ())


def _factors(estimator: Estimator, told: Mapping[str, Any] | None, X: MatrixLike) -> Factors | None:
    """The factors, and the scores of the rows on them."""
    if told is None or not can(estimator, HasFactors):
        return None
    scores, deviations = estimator.transform(X, return_std=True)
    own, related = told.get("uniquenesses"), told.get("correlations")
    return Factors(
        tuple(told["columns"]),
        np.asarray(told["loadings"], np.float64),
        np.asarray(told["explained"], np.float64),
        tuple(told["sentences"]),
        tuple(told.get("fit_sentences") or ()),
        None if related is None else np.asarray(related),
        None if own is None else np.asarray(own),
        np.asarray(scores, np.float64),
        np.asarray(deviations, np.float64),
        _how_many(told.get("number")),
    )


def _how_many(told: Mapping[str, Any] | None) -> FactorCount | None:
    """What was said of how many factors there are."""
    if told is None:
        return None
    keys = ("components", "factors", "components_of_noise", "factors_of_noise")
    components, factors, *noise = (np.asarray(told[key], np.float64) for key in keys)
    one, other = told["suggested"]
    return FactorCount(tuple(told["sentences"]), components, factors, noise[0], noise[1], (one, other))


def _fit(
    estimator: Estimator, told: Mapping[str, Any], config: RunConfig, source: str, notes: Sequence[str]
) -> FitFacts:
    """What every report tells of its fit, but for a score of rows kept aside."""
    return FitFacts(
        source=Path(source).name,
        model=_summary(estimator, told),
        graph=estimator.graph(),
        trace=_trace(estimator, told),
        trust=tuple(told.get("verdict") or ()),
        warnings=tuple(told["warnings"]),
        notes=tuple(notes),
        repeat=_repeat(config),
    )


def _groups(
    estimator: Estimator, told: Mapping[str, Any], share: np.ndarray, rows: FittedTable, *, whole: bool
) -> Groups:
    """The groups; the curves of their columns where the report shows the ``whole`` table."""
    number = share.shape[1]
    chain = workflow.reporting_sequences.emissions_of
    model = estimator.model_ if can(estimator, Mixes) else chain(estimator)
    return Groups(
        np.array([group["share"] for group in told["groups"]]),
        share,
        groups.gaussians(model, number),
        groups.curves(model, rows.schema, rows.values, number) if whole else {},
        empty_groups(estimator),
        told.get("noise"),
        groups.dependent(model),
        tuple(group.get("name") for group in told["groups"]),
    )


def _of_images(estimator: Estimator, fitted: Rows, told: Mapping[str, Any], config: RunConfig) -> Report:
    """Of images: values ``(n, height, width[, channels])``, perhaps with labels and names."""
    values = np.asarray(fitted.values)
    names = [f"No. {number}" for number in fitted.numbers] if fitted.ids is None else fitted.ids.tolist()
    code = deep.code(estimator, values, fitted.labels)
    fit = _fit(estimator, told, config, fitted.table.source, fitted.table.notes)
    fit = dataclasses.replace(fit, held_out=_held_out(estimator, told, code, values))
    title = f"A model of {fit.source}"
    if code is None:
        return table_report(title, fit)
    return image_report(title, fit, deep.images(estimator, values, names, code), code)


def _of_documents(
    estimator: Estimator, fitted: Rows, vocabulary: Vocabulary, told: Mapping[str, Any], config: RunConfig
) -> Report:
    """Of documents: the topics they are made of."""
    corpus = fitted.table
    if not isinstance(corpus, Corpus) or not can(estimator, HasTopics):
        raise TypeError("documents are a corpus, and have topics")
    names = [f"Document {number}" for number in fitted.numbers] if fitted.ids is None else fitted.ids.tolist()
    places = np.searchsorted(corpus.places, fitted.numbers)
    texts = None if corpus.texts is None else [corpus.texts[place] for place in places]
    choice = told["choice"]
    fit = _fit(estimator, told, config, corpus.source, told["notes"])
    found = topics.topics(
        estimator,
        fitted.values,
        vocabulary.words,
        names,
        told["topics"],
        texts=texts,
        sentences=summary.topic_verdicts(told["topics"]),
        sweep=choice["candidates"],
        criterion=choice["criterion"],
    )
    return topic_report(f"The topics of {fit.source}", fit, found)


def _summary(estimator: Estimator, told: Mapping[str, Any]) -> ModelSummary:
    own = told["fit"]["parameters"]
    return ModelSummary(
        summary.name_of(told),
        f"{summary.reason(told)}.",
        structure=told["structure"],
        parameters=estimator.architecture().parameters if own is None and can(estimator, Codes) else own,
    )


def _trace(estimator: Estimator, told: Mapping[str, Any]) -> BoundCurve | None:
    trace = estimator.trace_
    if trace is None:
        return None
    return BoundCurve(
        np.asarray(trace.iteration),
        np.asarray(trace.bound),
        float(trace.seconds[-1]) if len(trace.seconds) else None,
        told["fit"]["converged"],
        told["fit"]["stop_reason"],
        estimator.history_ is not None and "held_out" in estimator.history_,
    )


def _log_density(estimator: Estimator, X: Values | pa.Table, code: Code | None) -> np.ndarray | None:
    """Of every row, or of some of them for a deep model; of none where codes are points."""
    if code is not None:
        return deep.log_density(estimator, X) if can(estimator, ScoresByDraws) else None
    return np.asarray(estimator.score_samples(X)) if can(estimator, Scores) else None


def _typicality(estimator: Estimator, X: Values | pa.Table, code: Code | None, fitted: Rows) -> np.ndarray | None:
    """What rows are ordered by: the log density, of columns that count by ratios with respect to dx/x."""
    found, chosen = _log_density(estimator, X, code), by_ratio(estimator, fitted.schema)
    return found if found is None or not chosen.any() else found + ratios(np.asarray(fitted.values), chosen).sum(axis=1)


def _usual(estimator: Estimator, schema: Schema, rows: FittedTable) -> np.ndarray | None:
    """What the model expects of rows of which as much is seen, for a table with gaps."""
    if not can(estimator, Scores) or not can(estimator, Samples) or not rows.missing.any():
        return None
    try:
        drawn = np.asarray(new_rows(estimator, USUAL_ROWS), np.float64)
        chosen = by_ratio(estimator, schema)

        def score(some: np.ndarray) -> np.ndarray:
            found = np.asarray(estimator.score_samples(feed(estimator, some, schema)))
            return found + ratios(some, chosen).sum(axis=1) if chosen.any() else found

        return usual_scores(score, drawn, rows.missing)
    except ValueError:  # rows that cannot be drawn without their total, or have no gaps
        return None


def _held_out(
    estimator: Estimator, told: Mapping[str, Any], code: Code | None, images: np.ndarray | None = None
) -> HeldOutFact | None:
    """The score of the rows kept aside; that of a deep model is a bound, and where codes are points there is none."""
    score = told["held_out"]
    if score is None or (code is not None and code.point):
        return None
    cost = None if images is None else deep.bits(estimator, images, score["nats"])
    return HeldOutFact(score["nats"], score["standard_error"], score["rows"], bound=code is not None, bits=cost)


def _repeat(config: RunConfig) -> Repeat:
    return Repeat(command=shlex.join(config.command), config=config.to_toml(), versions=tuple(versions().items()))


def _looked_at(fitted: Rows) -> tuple[Rows, np.ndarray, tuple[str, ...]]:
    """The rows and columns that a page can show, and a note on what is left: of counts the items bought most."""
    columns, notes, limit = np.arange(fitted.columns), [], DENSE_ROWS
    if sparse.issparse(fitted.whole.values):
        limit = SPARSE_ROWS
        if len(columns) > ITEMS:
            totals = np.asarray(fitted.values.sum(axis=0)).ravel()
            columns = np.sort(np.argsort(-totals, kind="stable")[:ITEMS])
            notes.append(f"this report shows the {ITEMS} items of {fitted.columns} that were bought most")
    if len(fitted) > limit and isinstance(fitted.data, SequencedRows):
        notes.append(f"this report shows {limit:,} of the {len(fitted):,} rows, those of the first sequences")
        order = order_of(len(fitted), fitted.data.groups, time=fitted.data.time).order
        fitted = fitted.pick(np.sort(order[:limit]))
    elif len(fitted) > limit:
        notes.append(f"this report shows {limit:,} of the {len(fitted):,} rows, drawn at random")
        places = np.random.default_rng(0).choice(len(fitted), limit, replace=False)
        fitted = fitted.pick(np.sort(places))
    return fitted, columns, tuple(notes)


def _samples(estimator: Estimator, columns: np.ndarray) -> np.ndarray | None:
    """Rows drawn from the model, for a model that can be drawn from without more being said."""
    if not can(estimator, Samples):
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
            _number(row.get("log_likelihood")),
            row["n_parameters"],
            bool(row["converged"]),
            bool(row["at_floor"]),
            bool(row.get("outpaced")),
        )
        for row in rows
    )
    name = summary.criterion_name(choice["criterion"])
    return Candidates(listed, summary.chosen_place(rows, column), name, choice.get("what", "group"))


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
