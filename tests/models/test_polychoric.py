"""Polychoric correlations: the bivariate normal to the last digits, the likelihood's maximum, laws of tables."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from tacit.models.factors.polychoric import BOUND, bivariate_normal_cdf, polychoric, semidefinite

THRESHOLDS = (np.array([-1.0, 0.2, 0.9]), np.array([0.5]), np.array([-0.3, 1.2]))


def ordinal(rows: int, seed: int = 0, rho: float = 0.6) -> np.ndarray:
    """Columns of four, two and three levels, cut from normals that are all correlated alike."""
    covariance = np.full((3, 3), rho) + (1 - rho) * np.eye(3)
    normal = np.random.default_rng(seed).multivariate_normal(np.zeros(3), covariance, size=rows)
    return np.stack([np.searchsorted(cuts, normal[:, j]) for j, cuts in enumerate(THRESHOLDS)], axis=1).astype(float)


def cdf(h: float, k: float, rho: float) -> float:
    """By quadrature over the first variable."""
    slack = np.sqrt(1 - rho**2)
    bend = [point for point in (k / rho if rho else 0.0,) if -12 < point < h]
    return quad(lambda x: norm.pdf(x) * norm.cdf((k - rho * x) / slack), -12, h, epsabs=1e-14, limit=300, points=bend)[
        0
    ]


NODES, SHARES = np.polynomial.legendre.leggauss(80)


def quick_cdf(h: float, k: float, rho: float) -> float:
    """The same by Gauss and Legendre, where the slope is not steep."""
    x = h + (NODES - 1) / 2 * (h + 9)
    return float((h + 9) / 2 * SHARES @ (norm.pdf(x) * norm.cdf((k - rho * x) / np.sqrt(1 - rho**2))))


def test_the_bivariate_normal_is_that_of_quadrature() -> None:
    random = np.random.default_rng(0)
    h, k = 2 * random.normal(size=(2, 60))
    rho = np.tanh(2 * random.normal(size=60))
    h[::7], k[::11], k[::5] = 0.0, 0.0, h[::5]
    expected = [cdf(*each) for each in zip(h, k, rho, strict=True)]
    assert np.isclose(quick_cdf(0.3, -0.2, 0.7), cdf(0.3, -0.2, 0.7), atol=1e-12)
    np.testing.assert_allclose(bivariate_normal_cdf(h, k, rho), expected, atol=2e-13)


def test_the_bivariate_normal_at_its_ends() -> None:
    for rho in (-0.999999, -0.5, 0.0, 0.5, 0.999999):
        ends = np.array([[np.inf, 0.3], [0.3, np.inf], [-np.inf, 0.3], [0.3, -np.inf], [np.inf, np.inf], [0.0, 0.0]])
        expected = [norm.cdf(0.3), norm.cdf(0.3), 0.0, 0.0, 1.0, 0.25 + np.arcsin(rho) / (2 * np.pi)]
        found = bivariate_normal_cdf(ends[:, 0], ends[:, 1], np.full(6, rho))
        np.testing.assert_allclose(found, expected, atol=1e-15)
    h, k = np.array([-1.0, 0.4, 3.0]), np.array([0.5, -0.2, 2.0])
    np.testing.assert_allclose(bivariate_normal_cdf(h, k, np.zeros(3)), norm.cdf(h) * norm.cdf(k), atol=1e-16)


def test_each_pair_is_at_the_maximum_of_its_likelihood() -> None:
    rows = ordinal(400)
    rows[::9, 1] = np.nan
    found = polychoric(rows)
    for column, cuts in enumerate(found.thresholds):
        held = rows[~np.isnan(rows[:, column]), column]
        np.testing.assert_allclose(norm.cdf(cuts), [(held <= level).mean() for level in np.unique(held)[:-1]])
    for i, j in ((0, 1), (0, 2), (1, 2)):
        one, other = (np.r_[-9.0, found.thresholds[place], 9.0] for place in (i, j))
        levels, others = np.unique(rows[~np.isnan(rows[:, i]), i]), np.unique(rows[~np.isnan(rows[:, j]), j])
        table = np.array([[((rows[:, i] == a) & (rows[:, j] == b)).sum() for b in others] for a in levels])

        def loss(rho: float, one=one, other=other, table=table) -> float:
            corners = np.array([[quick_cdf(h, k, rho) for k in other] for h in one])
            return -float((table * np.log(np.diff(np.diff(corners, axis=0), axis=1))).sum())

        best = minimize_scalar(loss, bounds=(0.2, 0.9), method="bounded", options={"xatol": 1e-6}).x
        assert abs(found.correlations[i, j] - best) < 1e-5
    assert found.weights[0, 1] == (~np.isnan(rows[:, 1])).sum()
    assert found.at_bound == found.corrected == ()


def few_rows(seed: int) -> np.ndarray:
    """Twelve rows of two and of four levels, with gaps."""
    random = np.random.default_rng(seed)
    rho = np.tanh(1.5 * random.normal())
    normal = random.multivariate_normal([0, 0], [[1, rho], [rho, 1]], size=12)
    rows = np.stack([np.digitize(normal[:, 0], [0.3]), np.digitize(normal[:, 1], [-0.6, 0.0, 0.9])], axis=1)
    return np.where(random.random(rows.shape) < 0.1, np.nan, rows)


def counted(*rows: tuple[float, float, int]) -> np.ndarray:
    return np.array([[one, other] for one, other, times in rows for _ in range(times)])


ODD = {
    "one level in common": counted((0, np.nan, 1), (1, 0, 3), (1, 1, 1), (np.nan, 1, 1)),
    "a flat top": counted(
        *((0, 0, 2), (0, 1, 2), (0, 2, 9), (0, 3, 1), (1, 0, 2)), (0, np.nan, 2), (1, np.nan, 1), (np.nan, 2, 2)
    ),
    **{f"few rows {seed}": few_rows(seed) for seed in (0, 1, 2, 3, 4, 5)},
}


@pytest.mark.parametrize("name", ODD)
def test_few_rows_and_empty_cells_end_at_the_greatest_likelihood(name: str) -> None:
    rows = ODD[name]
    found = polychoric(rows, correction=0.0)
    table = np.array([[(rows == [a, b]).all(1).sum() for b in found.levels[1]] for a in found.levels[0]])
    one, other = (np.r_[-np.inf, cuts, np.inf] for cuts in found.thresholds)
    tried = np.r_[np.tanh(np.linspace(-7, 7, 5001)), found.correlations[0, 1]]
    corners = bivariate_normal_cdf(*np.broadcast_arrays(one[:, None, None], other[:, None], tried))
    cells = np.diff(np.diff(corners, axis=0), axis=1)
    likelihood = (table[:, :, None] * np.log(np.maximum(cells, 1e-15))).sum((0, 1))
    assert likelihood[-1] > likelihood.max() - 1e-9


def test_the_correlations_behind_the_columns_are_found_again() -> None:
    found = polychoric(ordinal(200_000, rho=-0.4))
    np.testing.assert_allclose(found.correlations[np.triu_indices(3, 1)], -0.4, atol=0.01)
    for cuts, true in zip(found.thresholds, THRESHOLDS, strict=True):
        np.testing.assert_allclose(cuts, true, atol=0.01)


def test_weights_are_copies_and_the_order_of_levels_is_the_sign() -> None:
    rows = ordinal(300)
    rows[::7, 0] = np.nan
    weights = np.random.default_rng(1).integers(0, 4, 300).astype(float)
    one, other = polychoric(rows, weights), polychoric(np.repeat(rows, weights.astype(int), axis=0))
    np.testing.assert_allclose(one.correlations, other.correlations, atol=1e-12)
    turned = polychoric(rows * [1.0, -10.0, 1.0] + 3, weights).correlations
    np.testing.assert_allclose(turned, one.correlations * np.outer([1, -1, 1], [1, -1, 1]), atol=1e-9)


def test_copies_and_empty_cells() -> None:
    half = np.repeat([0.0, 1.0], 10)
    bare = polychoric(np.stack([half, half, 1 - half], axis=1), correction=0.0)
    np.testing.assert_array_equal(bare.correlations[0], [1.0, BOUND, -BOUND])
    assert bare.at_bound == ((0, 1), (0, 2), (1, 2))
    mended = polychoric(np.stack([half, half], axis=1))
    assert mended.corrected == ((0, 1),)
    assert 0.98 < mended.correlations[0, 1] < 0.99
    three = np.repeat([0.0, 1.0, 2.0], 10)
    copies = polychoric(np.stack([three, three], axis=1))  # a larger table is left as it is
    assert copies.correlations[0, 1] == BOUND
    assert copies.corrected == ()


def test_correlations_of_no_distribution_are_told_and_put_right() -> None:
    broken = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    made = semidefinite(broken)
    assert np.linalg.eigvalsh(made).min() > -1e-12
    np.testing.assert_array_equal(np.diag(made), 1.0)
    sound = np.full((3, 3), 0.3) + 0.7 * np.eye(3)
    np.testing.assert_array_equal(semidefinite(sound), sound)
    half = np.repeat([0.0, 1.0], 10)
    rows = np.full((60, 3), np.nan)
    rows[:20, 0] = rows[:20, 1] = rows[20:40, 1] = rows[20:40, 2] = rows[40:, 0] = half
    rows[40:, 2] = 1 - half
    found = polychoric(rows)
    assert found.least_eigenvalue < -0.5
    assert np.linalg.eigvalsh(found.correlations).min() == pytest.approx(found.least_eigenvalue)
    assert np.linalg.eigvalsh(polychoric(rows, positive_semidefinite=True).correlations).min() > -1e-12


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.array([[1.0, np.nan], [2.0, np.nan]]), "column 1 has no value"),
        (np.array([[1.0, 3.0], [2.0, 3.0]]), "column 1 has one level alone"),
        (np.array([[1.0, np.nan], [2.0, np.nan], [np.nan, 1.0], [np.nan, 2.0]]), "column 0 and column 1 have no row"),
        (np.stack([np.arange(60.0), np.arange(60.0) % 2], axis=1), "column 0 has 60 levels"),
    ],
)
def test_columns_without_a_correlation_are_named(rows: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        polychoric(rows)
    with pytest.raises(ValueError, match="correction must be 0 or more"):
        polychoric(rows, correction=-1.0)


def test_one_column_alone() -> None:
    np.testing.assert_array_equal(polychoric(ordinal(20)[:, :1]).correlations, [[1.0]])
