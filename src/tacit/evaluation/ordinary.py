"""How ordinary every row of a table is among the others, where nobody knows which rows are good."""

import numpy as np
from jaxtyping import Float

from tacit.data.dataset import DenseRows
from tacit.estimators.base import Seed
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.evaluation.rows import fit_rows, score_rows

GROUPS = (1, 4)
"""The numbers of groups of the two mixtures."""
KEPT = 0.75
"""The share of rows that a mixture is fitted to."""
RIDGE = 0.01
"""Variance on the diagonal of every covariance, in units of the columns' variances."""
ROUNDS = 5
"""Fits at most, each to the rows that the one before finds likeliest."""
ROWS_A_GROUP = 10
"""Fewer rows than this have no group of their own."""


def anomaly_scores(X: MatrixLike, *, random_state: Seed = 0) -> Float[np.ndarray, " rows"]:
    """How ordinary every row is among the rows of the same table: the lowest are the oddest.

    ``s(x) = ⅓ Σ_v ln(r_v(x) / n)``, where r_v is a row's rank from 1 (oddest) to n by one of three views: the
    log-density of one Gaussian, that of a mixture of four, and ``Σ_j ln min(P(X_j ≤ x_j), P(X_j ≥ x_j))``, the tails
    of the columns as if independent. A Gaussian fitted to all rows bends towards the odd ones, and a mixture gives
    them a group of their own; here each is fitted to the three quarters of the rows that it finds likeliest, by
    concentration steps (Rousseeuw & Van Driessen 1999; of mixtures García-Escudero et al. 2008), with a hundredth of
    the columns' variance on the diagonal. The tails are those of ECOD (Li et al. 2022), without its rule for skew.

    The score has no unit: it ranks the rows of one table, in which up to a quarter may be odd. Units of columns do
    not matter, and gaps are integrated out. For rows that come later, fit a model and use its ``score_samples``.

    Args:
        X: rows ``(n, d)`` of numbers, an array or a frame; NaN where missing.
        random_state: seed of the mixture's starts.

    Returns:
        ``(n,)``, at most 0.

    Raises:
        ValueError: fewer than two rows, or what is no number.
    """
    rows = GaussianMixture().read(X, reset=True, minimum=2).rows()
    rows = _standardised(np.asarray(rows, np.float64))
    if rows.shape[1] == 0:  # no column tells a row from another
        return np.zeros(len(rows))
    numbers = sorted({max(1, min(k, len(rows) // ROWS_A_GROUP)) for k in GROUPS})
    views, weights = [_tails(rows)], np.ones(len(rows))
    for number in numbers:
        view, weights = _trimmed(rows, number, random_state, weights)
        views.append(view)
    return np.mean([np.log(_ranks(view) / len(rows)) for view in views], axis=0)


def _standardised(rows: np.ndarray) -> np.ndarray:
    """The columns that vary, with mean 0 and variance 1 over what is there."""
    seen = ~np.isnan(rows)
    count = np.maximum(seen.sum(axis=0), 1)
    largest = np.abs(np.where(seen, rows, 0.0)).max(axis=0)
    rows = rows / np.where(largest > 0.0, largest, 1.0)  # nothing overflows when it is squared
    centred = rows - np.where(seen, rows, 0.0).sum(axis=0) / count
    deviation = np.sqrt((np.where(seen, centred, 0.0) ** 2).sum(axis=0) / count)
    varies = deviation > 1e-13
    return centred[:, varies] / deviation[varies]


def _trimmed(rows: np.ndarray, number: int, seed: Seed, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The log-density of a mixture fitted to the rows that it finds likeliest, ``(n,)``, and which those are.

    It begins with the rows of weight 1: those that a simpler one finds likeliest.
    """
    data = DenseRows(rows)
    kept = max(1, round(KEPT * len(rows)))
    for _ in range(ROUNDS):
        model = GaussianMixture(number, reg_covar=RIDGE, random_state=seed)
        model.read(rows, reset=True)
        fit_rows(model, data, weights)
        scores = score_rows(model, data)
        chosen = np.zeros(len(rows))
        chosen[np.argsort(-scores, kind="stable")[:kept]] = 1.0
        if np.array_equal(chosen, weights):
            break
        weights = chosen
    return scores, chosen


def _tails(rows: np.ndarray) -> np.ndarray:
    """``Σ_j ln min(P(X_j ≤ x_j), P(X_j ≥ x_j))`` by the columns' own distributions; gaps add nothing."""
    total = np.zeros(len(rows))
    for column in rows.T:
        seen = ~np.isnan(column)
        values = column[seen]
        ordered = np.sort(values)
        below = np.searchsorted(ordered, values, side="right")
        above = len(values) - np.searchsorted(ordered, values, side="left")
        total[seen] += np.log(np.minimum(below, above) / len(values))
    return total


def _ranks(scores: np.ndarray) -> np.ndarray:
    """From 1 for the lowest; equal scores share the mean of theirs."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2.0)[inverse]
