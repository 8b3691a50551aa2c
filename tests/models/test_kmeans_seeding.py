"""Seeds: how often each row is drawn, and that neither order nor copies matter."""

import numpy as np
import pytest

from tacit.models.seeding import at_random, distinct, plus_plus, weighted_sample

ROWS = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [4.0, 4.0], [5.0, 4.0]])
WEIGHTS = np.array([1.0, 2.0, 0.0, 0.5, 3.0])


def test_greedy_seeds_come_with_their_probabilities() -> None:
    """Two seeds have two trials each: the first by weight, then the better of two by weight times distance."""
    apart = ((ROWS[:, None] - ROWS) ** 2).sum(-1)
    expected = np.zeros((5, 5))
    for first, mass in enumerate(WEIGHTS / WEIGHTS.sum()):
        share = WEIGHTS * apart[first] / (WEIGHTS @ apart[first])
        cost = WEIGHTS @ np.minimum(apart, apart[:, [first]])
        for a in range(5):
            for b in range(5):
                expected[first, a if cost[a] <= cost[b] else b] += mass * share[a] * share[b]
    random = np.random.default_rng(0)
    draws = 6_000
    found = np.zeros((5, 5))
    for _ in range(draws):
        first, second = plus_plus(ROWS, WEIGHTS, 2, random)
        found[first, second] += 1
    assert not found[2].any()
    assert not found[:, 2].any()
    error = np.sqrt(expected * (1 - expected) / draws)
    np.testing.assert_array_less(np.abs(found / draws - expected), 4.5 * error + 1e-12)


def test_seeds_spread_over_groups_that_lie_apart() -> None:
    random = np.random.default_rng(1)
    rows = (1000.0 * np.arange(12)[:, None] + random.normal(size=(12, 50))).reshape(-1, 1)
    for _ in range(10):
        picks = plus_plus(rows, np.ones(600), 12, random)
        assert sorted(picks // 50) == list(range(12))


def test_more_seeds_than_points_are_still_rows_of_some_weight() -> None:
    rows, weights = np.repeat(ROWS[:2], 3, axis=0), np.array([1.0, 0, 1, 0, 1, 0])
    picks = plus_plus(rows, weights, 5, np.random.default_rng(0))
    assert picks.shape == (5,)
    assert set(picks) <= {0, 2, 4}
    assert {tuple(r) for r in rows[picks]} == {tuple(r) for r in ROWS[:2]}


def test_random_seeds_differ_while_there_are_enough() -> None:
    random = np.random.default_rng(2)
    assert sorted(at_random(WEIGHTS, 4, random)) == [0, 1, 3, 4]
    assert set(at_random(WEIGHTS, 9, random)) <= {0, 1, 3, 4}
    firsts = np.bincount([at_random(WEIGHTS, 1, random)[0] for _ in range(10_000)], minlength=5) / 10_000
    np.testing.assert_allclose(firsts, WEIGHTS / WEIGHTS.sum(), atol=0.025)


def test_distinct_rows_know_neither_order_nor_copies() -> None:
    random = np.random.default_rng(3)
    rows, copies = random.normal(size=(40, 3)), random.integers(1, 5, size=40)
    repeated = np.repeat(rows, copies, axis=0)
    order = random.permutation(len(repeated))
    one = distinct(rows, copies.astype(float))
    other = distinct(repeated[order], np.ones(len(repeated)))
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])
    np.testing.assert_array_equal(np.sort(one[0], axis=0), np.sort(rows, axis=0))


@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_sample_takes_rows_by_weight(size: int) -> None:
    random = np.random.default_rng(4)
    weights = random.exponential(size=1000) * (random.uniform(size=1000) < 0.7)
    weights[10] = weights.sum() / 3
    index, copies = weighted_sample(weights, size, random)
    assert copies.sum() == size
    expected = size * weights / weights.sum()
    counts = np.zeros(1000)
    counts[index] = copies
    assert np.all(np.abs(counts - expected) < 1.0)  # equal steps never miss by a whole one
    assert np.all(np.diff(index) > 0)


def test_a_small_table_is_its_own_sample() -> None:
    index, weights = weighted_sample(WEIGHTS, 4, np.random.default_rng(5))
    np.testing.assert_array_equal(index, [0, 1, 3, 4])
    np.testing.assert_array_equal(weights, WEIGHTS[index])
