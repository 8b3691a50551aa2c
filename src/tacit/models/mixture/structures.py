"""Fits of several covariance structures side by side: one E-step for all of them (NumPy).

The E-step needs the densities alone, and the structures differ in the M-step. Where nothing is compiled, starts of all
structures stand on one axis, and each of them has the number of its structure.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Int

from tacit.inference.fit import Fit
from tacit.models.components.gaussian import GaussianComponent
from tacit.models.mixture.model import MixtureModel


def _gaussian(part: Any) -> bool:
    return isinstance(part, GaussianComponent)


def _changed(model: MixtureModel, change: Callable[[GaussianComponent], GaussianComponent]) -> MixtureModel:
    """The model with its Gaussian parts changed."""
    groups = jax.tree.map(lambda part: change(part) if _gaussian(part) else part, model.groups, is_leaf=_gaussian)
    return dataclasses.replace(model, groups=groups)


def structure_of(model: MixtureModel) -> str | None:
    """The structure of the Gaussian part, if the model has one, and one that may go beside others."""
    parts = [part for part in jax.tree.leaves(model.groups, is_leaf=_gaussian) if _gaussian(part)]
    return parts[0].structure if len(parts) == 1 and parts[0].several_fit else None


def side_by_side(models: MixtureModel, structures: Int[np.ndarray, "*starts"]) -> MixtureModel:
    """Stacked models, each of the structure with this place in ``STRUCTURES``; or one model."""
    return _changed(models, lambda part: part.of_structures(np.asarray(structures)))


def whole(model: MixtureModel) -> MixtureModel:
    """The model with whole matrices, whatever its structure: what several structures begin with."""
    return _changed(model, lambda part: part.of_structures(np.asarray(0)).plain())


def apart(found: Fit) -> Fit:
    """One of several fits that went side by side, as it is by itself."""

    def single(model: MixtureModel) -> MixtureModel:
        return _changed(model, GaussianComponent.of_its_structure)

    return found._replace(
        model=single(found.model), snapshots={line: single(model) for line, model in found.snapshots.items()}
    )
