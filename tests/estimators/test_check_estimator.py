"""scikit-learn's estimator checks, with no more expected failures than its own peer has."""

from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.utils.estimator_checks import parametrize_with_checks

from tacit import (
    BayesianGaussianMixture,
    BayesianLinearRegression,
    BayesianLogisticRegression,
    GaussianMixture,
    Mixture,
    MultinomialMixture,
    PoissonMixture,
)
from tacit.estimators.mixture.counts import CountMixture

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.reuses_keys]


THEIRS = "scikit-learn's check asks every sparse estimator with predict_proba for a classifier's tags"
SPARSE = {"check_estimator_sparse_array": THEIRS}


class WholePoissonMixture(PoissonMixture):
    """The checks give fractions, which a mixture of counts refuses: here they are rounded first."""

    def _read(self, X: Any, *, reset: bool, minimum: int = 1) -> Any:
        return super()._read(rounded(X), reset=reset, minimum=minimum)


class WholeMultinomialMixture(MultinomialMixture):
    """As above."""

    def _read(self, X: Any, *, reset: bool, minimum: int = 1) -> Any:
        return super()._read(rounded(X), reset=reset, minimum=minimum)


def rounded(X: Any) -> Any:
    if sparse.issparse(X):
        X = X.tocsr(copy=True)
        X.data = np.rint(X.data)
        return X
    try:
        numbers = np.asarray(X, dtype=float)
    except (TypeError, ValueError):
        return X
    return np.rint(numbers).astype(getattr(X, "dtype", float)) if isinstance(X, np.ndarray) else X


@parametrize_with_checks(
    [
        GaussianMixture(),
        BayesianGaussianMixture(),
        Mixture(families="normal", n_init=1),
        WholePoissonMixture(n_init=1),
        WholeMultinomialMixture(n_init=1),
        BayesianLogisticRegression(n_init=1, n_draws=0, tol=1e-12),
        BayesianLinearRegression(),
    ],
    expected_failed_checks=lambda estimator: SPARSE if isinstance(estimator, CountMixture) else {},
)
def test_check(estimator: Any, check: Any) -> None:
    check(estimator)
