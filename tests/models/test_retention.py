"""How many factors: every figure against its formula by loops, and parallel analysis against drawn tables."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2

from tacit.models.factors import retention

RANDOM = np.random.default_rng(0)
LOADINGS = np.kron(np.eye(2), np.array([[0.8], [0.7], [0.6]])) + 0.1
ROWS = RANDOM.normal(size=(80, 2)) @ LOADINGS.T + 0.6 * RANDOM.normal(size=(80, 6))
MATRIX = np.corrcoef(ROWS, rowvar=False)


def partial(correlations: np.ndarray, number: int) -> np.ndarray:
    """Correlations of the columns once their first components are regressed out, row by row."""
    rows = np.linalg.cholesky(correlations).T * 10  # rows whose scatter is the matrix
    scores = rows @ np.linalg.eigh(correlations)[1][:, ::-1][:, :number]
    left = rows - scores @ np.linalg.lstsq(scores, rows, rcond=None)[0] if number else rows
    scatter = left.T @ left
    return scatter / np.sqrt(np.outer(np.diag(scatter), np.diag(scatter)))


def test_map_is_what_regression_leaves() -> None:
    squares, fourths = retention.partial_squares(MATRIX)
    for number in range(6):
        off = partial(MATRIX, number)[~np.eye(6, dtype=bool)]
        assert np.isclose(squares[number], (off**2).mean(), rtol=1e-9)
        assert np.isclose(fourths[number], (off**4).mean(), rtol=1e-9)
    assert np.nanargmin(squares) == 2


def test_map_ends_where_a_column_is_spent() -> None:
    copies = np.corrcoef(np.c_[ROWS[:, :2], ROWS[:, :2]], rowvar=False)
    squares, _ = retention.partial_squares(copies)
    assert np.isfinite(squares[:2]).all()
    assert np.isnan(squares[2:]).all()


def test_adequacy_by_partial_correlations_of_pairs() -> None:
    kmo, columns = retention.sampling_adequacy(MATRIX)
    centred = ROWS - ROWS.mean(0)
    squares = np.zeros((2, 6, 6))
    for i in range(6):
        for j in range(6):
            if i == j:
                continue
            others = np.delete(centred, [i, j], axis=1)
            left = [x - others @ np.linalg.lstsq(others, x, rcond=None)[0] for x in (centred[:, i], centred[:, j])]
            squares[:, i, j] = MATRIX[i, j] ** 2, np.corrcoef(*left)[0, 1] ** 2
    assert np.isclose(kmo, squares[0].sum() / squares.sum())
    np.testing.assert_allclose(columns, squares[0].sum(0) / squares.sum((0, 1)))


def test_sphericity_is_uniform_where_nothing_correlates() -> None:
    found = retention.sphericity(MATRIX, 80)
    assert np.isclose(found.statistic, -(79 - 17 / 6) * np.log(np.linalg.det(MATRIX)))
    assert np.isclose(found.p_value, chi2.sf(found.statistic, 15))
    random = np.random.default_rng(1)
    chances = [retention.sphericity(np.corrcoef(random.normal(size=(5, 60))), 60).p_value for _ in range(400)]
    assert abs(np.mean(chances) - 0.5) < 4 * np.sqrt(1 / 12 / 400)
    assert retention.sphericity(np.eye(4), 50) == (0.0, 6, 1.0)


@pytest.mark.parametrize("weights", [np.ones(80), RANDOM.integers(0, 4, 80).astype(float)], ids=["plain", "weights"])
def test_pairwise_correlations_are_those_of_the_rows_of_each_pair(weights: np.ndarray) -> None:
    rows = np.where(RANDOM.random(ROWS.shape) < 0.2, np.nan, ROWS)
    found, count = retention.pairwise_correlations(rows, weights)
    for i in range(6):
        for j in range(6):
            both = ~np.isnan(rows[:, i]) & ~np.isnan(rows[:, j])
            copies = np.repeat(rows[both][:, [i, j]], weights[both].astype(int), axis=0)
            assert np.isclose(found[i, j], np.corrcoef(copies, rowvar=False)[0, 1])
            assert count[i, j] == len(copies)


def test_communalities_are_those_of_regressions_and_of_one_factor() -> None:
    def reduced(shared: np.ndarray) -> np.ndarray:
        matrix = MATRIX.copy()
        np.fill_diagonal(matrix, shared)
        return np.sort(np.linalg.eigvalsh(matrix))[::-1]

    centred, told = ROWS - ROWS.mean(0), []
    for j in range(6):
        others = np.delete(centred, j, axis=1)
        left = centred[:, j] - others @ np.linalg.lstsq(others, centred[:, j], rcond=None)[0]
        told.append(1 - left @ left / (centred[:, j] @ centred[:, j]))
    np.testing.assert_allclose(retention.reduced_eigenvalues(MATRIX, "smc"), reduced(np.array(told)), atol=1e-12)

    def loss(loadings: np.ndarray) -> float:
        left = MATRIX - np.outer(loadings, loadings)
        return float((left[~np.eye(6, dtype=bool)] ** 2).sum())

    best = minimize(loss, np.full(6, 0.5), tol=1e-12).x
    np.testing.assert_allclose(retention.reduced_eigenvalues(MATRIX, "one-factor"), reduced(best**2), atol=1e-5)
    stacked = retention.reduced_eigenvalues(np.stack([MATRIX, np.eye(6)]), "one-factor")
    np.testing.assert_allclose(stacked[0], retention.reduced_eigenvalues(MATRIX, "one-factor"), atol=1e-6)


@pytest.mark.parametrize("communalities", retention.COMMUNALITIES)
@pytest.mark.parametrize("gaps", [False, True])
def test_noise_is_that_of_drawn_tables(communalities: str, gaps: bool) -> None:
    there = np.random.default_rng(2).random((60, 5)) > 0.3 if gaps else None
    found = retention.parallel(60, 5, there, 2000, communalities, np.random.default_rng(3))
    random, whole = np.random.default_rng(4), []
    for _ in range(2000):
        rows = random.normal(size=(60, 5))
        rows = rows if there is None else np.where(there, rows, np.nan)
        whole.append(retention.pairwise_correlations(rows, np.ones(60))[0])
    drawn = np.stack(whole)
    expected = np.linalg.eigvalsh(drawn)[:, ::-1], retention.reduced_eigenvalues(drawn, communalities)
    for ours, theirs in zip(found, expected, strict=True):
        error = np.sqrt(ours.var(0) / 2000 + theirs.var(0) / 2000)
        assert (np.abs(ours.mean(0) - theirs.mean(0)) < 4.5 * error).all()
        np.testing.assert_allclose(np.quantile(ours, 0.95, axis=0), np.quantile(theirs, 0.95, axis=0), atol=0.05)


def test_noise_of_fewer_rows_than_columns() -> None:
    whole, shared = retention.parallel(5, 9, None, 20, "smc", np.random.default_rng(0))
    assert (np.abs(whole[:, 4:]) < 1e-9).all()
    np.testing.assert_allclose(whole.sum(1), 9.0)
    assert np.isfinite(shared).all()


def test_only_leading_eigenvalues_count() -> None:
    assert retention.above(np.array([3.0, 1.5, 0.9, 0.6]), np.array([1.4, 1.2, 1.0, 0.5])) == 2
    assert retention.above(np.array([1.0, 1.0]), np.array([1.4, 0.2])) == 0
    assert retention.above(np.array([2.0, 1.0]), np.array([1.4, 0.2])) == 2
