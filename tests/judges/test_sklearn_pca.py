"""scikit-learn's own installed tests of its PCA, with our class in its place."""

from collections.abc import Callable

import numpy as np
import pytest
import sklearn.decomposition.tests.test_pca as theirs

from tacit.estimators.factors.pca import PCA

EXCLUDED = {
    "test_pca_array_api_compliance": "arrays of other libraries are not taken",
    "test_pca_mle_array_api_compliance": "arrays of other libraries are not taken",
    "test_array_api_error_and_warnings_on_unsupported_params": "arrays of other libraries are not taken",
    "test_sparse_pca_solver_error": "sparse rows are taken whichever svd_solver is named",
    "test_n_components_mle_error": "'mle' is taken whichever svd_solver is named",
    "test_pca_svd_solver_auto": "reads the private attribute _fit_svd_solver",
    "test_pca_score": "asks that whitening lower the density by rounding; test_pca.py has the rest",
}
"""What is left out, each with its reason."""
LESS = {
    "test_pca_validation": ("arpack", "randomized"),
    "test_n_components_none": ("arpack",),
    "test_pca_sparse": ("covariance_eigh", "csr_matrix", "csc_matrix", "csc_array", "0.01", "10", "100"),
}
"""Tests with fewer of their parameters: one svd_solver is as good as another, and allows as many components."""


def fewer(name: str, test: Callable) -> Callable:
    """The test without the parameters that are left out."""
    marks = []
    for mark in getattr(test, "pytestmark", []):
        if mark.name == "parametrize" and name in LESS:
            kept = [each for each in mark.args[1] if not any(_named(each, word) for word in LESS[name])]
            assert kept
            mark = pytest.mark.parametrize(mark.args[0], kept).mark
        marks.append(mark)
    test.pytestmark = marks
    return test


def _named(value: object, word: str) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return any(getattr(part, "__name__", str(part)) == word for part in parts)


theirs.PCA = PCA  # type: ignore[misc]
globals().update({n: fewer(n, f) for n, f in list(vars(theirs).items()) if n.startswith("test_") and n not in EXCLUDED})

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.reuses_keys]


@pytest.fixture
def global_random_seed() -> int:
    return 42


@pytest.fixture(params=[np.float32, np.float64])
def global_dtype(request: pytest.FixtureRequest) -> type:
    return request.param


def test_the_exclusions_exist() -> None:
    assert set(EXCLUDED) | set(LESS) <= set(vars(theirs))
