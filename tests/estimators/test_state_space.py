"""`LinearGaussianStateSpace`: what it finds, its laws, and its faults."""

import functools

import numpy as np
import pytest
from scipy.stats import multivariate_normal

import tacit

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@functools.cache
def series() -> np.ndarray:
    random = np.random.default_rng(0)
    moves, loads = np.array([[0.95, 0.2], [-0.2, 0.9]]), random.normal(size=(3, 2))
    rows, state = [], np.zeros(2)
    for _ in range(240):
        state = moves @ state + 0.5 * random.normal(size=2)
        rows.append(loads @ state + 0.4 * random.normal(size=3) + 5.0)
    return np.array(rows)


@functools.cache
def fitted(**how: object) -> tacit.LinearGaussianStateSpace:
    return tacit.LinearGaussianStateSpace(2, random_state=0, n_init=1, **how).fit(series(), lengths=[100, 140])


def test_it_finds_how_states_move() -> None:
    model, rows = fitted(), series()
    found = np.sort_complex(np.linalg.eigvals(model.transition_))
    np.testing.assert_allclose(found, [0.925 - 0.198j, 0.925 + 0.198j], atol=0.06)
    assert np.diff(model.trace_.bound).min() > -1e-8
    assert model.converged_
    assert model.score(rows, lengths=[100, 140]) == pytest.approx(model.trace_.bound[-1], rel=1e-9)
    states = model.transform(rows, lengths=[100, 140])
    assert states.shape == (240, 2)
    assert model.n_parameters_ == 4 + 3 + 6 + 3 + 3 + 5 - 4


def test_squarem_and_plain_em_end_alike() -> None:
    slow, quick = fitted(accelerate=False, max_iter=3000), fitted(max_iter=3000)
    assert quick.lower_bound_ == pytest.approx(slow.lower_bound_, abs=1e-4)
    assert quick.n_iter_ < slow.n_iter_


def test_units_change_nothing() -> None:
    rows, unit = series(), np.array([100.0, 1e-3, 1.0])
    other = tacit.LinearGaussianStateSpace(2, random_state=0, n_init=1).fit(rows * unit - 7.0, lengths=[100, 140])
    shift = 240 * np.log(unit).sum()
    assert other.score(rows * unit - 7.0, lengths=[100, 140]) + shift == pytest.approx(
        fitted().score(rows, lengths=[100, 140]), rel=1e-8
    )


def test_gaps_are_filled_from_all_that_is_seen() -> None:
    rows, random = series(), np.random.default_rng(1)
    gaps = np.where(random.random(rows.shape) < 0.2, np.nan, rows)
    gaps[50:55] = np.nan
    model = tacit.LinearGaussianStateSpace(2, noise="full", random_state=0, n_init=1, max_iter=8).fit(gaps)
    assert np.diff(model.trace_.bound).min() > -1e-8
    np.testing.assert_allclose(model.score_samples(gaps)[50:55], 0.0, atol=1e-12)
    filled, missing = model.impute(gaps), np.isnan(gaps)
    np.testing.assert_array_equal(filled[~missing], rows[~missing])
    assert np.abs(filled - rows)[missing].mean() < 0.6 * np.abs(rows - rows.mean(0))[missing].mean()
    draws = model.impute(gaps, 40, 0)
    assert np.abs(draws.mean(0) - filled)[missing].mean() < 0.12
    short = gaps[:4].copy()
    short[2, 1], short[2, [0, 2]] = np.nan, rows[2, [0, 2]]
    means, covariance = _joint(model, 4)
    y = short.ravel()
    seen = ~np.isnan(y)
    gain = covariance[:, seen] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
    expected = means + gain @ (y[seen] - means[seen])
    np.testing.assert_allclose(model.impute(short).ravel()[~seen], expected[~seen], rtol=1e-9)


def _joint(model: tacit.LinearGaussianStateSpace, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the first rows, written out."""
    k, means, powers = len(model.transition_), [], []
    spread = np.zeros((steps, steps, k, k))
    spread[0, 0], now = model.initial_covariance_, model.initial_mean_
    for t in range(steps):
        if t:
            now = model.transition_ @ now
            spread[t, t] = model.transition_ @ spread[t - 1, t - 1] @ model.transition_.T + model.state_covariance_
            for s in range(t):
                spread[t, s] = model.transition_ @ spread[t - 1, s]
                spread[s, t] = spread[t, s].T
        means.append(model.loadings_ @ now + model.offset_)
        powers.append(now)
    loads = np.kron(np.eye(steps), model.loadings_)
    states = spread.transpose(0, 2, 1, 3).reshape(steps * k, -1)
    return np.concatenate(means), loads @ states @ loads.T + np.kron(np.eye(steps), model.noise_covariance_)


def test_scores_and_forecasts_are_the_joint_gaussian() -> None:
    model, rows = fitted(), series()[:6]
    means, covariance = _joint(model, 9)
    seen, ahead = slice(0, 18), slice(18, 27)
    density = multivariate_normal(means[seen], covariance[seen, seen])
    assert model.score(rows) == pytest.approx(density.logpdf(rows.ravel()), rel=1e-9)
    gain = covariance[ahead, seen] @ np.linalg.inv(covariance[seen, seen])
    found = model.forecast(3, rows, level=0.9)
    np.testing.assert_allclose(found.mean[0].ravel(), means[ahead] + gain @ (rows.ravel() - means[seen]), rtol=1e-8)
    left = covariance[ahead, ahead] - gain @ covariance[seen, ahead]
    np.testing.assert_allclose(found.sd[0].ravel(), np.sqrt(np.diagonal(left)), rtol=1e-7)
    np.testing.assert_allclose(found.upper - found.lower, 2 * 1.6448536 * found.sd, rtol=1e-6)
    np.testing.assert_allclose(model.forecast(2).mean, model.forecast(2, series(), lengths=[100, 140]).mean, rtol=1e-12)


def test_a_local_level_is_that_of_statsmodels() -> None:
    """The variances are those of ``UnobservedComponents(y, "local level").fit(maxiter=500)`` of statsmodels 0.15."""
    random = np.random.default_rng(0)
    rows = (np.cumsum(0.1 * random.normal(size=300)) + random.normal(size=300) * 0.5)[:, None]
    model = tacit.LinearGaussianStateSpace(preset="local level", tol=1e-9, max_iter=3000).fit(rows)
    assert model.state_covariance_[0, 0] == pytest.approx(LEVEL[0], rel=0.01)
    assert model.noise_covariance_[0, 0] == pytest.approx(LEVEL[1], rel=0.01)
    np.testing.assert_allclose(model.transition_, [[1.0]])
    np.testing.assert_array_equal(model.loadings_, [[1.0]])
    assert model.n_parameters_ == 2
    trend = tacit.LinearGaussianStateSpace(preset="local trend", n_init=1, max_iter=15).fit(
        rows + 0.2 * np.arange(300.0)[:, None]
    )
    ahead = trend.forecast(10).mean[0, :, 0]
    assert np.diff(ahead).mean() == pytest.approx(0.2, abs=0.1)


LEVEL = (0.01379898, 0.25419317)
"""Of the level, and of what is about it."""


def test_inputs_drive_the_columns() -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(300, 1))
    rows = (np.cumsum(0.1 * random.normal(size=300)) + random.normal(size=300) * 0.5)[:, None] + 2.0 * inputs
    model = tacit.LinearGaussianStateSpace(preset="local level").fit(rows, U=inputs)
    assert model.direct_effects_[0, 0] == pytest.approx(2.0, abs=0.1)
    level = model.forecast(2, rows, U=inputs, future_U=[[0.0], [1.0]]).mean[0, :, 0]
    assert level[1] - level[0] == pytest.approx(model.direct_effects_[0, 0], rel=1e-9)
    with pytest.raises(ValueError, match="fitted with 1 inputs"):
        model.score(rows)
    with pytest.raises(ValueError, match="row 3, column 0 is missing"):
        model.score(rows, U=np.where(np.arange(300)[:, None] == 3, np.nan, inputs))


def test_series_in_any_order_and_twice_by_weight() -> None:
    rows, groups = series(), np.repeat([0, 1], [100, 140])
    time = np.concatenate([np.arange(100), np.arange(140)])
    mixed = np.random.default_rng(0).permutation(240)
    model = fitted()
    found = model.score_samples(rows[mixed], groups=groups[mixed], time=time[mixed])
    np.testing.assert_allclose(found, model.score_samples(rows, lengths=[100, 140])[mixed], atol=1e-10)
    how = {"random_state": 0, "n_init": 1, "max_iter": 5, "tol": 0.0}
    weighed = tacit.LinearGaussianStateSpace(1, **how).fit(
        rows, groups=groups, sample_weight=np.where(groups == 0, 2.0, 1.0)
    )
    twice = tacit.LinearGaussianStateSpace(1, **how).fit(np.concatenate([rows, rows[:100]]), lengths=[100, 140, 100])
    assert weighed.lower_bound_ == pytest.approx(twice.lower_bound_, rel=1e-3)


def test_draws_are_those_of_the_model() -> None:
    model = fitted()
    rows = np.stack([model.sample(4, random_state=n).ravel() for n in range(2000)])
    means, covariance = _joint(model, 4)
    np.testing.assert_allclose(rows.mean(0), means, atol=0.15)
    np.testing.assert_allclose(np.cov(rows.T), covariance, atol=0.12 * covariance.max())


@pytest.mark.parametrize("name", ["c", "h"])
def test_faults_are_told(name: str) -> None:
    rows = series()[:20].copy()
    if name == "c":
        rows[:, 1] = np.nan
        with pytest.raises(ValueError, match="'x1' has no value in any row"):
            tacit.LinearGaussianStateSpace(1).fit(rows)
    else:
        with pytest.raises(ValueError, match="has one row only"):
            tacit.LinearGaussianStateSpace(1).fit(rows, groups=np.arange(20))


def test_short_series_and_more_states_than_columns() -> None:
    rows = series()
    model = tacit.LinearGaussianStateSpace(4, random_state=0, n_init=1, max_iter=20).fit(rows[:30], lengths=[1, 2, 27])
    assert np.isfinite(model.score_samples(rows[:30])).all()
    assert np.linalg.eigvalsh(model.state_covariance_).min() > -1e-12
    constant = np.concatenate([rows[:30, :1], np.full((30, 1), 3.0)], axis=1)
    flat = tacit.LinearGaussianStateSpace(1, random_state=0, n_init=1, max_iter=20).fit(constant)
    assert np.isfinite(flat.score_samples(constant)).all()
