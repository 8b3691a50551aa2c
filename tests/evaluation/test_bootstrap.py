"""Intervals against closed forms, weighted means, the observed information, and components that swap places."""

import numpy as np
import pyarrow as pa
import pytest

from tacit.data.dataset import DenseRows
from tacit.estimators.kmeans import KMeans
from tacit.estimators.mixture.counts import MultinomialMixture
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.mixture.mixed import Mixture
from tacit.evaluation._sampled import Replicator, copies
from tacit.evaluation.bootstrap import _restarted, bootstrap


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    random = np.random.default_rng(0)
    part = random.normal(size=(60, 2)) @ np.array([[1.0, 0.5], [0.0, 0.7]])
    part[:35] += [5.0, 1.0]
    return part


@pytest.fixture(scope="module")
def two(rows: np.ndarray) -> GaussianMixture:
    return GaussianMixture(2, covariance_type="tied", random_state=0, tol=1e-6).fit(rows)


def test_replicates_of_one_component_are_the_weighted_moments_of_the_same_draws(rows: np.ndarray) -> None:
    fit = GaussianMixture(1, reg_covar=0.0).fit(rows)
    found = bootstrap(fit, rows, 10, random_state=7)
    draws = Replicator(fit, DenseRows(rows), "weights", np.random.default_rng(7))
    for number in range(10):
        counts = draws.draw()[1]
        assert counts.sum() == 60
        mean = counts @ rows / 60
        centred = rows - mean
        np.testing.assert_allclose(found.replicates["means"][number, 0], mean, atol=1e-10)
        np.testing.assert_allclose(
            found.replicates["covariances"][number, 0], (counts * centred.T) @ centred / 60, atol=1e-9
        )
    values = found.replicates["means"]
    np.testing.assert_allclose(found.standard_errors["means"], np.std(values, axis=0, ddof=1), rtol=1e-12)
    np.testing.assert_allclose(found.lower["means"], np.percentile(values, 2.5, axis=0), rtol=1e-12)
    np.testing.assert_allclose(found.upper["means"], np.percentile(values, 97.5, axis=0), rtol=1e-12)


@pytest.mark.parametrize("method", ["weights", "parametric"])
def test_the_error_of_a_mean_is_the_closed_form(rows: np.ndarray, method: str) -> None:
    """σ/√n; the standard deviation of 40 replicates is known to about 1/√80 = 11 %."""
    fit = GaussianMixture(1, reg_covar=0.0).fit(rows)
    found = bootstrap(fit, rows, 40, method=method, random_state=1)
    np.testing.assert_allclose(found.standard_errors["means"][0], rows.std(axis=0) / np.sqrt(60), rtol=4 / np.sqrt(80))


def test_errors_are_near_those_of_the_observed_information(two: GaussianMixture, rows: np.ndarray) -> None:
    found = bootstrap(two, rows, 40, method="parametric", random_state=0)
    wanted = two.standard_errors(rows)
    for name in ("weights", "means"):
        np.testing.assert_allclose(found.standard_errors[name], wanted[name], rtol=0.35)
    assert found.standard_errors.keys() == wanted.keys()
    assert all(found.standard_errors[name].shape == wanted[name].shape for name in wanted)


class Restless(GaussianMixture):
    """Components end up in another order after every fit."""

    turns = 0

    def fit_read(self, rows):
        super().fit_read(rows)
        Restless.turns += 1
        if Restless.turns % 2:
            self.model_ = self.model_.take(np.array([1, 0]))


def test_components_that_swap_places_change_no_interval(two: GaussianMixture, rows: np.ndarray) -> None:
    fit = Restless(2, covariance_type="tied", random_state=0, tol=1e-6).fit(rows)
    fit.model_ = two.model_
    fit._publish(two.model_)
    calm, swapped = (bootstrap(each, rows, 12, random_state=3) for each in (two, fit))
    assert Restless.turns > 12
    for name in calm.lower:
        np.testing.assert_allclose(swapped.replicates[name], calm.replicates[name], rtol=1e-4, atol=1e-6)


def test_components_that_cannot_be_told_apart_are_named() -> None:
    rows = np.random.default_rng(1).normal(size=(60, 2))
    rows[:20] += 30.0
    fit = GaussianMixture(3, covariance_type="tied", random_state=0).fit(rows)
    alone = int(fit.predict(rows[:1])[0])
    others = ", ".join(str(k) for k in range(3) if k != alone)
    with pytest.raises(ValueError, match=f"components {others} cannot be told apart"):
        bootstrap(fit, rows, 20, random_state=0)
    twins = GaussianMixture(2, means_init=np.zeros((2, 2)), weights_init=[0.5, 0.5], max_iter=0, tol=0.0)
    twins.set_params(precisions_init=np.tile(np.eye(2), (2, 1, 1)))
    with pytest.raises(ValueError, match="components 0, 1 are the same in the fit"):
        bootstrap(twins.fit(rows), rows, 20)


def test_columns_of_all_kinds_keep_their_families_and_names() -> None:
    random = np.random.default_rng(13)
    which = np.repeat([0, 1], 40)
    table = pa.table(
        {
            "size": random.normal(8.0 * which, 1.0),
            "visits": random.poisson(np.where(which, 5.5, 1.2)),
            "town": np.array(["Bonn", "Ulm", "Wien"])[np.minimum(random.integers(3, size=80) + which, 2)],
        }
    )
    fit = Mixture(2, random_state=0, n_init=1).fit(table)
    # with a little more spread, as half of the replicates have, "auto" would take another family (and another prior)
    assert 1.9 < np.var(table.column("visits")) / np.mean(table.column("visits")) < 2.0
    assert _restarted(fit).families == {(0,): "normal", (1,): "poisson", (2,): "categorical"}
    found = bootstrap(fit, table, 6, random_state=0)
    names = {"weights", "groups.0.means", "groups.0.covariances", "groups.1.rates", "groups.2.probabilities"}
    assert found.estimates.keys() == names
    listed = found.table.to_pylist()
    entries = {(row["parameter"].rpartition(".")[2], row["entry"]) for row in listed}
    assert {("weights", ""), ("means", "size"), ("rates", "visits"), ("probabilities", "town = Ulm")} <= entries
    for row in listed:
        assert row["lower"] <= row["upper"]
    sizes = [row for row in listed if row["entry"] == "size" and row["parameter"].endswith("means")]
    middle = [table.column("size").to_numpy()[which == group].mean() for group in range(2)]
    assert all(min(abs(row["estimate"] - m) for m in middle) < 0.5 for row in sizes)
    parametric = bootstrap(fit, table, 4, method="parametric", random_state=0)
    assert parametric.dropped == 0


def test_new_rows_have_the_gaps_and_totals_of_the_old() -> None:
    counts = np.random.default_rng(0).poisson(3.0, size=(30, 4)).astype(float)
    fit = MultinomialMixture(1).fit(counts)
    found, weights = Replicator(fit, DenseRows(counts), "parametric", np.random.default_rng(0)).draw()
    drawn = found.rows()
    assert sorted(drawn.sum(axis=1)) == sorted(counts.sum(axis=1))
    assert (weights == 1.0).all()
    gappy = np.random.default_rng(1).normal(size=(30, 2))
    gappy[:7, 0] = np.nan
    drawn, _ = Replicator(
        GaussianMixture(1).fit(gappy), DenseRows(gappy), "parametric", np.random.default_rng(0)
    ).draw()
    assert np.isnan(drawn.rows()).sum(axis=0).tolist() == [7, 0]


@pytest.mark.parametrize("weights", [np.ones(9), np.arange(9.0), np.full(9, 0.5), np.array([0.0, 2.0, 0.0, 1.0])])
def test_rows_are_copied_as_often_as_they_weigh(weights: np.ndarray) -> None:
    number = round(float(weights.sum()))
    counts = np.bincount(copies(weights, number), minlength=weights.size)
    assert counts.sum() == number
    assert (np.abs(counts - weights * number / weights.sum()) < 1.0).all()


def test_weighted_rows_are_copies(rows: np.ndarray) -> None:
    """Rows of weight 2 are rows written out twice: the error is 1/√2 of that of each once."""
    one = GaussianMixture(1, reg_covar=0.0).fit(rows, sample_weight=np.full(60, 2.0))
    found = bootstrap(one, rows, 40, random_state=0, sample_weight=np.full(60, 2.0))
    np.testing.assert_allclose(found.standard_errors["means"][0], rows.std(axis=0) / np.sqrt(120), rtol=4 / np.sqrt(80))


def test_what_cannot_be_bootstrapped_is_said(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="KMeans cannot go on from its own parameters"):
        bootstrap(KMeans(2).fit(rows), rows)
    flat = np.column_stack([rows[:, 0], np.ones(60)])
    with pytest.warns(UserWarning, match="floor"):
        fit = GaussianMixture(1).fit(flat)
    with pytest.raises(ValueError, match="floor of a variance: component 0"):
        bootstrap(fit, flat, 5)
    with pytest.raises(ValueError, match="confidence must be between 0 and 1"):
        bootstrap(fit, rows, 5, confidence=95)
    with pytest.raises(ValueError, match="method must be one of"):
        bootstrap(fit, rows, 5, method="bayesian")
