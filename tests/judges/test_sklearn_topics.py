"""scikit-learn's own installed tests of its latent Dirichlet allocation, with our class in its place."""

from typing import Any

import numpy as np
import pytest
import sklearn.decomposition.tests.test_online_lda as theirs

from tacit import LatentDirichletAllocation

EXCLUDED = {
    "test_lda_preplexity_mismatch": "calls the private method _perplexity_precomp_distr",
    "test_verbosity": "counts a line an iteration; ours has converged before; a test of our own counts them",
    "test_dirichlet_expectation": "tests a private function of scikit-learn, not the class",
}
"""What is left out, each with its reason."""

theirs.LatentDirichletAllocation = LatentDirichletAllocation  # type: ignore[misc]
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
