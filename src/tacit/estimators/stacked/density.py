"""``StackedConditional``: what a stacked density says of some columns, given others."""

from typing import Protocol

import numpy as np

from tacit.estimators.base import Seed, unmasked
from tacit.estimators.capabilities import MatrixLike


class AnswersRows(Protocol):
    """The estimator that is asked."""

    def score_samples(self, X: MatrixLike) -> np.ndarray: ...

    def member_shares(self, X: MatrixLike) -> np.ndarray: ...

    def impute(self, X: MatrixLike, n_draws: int = 0, *, random_state: Seed = None) -> np.ndarray: ...


class StackedConditional:
    """``p(x_free | x_given) = Σ_k α_k(x_given) p_k(x_free | x_given)`` with ``α_k(x_given) ∝ α_k p_k(x_given)``.

    Attributes:
        columns: the numbers of the columns that are free.
        weights: the shares of the members, given what is given.
    """

    def __init__(self, estimator: AnswersRows, row: np.ndarray) -> None:
        self._estimator, self._row = estimator, row
        self.columns = tuple(int(place) for place in np.flatnonzero(np.isnan(row)))
        self.weights = estimator.member_shares(row[None])[0]

    def sample(self, n_samples: int = 1, *, random_state: Seed = None) -> np.ndarray:
        """Draws of the free columns, ``(n_samples, len(columns))``."""
        drawn = self._estimator.impute(self._row[None], n_samples, random_state=random_state)
        return drawn[:, 0][:, list(self.columns)]

    def mean(self) -> np.ndarray:
        """``E[x_free | x_given]``, ``(len(columns),)``."""
        return self._estimator.impute(self._row[None], random_state=0)[0, list(self.columns)]

    def score_samples(self, X: MatrixLike) -> np.ndarray:
        """``log p(x_free | x_given)`` of rows of the free columns, in nats."""
        rest = np.asarray(unmasked(X, gaps=True), dtype=np.float64)
        if rest.ndim != 2 or rest.shape[1] != len(self.columns):
            raise ValueError(f"X must be (n, {len(self.columns)}), the free columns; got {rest.shape}")
        whole = np.repeat(self._row[None], rest.shape[0], axis=0)
        whole[:, list(self.columns)] = rest
        return self._estimator.score_samples(whole) - self._estimator.score_samples(self._row[None])
