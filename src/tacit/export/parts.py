"""What an export needs of a fitted model: plain arrays, in the user's units; and what cannot be had."""

from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from tacit.estimators.kmeans import KMeans
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.regression.base import RobustRegression
from tacit.estimators.regression.bayesian_linear import BayesianLinearRegression
from tacit.estimators.regression.counts import CountRegression

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


def centres_of(model: KMeans) -> np.ndarray:
    """The centres, ``(K, d)``."""
    check_is_fitted(model)
    return np.asarray(model.cluster_centers_, np.float64)
