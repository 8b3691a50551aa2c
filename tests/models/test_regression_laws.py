"""Bayesian regression against quadrature, and what must hold whatever the rows."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import expit, log_softmax

from tacit.compute import double_precision
from tacit.data import sources
from tacit.data.blocks import Standardise
from tacit.data.dataset import DenseRows
from tacit.estimators.regression.bayesian_logistic import BayesianLogisticRegression
from tacit.models.regression import fitting
from tacit.models.regression.coefficients import CoefficientPrior, Coefficients, moved
from tacit.models.regression.expected import nodes
from tacit.models.regression.fitting import RegressionTable
from tacit.models.regression.logistic import LogisticRegression, at_start
from tacit.models.regression.surrogates import Bohning, contrasts

RAW = {"standardize": False, "fit_intercept": False, "n_init": 1, "random_state": 0}


def few_rows() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(3)
    x = random.normal(size=(14, 1))
    return x, (random.random(14) < expit(1.5 * x[:, 0])).astype(int)


@pytest.mark.parametrize("method", ["jaakkola-jordan", "bohning", "bouchard", "laplace"])
def test_bound_and_divergence_make_the_evidence(method: str) -> None:
    # Gibbs: F(q) + KL(q ‖ posterior) = log p(y), all three by quadrature over the one coefficient
    x, y = few_rows()
    model = BayesianLogisticRegression(method, prior_scale=2.0, n_draws=0, **RAW).fit(x, y)
    q = stats.norm(model.coef_[0, 0], model.coef_sd_[0, 0])
    grid = np.linspace(-15.0, 15.0, 60_001)
    log_joint = _log_joint(x, y, grid)
    top = log_joint.max()
    evidence = top + np.log(integrate.simpson(np.exp(log_joint - top), x=grid))
    log_q = q.logpdf(grid)
    divergence = integrate.simpson(np.exp(log_q) * (log_q - log_joint + evidence), x=grid)
    assert model.elbo_ + divergence == pytest.approx(evidence, abs=1e-8)
    assert model.elbo(x, y) == pytest.approx(model.elbo_, abs=1e-10)
    if method != "laplace":
        assert model.lower_bound_ * 14 < model.elbo_ + 1e-10
        assert np.diff(model.trace_.bound).min(initial=0.0) > -1e-9


def _log_joint(x: np.ndarray, y: np.ndarray, grid: np.ndarray) -> np.ndarray:
    scores = (2 * y - 1)[:, None] * x * grid
    return -np.logaddexp(0.0, -scores).sum(0) + stats.norm.logpdf(grid, scale=2.0)


def test_the_verdict_finds_the_evidence_and_the_posteriors_moments() -> None:
    x, y = few_rows()
    verdict = BayesianLogisticRegression("laplace", prior_scale=2.0, n_draws=4000, **RAW).fit(x, y).verdict_
    grid = np.linspace(-15.0, 15.0, 20_001)
    log_joint = _log_joint(x, y, grid)
    top = log_joint.max()
    mass = np.exp(log_joint - top)
    evidence = top + np.log(integrate.simpson(mass, x=grid))
    assert abs(verdict.log_evidence - evidence) < 4 * verdict.log_evidence_error
    density = mass / integrate.simpson(mass, x=grid)
    mean = integrate.simpson(density * grid, x=grid)
    sd = np.sqrt(integrate.simpson(density * (grid - mean) ** 2, x=grid))
    for raw, mended, truth in zip(verdict.raw["x0"], verdict.corrected["x0"], (mean, sd), strict=True):
        assert abs(mended - truth) < abs(raw - truth)


@pytest.mark.parametrize(("method", "posterior"), [("jaakkola-jordan", "full"), ("bohning", "mean-field")])
def test_a_learned_scale_is_the_best_one(method: str, posterior: str) -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(60, 3)) @ np.array([[1.0, 0.7, 0.0], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
    y = (random.random(60) < expit(X @ [1.0, -1.0, 0.0] + 0.5)).astype(int)
    settings: dict[str, Any] = {"posterior": posterior, "n_draws": 0, "n_init": 1, "tol": 1e-12, "random_state": 0}
    learned = BayesianLogisticRegression(method, prior_scale="learned", **settings).fit(X, y)
    bounds = [
        BayesianLogisticRegression(method, prior_scale=learned.prior_scale_ * factor, **settings).fit(X, y).lower_bound_
        for factor in (0.9, 1.0, 1.1)
    ]
    assert bounds[1] == pytest.approx(learned.lower_bound_, abs=1e-8)
    assert bounds[1] > max(bounds[0], bounds[2])


def test_rows_larger_than_memory_give_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    random = np.random.default_rng(1)
    X = random.normal(size=(700, 2))
    y = (random.random(700) < expit(X[:, 0] - 0.3)).astype(int)
    settings: dict[str, Any] = {"n_draws": 300, "n_init": 1, "tol": 1e-11, "random_state": 0}
    whole = BayesianLogisticRegression(**settings).fit(X, y)
    mapped = np.memmap(tmp_path / "rows", np.float64, "w+", shape=X.shape)
    mapped[:] = X
    monkeypatch.setattr(sources, "STREAM_BYTES", 1000)
    streamed = BayesianLogisticRegression(**settings).fit(mapped, y)
    np.testing.assert_allclose(streamed.coef_, whole.coef_, rtol=1e-9)
    np.testing.assert_allclose(streamed.coef_sd_, whole.coef_sd_, rtol=1e-9)
    assert streamed.elbo_ == pytest.approx(whole.elbo_, rel=1e-12)
    assert streamed.verdict_.log_evidence == pytest.approx(whole.verdict_.log_evidence, rel=1e-10)


def test_many_points_integrate_like_a_product_rule() -> None:
    # E log softmax of four classes: three units, quasi-random points against a fine grid
    place, weight = np.polynomial.hermite_e.hermegauss(20)
    grid = np.stack(np.meshgrid(place, place, place), -1).reshape(-1, 3)
    shares = np.prod(np.stack(np.meshgrid(weight, weight, weight), -1).reshape(-1, 3), axis=1)
    points, own = nodes(3)
    contrast = np.random.default_rng(0).normal(size=(4, 3))
    truth = (shares / shares.sum()) @ log_softmax(grid @ contrast.T, axis=1)
    np.testing.assert_allclose(own @ log_softmax(points @ contrast.T, axis=1), truth, atol=5e-3)
    assert own.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("mean", "sd"), [(0.5, 0.1), (-1.0, 3.0), (16.0, 20.0), (16.0, 80.0)])
def test_wide_scores_are_integrated_too(mean: float, sd: float) -> None:
    points, shares = nodes(1)
    fine = np.linspace(-9.0, 9.0, 400_001)
    weight = stats.norm.pdf(fine)
    close = 3e-3 if sd > 50.0 else 1e-7
    for of in (expit, lambda u: -np.logaddexp(0.0, -u)):
        truth = weight @ of(mean + sd * fine) / weight.sum()
        np.testing.assert_allclose(shares @ of(mean + sd * points[:, 0]), truth, rtol=0.0, atol=close)


def test_wide_scores_of_three_classes_are_integrated_too() -> None:
    points, shares = nodes(2)
    place = np.linspace(-8.0, 8.0, 801)
    grid = np.stack(np.meshgrid(place, place), -1).reshape(-1, 2)
    weight = np.exp(-0.5 * (grid**2).sum(1))
    contrast = contrasts(3)
    truth = (weight / weight.sum()) @ log_softmax((5.0 + 10.0 * grid) @ contrast.T, axis=1)
    own = shares @ log_softmax((5.0 + 10.0 * points) @ contrast.T, axis=1)
    np.testing.assert_allclose(own, truth, atol=0.02)


def test_what_a_row_of_weight_zero_holds_changes_nothing() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 2))
    weights = np.append(np.ones(49), 0.0)
    plain = fitting.moments_of(DenseRows(rows, weights))
    rows[-1] = 1e10
    for one, other in zip(fitting.moments_of(DenseRows(rows, weights)), plain, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


@pytest.mark.parametrize("independent", [False, True])
def test_coefficients_are_moved_like_any_gaussian(independent: bool) -> None:
    random = np.random.default_rng(0)
    mean, units, columns = random.normal(size=(2, 3)), random.normal(size=(3, 2)), random.normal(size=(3, 3))
    root = np.diag(random.gamma(2.0, size=6)) if independent else random.normal(size=(6, 6))
    covariance = root @ root.T
    given = (
        Coefficients(mean, np.diag(covariance).reshape(2, 3), None)
        if independent
        else Coefficients(mean, np.diag(covariance).reshape(2, 3), covariance.reshape(2, 3, 2, 3))
    )
    after = moved(given, units, columns)
    draws = random.multivariate_normal(mean.ravel(), covariance, size=200_000).reshape(-1, 2, 3)
    own = np.einsum("ou,sui,ji->soj", units, draws, columns)
    np.testing.assert_allclose(after.mean, own.mean(0), atol=0.15)
    np.testing.assert_allclose(np.sqrt(after.variance), own.std(0), rtol=0.02)
    whole = np.kron(units, columns)
    np.testing.assert_allclose(np.ravel(after.variance), np.diagonal(whole @ covariance @ whole.T), rtol=1e-12)
    assert (after.covariance is None) == independent  # or a matrix of all columns would be made


@double_precision
def test_where_newtons_steps_overshoot_the_mode_is_found_all_the_same() -> None:
    x, y = few_rows()
    contrast = jnp.asarray(contrasts(2))
    prior = CoefficientPrior(jnp.asarray(2.0), jnp.asarray(1.0), False)
    model = LogisticRegression(
        Coefficients.independent(jnp.zeros((1, 1)), jnp.ones((1, 1))), prior, Bohning(contrast), False, False, True
    )
    far = at_start(model, jnp.full((1, 1), 40.0), 1.0)
    table = RegressionTable(DenseRows(x), y.astype(float), Standardise(np.zeros(2), np.ones(2)))
    (found,) = fitting._touching(
        [far], table, fitting.RegressionSchedule(5000, 1e-13, 1, "test"), np.random.default_rng(0)
    )
    grid = np.linspace(0.0, 3.0, 300_001)
    assert float(found.model.coefficients.mean[0, 0]) == pytest.approx(grid[_log_joint(x, y, grid).argmax()], abs=1e-4)
    assert found.iteration > 10  # the surrogate's steps, not Newton's
