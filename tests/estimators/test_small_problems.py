"""Small problems are computed by NumPy and large ones by compiled programs: the same fits, and the same answers."""

from typing import Any

import jax
import numpy as np
import pytest

import tacit
from tacit.estimators.mixture.base import MixtureBase
from tacit.models.mixture import rows as answers
from tacit.models.regression import fitting, linear

STICKS = "dirichlet_process"
KINDS = ("normal", "student-t", "gamma", "negative-binomial")
FITS: dict[str, MixtureBase] = {
    "full": tacit.GaussianMixture(3, n_init=3),
    "accelerated": tacit.GaussianMixture(3, n_init=2, accelerate=True, tol=1e-8, max_iter=300),
    "one-start": tacit.GaussianMixture(2, covariance_type="VEI"),
    "turned": tacit.GaussianMixture(3, covariance_type="VVE", n_init=2),
    "map": tacit.GaussianMixture(3, objective="map", n_init=2),
    "hard": tacit.GaussianMixture(3, inference="hard-em", n_init=2),
    "narrow": tacit.GaussianMixture(2, reg_covar=0.0, n_init=2),
    "posterior": tacit.BayesianGaussianMixture(n_components=4, n_init=2, max_iter=200),
    "sticks": tacit.BayesianGaussianMixture(
        n_components=4, weight_concentration_prior_type="dirichlet_process", max_iter=200
    ),
    "diagonal-posterior": tacit.BayesianGaussianMixture(n_components=4, covariance_type="diag", n_init=2, max_iter=200),
    "counts": tacit.PoissonMixture(2, n_init=2),
    "mixed": tacit.Mixture(2, families=dict(enumerate(KINDS)), n_init=2, max_iter=50),
}
TRACED = ("lower_bound_", "n_iter_", "weights_", "converged_")


def rows_for(name: str, random: np.random.Generator) -> np.ndarray:
    if name == "narrow":  # the product form loses its digits here, and the whitened one goes on
        return np.concatenate([random.normal(0, 1e-4, (60, 2)), random.normal(1, 1e-4, (60, 2))])
    if name == "counts":
        return random.poisson(np.repeat([[2.0, 9.0], [8.0, 3.0]], 60, axis=0)).astype(float)
    if name == "mixed":
        return np.column_stack([
            random.normal(size=120), random.standard_t(4, 120), random.gamma(2.0, 1.0, 120), random.poisson(4, 120)
        ])  # fmt: skip
    return random.normal(size=(150, 3)) + 3.0 * random.integers(3, size=(150, 1))


def found(model: Any, rows: np.ndarray, gaps: np.ndarray) -> dict[str, Any]:
    model.fit(rows)
    said = {name: getattr(model, name) for name in TRACED}
    said |= {"bound": model.trace_.bound, "iteration": model.trace_.iteration}
    return said | {"scores": model.score_samples(gaps), "shares": model.predict_proba(gaps)}


@pytest.mark.parametrize("name", FITS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_both_ways_find_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(3)
    rows = rows_for(name, random)
    gaps = rows[:40].copy()
    if name != "counts":
        gaps[random.random(gaps.shape) < 0.2] = np.nan
    model = FITS[name].set_params(random_state=0)
    small = found(model, rows, gaps)
    monkeypatch.setattr(answers, "SMALL_WORK", 0)
    large = found(model, rows, gaps)
    for what, value in small.items():
        np.testing.assert_allclose(value, large[what], rtol=1e-8, atol=1e-8, err_msg=what)


def test_rows_with_gaps_too(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    rows = random.normal(size=(120, 3)) + 3.0 * random.integers(2, size=(120, 1))
    rows[random.random(rows.shape) < 0.1] = np.nan
    model = tacit.GaussianMixture(2, n_init=2, random_state=0)
    small = found(model, rows, rows)
    monkeypatch.setattr(answers, "SMALL_WORK", 0)
    for what, value in found(model, rows, rows).items():
        np.testing.assert_allclose(small[what], value, rtol=1e-8, atol=1e-8, err_msg=what)


REGRESSIONS: dict[str, Any] = {
    "exact": tacit.BayesianLinearRegression(prior_scale="learned"),
    "evidence": tacit.BayesianLinearRegression(method="evidence", prior_scale="learned"),
    "no-intercept": tacit.BayesianLinearRegression(prior_scale="learned", fit_intercept=False),
    "laplace": tacit.BayesianLogisticRegression(n_init=1),
    "jaakkola-jordan": tacit.BayesianLogisticRegression(method="jaakkola-jordan", n_init=1, tol=1e-10),
    "bohning": tacit.BayesianLogisticRegression(method="bohning", n_init=1, tol=1e-10),
    "bouchard": tacit.BayesianLogisticRegression(method="bouchard", n_init=1, tol=1e-10),
}


@pytest.mark.parametrize("name", REGRESSIONS)
def test_regressions_of_few_coefficients_are_solved_by_numpy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    rows = random.normal(size=(90, 4)) * [1.0, 2.0, 0.5, 10.0]
    values = rows @ [1.0, -0.5, 0.0, 0.1] + random.normal(size=90)
    edges = [0.0] if name == "jaakkola-jordan" else [-1.0, 1.0]
    linearly = isinstance(REGRESSIONS[name], tacit.BayesianLinearRegression)
    target = values if linearly else np.digitize(values, edges)
    model, programs = REGRESSIONS[name].set_params(random_state=0) if not linearly else REGRESSIONS[name], list[str]()

    def listen(event: str, duration: float, **_: Any) -> None:
        programs.append(event)

    def said() -> dict[str, Any]:
        model.fit(rows, target)
        return {each: getattr(model, each) for each in ("coef_", "coef_sd_", "lower_bound_", "prior_scale_")}

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        small = said()
        assert not [event for event in programs if "backend_compile" in event]
        for module in (fitting, linear):
            monkeypatch.setattr(module, "FEW_COEFFICIENTS", 0)
        large = said()
        assert [event for event in programs if "backend_compile" in event]  # one who compiles is heard
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)
    for what, value in small.items():
        np.testing.assert_allclose(value, large[what], rtol=1e-8, atol=1e-8, err_msg=what)
