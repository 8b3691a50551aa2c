"""Hidden Markov models and state spaces: an iteration of EM beside hmmlearn, dynamax and statsmodels' smoother."""

import importlib.util
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.frame import Row, in_turn, spaced, timed
from tacit import HiddenMarkovModel, LinearGaussianStateSpace

TITLE = "Sequences: an iteration of EM"
NOTE = (
    "Seconds of the processor, one thread. An iteration is a tenth of the difference between fits of 12 and of 2 "
    "iterations, from one start. The rows of the hidden Markov model are drawn from one of 8 states with full "
    "covariances; those of the state space from 4 hidden numbers and 3 columns. hmmlearn takes logarithms by default. "
    "statsmodels has no EM for this model: its smoother is timed, "
    "which is the E-step. dynamax's programs are compiled before."
)
FEW, MORE = 2, 12


def run(quick: bool) -> Iterator[Row]:
    """An iteration of either model."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from _markov(5_000 if quick else 100_000, 5, 8, 1 if quick else 3)
        yield from _kalman(2 if quick else 10, 500 if quick else 10_000, 1 if quick else 3)


def _there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _processor(work: Callable[[], Any]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _iteration(fit: Callable[[int], Any]) -> float:
    """Seconds of one iteration of a fit that takes so many."""
    few, more = (_processor(lambda number=number: fit(number)) for number in (FEW, MORE))
    return (more - few) / (MORE - FEW)


def _regimes(rows: int, columns: int, states: int) -> np.ndarray:
    random = np.random.default_rng(0)
    moves = 0.9 * np.eye(states) + 0.1 / states
    path = np.empty(rows, int)
    path[0] = 0
    steps = random.random(rows)
    edges = np.cumsum(moves, axis=1)
    for at in range(1, rows):
        path[at] = int((edges[path[at - 1]] < steps[at]).sum())
    centres, factors = random.normal(size=(states, columns)) * 2.0, random.normal(size=(states, columns, columns)) * 0.5
    noise = random.normal(size=(rows, columns))
    return centres[path] + np.einsum("nij,nj->ni", factors[path], noise) + 0.3 * random.normal(size=(rows, columns))


def _markov(rows: int, columns: int, states: int, rounds: int) -> Iterator[Row]:
    X = _regimes(rows, columns, states)
    what = f"HiddenMarkovModel({states}), full, {spaced(rows)} × {columns}"

    def ours(number: int) -> Any:
        return HiddenMarkovModel(
            states,
            covariance_type="full",
            objective="mle",
            n_init=1,
            max_iter=number,
            tol=0.0,
            init_params="random_from_data",
            random_state=0,
        ).fit(X)

    if not _there("hmmlearn"):
        return
    from hmmlearn.hmm import GaussianHMM  # noqa: PLC0415 - a peer that need not be there

    for implementation, asked in (("log", 2.9), ("scaling", None)):

        def theirs(number: int, implementation: str = implementation) -> Any:
            return GaussianHMM(
                states, "full", n_iter=number, tol=-np.inf, random_state=0, implementation=implementation
            ).fit(X)

        turns = in_turn(lambda: _iteration(ours), lambda theirs=theirs: _iteration(theirs), rounds, 90.0)
        yield timed(what, "s", turns, f"hmmlearn, {implementation}", asked)


def _kalman(number: int, steps: int, rounds: int) -> Iterator[Row]:
    random = np.random.default_rng(0)
    moves = np.diag([0.95, 0.9, 0.7, 0.5])
    loads = random.normal(size=(3, 4))
    states = np.zeros((number, steps, 4))
    for at in range(1, steps):
        states[:, at] = states[:, at - 1] @ moves.T + random.normal(size=(number, 4))
    X = states @ loads.T + random.normal(size=(number, steps, 3))
    what = f"LinearGaussianStateSpace(4), {number} series of {spaced(steps)} × 3"

    def ours(most: int) -> Any:
        return LinearGaussianStateSpace(4, n_init=1, max_iter=most, tol=0.0, accelerate=False, random_state=0).fit(
            X.reshape(-1, 3), lengths=[steps] * number
        )

    if _there("dynamax"):
        step = _dynamax(X)
        turns = in_turn(lambda: _iteration(ours), lambda: _processor(step), rounds, 90.0)
        yield timed(what, "s", turns, "dynamax", 3.0)
    if _there("statsmodels"):
        smooth = _statsmodels(X, moves, loads)
        turns = in_turn(lambda: _iteration(ours), lambda: _processor(smooth), rounds, 90.0)
        yield timed(what, "s", turns, "statsmodels, the smoother alone", 3.0)


def _dynamax(X: np.ndarray) -> Callable[[], Any]:
    """One iteration of EM, compiled."""
    import jax  # noqa: PLC0415
    import jax.numpy as jnp  # noqa: PLC0415
    from dynamax.linear_gaussian_ssm import LinearGaussianSSM  # noqa: PLC0415

    with jax.enable_x64(True):
        model = LinearGaussianSSM(4, 3)
        begun, known = model.initialize(jax.random.PRNGKey(0))
        Y = jnp.asarray(X)

        @jax.jit
        def iteration(parameters: Any, batch: Any) -> Any:
            sums, totals = jax.vmap(lambda each: model.e_step(parameters, each))(batch)
            return model.m_step(parameters, known, sums, None)[0], totals.sum()

        jax.block_until_ready(iteration(begun, Y))

    def step() -> Any:
        with jax.enable_x64(True):
            return jax.block_until_ready(iteration(begun, Y))

    return step


def _statsmodels(X: np.ndarray, moves: np.ndarray, loads: np.ndarray) -> Callable[[], Any]:
    """Kalman's smoother of every series."""
    from statsmodels.tsa.statespace.kalman_smoother import KalmanSmoother  # noqa: PLC0415

    def made(series: np.ndarray) -> Any:
        smoother = KalmanSmoother(3, 4)
        smoother.bind(np.ascontiguousarray(series))
        smoother["design"], smoother["transition"] = loads, moves
        smoother["obs_cov"], smoother["state_cov"], smoother["selection"] = np.eye(3), np.eye(4), np.eye(4)
        smoother.initialize_known(np.zeros(4), np.eye(4))
        return smoother

    smoothers = [made(series) for series in X]
    return lambda: [each.smooth() for each in smoothers]
