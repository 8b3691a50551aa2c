"""Components that are Student's t of a row: what a Gaussian becomes when its parameters are integrated out.

    p(x_o) = t(x_o; μ_o, Σ_oo, ν),   u | x_o ~ Gamma((ν + |o|)/2, rate (ν + δ_o)/2),   x_m | x_o, u ~ Gaussian / u

with δ_o the squared distance of the observed entries: marginals keep ν, conditionals gain a degree of freedom from
every observed entry and the factor ``(ν + δ_o)/(ν + |o|)`` on their scale (Kotz & Nadarajah 2004, section 1.11).
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

import jax
import numpy as np
from jaxtyping import Bool, Float, Int, PyTree

from tacit.arrays import cholesky_factor, chosen, solve_triangle, static, xp
from tacit.compute import Array
from tacit.data.blocks import Standardise
from tacit.families.base import Distribution, Family
from tacit.families.student_t import MultivariateStudentT, StudentT, log_density
from tacit.models.components.base import Component, ConditionedColumns, Picture, inflation
from tacit.models.components.missing import conditionals
from tacit.models.components.steps import LocalPosteriorStep, Step, take
from tacit.models.components.vectors import draw_vectors, vector_correction, vector_given
from tacit.spaces import Spaces


class Distances(NamedTuple):
    """What the density of the observed entries is made of."""

    distance: Float[Array, "rows components"]
    """δ_o."""
    log_det: Float[Array, "rows components"]
    observed: Float[Array, "rows 1"]
    """|o|."""


def distances(
    means: Float[Array, "components d"],
    covariances: Float[Array, "components d d"],
    x: Float[Array, "rows d"],
    tile: int | None,
) -> Distances:
    """Of complete rows (tile None), or of rows in tiles that share one missing pattern."""
    if tile is not None:
        tiles = x.reshape(-1, tile, x.shape[-1])
        known = conditionals(covariances, ~xp.isnan(tiles[:, 0]))
        centred = xp.where(known.seen[:, None, None], tiles[:, :, None] - means, 0.0)
        distance = xp.einsum("gtkd,gkde,gtke->gtk", centred, known.precision, centred).reshape(x.shape[0], -1)
        observed = xp.repeat(known.seen.sum(-1), tile)[:, None].astype(x.dtype)
        return Distances(distance, xp.repeat(known.log_det, tile, axis=0), observed)
    factor = cholesky_factor(covariances)
    centred = xp.moveaxis(x[:, None] - means, 0, -1)
    white = solve_triangle(factor, centred)
    log_det = 2.0 * xp.log(xp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
    observed = xp.full((x.shape[0], 1), float(x.shape[1]))
    return Distances((white**2).sum(1).T, xp.broadcast_to(log_det, (x.shape[0], means.shape[0])), observed)


class StudentComponent(Component):
    """``p(x|k) = t(x; μ_k, Σ_k, ν_k)`` with scale matrices Σ_k; fitted to complete rows only."""

    spaces: ClassVar[Spaces] = {"covariances": "covariance", "dofs": "positive"}

    means: Float[Array, "components d"]
    covariances: Float[Array, "components d d"]
    """Σ_k, the scale matrices."""
    dofs: Float[Array, " components"]
    columns: tuple[int, ...] = static()
    complete: bool = static(default=True)
    tile: int = static(default=1)

    @property
    def name(self) -> str:
        return "normal"

    @property
    def symbols(self) -> tuple[str, ...]:
        return "μ", "Σ", "ν"

    @property
    def parameters(self) -> PyTree:
        return self.means, self.covariances, self.dofs

    @property
    def column_kind(self) -> str:
        return "continuous"

    @property
    def joint(self) -> bool:
        return True

    def _family(self) -> MultivariateStudentT:
        factors = cholesky_factor(self.covariances)
        return MultivariateStudentT(self.means[..., None, :], factors[..., None, :, :], self.dofs[..., None])

    def prepare(self) -> Step:
        if not self.complete:
            raise ValueError("Student's t vectors are fitted to complete rows only")
        return LocalPosteriorStep(self._family(), self.columns)

    def m_step(self, statistics: tuple[Float[Array, "..."], Float[Array, "..."]]) -> Self:
        """Expected statistics under the rows' hidden precisions; see ``MultivariateStudentT.maximise``."""
        weight, expected = statistics
        new = self._family().maximise(expected, weight)
        factors = new.cholesky[..., 0, :, :]
        matrices = factors @ xp.swapaxes(factors, -1, -2)
        return dataclasses.replace(self, means=new.locations[..., 0, :], covariances=matrices, dofs=new.dofs[..., 0])

    def global_bound(self, active: Bool[Array, "*starts components"]) -> Float[Array, "*starts"]:
        return xp.zeros_like(self.dofs[..., 0])

    def take(self, order: Int[Array, "*starts chosen"]) -> Self:
        return dataclasses.replace(
            self,
            means=chosen(self.means, order),
            covariances=chosen(self.covariances, order),
            dofs=chosen(self.dofs, order),
        )

    def in_units(self, view: Standardise) -> Self:
        columns = np.asarray(self.columns)
        shift, scale = view.shift[columns], view.scale[columns]
        return dataclasses.replace(
            self, means=self.means * scale + shift, covariances=self.covariances * (scale[:, None] * scale)
        )

    def with_rows(self, *, complete: bool, tile: int) -> Self:
        return dataclasses.replace(self, complete=complete, tile=tile)

    def n_parameters(self) -> int:
        components, dims = self.means.shape
        return components * (dims + dims * (dims + 1) // 2 + 1)

    def _distances(self, rows: Float[Array, "rows dims"], tile: int | None) -> Distances:
        return distances(self.means, self.covariances, take(rows, self.columns), tile)

    def log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, "rows components"]:
        """Log-density of the observed columns, 0 where none is."""
        found = self._distances(rows, None if self.complete else self.tile)
        return log_density(found.distance, found.log_det, found.observed, self.dofs)

    def supports(self, x: Float[Array, "rows d"]) -> Bool[Array, "rows d"]:
        return xp.isfinite(x)

    def moments(self) -> tuple[Float[Array, "components d"], Float[Array, "components d"]]:
        scales = self.covariances.diagonal(axis1=-2, axis2=-1)
        return self.means, scales * inflation(self.dofs)[:, None]

    def draw(
        self, labels: Int[np.ndarray, " rows"], random: np.random.Generator, total: np.ndarray | None = None
    ) -> Float[np.ndarray, "rows d"]:
        noise = random.standard_normal((labels.size, self.means.shape[1]))
        dofs = np.asarray(self.dofs)[labels]
        return self._drawn(labels, noise, random.chisquare(dofs) / dofs)

    def _drawn(self, labels: np.ndarray, noise: np.ndarray, precision: np.ndarray) -> np.ndarray:
        means, covariances = np.asarray(self.means), np.asarray(self.covariances)
        return draw_vectors(means, covariances, labels, noise / np.sqrt(precision)[:, None])

    def column(self, place: int) -> Distribution:
        return StudentT(self.means[:, place], xp.sqrt(self.covariances[:, place, place]), self.dofs)

    def marginal(self, positions: np.ndarray, places: tuple[int, ...]) -> Component:
        covariances = self.covariances[:, positions][:, :, positions]
        return dataclasses.replace(self, means=self.means[:, positions], covariances=covariances, columns=places)

    def given(self, rows: Float[Array, "rows dims"]) -> ConditionedColumns:
        means, scales = vector_given(self.means, self.covariances, take(rows, self.columns), self.tile)
        part = self._distances(rows, self.tile)
        dofs = self.dofs + part.observed
        return ConditionedColumns(means, scales * ((self.dofs + part.distance) / dofs)[..., None], dofs)

    def column_given(self, place: int, found: Sequence[ConditionedColumns]) -> Distribution:
        means = np.concatenate([each.means[..., place] for each in found])
        scales = np.concatenate([each.scales[..., place] for each in found])
        return StudentT(means, np.sqrt(scales), np.concatenate([np.asarray(each.dofs) for each in found]))

    def correction(
        self,
        rows: Float[Array, "rows dims"],
        fresh: Float[Array, "rows draws d"],
        labels: Int[Array, "rows draws"],
    ) -> Float[Array, "rows draws d"]:
        return vector_correction(self.covariances, take(rows, self.columns), self.tile, fresh, labels)

    @property
    def hidden_variable(self) -> bool:
        return True

    def hidden(self, rows: Float[Array, "rows dims"]) -> PyTree:
        found = self._distances(rows, self.tile)
        return found.distance, found.observed

    def redraw(
        self, hidden: PyTree, labels: Int[np.ndarray, "rows draws"], random: np.random.Generator
    ) -> Float[np.ndarray, "rows draws d"]:
        """With the precision that the observed columns leave, ``u | x_o ~ Gamma((ν + |o|)/2, rate (ν + δ_o)/2)``."""
        distance, observed = hidden
        dofs = np.asarray(self.dofs)[labels]
        rate = 0.5 * (dofs + np.take_along_axis(distance, labels, axis=1))
        precision = random.standard_gamma(0.5 * (dofs + observed)) / rate
        noise = random.standard_normal((labels.size, self.means.shape[1]))
        return self._drawn(labels.ravel(), noise, precision.ravel()).reshape(*labels.shape, -1)

    def covariance_matrices(self) -> Float[Array, "components d d"] | None:
        return self.covariances

    def seeding_features(self, x: Float[np.ndarray, "rows d"]) -> Float[np.ndarray, "rows features"]:
        return x

    def distributions(self, *, dense: bool) -> Family | None:
        return jax.tree.map(np.asarray, self._family())

    def values(self) -> dict[str, Array]:
        return {"means": self.means, "covariances": self.covariances, "dofs": self.dofs}

    def with_values(self, values: dict[str, Float[Array, "..."]]) -> Self:
        return dataclasses.replace(self, means=values["means"], covariances=values["covariances"], dofs=values["dofs"])

    def chart(self) -> Picture | None:
        return Picture("ellipses", np.asarray(self.means), np.asarray(self.covariances))
