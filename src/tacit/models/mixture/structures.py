"""Fits of several covariance structures side by side: one E-step for all of them (NumPy).

The E-step needs the densities alone, and the structures differ in the M-step. Where nothing is compiled, starts of all
structures stand on one axis, and each of them has the number of its structure.
"""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Int

from tacit import trees
from tacit.families.covariance import STRUCTURES
from tacit.inference.fit import Fit
from tacit.models.components.gaussian import GaussianComponent
from tacit.models.mixture.model import MixtureModel


def _gaussian(part: Any) -> bool:
    return isinstance(part, GaussianComponent)


def _changed(model: MixtureModel, change: Callable[[GaussianComponent], GaussianComponent]) -> MixtureModel:
    """The model with its Gaussian parts changed."""
    groups = trees.map(lambda part: change(part) if _gaussian(part) else part, model.groups, is_leaf=_gaussian)
    return dataclasses.replace(model, groups=groups)


def structure_of(model: MixtureModel) -> str | None:
    """The structure of the Gaussian part, if the model has one that may be fitted beside those of other structures.

    Their M-steps then differ in the covariances alone: nothing is fixed, without prior, missing or on the log scale.
    """
    parts = [part for part in trees.leaves(model.groups, is_leaf=_gaussian) if _gaussian(part)]
    if len(parts) != 1:
        return None
    (part,) = parts
    free = part.prior is None and part.fixed_means is None and part.fixed_covariances is None
    return str(part.structure) if free and part.complete and not part.log and len(part.columns) > 1 else None


def side_by_side(models: MixtureModel, structures: Int[np.ndarray, "*starts"]) -> MixtureModel:
    """Stacked models, or one, each of the structure with this place in ``STRUCTURES``, with whole matrices."""

    def several(part: GaussianComponent) -> GaussianComponent:
        whole = part.full_covariances()
        return dataclasses.replace(part, covariances=whole, structure="VVV", structures=structures)

    return _changed(models, several)


def whole(model: MixtureModel) -> MixtureModel:
    """The model with whole matrices, whatever its structure: what several structures begin with."""
    return _changed(
        model,
        lambda part: dataclasses.replace(part, covariances=part.full_covariances(), structure="VVV"),
    )


def apart(found: Fit) -> Fit:
    """One of several fits that went side by side, as it is by itself."""

    def single(part: GaussianComponent) -> GaussianComponent:
        structure = list(STRUCTURES.values())[int(np.asarray(part.structures))]
        covariances = part.covariances
        if structure.diagonal:
            covariances = covariances.diagonal(axis1=-2, axis2=-1)
        return dataclasses.replace(part, covariances=covariances, structure=structure.name, structures=None)

    change = partial(_changed, change=single)
    return found._replace(model=change(found.model), snapshots=found.snapshots.changed(change))
