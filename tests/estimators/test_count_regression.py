"""Poisson and negative binomial regression, against scipy's distributions and optimisers, and closed forms."""

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats

import tacit
from tacit.models.regression.counts import CountModel, CountRows, parts

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 2)) * [1.0, 10.0] + [0.0, 100.0]
DAYS = RNG.uniform(0.5, 3.0, 300)
MEAN = DAYS * np.exp(3.4 + 0.5 * X[:, 0] - 0.03 * X[:, 1])
POISSON = RNG.poisson(MEAN).astype(float)
SPREAD = RNG.poisson(MEAN * RNG.gamma(2.0, 0.5, 300)).astype(float)
BOTH = (tacit.PoissonRegression, tacit.NegativeBinomialRegression)


def log_likelihood(theta, y, dispersed):
    """By scipy's mass functions, of ``[coefficients, intercept, log α]``."""
    mu = DAYS * np.exp(X @ theta[:2] + theta[2])
    if not dispersed:
        return stats.poisson.logpmf(y, mu).sum()
    size = np.exp(-theta[3])
    return stats.nbinom.logpmf(y, size, size / (size + mu)).sum()


def second_derivatives(function, at, steps):
    """By central differences."""
    number = len(at)
    found = np.empty((number, number))
    for i in range(number):
        for j in range(number):
            a, b = np.eye(number)[i] * steps[i], np.eye(number)[j] * steps[j]
            four = function(at + a + b) - function(at + a - b) - function(at - a + b) + function(at - a - b)
            found[i, j] = four / (4 * steps[i] * steps[j])
    return found


@pytest.mark.parametrize("dispersed", [False, True])
def test_the_largest_likelihood_and_its_errors(dispersed):
    y = SPREAD if dispersed else POISSON
    model = BOTH[dispersed]().fit(X, y, exposure=DAYS)
    own = np.array([*model.coef_, model.intercept_, *([np.log(model.dispersion_)] if dispersed else [])])
    assert model.converged_
    assert model.log_likelihood_ == pytest.approx(log_likelihood(own, y, dispersed), rel=1e-10)
    scale = np.array([0.05, 0.005, 0.5, 0.2])[: len(own)]
    best = optimize.minimize(
        lambda t: -log_likelihood(own + scale * t, y, dispersed), np.full(len(own), 0.3), method="BFGS"
    )
    np.testing.assert_allclose(best.x, 0.0, atol=2e-3)
    assert model.log_likelihood_ >= -best.fun - 1e-9
    steps = 1e-3 * np.array([1.0, 0.01, 1.0, 1.0])[: len(own)]
    inverse = np.linalg.inv(-second_derivatives(lambda t: log_likelihood(t, y, dispersed), own, steps))
    np.testing.assert_allclose(model.covariance_, inverse[:3, :3], rtol=2e-3, atol=1e-9)
    if dispersed:
        assert model.dispersion_sd_ == pytest.approx(model.dispersion_ * np.sqrt(inverse[3, 3]), rel=2e-3)
        assert abs(model.dispersion_ - 0.5) < 3 * model.dispersion_sd_
    table = model.summary(0.9)
    sd = np.sqrt(np.diag(inverse)[:3])
    np.testing.assert_allclose(table.upper - table.lower, 2 * stats.norm.ppf(0.95) * sd, rtol=2e-3)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 25.0])
def test_derivatives_by_differences(alpha):
    design = np.column_stack([X[:40, 0], np.ones(40)])
    rows = CountRows(design, SPREAD[:40], np.log(DAYS[:40]), RNG.uniform(0.5, 2.0, 40))
    at = np.array([0.3, 0.4, *([np.log(alpha)] if alpha else [])])

    def model(theta):
        return CountModel(theta[:2], float(np.exp(theta[2])) if alpha else 0.0)

    found = parts(model(at), rows, dispersed=alpha > 0)
    gradient = optimize.approx_fprime(at, lambda t: parts(model(t), rows, dispersed=alpha > 0).value, 1e-6)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-4, atol=1e-3)
    for place in range(len(at)):
        step = 1e-5 * np.eye(len(at))[place]
        up, down = (parts(model(at + s * step), rows, dispersed=alpha > 0).gradient for s in (1, -1))
        np.testing.assert_allclose(found.information[place], -(up - down) / 2e-5, rtol=1e-4, atol=1e-3)


def test_two_rates_in_closed_form():
    group = np.repeat([0.0, 1.0], 150)
    model = tacit.PoissonRegression().fit(group[:, None], POISSON, exposure=DAYS)
    rates = [POISSON[group == g].sum() / DAYS[group == g].sum() for g in (0, 1)]
    assert np.exp(model.intercept_) == pytest.approx(rates[0], rel=1e-9)
    assert np.exp(model.coef_[0]) == pytest.approx(rates[1] / rates[0], rel=1e-9)
    # the variance of the logarithm of a ratio of two Poisson totals
    totals = [POISSON[group == g].sum() for g in (0, 1)]
    assert model.covariance_[0, 0] == pytest.approx(1 / totals[0] + 1 / totals[1], rel=1e-8)


@pytest.mark.parametrize("estimator", BOTH)
def test_weight_two_is_two_copies_and_weight_nought_no_row(estimator):
    weights = np.arange(300) % 3.0
    copies = np.repeat(np.arange(300), weights.astype(int))
    one = estimator().fit(X, SPREAD, weights, exposure=DAYS)
    other = estimator().fit(X[copies], SPREAD[copies], exposure=DAYS[copies])
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-7)
    np.testing.assert_allclose(one.covariance_, other.covariance_, rtol=1e-6)
    assert one.log_likelihood_ == pytest.approx(other.log_likelihood_, rel=1e-10)
    assert one.dispersion_ == pytest.approx(other.dispersion_, rel=1e-6)


@pytest.mark.parametrize("estimator", BOTH)
def test_what_is_predicted(estimator):
    model = estimator().fit(X, SPREAD, exposure=DAYS)
    mu = DAYS * np.exp(X @ model.coef_ + model.intercept_)
    np.testing.assert_allclose(model.predict(X, exposure=DAYS), mu, rtol=1e-12)
    np.testing.assert_allclose(model.predict(X, exposure=2.0), 2 * model.predict(X), rtol=1e-12)
    if model.dispersion_:
        law = stats.nbinom(1 / model.dispersion_, 1 / (1 + model.dispersion_ * mu))
    else:
        law = stats.poisson(mu)
    np.testing.assert_allclose(model.log_predictive(X, SPREAD, exposure=DAYS), law.logpmf(SPREAD), rtol=1e-9)
    np.testing.assert_array_equal(model.predict_quantile(X, 0.3, exposure=DAYS), law.ppf(0.3))
    low, high = model.predict_interval(X, 0.8, exposure=DAYS)
    assert (law.cdf(high) - law.cdf(low - 1) >= 0.8).all()
    drawn = model.model_.sample(np.random.default_rng(0), np.full(200_000, 3.0))
    assert drawn.mean() == pytest.approx(3.0, rel=0.02)
    assert drawn.var() == pytest.approx(3.0 + model.dispersion_ * 9.0, rel=0.03)


def test_exposure_as_a_column():
    frame = pd.DataFrame({"a": X[:, 0], "days": DAYS, "b": X[:, 1]})
    model = tacit.NegativeBinomialRegression(exposure="days").fit(frame, SPREAD)
    other = tacit.NegativeBinomialRegression().fit(X, SPREAD, exposure=DAYS)
    np.testing.assert_allclose(model.coef_, other.coef_, rtol=1e-10)
    assert model.summary().names == ("a", "b", "intercept")
    np.testing.assert_allclose(model.predict(frame), other.predict(X, exposure=DAYS), rtol=1e-10)
    by_number = tacit.NegativeBinomialRegression(exposure=1).fit(frame.to_numpy(), SPREAD)
    np.testing.assert_allclose(by_number.coef_, other.coef_, rtol=1e-10)


def test_counts_that_scatter_no_more_than_poisson_have_no_dispersion():
    even = np.round(MEAN)
    model = tacit.NegativeBinomialRegression().fit(X, even, exposure=DAYS)
    plain = tacit.PoissonRegression().fit(X, even, exposure=DAYS)
    assert model.dispersion_ == 0.0
    assert np.isnan(model.dispersion_sd_)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-12)


def test_a_prior_keeps_a_level_without_counts_finite():
    level = np.repeat([0.0, 1.0], 150)
    y = np.where(level == 1, 0.0, SPREAD)
    model = tacit.PoissonRegression(prior_scale=2.0).fit(level[:, None], y)
    assert -20 < model.coef_[0] < -1
    assert model.converged_
    assert tacit.PoissonRegression().fit(level[:, None], y).predict([[1.0]])[0] < 1e-6


@pytest.mark.parametrize("estimator", BOTH)
def test_columns_that_say_the_same_share_what_they_say(estimator):
    twice = np.column_stack([X[:, 0], X[:, 0]])
    model = estimator().fit(twice, SPREAD)
    alone = estimator().fit(X[:, :1], SPREAD)
    np.testing.assert_allclose(model.predict(twice), alone.predict(X[:, :1]), rtol=1e-7)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.full(300, -1.0), "0 or more"),
        (np.zeros(300), "every y is 0"),
        (np.full(300, "a"), "must be numbers|numeric|convert"),
    ],
)
def test_what_are_no_counts_is_refused(y, words):
    with pytest.raises(ValueError, match=words):
        tacit.PoissonRegression().fit(X, y)


def test_exposures_must_be_positive():
    with pytest.raises(ValueError, match="above 0"):
        tacit.PoissonRegression().fit(X, POISSON, exposure=np.where(np.arange(300) == 4, 0.0, DAYS))
    with pytest.raises(ValueError, match="names the column"):
        tacit.PoissonRegression(exposure="days").fit(X, POISSON)


def test_far_rates_and_large_counts():
    big = RNG.poisson(1e6 * np.exp(0.1 * X[:, 0])).astype(float)
    model = tacit.NegativeBinomialRegression().fit(X, big)
    assert model.coef_[0] == pytest.approx(0.1, abs=1e-3)
    rare = np.zeros(300)
    rare[7] = 1.0
    assert tacit.PoissonRegression().fit(X[:, :1], rare).predict(X[:, :1]).sum() == pytest.approx(1.0, rel=1e-8)
