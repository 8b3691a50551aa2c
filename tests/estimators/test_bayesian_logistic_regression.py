"""``BayesianLogisticRegression``: against scikit-learn's mode, quadrature and its own laws; and bad input."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from tacit.estimators.regression import logistic_fit
from tacit.estimators.regression.bayesian_logistic import BayesianLogisticRegression
from tacit.inference import rounds
from tacit.inference.closed_form import INTERRUPTED
from tacit.models.regression import by_gradient

QUICK: dict[str, Any] = {"n_draws": 0, "n_init": 1, "random_state": 0}


def two(number: int = 80) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    X = random.normal(size=(number, 2)) * [1.0, 20.0] + [0.0, 100.0]
    return X, np.where(random.random(number) < expit(1.5 * X[:, 0] - 0.05 * (X[:, 1] - 100.0)), "yes", "no")


def three() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    X = random.normal(size=(90, 2))
    scores = X @ random.normal(size=(2, 3)) * 1.5
    return X, np.array(["a", "b", "c"])[(scores + random.gumbel(size=scores.shape)).argmax(1)]


@pytest.mark.parametrize("rows", [two, three])
def test_laplace_is_scikit_learns_mode_and_its_curvature(rows: Any) -> None:
    X, y = rows()
    X = (X - X.mean(0)) / X.std(0)
    settings = {"standardize": False, "fit_intercept": False, "prior_scale": 1.5, "tol": 1e-12} | QUICK
    model = BayesianLogisticRegression("laplace", **settings).fit(X, y)
    peer = LogisticRegression(C=1.5**2, fit_intercept=False, tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(model.coef_, peer.coef_, atol=1e-5)
    if len(peer.classes_) == 2:
        chance = peer.predict_proba(X)[:, 1]
        precision = (X * (chance * (1 - chance))[:, None]).T @ X + np.eye(2) / 1.5**2
        np.testing.assert_allclose(model.coef_sd_[0], np.sqrt(np.diag(np.linalg.inv(precision))), rtol=1e-5)


def test_probabilities_are_averaged_over_the_posterior() -> None:
    X, y = two()
    model = BayesianLogisticRegression(**QUICK).fit(X, y)
    # the log-odds of a row under draws of the coefficients, in the user's units
    draws = model.posterior_.draws
    new = np.array([[3.0, 60.0], [0.0, 100.0], [-9.0, 300.0]])
    odds = draws["coef"] @ new.T + draws["intercept"][:, None]
    place, weight = np.polynomial.hermite_e.hermegauss(60)
    exact = [(weight / weight.sum()) @ expit(m + s * place) for m, s in zip(odds.mean(0), odds.std(0), strict=True)]
    np.testing.assert_allclose(model.predict_proba(new)[:, 1], exact, atol=5e-3)
    np.testing.assert_allclose(model.predict_proba(new).sum(1), 1.0)
    # less sure than the mean coefficients
    plug = expit(new @ model.coef_[0] + model.intercept_[0])
    assert np.all(np.abs(model.predict_proba(new)[:, 1] - 0.5) <= np.abs(plug - 0.5) + 1e-12)
    np.testing.assert_array_equal(model.predict(new), model.classes_[(plug > 0.5).astype(int)])


def test_draws_have_the_moments_of_the_table() -> None:
    X, y = three()
    model = BayesianLogisticRegression(**QUICK).fit(pd.DataFrame(X, columns=["p", "q"]), y)
    draws = model.posterior_
    np.testing.assert_allclose(draws.mean["coef"], model.coef_, atol=0.05)
    np.testing.assert_allclose(draws.sd["coef"], model.coef_sd_, rtol=0.05)
    np.testing.assert_allclose(model.coef_.sum(0), 0.0, atol=1e-12)
    table = model.summary(0.9)
    assert table.names == ("p", "q", "intercept") * 3
    assert table.classes == ("a",) * 3 + ("b",) * 3 + ("c",) * 3
    np.testing.assert_allclose(table.upper - table.mean, stats.norm.ppf(0.95) * table.sd)
    np.testing.assert_allclose(table.mean.reshape(3, 3)[:, :2], model.coef_)
    assert "90 % from" in str(table)
    assert table.to_arrow().column_names == ["class", "column", "mean", "sd", "lower", "upper"]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("method", ["reparameterised", "score-function-leave-one-out"])
def test_a_gradient_finds_the_best_gaussian(method: str) -> None:
    # the oracle: the evidence lower bound of N(m, s²) by quadrature, maximised on a grid
    random = np.random.default_rng(3)
    x = random.normal(size=(14, 1))
    y = (random.random(14) < expit(1.5 * x[:, 0])).astype(int)
    place, weight = np.polynomial.hermite_e.hermegauss(40)

    def bound(m: float, s: float) -> float:
        scores = (2 * y - 1)[:, None] * x * (m + s * place)
        fit = -(np.logaddexp(0.0, -scores).sum(0) @ weight) / weight.sum()
        return fit - 0.5 * ((s**2 + m**2) / 4.0 - 1.0 - np.log(s**2 / 4.0))

    best = max(bound(m, s) for m in np.linspace(0.5, 3.0, 60) for s in np.linspace(0.3, 1.5, 60))
    settings = {"standardize": False, "fit_intercept": False, "prior_scale": 2.0} | QUICK
    model = BayesianLogisticRegression(method, max_steps=3000, **settings).fit(x, y)
    assert model.elbo_ == pytest.approx(best, abs=2e-3)
    assert model.elbo_ == pytest.approx(bound(model.coef_[0, 0], model.coef_sd_[0, 0]), abs=1e-8)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_mini_batches_find_it_too_from_rows_that_do_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = two(600)
    settings = {"batch_size": 100, "max_steps": 1200} | QUICK
    laplace = BayesianLogisticRegression("laplace", **QUICK).fit(X, y)
    small = BayesianLogisticRegression("reparameterised", **settings).fit(X, y)
    assert small.elbo_ > laplace.elbo_ - 0.02
    monkeypatch.setattr(rounds, "RESIDENT_BYTES", 0)
    monkeypatch.setattr(by_gradient, "RESIDENT_BYTES", 0)
    streamed = BayesianLogisticRegression("reparameterised", **settings).fit(X, y)
    np.testing.assert_allclose(streamed.coef_, small.coef_, rtol=1e-3)


@pytest.mark.parametrize("posterior", ["full", "mean-field"])
def test_weight_two_is_two_rows_and_weight_zero_none(posterior: str) -> None:
    X, y = two(40)
    weights = np.tile([0.0, 1.0, 2.0, 1.0], 10)
    settings = {"posterior": posterior, "tol": 1e-11} | QUICK
    weighted = BayesianLogisticRegression(**settings).fit(X, y, weights)
    repeated = BayesianLogisticRegression(**settings).fit(*(part.repeat(weights.astype(int), 0) for part in (X, y)))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6)
    np.testing.assert_allclose(weighted.coef_sd_, repeated.coef_sd_, rtol=1e-6)
    assert weighted.elbo_ == pytest.approx(repeated.elbo_, rel=1e-8)
    assert weighted.log_score(X, y, weights) == pytest.approx(
        np.average(weighted.predict_log_proba(X)[np.arange(40), (y == "yes").astype(int)], weights=weights)
    )


def test_mean_field_understates_the_spread_of_correlated_columns() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 2)) @ np.array([[1.0, 0.95], [0.0, 0.3]])
    y = random.random(200) < expit(X[:, 0])
    settings = {"standardize": False, "fit_intercept": False, "tol": 1e-12} | QUICK
    full = BayesianLogisticRegression(**settings).fit(X, y)
    apart = BayesianLogisticRegression(posterior="mean-field", **settings).fit(X, y)
    chance = expit(X @ full.coef_[0])
    precision = (X * (chance * (1 - chance))[:, None]).T @ X + np.eye(2) / 2.5**2
    np.testing.assert_allclose(full.coef_sd_[0], np.diag(np.linalg.inv(precision)) ** 0.5, rtol=1e-5)
    np.testing.assert_allclose(apart.coef_sd_[0], np.diag(precision) ** -0.5, rtol=1e-5)
    assert np.all(apart.coef_sd_ < 0.5 * full.coef_sd_)
    assert apart.elbo_ < full.elbo_


def test_classes_that_can_be_separated_have_finite_coefficients() -> None:
    x = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    model = BayesianLogisticRegression(**QUICK).fit(x, [0, 0, 1, 1])
    assert 0 < model.coef_[0, 0] < 10
    assert 0.5 < model.predict_proba([[3.0]])[0, 1] < 1 - 1e-4


def test_columns_that_say_nothing_are_named() -> None:
    X, y = two()
    frame = pd.DataFrame({"a": X[:, 0], "flat": 3.0, "b": X[:, 1]})
    with pytest.warns(UserWarning, match="column 'flat' is constant"):
        model = BayesianLogisticRegression(**QUICK).fit(frame, y)
    assert model.coef_[0, 1] == pytest.approx(0.0, abs=1e-12)
    assert model.coef_sd_[0, 1] == pytest.approx(2.5)
    plain = BayesianLogisticRegression(**QUICK).fit(X, y)
    np.testing.assert_allclose(model.coef_[0, [0, 2]], plain.coef_[0], rtol=1e-6)
    twice = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "twice": 2 * X[:, 0]})
    with pytest.warns(UserWarning, match="columns 'a', 'twice' are collinear"):
        both = BayesianLogisticRegression(**QUICK).fit(twice, y)
    # in standardised columns the two share the coefficient evenly
    assert both.coef_[0, 0] == pytest.approx(2 * both.coef_[0, 2], rel=1e-6)


@pytest.mark.parametrize(
    ("settings", "change", "words"),
    [
        ({}, lambda X, y: (X, np.repeat("no", len(y))), "one class only, 'no'"),
        ({}, lambda X, y: (np.where(X[0, 1] == X, np.nan, X), y), "NaN, in column 'x1'.*complete rows"),
        ({}, lambda X, y: (X, np.linspace(0, 1, len(y))), "continuous"),
        ({}, lambda X, y: (X, None), "requires y"),
        ({"method": "jj"}, None, "method must be one of 'auto', 'jaakkola-jordan'"),
        ({"posterior": "flow"}, None, "posterior must be"),
        ({"prior_scale": "wide"}, None, "prior_scale must be a positive number or 'learned', got 'wide'"),
        ({"intercept_scale": -1.0}, None, "intercept_scale"),
        ({"learning_rate": 0.0}, None, "learning_rate must be above 0"),
        ({"batch_size": 0}, None, "batch_size"),
        ({"tol": -1.0}, None, "tol must be"),
        ({"method": "jaakkola-jordan"}, lambda X, y: (X, np.resize(["a", "b", "c"], len(y))), "y has 3: take method="),
    ],
)
def test_what_is_wrong_is_said(settings: dict[str, Any], change: Any, words: str) -> None:
    X, y = two(20)
    X, y = (X, y) if change is None else change(X, y)
    with pytest.raises(ValueError, match=words):
        BayesianLogisticRegression(**settings).fit(X, y)


def test_an_early_end_is_told() -> None:
    X, y = two()
    with pytest.warns(ConvergenceWarning, match="max_iter was reached"):
        model = BayesianLogisticRegression(max_iter=1, tol=1e-12, **QUICK).fit(X, y)
    assert not model.converged_
    assert "max_iter" in model.verdict_.words()[-1]


def test_the_verdict_names_coefficients_and_starts() -> None:
    X, y = three()
    model = BayesianLogisticRegression("laplace", random_state=0).fit(X, y)
    assert set(model.verdict_.raw) == {f"{c}: {name}" for c in "abc" for name in ("x0", "x1", "intercept")}
    assert len(model.verdict_.bounds) == 2
    assert model.verdict_.agreement < 0.1
    assert model.verdict_.reliable
    assert model.graph().factorisation().startswith("p(y,w")
    with pytest.raises(ValueError, match="was not there at fit: 'd'"):
        model.elbo(X, np.repeat("d", len(y)))


def test_evidence_by_quadrature_of_two_coefficients() -> None:
    X, y = two(30)
    X = (X - X.mean(0)) / X.std(0)
    settings = {"standardize": False, "fit_intercept": False, "prior_scale": 2.0, "random_state": 0, "n_init": 1}
    model = BayesianLogisticRegression("laplace", n_draws=4000, **settings).fit(X, y)
    grid = np.linspace(-9.0, 9.0, 401)
    scores = X[:, :1, None] * grid[:, None] + X[:, 1:, None] * grid
    signs = np.where(y == "yes", 1.0, -1.0)[:, None, None]
    log_joint = -np.logaddexp(0.0, -signs * scores).sum(0)
    log_joint += stats.norm.logpdf(grid, scale=2.0)[:, None] + stats.norm.logpdf(grid, scale=2.0)
    top = log_joint.max()
    evidence = top + np.log(integrate.simpson(integrate.simpson(np.exp(log_joint - top), x=grid), x=grid))
    assert abs(model.verdict_.log_evidence - evidence) < 4 * model.verdict_.log_evidence_error
    assert model.lower_bound_ * 30 == pytest.approx(evidence, abs=0.3)  # Laplace's own is near
    assert model.elbo_ < evidence


def test_a_column_that_stirs_late_is_not_called_constant() -> None:
    random = np.random.default_rng(0)
    X = np.column_stack([random.normal(size=20_000), np.zeros(20_000), np.zeros(20_000)])
    X[-5:, 1] = X[-3:, 2] = 1.0
    y = (X[:, 0] + random.normal(size=20_000) > 0).astype(int)
    BayesianLogisticRegression("laplace", n_init=1, n_draws=0).fit(X, y)  # and a warning would be an error
    X[:, 2] = 0.0
    with pytest.warns(UserWarning, match="column 'x2' is constant"):
        BayesianLogisticRegression("laplace", n_init=1, n_draws=0).fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_after_an_interruption_no_other_start_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = []

    def interrupted(*given: Any, restart: int, seed: int) -> Any:
        begun.append(restart)
        risen = by_gradient.rise(*given, restart=restart, seed=seed)
        return risen._replace(trained=risen.trained._replace(status=INTERRUPTED))

    monkeypatch.setattr(logistic_fit, "rise", interrupted)
    X, y = two(40)
    model = BayesianLogisticRegression("reparameterised", n_init=3, n_draws=0, max_steps=5, random_state=0).fit(X, y)
    assert begun == [0]
    assert model.stop_reason_ == "it was interrupted"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_large_table_is_scaled_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = two(40)
    settings = {"n_init": 1, "n_draws": 0, "max_steps": 20, "batch_size": 16, "random_state": 0}
    held = BayesianLogisticRegression("reparameterised", **settings).fit(X, y).coef_
    for module in (by_gradient, rounds):
        monkeypatch.setattr(module, "RESIDENT_BYTES", 0)
    asked = BayesianLogisticRegression("reparameterised", **settings).fit(X, y).coef_
    np.testing.assert_allclose(asked, held, rtol=1e-6)


def test_a_level_of_the_table_is_a_probability() -> None:
    X, y = two(20)
    with pytest.raises(ValueError, match="level must lie between 0 and 1, got 95"):
        BayesianLogisticRegression(**QUICK).fit(X, y).summary(95)
