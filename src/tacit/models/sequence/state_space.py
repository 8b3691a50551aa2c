"""What a linear Gaussian state space says of rows: those that are missing, those to come, and new ones."""

import numpy as np
from jaxtyping import Float

from tacit.models.sequence.kalman import System
from tacit.models.sequence.linear_gaussian import posterior
from tacit.models.sequence.series import SeriesBatch


def expected_outputs(system: System, series: SeriesBatch) -> Float[np.ndarray, "steps batch outputs columns"]:
    """``E[y_t | all that is seen]`` of every entry: of a missing one with what is seen of its row."""
    _, states = posterior(system, series)
    mean = system.loadings @ states.means + system.direct @ series.inputs + system.offset[:, None]
    if not (system.noise - np.diag(np.diagonal(system.noise))).any():
        return mean
    for number, seen in enumerate(series.patterns):
        if seen.all() or not seen.any():
            continue
        o, m = np.flatnonzero(seen), np.flatnonzero(~seen)
        gain = np.linalg.solve(system.noise[np.ix_(o, o)], system.noise[np.ix_(o, m)]).T
        steps, batch = np.nonzero(series.pattern == number)
        left = series.values[steps, batch][:, o] - mean[steps, batch][:, o]
        mean[steps[:, None], batch[:, None], m] += gain @ left
    return mean


def simulated(
    system: System, inputs: Float[np.ndarray, "steps batch inputs columns"], random: np.random.Generator
) -> Float[np.ndarray, "steps batch outputs columns"]:
    """New series."""
    steps, batch, _, columns = inputs.shape
    n, outputs = len(system.transition), len(system.offset)
    driven = system.inputs @ inputs
    driven[0] = system.initial_mean[:, None]
    shocks = system.state_root @ random.normal(size=(steps, batch, n, columns))
    shocks[0] = system.initial_root @ random.normal(size=(batch, n, columns))
    states = np.empty((steps, batch, n, columns))
    now = np.zeros((batch, n, columns))
    for step in range(steps):
        now = states[step] = system.transition @ now + driven[step] + shocks[step]
    noise = np.linalg.cholesky(system.noise) @ random.normal(size=(steps, batch, outputs, columns))
    return system.loadings @ states + system.direct @ inputs + system.offset[:, None] + noise


def disturbed(
    system: System, series: SeriesBatch, random: np.random.Generator
) -> Float[np.ndarray, "steps batch outputs columns"]:
    """What to add to expectations, that they be draws from the joint posterior (Durbin & Koopman 2002).

    New series less what would be expected of them, had the same of them been seen.
    """
    fresh = simulated(system, series.inputs, random)
    seen = np.where(series.seen[..., None], fresh, 0.0)
    return fresh - expected_outputs(system, series._replace(values=seen))


def onward(
    system: System,
    means: Float[np.ndarray, "series n"],
    covariances: Float[np.ndarray, "series n n"],
    inputs: Float[np.ndarray, "steps inputs"],
) -> tuple[Float[np.ndarray, "series steps outputs"], Float[np.ndarray, "series steps outputs"]]:
    """Mean and variance of the rows to come, from the states at the ends."""
    state = system.state_root @ system.state_root.T
    found, spread = [], []
    for given in inputs:
        means = means @ system.transition.T + system.inputs @ given
        covariances = system.transition @ covariances @ system.transition.T + state
        found.append(means @ system.loadings.T + system.direct @ given + system.offset)
        across = system.loadings @ covariances @ system.loadings.T
        spread.append(np.diagonal(across, axis1=-2, axis2=-1) + np.diagonal(system.noise))
    return np.stack(found, axis=1), np.stack(spread, axis=1)
