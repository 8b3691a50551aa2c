"""``annealed_log_prob``: log p(x) of rows under a deep model, by annealed importance sampling."""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn.base import BaseEstimator

from tacit.estimators.base import Seed
from tacit.estimators.capabilities import MatrixLike, Refines, can

FEW = 0.5
"""A standard error from which on few of the chains carry the estimate."""


@dataclasses.dataclass(frozen=True)
class AnnealedLogProb:
    """Estimates of log p(x), which lie below it on average: stochastic lower bounds.

    Attributes:
        values: of every row ``(n,)``, in nats and the user's units.
        error: standard error of each, from how its chains differ. Near 1 a single chain carries the row: the value is
            then too low by more than the error says; take more ``steps``.
        acceptance: the share of the Hamiltonian moves of each row that was accepted; they are tuned to 0.65.
        chains: of every row.
        steps: bridges between the start and the joint density.
    """

    values: np.ndarray
    error: np.ndarray
    acceptance: np.ndarray
    chains: int
    steps: int

    @property
    def mean(self) -> float:
        """Nats a row."""
        return float(self.values.mean())

    @property
    def mean_error(self) -> float:
        """Standard error of ``mean`` as an estimate for these rows, from the chains."""
        return float(np.sqrt((self.error**2).sum()) / self.error.size)

    def __str__(self) -> str:
        poor = int((self.error > FEW).sum())
        more = f" Of {poor} rows few chains carry the estimate: take more steps." if poor else ""
        return (
            f"log p(x) ≥ {self.mean:.3f} ± {self.mean_error:.3f} nats a row ({self.values.size} rows, {self.chains} "
            f"chains of {self.steps} steps, {100 * self.acceptance.mean():.0f} % of the moves accepted).{more}"
        )


def annealed_log_prob(
    estimator: BaseEstimator,
    X: MatrixLike,
    *,
    given: ArrayLike | None = None,
    chains: int = 16,
    steps: int = 500,
    start: str = "refined",
    random_state: Seed = 0,
) -> AnnealedLogProb:
    """Estimate log p(x) of rows by annealed importance sampling with Hamiltonian moves (Neal 2001; Wu et al. 2017).

    The logarithm of the mean of the chains' weights, each an unbiased estimate of p(x). Unlike `score_samples` it does
    not depend on how good the encoder is; it takes some thousand times the work of an ELBO.

    Args:
        estimator: a fitted deep model.
        X: rows, as it takes them; missing entries are left out of p(x).
        given: what the density is conditional on, as at fit.
        chains: of every row.
        steps: bridges; more bring the bound closer to log p(x).
        start: where the chains begin: at a diagonal Gaussian fitted to the row ("refined", the most accurate), at the
            encoder's "posterior", or at the "prior" (as in the literature).
        random_state: seed; a row's chains depend on it and on the row's place, not on the other rows.

    Raises:
        ValueError: the estimator is no deep model, or has no density of z.
    """
    if not can(estimator, Refines):
        raise ValueError(f"{type(estimator).__name__} has no chains to anneal: that takes a code of real numbers alone")
    log_weights, acceptance = estimator.annealed_weights(
        X, given=given, chains=chains, steps=steps, start=start, random_state=random_state
    )
    values, error = summed(log_weights)
    return AnnealedLogProb(values, error, acceptance, log_weights.shape[1], steps)


def summed(log_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``log 1/K Σ w`` of every row and its standard error: that of the mean weight, over the mean weight."""
    chains = log_weights.shape[1]
    shares = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    error = shares.std(axis=1, ddof=1) / shares.mean(axis=1) / np.sqrt(chains)
    return logsumexp(log_weights, axis=1) - np.log(chains), error
