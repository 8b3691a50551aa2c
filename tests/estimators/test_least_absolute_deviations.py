"""Least absolute deviations against scikit-learn's exact linear programme, and against what theory says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, optimize, stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import QuantileRegressor

from tacit import LeastAbsoluteDeviations
from tacit.models.lifting.vertex import duality_gap, finish, sandwich


def loss(residuals: np.ndarray, quantile: float, weights: np.ndarray | None = None) -> float:
    return float(np.average(np.where(residuals > 0, quantile, quantile - 1.0) * residuals, weights=weights))


def table(kind: str, rows: int, columns: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows and targets with some trouble in them."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(rows, columns))
    y = X @ random.normal(size=columns) + random.standard_t(2, size=rows)
    if kind == "whole numbers":
        X = random.integers(0, 4, size=(rows, columns)).astype(float)
        y = np.round(X @ random.normal(size=columns) + random.standard_t(2, size=rows))
    elif kind == "ties":
        X, y = (random.random((rows, columns)) < 0.2).astype(float), random.poisson(2, size=rows).astype(float)
    elif kind == "dependent":
        X[:, -1], X[:, 2] = 2.0 * X[:, 0] - X[:, 1], 3.0
    elif kind == "scales":
        X = X * 10.0 ** random.integers(-5, 5, size=columns) + random.normal(size=columns)
    return X, y


@pytest.mark.parametrize("quantile", [0.5, 0.85])
@pytest.mark.parametrize("intercept", [True, np.False_])
@pytest.mark.parametrize(
    ("kind", "rows", "columns"),
    [("plain", 400, 6), ("whole numbers", 400, 6), ("ties", 250, 6), ("dependent", 250, 6), ("scales", 250, 6)],
)
def test_it_reaches_the_linear_programme(kind: str, rows: int, columns: int, intercept: bool, quantile: float) -> None:
    X, y = table(kind, rows, columns)
    ours = LeastAbsoluteDeviations(quantile, fit_intercept=intercept).fit(X, y)
    theirs = QuantileRegressor(quantile=quantile, alpha=0.0, fit_intercept=intercept).fit(X, y)
    least = loss(y - theirs.predict(X), quantile)
    assert ours.objective_ == pytest.approx(least, rel=1e-9)
    assert ours.objective_ == pytest.approx(loss(y - ours.predict(X), quantile), rel=1e-9)
    assert ours.converged_
    assert 0.0 <= ours.duality_gap_ <= 1e-9 * ours.objective_
    if ours.unique_:
        spread = X.std(axis=0)
        np.testing.assert_allclose(ours.coef_ * spread, theirs.coef_ * spread, atol=1e-6)
        if intercept:
            np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-6)
    assert ours.unique_ or kind in ("ties", "dependent", "whole numbers")


@pytest.mark.parametrize("rows", [6, 3])
def test_as_few_rows_as_coefficients_are_met_exactly(rows: int) -> None:
    X, y = table("plain", rows, 5)
    model = LeastAbsoluteDeviations().fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-12)
    assert model.objective_ == 0.0
    assert model.converged_
    assert model.unique_ == (rows == 6)
    if rows == 3:  # the shortest coefficients in standard deviations, as the pseudo-inverse has them
        scale = X.std(axis=0)
        short = np.linalg.pinv((X - X.mean(axis=0)) / scale) @ (y - y.mean()) / scale
        np.testing.assert_allclose(model.coef_, short, atol=1e-10)


def test_a_constant_column_gets_no_coefficient_and_an_even_median_is_not_unique() -> None:
    y = np.array([1.0, 2.0, 4.0, 8.0])
    model = LeastAbsoluteDeviations().fit(np.full((4, 1), 3.0), y)
    assert model.coef_ == 0.0
    assert 2.0 <= model.intercept_ <= 4.0
    assert model.objective_ == pytest.approx((1 + 0 + 2 + 6) / 8)
    assert not model.unique_


def test_a_weight_is_so_many_copies_and_0_is_none() -> None:
    X, y = table("plain", 60, 3)
    copies = np.random.default_rng(1).integers(0, 4, size=60)
    X[copies == 0] = 1e6  # must not be seen
    weighted = LeastAbsoluteDeviations(0.3).fit(X, y, sample_weight=copies)
    whole = LeastAbsoluteDeviations(0.3).fit(np.repeat(X, copies, axis=0), np.repeat(y, copies))
    assert weighted.objective_ == pytest.approx(whole.objective_, rel=1e-12)
    np.testing.assert_allclose(weighted.coef_, whole.coef_, atol=1e-9)
    np.testing.assert_allclose(weighted.covariance_, whole.covariance_, rtol=1e-6)


def test_one_gross_outlier_moves_nothing() -> None:
    X, y = table("plain", 80, 2)
    before = LeastAbsoluteDeviations().fit(X, y)
    y[np.argmax(y - before.predict(X))] += 1e6
    np.testing.assert_allclose(LeastAbsoluteDeviations().fit(X, y).coef_, before.coef_, atol=1e-9)


def test_the_bound_never_falls_and_ends_at_the_log_likelihood() -> None:
    X, y = table("whole numbers", 300, 5)
    model = LeastAbsoluteDeviations(0.7).fit(X, y)
    assert np.all(np.diff(model.trace_.bound) >= -1e-10 * abs(model.trace_.bound[0]))
    # scipy's asymmetric Laplace has κ = √(q/(1 − q)) and the scale σ/√(q(1 − q))
    noise = stats.laplace_asymmetric(np.sqrt(0.7 / 0.3), scale=model.scale_ / np.sqrt(0.21))
    known = noise.logpdf(y - model.predict(X))
    np.testing.assert_allclose(model.log_predictive(X, y), known, rtol=1e-9)
    assert model.trace_.bound[-1] == model.log_likelihood_ == pytest.approx(known.sum(), rel=1e-9)
    # its beginning: least squares, smoothed by the mean absolute residual
    ones = np.column_stack([np.ones(300), X])
    residuals = y - ones @ np.linalg.lstsq(ones, y)[0]
    smooth = np.mean(0.5 * np.hypot(residuals, np.abs(residuals).mean()) + 0.2 * residuals)
    assert model.trace_.bound[0] == pytest.approx(300 * (np.log(0.21 / smooth) - 1.0), rel=1e-9)


def test_the_walk_alone_finds_the_optimum_and_a_walk_cut_short_says_so() -> None:
    X, y = table("plain", 200, 4)
    weights = np.random.default_rng(2).uniform(0.5, 2.0, 200)
    far = np.full(4, 10.0)
    end = finish(X, y, weights, 0.4, far, max_steps=1000)
    # the dual programme by an independent solver
    dual = optimize.linprog(-y, A_eq=X.T, b_eq=np.zeros(4), bounds=np.column_stack([-0.6 * weights, 0.4 * weights]))
    assert end.objective == pytest.approx(-dual.fun, rel=1e-9)
    assert end.gap < 1e-9
    cut = finish(X, y, weights, 0.4, far, max_steps=1)
    assert cut.steps == 1
    assert cut.objective - cut.gap <= -dual.fun + 1e-9 < cut.objective


def test_an_end_that_is_not_proved_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tacit.estimators.regression.least_absolute_deviations.WALK", 0)
    X, y = table("plain", 200, 4)
    with pytest.warns(ConvergenceWarning, match="proved to within"):
        model = LeastAbsoluteDeviations(max_iter=2).fit(X, y)
    assert not model.converged_
    assert model.duality_gap_ > 1e-6


@given(st.integers(0, 10_000), st.sampled_from([0.2, 0.5]))
def test_a_dual_point_bounds_the_optimum(seed: int, quantile: float) -> None:
    random = np.random.default_rng(seed)
    columns, values, weights = random.normal(size=(12, 2)), random.normal(size=12), random.uniform(0.5, 2.0, 12)
    direction = random.normal(size=12)
    dual = direction - columns @ np.linalg.lstsq(columns, direction)[0]  # Aᵀ d = 0
    residuals = values - columns @ random.normal(size=2)
    least = optimize.linprog(
        -values,
        A_eq=columns.T,
        b_eq=np.zeros(2),
        bounds=np.column_stack([(quantile - 1) * weights, quantile * weights]),
    )
    objective = weights.sum() * loss(residuals, quantile, weights)
    assert objective - duality_gap(residuals, weights, quantile, dual) <= -least.fun + 1e-9


def test_standard_errors_are_those_of_theory_where_noise_is_alike() -> None:
    random = np.random.default_rng(3)
    X = random.normal(size=(4000, 2)) * [1.0, 5.0]
    y = X @ [1.0, -2.0] + 3.0 * random.normal(size=4000)
    model = LeastAbsoluteDeviations().fit(X, y)
    # √(q(1 − q)) / f(0) · (XᵀX)^(−½), f(0) that of the noise
    known = 0.5 / stats.norm.pdf(0, scale=3.0) / np.sqrt(4000) / np.array([1.0, 5.0, 1.0])
    np.testing.assert_allclose(model.summary().sd, known, rtol=0.1)
    assert model.summary().names == ("x0", "x1", "intercept")


def test_the_sandwich_holds_its_share_of_the_truth_where_noise_differs() -> None:
    random, hits = np.random.default_rng(4), 0
    for _ in range(60):
        X = random.uniform(0, 3, size=(150, 1))
        y = X[:, 0] + (0.2 + X[:, 0]) * random.standard_t(3, size=150)
        model = LeastAbsoluteDeviations().fit(X, y)
        found = model.summary()
        hits += found.lower[0] <= 1.0 <= found.upper[0]
    assert hits >= 51


def test_a_flat_end_has_no_standard_error() -> None:
    assert np.isnan(sandwich(np.ones((5, 1)), np.zeros(5), np.ones(5), 0.5)).all()


def test_its_density_is_one_and_its_intervals_hold_their_share() -> None:
    X, y = table("plain", 300, 2)
    model = LeastAbsoluteDeviations(0.3).fit(X, y)
    one = X[:1]
    total, _ = integrate.quad(lambda v: np.exp(model.log_predictive(one, [v])[0]), -200, 200, points=model.predict(one))
    assert total == pytest.approx(1.0, abs=1e-6)
    low, high = model.predict_interval(one, 0.8)
    for end, share in ((low, 0.1), (high, 0.9)):
        below, _ = integrate.quad(lambda v: np.exp(model.log_predictive(one, [v])[0]), -200, end[0], limit=200)
        assert below == pytest.approx(share, abs=1e-6)
    # σ is the maximum likelihood's
    mean = np.mean(model.log_predictive(X, y))
    for scale in (0.99, 1.01):
        other = np.log(0.21 / (scale * model.scale_)) - model.objective_ / (scale * model.scale_)
        assert other < mean


def test_what_cannot_be_fitted_is_refused() -> None:
    X, y = table("plain", 20, 2)
    with pytest.raises(ValueError, match="quantile"):
        LeastAbsoluteDeviations(1.0).fit(X, y)
    with pytest.raises(ValueError, match="NaN"):
        LeastAbsoluteDeviations().fit(np.where(X > 1, np.nan, X), y)
    with pytest.raises(ValueError, match="at least one non-zero"):
        LeastAbsoluteDeviations().fit(X, y, sample_weight=np.zeros(20))
