"""Parameters drawn from a mixture's variational posterior, with ``log p(θ) − log q(θ)``; and its moments.

With the likelihood of the rows at each draw these are the importance weights that judge the posterior (Yao et al.
2018). On the host, in NumPy: there are few parameters wherever the weights say anything.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.optimize

from tacit.models.components.base import Component
from tacit.models.mixture.bayesian import MixturePosterior
from tacit.models.mixture.model import MixtureModel


class ParameterDraws(NamedTuple):
    """Draws θ_1 … θ_S."""

    models: MixtureModel
    """Stacked: every array leads with ``[S]``."""
    names: tuple[str, ...]
    values: np.ndarray
    """``[S, P]``, a column a name."""
    log_ratios: np.ndarray
    """``log p(θ_s) − log q(θ_s)``, ``[S]``."""


def parameter_draws(
    posterior: MixturePosterior, number: int, random: np.random.Generator, columns: Sequence[str]
) -> ParameterDraws:
    """Draws from ``q(π) ∏ q(θ_k)``; components are named in the order of the posterior, from 1."""
    weights, ratios = posterior.weights.draw(number, random)
    names = [f"weight {k + 1}" for k in range(weights.shape[1])]
    values, groups = [weights], list[Component]()
    for group in posterior.groups:
        drawn, ratio = group.draw_parameters(number, random)
        entries = group.entries(drawn, [columns[column] for column in group.columns])
        groups.append(drawn)
        ratios = ratios + ratio
        names += [name for name, _ in entries]
        values += [each[:, None] for _, each in entries]
    active = np.ones((number, weights.shape[1]), bool)
    return ParameterDraws(
        MixtureModel(np.log(weights), tuple(groups), active), tuple(names), np.concatenate(values, axis=1), ratios
    )


def agreement(one: MixturePosterior, other: MixturePosterior) -> float:
    """The largest difference of posterior means, in standard deviations of ``one``, after components are matched.

    Components of ``one`` in which less than one row is expected do not count: nothing is known of them.
    """
    used = np.asarray(one.weights.counts) >= 1.0
    pairs = [(a.parameter_moments(), b.parameter_moments()) for a, b in zip(one.groups, other.groups, strict=True)]
    mean, sd = (np.concatenate([first[i] for first, _ in pairs], axis=1) for i in range(2))
    there = np.concatenate([second[0] for _, second in pairs], axis=1)
    apart = np.abs(mean[:, None] - there) / sd[:, None]
    apart = np.nan_to_num(apart, nan=1e6, posinf=1e6).max(-1)[used]
    rows, columns = scipy.optimize.linear_sum_assignment(np.minimum(apart, 1e6))
    return float(apart[rows, columns].max(initial=0.0))
