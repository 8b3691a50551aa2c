"""What robust regressions share on the way in: reading rows and targets, predictions, and the names of coefficients."""

from typing import Any

import numpy as np
from scipy.special import ndtri
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from tacit.estimators.base import check_level, double_precision, read_weights, unmasked
from tacit.estimators.capabilities import HasCoefficients, PredictsIntervals, PredictsNumbers
from tacit.estimators.regression.coefficients import CoefficientTable
from tacit.estimators.settings import Estimator
from tacit.models.lifting.design import Design


class RobustRegression(HasCoefficients, PredictsIntervals, PredictsNumbers, RegressorMixin, Estimator):
    """``y = X coef_ + intercept_ + noise``; what kind of noise is the subclass's."""

    fit_intercept: bool
    coef_: np.ndarray
    intercept_: float
    covariance_: np.ndarray

    def _read(self, X: Any, y: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows, targets and weights as given; all finite, one target a row."""
        rows, values = validate_data(self, unmasked(X), unmasked(y, "y"), dtype=np.float64, y_numeric=True)
        if values.dtype.kind not in "fiub":
            raise ValueError(f"y must be numbers, and has {str(values[0])!r}; of classes, take a classifier")
        return rows, np.asarray(values, np.float64), np.asarray(read_weights(rows, sample_weight))

    def _design(self, rows: np.ndarray, values: np.ndarray, weights: np.ndarray) -> Design:
        return Design.of(rows, values, weights, intercept=bool(self.fit_intercept))

    def _rows(self, X: Any) -> np.ndarray:
        """New rows, checked against the columns at fit."""
        check_is_fitted(self)
        return np.asarray(validate_data(self, unmasked(X), dtype=np.float64, reset=False))

    def _residuals(self, X: Any, y: Any) -> np.ndarray:
        """``y − X coef_ − intercept_`` of new rows with their targets."""
        check_is_fitted(self)
        rows, values = validate_data(self, unmasked(X), unmasked(y, "y"), dtype=np.float64, reset=False, y_numeric=True)
        return np.asarray(values, np.float64) - (rows @ self.coef_ + self.intercept_)

    @double_precision
    def predict(self, X: Any) -> np.ndarray:
        """The expected middle of y for every row, ``(n,)``."""
        return np.asarray(self._rows(X) @ self.coef_ + self.intercept_)

    def _coefficient_names(self) -> list[str]:
        """Names of the coefficients, the intercept last."""
        names = self._column_names()
        return [*names, "intercept"] if self.fit_intercept else names

    def summary(self, level: float = 0.95) -> CoefficientTable:
        """Every coefficient with its standard error and normal interval, in the user's units; the intercept last."""
        check_level(level)
        check_is_fitted(self)
        names = self._coefficient_names()
        mean, sd = np.append(self.coef_, self.intercept_), np.sqrt(np.maximum(np.diagonal(self.covariance_), 0.0))
        reach = float(ndtri(0.5 + 0.5 * level))
        return CoefficientTable.of([], names, mean[None, : len(names)], sd[None, : len(names)], reach, level)
