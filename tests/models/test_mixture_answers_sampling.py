"""New rows of a mixture: their distribution under every component, their order, what they depend on."""

import numpy as np
import pytest
from scipy import stats

import small_mixtures as small
from tacit import families
from tacit.models.mixture import sampling

MIXED = small.mixed()
DRAWS = 20_000
many_rows, many_labels = sampling.sample(MIXED, DRAWS, random=np.random.default_rng(1))


@pytest.mark.parametrize("column", range(13))
def test_every_column_follows_its_law_in_every_component(column: int) -> None:
    for k in range(3):
        drawn = np.sort(many_rows[many_labels == k, column])
        law = small.column_law(MIXED, column, k)
        grid = np.unique(drawn)
        empirical = np.searchsorted(drawn, grid, side="right") / drawn.size
        # Kolmogorov's distance exceeds 2.2/√n about once in 8 000 draws of samples (less if discrete)
        distance = np.abs(empirical - law.cdf(grid)).max()
        assert np.sqrt(drawn.size) * distance < 2.2


def test_columns_of_a_full_gaussian_are_correlated() -> None:
    columns = [0, 4, 7]
    for k in range(3):
        drawn = many_rows[many_labels == k][:, columns]
        covariance = MIXED.groups[0].covariances[k]
        scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)) + covariance**2)
        error = np.abs((np.cov(drawn.T) - covariance) / scale).max()
        assert np.sqrt(len(drawn)) * error < 4.5


def test_components_come_in_order_and_by_weight() -> None:
    counts = np.bincount(many_labels, minlength=3)
    assert (np.diff(many_labels) >= 0).all()
    assert stats.chisquare(counts, np.exp(MIXED.log_weights) * DRAWS).pvalue > 1e-4


def test_the_inverse_cdf_against_enumeration() -> None:
    random = np.random.default_rng(2)
    weights = random.dirichlet(np.ones(5), size=200)
    weights[:100, [0, 4]] = 0.0
    weights /= weights.sum(1, keepdims=True)
    uniform = np.random.default_rng(3).uniform(size=200)
    chosen = sampling.choose(weights, np.random.default_rng(3))
    for row, u, k in zip(weights, uniform, chosen, strict=True):
        assert row[k] > 0
        assert row[:k].sum() <= u < row[: k + 1].sum() + 1e-15


def test_a_component_of_weight_zero_is_never_drawn() -> None:
    model = small.mixture([0.0, 1.0, 0.0], small.gaussian([[np.nan], [0.0], [np.nan]], np.ones((3, 1))))
    rows, labels = sampling.sample(model, 1000, random=np.random.default_rng(0))
    assert set(labels) == {1}
    assert np.isfinite(rows).all()


def test_small_gamma_shapes_stay_in_the_support() -> None:
    gamma = families.Gamma(np.array([[1e-3]]), np.array([[1.0]]))
    rows, _ = sampling.sample(small.mixture([1.0], small.family(gamma, (0,), 2)), 500, random=np.random.default_rng(0))
    assert (rows > 0).all()


class TestFace:
    """``sample`` of an estimator."""

    def test_an_integer_seed_repeats_and_a_stream_goes_on(self) -> None:
        first = small.Fitted(MIXED, random_state=3).sample(50)
        again = small.Fitted(MIXED, random_state=3).sample(50)
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_array_equal(first[1], again[1])
        going = small.Fitted(MIXED, random_state=np.random.RandomState(3))
        assert not np.array_equal(going.sample(50)[0], going.sample(50)[0])

    @pytest.mark.parametrize("number", [1, 2, 63, 99])
    def test_shapes(self, number: int) -> None:
        rows, labels = small.Fitted(MIXED).sample(number)
        assert rows.shape == (number, 13)
        assert labels.shape == (number,)

    @pytest.mark.parametrize("number", [0, -3])
    def test_less_than_one_row_is_refused(self, number: int) -> None:
        with pytest.raises(ValueError, match="Invalid value for 'n_samples'"):
            small.Fitted(MIXED).sample(number)


class TestTotals:
    """Multinomial columns, whose total is no part of the model."""

    shares = np.random.default_rng(0).dirichlet(np.ones(4), size=(2, 1))
    model = small.mixture([0.6, 0.4], small.family(families.Multinomial(shares), (1, 2, 3, 0), 3))

    def test_rows_sum_to_their_totals(self) -> None:
        totals = np.arange(200)
        rows, _ = small.Fitted(self.model).sample(200, totals=totals)
        np.testing.assert_array_equal(rows.sum(1), totals)

    def test_counts_follow_the_shares(self) -> None:
        rows, labels = small.Fitted(self.model).sample(500, totals=100)
        for k in range(2):
            counts = rows[labels == k][:, [1, 2, 3, 0]].sum(0)
            assert stats.chisquare(counts, counts.sum() * self.shares[k, 0]).pvalue > 1e-4

    def test_totals_are_asked_for(self) -> None:
        with pytest.raises(ValueError, match="give totals="):
            small.Fitted(self.model).sample(3)
        with pytest.raises(ValueError, match="whole numbers"):
            small.Fitted(self.model).sample(3, totals=2.5)
        with pytest.raises(ValueError, match="has none"):
            small.Fitted(MIXED).sample(3, totals=2)
