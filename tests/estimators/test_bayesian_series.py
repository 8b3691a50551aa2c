"""Bayesian mixtures that are fitted again: batches, new priors, empty groups, columns nobody has seen."""

import numpy as np
import pytest

from tacit import BayesianGaussianMixture, BayesianMixture, GaussianMixture, select

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.reuses_keys,
]
DRAW = np.random.default_rng(0)
ROWS = np.concatenate([DRAW.normal(0.0, 1.0, (40, 2)), DRAW.normal(6.0, 1.0, (40, 2))])


def test_a_marginal_has_a_mean_though_groups_are_empty() -> None:
    found = BayesianMixture(6, n_init=1, random_state=0, max_iter=60).fit(ROWS)
    assert found.n_components_used_ < 6
    np.testing.assert_allclose(found.marginal([0]).mean(), ROWS[:, :1].mean(0), atol=0.3)


def test_a_column_that_is_missing_everywhere_does_no_harm_to_the_others() -> None:
    gone = ROWS.copy()
    gone[:, 1] = np.nan
    found = BayesianGaussianMixture(n_components=2, covariance_type="diag", random_state=0, max_iter=30).fit(gone)
    assert np.isfinite(found.lower_bound_)
    np.testing.assert_allclose(np.sort(found.means_[:, 0]), [0.0, 6.0], atol=0.7)


def test_a_warm_start_goes_on_under_the_new_prior() -> None:
    found = BayesianGaussianMixture(n_components=2, random_state=0, max_iter=3, warm_start=True).fit(ROWS)
    found.set_params(weight_concentration_prior=50.0, weight_concentration_prior_type="dirichlet_distribution")
    found.set_params(max_iter=50).fit(ROWS)
    np.testing.assert_allclose(found.weight_concentration_, 50.0 + found.expected_counts_, rtol=1e-6)


@pytest.mark.parametrize("kind", [BayesianGaussianMixture, GaussianMixture])
def test_a_fit_ends_a_series_of_batches(kind: type) -> None:
    found = kind(n_components=2, random_state=0, max_iter=5).partial_fit(ROWS).fit(ROWS + 50.0)
    found.partial_fit(ROWS + 100.0)
    np.testing.assert_allclose(found.means_.mean(0), ROWS.mean(0) + 100.0, atol=2.0)


def test_rows_of_weight_zero_are_no_rows() -> None:
    weights = np.append(np.ones(80), np.zeros(800))
    padded = np.concatenate([ROWS, np.tile(ROWS, (10, 1))])
    found = BayesianGaussianMixture(n_components=4, random_state=0, max_iter=30).fit(padded, sample_weight=weights)
    used = int((found.expected_counts_ >= 1.0).sum())
    assert found.n_components_used_ == used


def test_batches_with_gaps_come_in_a_random_order() -> None:
    gaps = ROWS.copy()
    gaps[:20, 0] = np.nan  # all of one group
    found = BayesianGaussianMixture(n_components=2, random_state=0, max_iter=20, inference="online-vb").fit(gaps)
    np.testing.assert_allclose(np.sort(found.weights_), [0.5, 0.5], atol=0.1)


def test_a_search_that_is_broken_off_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    fit, fits = BayesianGaussianMixture.fit_read, []

    def impatient(self, rows):
        fits.append(self.n_components)
        if len(fits) == 2:
            raise KeyboardInterrupt
        fit(self, rows)

    monkeypatch.setattr(BayesianGaussianMixture, "fit_read", impatient)
    base = BayesianGaussianMixture(n_components=1, max_iter=5, random_state=0)
    found = select(ROWS, [1, 2, 3], "full", "bound", estimator=base, n_init=1)
    assert found.best.n_components == 1
    assert found.table.num_rows == 1
