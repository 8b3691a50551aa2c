"""Scores of a predicted column against scikit-learn's metrics and scipy's densities."""

import numpy as np
import pytest
from scipy import stats
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, mean_absolute_error, r2_score

from tacit import LeastAbsoluteDeviations
from tacit.evaluation.predictive import log_predictive, predictive_score


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(80, 2))


def test_classes_are_scored_as_scikit_learn_scores_them(rows: np.ndarray) -> None:
    y = np.where(rows[:, 0] + 0.7 * np.random.default_rng(1).normal(size=80) > 0.5, "yes", "no")
    model = LogisticRegression().fit(rows[:50], y[:50])
    found = predictive_score(model, rows[50:], y[50:], y[:50])
    chances = model.predict_proba(rows[50:])
    assert found.nats == pytest.approx(-log_loss(y[50:], chances), rel=1e-12)
    assert found.accuracy == accuracy_score(y[50:], model.predict(rows[50:]))
    yes = (np.sum(y[:50] == "yes") + 0.5) / 51.0
    base = np.where(y[50:] == "yes", np.log(yes), np.log(1 - yes))
    each = np.log(chances[np.arange(30), (y[50:] == "yes").astype(int)])
    assert found.gain == pytest.approx(np.mean(each - base), rel=1e-12)
    assert found.gain_error == pytest.approx(stats.sem(each - base), rel=1e-12)
    assert found.base_accuracy == np.mean(y[50:] == "no")
    assert np.isnan([found.error, found.r2, found.coverage]).all()


def test_a_class_that_was_not_there_at_fit_is_impossible_and_not_averaged(rows: np.ndarray) -> None:
    y = np.where(rows[:, 0] > 0, "b", "d")
    model = LogisticRegression().fit(rows[:50], y[:50])
    strange = np.append(y[50:79], "c")
    scores = log_predictive(model, rows[50:], strange)
    assert np.isneginf(scores[-1])
    found = predictive_score(model, rows[50:], strange, y[:50])
    assert found.nats == pytest.approx(scores[:-1].mean())
    assert found.rows == 30
    assert found.accuracy == np.mean(model.predict(rows[50:]) == strange)


def test_numbers_are_scored_as_scikit_learn_scores_them(rows: np.ndarray) -> None:
    y = rows @ [2.0, -1.0] + np.random.default_rng(2).laplace(size=80)
    model = LeastAbsoluteDeviations().fit(rows[:51], y[:51])
    found = predictive_score(model, rows[51:], y[51:], y[:51], level=0.5)
    said = model.predict(rows[51:])
    assert found.error == pytest.approx(mean_absolute_error(y[51:], said))
    assert found.base_error == pytest.approx(mean_absolute_error(y[51:], np.full(29, np.median(y[:51]))))
    # scikit-learn's R² has the mean of the new rows in the place of the fitted ones
    spread = np.sum((y[51:] - y[51:].mean()) ** 2) / np.sum((y[51:] - y[:51].mean()) ** 2)
    assert 1 - found.r2 == pytest.approx((1 - r2_score(y[51:], said)) * spread)
    low, high = model.predict_interval(rows[51:], 0.5)
    assert found.coverage == np.mean((y[51:] >= low) & (y[51:] <= high))
    assert 0.2 < found.coverage < 0.8
    # without columns the model is Laplace's distribution about the median
    about = stats.laplace(np.median(y[:51]), np.mean(np.abs(y[:51] - np.median(y[:51]))))
    known = stats.laplace(said, 2.0 * model.scale_).logpdf(y[51:])
    assert found.nats == pytest.approx(known.mean(), rel=1e-9)
    assert found.gain == pytest.approx(np.mean(known - about.logpdf(y[51:])), rel=1e-6)


def test_what_has_no_probabilities_is_refused(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="KMeans gives its targets no probabilities"):
        log_predictive(KMeans(2, n_init=1).fit(rows), rows, np.zeros(80))
