"""Gaps filled: expectations against dense linear algebra, draws against exact conditional moments."""

import numpy as np
import pytest

import small_mixtures as small
from tacit import families
from tacit.models.mixture import impute, sampling

MODELS = {"full": small.full_gaussian(), "mixed": small.mixed()}
CODES = {"full": [], "mixed": [3, 5, 6]}


def with_gaps(model, number, share=0.4, seed=5):
    random = np.random.default_rng(seed)
    rows, _ = sampling.sample(model, number, random=random)
    rows[random.uniform(size=rows.shape) < share] = np.nan
    return random.permutation(rows)


def expected_by_hand(model, row, codes):
    weights = small.posterior(model, row)
    filled = small.total_moments(model, row)[0]
    for column in set(codes) & set(np.flatnonzero(np.isnan(row))):
        laws = [small.column_law(model, column, k) for k in range(weights.size)]
        chances = [sum(w * law.pmf(code) for w, law in zip(weights, laws, strict=True)) for code in range(3)]
        filled[column] = np.argmax(chances)
    return filled


@pytest.mark.parametrize("name", MODELS)
def test_expectations_against_dense_algebra(name: str) -> None:
    model = MODELS[name]
    rows = with_gaps(model, 60)
    rows[7] = np.nan
    filled = small.Fitted(model).impute(rows)
    by_hand = [expected_by_hand(model, row, CODES[name]) for row in rows]
    np.testing.assert_allclose(filled, by_hand, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_observed_stays_bit_for_bit(dtype: type) -> None:
    model = MODELS["mixed"]
    rows = with_gaps(model, 40).astype(dtype)
    before = rows.copy()
    seen = ~np.isnan(rows)
    face = small.Fitted(model)
    for filled in (face.impute(rows), *face.impute(rows, n_draws=2)):
        assert not np.isnan(filled).any()
        np.testing.assert_array_equal(filled[seen], before[seen].astype(np.float64))
    np.testing.assert_array_equal(rows, before)


def test_complete_rows_come_back_as_they_are() -> None:
    rows, _ = sampling.sample(MODELS["mixed"], 10, random=np.random.default_rng(0))
    face = small.Fitted(MODELS["mixed"])
    np.testing.assert_array_equal(face.impute(rows), rows)
    np.testing.assert_array_equal(face.impute(rows, n_draws=3), np.stack([rows] * 3))


def test_draws_have_the_exact_conditional_moments() -> None:
    number, direction = 4000, np.array([1.0, -2.0, 0.5, 1.5])
    correlated = [np.outer(direction, direction) + 0.3 * np.eye(4), np.eye(4) + 2.0]
    model = small.mixture([0.6, 0.4], small.gaussian([np.zeros(4), np.ones(4)], correlated))
    gap = np.nan
    rows = np.array([[gap, 4.0, gap, -1.0], [2.0, gap, gap, gap], [gap] * 4, [gap, 1.0, 2.0, 3.0]])
    draws = small.Fitted(model).impute(rows, n_draws=number, random_state=1)
    assert draws.shape == (number, 4, 4)
    for n, row in enumerate(rows):
        mean, covariance = small.total_moments(model, row)
        gap = np.isnan(row)
        spread = np.sqrt(np.diag(covariance)[gap] / number)
        assert np.abs((draws[:, n].mean(0) - mean)[gap] / spread).max() < 4.5
        centred = draws[:, n][:, gap] - mean[gap]
        products = centred[:, :, None] * centred[:, None]
        error = products.mean(0) - covariance[np.ix_(gap, gap)]
        assert np.abs(error / (products.std(0) / np.sqrt(number))).max() < 4.5


@pytest.mark.parametrize("column", range(13))
def test_draws_follow_the_exact_conditional_law(column: int) -> None:
    model, number = MODELS["mixed"], 2000
    row = sampling.sample(model, 1, random=np.random.default_rng(4))[0]
    row[0, column] = np.nan
    draws = np.sort(impute.drawn(model, np.repeat(row, number, 0), 1, random=np.random.default_rng(9))[0, :, column])
    weights = small.posterior(model, row[0])
    grid = np.unique(draws)
    exact = np.zeros(grid.size)
    for k, weight in enumerate(weights):
        law = small.column_law(model, column, k)
        if column in (0, 4, 7):
            mean, covariance = small.given(model, row[0], k)
            law = small.stats.norm(mean[column], np.sqrt(covariance[column, column]))
        exact += weight * law.cdf(grid)
    empirical = np.searchsorted(draws, grid, side="right") / number
    assert np.abs(empirical - exact).max() < 2.2 / np.sqrt(number)


def test_draws_depend_on_the_seed_alone() -> None:
    rows = with_gaps(MODELS["mixed"], 30)
    face = small.Fitted(MODELS["mixed"], random_state=7)
    first = face.impute(rows, n_draws=2)
    np.testing.assert_array_equal(first, face.impute(rows, n_draws=2, random_state=7))
    assert not np.array_equal(first, face.impute(rows, n_draws=2, random_state=8))
    assert not np.array_equal(first[0], first[1])
    with pytest.raises(ValueError, match="n_draws must be at least 1"):
        face.impute(rows, n_draws=0)


def test_a_multinomial_row_with_gaps_is_refused() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(3), size=(2, 1))
    model = small.mixture([0.6, 0.4], small.family(families.Multinomial(shares), (0, 1, 2), 2))
    rows = np.array([[1.0, 2.0, 3.0], [1.0, np.nan, 0.0]])
    with pytest.raises(ValueError, match=r"row 1 has gaps in columns \[0, 1, 2\]"):
        small.Fitted(model).impute(rows)
    np.testing.assert_array_equal(small.Fitted(model).impute(rows[:1]), rows[:1])
