"""Kalman's passes against the joint Gaussian of all rows, written out."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from tacit.models.sequence import kalman
from tacit.models.sequence.affine import affine_runs, affine_scan
from tacit.models.sequence.kalman import System
from tacit.models.sequence.linear_gaussian import LinearGaussian, expected, posterior
from tacit.models.sequence.series import laid_series, rows_of

STATES, OUTPUTS, INPUTS = 2, 3, 1
LENGTHS = np.array([5, 9, 1])


def system() -> System:
    random = np.random.default_rng(0)
    noise = random.normal(size=(OUTPUTS, OUTPUTS))
    return System(
        np.array([[0.9, 0.2], [-0.1, 0.7]]),
        random.normal(size=(STATES, INPUTS)),
        np.tril(random.normal(size=(STATES, STATES))) * 0.5,
        random.normal(size=(OUTPUTS, STATES)),
        random.normal(size=(OUTPUTS, INPUTS)),
        random.normal(size=OUTPUTS),
        noise @ noise.T * 0.2 + np.eye(OUTPUTS) * 0.3,
        random.normal(size=STATES),
        np.tril(random.normal(size=(STATES, STATES))),
    )


def joint(of: System, inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """Means and covariances of all states and all rows, and between them."""
    steps = len(inputs)
    means = np.zeros((steps, STATES))
    spread = np.zeros((steps, steps, STATES, STATES))
    means[0], spread[0, 0] = of.initial_mean, of.initial_root @ of.initial_root.T
    for t in range(1, steps):
        means[t] = of.transition @ means[t - 1] + of.inputs @ inputs[t]
        for s in range(t):
            spread[t, s] = of.transition @ spread[t - 1, s]
            spread[s, t] = spread[t, s].T
        spread[t, t] = of.transition @ spread[t - 1, t - 1] @ of.transition.T + of.state_root @ of.state_root.T
    states = spread.transpose(0, 2, 1, 3).reshape(steps * STATES, -1)
    loads = np.kron(np.eye(steps), of.loadings)
    outputs = (means @ of.loadings.T + inputs @ of.direct.T + of.offset).ravel()
    return means.ravel(), states, outputs, loads @ states @ loads.T + np.kron(np.eye(steps), of.noise), states @ loads.T


@pytest.mark.parametrize("gaps", [False, True])
def test_filter_and_smoother_are_the_joint_gaussian(gaps: bool) -> None:
    of, random = system(), np.random.default_rng(1)
    number = int(LENGTHS.sum())
    inputs, rows = random.normal(size=(number, INPUTS)), random.normal(size=(number, OUTPUTS)) * 2.0
    if gaps:
        rows[random.random(rows.shape) < 0.3] = np.nan
        rows[3] = np.nan
    laid = laid_series(rows, inputs, LENGTHS, np.ones(3))
    found, states = posterior(of, laid)
    log_prob, means = rows_of(laid, found.log_prob), rows_of(laid, states.means)
    for place, (end, steps) in enumerate(zip(np.cumsum(LENGTHS), LENGTHS, strict=True)):
        part = slice(end - steps, end)
        mean, spread, expected_rows, covariance, cross = joint(of, inputs[part])
        y = rows[part].ravel()
        seen = ~np.isnan(y)
        density = multivariate_normal(expected_rows[seen], covariance[np.ix_(seen, seen)])
        assert log_prob[part].sum() == pytest.approx(density.logpdf(y[seen]), rel=1e-12)
        gain = cross[:, seen] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
        after = (spread - gain @ cross[:, seen].T).reshape(steps, STATES, steps, STATES)
        np.testing.assert_allclose(means[part].ravel(), mean + gain @ (y[seen] - expected_rows[seen]), atol=1e-12)
        for t in range(steps):
            own = states.covariances[states.entry[t], place]
            np.testing.assert_allclose(own, after[t, :, t], atol=1e-13)
            if t + 1 < steps:
                np.testing.assert_allclose(states.lagged[states.entry[t], place], after[t + 1, :, t], atol=1e-13)


@pytest.mark.parametrize("reverse", [False, True])
def test_affine_recursions_in_blocks_are_those_step_by_step(reverse: bool) -> None:
    random = np.random.default_rng(0)
    matrices, added = random.normal(size=(150, 2, 3, 3)) * 0.5, random.normal(size=(150, 2, 3, 4))
    first = random.normal(size=(2, 3, 4))
    plain, now = np.empty_like(added), first
    for t in range(149, -1, -1) if reverse else range(150):
        now = plain[t] = matrices[t] @ now + added[t]
    np.testing.assert_allclose(affine_scan(matrices, added, first, reverse=reverse), plain, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
def test_runs_of_one_matrix_are_the_same(reverse: bool) -> None:
    random = np.random.default_rng(1)
    parts, index = random.normal(size=(5, 1, 3, 3)) * 0.4, np.repeat([0, 1, 2, 3, 4], [1, 60, 700, 1, 9])
    added, first = random.normal(size=(len(index), 1, 3, 4)), random.normal(size=(1, 3, 4))
    plain = affine_scan(parts[index], added, first, reverse=reverse)
    np.testing.assert_allclose(affine_runs(parts, index, added, first, reverse=reverse), plain, atol=1e-12)
    np.testing.assert_allclose(kalman.products(parts, index, added), parts[index] @ added, atol=1e-13)


def test_covariances_that_stand_still_are_shared() -> None:
    of, rows = system(), np.random.default_rng(0).normal(size=(4000, OUTPUTS))
    laid = laid_series(rows, np.zeros((4000, INPUTS)), np.array([2000, 2000]), np.ones(2))
    assert len(kalman.gains(of, laid).filtered) < 100
    gaps = rows.copy()
    gaps[1500] = np.nan
    several = laid_series(gaps, np.zeros((4000, INPUTS)), np.array([2000, 2000]), np.ones(2))
    known = kalman.gains(of, several)
    assert len(known.filtered) < 300
    tight = known.filtered @ np.swapaxes(known.filtered, -1, -2)
    assert np.linalg.eigvalsh(tight).min() > 0


@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize("gaps", [False, True])
def test_em_never_lowers_the_likelihood_and_its_step_is_a_gradients(gaps: bool, diagonal: bool) -> None:
    """Fisher's identity: at the M-step's own offsets the likelihood grows along the step, and stands still at rest."""
    of, random = system(), np.random.default_rng(3)
    rows = random.normal(size=(90, OUTPUTS)) + np.cumsum(random.normal(size=(90, 1)) * 0.3, 0)
    if gaps:
        rows[random.random(rows.shape) < 0.3] = np.nan
        rows[7] = np.nan
    laid = laid_series(rows, random.normal(size=(90, INPUTS)), np.array([40, 50]), np.ones(2))
    start = of._replace(noise=np.eye(OUTPUTS))
    model = LinearGaussian(
        *(np.asarray(leaf)[None] for leaf in start),
        noise_floor=np.full((1, OUTPUTS), 1e-8),
        diagonal_noise=diagonal,
    )
    totals = []
    for _ in range(25):
        sums = model.prepare()(laid, np.ones(1), None)
        totals.append(float(sums.bound[0]))
        model = model.m_step(sums.statistics)
    assert np.diff(totals).min() > -1e-9 * abs(totals[0])
    assert totals[-1] == pytest.approx(expected(model.systems()[0], laid)[1], abs=2.0)


def test_one_step_of_em_is_the_gradient_of_the_likelihood() -> None:
    """``∂ log p / ∂c`` by differences equals that of the expected complete density, ``R⁻¹ Σ E[y − Hx − Du − c]``."""
    of, random = system(), np.random.default_rng(4)
    rows = random.normal(size=(30, OUTPUTS))
    rows[random.random(rows.shape) < 0.2] = np.nan
    laid = laid_series(rows, random.normal(size=(30, INPUTS)), np.array([30]), np.ones(1))
    sums, _ = expected(of, laid)
    both = np.concatenate([of.loadings, of.direct, of.offset[:, None]], 1)
    gradient = np.linalg.solve(of.noise, sums.outputs_with[:, -1] - both @ sums.regressors[:, -1])
    for place in range(OUTPUTS):
        step = 1e-5 * np.eye(OUTPUTS)[place]
        up, down = (expected(of._replace(offset=of.offset + s * step), laid)[1] for s in (1, -1))
        assert gradient[place] == pytest.approx((up - down) / 2e-5, rel=1e-6)
