"""The mixture beside a flow: what it begins from or is compared with, and the proposal for what it cannot integrate."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.families.normal_scores import NormalMixture

NUMBERS = (1, 2, 3, 5, 8, 12, 18, 27, 40, 60)
"""Of components that are tried, until two in turn are no better."""
ROWS_EACH = 5
"""Rows a parameter's column and component at least."""


def best_mixture(
    learned: np.ndarray, weights: np.ndarray, held: np.ndarray, held_weights: np.ndarray, random: np.random.Generator
) -> tuple[GaussianMixture, float]:
    """The Gaussian mixture, of those with more and more components, that scores held-out rows best, and that score.

    Without held-out rows it is by BIC.
    """
    best, found, worse = -np.inf, None, 0
    seed = int(random.integers(2**31))
    for number in NUMBERS:
        if number > 1 and number * ROWS_EACH * (learned.shape[1] + 1) > learned.shape[0]:
            break
        tried = GaussianMixture(number, random_state=seed, n_init=1, max_iter=300, reg_covar=1e-5)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            tried.fit(learned, sample_weight=weights)
        level = tried.score(held, sample_weight=held_weights) if len(held) else -tried.bic(learned) / 2 / len(learned)
        if level > best:
            best, found, worse = level, tried, 0
        else:
            worse += 1
            if worse == 2:
                break
    assert found is not None
    return found, float(best)


def as_base(mixture: GaussianMixture) -> NormalMixture:
    """The same density, as a flow takes it for a base."""
    return NormalMixture(
        np.log(np.maximum(mixture.weights_, 1e-300)), mixture.means_, np.linalg.cholesky(mixture.covariances_)
    )
