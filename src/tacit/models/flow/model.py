"""A flow: ``p(x) = b(T(x)) |∂T/∂x|`` with a triangular map T, or several in turned orders, and a simple base b.

The maps are those of Knothe and Rosenblatt where the order of the columns is kept (Jaini, Selby & Yu 2019): then
``p(x_j | x_1, …, x_{j−1})`` is at hand for every j, and what is said of the first columns is exact.
"""

from collections.abc import Sequence
from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from tacit.arrays import xp
from tacit.compute import Array, compiled
from tacit.families.bijections import Chain, ColumnEnds, DiagonalAffine, Given
from tacit.families.normal_scores import NormalMixture, log_normal
from tacit.families.transformed import white_log_prob
from tacit.families.triangular import MixtureScores, TriangularSteps
from tacit.inference.objectives import frozen


class FlowRows(eqx.Module):
    """Rows on their way through a flow."""

    x: Float[Array, "*rows dims"]
    given: Float[Array, "*rows conditions"] | None = None
    """What the density is conditional on."""


class FlowCore(eqx.Module):
    """The density in the coordinates that are learned in: columns on the whole line, centred and scaled."""

    steps: TriangularSteps
    base: NormalMixture | None
    """White noise where None; it does not move while the steps are learned."""

    def base_log_prob(self, z: Float[Array, "*rows dims"]) -> Float[Array, "*rows"]:
        """``log b(z)``."""
        return white_log_prob(z) if self.base is None else frozen(self.base).log_prob(z)

    def log_prob(self, rows: FlowRows) -> Float[Array, "*rows"]:
        """``log p`` of rows."""
        z, log_det = self.steps.forward(rows.x, rows.given)
        return self.base_log_prob(z) + log_det

    def log_prob_in_turn(self, rows: FlowRows) -> Float[Array, "*rows dims"]:
        """``log p(x_j | x_1, …, x_{j−1})`` of every column, where the order is kept."""
        z, log_slopes = self.steps.in_turn(rows.x, rows.given)
        each = log_normal(z) if self.base is None else MixtureScores(self.base).densities(z)
        return each + log_slopes

    @property
    def to_white(self) -> Chain:
        """The whole way to white noise."""
        return Chain((self.steps,) if self.base is None else (self.steps, MixtureScores(self.base)))


class Flow(eqx.Module):
    """The density of rows in the user's units."""

    ends: ColumnEnds
    units: DiagonalAffine
    """From centred and scaled coordinates back."""
    core: FlowCore

    def inward(self, x: Float[Array, "*rows dims"]) -> tuple[Float[Array, "*rows dims"], Float[Array, "*rows dims"]]:
        """Rows in the coordinates that are learned in, and ``log |∂u_j/∂x_j|`` of every column."""
        y, log_slopes = self.ends.in_turn(x)
        scale = xp.exp(self.units.log_scale)
        return (y - self.units.shift) / scale, log_slopes - self.units.log_scale

    def outward(self, u: Float[Array, "*rows dims"]) -> Float[Array, "*rows dims"]:
        """The way back."""
        return self.ends.inverse(self.units.forward(u)[0])[0]


class Dequantise(eqx.Module):
    """The reader of a fit: levels are spread evenly over their cells, anew at every step.

    So the density that is learned gives a cell its mass (Theis, van den Oord & Bethge 2016). Of columns with cells rows
    hold the numbers of these; the other columns are in the coordinates that are learned in. Single precision is enough,
    for places are looked at from both ends, and no share is 0 or 1, where the ends are infinitely far.
    """

    units: DiagonalAffine
    cells: tuple[Float[Array, "3 levels"] | None, ...]
    """By column, of every cell: how far the low end lies below it, its size, and how far the high end lies above it."""

    @classmethod
    def of(cls, units: DiagonalAffine, edges: Sequence[np.ndarray]) -> Self:
        """Of the edges of cells, column by column; none where it is continuous."""
        rooms = (np.stack([own[:-1] - own[0], np.diff(own), own[-1] - own[1:]]) if own.size else None for own in edges)
        used = np.array([own.size > 0 for own in edges])  # elsewhere they may be numbers that single precision has not
        units = jax.tree.map(lambda leaf: np.where(used, leaf, 0.0), units)
        single: Self = jax.tree.map(np.float32, cls(units, tuple(rooms)))
        return single

    def __call__(self, rows: FlowRows, key: Array) -> FlowRows:
        if all(own is None for own in self.cells):
            return rows
        shares = jax.random.uniform(key, rows.x.shape, rows.x.dtype) + 0.5**24
        columns = [rows.x[..., place] for place in range(rows.x.shape[-1])]
        for place, own in enumerate(self.cells):
            if own is not None:
                below, size, above = jnp.asarray(own)[:, columns[place].astype(jnp.int32)]
                share = shares[..., place]
                moved = jnp.log(below + share * size) - jnp.log(above + (1.0 - share) * size)
                columns[place] = (moved - self.units.shift[place]) * jnp.exp(-self.units.log_scale[place])
        return FlowRows(jnp.stack(columns, -1), rows.given)


@compiled
def core_log_prob(flow: Flow, rows: FlowRows) -> Float[Array, " rows"]:
    """``log p`` of rows in the coordinates of the core."""
    return flow.core.log_prob(rows)


@compiled
def core_log_prob_in_turn(flow: Flow, rows: FlowRows) -> Float[Array, "rows dims"]:
    """`FlowCore.log_prob_in_turn`."""
    return flow.core.log_prob_in_turn(rows)


@compiled
def white(flow: Flow, rows: FlowRows) -> Float[Array, "rows dims"]:
    """Rows in the coordinates of the core as white noise."""
    return flow.core.to_white.forward(rows.x, rows.given)[0]


@compiled
def from_white(flow: Flow, z: Float[Array, "rows dims"], given: Given) -> Float[Array, "rows dims"]:
    """The rows, in the user's units, that white noise stands for."""
    return flow.outward(flow.core.to_white.inverse(z, given)[0])


@compiled
def from_base(flow: Flow, z: Float[Array, "rows dims"], given: Given) -> Float[Array, "rows dims"]:
    """The rows, in the user's units, that draws of the base stand for."""
    return flow.outward(flow.core.steps.inverse(z, given)[0])


@compiled
def outward(flow: Flow, u: Float[Array, "rows dims"]) -> Float[Array, "rows dims"]:
    """`Flow.outward`."""
    return flow.outward(u)
