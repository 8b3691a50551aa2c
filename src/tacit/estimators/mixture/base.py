"""The face that all mixtures share: fit, and the answers of a fitted mixture to rows."""

import abc
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, DensityMixin
from sklearn.utils.validation import check_is_fitted

from tacit.estimators.base import double_precision, read_rows, read_weights
from tacit.estimators.mixture.answers import MixtureAnswers
from tacit.inference.watch import Printer, watch
from tacit.models.mixture import rows as answers
from tacit.models.mixture.model import Mixture


class MixtureFace(MixtureAnswers, DensityMixin, BaseEstimator):
    """Fit and answers of a mixture, however it is fitted."""

    n_components: int
    verbose: int
    verbose_interval: int

    @abc.abstractmethod
    def _check(self) -> None:
        """Refuse parameters that make no sense, in plain words."""

    @abc.abstractmethod
    def _fit_rows(self, rows: Any, weights: np.ndarray) -> None:
        """Fit the rows, and set the attributes."""

    def _read(self, X: Any, *, reset: bool, minimum: int = 1) -> Any:
        return read_rows(self, X, reset=reset, minimum=minimum)

    @double_precision
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the mixture to rows.

        Args:
            X: rows ``(n, d)``; NaN marks a missing entry, which is integrated out.
            y: ignored.
            sample_weight: a weight a row, ``(n,)``; 2 is the same as two copies.

        Raises:
            ValueError: what is wrong with the rows, the weights or a parameter, and what to do.
        """
        rows = self._read(X, reset=True, minimum=2)
        weights = read_weights(rows, sample_weight)
        self._check()
        self._check_rows(rows)
        self.__dict__.pop("_online", None)  # a series of batches ends here
        self._fit_rows(rows, weights)
        return self

    def _check_rows(self, rows: Any) -> None:
        if rows.shape[0] < self.n_components:
            raise ValueError(
                f"Expected n_samples >= n_components but got n_components = {self.n_components}, "
                f"n_samples = {rows.shape[0]}"
            )
        self._dtype = getattr(rows, "dtype", np.dtype(np.float64))

    def _talking(self) -> AbstractContextManager:
        """Print the course of the fit where ``verbose`` asks for it."""
        return watch(Printer(self.verbose_interval)) if self.verbose else nullcontext()

    def _fitted(self) -> Mixture:
        check_is_fitted(self)
        return self.model_

    @double_precision
    def score_samples(self, X: Any) -> np.ndarray:
        """``log p(x)`` of every row in nats, ``(n,)``; missing entries are integrated out."""
        self._fitted()
        return self._score_rows(self._read(X, reset=False))

    def _score_rows(self, rows: Any) -> np.ndarray:
        return answers.log_prob(self._fitted(), rows).astype(getattr(rows, "dtype", float), copy=False)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Mean log-density a row, in nats."""
        values = self.score_samples(X)
        return float(np.average(values, weights=sample_weight))

    @double_precision
    def predict_proba(self, X: Any) -> np.ndarray:
        """``p(z = k | x)`` of every row, ``(n, K)``."""
        model, rows = self._fitted(), self._read(X, reset=False)
        return answers.responsibilities(model, rows).astype(getattr(rows, "dtype", float), copy=False)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest component of every row, ``(n,)``."""
        return self.predict_proba(X).argmax(axis=1)

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> np.ndarray:
        """Fit, then the likeliest component of every row."""
        return self.fit(X, sample_weight=sample_weight).predict(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
