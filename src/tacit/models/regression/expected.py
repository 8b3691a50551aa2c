"""Expectations over the posterior of the coefficients: predictive probabilities, the evidence lower bound itself.

Of a row only its scores ``u = (φᵀv_1, …)`` matter, and these are Gaussian under q. One or two of them are integrated
by the trapezoid rule, which sees the bend of the logistic also where the scores are wide; more of them by Sobol points
under the normal quantile function. Nothing is random.

Draws of a fitted posterior, and how much likelier the model finds them than q does.
"""

import functools
import itertools
from functools import partial
from typing import NamedTuple

import equinox as eqx
import numpy as np
import scipy.stats
from jaxtyping import Float, PRNGKeyArray
from scipy.special import ndtri

from tacit.arrays import cholesky_factor, softmax, special, xp
from tacit.compute import Array, compiled, eagerly
from tacit.inference.closed_form import Sums
from tacit.models.regression.coefficients import Coefficients, design
from tacit.models.regression.fitting import RegressionTable, total
from tacit.models.regression.logistic import LogisticRegression
from tacit.models.regression.surrogates import log_prob

TRAPEZOID = {1: (257, 8.0), 2: (33, 6.0)}
"""Points a score, and how far from the mean the last ones are, in standard deviations."""
POINTS = 256
SMALL_WORK = 1_000_000
"""Rows times numbers of points up to which NumPy is done before a program would be compiled."""


@functools.cache
def nodes(units: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of a standard normal of so many dimensions, and their weights."""
    if units in TRAPEZOID:
        number, reach = TRAPEZOID[units]
        place = np.linspace(-reach, reach, number)
        weight = np.exp(-0.5 * place**2)
        grid = np.array(list(itertools.product(place, repeat=units)))
        shares = np.array([np.prod(pair) for pair in itertools.product(weight, repeat=units)])
        return grid, shares / shares.sum()
    points = ndtri(scipy.stats.qmc.Sobol(units, scramble=True, rng=np.random.default_rng(0)).random(POINTS))
    return np.concatenate([points, -points]), np.full(2 * POINTS, 0.5 / POINTS)


def score_points(
    coefficients: Coefficients, rows: Float[Array, "rows columns"], points: Float[Array, "points units"]
) -> Float[Array, "rows points units"]:
    """The scores of rows of a design at these points of a standard normal."""
    mean, covariance = coefficients.scores(rows)
    units = mean.shape[1]
    root: Array
    if units == 1:
        root = xp.sqrt(xp.maximum(covariance, 0.0))
    else:
        trace = xp.trace(covariance, axis1=1, axis2=2)[:, None, None]
        root = cholesky_factor(covariance + (1e-12 * trace + 1e-300) * np.eye(units))
    return mean[:, None] + xp.einsum("nuv,sv->nsu", root, points)


class ExpectedStep(eqx.Module):
    """``Σ_n w_n E_q[log p(y_n|v)]``, in nats."""

    coefficients: Coefficients
    contrast: Float[Array, "classes units"]
    points: Float[Array, "points units"]
    shares: Float[Array, " points"]
    intercept: bool = eqx.field(static=True)

    def __call__(
        self, rows: Float[Array, "rows dims"], weights: Float[Array, " rows"], key: PRNGKeyArray | None
    ) -> Sums:
        scores = score_points(self.coefficients, design(rows[:, :-1], self.intercept), self.points)
        labels = xp.broadcast_to(rows[:, -1:], scores.shape[:2])
        return Sums((), weights @ (log_prob(self.contrast, scores, labels) @ self.shares))


class LikelihoodStep(eqx.Module):
    """``log p(y|v_s)`` of all rows for some draws of the coefficients, in nats."""

    draws: Float[Array, "draws units columns"]
    contrast: Float[Array, "classes units"]
    intercept: bool = eqx.field(static=True)

    def __call__(
        self, rows: Float[Array, "rows dims"], weights: Float[Array, " rows"], key: PRNGKeyArray | None
    ) -> Sums:
        known = design(rows[:, :-1], self.intercept)
        scores = xp.einsum("ni,sui->snu", known, self.draws)
        labels = xp.broadcast_to(rows[:, -1], scores.shape[:2])
        return Sums(log_prob(self.contrast, scores, labels) @ weights, np.zeros(()))


def predictive(
    coefficients: Coefficients,
    contrast: Float[Array, "classes units"],
    rows: Float[Array, "rows columns"],
    points: Float[Array, "points units"],
    shares: Float[Array, " points"],
) -> Float[Array, "rows classes"]:
    """``E_q p(y|x, v)`` of rows of a design: the probability of every class, averaged over the posterior."""
    with eagerly(rows.shape[0] * points.size <= SMALL_WORK):
        return _predictive(coefficients, contrast, rows, points, shares)


@partial(compiled, hurry=True)
def _predictive(
    coefficients: Coefficients,
    contrast: Float[Array, "classes units"],
    rows: Float[Array, "rows columns"],
    points: Float[Array, "points units"],
    shares: Float[Array, " points"],
) -> Float[Array, "rows classes"]:
    scores = score_points(coefficients, rows, points)
    if contrast.shape[0] == 2:
        second = special.expit(scores[..., 0]) @ shares
        first = special.expit(-scores[..., 0]) @ shares
        return xp.stack([first, second], axis=1)
    return xp.einsum("nsk,s->nk", softmax(scores @ contrast.T), shares)


CELLS = 200_000_000
"""Draws times rows times classes at most."""
LEAST_DRAWS = 100
TOGETHER = 250
"""Draws that one pass over the rows looks at."""


class Drawn(NamedTuple):
    """Draws of the coefficients and their log-ratios ``log p(y, v|x) − log q(v)``, in nats."""

    draws: Float[np.ndarray, "draws units columns"]
    log_ratios: Float[np.ndarray, " draws"]


def draws_of(coefficients: Coefficients, number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws from q and the standard normal noise that made them."""
    noise = np.random.default_rng(seed).standard_normal((number, np.asarray(coefficients.mean).size))
    return np.asarray(coefficients.draw(noise)), noise


def drawn(model: LogisticRegression, table: RegressionTable, number: int) -> Drawn:
    """Draws from q, at most ``number`` and fewer where the rows are many."""
    contrast = np.asarray(model.surrogate.contrast)
    affordable = CELLS // (table.rows.shape[0] * contrast.shape[0])
    draws, noise = draws_of(model.coefficients, max(min(number, affordable), min(number, LEAST_DRAWS)), 0)
    source, parts = table.source(), []
    for start in range(0, len(draws), TOGETHER):
        step = LikelihoodStep(draws[start : start + TOGETHER], contrast, model.prior.intercept)
        parts.append(np.asarray(total(step, source, table.view).statistics))
    joint = np.concatenate(parts) + np.asarray(model.prior.log_prob(draws))
    return Drawn(draws, joint - np.asarray(model.coefficients.log_prob_of(noise)))


def expected_log_likelihood(model: LogisticRegression, table: RegressionTable) -> float:
    """``Σ_n w_n E_q[log p(y_n|x_n, v)]`` in nats, by quadrature."""
    contrast = np.asarray(model.surrogate.contrast)
    step = ExpectedStep(model.coefficients, contrast, *nodes(contrast.shape[1]), model.prior.intercept)
    return float(total(step, table.source(), table.view).bound)
