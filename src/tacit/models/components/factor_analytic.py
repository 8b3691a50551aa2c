"""Components that are planes with noise around them: a few factors, and each column's own noise.

    p(x | k) = N(x; μ_k, Λ_k Λ_kᵀ + diag ψ_k)

One of them is factor analysis, or probabilistic PCA where ψ is the same in every column (Tipping & Bishop 1999);
several are a mixture of factor analysers (Ghahramani & Hinton 1996), and with parameters that the components share the
parsimonious family of McNicholas & Murphy (2008).
"""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, NamedTuple, Self

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit.arrays import cholesky_factor, chosen, inverse_triangle, spread, static, xp
from tacit.compute import Array
from tacit.data.blocks import Standardise
from tacit.engine import PyTree
from tacit.families.base import Distribution, Family
from tacit.families.multivariate_normal import MultivariateNormal
from tacit.families.normal import Normal
from tacit.models.components.base import Component, ConditionedColumns, Picture
from tacit.models.components.steps import take
from tacit.models.factors.local import FactorStep, FactorSums, LatentPosterior
from tacit.models.factors.prior import LoadingPrior
from tacit.spaces import Spaces


class Shared(NamedTuple):
    """What components have in common, and columns: the constraints of the parsimonious family."""

    loadings: bool = False
    """One Λ for all components."""
    noise: bool = False
    """One ψ for all components."""
    isotropic: bool = False
    """The same noise in every column."""


class FactorComponent(Component):
    """``x = μ_k + Λ_k z + ε``, z ~ N(0, I_Q), ε ~ N(0, diag ψ_k); a missing entry is integrated out.

    An M-step regresses every column on the expected factors, and then gives the factors the moments that they had in
    the rows (parameter expansion: Liu, Rubin & Wu 1998; Zhao & Yu 2008), which saves most of EM's iterations.
    """

    spaces: ClassVar[Spaces] = {"noise_variances": "positive", "least_noise": "not negative"}

    means: Float[Array, "*starts components d"]
    loadings: Float[Array, "*starts components d Q"]
    """Λ_k, known up to a rotation of the factors."""
    noise_variances: Float[Array, "*starts components d"]
    """ψ_k, variances."""
    least_noise: Float[Array, "*starts d"]
    """The smallest ψ there may be: the likelihood of a factor model may rise towards a noise of 0 (a Heywood case)."""
    columns: tuple[int, ...] = static()
    shared: Shared = static(default=Shared())
    complete: bool = static(default=True)
    tile: int = static(default=1)
    prior: LoadingPrior | None = None
    """Of the loadings; then the factors keep their coordinates, for the prior depends on them."""

    @property
    def name(self) -> str:
        return "normal"

    @property
    def symbols(self) -> tuple[str, ...]:
        return ("μ", "Λ", "ψ")

    @property
    def parameters(self) -> PyTree:
        return self.means, self.loadings, self.noise_variances

    @property
    def column_kind(self) -> str:
        return "continuous"

    @property
    def joint(self) -> bool:
        return True

    @property
    def tiled(self) -> bool:
        return False

    @property
    def n_features(self) -> int:
        return len(self.columns) * (1 + self.loadings.shape[-1]) ** (1 if self.complete else 2)

    def prepare(self) -> FactorStep:
        return FactorStep(self.means, self.loadings, self.noise_variances, self.columns, self.complete)

    def posterior(self, rows: Float[Array, "rows dims"]) -> LatentPosterior:
        """The factors of every row under every component, given what is seen of it."""
        return self.prepare().posterior(rows)

    def m_step(self, statistics: FactorSums) -> Self:
        """The regression of every column on the factors, and the factors' expansion."""
        counts = statistics.counts
        there = counts > 0
        coefficients = xp.where(there[..., None], self._coefficients(statistics), 0.0)
        loadings: Array = coefficients[..., :-1]
        offset: Array = coefficients[..., -1]
        left = statistics.squares + self._explained(statistics, coefficients)
        noise = self._noise(xp.maximum(left, 0.0), counts)
        if not self.shared.loadings and self.prior is None:
            loadings, offset = _expanded(loadings, offset, statistics.moments)
        return dataclasses.replace(
            self,
            prior=None if self.prior is None else self.prior.learnt(loadings),
            means=self.means + xp.where(there, offset, 0.0),
            loadings=xp.where(there[..., None], loadings, self.loadings),
            noise_variances=xp.where(there, noise, self.noise_variances),
        )

    def _coefficients(self, statistics: FactorSums) -> Float[Array, "*starts components d E"]:
        """Of every column on (z, 1)."""
        if self.shared.loadings or self.prior is not None:
            return self._slopes_and_intercepts(statistics)
        if statistics.second is None:
            return xp.swapaxes(_solved(statistics.moments, xp.swapaxes(statistics.cross, -1, -2)), -1, -2)
        return _solved(statistics.second, statistics.cross[..., None])[..., 0]

    def _slopes_and_intercepts(self, statistics: FactorSums) -> Float[Array, "*starts components d E"]:
        """Slopes that are one for all components, or have a prior, and the intercepts that go with them."""
        second = statistics.moments[..., None, :, :] if statistics.second is None else statistics.second
        count = xp.where(second[..., -1, -1] > 0, second[..., -1, -1], 1.0)
        mean = second[..., :-1, -1] / count[..., None]
        first = statistics.cross[..., -1] / count
        own = second[..., :-1, :-1] - count[..., None, None] * mean[..., :, None] * mean[..., None, :]
        cross = statistics.cross[..., :-1] - (count * first)[..., None] * mean
        if self.prior is not None:
            slope = self.prior.mode(own, cross, self.noise_variances, self.loadings)
        else:
            precision = 1.0 / self.noise_variances
            pooled = (precision[..., None, None] * own).sum(-4), (precision[..., None] * cross).sum(-3)
            slope = _solved(pooled[0], pooled[1][..., None])[..., 0][..., None, :, :]
        intercept = first - (slope * mean).sum(-1)
        slope = xp.broadcast_to(slope, (*intercept.shape, slope.shape[-1]))
        return xp.concatenate([slope, intercept[..., None]], axis=-1)

    def _explained(
        self, statistics: FactorSums, coefficients: Float[Array, "*starts components d E"]
    ) -> Float[Array, "*starts components d"]:
        """``Σ (r − a·z̃)² − Σ r²`` of coefficients a."""
        if statistics.second is None:
            fitted = coefficients @ statistics.moments
        else:
            fitted = (statistics.second @ coefficients[..., None])[..., 0]
        return (coefficients * (fitted - 2.0 * statistics.cross)).sum(-1)

    def _noise(
        self, left: Float[Array, "*starts components d"], counts: Float[Array, "*starts components d"]
    ) -> Float[Array, "*starts components d"]:
        """What the factors leave of the variance of every column, pooled where it is shared."""
        shape, axes = left.shape, []
        if self.shared.noise:
            axes.append(-2)
        if self.shared.isotropic:
            axes.append(-1)
        if axes:
            left, counts = (value.sum(tuple(axes), keepdims=True) for value in (left, counts))
        noise = xp.broadcast_to(left / xp.where(counts > 0, counts, 1.0), shape)
        return xp.maximum(noise, self.least_noise[..., None, :])

    def global_bound(self, active: Bool[Array, "*starts components"]) -> Float[Array, "*starts"]:
        return xp.zeros_like(self.means[..., 0, 0]) if self.prior is None else self.prior.log_prob(self.loadings)

    @property
    def has_prior(self) -> bool:
        return self.prior is not None

    def absolute(self, statistics: FactorSums) -> FactorSums:
        return _moved(statistics, self.means)

    def relative(self, statistics: FactorSums) -> FactorSums:
        return _moved(statistics, -self.means)

    def log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, "*starts rows components"]:
        return self.prepare().terms(rows)[0]

    def with_rows(self, *, complete: bool, tile: int) -> Self:
        return dataclasses.replace(self, complete=complete, tile=tile)

    def take(self, order: Int[Array, "*starts chosen"]) -> Self:
        return dataclasses.replace(
            self,
            means=chosen(self.means, order),
            loadings=chosen(self.loadings, order),
            noise_variances=chosen(self.noise_variances, order),
        )

    def in_units(self, view: Standardise) -> Self:
        columns = np.asarray(self.columns)
        shift, scale = view.shift[columns], view.scale[columns]
        return dataclasses.replace(
            self,
            means=self.means * scale + shift,
            loadings=self.loadings * scale[:, None],
            noise_variances=self.noise_variances * scale**2,
            least_noise=self.least_noise * scale**2,
            prior=None,  # which is of loadings in the view
        )

    def floored(self) -> Bool[np.ndarray, "*starts components columns"] | None:
        """Where the noise of a column is the least there may be."""
        return np.asarray(self.noise_variances) <= np.asarray(self.least_noise)[..., None, :] * (1.0 + 1e-6)

    def n_parameters(self) -> int:
        components, dims, factors = self.loadings.shape
        planes = 1 if self.shared.loadings else components
        noises = (1 if self.shared.noise else components) * (1 if self.shared.isotropic else dims)
        return components * dims + planes * n_loadings(dims, factors) + noises

    def supports(self, x: Float[Array, "rows d"]) -> Bool[Array, "rows d"]:
        return xp.isfinite(x)

    def variances(self) -> Float[Array, "*starts components d"]:
        """Of every column."""
        return (self.loadings**2).sum(-1) + self.noise_variances

    def moments(self) -> tuple[Float[Array, "components d"], Float[Array, "components d"]]:
        return self.means, self.variances()

    def draw(
        self, labels: Int[np.ndarray, " rows"], random: np.random.Generator, total: np.ndarray | None = None
    ) -> Float[np.ndarray, "rows d"]:
        loadings, noise = np.asarray(self.loadings), np.sqrt(np.asarray(self.noise_variances))
        codes = random.standard_normal((labels.size, loadings.shape[-1]))
        drawn = np.asarray(self.means)[labels] + random.standard_normal((labels.size, noise.shape[-1])) * noise[labels]
        for k in np.unique(labels):
            drawn[labels == k] += codes[labels == k] @ loadings[k].T
        return drawn

    def column(self, place: int) -> Distribution:
        return Normal(self.means[:, place], self.variances()[:, place])

    def marginal(self, positions: np.ndarray, places: tuple[int, ...]) -> Component:
        return dataclasses.replace(
            self,
            means=self.means[:, positions],
            loadings=self.loadings[:, positions],
            noise_variances=self.noise_variances[:, positions],
            least_noise=self.least_noise[positions],
            columns=places,
        )

    def given(self, rows: Float[Array, "rows dims"]) -> ConditionedColumns:
        """What is missing has the mean ``μ + Λ ẑ`` and the variance ``λᵀ G⁻¹ λ + ψ``."""
        found = dataclasses.replace(self, complete=False).posterior(rows)
        x = take(rows, self.columns)[:, None]
        fitted = self.means[:, None] + found.mean @ xp.swapaxes(self.loadings, -1, -2)
        factor = cholesky_factor(found.covariance)
        reach = self.loadings[:, None] @ factor
        left = (reach**2).sum(-1) + self.noise_variances[:, None]
        means, scales = (xp.moveaxis(value, 0, 1) for value in (fitted, left))
        return ConditionedColumns(xp.where(xp.isnan(x), means, x), xp.where(xp.isnan(x), scales, 0.0))

    def column_given(self, place: int, found: Sequence[ConditionedColumns]) -> Distribution:
        means = np.concatenate([np.asarray(each.means[..., place]) for each in found])
        return Normal(means, np.concatenate([np.asarray(each.scales[..., place]) for each in found]))

    def correction(
        self,
        rows: Float[Array, "rows dims"],
        fresh: Float[Array, "rows draws d"],
        labels: Int[Array, "rows draws"],
    ) -> Float[Array, "rows draws d"]:
        """``Λ E[z | x_o − x*_o]`` of draws x* where nothing is seen (Matheron's rule)."""
        x = take(rows, self.columns)
        number, draws, dims = fresh.shape
        residual = x[:, None] - fresh
        apart = dataclasses.replace(self, means=xp.zeros_like(self.means), columns=tuple(range(dims)), complete=False)
        moved = apart.posterior(residual.reshape(-1, dims)).mean @ xp.swapaxes(self.loadings, -1, -2)
        carried = moved[labels.reshape(-1), xp.arange(number * draws)].reshape(fresh.shape)
        return xp.where(xp.isnan(residual), carried, residual)

    def covariance_matrices(self) -> Float[Array, "*starts components d d"]:
        return self.loadings @ xp.swapaxes(self.loadings, -1, -2) + spread(self.noise_variances)

    def seeding_features(self, x: Float[np.ndarray, "rows d"]) -> Float[np.ndarray, "rows features"]:
        return x

    def distributions(self, *, dense: bool) -> Family | None:
        full = np.asarray(self.covariance_matrices())
        return MultivariateNormal(np.asarray(self.means)[:, None], np.linalg.cholesky(full)[:, None])

    def values(self) -> dict[str, Array]:
        return {"means": self.means, "loadings": self.loadings, "noise_variances": self.noise_variances}

    def with_values(self, values: dict[str, Float[Array, "..."]]) -> Self:
        return dataclasses.replace(
            self, means=values["means"], loadings=values["loadings"], noise_variances=values["noise_variances"]
        )

    def chart(self) -> Picture | None:
        return Picture("ellipses", np.asarray(self.means), np.asarray(self.covariance_matrices()))


def n_loadings(dims: int, factors: int) -> int:
    """Free entries of ``[dims, factors]`` loadings: those of a rotation are not."""
    return dims * factors - factors * (factors - 1) // 2


def _solved(
    matrices: Float[Array, "*batch n n"], right: Float[Array, "*batch n columns"]
) -> Float[Array, "*batch n columns"]:
    """``M⁻¹ B`` of symmetric positive definite M; NaN of others."""
    inverse = inverse_triangle(cholesky_factor(matrices))
    return xp.swapaxes(inverse, -1, -2) @ (inverse @ right)


def _expanded(
    loadings: Float[Array, "*starts components d Q"],
    offset: Float[Array, "*starts components d"],
    moments: Float[Array, "*starts components E E"],
) -> tuple[Float[Array, "*starts components d Q"], Float[Array, "*starts components d"]]:
    """The same plane in coordinates in which the factors of the rows have mean 0 and covariance I."""
    weight = moments[..., -1, -1]
    weight = xp.where(weight > 0, weight, 1.0)
    mean = moments[..., :-1, -1] / weight[..., None]
    covariance = moments[..., :-1, :-1] / weight[..., None, None] - mean[..., :, None] * mean[..., None, :]
    return loadings @ cholesky_factor(covariance), offset + (loadings @ mean[..., None])[..., 0]


def _moved(statistics: FactorSums, by: Float[Array, "*starts components d"]) -> FactorSums:
    """Statistics about the means as those of rows that are larger by so much."""
    second = statistics.moments[..., None, :, :] if statistics.second is None else statistics.second
    first, counts = statistics.cross[..., -1], second[..., -1, -1]
    return statistics._replace(
        cross=statistics.cross + by[..., None] * second[..., -1],
        squares=statistics.squares + by * (2.0 * first + by * counts),
    )
