"""What models of factors can do."""

import abc
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from tacit.data.schema import Schema
from tacit.estimators.capabilities import MatrixLike, Scores, Transforms

if TYPE_CHECKING:
    from tacit.models.factors.statistics import FactorFit


class HasFactors(Transforms, Scores):
    """Explains the columns by a few factors, each a sum over the columns, with noise left over."""

    loadings_: np.ndarray
    """``(d, factors)``: by how many of its standard deviations a column rises with a factor's one."""
    mean_: np.ndarray
    """Of the columns."""

    @property
    @abc.abstractmethod
    def column_names(self) -> list[str]:
        """Of the columns at fit, or x0, x1, …"""

    @abc.abstractmethod
    def most_factors(self, columns: int) -> int:
        """How many factors so many columns can have."""

    def has_correlations(self, schema: Schema | None) -> bool:
        """Whether parallel analysis of its columns can say how many factors there are."""
        return False

    def remarks(self) -> list[str]:
        """What is to be said of the fit, in sentences."""
        return []

    @abc.abstractmethod
    def bic(self, X: MatrixLike, sample_weight: ArrayLike | None = None) -> float:
        """``−2 log L + ν log N``: lower is better."""

    @abc.abstractmethod
    def aic(self, X: MatrixLike, sample_weight: ArrayLike | None = None) -> float:
        """``−2 log L + 2 ν``: lower is better."""

    @abc.abstractmethod
    def transform(self, X: MatrixLike, *, return_std: bool = False) -> Any:
        """The scores of every row, ``(n, factors)``, perhaps with their standard deviations."""


class TellsFit(HasFactors):
    """Says how well the factors explain the covariance of the columns."""

    factor_correlations_: np.ndarray
    """``(factors, factors)``."""
    uniquenesses_: np.ndarray
    """The share of every column's variance that no factor explains, ``(d,)``."""
    explained_variance_: np.ndarray
    """What every factor explains, in columns, ``(factors,)``."""

    @abc.abstractmethod
    def goodness_of_fit(self, X: MatrixLike | None = None, sample_weight: ArrayLike | None = None) -> "FactorFit":
        """χ² and the indices made of it."""
