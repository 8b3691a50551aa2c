"""How typical a row is, in a way that units and logarithms do not change."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from tacit.data.dataset import Dataset
from tacit.estimators.capabilities import MatrixLike, ReadsKinds, can
from tacit.evaluation.measure import check_scores
from tacit.models.mixture.model import MixtureModel


def typicality(estimator: BaseEstimator, X: MatrixLike) -> Float[np.ndarray, " rows"]:
    """``log p(x) + Σ_j log x_j`` over the columns with a family on the positive half-line, in nats: higher is typical.

    That is the density with respect to dx/x in those columns and dx in the others. A density with respect to dx rises
    without end towards 0 where a column spreads over orders of magnitude: the smallest values would always be the most
    typical ones, and only large ones odd. dx/x measures ratios, as such families do: neither another unit of any column
    nor a log-normal column given as logarithms to a normal one changes the order of the rows. ``score_samples`` keeps
    the density with respect to dx, which likelihoods are made of.

    Args:
        estimator: fitted, with ``score_samples``.
        X: rows, as the estimator takes them; an entry that is missing is integrated out, and has no share in the sum.

    Returns:
        ``(n,)``; −inf where a row is impossible.
    """
    check_scores(estimator)
    check_is_fitted(estimator)
    scores = np.asarray(estimator.score_samples(X), dtype=np.float64)
    chosen = positive_columns(estimator)
    if not chosen.any():
        return scores
    reading: Any = estimator
    rows = X if isinstance(X, Dataset) else reading.read(X, reset=False)
    return scores + ratios(rows.rows(), chosen).sum(axis=1)


def positive_columns(estimator: BaseEstimator) -> Bool[np.ndarray, " columns"]:
    """Which columns have a family on the positive half-line: log-normal, gamma, exponential."""
    known = vars(estimator)
    model = known.get("model_")
    if isinstance(model, MixtureModel):
        places = [c for group in model.groups if group.column_kind == "positive" for c in group.columns]
        found = np.zeros(int(known["n_features_in_"]), bool)
        found[places] = True
        return found
    if can(estimator, ReadsKinds):
        return np.array([kind == "positive" for kind in known["schema_"].kinds])
    return np.zeros(int(known.get("n_features_in_", 0)), bool)


def ratios(
    rows: Float[np.ndarray, "rows columns"], chosen: Bool[np.ndarray, " columns"]
) -> Float[np.ndarray, "rows columns"]:
    """``log x_j`` of the chosen columns' entries that are there, 0 of all others: what dx/x adds to a log-density."""
    counted = chosen & (rows > 0)
    return np.where(counted, np.log(np.where(counted, rows, 1.0)), 0.0)
