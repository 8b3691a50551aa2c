"""How far a mixture's variational posterior can be trusted: importance weights, and whether it is found again."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tacit import trees
from tacit.compute import component_bucket
from tacit.data.blocks import AsTheyAre
from tacit.data.sources import BlockSource
from tacit.engine import is_array
from tacit.estimators.verdict import MOST_PARAMETERS, Verdict, judged
from tacit.models.mixture.bayesian import MixturePosterior
from tacit.models.mixture.fitting import log_likelihoods
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.posterior_draws import ParameterDraws, agreement, parameter_draws

DRAWS, LEAST_DRAWS = 1000, 100
AT_ONCE = 50
ALIKE = 0.1
"""Nats by which log ratios differ where q is the posterior as far as anyone can tell."""
WORK = 1e9
"""Rows × components × features × draws beyond which fewer are drawn, and none below ``LEAST_DRAWS``."""


def verdict(
    posterior: MixturePosterior,
    rivals: Sequence[MixturePosterior],
    bounds: Sequence[float],
    data: BlockSource,
    rows: int,
    columns: Sequence[str],
    stop: str,
    random: np.random.Generator,
    *,
    complete: bool,
) -> Verdict:
    """The verdict on a fit.

    Args:
        posterior: in the user's units, components in canonical order.
        rivals: the posteriors that other starts found, best first.
        bounds: of all starts, in nats.
        data: the rows, whose blocks are in the user's units.
        rows: how many there are.
        columns: their names.
        stop: why the fit ended.
        random: the source of all that is random.
        complete: whether no entry is missing.
    """
    apart = agreement(posterior, rivals[0]) if rivals else None
    number, why_not = _number_of_draws(posterior, rows)
    if why_not:
        return judged(why_not=why_not, bounds=bounds, agreement=apart, stop=stop)
    drawn = parameter_draws(posterior, number, random, columns)
    ratios = _log_likelihoods(drawn, data, complete=complete) + drawn.log_ratios
    if np.ptp(ratios) < ALIKE:  # of weights that are all alike the tail is rounding
        ratios = np.full_like(ratios, np.log(np.mean(np.exp(ratios - ratios[0]))) + ratios[0])
    sound = np.isfinite(ratios).all()
    return judged(
        names=drawn.names,
        draws=drawn.values,
        log_ratios=ratios if sound else None,
        why_not="" if sound else "some draws have no likelihood",
        bounds=bounds,
        agreement=apart,
        stop=stop,
    )


def _number_of_draws(posterior: MixturePosterior, rows: int) -> tuple[int, str]:
    number_of_parameters = posterior.n_parameters()
    if number_of_parameters >= MOST_PARAMETERS:
        return 0, f"{number_of_parameters:,} parameters: it says nothing beyond about {MOST_PARAMETERS}"
    width = sum(group.n_features for group in posterior.groups)
    number = int(WORK / (rows * int(posterior.active.size) * width))
    if number < LEAST_DRAWS:
        return 0, f"{rows:,} rows: the likelihood of enough draws of the parameters would take too long"
    return min(number, DRAWS) // AT_ONCE * AT_ONCE, ""


def _log_likelihoods(drawn: ParameterDraws, data: BlockSource, *, complete: bool) -> np.ndarray:
    """``log p(X|θ_s)`` of all rows, some draws at a time."""
    models = _padded(drawn.models).with_rows(complete=complete, tile=data.tile)
    parts = []
    for first in range(0, len(drawn.values), AT_ONCE):
        part = trees.map(lambda leaf, f=first: leaf[f : f + AT_ONCE] if is_array(leaf) else leaf, models)
        parts.append(log_likelihoods(part, data, AsTheyAre())[0])
    return np.concatenate(parts)


def _padded(models: MixtureModel) -> MixtureModel:
    """As many components as programs are compiled for, those added without weight."""
    components = models.active.shape[1]
    lack = component_bucket(components) - components

    def widened(leaf: Any) -> Any:
        return np.concatenate([np.asarray(leaf), np.repeat(np.asarray(leaf)[:, :1], lack, axis=1)], axis=1)

    empty = np.full((models.active.shape[0], lack), -np.inf)
    groups = tuple(trees.put(lambda m: m.parameters, g, trees.map(widened, g.parameters)) for g in models.groups)
    return MixtureModel(np.concatenate([models.log_weights, empty], axis=1), groups, widened(models.active))
