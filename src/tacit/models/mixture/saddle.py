"""Fits to tables with gaps that have stopped on a saddle of the likelihood, moved off it.

Where two columns are seldom seen together, correlation 0 may be stationary and yet a minimum along that correlation:
the likelihood is then the same for ρ and −ρ, and EM, begun at 0, stays there (Murray 1977, in the discussion of
Dempster, Laird & Rubin: twelve pairs, maxima at ρ = ±½). Nothing in the bound tells, so a step is tried.
"""

import dataclasses

import numpy as np

from tacit.families.covariance import STRUCTURES, maximise_covariances
from tacit.models.components.gaussian import GaussianComponent
from tacit.models.mixture.model import MixtureModel

FLAT = 1e-3
"""A correlation that small may be one that nothing has moved."""
TILT = 0.3
"""The correlation that is tried instead, or minus it."""


def moved_off(model: MixtureModel, random: np.random.Generator) -> MixtureModel | None:
    """The model with correlations in place of those that may rest on a saddle; None where none does."""
    groups = [_tilted(group, np.exp(np.asarray(model.log_weights)), random) for group in model.groups]
    if all(group is None for group in groups):
        return None
    kept = tuple(old if new is None else new for new, old in zip(groups, model.groups, strict=True))
    return dataclasses.replace(model, groups=kept)


def _tilted(group: object, weights: np.ndarray, random: np.random.Generator) -> GaussianComponent | None:
    """``(1 − a) Σ + a s sᵀ``, s the standard deviations with signs: variances stay, correlations move by a."""
    if not isinstance(group, GaussianComponent) or group.diagonal or group.fixed_covariances is not None:
        return None
    covariances = np.asarray(group.covariances)
    spread = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
    correlations = covariances / (spread[:, :, None] * spread[:, None, :])
    above = np.triu(np.ones(covariances.shape[-2:], bool), 1)
    flat = ((abs(correlations) < FLAT) & above).any((-2, -1)) & (weights > 0)
    if not flat.any():
        return None
    signed = spread * random.choice([-1.0, 1.0], size=spread.shape[-1])
    tilted = (1.0 - TILT) * covariances + TILT * signed[:, :, None] * signed[:, None, :]
    if STRUCTURES[group.structure].orientation == "V":
        tilted = np.where(flat[:, None, None], tilted, covariances)
    tilted = maximise_covariances(group.structure, weights[:, None, None] * tilted, weights, tilted)
    return dataclasses.replace(group, covariances=np.asarray(tilted))
