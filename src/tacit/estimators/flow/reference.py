"""The mixture beside a flow: what it begins from or is compared with, and the proposal for what it cannot integrate."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.families.normal_scores import NormalMixture

NUMBERS = (1, 2, 3, 5, 8, 12, 18, 27, 40, 60, 90, 130, 190)
"""Of components that are tried, until two in turn are no better."""
BESIDE = 60
"""The most beside a flow, where a mixture is a proposal and more would cost more than they give."""
CHOSEN_ON = 10_000
"""Rows by which the number is chosen, where there are more; the choice is fitted to all."""
ROWS_EACH = 5
"""Rows a parameter's column and component at least."""


def best_mixture(
    learned: np.ndarray,
    weights: np.ndarray,
    held: np.ndarray,
    held_weights: np.ndarray,
    random: np.random.Generator,
    asked: int | None = None,
    most: int = BESIDE,
) -> tuple[GaussianMixture, float]:
    """The Gaussian mixture, of those with more and more components, that scores held-out rows best, and that score.

    Without held-out rows the choice is by BIC, and the score that of all rows. Where a number of components is
    ``asked`` for, it is that.
    """
    best, found, worse = -np.inf, None, 0
    seed, every = int(random.integers(2**31)), len(learned)
    chosen = every > CHOSEN_ON and asked is None
    few = np.sort(random.choice(every, CHOSEN_ON, replace=False)) if chosen else np.arange(every)
    x, mass = learned[few], weights[few]
    for number in [each for each in NUMBERS if each <= most] if asked is None else [asked]:
        if asked is None and number > 1 and number * ROWS_EACH * (x.shape[1] + 1) > len(x):
            break
        tried = _fitted(number, x, mass, seed)
        if len(held):
            level = tried.score(held, sample_weight=held_weights)
        else:
            level = -0.5 * tried.bic(x, sample_weight=mass) / mass.sum()
        if level > best:
            best, found, worse = level, tried, 0
        else:
            worse += 1
            if worse == 2:
                break
    assert found is not None
    if few.size < every:
        found = _fitted(found.n_components, learned, weights, seed)
    measured, mass = (held, held_weights) if len(held) else (learned, weights)
    return found, float(found.score(measured, sample_weight=mass))


def _fitted(number: int, x: np.ndarray, weights: np.ndarray, seed: int) -> GaussianMixture:
    mixture = GaussianMixture(number, random_state=seed, n_init=1, max_iter=300, reg_covar=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mixture.fit(x, sample_weight=weights)


def as_base(mixture: GaussianMixture) -> NormalMixture:
    """The same density, as a flow takes it for a base."""
    return NormalMixture(
        np.log(np.maximum(mixture.weights_, 1e-300)), mixture.means_, np.linalg.cholesky(mixture.covariances_)
    )
