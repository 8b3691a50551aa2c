"""What a log-density is a density of: two models can be compared only where it is the same thing."""

import math

from sklearn.base import BaseEstimator, is_outlier_detector
from sklearn.utils.validation import check_is_fitted

from tacit.estimators.capabilities import Measures, Scores, can
from tacit.models.components.base import Component
from tacit.models.mixture.model import MixtureModel

DENSITY = "density"
MASS = "mass"
GIVEN_TOTAL = "mass given the total of columns "

Measure = tuple[str, ...]
"""A word a column: "density" (of a continuous value), "mass" (of a count or a level), "mass of black or white" (of a
grey pixel that was cut), or "mass given the total of columns 0, 1, 2" (of a row of counts whose sum is no part of the
model)."""


def measure_of(model: MixtureModel) -> Measure:
    """The base measure of a mixture's density, column by column, from its groups."""
    words = {column: _word(group) for group in model.groups for column in group.columns}
    return tuple(words[column] for column in sorted(words))


def _word(group: Component) -> str:
    if group.given_total:
        return GIVEN_TOTAL + ", ".join(str(column) for column in group.columns)
    return MASS if group.column_kind in ("count", "binary", "categorical") else DENSITY


def measure(estimator: BaseEstimator) -> Measure:
    """The base measure of a fitted estimator's ``score_samples``, column by column.

    A model that names no groups of columns is taken to give a density of all of them, as scikit-learn's do.

    Raises:
        ValueError: it has no log-density.
    """
    check_scores(estimator)
    check_is_fitted(estimator)
    if can(estimator, Measures):
        return tuple(estimator.base_measure())
    model = vars(estimator).get("model_")
    if isinstance(model, MixtureModel):
        return measure_of(model)
    return (DENSITY,) * int(estimator.n_features_in_)


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
