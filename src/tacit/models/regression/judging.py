"""Draws of a fitted posterior, and how much likelier the model finds them than q does."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.models.regression.coefficients import Coefficients
from tacit.models.regression.expected import ExpectedStep, LikelihoodStep, nodes
from tacit.models.regression.fitting import RegressionTable, total
from tacit.models.regression.logistic import LogisticRegression

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
