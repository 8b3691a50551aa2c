"""How well a model predicts one column of rows that it has not seen, against knowing that column alone."""

import dataclasses
import warnings

import numpy as np
from sklearn.base import BaseEstimator, clone, is_classifier

from tacit.estimators.capabilities import (
    MatrixLike,
    PredictsClasses,
    PredictsCounts,
    PredictsIntervals,
    PredictsNumbers,
    can,
)
from tacit.evaluation.rows import mean_and_error

TINY = np.finfo(np.float64).tiny


@dataclasses.dataclass(frozen=True)
class PredictiveScore:
    """The score of unseen rows with their targets.

    Attributes:
        nats: mean of ``log p(y|x)``, a row; higher is better.
        standard_error: of ``nats``.
        gain: nats a row above a model that knows the target's distribution and no column.
        gain_error: standard error of ``gain``, from the differences row by row.
        rows: how many.
        accuracy: share of rows whose likeliest class is right; NaN for numbers.
        base_accuracy: that of always saying the commonest class of the fitted rows.
        error: mean absolute error of a number (of a count: of its predicted median); NaN for classes.
        base_error: that of always saying the median of the fitted rows.
        r2: ``1 − Σ(y − ŷ)²/Σ(y − ȳ)²``, with the mean of the fitted rows; NaN for classes.
        coverage: share of rows within their interval; NaN where there are none.
        level: of these intervals.
    """

    nats: float
    standard_error: float
    gain: float
    gain_error: float
    rows: int
    accuracy: float = float("nan")
    base_accuracy: float = float("nan")
    error: float = float("nan")
    base_error: float = float("nan")
    r2: float = float("nan")
    coverage: float = float("nan")
    level: float = float("nan")


def log_predictive(estimator: BaseEstimator, X: MatrixLike, y: np.ndarray) -> np.ndarray:
    """``log p(y|x)`` of every row in nats.

    A class that was not there at fit has the probability 0, and −∞ nats.

    Raises:
        ValueError: the estimator gives its targets no probabilities.
    """
    if can(estimator, PredictsNumbers):
        return np.asarray(estimator.log_predictive(X, y), np.float64)
    if not can(estimator, PredictsClasses):
        raise ValueError(f"{type(estimator).__name__} gives its targets no probabilities: nats are what is compared")
    place, known = class_places(estimator.classes_, y)
    chances = np.asarray(estimator.predict_proba(X), np.float64)[np.arange(place.size), place]
    return np.where(known, np.log(np.maximum(chances, TINY)), -np.inf)


def class_places(classes: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the classes each target is, and whether it is one at all."""
    place = np.clip(np.searchsorted(classes, y), 0, len(classes) - 1)
    return place, np.asarray(classes[place] == y)


def baseline_log_predictive(estimator: BaseEstimator, fitted: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``log p(y)`` of every target by a model that knows the fitted targets and no column.

    Of classes: their shares, with half a row more for each (Krichevsky & Trofimov 1981). Of numbers: the same model
    with a constant for its only column.
    """
    if is_classifier(estimator):
        classes, counts = np.unique(fitted, return_counts=True)
        shares = (counts + 0.5) / (counts.sum() + 0.5 * counts.size)
        place, known = class_places(classes, y)
        return np.where(known, np.log(shares[place]), -np.inf)
    plain = clone(estimator)
    if "exposure" in plain.get_params(deep=False):
        plain.set_params(exposure=None)
    if "fit_intercept" in plain.get_params(deep=False):
        plain.set_params(fit_intercept=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the column says nothing, which is the point
        plain.fit(np.zeros((len(fitted), 1)), fitted)
        return log_predictive(plain, np.zeros((len(y), 1)), y)


def predictive_score(
    estimator: BaseEstimator, X: MatrixLike, y: np.ndarray, fitted: np.ndarray, *, level: float = 0.9
) -> PredictiveScore:
    """Judge a fitted estimator on rows it has not seen.

    Args:
        estimator: a classifier with ``predict_proba``, or a regression with ``log_predictive``.
        X: the rows.
        y: their targets.
        fitted: the targets of the rows that were fitted.
        level: of the intervals whose coverage is told.
    """
    scores = log_predictive(estimator, X, y)
    base = baseline_log_predictive(estimator, fitted, y)
    known = np.isfinite(scores) & np.isfinite(base)  # a class that no fitted row had is nobody's to predict
    ones = np.ones(int(known.sum()))
    nats, error = mean_and_error(scores[known], ones)
    gain, gain_error = mean_and_error(scores[known] - base[known], ones)
    found = PredictiveScore(nats, error, gain, gain_error, len(y))
    said = np.asarray(estimator.predict(X))
    if is_classifier(estimator):
        classes, counts = np.unique(fitted, return_counts=True)
        common = classes[counts.argmax()]
        return dataclasses.replace(found, accuracy=float(np.mean(said == y)), base_accuracy=float(np.mean(y == common)))
    spread = float(np.sum((y - fitted.mean()) ** 2))
    # the absolute error is least at the median, which of a count lies apart from the mean
    middle = np.asarray(estimator.predict_quantile(X)) if can(estimator, PredictsCounts) else said
    found = dataclasses.replace(
        found,
        error=float(np.mean(np.abs(y - middle))),
        base_error=float(np.mean(np.abs(y - np.median(fitted)))),
        r2=1.0 - float(np.sum((y - said) ** 2)) / spread if spread > 0 else float("nan"),
    )
    if not can(estimator, PredictsIntervals):
        return found
    low, high = estimator.predict_interval(X, level)
    return dataclasses.replace(found, coverage=float(np.mean((low <= y) & (y <= high))), level=level)
