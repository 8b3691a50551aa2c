"""Student's t regression against scipy's density and optimiser, finite differences, and the laws of EM."""

import numpy as np
import pytest
from scipy import optimize, stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

from tacit import StudentTRegression
from tacit.models.lifting.student import information

ROWS, COLUMNS = 200, 3


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(ROWS, COLUMNS)) * [1.0, 10.0, 0.1] + [0.0, 5.0, 0.0]


@pytest.fixture(scope="module")
def target(rows: np.ndarray) -> np.ndarray:
    random = np.random.default_rng(1)
    return rows @ [1.0, -0.5, 20.0] + 3.0 + 2.0 * random.standard_t(3, size=ROWS)


def negative(theta: np.ndarray, X: np.ndarray, y: np.ndarray, dof: float | None) -> float:
    """−log p(y|x) by scipy; theta is intercept, coefficients, log σ and, if it is free, log ν."""
    columns = X.shape[1] + 1
    known = np.exp(theta[columns + 1]) if dof is None else dof
    residuals = y - theta[0] - X @ theta[1:columns]
    return -float(stats.t.logpdf(residuals, known, scale=np.exp(theta[columns])).sum())


def theta_of(model: StudentTRegression) -> np.ndarray:
    found = [model.intercept_, *model.coef_, np.log(model.scale_)]
    return np.array([*found, np.log(model.dof_)] if model.dof is None else found)


@pytest.mark.parametrize("dof", [None, 2.5])
def test_it_is_the_maximum_of_the_exact_likelihood(rows: np.ndarray, target: np.ndarray, dof: float | None) -> None:
    model = StudentTRegression(dof, tol=1e-13).fit(rows, target)
    theta = theta_of(model)
    assert model.log_likelihood_ == pytest.approx(-negative(theta, rows, target, dof), rel=1e-12)
    np.testing.assert_allclose(
        model.log_predictive(rows, target).sum(), -negative(theta, rows, target, dof), rtol=1e-12
    )
    # from elsewhere, scipy ends at the same place and no higher
    start = np.array([target.mean(), 0.0, 0.0, 0.0, np.log(target.std()), 2.0][: theta.size])
    scale = np.array([1.0, 1.0, 0.1, 10.0, 1.0, 1.0][: theta.size])
    best = optimize.minimize(
        lambda t: negative(t * scale, rows, target, dof), start / scale, method="BFGS", options={"gtol": 1e-7}
    )
    assert -model.log_likelihood_ <= best.fun + 1e-8
    np.testing.assert_allclose(theta / scale, best.x, atol=2e-4)
    assert np.all(np.diff(model.trace_.bound) >= -1e-9)
    assert model.trace_.bound[-1] == model.log_likelihood_
    assert model.converged_


def test_many_degrees_of_freedom_are_least_squares(rows: np.ndarray, target: np.ndarray) -> None:
    model = StudentTRegression(1e9).fit(rows, target)
    least = LinearRegression().fit(rows, target)
    np.testing.assert_allclose(model.coef_, least.coef_, rtol=1e-6)
    assert model.scale_ == pytest.approx(np.std(target - least.predict(rows)), rel=1e-6)
    np.testing.assert_allclose(model.row_weights_, 1.0, atol=1e-6)


def test_standard_errors_are_those_of_second_differences(rows: np.ndarray, target: np.ndarray) -> None:
    model = StudentTRegression(tol=1e-13).fit(rows, target)
    theta = theta_of(model)
    step = np.array([1e-3, 1e-3, 1e-4, 1e-2, 1e-3, 1e-3])
    size = theta.size
    curved = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            a, b = step[i] * np.eye(size)[i], step[j] * np.eye(size)[j]
            corners = [negative(theta + s * a + u * b, rows, target, None) for s in (1, -1) for u in (1, -1)]
            curved[i, j] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * step[i] * step[j])
    sd = np.sqrt(np.diagonal(np.linalg.inv(curved)))
    np.testing.assert_allclose(model.summary().sd, sd[[1, 2, 3, 0]], rtol=1e-4)
    assert model.scale_sd_ == pytest.approx(sd[4] * model.scale_, rel=1e-4)
    assert model.dof_sd_ == pytest.approx(sd[5] * model.dof_, rel=1e-3)


def test_the_information_is_minus_the_second_derivative_off_the_optimum_too() -> None:
    random = np.random.default_rng(5)
    columns, noise, weights, dof = random.normal(size=(7, 2)), random.normal(size=7), random.uniform(1, 2, 7), 1.7

    def value(theta: np.ndarray) -> float:
        residuals = noise - columns @ theta[:2]
        return float(weights @ stats.t.logpdf(residuals, theta[3], scale=np.exp(theta[2])))

    found, here, h = information(columns, noise, weights, dof), np.array([0.0, 0.0, 0.0, dof]), 1e-4
    for i in range(4):
        for j in range(4):
            a, b = h * np.eye(4)[i], h * np.eye(4)[j]
            second = value(here + a + b) - value(here + a - b) - value(here - a + b) + value(here - a - b)
            assert found[i, j] == pytest.approx(-second / (4 * h * h), abs=2e-6)


def test_weights_of_rows_are_the_posterior_mean_of_their_precision(rows: np.ndarray, target: np.ndarray) -> None:
    model = StudentTRegression(3.0).fit(rows, target)
    place = int(np.argmin(model.row_weights_))
    residual = (target[place] - model.predict(rows[place : place + 1])[0]) / model.scale_
    u = np.linspace(1e-6, 30.0, 400_001)
    density = stats.gamma.pdf(u, 1.5, scale=1 / 1.5) * stats.norm.pdf(residual, scale=1 / np.sqrt(u))
    assert model.row_weights_[place] == pytest.approx((u * density).sum() / density.sum(), rel=1e-4)
    assert place == int(np.argmax(np.abs(target - model.predict(rows))))


def test_a_weight_is_so_many_copies_and_0_is_none(rows: np.ndarray, target: np.ndarray) -> None:
    copies = np.random.default_rng(2).integers(0, 3, size=ROWS)
    X, y = np.where(copies[:, None] == 0, 1e7, rows), target
    weighted = StudentTRegression(4.0, tol=1e-13).fit(X, y, sample_weight=copies)
    whole = StudentTRegression(4.0, tol=1e-13).fit(np.repeat(rows, copies, axis=0), np.repeat(y, copies))
    np.testing.assert_allclose(weighted.coef_, whole.coef_, rtol=1e-6)
    assert weighted.log_likelihood_ == pytest.approx(whole.log_likelihood_, rel=1e-10)
    np.testing.assert_allclose(weighted.covariance_, whole.covariance_, rtol=1e-5)
    assert weighted.row_weights_.shape == (ROWS,)


def test_units_do_not_matter(rows: np.ndarray, target: np.ndarray) -> None:
    plain = StudentTRegression(tol=1e-13).fit(rows, target)
    other = StudentTRegression(tol=1e-13).fit(rows * 1e5 - 7.0, target * 1e-3 + 1.0)
    np.testing.assert_allclose(other.coef_ * 1e8, plain.coef_, rtol=1e-5)
    assert other.dof_ == pytest.approx(plain.dof_, rel=1e-5)
    assert other.log_likelihood_ == pytest.approx(plain.log_likelihood_ + ROWS * np.log(1e3), rel=1e-9)
    np.testing.assert_allclose(other.summary().sd[:3] * 1e8, plain.summary().sd[:3], rtol=1e-4)


def test_a_quarter_of_gross_outliers_moves_little(rows: np.ndarray, target: np.ndarray) -> None:
    spoilt = target.copy()
    spoilt[: ROWS // 4] += 1e4
    model = StudentTRegression().fit(rows, spoilt)
    np.testing.assert_array_less(np.abs(model.coef_ - [1.0, -0.5, 20.0]), [0.5, 0.05, 5.0])
    assert model.row_weights_[: ROWS // 4].max() < 1e-3 < model.row_weights_[ROWS // 4 :].min()


def test_intervals_hold_their_share(rows: np.ndarray, target: np.ndarray) -> None:
    model = StudentTRegression().fit(rows, target)
    low, high = model.predict_interval(rows, 0.8)
    noise = stats.t(model.dof_, loc=model.predict(rows), scale=model.scale_)
    np.testing.assert_allclose(noise.cdf(high) - noise.cdf(low), 0.8, rtol=1e-9)


def test_a_line_through_all_rows_is_said_to_mean_little(rows: np.ndarray) -> None:
    with pytest.warns(ConvergenceWarning, match="floor"):
        model = StudentTRegression().fit(rows, rows @ [1.0, 2.0, 3.0])
    np.testing.assert_allclose(model.coef_, [1.0, 2.0, 3.0], rtol=1e-9)
    assert model.at_floor_
    assert not model.converged_
    assert np.isnan(model.summary().sd).all()


def test_dependent_and_constant_columns_leave_the_predictions_alone(rows: np.ndarray, target: np.ndarray) -> None:
    more = np.column_stack([rows, rows[:, 0] - 2.0 * rows[:, 1], np.full(ROWS, 4.0)])
    plain, wide = StudentTRegression(4.0).fit(rows, target), StudentTRegression(4.0).fit(more, target)
    np.testing.assert_allclose(wide.predict(more), plain.predict(rows), atol=1e-6)
    assert wide.coef_[-1] == 0.0


def test_too_few_iterations_are_said(rows: np.ndarray, target: np.ndarray) -> None:
    with pytest.warns(ConvergenceWarning, match="did not converge in"):
        assert not StudentTRegression(max_iter=2).fit(rows, target).converged_
