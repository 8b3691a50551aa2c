"""How far groups are apart, against numpy, scipy and pandas on the rows themselves."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from tacit.report.effects import effects

RNG = np.random.default_rng(0)
GROUP = RNG.integers(0, 3, 90)
HARD = np.eye(3)[GROUP]
X = RNG.normal(size=90) + 2 * GROUP


def total_variation(distance):
    """Half the area between two normals that stand so far apart."""
    one, two = stats.norm(0, 1).pdf, stats.norm(distance, 1).pdf
    area, _ = integrate.quad(lambda t: abs(one(t) - two(t)) / 2, -12, 14, limit=400, points=[distance / 2])
    return area


def only(column, kind, levels=0, share=HARD):
    return [group[0] if group else None for group in effects(column[:, None], [kind], [levels], share)]


def test_continuous_columns_in_pooled_standard_deviations():
    for k, effect in enumerate(only(X, "continuous")):
        a, b = X[k == GROUP], X[k != GROUP]
        pooled = np.sqrt((len(a) * a.var() + len(b) * b.var()) / len(X))
        assert effect.size == pytest.approx((a.mean() - b.mean()) / pooled, rel=1e-10)
        assert effect.inside == pytest.approx(a.mean(), rel=1e-12)
        assert effect.outside == pytest.approx(b.mean(), rel=1e-12)
        assert effect.strength == pytest.approx(total_variation(effect.size), abs=1e-8)


def test_positive_columns_by_their_logarithms():
    plain, logs = only(X, "continuous"), only(np.exp(X), "positive")
    for a, b in zip(plain, logs, strict=True):
        assert b.size == pytest.approx(a.size, rel=1e-9)
        assert b.strength == pytest.approx(a.strength, rel=1e-9)
    for k, effect in enumerate(logs):
        assert not effect.median
        assert effect.inside == pytest.approx(np.exp(X)[k == GROUP].mean(), rel=1e-12)  # what people call the average
        assert effect.outside == pytest.approx(np.exp(X)[k != GROUP].mean(), rel=1e-12)


def test_medians_where_a_few_rows_make_the_means():
    """A group of generally larger amounts, beside one that holds the few largest."""
    amounts = np.concatenate([np.geomspace(20, 40, 99), np.geomspace(5, 10, 98), [1e5]])
    group = np.repeat([0, 1], 99)
    assert amounts[group == 0].mean() < amounts[group == 1].mean()
    for k, effect in enumerate(only(amounts, "positive", share=np.eye(2)[group])):
        assert effect.median
        assert effect.inside == pytest.approx(np.median(amounts[group == k]), rel=1e-12)
        assert effect.outside == pytest.approx(np.median(amounts[group != k]), rel=1e-12)
        assert (effect.inside > effect.outside) == (effect.size > 0)


def test_how_much_wider_a_group_is_than_the_rest():
    for k, effect in enumerate(only(X, "continuous")):
        assert effect.spread == pytest.approx(np.log(X[k == GROUP].std() / X[k != GROUP].std()), rel=1e-9)


def test_counts_by_the_ratio_of_their_means():
    counts = RNG.poisson(1 + 4 * GROUP).astype(float)
    for k, effect in enumerate(only(counts, "count")):
        a, b = counts[k == GROUP], counts[k != GROUP]
        assert effect.size == pytest.approx(np.log(a.mean() / b.mean()), rel=1e-10)
        root = only(np.sqrt(counts), "continuous")[k]
        assert effect.strength == pytest.approx(root.strength, rel=1e-10)


@pytest.mark.parametrize(("kind", "levels"), [("categorical", 4), ("binary", 2)])
def test_levels_by_their_probabilities(kind, levels):
    codes = np.where(RNG.random(90) < 0.6, GROUP % levels, RNG.integers(0, levels, 90)).astype(float)
    for k, effect in enumerate(only(codes, kind, levels)):
        shares = pd.crosstab(k == GROUP, codes, normalize="index").to_numpy()
        assert effect.strength == pytest.approx(np.abs(shares[1] - shares[0]).sum() / 2, rel=1e-10)
        gap = shares[1] - shares[0]
        assert abs(effect.size) == pytest.approx(np.abs(gap).max(), rel=1e-10)
        assert effect.size == pytest.approx(gap[effect.level], rel=1e-10)
        assert effect.inside == pytest.approx(shares[1][effect.level], rel=1e-10)
        assert effect.outside == pytest.approx(shares[0][effect.level], rel=1e-10)


def test_the_strongest_column_comes_first():
    rng = np.random.default_rng(0)  # of its own: the others draw in any order
    table = np.column_stack([rng.normal(size=90), X, np.full(90, 5.0), X / 3 + rng.normal(size=90)])
    for group in effects(table, ["continuous"] * 4, [0] * 4, HARD):
        strengths = [effect.strength for effect in group]
        assert strengths == sorted(strengths, reverse=True)
        assert group[0].column == 1
        constant = next(effect for effect in group if effect.column == 2)
        assert (constant.size, constant.strength) == (0.0, 0.0)


def test_a_column_that_is_constant_in_each_group_tells_everything():
    for effect in only(np.where(GROUP == 0, 3.0, 8.0), "continuous")[:1]:
        assert effect.strength == 1.0
        assert effect.size < -1e6


def test_missing_entries_do_not_count():
    holes = X.copy()
    holes[::4] = np.nan
    kept = np.flatnonzero(np.isfinite(holes))
    for a, b in zip(only(holes, "continuous"), only(X[kept], "continuous", share=HARD[kept]), strict=True):
        assert a == b


def test_groups_or_columns_without_rows_are_left_out():
    share = np.column_stack([np.ones(90), np.zeros(90)])
    assert effects(X[:, None], ["continuous"], [0], share) == [[], []]
    assert effects(np.full((90, 1), np.nan), ["continuous"], [0], HARD) == [[], [], []]
    assert effects(X[:, None], ["continuous"], [0], np.ones((90, 1))) == [[]]
    assert effects(np.zeros((0, 1)), ["count"], [0], np.zeros((0, 2))) == [[], []]


@given(st.integers(0, 1000))
def test_a_row_of_weight_half_in_two_groups_is_two_half_rows(seed):
    rng = np.random.default_rng(seed)
    x, share = rng.normal(size=12), rng.dirichlet(np.ones(3), size=12)
    whole = effects(x[:, None], ["continuous"], [0], share)
    twice = effects(np.tile(x, 2)[:, None], ["continuous"], [0], np.tile(share, (2, 1)))
    for a, b in zip(whole, twice, strict=True):
        assert a[0].size == pytest.approx(b[0].size, rel=1e-9, abs=1e-12)
    order = [2, 0, 1]
    turned = effects(x[:, None], ["continuous"], [0], share[:, order])
    for k, j in enumerate(order):
        assert turned[k][0].size == pytest.approx(whole[j][0].size, rel=1e-9, abs=1e-12)


def test_shift_and_scale_change_no_effect():
    for a, b in zip(only(X, "continuous"), only(1e-9 * X + 1e-3, "continuous"), strict=True):
        assert a.size == pytest.approx(b.size, rel=1e-6)
