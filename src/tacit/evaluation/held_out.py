"""How well a fitted model expects rows that it has not seen."""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

from tacit.estimators.capabilities import MatrixLike
from tacit.evaluation.measure import bits_per_dimension, check_scores, measure
from tacit.evaluation.rows import mean_and_error, weights_of


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """The mean log-density of unseen rows.

    Attributes:
        nats: a row; higher is better.
        standard_error: of ``nats``, from how the rows differ.
        rows: how many.
        dimensions: columns, or the pixels of all channels.
    """

    nats: float
    standard_error: float
    rows: int
    dimensions: int

    @property
    def bits_per_dimension(self) -> float:
        """``nats / (dimensions · ln 2)``, in the same sign; `tacit.evaluation.measure.bits_per_dimension`."""
        return bits_per_dimension(self.nats, self.dimensions)


def held_out(
    estimator: BaseEstimator, X: MatrixLike, sample_weight: ArrayLike | None = None, *, given: ArrayLike | None = None
) -> HeldOut:
    """The held-out score of a fitted estimator.

    Args:
        estimator: with ``score_samples``.
        X: rows the fit has not seen, as the estimator takes them.
        sample_weight: a weight a row; 2 is the same as two copies.
        given: what the density is conditional on, for a model that was fitted so.

    Raises:
        ValueError: the estimator has no log-density.
    """
    check_scores(estimator)
    more = {} if given is None else {"given": given}
    values = np.asarray(estimator.score_samples(X, **more), dtype=np.float64)
    return of_scores(values, weights_of(X, sample_weight), len(measure(estimator)))


def of_scores(scores: np.ndarray, weights: np.ndarray, dimensions: int) -> HeldOut:
    """The held-out score of rows whose log-densities ``(n,)`` are known already."""
    nats, error = mean_and_error(scores, weights)
    return HeldOut(nats, error, int(scores.size), dimensions)
