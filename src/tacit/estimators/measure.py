"""What a log-density is a density of: two models can be compared only where it is the same thing."""

from sklearn.base import BaseEstimator

from tacit.estimators.capabilities import Measures, can
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


def base_measure(estimator: BaseEstimator) -> Measure:
    """The base measure of a fitted estimator's ``score_samples``, column by column.

    A model that names no groups of columns is taken to give a density of all of them, as scikit-learn's do.
    """
    if can(estimator, Measures):
        return tuple(estimator.base_measure())
    model = vars(estimator).get("model_")
    if isinstance(model, MixtureModel):
        return measure_of(model)
    return (DENSITY,) * int(estimator.n_features_in_)
