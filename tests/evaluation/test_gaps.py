"""What is usual for rows with gaps, against Gaussians in closed form."""

import numpy as np
import pytest
from scipy import stats

from tacit.evaluation.gaps import PATTERNS, usual_scores

MEAN = np.array([1.0, -2.0, 0.5])
COVARIANCE = np.array([[2.0, 0.6, 0.1], [0.6, 1.0, 0.0], [0.1, 0.0, 0.5]])


def score(rows):
    found = np.zeros(len(rows))
    for place, row in enumerate(rows):
        seen = ~np.isnan(row)
        if seen.any():
            found[place] = stats.multivariate_normal(MEAN[seen], COVARIANCE[np.ix_(seen, seen)]).logpdf(row[seen])
    return found


def test_the_usual_score_is_minus_the_entropy_of_what_is_seen():
    drawn = np.random.default_rng(0).multivariate_normal(MEAN, COVARIANCE, 2000)
    missing = np.array([[False] * 3, [True, False, False], [False, True, True], [True] * 3, [True, False, False]])
    found = usual_scores(score, drawn, missing)
    for row, gaps in enumerate(missing):
        seen = ~gaps
        entropy = stats.multivariate_normal(cov=COVARIANCE[np.ix_(seen, seen)]).entropy() if seen.any() else 0.0
        assert found[row] == pytest.approx(-entropy, abs=0.08)
    assert found[1] == found[4]


def test_rare_patterns_are_left_out():
    missing = np.array([[bit == "1" for bit in f"{number:07b}"] for number in range(100)] + [[True] * 7])
    found = usual_scores(lambda rows: np.zeros(len(rows)), np.zeros((2, 7)), np.vstack([missing, missing[90:]]))
    assert np.isnan(found).sum() > 0
    assert len(np.unique(np.vstack([missing, missing[90:]])[~np.isnan(found)], axis=0)) == PATTERNS
    assert not np.isnan(found[90:100]).any()  # the commonest
