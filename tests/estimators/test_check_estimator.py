"""scikit-learn's estimator checks, of every model that the registry lists, with named exceptions only."""

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils import ClassifierTags, Tags
from sklearn.utils.estimator_checks import (
    check_estimator_sparse_array,
    check_estimator_sparse_matrix,
    parametrize_with_checks,
)

from tacit import VAE, GaussianMixture, MultinomialMixture, PoissonMixture, ProdLDA, SemiSupervisedVAE, registry
from tacit.estimators.flow import triangular_flow
from untrained import untrained

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.reuses_keys]

NETWORK = {"hidden": (4,), "max_epochs": 1, "n_samples": 2, "validation_fraction": 0.0}
SETTINGS: dict[str, dict[str, Any]] = {
    "mixture": {"families": "normal", "n_init": 1},
    "bayesian-mixture": {"families": "normal", "n_init": 1, "max_iter": 20},
    "latent-class": {"families": "normal", "n_init": 1},
    "regression-mixture": {"n_components": 1, "n_init": 2},
    "poisson-mixture": {"n_init": 1},
    "multinomial-mixture": {"n_init": 1},
    "hidden-markov-model": {"families": "normal", "n_init": 1},
    "linear-gaussian-state-space": {"n_init": 1, "max_iter": 5},
    "k-means": {"n_clusters": 2, "n_init": 2, "max_iter": 5},
    "pca": {"n_components": 1},
    "factor-analysis": {"n_components": 1},
    "item-factor-analysis": {"families": "normal", "n_nodes": 15, "tol": 1e-8},
    "mixture-of-factor-analysers": {"n_factors": 1},
    "bayesian-network": {"families": "normal", "edges": "naive", "hidden": {"Z": 2}, "n_init": 1, "max_iter": 20},
    "latent-dirichlet-allocation": {"start_iter": 3, "max_iter": 3},
    "bayesian-logistic-regression": {"n_init": 1, "n_draws": 0, "tol": 1e-12},
    "student-t-regression": {"dof": 4.0},
    "triangular-flow": {"hidden": (4,), "steps": 1, "bins": 3, "max_epochs": 1, "validation_fraction": 0.0},
    "stacked-density": {"members": (GaussianMixture(1), GaussianMixture(1, covariance_type="EEE")), "n_folds": 2},
    "vae": {"n_components": 2} | NETWORK,
    "semi-supervised-vae": {"n_components": 2} | NETWORK,
    "prod-lda": {"n_components": 2} | NETWORK,
}
"""What makes the checks quick, where the defaults are not."""

THEIRS = (
    "scikit-learn's check asks every sparse estimator with predict_proba for classifier_tags.multi_class, and only "
    "classifiers have such tags: what follows shows that nothing else is amiss"
)
BATCHES = "the rows of a mini-batch are not those of the same mini-batch once a row is repeated or left out"
ONE_SEQUENCE = "rows that stand in order are one sequence, which has one weight: rows of several are refused"
FOLLOWS = "a row's answer follows from the rows before and after it"
EXCEPTIONS: dict[str, dict[str, str]] = {
    "hidden-markov-model": {
        "check_sample_weights_not_overwritten": ONE_SEQUENCE,
        "check_sample_weight_equivalence_on_dense_data": ONE_SEQUENCE,
    },
    "linear-gaussian-state-space": {
        "check_sample_weights_not_overwritten": ONE_SEQUENCE,
        "check_sample_weight_equivalence_on_dense_data": ONE_SEQUENCE,
        "check_methods_sample_order_invariance": FOLLOWS,
        "check_methods_subset_invariance": FOLLOWS,
    },
    "poisson-mixture": {"check_estimator_sparse_array": THEIRS, "check_estimator_sparse_matrix": THEIRS},
    "multinomial-mixture": {"check_estimator_sparse_array": THEIRS, "check_estimator_sparse_matrix": THEIRS},
    "vae": {"check_sample_weight_equivalence_on_dense_data": BATCHES},
    "semi-supervised-vae": {"check_sample_weight_equivalence_on_dense_data": BATCHES},
    "prod-lda": {
        "check_sample_weight_equivalence_on_dense_data": BATCHES,
        "check_sample_weight_equivalence_on_sparse_data": BATCHES,
    },
}
"""The checks that fail, and why they may."""


FORMAL = {
    "check_dont_overwrite_parameters",
    "check_dtype_object",
    "check_estimator_sparse_array",
    "check_estimator_sparse_matrix",
    "check_estimators_dtypes",
    "check_estimators_overwrite_params",
    "check_f_contiguous_array_estimator",
    "check_fit_score_takes_y",
    "check_n_features_in_after_fitting",
    "check_positive_only_tag_during_fit",
    "check_sample_weights_pandas_series",
}
"""The checks that ask what a fit takes, refuses and leaves, not for numbers: no deep model is trained for them."""


class WholePoissonMixture(PoissonMixture):
    """The checks give fractions, which a mixture of counts refuses: here they are rounded first."""

    def read(self, X: Any, *, reset: bool, minimum: int = 1) -> Any:
        return super().read(rounded(X), reset=reset, minimum=minimum)


class WholeMultinomialMixture(MultinomialMixture):
    """As above."""

    def read(self, X: Any, *, reset: bool, minimum: int = 1) -> Any:
        return super().read(rounded(X), reset=reset, minimum=minimum)


ROUNDED = {"poisson-mixture": WholePoissonMixture, "multinomial-mixture": WholeMultinomialMixture}


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


def made(name: str) -> BaseEstimator:
    return ROUNDED.get(name, registry.get(name))(**SETTINGS.get(name, {}))


def exceptions(estimator: BaseEstimator) -> dict[str, str]:
    kinds = {ROUNDED.get(name, registry.get(name)): name for name in registry.names()}
    return EXCEPTIONS.get(kinds[type(estimator)], {})


@pytest.fixture(autouse=True)
def _flows_as_users_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triangular_flow, "FEWEST", 50)


@parametrize_with_checks([made(name) for name in registry.names()], expected_failed_checks=exceptions)
def test_check(estimator: Any, check: Any) -> None:
    deep = isinstance(estimator, (VAE, SemiSupervisedVAE, ProdLDA))
    with untrained() if deep and check.func.__name__ in FORMAL else contextlib.nullcontext():
        check(estimator)


@pytest.mark.parametrize("check", [check_estimator_sparse_array, check_estimator_sparse_matrix])
@pytest.mark.parametrize("name", [name for name, known in EXCEPTIONS.items() if THEIRS in known.values()])
def test_the_sparse_checks_pass_once_the_tag_that_they_read_is_there(name: str, check: Callable) -> None:
    with pytest.raises(AssertionError) as failed:
        check(name, made(name))
    assert str(failed.value.__cause__) == "'NoneType' object has no attribute 'multi_class'"

    class Tagged(type(made(name))):
        def __sklearn_tags__(self) -> Tags:
            tags = super().__sklearn_tags__()
            tags.classifier_tags = ClassifierTags()
            return tags

    check(name, Tagged(4, n_init=1, max_iter=3))  # it wants four columns of probabilities
