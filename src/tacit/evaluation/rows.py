"""Fitting and scoring over and over: rows are read once, and every fit after that takes them as they are.

Reading the whole table once also settles the kinds and levels of its columns, so that no fold is without a level that
another has.
"""

import warnings
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import _safe_indexing, get_tags

from tacit.data.dataset import Dataset, SparseRows, Values, dataset_of
from tacit.data.frames import feature_names, from_frame
from tacit.estimators.base import read_data, read_weights
from tacit.estimators.capabilities import MatrixLike, ReadsOnce, TakesDatasets
from tacit.estimators.stopping import stop_reason
from tacit.inference.closed_form import INTERRUPTED


def read(estimator: BaseEstimator, X: MatrixLike) -> Values:
    """The rows as an estimator takes them, with what it learns of the columns kept in it.

    Images go as they are to an estimator that says it takes them (scikit-learn's tag), and as flat rows to others.
    """
    if isinstance(X, np.ndarray):
        if get_tags(estimator).input_tags.three_d_array:
            return X
        X = X.reshape(X.shape[0], -1) if X.ndim > 2 else X
    if isinstance(estimator, ReadsOnce):
        return estimator.read(X, reset=True, minimum=2)
    rows = read_data(estimator, X, reset=True, minimum=2, sparse=get_tags(estimator).input_tags.sparse)
    vars(estimator).pop("feature_names_in_", None)  # it is fitted to rows without names
    return rows


def new_rows(estimator: BaseEstimator, number: int, **more: Any) -> np.ndarray:
    """Rows drawn from a model, whether or not it also says which component each came from."""
    found = estimator.sample(number, **more)
    return np.asarray(found[0] if isinstance(found, tuple) else found, np.float64)


def fresh(estimator: BaseEstimator) -> Any:
    """An unfitted copy that knows the columns that the estimator has read."""
    copy = clone(estimator)
    for name in ("n_features_in_", "feature_names_in_", "schema_", "families_"):
        if name in vars(estimator):
            setattr(copy, name, vars(estimator)[name])
    return copy


def fit_rows(estimator: BaseEstimator, rows: Values, weights: np.ndarray) -> None:
    """Fit to rows that were read; warnings of a fit that is one of many are kept quiet, Ctrl-C is not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        if isinstance(estimator, ReadsOnce):
            estimator.fit_read(dataset_of(rows).weighted(weights))
        elif (weights == 1.0).all():
            estimator.fit(_as_taken(estimator, rows))
        else:
            estimator.fit(_as_taken(estimator, rows), sample_weight=weights)
    if vars(estimator).get("stop_reason_") == stop_reason(INTERRUPTED):
        raise KeyboardInterrupt  # the fit itself ends with what it has; here more fits would follow


def score_rows(estimator: BaseEstimator, rows: Values) -> np.ndarray:
    """``log p(x)`` of rows that were read, in nats, ``(n,)``."""
    if isinstance(estimator, ReadsOnce):
        return np.asarray(estimator.score_read(dataset_of(rows)), dtype=np.float64)
    return np.asarray(estimator.score_samples(_as_taken(estimator, rows)), dtype=np.float64)


def _as_taken(estimator: BaseEstimator, rows: Values) -> Values:
    """An array, for estimators that know no data sets."""
    if isinstance(rows, SparseRows):
        return rows.matrix
    if isinstance(estimator, TakesDatasets):
        return rows
    return rows.rows() if isinstance(rows, Dataset) else rows


def names_at_fit(estimator: BaseEstimator) -> list[str] | None:
    """Names of the columns that an estimator was fitted to, where they had some."""
    names = vars(estimator).get("feature_names_in_")
    return None if names is None else [str(name) for name in names]


def weights_of(X: MatrixLike, sample_weight: ArrayLike | None) -> np.ndarray:
    """A weight a row; where none are given, those that a data set has, else ones."""
    if sample_weight is None and isinstance(X, Dataset):
        return X.weights
    return read_weights(np.empty((number_of_rows(X), 1)), sample_weight)


def weights_at(weights: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Those of some rows; where all weigh the same, and that takes no memory, theirs take none either."""
    if weights.size and weights.strides == (0,):
        number = int(np.count_nonzero(places)) if places.dtype == bool else places.size
        return np.broadcast_to(weights[0], (number,))
    return weights[places]


def number_of_rows(X: Any) -> int:
    """The rows of a data set, an array, a sparse matrix, a frame, a list of rows or a mapping of columns."""
    if isinstance(X, Dataset | np.ndarray) or sparse.issparse(X):
        return int(X.shape[0])
    return from_frame(X).num_rows if feature_names(X) is not None else len(X)


def picked(X: Any, places: np.ndarray) -> Any:
    """Some rows of an array or a frame, which keeps its names."""
    if isinstance(X, pa.Table | Dataset):
        return X.take(places)
    return _safe_indexing(X, places) if feature_names(X) is not None else np.asarray(X)[places]


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
