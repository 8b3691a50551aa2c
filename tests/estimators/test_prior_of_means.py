"""Priors of a Gaussian mixture: a flat one of the means, and what is refused."""

from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import invwishart, multivariate_normal

from tacit import GaussianMixture
from tacit.families.covariance import STRUCTURES

ROWS = np.random.default_rng(0).normal(size=(60, 2)) @ np.array([[1.0, 0.4], [0.0, 0.7]]) + [3.0, -1.0]


def test_without_shrinkage_the_mean_is_free_and_the_covariance_is_the_mode_under_its_wishart() -> None:
    dof, scale = 5.0, np.array([[2.0, 0.3], [0.3, 1.0]])
    priors = {"shrinkage": 0.0, "dof": dof, "scale": scale}
    model = GaussianMixture(1, objective="map", priors=priors, reg_covar=0.0, tol=1e-12).fit(ROWS)
    np.testing.assert_allclose(model.means_[0], ROWS.mean(axis=0), rtol=1e-12)

    def cost(packed: np.ndarray) -> float:
        root = np.array([[np.exp(packed[0]), 0.0], [packed[1], np.exp(packed[2])]])
        covariance = root @ root.T
        likelihood = multivariate_normal(ROWS.mean(axis=0), covariance).logpdf(ROWS).sum()
        return -likelihood - invwishart(dof, scale).logpdf(covariance)

    found = minimize(cost, np.zeros(3), method="BFGS", options={"gtol": 1e-9})
    root = np.array([[np.exp(found.x[0]), 0.0], [found.x[1], np.exp(found.x[2])]])
    np.testing.assert_allclose(model.covariances_[0], root @ root.T, rtol=1e-5)
    assert model.lower_bound_ * len(ROWS) == pytest.approx(-found.fun, rel=1e-9)


@pytest.mark.parametrize("name", [name for name in STRUCTURES if len(name) == 3])
def test_a_flat_prior_is_fitted_in_every_structure(name: str) -> None:
    rows = np.vstack([ROWS, ROWS + 6.0])
    model = GaussianMixture(
        2, covariance_type=name, objective="map", priors={"shrinkage": 0.0}, random_state=0, tol=1e-8, max_iter=500
    ).fit(rows)
    assert np.isfinite(model.lower_bounds_).all()
    assert (np.diff(model.lower_bounds_) > -1e-9).all()
    assert np.isfinite(model.score(rows))


@pytest.mark.parametrize(
    ("priors", "said"),
    [
        ({"shrinkage": -1.0}, "shrinkage"),
        ({"shrinkage": np.nan}, "shrinkage"),
        ({"shrinkage": np.inf}, "shrinkage"),
        ({"dof": 1.0}, "above 1"),
        ({"dof": np.nan}, "above 1"),
        ({"scale": -np.eye(2)}, "positive definite"),
        ({"scale": np.eye(3)}, "2 columns"),
        ({"mean": [0.0, np.nan]}, "finite"),
        ({"mean": [0.0]}, "2 finite"),
        ({"concentration": 0.0}, "concentration"),
        ({"shrink": 1.0}, "'shrink'"),
        ("flat", "does not exist"),
    ],
)
def test_what_no_prior_can_be_is_refused(priors: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        GaussianMixture(1, objective="map", priors=priors).fit(ROWS)
