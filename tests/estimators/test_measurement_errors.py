"""Rows with errors of their own: extreme deconvolution, against a simulation, scipy and the published algorithm."""

from typing import Any

import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal, norm

from tacit import GaussianMixture

MEANS = np.array([[4.0, -2.0], [0.0, 0.0]])
COVARIANCES = np.array([[[0.5, -0.3], [-0.3, 1.5]], [[1.0, 0.8], [0.8, 1.0]]])
WEIGHTS = np.array([0.6, 0.4])


def _simulated(number: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """True values, what is seen of them, and the covariances of the errors."""
    random = np.random.default_rng(seed)
    labels = (random.random(number) >= WEIGHTS[0]).astype(int)
    true = MEANS[labels] + np.einsum(
        "nij,nj->ni", np.linalg.cholesky(COVARIANCES)[labels], random.normal(size=(number, 2))
    )
    root = random.normal(size=(number, 2, 2)) * random.uniform(0.2, 1.2, (number, 1, 1))
    errors = root @ np.swapaxes(root, 1, 2) + 0.05 * np.eye(2)
    seen = true + np.einsum("nij,nj->ni", np.linalg.cholesky(errors), random.normal(size=(number, 2)))
    return true, seen, errors


def _marginal(model: GaussianMixture, rows: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """``log Σ_k π_k N(x; μ_k, Σ_k + S_n)`` by scipy, row by row, over what is seen."""
    found = []
    for row, error in zip(rows, errors, strict=True):
        seen = ~np.isnan(row)
        both = np.ix_(seen, seen)
        logs = [
            np.log(weight) + multivariate_normal(mean[seen], (covariance + error)[both]).logpdf(row[seen])
            for weight, mean, covariance in zip(model.weights_, model.means_, model.covariances_, strict=True)
        ]
        found.append(logsumexp(logs))
    return np.array(found)


def _published(rows: np.ndarray, errors: np.ndarray, start: tuple[Any, ...], steps: int) -> tuple[np.ndarray, ...]:
    """Bovy, Hogg & Roweis (2011), equations 16: EM of extreme deconvolution, as it is printed."""
    weights, means, covariances = (np.array(part) for part in start)
    for _ in range(steps):
        total = covariances[None] + errors[:, None]
        inverse = np.linalg.inv(total)
        centred = rows[:, None] - means[None]
        logs = np.log(weights) - 0.5 * (
            np.einsum("nki,nkij,nkj->nk", centred, inverse, centred) + np.log(np.linalg.det(2 * np.pi * total))
        )
        q = np.exp(logs - logsumexp(logs, axis=1, keepdims=True))
        b = means + np.einsum("kij,nkjl,nkl->nki", covariances, inverse, centred)
        spread = covariances - np.einsum("kij,nkjl,klm->nkim", covariances, inverse, covariances)
        mass = q.sum(axis=0)
        weights, means = mass / len(rows), np.einsum("nk,nki->ki", q, b) / mass[:, None]
        off = b - means
        covariances = (np.einsum("nk,nki,nkj->kij", q, off, off) + np.einsum("nk,nkij->kij", q, spread)) / mass[
            :, None, None
        ]
    return weights, means, covariances


def test_the_true_values_are_found_again() -> None:
    _, seen, errors = _simulated(4000)
    model = GaussianMixture(2, random_state=0, tol=1e-7, max_iter=500).fit(seen, X_cov=errors)
    assert (np.diff(model.lower_bounds_) > -1e-12).all()
    np.testing.assert_allclose(model.weights_, WEIGHTS, atol=0.03)
    np.testing.assert_allclose(model.means_, MEANS, atol=0.1)
    np.testing.assert_allclose(model.covariances_, COVARIANCES, atol=0.15)
    blind = GaussianMixture(2, random_state=0).fit(seen)
    assert abs(blind.covariances_ - COVARIANCES).max() > 0.8


@pytest.mark.parametrize("gaps", [False, True])
def test_density_and_responsibilities_are_those_of_scipy(gaps: bool) -> None:
    _, seen, errors = _simulated(200)
    if gaps:
        seen[::5, 0] = np.nan
        seen[7] = [np.nan, 1.0]
    model = GaussianMixture(2, random_state=0).fit(seen, X_cov=errors)
    expected = _marginal(model, seen, errors)
    np.testing.assert_allclose(model.score_samples(seen, X_cov=errors), expected, rtol=1e-10)
    assert model.score(seen, X_cov=errors) == pytest.approx(expected.mean(), rel=1e-10)
    shares = model.predict_proba(seen, X_cov=errors)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    np.testing.assert_array_equal(model.predict(seen, X_cov=errors), shares.argmax(axis=1))
    assert model.lower_bound_ == pytest.approx(expected.mean(), abs=1e-3)  # less the floor's share


def test_every_step_is_that_of_the_published_algorithm() -> None:
    _, seen, errors = _simulated(300)
    start = WEIGHTS[::-1], MEANS + 0.5, COVARIANCES * 1.5
    given = {"weights_init": start[0], "means_init": start[1], "precisions_init": np.linalg.inv(start[2])}
    for steps in (1, 3, 10):
        model = GaussianMixture(2, reg_covar=0.0, tol=0.0, max_iter=steps, **given)
        with pytest.warns(UserWarning, match="did not converge"):
            model.fit(seen, X_cov=errors)
        weights, means, covariances = _published(seen, errors, start, steps)
        np.testing.assert_allclose(model.weights_, weights, rtol=1e-9)
        np.testing.assert_allclose(model.means_, means, rtol=1e-8)
        np.testing.assert_allclose(model.covariances_, covariances, rtol=1e-8)


def test_without_errors_it_is_the_mixture_and_an_endless_error_is_a_gap() -> None:
    _, seen, _ = _simulated(400)
    settings: dict[str, Any] = {"random_state": 0, "tol": 1e-9, "max_iter": 300}
    plain, none = (
        GaussianMixture(2, **settings).fit(seen),
        GaussianMixture(2, **settings).fit(seen, X_cov=np.zeros_like(seen)),
    )
    np.testing.assert_allclose(none.covariances_, plain.covariances_, rtol=1e-9)
    holed, endless = seen.copy(), np.zeros_like(seen)
    holed[::4, 1], endless[::4, 1] = np.nan, np.inf
    gapped = GaussianMixture(2, **settings).fit(holed)
    lost = GaussianMixture(2, **settings).fit(seen, X_cov=endless)
    np.testing.assert_allclose(lost.covariances_, gapped.covariances_, rtol=1e-8)
    np.testing.assert_allclose(lost.score_samples(seen, X_cov=endless), gapped.score_samples(holed), rtol=1e-9)
    np.testing.assert_allclose(lost.impute(seen, X_cov=endless), gapped.impute(holed), rtol=1e-7)


def test_true_values_are_shrunk_as_a_normal_with_a_normal_error_says() -> None:
    random = np.random.default_rng(0)
    true = random.normal(5.0, 2.0, size=(3000, 1))
    variances = random.uniform(0.5, 6.0, size=(3000, 1))
    seen = true + np.sqrt(variances) * random.normal(size=(3000, 1))
    model = GaussianMixture(1, tol=1e-10, max_iter=1000).fit(seen, X_cov=variances)
    mean, spread = model.means_[0, 0], model.covariances_[0, 0, 0]
    assert mean == pytest.approx(5.0, abs=0.15)
    assert np.sqrt(spread) == pytest.approx(2.0, abs=0.15)
    np.testing.assert_allclose(
        model.denoise(seen, variances), mean + spread / (spread + variances) * (seen - mean), rtol=1e-9
    )
    assert ((model.denoise(seen, variances) - true) ** 2).mean() < 0.6 * ((seen - true) ** 2).mean()
    np.testing.assert_allclose(
        model.score_samples(seen, X_cov=variances),
        norm(mean, np.sqrt(spread + variances[:, 0])).logpdf(seen[:, 0]),
        rtol=1e-10,
    )


@pytest.mark.parametrize("name", ["diag", "tied", "spherical", "VVE", "EEV", "EVI", "VEI"])
@pytest.mark.parametrize("gaps", [False, True])
def test_the_bound_rises_in_other_structures(name: str, gaps: bool) -> None:
    _, seen, errors = _simulated(250)
    if gaps:
        seen[::6, 0] = np.nan
    model = GaussianMixture(2, covariance_type=name, random_state=0, tol=1e-6, max_iter=200).fit(seen, X_cov=errors)
    assert (np.diff(model.lower_bounds_) > -1e-10).all()
    assert model.converged_
    assert model.lower_bound_ == pytest.approx(model.score(seen, X_cov=errors), abs=1e-3)


def test_a_weight_is_so_many_copies() -> None:
    _, seen, errors = _simulated(150)
    weights = np.tile([1.0, 2.0, 0.0], 50)
    copies = np.repeat(np.arange(150), weights.astype(int))
    start = {"means_init": MEANS, "weights_init": WEIGHTS, "precisions_init": np.linalg.inv(COVARIANCES)}
    weighed = GaussianMixture(2, tol=1e-9, max_iter=500, **start).fit(seen, sample_weight=weights, X_cov=errors)
    copied = GaussianMixture(2, tol=1e-9, max_iter=500, **start).fit(seen[copies], X_cov=errors[copies])
    np.testing.assert_allclose(weighed.means_, copied.means_, rtol=1e-6)
    assert weighed.lower_bound_ == pytest.approx(copied.lower_bound_, rel=1e-9)


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        (np.ones((3, 3)), "shape"),
        (np.full((4, 2), -1.0), "row 0 is no covariance"),
        (np.full((4, 2), np.nan), "row 0 is no covariance"),
        (np.tile([[1.0, 2.0], [2.0, 1.0]], (4, 1, 1)), "row 0 is no covariance"),
        (np.tile([[1.0, 0.5], [0.2, 1.0]], (4, 1, 1)), "symmetric"),
    ],
)
def test_what_is_no_error_is_refused(errors: np.ndarray, said: str) -> None:
    rows = np.random.default_rng(0).normal(size=(4, 2))
    with pytest.raises(ValueError, match=said):
        GaussianMixture(1).fit(rows, X_cov=errors)


def test_what_does_not_go_with_errors_is_refused() -> None:
    _, seen, errors = _simulated(50)
    for other in ({"inference": "hard-em"}, {"noise": True}, {"warm_start": True}):
        with pytest.raises(ValueError, match="X_cov goes with"):
            GaussianMixture(2, **other).fit(seen, X_cov=errors)
