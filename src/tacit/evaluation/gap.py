"""``inference_gap``: what a deep model's bound loses to its encoder, and what to the shape of q.

``annealed_log_prob``: log p(x) of rows under a deep model, by annealed importance sampling.
"""

import dataclasses

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import logsumexp
from sklearn.base import BaseEstimator

from tacit.estimators.base import Seed, check_whole, seed_of, unmasked
from tacit.estimators.capabilities import MatrixLike, Refines, can
from tacit.evaluation.rows import mean_and_error, number_of_rows, picked

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


CLEAR = 2.0
"""Standard errors from which on a figure is called different from 0."""


@dataclasses.dataclass(frozen=True, eq=False)
class InferenceGap:
    """``log p(x) − ELBO`` in two parts (Cremer, Li & Duvenaud 2018), in nats a row and the user's units.

    Attributes:
        elbo: of every row ``(n,)``, with the encoder's q(z|x).
        best_elbo: with the diagonal Gaussian that was fitted to the row.
        log_prob: estimates of log p(x), from below on average.
        method: how log p(x) was estimated: the higher of two lower bounds.
    """

    elbo: np.ndarray
    best_elbo: np.ndarray
    log_prob: np.ndarray
    method: str

    @property
    def approximation(self) -> tuple[float, float]:
        """``log p(x) − best ELBO``, what no diagonal Gaussian can reach: mean and standard error over rows."""
        return _mean(self.log_prob - self.best_elbo)

    @property
    def amortisation(self) -> tuple[float, float]:
        """``best ELBO − ELBO``, what the encoder loses by answering for all rows: mean and standard error over rows.

        Below 0 where the encoder's q is no diagonal Gaussian and better than any.
        """
        return _mean(self.best_elbo - self.elbo)

    @property
    def total(self) -> tuple[float, float]:
        """``log p(x) − ELBO``: mean and standard error over rows."""
        return _mean(self.log_prob - self.elbo)

    def __str__(self) -> str:
        figures = [_mean(each) for each in (self.elbo, self.best_elbo, self.log_prob)]
        elbo, best, top = (f"{mean:.2f} ± {error:.2f}" for mean, error in figures)
        shares = (f"{mean:.2f} ± {error:.2f}" for mean, error in (self.total, self.approximation, self.amortisation))
        total, shape, encoder = shares
        return (
            f"Of {self.elbo.size} rows, nats a row: ELBO {elbo}, with a Gaussian fitted to each row {best}, "
            f"log p(x) ≥ {top} ({self.method}). The bound lacks {total}: {shape} because q is a diagonal Gaussian, "
            f"{encoder} because the encoder answers for all rows. {self._advice()}"
        )

    def _advice(self) -> str:
        (shape, shape_error), (encoder, encoder_error) = self.approximation, self.amortisation
        if encoder < -CLEAR * encoder_error:
            return "The encoder's q is richer than a diagonal Gaussian, and does better than the best of them."
        if max(shape / max(shape_error, 1e-12), encoder / max(encoder_error, 1e-12)) < CLEAR:
            return "Neither is clearly above 0."
        if encoder > shape:
            return "The encoder is the weaker part: train longer, or make it wider."
        return "The shape of q is the weaker part: posterior='full' or objective='iwae' may gain."


def _mean(values: np.ndarray) -> tuple[float, float]:
    return mean_and_error(values, np.ones(values.size))


def inference_gap(
    estimator: BaseEstimator,
    X: MatrixLike,
    *,
    given: ArrayLike | None = None,
    rows: int = 100,
    chains: int = 16,
    steps: int = 500,
    random_state: Seed = 0,
) -> InferenceGap:
    """Measure what the ELBO of some rows lacks to log p(x), and how much of it is the encoder's fault.

    A diagonal Gaussian is fitted to each row by gradients of its own ELBO, from the encoder's answer on. log p(x) is
    estimated by annealed importance sampling and by importance sampling from that Gaussian; the estimate with the
    higher mean counts, for both lie below log p(x) on average.

    Args:
        estimator: a fitted deep model.
        X: rows, as it takes them.
        given: what the density is conditional on, as at fit.
        rows: how many of them are looked at, chosen at random.
        chains: of the annealing of every row.
        steps: of the annealing.
        random_state: seed.

    Raises:
        ValueError: the estimator is no deep model, or has no density of z.
    """
    if not can(estimator, Refines):
        raise ValueError(f"{type(estimator).__name__} has no encoder: there is no gap between a bound and log p(x)")
    check_whole("rows", rows, 2)
    random = seed_of(random_state)
    count = number_of_rows(X)
    if count > rows:
        chosen = np.sort(random.choice(count, rows, replace=False))
        X = picked(X, chosen)
        given = given if given is None or np.ndim(given) == 0 else np.asarray(unmasked(given, "given"))[chosen]
    bounds = estimator.refined_bounds(X, given=given, random_state=random)
    found = annealed_log_prob(estimator, X, given=given, chains=chains, steps=steps, random_state=random)
    log_prob, method = found.values, "annealed importance sampling"
    if bounds["importance"].mean() > log_prob.mean():
        log_prob, method = bounds["importance"], "importance sampling from those Gaussians"
    return InferenceGap(bounds["elbo"], bounds["best_elbo"], log_prob, method)
