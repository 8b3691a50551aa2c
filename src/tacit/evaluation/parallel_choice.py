"""How many factors a model gets by parallel analysis (Horn 1965), for measurements and for items.

Of items the correlations are those of the normal variables behind them, which are known less well than those of
measurements: where two columns do not correlate, what a table says of their correlation is ``e_j e_k`` of what the
normal variables themselves would say, ``e_j = Σ_l (φ(t_l) − φ(t_l+1))² / p_l`` of the thresholds t and shares p of the
levels. So tables of noise are drawn with as many rows as say as much.
"""

import dataclasses
from typing import Any

import numpy as np
import scipy.special
from jaxtyping import Float
from sklearn.base import BaseEstimator, clone

from tacit.data.dataset import Dataset
from tacit.estimators.capabilities import MatrixLike, ReadsKinds, can
from tacit.estimators.factors.item_reading import ItemReading
from tacit.evaluation.number_of_factors import LEAST_ROWS, NumberOfFactors, number_of_factors
from tacit.models.factors.polychoric import Polychoric, polychoric

PARALLEL = "parallel"
BINS = 10
"""Levels that a measurement or a count is parted into beside items."""


def by_parallel(estimator: BaseEstimator, X: MatrixLike, weights: Float[np.ndarray, " rows"]) -> NumberOfFactors:
    """What is known of the number of factors of the rows.

    Args:
        estimator: a model of factors, whose reading of columns is followed.
        X: the rows.
        weights: theirs.

    Raises:
        ValueError: a column of levels without an order; and as `number_of_factors`.
    """
    if not can(estimator, ReadsKinds):
        rows = X.rows() if isinstance(X, Dataset) else X
        return number_of_factors(rows, sample_weight=weights)
    reader: Any = clone(estimator)
    assert isinstance(reader, ItemReading)
    names, values = reader.ordered(reader.read(X, reset=True, minimum=2))
    found = polychoric(_parted(values), weights, positive_semidefinite=True, names=names)
    rows = max(effective_rows(found), float(LEAST_ROWS))
    return dataclasses.replace(number_of_factors(correlation=found.correlations, n=rows), names=tuple(names))


def effective_rows(found: Polychoric) -> float:
    """Rows of normals whose correlations, were there none, would vary as much as these: a harmonic mean over pairs."""
    share = np.array([_efficiency(cuts) for cuts in found.thresholds])
    known = found.weights * np.outer(share, share)
    pairs = known[np.triu_indices(len(known), 1)]
    return float(pairs.size / (1.0 / pairs).sum())


def _efficiency(cuts: np.ndarray) -> float:
    ends = np.concatenate([[-np.inf], cuts, [np.inf]])
    height = np.exp(-0.5 * ends**2) / np.sqrt(2.0 * np.pi)
    return float((np.diff(height) ** 2 / np.diff(scipy.special.ndtr(ends))).sum())


def _parted(values: np.ndarray) -> np.ndarray:
    """Columns of many values by the tenths of their rows."""
    found = values.copy()
    for column in found.T:
        seen = ~np.isnan(column)
        if len(np.unique(column[seen])) > BINS:
            ends = np.unique(np.quantile(column[seen], np.arange(1, BINS) / BINS))
            column[seen] = np.searchsorted(ends, column[seen], side="right")
    return found


def excess(found: NumberOfFactors, *, components: bool = False) -> Float[np.ndarray, " dims"]:
    """For 1, 2, … factors, how far their eigenvalues lie above those of noise, summed: most where the analysis stops.

    Args:
        found: what is known of the number.
        components: whether principal components are meant, which explain the columns' own noise too.
    """
    own, noise = found.reduced_eigenvalues, found.parallel_factors
    if components:
        own, noise = found.eigenvalues, found.parallel_components
    above = own - noise
    kept = found.suggested["parallel_components" if components else "parallel_factors"]
    return np.concatenate([above[:kept], -np.abs(above[kept:])]).cumsum()
