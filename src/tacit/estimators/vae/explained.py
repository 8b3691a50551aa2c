"""What ``explain`` asks of a deep model: rows of columns as numbers, and what they score."""

import abc

import numpy as np

from tacit.estimators.capabilities import Capability, GivesConditionals, MatrixLike, Scores
from tacit.estimators.explaining import Explains
from tacit.estimators.query.asking import AnswersQueries
from tacit.estimators.settings import Estimator
from tacit.estimators.vae.rows import Conditions, DeepRows

OF_DENSITIES: tuple[type[Capability], ...] = (Scores, GivesConditionals, AnswersQueries)
"""What a model can do only if it has a density of rows."""


class DeepExplains(AnswersQueries, Explains, Estimator):
    """Explains rows of columns and answers queries about them.

    Images, and rows that are given something, have no columns to be asked one by one.
    """

    event_shape_: tuple[int, ...]
    conditions_: Conditions

    @abc.abstractmethod
    def _read(self, X: MatrixLike) -> DeepRows:
        """Rows as the model takes them, once it is fitted."""

    def _explained_rows(self, X: MatrixLike) -> np.ndarray:
        rows = self._read(X)
        if len(self.event_shape_) != 1 or self.conditions_.width:
            raise ValueError("explain is for rows of columns, without anything given")
        return np.asarray(rows).astype(np.str_).astype(np.float64)  # 39.1, not the 39.0999985 of 32 bits

    def _explained_scores(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.score_samples(np.asarray(rows, np.float32)), np.float64)
