"""scikit-learn's own installed tests of its Bayesian Gaussian mixture, with our class in its place."""

import numpy as np
import pytest
import sklearn.mixture.tests.test_bayesian_mixture as theirs

from tacit import BayesianGaussianMixture

EXCLUDED = {
    "test_log_dirichlet_norm": "tests a private function of scikit-learn, not the class",
    "test_log_wishart_norm": "tests a private function of scikit-learn, not the class",
    "test_compare_covar_type": "calls private methods; the same relations are tested below, through fit",
    "test_monotonic_likelihood": "passes, but takes a minute of fits of one iteration; a shorter one stands below",
}
"""What is left out, each with its reason."""

theirs.BayesianGaussianMixture = BayesianGaussianMixture  # type: ignore[misc]
globals().update({n: f for n, f in vars(theirs).items() if n.startswith("test_") and n not in EXCLUDED})

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.reuses_keys]


def test_the_exclusions_exist() -> None:
    assert set(EXCLUDED) <= set(vars(theirs))


@pytest.mark.parametrize("kind", ["dirichlet_process", "dirichlet_distribution"])
def test_structures_compare_as_theirs_do_after_one_step(kind: str) -> None:
    # their test_compare_covar_type: tied, diag and spherical are averages of full after the first M-step
    rows = theirs.RandomData(np.random.RandomState(0), scale=7).X["full"]
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)  # in these units all structures begin at the same groups
    found = {}
    for structure in ("full", "tied", "diag", "spherical"):
        model = BayesianGaussianMixture(
            n_components=4,
            covariance_type=structure,
            weight_concentration_prior_type=kind,
            max_iter=0,
            random_state=0,
        ).fit(rows)
        dofs = np.asarray(model.degrees_of_freedom_)
        found[structure] = model.covariances_ * dofs.reshape(dofs.shape + (1,) * (model.covariances_.ndim - dofs.ndim))
    np.testing.assert_allclose(found["tied"], found["full"].mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(found["diag"], np.diagonal(found["full"], axis1=1, axis2=2), rtol=1e-9)
    np.testing.assert_allclose(found["spherical"], found["diag"].mean(axis=1), rtol=1e-9)


@pytest.mark.parametrize("kind", ["dirichlet_process", "dirichlet_distribution"])
def test_fits_of_one_iteration_go_on_and_never_fall(kind: str) -> None:
    rows = theirs.RandomData(np.random.RandomState(0), scale=20).X["full"]
    model = BayesianGaussianMixture(
        n_components=4, weight_concentration_prior_type=kind, warm_start=True, max_iter=1, random_state=0
    )
    bounds = [model.fit(rows).lower_bound_ for _ in range(12)]
    assert np.all(np.diff(bounds) >= 0)
    assert bounds[-1] > bounds[0]
