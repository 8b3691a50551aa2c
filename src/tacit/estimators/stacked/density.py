"""``StackedConditional``: what a stacked density says of some columns, given others."""

from typing import Protocol

import numpy as np
from scipy.special import logsumexp

from tacit.estimators.base import Seed, check_whole, unmasked
from tacit.estimators.capabilities import MatrixLike


class AnswersRows(Protocol):
    """The estimator that is asked."""

    def joint_rows(self, x: np.ndarray) -> np.ndarray: ...

    def imputed_rows(self, x: np.ndarray, n_draws: int, random_state: Seed) -> np.ndarray: ...


class StackedConditional:
    """``p(x_free | x_given) = Σ_k α_k(x_given) p_k(x_free | x_given)`` with ``α_k(x_given) ∝ α_k p_k(x_given)``.

    Attributes:
        columns: the numbers of the columns that are free.
        weights: the shares of the members, given what is given.
    """

    def __init__(self, estimator: AnswersRows, row: np.ndarray) -> None:
        self._estimator, self._row = estimator, row
        self.columns = tuple(int(place) for place in np.flatnonzero(np.isnan(row)))
        joint = estimator.joint_rows(row[None])[0]
        self._log_given = float(logsumexp(joint))
        self.weights = np.exp(joint - self._log_given)

    def sample(self, n_samples: int = 1, *, random_state: Seed = None) -> np.ndarray:
        """Draws of the free columns, ``(n_samples, len(columns))``."""
        check_whole("n_samples", n_samples, 1)
        drawn = self._estimator.imputed_rows(self._row[None], int(n_samples), random_state)
        return drawn[:, 0][:, list(self.columns)]

    def mean(self) -> np.ndarray:
        """``E[x_free | x_given]``, ``(len(columns),)``."""
        return self._estimator.imputed_rows(self._row[None], 0, 0)[0, list(self.columns)]

    def score_samples(self, X: MatrixLike) -> np.ndarray:
        """``log p(x_free | x_given)`` of rows of the free columns, in nats."""
        rest = np.asarray(unmasked(X, gaps=True), dtype=np.float64)
        if rest.ndim != 2 or rest.shape[1] != len(self.columns):
            raise ValueError(f"X must be (n, {len(self.columns)}), the free columns; got {rest.shape}")
        whole = np.repeat(self._row[None], rest.shape[0], axis=0)
        whole[:, list(self.columns)] = rest
        return logsumexp(self._estimator.joint_rows(whole), axis=1) - self._log_given
