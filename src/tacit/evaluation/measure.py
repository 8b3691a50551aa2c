"""What a model's log-density is a density of, and what it is a bit."""

import math

from sklearn.base import BaseEstimator, is_outlier_detector
from sklearn.utils.validation import check_is_fitted

from tacit.estimators.capabilities import Scores, can
from tacit.estimators.measure import DENSITY as DENSITY
from tacit.estimators.measure import GIVEN_TOTAL as GIVEN_TOTAL
from tacit.estimators.measure import MASS as MASS
from tacit.estimators.measure import Measure as Measure
from tacit.estimators.measure import base_measure
from tacit.estimators.measure import measure_of as measure_of


def measure(estimator: BaseEstimator) -> Measure:
    """The base measure of a fitted estimator's ``score_samples``, column by column.

    Raises:
        ValueError: it has no log-density.
    """
    check_scores(estimator)
    check_is_fitted(estimator)
    return base_measure(estimator)


def bits_per_dimension(nats: float, dims: int) -> float:
    """``nats / (dims · ln 2)``, in the same sign: higher is better (the literature of images reports the negative).

    It has a meaning of its own only for probabilities of whole levels, such as the 256 of an 8-bit image, where −8 is
    to know nothing; or for densities relative to the unit of the values, where another unit moves it.

    Args:
        nats: a row.
        dims: entries of a row: pixels times channels.

    Raises:
        ValueError: ``dims`` is below 1.
    """
    if dims < 1:
        raise ValueError(f"dims must be at least 1, got {dims}")
    return nats / (dims * math.log(2.0))


def check_scores(estimator: BaseEstimator, called: str = "") -> None:
    """Refuse an estimator that gives no log-density to its rows."""
    name = called or type(estimator).__name__
    if not can(estimator, Scores):
        raise ValueError(
            f"{name} has no score_samples: it gives rows no log-density, and nats are all that is compared"
        )
    if is_outlier_detector(estimator):
        raise ValueError(f"{name} ranks rows, and its scores are no log-densities: nats are all that is compared")
