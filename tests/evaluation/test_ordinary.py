"""Scores of rows among the others: what they must find, what must not change them, and their parts against oracles."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata
from sklearn.covariance import MinCovDet
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture

from tacit.evaluation import ordinary
from tacit.evaluation.ordinary import anomaly_scores


def crowd(odd: int = 20, columns: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Ordinary rows of one correlated Gaussian, and a tight bunch of odd ones that no column shows by itself."""
    random = np.random.default_rng(0)
    shared = random.normal(size=(200, 1))
    rows = shared + 0.3 * random.normal(size=(200, columns))
    bunch = np.tile([1.5, -1.5], columns)[:columns] + 0.1 * random.normal(size=(odd, columns))
    labels = np.repeat([False, True], [200, odd])
    return np.vstack([rows, bunch]), labels


def test_a_bunch_of_odd_rows_gets_no_group_of_its_own() -> None:
    rows, odd = crowd()
    plain = GaussianMixture(4, random_state=0).fit(rows).score_samples(rows)
    assert roc_auc_score(~odd, plain) < 0.5
    assert roc_auc_score(~odd, anomaly_scores(rows)) > 0.95


def test_units_of_columns_do_not_matter() -> None:
    rows, _ = crowd()
    scaled = rows * [1e6, 1e-3, -1.0, 1e150] + [1e3, 0.0, 5.0, 0.0]
    np.testing.assert_allclose(anomaly_scores(scaled), anomaly_scores(rows), atol=0.1)
    assert np.corrcoef(anomaly_scores(scaled), anomaly_scores(rows))[0, 1] > 0.999


def test_gaps_are_integrated_out() -> None:
    rows, odd = crowd()
    random = np.random.default_rng(1)
    gappy = np.where(random.random(rows.shape) < 0.1, np.nan, rows)
    gappy[0] = np.nan
    scores = anomaly_scores(gappy)
    assert np.isfinite(scores).all()
    assert roc_auc_score(~odd, scores) > 0.9


def test_frames_and_arrays_are_the_same() -> None:
    rows, _ = crowd()
    np.testing.assert_array_equal(anomaly_scores(pd.DataFrame(rows, columns=list("abcd"))), anomaly_scores(rows))


def test_the_definition() -> None:
    """By scipy's ranks of the three views."""
    rows, _ = crowd()
    rows = ordinary._standardised(rows)
    one, kept = ordinary._trimmed(rows, 1, 0, np.ones(len(rows)))
    four, _ = ordinary._trimmed(rows, 4, 0, kept)
    views = [one, four, ordinary._tails(rows)]
    expected = np.mean([np.log(rankdata(view) / len(rows)) for view in views], axis=0)
    np.testing.assert_allclose(anomaly_scores(rows), expected, atol=1e-12)


def test_one_gaussian_ends_where_the_minimum_covariance_determinant_does() -> None:
    rows, _ = crowd()
    rows = ordinary._standardised(rows)
    peer = MinCovDet(support_fraction=ordinary.KEPT, random_state=0).fit(rows)
    scores, kept = ordinary._trimmed(rows, 1, 0, np.ones(len(rows)))
    assert kept.sum() == round(ordinary.KEPT * len(rows))
    assert np.corrcoef(rankdata(scores), rankdata(-peer.mahalanobis(rows)))[0, 1] > 0.9


def test_tails_of_ties_and_gaps() -> None:
    found = ordinary._tails(np.array([[1.0], [1.0], [2.0], [np.nan], [9.0]]))
    np.testing.assert_allclose(found, np.log([0.5, 0.5, 0.5, 1.0, 0.25]))


@pytest.mark.parametrize("rows", [np.ones((5, 2)), np.array([[0.0], [1.0]]), np.eye(12), np.zeros((3, 1))])
def test_small_and_constant_tables_have_scores(rows: np.ndarray) -> None:
    scores = anomaly_scores(rows)
    assert scores.shape == (len(rows),)
    assert np.isfinite(scores).all()


def test_rows_that_are_equal_have_equal_scores() -> None:
    rows, _ = crowd()
    twice = np.vstack([rows, rows[:5]])
    scores = anomaly_scores(twice)
    np.testing.assert_allclose(scores[:5], scores[-5:], atol=1e-12)
