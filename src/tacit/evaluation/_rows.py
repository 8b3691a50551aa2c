"""Fitting and scoring over and over: rows are read once, and every fit after that takes them as they are.

Reading the whole table once also settles the kinds and levels of its columns, so that no fold is without a level that
another has.
"""

import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import get_tags

from tacit.data.frames import feature_names, from_frame
from tacit.estimators._base import read_rows, read_weights
from tacit.estimators.stopping import stop_reason
from tacit.inference.closed_form import INTERRUPTED


def read(estimator: Any, X: Any) -> Any:
    """The rows as an estimator takes them, with what it learns of the columns kept in it.

    Images go as they are to an estimator that says it takes them (scikit-learn's tag), and as flat rows to others.
    """
    if isinstance(X, np.ndarray):
        if get_tags(estimator).input_tags.three_d_array:
            return X
        X = X.reshape(X.shape[0], -1) if X.ndim > 2 else X
    if hasattr(estimator, "_fit_rows"):
        return estimator._read(X, reset=True, minimum=2)
    rows = read_rows(estimator, X, reset=True, minimum=2, sparse=get_tags(estimator).input_tags.sparse)
    vars(estimator).pop("feature_names_in_", None)  # it is fitted to rows without names
    return rows


def new_rows(estimator: Any, number: int, **more: Any) -> np.ndarray:
    """Rows drawn from a model, whether or not it also says which component each came from."""
    found = estimator.sample(number, **more)
    return np.asarray(found[0] if isinstance(found, tuple) else found, np.float64)


def fresh(estimator: Any) -> Any:
    """An unfitted copy that knows the columns that the estimator has read."""
    copy = clone(estimator)
    for name in ("n_features_in_", "feature_names_in_", "schema_", "families_"):
        if name in vars(estimator):
            setattr(copy, name, vars(estimator)[name])
    return copy


def fit_rows(estimator: Any, rows: Any, weights: np.ndarray) -> None:
    """Fit to rows that were read; warnings of a fit that is one of many are kept quiet, Ctrl-C is not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if hasattr(estimator, "_fit_rows"):
            estimator._check()
            estimator._check_rows(rows)
            estimator._fit_rows(rows, weights)
        elif (weights == 1.0).all():
            estimator.fit(rows)
        else:
            estimator.fit(rows, sample_weight=weights)
    if getattr(estimator, "stop_reason_", None) == stop_reason(INTERRUPTED):
        raise KeyboardInterrupt  # the fit itself ends with what it has; here more fits would follow


def score_rows(estimator: Any, rows: Any) -> np.ndarray:
    """``log p(x)`` of rows that were read, in nats, ``(n,)``."""
    score = estimator._score_rows if hasattr(estimator, "_score_rows") else estimator.score_samples
    return np.asarray(score(rows), dtype=np.float64)


def weights_of(X: Any, sample_weight: Any) -> np.ndarray:
    """A weight a row; ones where none are given."""
    return read_weights(np.empty((number_of_rows(X), 1)), sample_weight)


def number_of_rows(X: Any) -> int:
    """The rows of an array, a sparse matrix, a frame, a list of rows or a mapping of columns."""
    shape = getattr(X, "shape", None)
    if shape:
        return int(shape[0])
    return from_frame(X).num_rows if feature_names(X) is not None else len(X)


def picked(X: Any, places: np.ndarray) -> Any:
    """Some rows of an array or a frame, which keeps its names."""
    for name in ("iloc", "take"):
        if feature_names(X) is not None and hasattr(X, name):
            return X.iloc[places] if name == "iloc" else X.take(places)
    return np.asarray(X)[places]


def mean_and_error(values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Weighted mean and its standard error, ``√(Σ w (v − v̄)² / (W (W − 1)))``: weight 2 is the same as two copies.

    The error is NaN where a value is infinite, or where the weights sum to at most 1.
    """
    total = float(weights.sum())
    seen = weights > 0
    values, weights = values[seen], weights[seen]
    mean = float(weights @ values) / total
    if not np.isfinite(values).all() or total <= 1.0:
        return mean, float("nan")
    return mean, float(np.sqrt(weights @ (values - mean) ** 2 / (total * (total - 1.0))))
