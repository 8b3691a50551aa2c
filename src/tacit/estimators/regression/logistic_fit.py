"""Which fit belongs to which method of ``BayesianLogisticRegression``, in one form of result."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from tacit.compute import LOG_2PI
from tacit.estimators.stopping import because
from tacit.inference.black_box import Estimator
from tacit.inference.closed_form import CONVERGED, INTERRUPTED
from tacit.inference.loop import Trace, on_host
from tacit.inference.series import Series, kept
from tacit.models.regression.by_gradient import Ascent, Risen, rise
from tacit.models.regression.coefficients import CoefficientPrior, Coefficients
from tacit.models.regression.expected import expected_log_likelihood
from tacit.models.regression.fitting import (
    FEW_ROWS,
    Closed,
    RegressionSchedule,
    RegressionTable,
    fit_bound,
    fit_laplace,
)
from tacit.models.regression.logistic import LogisticRegression
from tacit.models.regression.surrogates import SURROGATES

GRADIENTS: tuple[Estimator, ...] = (
    "reparameterised",
    "score-function",
    "score-function-control-variate",
    "score-function-leave-one-out",
)
METHODS = (*SURROGATES, "laplace", *GRADIENTS)
DRAWS, SCORE_DRAWS = 8, 64
RATE, SCORE_RATE = 0.05, 0.01


class LogisticPlan(NamedTuple):
    """The estimator's settings, checked."""

    method: Any
    mean_field: bool
    prior: CoefficientPrior
    learn: bool
    contrast: np.ndarray
    columns: int
    max_iter: int
    tol: float
    starts: int
    learning_rate: float | None
    batch_size: int | None
    samples: int | None
    max_steps: int
    label: str

    def model(self) -> LogisticRegression:
        """With the surrogate of the method, or the one by which another method begins."""
        begins = "jaakkola-jordan" if self.contrast.shape[0] == 2 else "bohning"
        surrogate = SURROGATES.get(self.method, SURROGATES[begins])(jnp.asarray(self.contrast))
        shape = (self.contrast.shape[1], self.columns)
        alone = Coefficients.independent(jnp.asarray(np.zeros(shape)), jnp.asarray(np.ones(shape)))
        return LogisticRegression(alone, self.prior, surrogate, self.mean_field, self.learn)

    def schedule(self) -> RegressionSchedule:
        """For the closed-form driver."""
        return RegressionSchedule(self.max_iter, self.tol, self.starts, self.label)


class LogisticFound(NamedTuple):
    """What a fit gave."""

    model: LogisticRegression
    bound: float | None
    """Of all rows, in nats; None where the evidence lower bound itself was raised."""
    trace: Trace
    iterations: int
    converged: bool
    stop: str
    bounds: tuple[float, ...]
    agreement: float | None


Run = tuple[float, LogisticRegression, Risen]
"""The bound of a restart, its model and the course of its fit."""


def fitted(plan: LogisticPlan, table: RegressionTable, random: np.random.Generator) -> LogisticFound:
    """Fit by the plan's method."""
    if plan.method in GRADIENTS:
        return _by_gradient(plan, table, random)
    if plan.method == "laplace":
        return _laplace(fit_laplace(plan.model(), table, plan.schedule(), random))
    closed = fit_bound(plan.model(), table, plan.schedule(), random)
    return _closed(closed, closed.fit.bound)


def _laplace(closed: Closed) -> LogisticFound:
    found = closed.fit.model.coefficients
    # log p(y, v̂) + ½ log|2πΣ|
    spare = 0.5 * (float(found.log_det()) + np.asarray(found.mean).size * LOG_2PI)
    return _closed(closed, closed.fit.bound + spare)


def _closed(closed: Closed, bound: float) -> LogisticFound:
    fit = closed.fit
    status = fit.status
    return LogisticFound(
        fit.model,
        bound,
        fit.trace,
        fit.iteration,
        status == CONVERGED,
        because(status),
        tuple(closed.bounds.tolist()),
        closed.agreement,
    )


def _by_gradient(plan: LogisticPlan, table: RegressionTable, random: np.random.Generator) -> LogisticFound:
    """From Laplace's posterior of some rows; a learned scale of the prior is the one found there."""
    few = table.some(FEW_ROWS, random)
    begin = plan.schedule()._replace(starts=1, label=f"{plan.label}, begin")
    series = Series()
    closed = series.then(lambda: fit_laplace(plan.model(), few, begin, random))
    begun = closed.fit.model
    draws, rate = (SCORE_DRAWS, SCORE_RATE) if plan.method.startswith("score") else (DRAWS, RATE)
    samples, rate = plan.samples or draws, plan.learning_rate or rate
    ascent = Ascent(plan.method, samples, plan.batch_size, rate, plan.max_steps, plan.label)
    seed = int(random.integers(2**31))

    def run(restart: int) -> Run:
        named = ascent._replace(label=f"{plan.label}, start {restart + 1}")
        risen = rise(begun, table, named, restart=restart, seed=seed)
        series.interrupted |= risen.trained.status == INTERRUPTED
        model = eqx.tree_at(lambda m: m.coefficients, begun, risen.coefficients, is_leaf=lambda x: x is None)
        bound = expected_log_likelihood(model, table) - float(model.coefficients.kl(model.prior))
        return bound, on_host(model), risen

    runs = series.then(lambda: series.each(run, range(plan.starts)), kept(list[Run]()))
    if not runs:
        return _laplace(closed)
    runs.sort(key=lambda run: -np.nan_to_num(run[0], nan=-np.inf))
    _, model, risen = runs[0]
    agreement = None
    if len(runs) > 1:
        one, other = (run[1].coefficients for run in runs[:2])
        agreement = float(np.max(np.abs(one.mean - other.mean) / np.sqrt(one.variance)))
    return _told(risen, model, float(table.weights.sum()), tuple(run[0] for run in runs), agreement)


def _told(
    risen: Risen, model: LogisticRegression, weight: float, bounds: tuple[float, ...], agreement: float | None
) -> LogisticFound:
    trained = risen.trained
    course = trained.trace
    trace = Trace(course["step"], course["elbo"] * weight, course["seconds"])
    stop = because(trained.status, limit="max_steps")
    return LogisticFound(model, None, trace, trained.steps, trained.status == CONVERGED, stop, bounds, agreement)
