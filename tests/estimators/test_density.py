"""Marginals and conditionals of a mixture: against scipy, brute force, and the chain rule."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import integrate

import small_mixtures as small
from tacit import families
from tacit.models.mixture import sampling

FULL, MIXED = small.full_gaussian(), small.few_kinds()
NAMES = tuple("abcdefg")
FACE = small.Fitted(MIXED, NAMES)
ROWS, _ = sampling.sample(MIXED, 6, random=np.random.default_rng(3))
GIVEN = (0, 2, 4)
REST = tuple(j for j in range(7) if j not in GIVEN)
BATCH = FACE.condition({j: ROWS[:, j] for j in GIVEN})
ONE = FACE.condition({"a": ROWS[0, 0], "c": ROWS[0, 2], "e": ROWS[0, 4]})


def only(row: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
    """The row with all but some columns missing."""
    kept = np.full(row.shape, np.nan)
    kept[list(columns)] = row[list(columns)]
    return kept


KNOWN = [only(row, GIVEN) for row in ROWS]
TOTALS = [small.total_moments(MIXED, row) for row in KNOWN]


class TestScores:
    def test_a_batch_scores_its_rows_one_by_one(self) -> None:
        expected = [
            small.log_density(MIXED, row) - small.log_density(MIXED, known)
            for row, known in zip(ROWS, KNOWN, strict=True)
        ]
        np.testing.assert_allclose(BATCH.log_prob(ROWS[:, REST]), expected, rtol=0, atol=1e-10)
        np.testing.assert_array_equal(BATCH.score_samples(ROWS[:, REST]), BATCH.log_prob(ROWS[:, REST]))

    def test_one_density_scores_all_rows(self) -> None:
        laid = ROWS.copy()
        laid[:, GIVEN] = ROWS[0, GIVEN]
        expected = [small.log_density(MIXED, row) - small.log_density(MIXED, KNOWN[0]) for row in laid]
        np.testing.assert_allclose(ONE.log_prob(ROWS[:, REST]), expected, rtol=0, atol=1e-10)

    def test_missing_entries_are_integrated_out(self) -> None:
        gaps = ROWS.copy()
        gaps[:, [3, 6]], gaps[2, [1, 5]], gaps[3, list(REST)] = np.nan, np.nan, np.nan
        expected = [
            small.log_density(MIXED, row) - small.log_density(MIXED, known)
            for row, known in zip(gaps, KNOWN, strict=True)
        ]
        np.testing.assert_allclose(BATCH.log_prob(gaps[:, REST]), expected, rtol=0, atol=1e-10)

    def test_one_column_integrates_to_one(self) -> None:
        alone = small.Fitted(FULL).condition({1: 0.5, 3: -1.0}).marginal(0)
        nodes, weights = np.polynomial.legendre.leggauss(200)
        scale = 12.0 * np.sqrt(alone.variance()[0])
        mass = np.exp(alone.log_prob((alone.mean()[0] + scale * nodes)[:, None])) @ weights * scale
        assert abs(mass - 1.0) < 1e-10

    @pytest.mark.parametrize(("column", "value"), [(1, -0.5), (1, 0.0), (6, 2.0)])
    def test_outside_the_support_there_is_no_density(self, column: int, value: float) -> None:
        rows = ROWS[:3].copy()
        rows[1, column] = value
        found = ONE.log_prob(rows[:, REST])
        assert found[1] == -np.inf
        assert np.isfinite(found[[0, 2]]).all()


class TestWeights:
    def test_weights_are_the_posterior_given_what_is_known(self) -> None:
        expected = [small.posterior(MIXED, row) for row in KNOWN]
        np.testing.assert_allclose(BATCH.weights, expected, rtol=1e-10)
        np.testing.assert_allclose(ONE.weights, expected[0], rtol=1e-10)

    def test_nothing_given_leaves_them_as_they_are(self) -> None:
        np.testing.assert_allclose(FACE.condition({}).weights, [0.5, 0.2, 0.3], rtol=1e-13)


class TestMoments:
    def test_mean_and_variance_against_dense_algebra(self) -> None:
        means = np.array([mean[list(REST)] for mean, _ in TOTALS])
        variances = np.array([np.diag(covariance)[list(REST)] for _, covariance in TOTALS])
        np.testing.assert_allclose(BATCH.mean(), means, rtol=1e-10)
        np.testing.assert_allclose(BATCH.variance(), variances, rtol=1e-9)
        np.testing.assert_allclose(ONE.mean(), means[0], rtol=1e-10)
        np.testing.assert_allclose(ONE.variance(), variances[0], rtol=1e-9)

    def test_moments_are_those_of_the_density(self) -> None:
        alone = small.Fitted(FULL).condition({2: 1.0}).marginal([3])
        ends = alone.quantile([1e-12, 1.0 - 1e-12])

        def moment(power: int) -> float:
            def integrand(x: float) -> float:
                return (x - alone.mean()[0]) ** power * np.exp(alone.log_prob([[x]])[0])

            return integrate.fixed_quad(np.vectorize(integrand), *ends, n=90)[0]

        assert abs(moment(1)) < 1e-6
        np.testing.assert_allclose(moment(2), alone.variance()[0], rtol=1e-6)


class TestQuantiles:
    @pytest.mark.parametrize("column", REST)
    def test_the_distribution_function_against_scipy(self, column: int) -> None:
        grid = np.array([-1.0, 0.0, 0.4, 1.0, 3.0])
        found = BATCH.cdf(grid, column)
        for row, known in enumerate(KNOWN):
            expected = np.zeros(grid.size)
            for k, weight in enumerate(small.posterior(MIXED, known)):
                law = small.column_law(MIXED, column, k)
                if column in (3, 5):
                    mean, covariance = small.given(MIXED, known, k)
                    law = small.stats.norm(mean[column], np.sqrt(covariance[column, column]))
                expected += weight * law.cdf(grid)
            np.testing.assert_allclose(found[row], expected, rtol=1e-10, atol=1e-14)

    @pytest.mark.parametrize("column", REST)
    def test_quantiles_and_the_distribution_function_are_inverse(self, column: int) -> None:
        chances = np.array([0.01, 0.5, 0.9])
        found = BATCH.quantile(chances, column)
        assert found.shape == (6, 3)
        np.testing.assert_allclose(ONE.quantile(chances, NAMES[column]), found[0], rtol=1e-12)
        reached = BATCH.cdf(found, column)
        if column == 6:
            assert (reached >= chances - 1e-14).all()
            assert (BATCH.cdf(found - 1.0, column) < chances).all()
        else:
            np.testing.assert_allclose(reached, np.broadcast_to(chances, (6, 3)), rtol=1e-11)

    def test_shapes_follow_the_question(self) -> None:
        assert ONE.quantile(0.5, 1).shape == ()
        assert ONE.cdf(np.zeros((2, 3)), 1).shape == (2, 3)
        assert BATCH.quantile(0.5, 1).shape == (6,)
        assert BATCH.cdf(0.5, 1).shape == (6,)
        low, high = BATCH.interval(0.8, "b")
        np.testing.assert_allclose(BATCH.cdf(np.stack([low, high], 1), "b"), [[0.1, 0.9]] * 6, rtol=1e-10)
        np.testing.assert_allclose(ONE.marginal("b").quantile(0.5), ONE.quantile(0.5, "b"), rtol=1e-13)
        assert np.isnan(ONE.cdf(np.nan, 1))

    def test_probabilities_of_codes(self) -> None:
        expected = [TOTALS[n][0][6] for n in range(6)]
        np.testing.assert_allclose(BATCH.probabilities(6)[:, 1], expected, rtol=1e-10)
        np.testing.assert_allclose(BATCH.probabilities("g").sum(1), 1.0, rtol=1e-14)
        assert FACE.marginal("e").probabilities().shape == (3,)


class TestSamples:
    def test_shapes_and_seeds(self) -> None:
        assert ONE.sample(7, 0).shape == (7, 4)
        found = BATCH.sample(5, random_state=1)
        assert found.shape == (6, 5, 4)
        np.testing.assert_array_equal(found, BATCH.sample(5, random_state=1))
        assert not np.array_equal(found, BATCH.sample(5, random_state=2))

    def test_samples_follow_the_density(self) -> None:
        number = 4000
        drawn = BATCH.sample(number, random_state=0)
        for n, (mean, covariance) in enumerate(TOTALS):
            error = drawn[n].mean(0) - mean[list(REST)]
            spread = np.sqrt(np.diag(covariance)[list(REST)] / number)
            assert np.abs(error / spread).max() < 4.5
            for place, column in enumerate(REST):
                values = np.sort(drawn[n, :, place])
                grid = np.unique(values)
                laid = np.broadcast_to(grid, (6, grid.size))
                distance = np.searchsorted(values, grid, "right") / number - BATCH.cdf(laid, column)[n]
                assert np.sqrt(number) * np.abs(distance).max() < 2.2


class TestRegrouping:
    """The same question in other words has the same answer."""

    def test_in_two_steps(self) -> None:
        first = FACE.condition({0: ROWS[:, 0]})
        second = first.condition({4: ROWS[:, 4], "c": ROWS[:, 2]})
        assert second.columns == BATCH.columns == REST
        assert second.feature_names == BATCH.feature_names == tuple(NAMES[j] for j in REST)
        np.testing.assert_allclose(second.log_prob(ROWS[:, REST]), BATCH.log_prob(ROWS[:, REST]), atol=1e-11)

    def test_one_then_many(self) -> None:
        many = FACE.condition({0: ROWS[0, 0], 2: ROWS[0, 2]}).condition({4: ROWS[:, 4]})
        assert many.batch == 6
        np.testing.assert_allclose(many.mean()[0], ONE.mean(), rtol=1e-11)

    def test_many_then_one_value_for_all(self) -> None:
        many = FACE.condition({0: ROWS[:, 0]}).condition({2: 3.0})
        np.testing.assert_allclose(many.weights, FACE.condition({0: ROWS[:, 0], 2: 3.0}).weights, rtol=1e-11)

    def test_an_unknown_value_is_not_conditioned_on(self) -> None:
        values = {j: ROWS[:, j].copy() for j in GIVEN}
        values[0][1], values[2][4] = np.nan, np.nan
        found = FACE.condition(values)
        rows = ROWS.copy()
        rows[1, 0], rows[4, 2] = np.nan, np.nan
        for n in (0, 1, 4):
            mean, covariance = small.total_moments(MIXED, only(rows[n], GIVEN))
            np.testing.assert_allclose(found.mean()[n], mean[list(REST)], rtol=1e-10)
            np.testing.assert_allclose(found.variance()[n], np.diag(covariance)[list(REST)], rtol=1e-9)
        assert FACE.condition({"a": np.nan}).columns == tuple(range(1, 7))
        np.testing.assert_allclose(FACE.condition({"a": np.nan}).weights, [0.5, 0.2, 0.3], rtol=1e-13)

    def test_marginals_in_any_order(self) -> None:
        order = (5, 4, 0)
        expected = [small.log_density(MIXED, only(row, order)) for row in ROWS]
        np.testing.assert_allclose(FACE.marginal(order).log_prob(ROWS[:, order]), expected, atol=1e-10)
        named = FACE.marginal(["f", "e", "a"])
        assert named.feature_names == ("f", "e", "a")
        frame = pd.DataFrame(ROWS, columns=list(NAMES))
        np.testing.assert_allclose(named.log_prob(frame), expected, atol=1e-10)

    def test_marginals_of_conditionals(self) -> None:
        found = BATCH.marginal(["g", "d"])
        assert found.columns == (6, 3)
        expected = [
            small.log_density(MIXED, only(row, (*GIVEN, 3, 6))) - small.log_density(MIXED, known)
            for row, known in zip(ROWS, KNOWN, strict=True)
        ]
        np.testing.assert_allclose(found.log_prob(ROWS[:, [6, 3]]), expected, atol=1e-10)
        np.testing.assert_allclose(found.weights, BATCH.weights, rtol=1e-12)


class TestErrors:
    @pytest.mark.parametrize("column", ["z", 7, -1, 1.0, True, None])
    def test_unknown_columns(self, column: object) -> None:
        with pytest.raises(ValueError, match="unknown column"):
            FACE.condition({column: 0.0})
        with pytest.raises(ValueError, match="unknown column"):
            FACE.marginal([column])

    def test_names_without_names(self) -> None:
        with pytest.raises(ValueError, match=r"unknown column 'a'; there are 0, 1, 2, 3"):
            small.Fitted(FULL).condition({"a": 1.0})

    def test_a_column_given_before_is_gone(self) -> None:
        with pytest.raises(ValueError, match="unknown column 'a'"):
            ONE.condition({"a": 1.0})

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"b": -1.0}, "column 'b': the value -1 lies outside the support of its family, log-normal"),
            ({"c": 1.5}, "column 'c': the value 1.5 lies outside the support of its family, poisson"),
            ({"e": [0.0, 3.0]}, "column 'e': the value 3 lies outside"),
            ({"a": np.inf}, "column 'a': the value inf lies outside the support of its family, normal"),
            ({"a": [1.0, 2.0], "b": [1.0, 2.0, 3.0]}, "arrays of one length"),
            ({"a": [[1.0]]}, "arrays of one length"),
            ({"a": []}, "are empty"),
            ({"a": 1.0, 0: 1.0}, "given twice"),
            ({j: 1.0 for j in range(7)}, "every column is given"),
        ],
    )
    def test_values(self, values: dict, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            FACE.condition(values)

    def test_lengths_of_a_batch_agree(self) -> None:
        with pytest.raises(ValueError, match="arrays of one length"):
            BATCH.condition({"b": [1.0, 2.0]})
        with pytest.raises(ValueError, match="3 rows and the batch 6"):
            BATCH.log_prob(ROWS[:3, REST])

    def test_impossible_values(self) -> None:
        sure = families.Bernoulli(np.zeros((2, 1)))
        model = small.mixture(
            [0.5, 0.5], small.family(sure, (0,)), small.gaussian([[0.0], [1.0]], np.ones((2, 1)), (1,))
        )
        with pytest.raises(ValueError, match="of row 1 have probability 0"):
            small.Fitted(model).condition({0: [0.0, 1.0]})

    @pytest.mark.parametrize("rows", [np.zeros(8), np.zeros((2, 3)), np.zeros((0, 4)), np.full((1, 4), np.inf)])
    def test_rows(self, rows: np.ndarray) -> None:
        with pytest.raises(ValueError, match=r"^X "):
            ONE.log_prob(rows)

    def test_questions(self) -> None:
        with pytest.raises(ValueError, match="strictly between 0 and 1"):
            ONE.quantile([0.5, 1.0], 1)
        with pytest.raises(ValueError, match="level must lie"):
            ONE.interval(1.5, 1)
        with pytest.raises(ValueError, match="say which column"):
            ONE.quantile(0.5)
        with pytest.raises(ValueError, match="is not a column of categories"):
            ONE.probabilities("b")
        with pytest.raises(ValueError, match="Invalid value for 'n_samples'"):
            ONE.sample(0)
        with pytest.raises(ValueError, match="each once"):
            FACE.marginal([])
        with pytest.raises(ValueError, match="each once"):
            FACE.marginal([1, "b"])
        with pytest.raises(ValueError, match="X has no column 'b'"):
            ONE.log_prob(pd.DataFrame({"d": [1.0]}))
        with pytest.raises(dataclasses.FrozenInstanceError):
            ONE.weights = np.ones(3)


class TestMultinomial:
    shares = np.random.default_rng(0).dirichlet(np.ones(3), size=(2, 1))
    model = small.mixture(
        [0.6, 0.4],
        small.family(families.Multinomial(shares), (0, 1, 2), 2),
        small.gaussian([[0.0], [3.0]], np.ones((2, 1)), (3,)),
    )

    def test_given_as_a_whole(self) -> None:
        found = small.Fitted(self.model).condition({0: 3.0, 1: 0.0, 2: 2.0})
        laws = [small.stats.multinomial(5, p[0]) for p in self.shares]
        weights = np.array([0.6, 0.4]) * [law.pmf([3, 0, 2]) for law in laws]
        np.testing.assert_allclose(found.weights, weights / weights.sum(), rtol=1e-10)
        np.testing.assert_allclose(found.mean(), 3.0 * found.weights[1], rtol=1e-10)

    def test_never_in_part(self) -> None:
        with pytest.raises(ValueError, match="are one multinomial row"):
            small.Fitted(self.model).marginal([0, 3])
        left = small.Fitted(self.model).condition({3: 1.0})
        assert np.isfinite(left.log_prob([[1.0, 2.0, 3.0]])).all()
        for question in (left.mean, left.sample, lambda: left.cdf(1.0, 0)):
            with pytest.raises(ValueError, match="one multinomial row"):
                question()
        with pytest.raises(ValueError, match="are one multinomial row"):
            small.Fitted(self.model).condition({0: 1.0})
