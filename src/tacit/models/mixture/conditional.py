"""Fewer columns, and what a row's observed entries say of the others: marginals and conditionals of a mixture.

``p(x_m|x_o) = Σ_k p(k|x_o) p_k(x_m|x_o)``: the weights become the posterior of the components given what is
observed, and every component is conditioned. A Gaussian vector has
``E[x_m|x_o,k] = μ_m + Σ_mo Σ_oo⁻¹ (x_o − μ_o)`` and ``Cov = Σ_mm − Σ_mo Σ_oo⁻¹ Σ_om``
(Bishop 2006, section 2.3.1); columns of the other groups are independent given the component.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from tacit.compute import Array
from tacit.families.base import Family
from tacit.families.log_normal import LogNormal
from tacit.families.normal import Normal
from tacit.models.mixture.gaussian import GaussianGroup
from tacit.models.mixture.group import FamilyGroup
from tacit.models.mixture.missing import conditionals
from tacit.models.mixture.model import Group, Mixture
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


def tile_gains(
    group: GaussianGroup, rows: Float[Array, "rows dims"]
) -> tuple[Float[Array, "tiles components d d"], Float[Array, "tiles tile d"]]:
    """``Σ_·o Σ_oo⁻¹`` of a full Gaussian group for the pattern of every tile, and its columns cut into tiles."""
    x = take(rows, group.columns)
    x = x.reshape(-1, group.tile, x.shape[-1])
    covariances = jnp.asarray(group.covariances)
    return covariances @ conditionals(covariances, ~jnp.isnan(x[:, 0])).precision, x


def gaussian_given(
    group: GaussianGroup, rows: Float[Array, "rows dims"]
) -> tuple[Float[Array, "rows components d"], Float[Array, "rows components d"]]:
    """Mean and variance of each column given the row's observed entries, under every component.

    On the logarithmic scale where the group is log-normal; an observed entry has variance 0. Rows come in
    tiles of one pattern unless the group is diagonal.
    """
    components, dims = group.means.shape
    if group.diagonal:
        x = take(rows, group.columns, group.log)[:, None]
        seen = ~jnp.isnan(x)
        return jnp.where(seen, x, group.means), jnp.where(seen, 0.0, group.covariances)
    gains, x = tile_gains(group, rows)
    seen = ~jnp.isnan(x)[:, :, None]
    centred = jnp.where(seen, x[:, :, None] - group.means, 0.0)
    means = jnp.where(seen, x[:, :, None], group.means + jnp.einsum("gkde,gtke->gtkd", gains, centred))
    variances = jnp.diagonal(group.covariances, axis1=-2, axis2=-1)
    left = variances - jnp.einsum("gkde,ked->gkd", gains, group.covariances)
    # what rounding leaves of a difference is never read as a negative variance
    left = jnp.maximum(left, jnp.finfo(left.dtype).eps * variances)
    left = jnp.where(seen[:, 0], 0.0, left)
    shape = (rows.shape[0], components, dims)
    return means.reshape(shape), jnp.repeat(left, group.tile, axis=0).reshape(shape)


def component_moments(
    model: Mixture, rows: Float[Array, "rows dims"]
) -> tuple[Float[Array, "rows components dims"], Float[Array, "rows components dims"]]:
    """``E[x_j|x_o, k]`` and ``Var[x_j|x_o, k]`` of every missing entry, in the units of the rows.

    The values at observed entries of other columns than Gaussian ones mean nothing. Multinomial columns are
    those of one item.
    """
    shape = (rows.shape[0], model.log_weights.shape[0], rows.shape[1])
    means, variances = jnp.zeros(shape), jnp.zeros(shape)
    for group in model.groups:
        if isinstance(group, GaussianGroup):
            mean, variance = gaussian_given(group, rows)
            if group.log:
                family = LogNormal(Normal(mean, variance))
                mean, variance = family.mean(), family.variance()
        else:
            mean = group.family.mean().reshape(1, shape[1], -1)
            variance = group.family.variance().reshape(1, shape[1], -1)
        columns = jnp.asarray(group.columns)
        means = means.at[..., columns].set(mean)
        variances = variances.at[..., columns].set(variance)
    return means, variances


def mixed_moments(
    model: Mixture, rows: Float[Array, "rows dims"]
) -> tuple[Float[Array, "rows dims"], Float[Array, "rows dims"]]:
    """Mean and variance of every missing entry given the observed ones.

    The law of total variance: ``Var[x|x_o] = Σ_k r_k (Var[x|x_o,k] + (E[x|x_o,k] − E[x|x_o])²)``.
    """
    weights = model.posterior(rows)[..., None]
    means, variances = component_moments(model, rows)
    mean = jnp.sum(weights * means, axis=1)
    spread = variances + (means - mean[:, None]) ** 2
    return mean, jnp.sum(weights * spread, axis=1)


class ColumnGiven(eqx.Module):
    """One column of a Gaussian group given the observed entries of each row, under every component.

    The number of the group is static and the column's place in it is not, so one program serves its columns.
    """

    place: Int[Array, ""]
    group: int = eqx.field(static=True)

    def __call__(
        self, model: Mixture, rows: Float[Array, "rows dims"]
    ) -> tuple[Float[Array, "rows components"], Float[Array, "rows components"]]:
        """Means and variances; logarithmic where the group is log-normal."""
        group = model.groups[self.group]
        assert isinstance(group, GaussianGroup)
        means, variances = gaussian_given(group, rows)
        return means[..., self.place], variances[..., self.place]


def gaussian_column(model: Mixture, column: int) -> tuple[ColumnGiven, bool]:
    """How to get a Gaussian column given the rest, and whether it is on the logarithmic scale."""
    for number, group in enumerate(model.groups):
        if column in group.columns and isinstance(group, GaussianGroup):
            return ColumnGiven(np.asarray(group.columns.index(column)), number), group.log
    raise ValueError(f"column {column} is not Gaussian")


def column_family(model: Mixture, column: int) -> Family:
    """The density of one column under every component, as a family with batch ``[K]``.

    Raises:
        ValueError: a column of a vector event (a multinomial row), which has no density of its own.
    """
    group, place = owner(model, column)
    if isinstance(group, GaussianGroup):
        variances = group.covariances[:, place] if group.diagonal else group.covariances[:, place, place]
        normal = Normal(group.means[:, place], variances)
        return LogNormal(normal) if group.log else normal
    if group.family.event_dims:
        raise ValueError(f"column {column} is part of one {group.family.name} row and has no density of its own")
    return jax.tree.map(lambda leaf: leaf[:, place], group.family)


def supported(model: Mixture, rows: Float[Array, "rows dims"]) -> Bool[Array, "rows dims"]:
    """Where an entry is missing or lies in the support of its column's family."""
    inside = jnp.ones(rows.shape, dtype=bool)
    for group in model.groups:
        x = take(rows, group.columns)
        if isinstance(group, GaussianGroup):
            fits = jnp.isfinite(x) & ((x > 0) | (not group.log))
        else:
            fits = group.family.supports(x)
        inside = inside.at[:, jnp.asarray(group.columns)].set(fits | jnp.isnan(x))
    return inside
