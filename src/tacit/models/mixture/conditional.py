"""Parts of a mixture: fewer columns, one column, and the support of its columns."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from tacit.compute import compiled, row_bucket
from tacit.families.log_normal import LogNormal
from tacit.families.normal import Normal
from tacit.families.student_t import StudentT
from tacit.models.mixture.gaussian import GaussianGroup
from tacit.models.mixture.group import FamilyGroup
from tacit.models.mixture.model import Group, Mixture
from tacit.models.mixture.predictive import Density
from tacit.models.mixture.rows import SLICE_ROWS
from tacit.models.mixture.steps import take


def marginal(model: Mixture, columns: tuple[int, ...]) -> Mixture:
    """The mixture of some columns, in the order asked for; the others are integrated out.

    Raises:
        ValueError: some but not all columns of one vector event (a multinomial row).
    """
    kept = tuple(g for g in (_marginal_group(group, columns) for group in model.groups) if g is not None)
    return Mixture(model.log_weights, kept, model.active)


def _marginal_group(group: Group, columns: tuple[int, ...]) -> Group | None:
    positions = np.array([i for i, column in enumerate(group.columns) if column in columns], dtype=int)
    if not positions.size:
        return None
    places = tuple(columns.index(group.columns[i]) for i in positions)
    if isinstance(group, GaussianGroup):
        return _marginal_gaussian(group, positions, places)
    if group.family.event_dims:
        if len(positions) < len(group.columns):
            raise ValueError(
                f"columns {list(group.columns)} are one {group.family.name} row and have no density apart: "
                "take all of them or none"
            )
        return FamilyGroup(group.family, None, None, places, group.free)
    family = jax.tree.map(lambda leaf: leaf[:, positions], group.family)
    return FamilyGroup(family, None, None, places, group.free * len(positions) // len(group.columns))


def _marginal_gaussian(group, positions, places):
    covariances = group.covariances[:, positions]
    structure = group.structure
    if not group.diagonal:
        covariances = covariances[:, :, positions]
    if len(positions) < len(group.columns):
        # a volume or an orientation shared before is not shared by the parts left over
        structure = "VVI" if group.diagonal else "VVV"
    return dataclasses.replace(
        group,
        means=group.means[:, positions],
        covariances=covariances,
        blur=group.blur[positions],
        fixed_means=None,
        fixed_covariances=None,
        prior=None,
        columns=places,
        structure=structure,
    )


def owner(model: Mixture, column: int) -> tuple[Group, int]:
    """The group a column belongs to, and its place there."""
    for group in model.groups:
        if column in group.columns:
            return group, group.columns.index(column)
    raise ValueError(f"the mixture has no column {column}")


def column_family(model: Mixture, column: int) -> Density:
    """The density of one column under every component, as a family with batch ``[K]``.

    Raises:
        ValueError: a column of a vector event (a multinomial row), which has no density of its own.
    """
    group, place = owner(model, column)
    if isinstance(group, GaussianGroup):
        variances = group.covariances[:, place] if group.diagonal else group.covariances[:, place, place]
        if group.dofs is not None:
            return StudentT(group.means[:, place], jnp.sqrt(variances), group.dofs)
        normal = Normal(group.means[:, place], variances)
        return LogNormal(normal) if group.log else normal
    if group.family.event_dims:
        raise ValueError(f"column {column} is part of one {group.family.name} row and has no density of its own")
    return jax.tree.map(lambda leaf: leaf[:, place], group.family)


def supported(model: Mixture, rows: np.ndarray) -> np.ndarray:
    """Where an entry ``[rows, D]`` is missing or lies in the support of its column's family."""
    parts = []
    for start in range(0, rows.shape[0], SLICE_ROWS):
        part = rows[start : start + SLICE_ROWS]
        padding = row_bucket(part.shape[0]) - part.shape[0]
        padded = np.concatenate([part, np.full((padding, part.shape[1]), np.nan)])
        parts.append(np.asarray(_supported(model, padded))[: part.shape[0]])
    return np.concatenate(parts)


@compiled
def _supported(model, rows):
    inside = jnp.ones(rows.shape, dtype=bool)
    for group in model.groups:
        x = take(rows, group.columns)
        if isinstance(group, GaussianGroup):
            fits = jnp.isfinite(x) & ((x > 0) | (not group.log))
        else:
            fits = group.family.supports(x)
        inside = inside.at[:, jnp.asarray(group.columns)].set(fits | jnp.isnan(x))
    return inside
