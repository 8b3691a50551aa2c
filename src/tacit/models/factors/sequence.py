"""Factor models of 0, 1, 2, … factors of one correlation matrix: their BIC, and whether what they leave is chance."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.families.factorising import factorise
from tacit.models.components.factor_analytic import n_loadings
from tacit.models.factors.statistics import FactorFit, degrees_of_freedom, factor_fit

MOST = 15
"""Factors that are tried at most."""
LEAST = 0.005
"""The smallest share of a column's variance that is its own, as R's ``factanal`` has it."""
ITERATIONS = 500
CHANCE = 0.05
"""The probability from which on what is left is called chance; a convention."""


class Sequence(NamedTuple):
    """Fits of 0, 1, 2, … factors."""

    bic: Float[np.ndarray, " tried"]
    """Lower is better."""
    p_value: Float[np.ndarray, " tried"]
    """Of the likelihood ratio against the free covariance."""

    @property
    def by_bic(self) -> int:
        """The number of the lowest BIC."""
        return int(np.argmin(self.bic))

    @property
    def by_ratio(self) -> int | None:
        """The first number that leaves no more than chance; None where none of those tried does."""
        enough = np.flatnonzero(self.p_value >= CHANCE)
        return int(enough[0]) if enough.size else None


def sequence(correlation: Float[np.ndarray, "d d"], weight: float) -> Sequence | None:
    """Fits of all numbers of factors that leave degrees of freedom; None of a matrix that is singular.

    Args:
        correlation: of the columns.
        weight: of the rows that it is of.
    """
    dims = len(correlation)
    sign, log_det = np.linalg.slogdet(correlation)
    if sign <= 0 or np.linalg.eigvalsh(correlation)[0] < 1e-8:
        return None
    fits = [_fit(correlation, 0, weight, float(log_det))]
    for factors in range(1, MOST + 1):
        if degrees_of_freedom(dims, factors) <= 0:
            break
        fits.append(_fit(correlation, factors, weight, float(log_det)))
    return Sequence(np.array([fit.bic for fit in fits]), np.array([fit.p_value for fit in fits]))


def _fit(correlation: np.ndarray, factors: int, weight: float, log_det: float) -> FactorFit:
    dims = len(correlation)
    plane = factorise(correlation, factors, LEAST, ITERATIONS)
    constant = dims * np.log(2.0 * np.pi)
    likelihood = -0.5 * weight * (2.0 * plane.objectives[-1] + constant)
    free = -0.5 * weight * (log_det + dims + constant)
    implied = plane.loadings @ plane.loadings.T + np.diag(plane.noise)
    parameters = 2 * dims + n_loadings(dims, factors)
    distance = 2.0 * (free - likelihood) / weight
    return factor_fit(distance, -log_det, correlation - implied, factors, weight, likelihood, parameters)
