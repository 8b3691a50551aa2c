"""What an export needs of a fitted model: plain arrays, in the user's units; and what cannot be had."""

from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from tacit.estimators.kmeans import KMeans
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.regression.base import RobustRegression
from tacit.estimators.regression.bayesian_linear import BayesianLinearRegression
from tacit.estimators.regression.bayesian_logistic import BayesianLogisticRegression
from tacit.estimators.regression.counts import CountRegression
from tacit.models.regression.expected import nodes

LINEAR = (RobustRegression, BayesianLinearRegression, CountRegression)


class GaussianParts(NamedTuple):
    """A mixture of Gaussians without noise.

    Attributes:
        weights: ``(K,)``.
        means: ``(K, d)``.
        covariances: ``(K, d, d)``.
        diagonal: whether all covariances are.
    """

    weights: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    diagonal: bool


class LogisticParts(NamedTuple):
    """The score of a row, which is Gaussian under the posterior, and where the logistic is averaged.

    Attributes:
        coefficients, intercept: of its mean.
        covariance: of its coefficients, ``(d, d)``, or, with that of the intercept last, ``(d + 1, d + 1)``.
        points, shares: of a standard normal.
    """

    coefficients: np.ndarray
    intercept: float
    covariance: np.ndarray
    points: np.ndarray
    shares: np.ndarray

    @property
    def ones(self) -> bool:
        """Whether a row has a 1 at its end."""
        return len(self.covariance) > self.coefficients.size


class LinearParts(NamedTuple):
    """A sum over the columns, and whether the answer is its exponential."""

    coefficients: np.ndarray
    intercept: float
    exponential: bool


def names_of(model: BaseEstimator, many: int) -> tuple[str, ...]:
    """The names of the columns, or x0, x1, …"""
    known = vars(model).get("feature_names_in_")
    return tuple(f"x{place}" for place in range(many)) if known is None else tuple(map(str, known))


def gaussian_parts(model: GaussianMixture) -> GaussianParts:
    """The arrays of a Gaussian mixture; raises ``ValueError`` where one of its components is noise."""
    fitted = model.fitted_model()
    if fitted.noise:
        raise ValueError("a mixture with noise=True has a component that is no Gaussian, and cannot be exported")
    weights, means = np.asarray(model.weights_, np.float64), np.asarray(model.means_, np.float64)
    number, dims = means.shape
    given = np.asarray(model.covariances_, np.float64)
    if given.ndim == 1:
        full = given[:, None, None] * np.eye(dims)
    elif model.covariance_type == "tied":
        full = np.broadcast_to(given, (number, dims, dims))
    elif given.ndim == 2:
        full = given[:, :, None] * np.eye(dims)
    else:
        full = given
    diagonal = bool((full == full * np.eye(dims)).all())
    return GaussianParts(weights, means, np.array(full), diagonal)


def linear_parts(model: BaseEstimator) -> LinearParts:
    """The coefficients of a regression of one number."""
    if not isinstance(model, LINEAR):
        raise TypeError(f"a {type(model).__name__} is no regression on a sum")
    check_is_fitted(model)
    counts = isinstance(model, CountRegression)
    if counts and model.exposure is not None:
        raise ValueError("a regression of counts with an exposure has no export")
    return LinearParts(np.asarray(model.coef_, np.float64), float(model.intercept_), counts)


def logistic_parts(model: BayesianLogisticRegression) -> LogisticParts:
    """What a regression of two classes averages over; raises ``ValueError`` where there are more classes."""
    check_is_fitted(model)
    if model.classes_.size != 2:
        raise ValueError(f"an export is of two classes, and this regression has {model.classes_.size}")
    to_units = model._to_units()
    square = to_units @ np.asarray(model.model_.coefficients.flat_covariance, np.float64) @ to_units.T
    points, shares = nodes(1)
    coefficients = np.asarray(model.coef_, np.float64)[0]
    return LogisticParts(coefficients, float(model.intercept_[0]), square, points[:, 0], shares)


def centres_of(model: KMeans) -> np.ndarray:
    """The centres, ``(K, d)``."""
    check_is_fitted(model)
    return np.asarray(model.cluster_centers_, np.float64)
