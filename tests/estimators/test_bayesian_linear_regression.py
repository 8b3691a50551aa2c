"""``BayesianLinearRegression``: against dense Gaussian and Student-t densities, and scikit-learn's evidence."""

from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import BayesianRidge

from tacit.estimators.regression.bayesian_linear import BayesianLinearRegression
from tacit.estimators.regression.least_absolute_deviations import LeastAbsoluteDeviations
from tacit.estimators.regression.student_t import StudentTRegression

RAW: dict[str, Any] = {"standardize": False, "fit_intercept": False}


def rows(number: int = 30) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    X = random.normal(size=(number, 3)) @ np.array([[1.0, 0.8, 0.0], [0.0, 1.0, 0.0], [0.0, 0.3, 1.0]])
    return X, X @ [1.0, -2.0, 0.5] + 0.7 * random.normal(size=number)


def test_the_exact_evidence_is_that_of_a_multivariate_student() -> None:
    X, y = rows()
    model = BayesianLinearRegression(prior_scale=1.5, noise_prior=(2.0, 3.0), **RAW).fit(X, y)
    shape = (3.0 / 2.0) * (np.eye(30) + 1.5**2 * X @ X.T)
    assert model.log_evidence_ == pytest.approx(stats.multivariate_t(np.zeros(30), shape, df=4).logpdf(y), abs=1e-9)
    assert model.lower_bound_ * 30 == pytest.approx(model.log_evidence_)


def test_a_new_rows_density_is_what_it_adds_to_the_evidence() -> None:
    X, y = rows()
    settings = {"prior_scale": 1.5, "noise_prior": (2.0, 3.0)} | RAW
    less = BayesianLinearRegression(**settings).fit(X[:-1], y[:-1])
    more = BayesianLinearRegression(**settings).fit(X, y)
    assert less.log_score(X[-1:], y[-1:]) == pytest.approx(more.log_evidence_ - less.log_evidence_, abs=1e-9)
    mean, sd = less.predict(X[-1:], return_std=True)
    draws = less.posterior_.draws
    new = draws["coef"] @ X[-1] + draws["sigma"] * np.random.default_rng(0).normal(size=4000)
    assert mean[0] == pytest.approx(new.mean(), abs=0.06)
    assert sd[0] == pytest.approx(new.std(), rel=0.05)


def test_known_noise_is_a_gaussian_evidence() -> None:
    X, y = rows()
    model = BayesianLinearRegression(noise_scale=0.7, prior_scale=2.0, **RAW).fit(X, y)
    covariance = 0.7**2 * (np.eye(30) + 4.0 * X @ X.T)
    assert model.log_evidence_ == pytest.approx(stats.multivariate_normal(np.zeros(30), covariance).logpdf(y), abs=1e-9)
    posterior = np.linalg.inv((X.T @ X + np.eye(3) / 4.0) / 0.49)
    np.testing.assert_allclose(model.coef_sd_, np.sqrt(np.diag(posterior)), rtol=1e-10)
    np.testing.assert_allclose(model.coef_, posterior @ X.T @ y / 0.49, rtol=1e-10)
    apart = BayesianLinearRegression(noise_scale=0.7, prior_scale=2.0, posterior="mean-field", **RAW).fit(X, y)
    np.testing.assert_allclose(apart.coef_, model.coef_, rtol=1e-10)
    np.testing.assert_allclose(apart.coef_sd_, np.diag(np.linalg.inv(posterior)) ** -0.5, rtol=1e-10)
    # what mean field loses is its divergence from the exact posterior
    precision = np.linalg.inv(posterior)
    lost = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    assert model.log_evidence_ - apart.lower_bound_ * 30 == pytest.approx(lost, abs=1e-9)


def test_evidence_maximised_is_scikit_learns() -> None:
    X, y = rows(60)
    model = BayesianLinearRegression("evidence", prior_scale="learned", **RAW).fit(X, y)
    flat = {"alpha_1": 0.0, "alpha_2": 0.0, "lambda_1": 0.0, "lambda_2": 0.0}
    peer = BayesianRidge(fit_intercept=False, tol=1e-12, max_iter=3000, compute_score=True, **flat).fit(X, y)
    assert model.log_evidence_ == pytest.approx(peer.scores_[-1], abs=1e-6)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-4)
    np.testing.assert_allclose(model.coef_sd_, np.sqrt(np.diag(peer.sigma_)), rtol=1e-4)
    assert model.noise_scale_ == pytest.approx(peer.alpha_**-0.5, rel=1e-4)


@pytest.mark.parametrize("posterior", ["full", "mean-field"])
@pytest.mark.parametrize("scale", [1.5, "learned"])
def test_the_variational_bound_is_the_expectation_it_claims_to_be(posterior: str, scale: Any) -> None:
    # E_q[log p(y, w, τ) − log q(w) − log q(τ)] by draws, all densities SciPy's
    X, y = rows()
    settings = {"posterior": posterior, "prior_scale": scale, "noise_prior": (2.0, 3.0), "tol": 1e-13} | RAW
    model = BayesianLinearRegression("variational", **settings).fit(X, y)
    assert np.diff(model.trace_.bound).min() > -1e-9
    random, number = np.random.default_rng(0), 20_000
    q = stats.multivariate_normal(model.coef_, model.model_.coefficients.flat_covariance)
    shape = 0.5 * model.model_.noise_dof
    tau = stats.gamma(shape, scale=1.0 / (shape * model.model_.noise))
    w, t = q.rvs(number, random_state=random), tau.rvs(number, random_state=random)
    joint = stats.norm.logpdf(y, w @ X.T, (t**-0.5)[:, None]).sum(1)
    joint += stats.norm.logpdf(w, scale=model.prior_scale_).sum(1) + stats.gamma.logpdf(t, 2.0, scale=1 / 3.0)
    ratios = joint - q.logpdf(w) - tau.logpdf(t)
    error = ratios.std() / np.sqrt(number)
    assert abs(ratios.mean() - model.lower_bound_ * 30) < 4 * error
    assert abs(model.verdict_.log_evidence - (ratios.max() + np.log(np.mean(np.exp(ratios - ratios.max()))))) < 0.2


def test_units_of_columns_and_targets_do_not_matter() -> None:
    X, y = rows()
    plain = BayesianLinearRegression().fit(X, y)
    scale = np.array([10.0, 0.1, 3.0])
    other = BayesianLinearRegression().fit(X * scale + [5.0, 0.0, -100.0], 7.0 * y + 40.0)
    np.testing.assert_allclose(other.coef_, 7.0 * plain.coef_ / scale, rtol=1e-6)
    np.testing.assert_allclose(other.coef_sd_, 7.0 * plain.coef_sd_ / scale, rtol=1e-6)
    assert other.noise_scale_ == pytest.approx(7.0 * plain.noise_scale_, rel=1e-6)
    assert other.log_evidence_ == pytest.approx(plain.log_evidence_ - 30 * np.log(7.0), abs=1e-6)
    table = other.summary()
    np.testing.assert_allclose(other.posterior_.interval(0.95)["coef"][1], table.upper[:3], rtol=0.1)
    assert table.names[-1] == "intercept"


def test_weight_two_is_two_rows() -> None:
    X, y = rows()
    weights = np.tile([0.0, 1.0, 2.0], 10)
    weighted = BayesianLinearRegression().fit(X, y, weights)
    repeated = BayesianLinearRegression().fit(X.repeat(weights.astype(int), 0), y.repeat(weights.astype(int)))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9)
    assert weighted.log_evidence_ == pytest.approx(repeated.log_evidence_, abs=1e-8)


@pytest.mark.parametrize(
    ("settings", "change", "words"),
    [
        ({}, lambda X, y: (X, np.where(y > 0, "up", "down")), "y must be numbers.*BayesianLogisticRegression"),
        ({}, lambda X, y: (X, np.where(y > 0, y, np.nan)), "first in row"),
        ({"method": "exact", "posterior": "mean-field"}, None, "take posterior='full', or method='evidence'"),
        ({"method": "variational", "noise_scale": 1.0}, None, "take method='exact'"),
        ({"noise_scale": -1.0}, None, "noise_scale must be"),
        ({"noise_prior": (0.0, 1.0)}, None, "noise_prior must be"),
        ({"prior_scale": 0.0}, None, "prior_scale must be"),
        ({"method": "evidence"}, lambda X, y: (X, np.full(len(y), 0.1)), "y is constant.*take method='exact'"),
    ],
)
def test_what_is_wrong_is_said(settings: dict[str, Any], change: Any, words: str) -> None:
    X, y = rows()
    X, y = (X, y) if change is None else change(X, y)
    with pytest.raises(ValueError, match=words):
        BayesianLinearRegression(**settings).fit(X, y)


def test_precise_targets_have_little_noise() -> None:
    X, _ = rows()
    y = 20.0 * X @ [1.0, -2.0, 0.5] + 0.1 * np.random.default_rng(1).normal(size=30)
    model = BayesianLinearRegression().fit(X, y)
    assert model.noise_scale_ == pytest.approx(np.std(y - model.predict(X)), rel=0.15)


def test_few_rows_have_a_table_too() -> None:
    table = BayesianLinearRegression(prior_scale=1.0).fit([[1.0], [2.0]], [1.0, 3.0], [1.0, 0.5]).summary(0.9)
    assert np.isfinite(table.lower).all()
    assert (table.lower < table.upper).all()


@pytest.mark.parametrize("level", [0.0, 1.0, 95, float("nan")])
def test_a_level_is_a_probability(level: Any) -> None:
    X, y = rows()
    linear = BayesianLinearRegression().fit(X, y)
    robust = [estimator().fit(X, y) for estimator in (StudentTRegression, LeastAbsoluteDeviations)]
    asks = [lambda m: m.predict_interval(X, level), lambda m: m.summary(level)]
    for model in (linear, *robust):
        for ask in asks:
            with pytest.raises(ValueError, match="level must lie between 0 and 1, got"):
                ask(model)


def test_without_an_intercept_constants_and_all_dummies_say_something() -> None:
    random = np.random.default_rng(0)
    dummies = np.eye(3)[np.arange(30) % 3]
    y = random.normal(size=30)
    free = BayesianLinearRegression(fit_intercept=False)
    free.fit(dummies, y)  # and a warning would be an error
    free.fit(np.column_stack([np.ones(30), random.normal(size=30)]), y)
    with pytest.warns(UserWarning, match="column 'x1' is 0 everywhere"):
        free.fit(np.column_stack([random.normal(size=30), np.zeros(30)]), y)
    with pytest.warns(UserWarning, match="columns 'x0', 'x1', 'x2', 'x3' are collinear"):
        free.fit(np.column_stack([dummies, np.ones(30)]), y)
    with pytest.warns(UserWarning, match="are collinear"):
        BayesianLinearRegression().fit(dummies, y)
