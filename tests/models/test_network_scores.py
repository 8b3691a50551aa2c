"""Scores of families, each against the formula written out; equivalent graphs score alike."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats

import small_graphs
from tacit.models.network.learning import (
    DiscreteScore,
    ExpectedCounts,
    GaussianMoments,
    GaussianScore,
    MixedScore,
    RowCounts,
    moments_of,
)

CARDS = (2, 3, 2, 4)
CODES = small_graphs.drawn_codes(300, CARDS, seed=1)
DISCRETE = ["bic", "aic", "loglik", "bdeu", "k2"]


def written_out(kind: str, node: int, parents: tuple[int, ...], codes: np.ndarray, weights: np.ndarray) -> float:
    """A local score by loops over configurations."""
    r = CARDS[node]
    q = math.prod(CARDS[p] for p in parents)
    value = 0.0
    for given in itertools.product(*(range(CARDS[p]) for p in parents)):
        rows = np.all(codes[:, list(parents)] == given, axis=1)
        n = [float(weights[rows & (codes[:, node] == level)].sum()) for level in range(r)]
        if kind == "bdeu":
            a = 2.5 / q
            value += math.lgamma(a) - math.lgamma(a + sum(n))
            value += sum(math.lgamma(a / r + each) - math.lgamma(a / r) for each in n)
        elif kind == "k2":
            value += math.lgamma(r) - math.lgamma(r + sum(n)) + sum(math.lgamma(1 + each) for each in n)
        else:
            value += sum(each * math.log(each / sum(n)) for each in n if each)
    return value - {"bic": 0.5 * math.log(weights.sum()), "aic": 1.0}.get(kind, 0.0) * q * (r - 1)


@pytest.mark.parametrize("kind", DISCRETE)
@pytest.mark.parametrize("weighted", [False, True])
def test_discrete_scores_are_their_formulas(kind: str, weighted: bool) -> None:
    weights = np.random.default_rng(0).gamma(1.0, size=300) if weighted else np.ones(300)
    score = DiscreteScore(RowCounts(CODES, CARDS, weights if weighted else None), kind, prior_weight=2.5)
    for node in range(4):
        others = [other for other in range(4) if other != node]
        for size in range(4):
            for parents in itertools.combinations(others, size):
                expected = written_out(kind, node, parents, CODES, weights)
                assert score.local(node, parents) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("kind", DISCRETE)
def test_candidates_together_score_as_each_by_itself(kind: str) -> None:
    rows = RowCounts(CODES, CARDS)

    def dense(node: int, parents: tuple[int, ...]) -> np.ndarray:
        table = np.zeros([CARDS[each] for each in (*parents, node)])
        np.add.at(table, tuple(CODES[:, each] for each in (*parents, node)), 1.0)
        return table

    expected = ExpectedCounts(dense, CARDS, 300)
    for source in (rows, expected):
        score = DiscreteScore(source, kind)
        for node, parents in [(0, ()), (1, (0,)), (2, (0, 3)), (3, (0, 1, 2))]:
            found = score.additions(node, parents)
            for other in range(4):
                if other == node or other in parents:
                    assert found[other] == -np.inf
                else:
                    alone = DiscreteScore(rows, kind).local(node, tuple(sorted((*parents, other))))
                    assert found[other] == pytest.approx(alone, rel=1e-12)


def test_expected_counts_of_another_shape_are_refused() -> None:
    score = DiscreteScore(ExpectedCounts(lambda node, parents: np.ones((2, 2)), (2, 3), 4.0))
    with pytest.raises(ValueError, match=r"shape \(2, 2\); it must be \(2, 3\)"):
        score.local(1, (0,))


@pytest.mark.parametrize("kind", DISCRETE)
def test_a_weight_of_two_is_two_copies_and_of_zero_none(kind: str) -> None:
    weights = np.random.default_rng(1).integers(0, 3, size=300)
    one = DiscreteScore(RowCounts(CODES, CARDS, weights.astype(float)), kind)
    other = DiscreteScore(RowCounts(np.repeat(CODES, weights, axis=0), CARDS), kind)
    for node, parents in [(0, ()), (3, (0, 2))]:
        assert one.local(node, parents) == pytest.approx(other.local(node, parents), rel=1e-12)
        np.testing.assert_allclose(one.additions(node, parents), other.additions(node, parents), rtol=1e-12)


def test_families_of_more_configurations_than_any_number_holds() -> None:
    codes = np.random.default_rng(0).integers(0, 1000, size=(50, 40))
    rows = RowCounts(codes, (1000,) * 40)
    score = DiscreteScore(rows, "loglik")
    # every row is the only one of its configuration, so nothing is left of the entropy
    assert score.local(0, tuple(range(1, 40))) == pytest.approx(0.0, abs=1e-9)
    counts = rows.counts(0, tuple(range(1, 40)))
    assert counts.joint.sum() == counts.given.sum() == 50
    assert DiscreteScore(rows, "bic").local(0, tuple(range(1, 40))) < -1e100
    assert np.all(np.isfinite(DiscreteScore(rows, "bdeu").additions(0, tuple(range(1, 20)))[20:]))


def test_distinct_rows_are_counted_once() -> None:
    assert len(RowCounts(np.tile(CODES[:20], (10, 1)), CARDS).codes) <= 20
    wide = np.tile(np.random.default_rng(0).integers(0, 4, size=(30, 60)), (5, 1))
    assert len(RowCounts(wide, (4,) * 60).codes) == 30


@pytest.mark.parametrize(
    ("codes", "cards", "weights", "words"),
    [
        ([[0, 0], [-1, 1]], (2, 2), None, r"column 'a' is missing in 1 of 2 rows \(the first is row 2\)"),
        ([[0, 0], [1, 2]], (2, 2), None, "column 'b', row 2: the code 2 is not below its 2 levels"),
        ([[0, 0]], (1,), None, "2 columns and 1 numbers"),
        ([[0, 0]], (1, 0), None, "no levels"),
        ([[0, 0]], (1, 1), [-1.0], "a weight from 0 on"),
        ([[0, 0]], (1, 1), [np.nan], "a weight from 0 on"),
    ],
)
def test_what_cannot_be_counted(codes: list, cards: tuple[int, ...], weights: list | None, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RowCounts(np.array(codes), cards, None if weights is None else np.array(weights), names=["a", "b"])


@pytest.mark.parametrize("kind", ["bic", "aic", "loglik", "bdeu"])
def test_equivalent_graphs_score_alike(kind: str) -> None:
    score = DiscreteScore(RowCounts(CODES, CARDS), kind)
    _assert_equivalent(score, differ=kind != "loglik")


@pytest.mark.parametrize("kind", ["bic", "aic", "loglik", "bge"])
def test_equivalent_gaussian_graphs_score_alike(kind: str) -> None:
    random = np.random.default_rng(3)
    rows = random.normal(size=(60, 4)) @ random.normal(size=(4, 4)) * [1.0, 50.0, 0.01, 3.0] + [5.0, 1e3, 0.0, -9.0]
    _assert_equivalent(GaussianScore(moments_of(rows), kind), differ=kind != "loglik")


def _assert_equivalent(score, differ: bool) -> None:
    found = []
    for members in small_graphs.classes(4):
        scores = [sum(score.local(node, own) for node, own in enumerate(member)) for member in members]
        np.testing.assert_allclose(scores, scores[0], rtol=1e-10)
        found.append(round(scores[0], 6))
    assert not differ or len(set(found)) == len(found)  # and those of different classes do not


def test_the_gaussian_likelihood_is_that_of_least_squares() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(80, 3)) @ random.normal(size=(3, 3)) + 2.0
    score = GaussianScore(moments_of(rows), "loglik")
    design = np.column_stack([np.ones(80), rows[:, :2]])
    left = rows[:, 2] - design @ np.linalg.lstsq(design, rows[:, 2], rcond=None)[0]
    expected = scipy.stats.norm(0, np.sqrt(np.mean(left**2))).logpdf(left).sum()
    assert score.local(2, (0, 1)) == pytest.approx(expected, rel=1e-8)
    bic = GaussianScore(moments_of(rows), "bic").local(2, (0, 1))
    assert bic == pytest.approx(expected - 0.5 * 4 * np.log(80), rel=1e-8)


def test_bge_is_the_product_of_predictive_densities() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(25, 3)) @ random.normal(size=(3, 3)) + [1.0, -2.0, 0.5]
    weight, degrees, dims = 1.7, 6.5, 3
    score = GaussianScore(moments_of(rows), "bge", prior_weight=weight, degrees=degrees)
    whole = score.local(0, ()) + score.local(1, (0,)) + score.local(2, (0, 1))
    # Normal–Wishart, row by row: p(x) = t of α_w − n + 1 degrees (Murphy 2007, equation 258)
    scale = weight * (degrees - dims - 1) / (weight + 1)
    mean, matrix, expected = rows.mean(axis=0), scale * np.eye(dims), 0.0
    for row in rows:
        dof = degrees - dims + 1
        expected += scipy.stats.multivariate_t(mean, matrix * (weight + 1) / (weight * dof), df=dof).logpdf(row)
        matrix = matrix + weight / (weight + 1) * np.outer(row - mean, row - mean)
        mean, weight, degrees = (weight * mean + row) / (weight + 1), weight + 1, degrees + 1
    assert whole == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", ["bic", "aic", "loglik", "bge"])
def test_gaussian_candidates_together_score_as_each_by_itself(kind: str) -> None:
    rows = np.random.default_rng(4).normal(size=(40, 5)) @ np.random.default_rng(5).normal(size=(5, 5))
    score = GaussianScore(moments_of(rows), kind)
    for node, parents in [(0, ()), (2, (0, 4))]:
        found = score.additions(node, parents)
        for other in range(5):
            if other == node or other in parents:
                assert found[other] == -np.inf
            else:
                assert found[other] == pytest.approx(score.local(node, tuple(sorted((*parents, other)))), rel=1e-9)


def test_weights_of_gaussian_rows_are_copies_and_columns_may_be_copies_of_others() -> None:
    random = np.random.default_rng(0)
    rows, weights = random.normal(size=(30, 3)), random.integers(0, 4, size=30)
    one, other = moments_of(rows, weights.astype(float)), moments_of(np.repeat(rows, weights, axis=0))
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12, atol=1e-12)
    doubled = np.column_stack([rows, rows[:, 0] * 2 + 1])
    score = GaussianScore(moments_of(doubled), "bic")
    assert np.all(np.isfinite(score.additions(1, (0, 3))[2]))
    assert score.local(3, (0,)) > score.local(3, ())
    with pytest.raises(ValueError, match="column 1 never changes"):
        GaussianScore(GaussianMoments(3.0, np.zeros(2), np.diag([1.0, 0.0])))
    with pytest.raises(ValueError, match="column 1, row 2 is nan"):
        moments_of(np.array([[0.0, 1.0], [2.0, np.nan]]))


def mixed_rows() -> np.ndarray:
    random = np.random.default_rng(2)
    a, b = random.integers(0, 2, size=200), random.integers(0, 3, size=200)
    x = random.normal(size=200) + a
    y = np.where(a == 1, 2 * x, -x) + b + 0.5 * random.normal(size=200)
    return np.column_stack([x, a, y, b])


def test_conditional_gaussian_scores_are_regressions_by_configuration() -> None:
    rows = mixed_rows()
    score = MixedScore(rows, np.array([False, True, False, True]), "bic")
    expected = 0.0
    for a, b in itertools.product(range(2), range(3)):
        part = rows[(rows[:, 1] == a) & (rows[:, 3] == b)]
        design = np.column_stack([np.ones(len(part)), part[:, 0]])
        left = part[:, 2] - design @ np.linalg.lstsq(design, part[:, 2], rcond=None)[0]
        expected += scipy.stats.norm(0, np.sqrt(np.mean(left**2))).logpdf(left).sum() - 0.5 * 3 * np.log(200)
    assert score.local(2, (0, 1, 3)) == pytest.approx(expected, rel=1e-7)
    levels = DiscreteScore(RowCounts(rows[:, [1, 3]].astype(int)))
    assert score.local(1, (3,)) == pytest.approx(levels.local(0, (1,)), rel=1e-12)
    assert score.local(1, (0,)) == -np.inf
    assert not score.possible()[0, 1]
    assert score.possible()[1, 0]


@pytest.mark.parametrize("kind", ["bic", "aic", "loglik"])
def test_mixed_candidates_together_score_as_each_by_itself(kind: str) -> None:
    score = MixedScore(mixed_rows(), np.array([False, True, False, True]), kind)
    for node, parents in [(0, ()), (2, (1,)), (2, (0, 1)), (1, ()), (3, (1,))]:
        found = score.additions(node, parents)
        for other in range(4):
            if other == node or other in parents:
                assert found[other] == -np.inf
            else:
                assert found[other] == pytest.approx(score.local(node, tuple(sorted((*parents, other)))), rel=1e-9)


def test_mixed_rows_with_weights_are_copies_and_too_few_rows_are_no_regression() -> None:
    rows, levelled = mixed_rows(), np.array([False, True, False, True])
    weights = np.random.default_rng(0).integers(0, 3, size=200)
    one = MixedScore(rows, levelled, "bic", weights.astype(float))
    other = MixedScore(np.repeat(rows, weights, axis=0), levelled, "bic")
    for node, parents in [(0, (1,)), (2, (0, 1, 3)), (3, (1,))]:
        assert one.local(node, parents) == pytest.approx(other.local(node, parents), rel=1e-9)
    rare = rows.copy()
    rare[0, 3] = 3.0  # a level in a single row
    assert MixedScore(rare, levelled).local(2, (0, 3)) == -np.inf


def test_scores_that_there_are_not() -> None:
    rows = RowCounts(CODES, CARDS)
    with pytest.raises(ValueError, match="score is 'mdl'; for columns with levels choose from bic, aic"):
        DiscreteScore(rows, "mdl")
    with pytest.raises(ValueError, match="prior_weight is 0"):
        DiscreteScore(rows, "bdeu", prior_weight=0)
    with pytest.raises(ValueError, match="for columns of numbers choose from"):
        GaussianScore(moments_of(np.random.default_rng(0).normal(size=(9, 2))), "bdeu")
    with pytest.raises(ValueError, match="degrees above"):
        GaussianScore(moments_of(np.random.default_rng(0).normal(size=(9, 2))), "bge", degrees=3)


def test_published_scores(shared_data) -> None:
    # bnlearn's manual pages of learning.test: score() of [A][C][F][B|A][D|A:C][E|B:F] with bic, aic, bde (iss = 1)
    _, columns = small_graphs.sample_of(shared_data, "learning_test.csv.gz")
    rows = RowCounts(small_graphs.coded(columns))
    graph = ((), (0,), (), (0, 2), (1, 5), ())
    for kind, expected in [("bic", -24006.73), ("aic", -23873.13), ("bdeu", -24028.09)]:
        score = DiscreteScore(rows, kind)
        assert sum(score.local(node, own) for node, own in enumerate(graph)) == pytest.approx(expected, abs=0.006)
