"""What is worth knowing of a fitted model: groups in words, held-out score, calibration, warnings."""

import dataclasses
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from tacit import workflow
from tacit.data.dataset import Dataset
from tacit.data.schema import Schema
from tacit.estimators.capabilities import (
    Assigns,
    AssignsSoftly,
    EmptiesItself,
    MatrixLike,
    Mixes,
    Scores,
    Sweeps,
    can,
)
from tacit.estimators.factors.capabilities import HasFactors
from tacit.estimators.settings import Estimator
from tacit.estimators.stopping import stop_reason
from tacit.evaluation.anomalies import odd_columns
from tacit.evaluation.held_out import HeldOut, of_scores
from tacit.evaluation.measure import measure
from tacit.evaluation.typicality import positive_columns, ratios
from tacit.inference.closed_form import STOPPED
from tacit.report import sentences
from tacit.report.effects import effects
from tacit.report.groups import dependent
from tacit.report.prediction_sentences import cautions_of_predictions
from tacit.workflow.choosing import Chosen
from tacit.workflow.feeding import feed
from tacit.workflow.sources import Rows
from tacit.workflow.warned import HARMLESS, plain

WIDE = 200
"""Beyond so many columns the columns that make a row odd are sought among those that stand out only."""
JUDGED_ROWS = 500_000
"""Rows by which the groups are told of at most, where the rows stay in their files."""
JUDGED_IMAGES = 1000
"""Images kept aside that are scored at most: each takes many passes through the network."""
TYPICAL_ROWS = 500
DESCRIBED_ROWS = 20_000


@dataclasses.dataclass(frozen=True, eq=False)
class Judgement:
    """A fitted model seen from the rows it was fitted to and those kept aside.

    Attributes:
        responsibilities: ``[rows, K]`` of the fitted rows, or None for a model without groups.
        shares: ``[K]``, or None.
        noise: the share of rows that are in no group, of a model with noise; else None.
        factors: of a model with factors, what each is made of and how well they explain; else None.
        density: of a density without groups, what it is made of and whether it is right; else None.
        groups: a sentence a group.
        certainty: how clearly the rows belong to one group.
        log_likelihood: of the fitted rows, in nats, or None for a model without densities or with drawn ones.
        held_out: the score of the rows kept aside, or None.
        calibration: arrays to be kept for `tacit score`.
        warnings: plain sentences.
        topics: of a topic model, what is to be said of each topic, and of the corpus.
        target: of a model that predicts a column, its coefficients and how well it does.
    """

    responsibilities: np.ndarray | None
    shares: np.ndarray | None
    groups: tuple[str, ...]
    certainty: str
    log_likelihood: float | None
    held_out: HeldOut | None
    calibration: Mapping[str, np.ndarray]
    warnings: tuple[str, ...]
    topics: Mapping[str, Any] | None = None
    target: Mapping[str, Any] | None = None
    noise: float | None = None
    factors: Mapping[str, Any] | None = None
    density: Mapping[str, Any] | None = None


class TopicCurves(Protocol):
    """What watched the topics of a fit (`tacit.evaluation.topic_trace.TopicTrace`)."""

    def curves(self, estimator: BaseEstimator, tokens: float) -> dict[str, np.ndarray]:
        """Columns over the looks of the fit."""


def judge(chosen: Chosen, fitted: Rows, kept: Rows, said: Iterable[str], trace: TopicCurves | None = None) -> Judgement:
    """Look at a fitted model.

    Args:
        chosen: the fit.
        fitted: the rows it has seen.
        kept: the rows kept aside, perhaps none.
        said: what the fit warned of.
        trace: what watched the topics of the fit.
    """
    estimator, schema = chosen.estimator, fitted.schema
    if fitted.vocabulary is not None:
        return _of_documents(estimator, fitted, kept, said, trace)
    if fitted.target is not None:
        told, calibration = workflow.judging_predictions.judge_predictions(estimator, fitted, kept)
        worth = (*cautions_of_predictions(told), *_said(said))
        return Judgement(None, None, (), "", None, None, calibration, worth, target=told)
    X = feed(estimator, fitted.data, schema)
    looked = fitted
    if isinstance(fitted.data, Dataset) and fitted.data.portable and len(fitted) > JUDGED_ROWS:
        looked = fitted.pick(np.linspace(0, len(fitted) - 1, JUDGED_ROWS).astype(np.int64))
    share = responsibilities(estimator, X if looked is fitted else feed(estimator, looked.data, schema))
    shares = None if share is None else _shares(estimator, share)
    score, total, calibration = None, None, {}
    if can(estimator, Scores) and not estimator.scores_are_bounds:
        total = float(np.sum(estimator.score_samples(X)))
    if can(estimator, Scores) and len(kept):
        if schema is None and len(kept) > JUDGED_IMAGES:
            places = np.random.default_rng(0).choice(len(kept), JUDGED_IMAGES, replace=False)
            kept = kept.pick(np.sort(places))
        found = np.asarray(estimator.score_samples(feed(estimator, kept.data, schema)), np.float64)
        score = of_scores(found, np.ones(len(kept)), len(measure(estimator)))
        calibration = {"scores": found, "rows": np.asarray(kept.numbers, np.int64)}
        if (chosen_columns := by_ratio(estimator, schema)).any():
            calibration["typicality"] = found + ratios(np.asarray(kept.values, np.float64), chosen_columns).sum(axis=1)
        typical = _typical(estimator, kept)
        if typical is not None:
            calibration["typical"] = typical
    density, ranks = workflow.judging_flows.judge_density(estimator, fitted, kept)
    if ranks is not None:
        calibration["ranks"] = ranks
    return Judgement(
        share,
        shares,
        () if share is None or shares is None else _sentences(estimator, looked, share, shares),
        "" if share is None or share.shape[1] < 2 else sentences.certainty(share, noise_share(estimator)),
        total,
        score,
        calibration,
        _warnings(estimator, shares, fitted, said),
        noise=noise_share(estimator),
        factors=workflow.judging_factors.judge_factors(estimator, X, complete=_complete(fitted)),
        density=density,
    )


def _complete(fitted: Rows) -> bool:
    return isinstance(fitted.data, Dataset) and fitted.data.complete


def _of_documents(
    estimator: Estimator, fitted: Rows, kept: Rows, said: Iterable[str], trace: TopicCurves | None
) -> Judgement:
    """Topics instead of groups, and how well the other half of a document is predicted instead of its density."""
    told = workflow.judging_topics.judge_topics(estimator, fitted, kept)
    told["trace"] = {} if trace is None else trace.curves(estimator, float(fitted.values.sum()))
    own = [plain(text) for text in said if not any(word in text for word in HARMLESS)]
    calibration = {}
    if len(kept):
        calibration = {
            "scores": workflow.judging_topics.word_scores(estimator, kept.values),
            "rows": np.asarray(kept.numbers, np.int64),
        }
    return Judgement(None, None, (), "", None, None, calibration, tuple(dict.fromkeys((*told["cautions"], *own))), told)


def responsibilities(estimator: Estimator, X: MatrixLike) -> np.ndarray | None:
    """``[rows, K]``, the probability of each group; of a model that only assigns, ones and zeros; else None.

    Groups that have emptied themselves are left out; they are the last. So is noise: a row's probabilities sum to less
    than 1 by that of being noise.
    """
    if can(estimator, AssignsSoftly):
        share, empty = np.asarray(estimator.predict_proba(X), np.float64), empty_groups(estimator)
        if can(estimator, Mixes):
            share = share[:, : share.shape[1] - estimator.fitted_model().noise]
        if not empty:
            return share
        share = share[:, : share.shape[1] - empty]
        return share / np.maximum(share.sum(axis=1, keepdims=True), 1e-300)
    if can(estimator, Assigns):
        labels = np.asarray(estimator.predict(X), np.int64)
        return np.eye(max(int(labels.max()) + 1, estimator.number if can(estimator, Sweeps) else 0))[labels]
    return None


def empty_groups(estimator: Estimator) -> int:
    """How many groups a model was allowed and does not use."""
    return estimator.number - estimator.n_components_used_ if can(estimator, EmptiesItself) else 0


def noise_share(estimator: Estimator) -> float | None:
    """The share of noise in a mixture that has such a component; else None."""
    model = estimator.fitted_model() if can(estimator, Mixes) else None
    return float(model.weights[-model.noise :].sum()) if model is not None and model.noise else None


def _shares(estimator: Estimator, share: np.ndarray) -> np.ndarray:
    found = estimator.weights_[: share.shape[1]] if can(estimator, Mixes) else share.mean(axis=0)
    return np.asarray(found, np.float64)


def _sentences(estimator: Estimator, fitted: Rows, share: np.ndarray, shares: np.ndarray) -> tuple[str, ...]:
    """What sets each group apart; of wide counts only the items bought most are looked at."""
    if fitted.schema is None:
        return ()
    columns = np.arange(len(fitted.schema))
    if len(fitted) > DESCRIBED_ROWS:
        chosen = np.linspace(0, len(fitted) - 1, DESCRIBED_ROWS).astype(int)
        fitted, share = fitted.pick(chosen), share[chosen]
    if sparse.issparse(fitted.values):
        totals = np.asarray(fitted.values.sum(axis=0)).ravel()
        columns = np.sort(np.argsort(-totals, kind="stable")[:WIDE])
    table = fitted.as_table(columns)
    known = table.schema.columns
    found = effects(table.values, table.schema.kinds, [len(column.levels or ()) for column in known], share)
    together = bool(dependent(estimator.fitted_model() if can(estimator, Mixes) else None))
    return tuple(
        sentences.describe_group(k, float(weight), found[k], known, together=together)
        for k, weight in enumerate(shares)
    )


def _typical(estimator: Estimator, kept: Rows) -> np.ndarray | None:
    """What ordinary rows have for ``log p(x_j | rest)``, column by column: the medians, ``[columns]``."""
    if kept.schema is None or len(kept.schema) > WIDE or sparse.issparse(kept.whole.values):
        return None
    try:
        some = kept.pick(np.arange(min(TYPICAL_ROWS, len(kept))))
        found = odd_columns(estimator, feed(estimator, some.data, kept.schema))
        found = found + ratios(np.asarray(some.values, np.float64), by_ratio(estimator, kept.schema))
    except ValueError:
        return None  # a model whose columns have no density apart
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column without any value
        return np.nanmedian(found, axis=0)


def by_ratio(estimator: Estimator, schema: Schema | None) -> np.ndarray:
    """Which columns count by ratios where rows are judged: see `tacit.evaluation.typicality`."""
    if schema is None:
        return np.zeros(0, bool)
    found = positive_columns(estimator)
    return found if found.size == len(schema) else np.zeros(len(schema), bool)


def _warnings(estimator: Estimator, shares: np.ndarray | None, fitted: Rows, said: Iterable[str]) -> tuple[str, ...]:
    converged = estimator.converged_
    if estimator.history_ is not None and estimator.stop_reason_ == stop_reason(STOPPED):
        converged = None  # a fit by gradients, whose rate has fallen to 0 by then
    columns = 0 if fitted.schema is None else len(fitted.schema)
    spiked = bool(estimator.at_floor_) and not can(estimator, HasFactors)  # which have no groups, and name the columns
    cautions = sentences.cautions(shares, len(fitted), columns, converged, spiked)
    own = _said(said)
    if converged is False:
        own = tuple(text for text in own if "did not converge" not in text)
    return tuple(dict.fromkeys((*cautions, *own)))


def _said(said: Iterable[str]) -> tuple[str, ...]:
    """What the fit warned of, for people who know no Python."""
    return tuple(dict.fromkeys(plain(text) for text in said if not any(word in text for word in HARMLESS)))
