"""Recall, precision and areas, by counting pairs."""

import numpy as np
import pytest

from tacit.evaluation.classes import class_scores, confusion, precision_recall, roc

RNG = np.random.default_rng(0)
OBSERVED = RNG.integers(0, 3, 60)
CHANCES = RNG.dirichlet(np.ones(3), 60)
CHANCES[np.arange(60), OBSERVED] += 0.3
CHANCES /= CHANCES.sum(axis=1, keepdims=True)
SAID = CHANCES.argmax(axis=1)


def test_who_is_taken_for_whom():
    counts = confusion(CHANCES, np.where(np.arange(60) < 5, -1, OBSERVED))
    for own in range(3):
        for called in range(3):
            assert counts[own, called] == ((own == OBSERVED) & (called == SAID))[5:].sum()


def test_each_class_by_counting():
    for place, score in enumerate(class_scores(CHANCES, OBSERVED)):
        own, called = place == OBSERVED, place == SAID
        assert score.recall == pytest.approx((own & called).sum() / own.sum())
        assert score.precision == pytest.approx((own & called).sum() / called.sum())
        pairs = CHANCES[own, place][:, None] - CHANCES[~own, place]
        assert score.auc == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
        assert score.told == pytest.approx(CHANCES[:, place].mean())
        order = np.argsort(-CHANCES[:, place])
        hits = own[order]
        area = (np.cumsum(hits) / np.arange(1, 61))[hits].mean()
        assert score.average_precision == pytest.approx(area)


def test_a_class_of_no_row_has_no_area():
    (_, none) = class_scores(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 0]))
    assert none.rows == none.called == 0
    assert np.isnan([none.recall, none.precision, none.auc, none.average_precision]).all()


def test_curves_go_from_corner_to_corner():
    own = OBSERVED == 1
    x, y = roc(CHANCES[:, 1], own)
    assert (x[0], y[0], x[-1], y[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert np.trapezoid(y, x) == pytest.approx(class_scores(CHANCES, OBSERVED)[1].auc)
    recall, precision = precision_recall(CHANCES[:, 1], own)
    assert recall.max() == 1.0
    assert precision[np.argmax(recall)] == pytest.approx(own.mean(), abs=0.2)
