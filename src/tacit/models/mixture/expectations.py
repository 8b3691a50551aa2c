"""What the observed entries of rows say of the missing ones: weights, means and variances.

A Gaussian vector is conditioned, ``E[x_m|x_o,k] = μ_m + Σ_mo Σ_oo⁻¹ (x_o − μ_o)``,
``Cov = Σ_mm − Σ_mo Σ_oo⁻¹ Σ_om`` (Bishop 2006, section 2.3.1); columns of other groups are independent of the
observed ones given the component, so theirs are the moments they always have.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeGuard

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from tacit.compute import Array, compiled
from tacit.families.base import Family
from tacit.families.log_normal import LogNormal
from tacit.families.normal import Normal
from tacit.families.student_t import StudentT
from tacit.models.mixture import student
from tacit.models.mixture.conditional import owner
from tacit.models.mixture.gaussian import GaussianGroup
from tacit.models.mixture.missing import conditionals
from tacit.models.mixture.model import Mixture
from tacit.models.mixture.rows import SLICE_ROWS, each_row, joint_log_prob
from tacit.models.mixture.steps import take

_SLICE_NUMBERS = 2**24
"""How many conditional means are held at a time."""


def weigh(model: Mixture, rows: Any) -> tuple[np.ndarray, np.ndarray]:
    """``p(k|x_o)`` ``[rows, K]`` and ``log p(x_o)`` ``[rows]``.

    Where no component allows the row, the weights are NaN and the density −inf.
    """
    joint = joint_log_prob(model, rows)
    log_density = np.asarray(np.logaddexp.reduce(joint, axis=1))
    impossible = np.isneginf(log_density)[:, None]
    weights = np.exp(joint - np.where(impossible, 0.0, log_density[:, None]))
    return np.where(impossible, np.nan, weights), log_density


def marginal_moments(model: Mixture) -> tuple[np.ndarray, np.ndarray]:
    """``E[x_j|k]`` and ``Var[x_j|k]`` of every column, ``[K, D]``; multinomial columns are those of one item."""
    means, variances = _marginal_moments(model)
    return np.asarray(means), np.asarray(variances)


@compiled
def _marginal_moments(model):
    shape = (model.log_weights.shape[0], sum(len(group.columns) for group in model.groups))
    means, variances = jnp.zeros(shape), jnp.zeros(shape)
    for group in model.groups:
        if isinstance(group, GaussianGroup):
            normal = Normal(group.means, _variances(group) * _inflation(group.dofs)[:, None])
            family: Family = LogNormal(normal) if group.log else normal
        else:
            family = group.family
        columns = jnp.asarray(group.columns)
        mean, variance = family.mean(), family.variance()
        if isinstance(family, StudentT):  # a group so wide that it has no mean must not take that of all others away
            mean, variance = family.locations, jnp.where(family.dofs > 2.0, variance, jnp.inf)
        means = means.at[:, columns].set(mean.reshape(shape[0], -1))
        variances = variances.at[:, columns].set(variance.reshape(shape[0], -1))
    return means, variances


def _inflation(dofs: Array | None) -> Array:
    """Variance over squared scale of Student's t, infinite where ν ≤ 2; 1 of a Gaussian."""
    if dofs is None:
        return jnp.ones(1)
    many = jnp.where(dofs > 2.0, dofs, 3.0)
    return jnp.where(dofs > 2.0, many / (many - 2.0), jnp.inf)


def _variances(group: GaussianGroup) -> Array:
    covariances = jnp.asarray(group.covariances)
    return covariances if group.diagonal else jnp.diagonal(covariances, axis1=-2, axis2=-1)


def is_vector(group: Any) -> TypeGuard[GaussianGroup]:
    """Whether a group's columns depend on one another given the component (a full Gaussian)."""
    return isinstance(group, GaussianGroup) and not group.diagonal


def vectors(model: Mixture) -> Mixture:
    """The mixture of the full Gaussian groups alone: the smallest program that conditions rows."""
    return Mixture(model.log_weights, vector_groups(model), model.active)


def vector_groups(model: Mixture) -> tuple[GaussianGroup, ...]:
    """The full Gaussian groups."""
    return tuple(group for group in model.groups if is_vector(group))


def tile_gains(
    group: GaussianGroup, rows: Float[Array, "rows dims"]
) -> tuple[Float[Array, "tiles components d d"], Float[Array, "tiles tile d"]]:
    """``Σ_·o Σ_oo⁻¹`` of a full Gaussian group for the pattern of every tile, and its columns cut into tiles."""
    x = take(rows, group.columns)
    x = x.reshape(-1, group.tile, x.shape[-1])
    covariances = jnp.asarray(group.covariances)
    return covariances @ conditionals(covariances, ~jnp.isnan(x[:, 0])).precision, x


class Given(NamedTuple):
    """Entries of a vector given the observed ones, under every component."""

    means: Float[Array, "rows components d"]
    scales: Float[Array, "rows components d"]
    """Variances, or squared scales of Student's t."""
    dofs: Float[Array, "rows components"] | None

    def variances(self) -> Float[Array, "rows components d"]:
        """Infinite where a t of two degrees of freedom or fewer is not observed."""
        if self.dofs is None:
            return self.scales
        return np.where(self.scales > 0, self.scales * np.asarray(_inflation(self.dofs))[..., None], 0.0)


def _vectors_given(model: Mixture, rows: Float[Array, "rows dims"]) -> tuple[Given, ...]:
    """Each entry of the vectors given the observed ones; tiles of rows. An observed one has variance 0."""
    found = []
    for group in vector_groups(model):
        gains, x = tile_gains(group, rows)
        seen = ~jnp.isnan(x)[:, :, None]
        centred = jnp.where(seen, x[:, :, None] - group.means, 0.0)
        means = jnp.where(seen, x[:, :, None], group.means + jnp.einsum("gkde,gtke->gtkd", gains, centred))
        variances = _variances(group)
        left = variances - jnp.einsum("gkde,ked->gkd", gains, group.covariances)
        # what rounding leaves of a difference is never read as a negative variance
        left = jnp.maximum(left, jnp.finfo(left.dtype).eps * variances)
        left = jnp.where(seen[:, 0], 0.0, left)
        shape = (rows.shape[0], *group.means.shape)
        scales = jnp.repeat(left, group.tile, axis=0).reshape(shape)
        dofs = None
        if group.dofs is not None:
            part = student.distances(group.means, group.covariances, take(rows, group.columns), group.tile)
            dofs = group.dofs + part.observed
            scales = scales * ((group.dofs + part.distance) / dofs)[..., None]
        found.append(Given(means.reshape(shape), scales, dofs))
    return tuple(found)


def vectors_given(model: Mixture, rows: np.ndarray) -> Iterator[tuple[slice, tuple[Given, ...]]]:
    """The full Gaussian groups given the observed entries, a slice of the rows at a time."""
    alone = vectors(model)
    widest = max((len(group.columns) for group in alone.groups), default=1)
    step = max(256, min(SLICE_ROWS, _SLICE_NUMBERS // (widest * np.size(model.log_weights))))
    for start in range(0, rows.shape[0], step):
        part = slice(start, start + step)
        yield part, each_row(_vectors_given, alone, rows[part]) if alone.groups else ()


def mixed_moments(model: Mixture, rows: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance ``[rows, D]`` of every missing entry given the observed ones.

    The law of total variance: ``Var[x|x_o] = Σ_k r_k (Var[x|x_o,k] + (E[x|x_o,k] − E[x|x_o])²)``.

    Args:
        model: the mixture, with NumPy leaves.
        rows: ``[rows, D]`` with gaps; what is found at observed entries means nothing.
        weights: ``r_k = p(k|x_o)``, ``[rows, K]``.
    """
    means, variances = marginal_moments(model)
    mean = weights @ means
    spread = np.zeros(mean.shape)
    for weight, centre, variance in zip(weights.T, means, variances, strict=True):
        spread += weight[:, None] * (variance + (centre - mean) ** 2)
    columns = [group.columns for group in vector_groups(model)]
    for part, found in vectors_given(model, rows):
        share = weights[part, :, None]
        for places, given in zip(columns, found, strict=True):
            centres, left = given.means, given.variances()
            middle = np.sum(share * centres, axis=1)
            mean[part, places] = middle
            spread[part, places] = np.sum(share * (left + (centres - middle[:, None]) ** 2), axis=1)
    return mean, spread


def gaussian_column(model: Mixture, column: int, rows: np.ndarray) -> Family:
    """One Gaussian column given the observed entries, with batch ``[rows, K]`` (or ``[1, K]`` for all)."""
    group, place = owner(model, column)
    assert isinstance(group, GaussianGroup)
    if group.diagonal:
        normal = Normal(np.asarray(group.means)[None, :, place], np.asarray(group.covariances)[None, :, place])
        return LogNormal(normal) if group.log else normal
    number = [g.columns for g in vector_groups(model)].index(group.columns)
    parts = [found[number] for _, found in vectors_given(model, rows)]
    means = np.concatenate([each.means[..., place] for each in parts])
    scales = np.concatenate([each.scales[..., place] for each in parts])
    if group.dofs is None:
        return Normal(means, scales)
    return StudentT(means, np.sqrt(scales), np.concatenate([np.asarray(each.dofs) for each in parts]))
