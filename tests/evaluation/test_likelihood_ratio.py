"""The likelihood ratio against scikit-learn's maxima, on the rows at hand and on the same replicates."""

import numpy as np
import pytest
from scipy import stats
from sklearn import mixture as peer

from tacit.data.dataset import DenseRows
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.evaluation._sampled import Replicator
from tacit.evaluation.likelihood_ratio import likelihood_ratio_test

SETTINGS = {"covariance_type": "tied", "n_init": 3, "tol": 1e-9, "max_iter": 5000, "reg_covar": 1e-9}


def best_ratio(rows: np.ndarray) -> float:
    """``2 (log L_2 − log L_1)`` of one column with one variance: the first in closed form, the other by a search."""
    one = stats.norm(rows.mean(), rows.std()).logpdf(rows).sum()
    starts = {"covariance_type": "tied", "n_init": 8, "tol": 1e-10, "max_iter": 5000, "init_params": "random_from_data"}
    two = peer.GaussianMixture(2, random_state=0, **starts).fit(rows)
    return 2.0 * (two.score(rows) * len(rows) - one)


@pytest.fixture(scope="module")
def blob() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(40, 1))


def test_the_statistic_and_its_replicates_are_those_of_another_search(blob: np.ndarray) -> None:
    found = likelihood_ratio_test(blob, 1, 4, GaussianMixture(**SETTINGS), random_state=5)
    assert found.statistic == pytest.approx(best_ratio(blob), abs=1e-4)
    random = np.random.default_rng(5)
    random.integers(2**31)
    draws = Replicator(GaussianMixture(1, **SETTINGS).fit(blob), DenseRows(blob), "parametric", random)
    wanted = [max(0.0, best_ratio(draws.draw()[0].rows())) for _ in range(4)]
    np.testing.assert_allclose(found.replicates, wanted, atol=1e-3)
    assert found.p_value == pytest.approx((1 + np.sum(np.array(wanted) >= found.statistic)) / 5)
    assert (found.components, found.dropped) == (1, 0)


def test_two_groups_need_two_components_and_not_three(blob: np.ndarray) -> None:
    rows = np.concatenate([blob, blob + 8.0])
    estimator = GaussianMixture(**{**SETTINGS, "tol": 1e-6})
    assert likelihood_ratio_test(rows, 1, 9, estimator, random_state=0).p_value == pytest.approx(0.1)
    assert likelihood_ratio_test(rows, 2, 9, estimator, random_state=0).p_value > 0.1


def test_without_an_estimator_the_floor_is_that_of_the_data(blob: np.ndarray) -> None:
    """The statistic does not know the unit of the rows."""
    rows = np.concatenate([blob, blob + 8.0])
    found = [likelihood_ratio_test(scale * rows, 1, 2, random_state=0).statistic for scale in (1e-9, 1e6)]
    assert found[0] == pytest.approx(found[1], rel=1e-6)
    assert found[0] > 0.0


def test_what_cannot_be_tested_is_said(blob: np.ndarray) -> None:
    with pytest.raises(ValueError, match="k must be a whole number of at least 1"):
        likelihood_ratio_test(blob, 0)
    spike = np.concatenate([np.zeros((9, 1)), np.full((8, 1), 3.0)])
    with pytest.raises(ValueError, match="1 or 2 components end on the floor of a variance"):
        likelihood_ratio_test(spike, 1, 2, random_state=0)


def test_a_start_that_collapses_gives_way_to_one_that_does_not(blob: np.ndarray) -> None:
    """The likeliest of all starts collapses on one row; the ratio is that of the best maximum with some width."""
    settings = {"n_init": 5, "reg_covar": 1e-9, "tol": 1e-6, "max_iter": 1000, "init_params": "random_from_data"}
    assert peer.GaussianMixture(2, random_state=0, **settings).fit(blob).covariances_.min() < 1e-8
    assert not GaussianMixture(2, random_state=0, **settings).fit(blob).at_floor_
    found = likelihood_ratio_test(blob, 1, 1, GaussianMixture(**settings), random_state=1)
    two = -np.inf
    for seed in range(8):
        fit = peer.GaussianMixture(2, random_state=seed, **{**settings, "n_init": 1}).fit(blob)
        two = max(two, fit.score(blob) * 40) if fit.covariances_.min() > 1e-3 else two
    one = stats.norm(blob.mean(), blob.std()).logpdf(blob).sum()
    assert found.statistic == pytest.approx(2.0 * (two - one), abs=0.02)
