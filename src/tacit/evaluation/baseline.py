"""The model that any other has to beat: every entry by itself, as if it knew nothing of the others."""

from typing import Any

import numpy as np

from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.measure import DENSITY, MASS, Measure
from tacit.estimators.mixture.mixed import Mixture
from tacit.estimators.vae.answers import BLACK_OR_WHITE

INDEPENDENT = "independent"
"""The baseline's name in a comparison."""
LEVELS = 20
"""Up to so many different whole numbers are levels, each with a probability; more are counts."""


def independent(X: MatrixLike, measure: Measure) -> Mixture | None:
    """A mixture of one component with a family for every entry that gives what the other models give.

    Where they give densities it is a normal. Where they give probabilities it is a Bernoulli for 0 and 1, a
    probability for every level of an 8-bit image or of a column of few values, and a negative binomial for counts.

    Args:
        X: rows or images.
        measure: of the other models, a word an entry.

    Returns:
        The unfitted model; None where the entries cannot be independent, for they have a total, or are no numbers.
    """
    if (
        not set(measure) <= {DENSITY, MASS, BLACK_OR_WHITE}
        or not isinstance(X, np.ndarray)
        or X.dtype.kind not in "bfiu"
    ):
        return None
    values = seen_as(X, measure).reshape(X.shape[0], -1)
    families = {
        place: "normal" if word == DENSITY else _of_whole_numbers(values[:, place], X.dtype == np.uint8)
        for place, word in enumerate(measure)
    }
    # a level that a fold lacks must not be impossible; normals need no prior
    objective = "mle" if set(measure) == {DENSITY} else "map"
    return Mixture(1, families=families, objective=objective, n_init=1, random_state=0)


def seen_as(X: MatrixLike, measure: Measure) -> Any:
    """The rows as the other models score them: grey pixels cut at ½ where those are."""
    if BLACK_OR_WHITE not in measure:
        return X
    values = np.asarray(X)
    half = 127.5 if values.dtype == np.uint8 else 0.5
    return np.where(np.isnan(values), np.nan, values > half)


def _of_whole_numbers(column: np.ndarray, image: bool) -> str:
    seen = np.unique(column[~np.isnan(column)])
    if np.isin(seen, (0, 1)).all():
        return "bernoulli"
    return "categorical" if image or seen.size <= LEVELS else "negative-binomial"
