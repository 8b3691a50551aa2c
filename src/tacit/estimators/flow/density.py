"""``FlowDensity``: what a flow says of some columns, given others, and what that is worth."""

from typing import Protocol

import numpy as np

from tacit.estimators.base import Seed, check_whole, unmasked
from tacit.estimators.capabilities import MatrixLike
from tacit.inference.importance import RELIABLE
from tacit.models.flow.fitted import Filled, Integrated

DRAWS = 2000
"""By which a mean is found, and among which those of a sample are chosen."""


class AnswersDensities(Protocol):
    """The estimator that is asked."""

    def integrated_rows(self, x: np.ndarray, n_samples: int) -> Integrated: ...

    def imputed_rows(self, x: np.ndarray, n_samples: int, n_draws: int, random_state: Seed) -> Filled: ...


class FlowDensity:
    """``p(x_free | x_given)``, all other columns integrated out.

    Attributes:
        columns: the numbers of the columns that are free.
        exact: whether nothing needs to be drawn: the order is kept, and those given and free are the first columns.
        effective_size: how many draws the weights behind it are worth; infinite where it is exact.
        khat: the shape of the weights' tail; above 0.7 what it says is not to be trusted.
    """

    def __init__(self, estimator: AnswersDensities, row: np.ndarray, columns: tuple[int, ...]) -> None:
        self._estimator, self._row, self.columns = estimator, row, columns
        # weights of the rows that are asked about: a draw of the free columns, the others missing
        drawn = self.sample(20, random_state=0)
        found = estimator.integrated_rows(np.concatenate([self._whole(drawn), row[None]]), DRAWS)
        self.effective_size = float(found.effective.min())
        self.khat = float(found.khat.max())
        self.exact = bool(found.exact.all())
        self._log_given = float(found.log_prob[-1])

    @property
    def reliable(self) -> bool:
        """Whether what it says is exact, or its weights are good enough."""
        return self.exact or self.khat <= RELIABLE

    def sample(self, n_samples: int = 1, *, random_state: Seed = None) -> np.ndarray:
        """Draws of the free columns, ``(n_samples, len(columns))``."""
        check_whole("n_samples", n_samples, 1)
        filled = self._estimator.imputed_rows(self._row[None], DRAWS, int(n_samples), random_state)
        return filled.draws[:, 0][:, list(self.columns)]

    def mean(self) -> np.ndarray:
        """``E[x_free | x_given]``, ``(len(columns),)``."""
        return self._estimator.imputed_rows(self._row[None], DRAWS, 1, 0).means[0, list(self.columns)]

    def score_samples(self, X: MatrixLike) -> np.ndarray:
        """``log p(x_free | x_given)`` of rows of the free columns, in nats: the difference of two scores."""
        rest = np.asarray(unmasked(X, gaps=True), dtype=np.float64)
        if rest.ndim != 2 or rest.shape[1] != len(self.columns):
            raise ValueError(f"X must be (n, {len(self.columns)}), the free columns; got {rest.shape}")
        return self._estimator.integrated_rows(self._whole(rest), DRAWS).log_prob - self._log_given

    def _whole(self, rest: np.ndarray) -> np.ndarray:
        whole = np.repeat(self._row[None], rest.shape[0], axis=0)
        whole[:, list(self.columns)] = rest
        return whole
