"""Gaussian components with a posterior over its means and precisions (Bishop 2006, section 10.2).

    μ_k | Λ_k ~ N(m, (κ Λ_k)⁻¹)
    Λ_k       ~ Wishart(ν, V⁻¹)              "full"; "tied": one Λ for all components
    Λ_kj      ~ Gamma(ν/2, rate V_j/2)       "diag": a precision a column
    Λ_k       ~ Gamma(dν/2, rate dV/2)       "spherical": one precision for all d columns

Under q, ``E log N(x|μ,Λ) = log N(x | m, E[Λ]⁻¹) − excess``, with an excess free of x: so the E-step is that of a
Gaussian with the mean m and the covariance ``E[Λ]⁻¹ = V/ν``, in whatever form. A gap in a vector is a latent value of
its row, whose best q given the component is Gaussian with just this mean and covariance, conditioned on what is seen.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Bool, Float, Int, PyTree

from tacit.arrays import cholesky_factor, chosen, solve_triangle, special, static, xp
from tacit.arrays import spread as diagonal_matrices
from tacit.compute import Array
from tacit.data.blocks import Standardise
from tacit.families.numeric import log_multigamma
from tacit.families.predictive import LogStudentT
from tacit.families.student_t import StudentT
from tacit.models.components.base import Component, ComponentPosterior
from tacit.models.components.gaussian import Form, GaussianComponent
from tacit.models.components.gaussian_statistics import Statistics, outer
from tacit.models.components.product import FamilyComponent
from tacit.models.components.steps import Step
from tacit.models.components.student import StudentComponent
from tacit.models.components.wishart import Kind, NormalWishartPrior, gaussian_entries, precision_draws
from tacit.spaces import Spaces


class NormalWishartComponent(ComponentPosterior):
    """``q(μ_k, Λ_k)`` of every component.

    ``covariances`` is ``E[Λ_k]⁻¹``: ``[K, d, d]``, or ``[K, d]`` of "diag" and "spherical". The counts κ and ν are
    ``[K]`` or, where columns have gaps of their own, ``[K, d]``. ``noise`` is the
    noise floor of a ``GaussianComponent``, but no floor: the prior holds every component.
    """

    spaces: ClassVar[Spaces] = {
        "covariances": "spread",
        "pulls": "positive",
        "dofs": "positive",
        "noise": "not negative",
    }

    means: Float[Array, "components d"]
    covariances: Float[Array, "components d ..."]
    pulls: Float[Array, "components *d"]
    """κ_k."""
    dofs: Float[Array, "components *d"]
    """ν_k; of "tied" the same for all."""
    noise: Float[Array, " d"]
    """ε, the variance of the noise floor of every observed entry."""
    prior: NormalWishartPrior
    columns: tuple[int, ...] = static()
    kind: Kind = static()
    form: Form = static(default="product")
    complete: bool = static(default=True)
    log: bool = static(default=False)
    tile: int = static(default=1)

    @classmethod
    def template(
        cls,
        prior: NormalWishartPrior,
        width: int,
        columns: tuple[int, ...],
        kind: Kind,
        *,
        noise: Float[Array, " d"],
        complete: bool,
        log: bool = False,
    ) -> Self:
        """Components of which nothing is known but the prior.

        Their means are the origin of the view, about which the first statistics are taken, and not yet the prior's.
        """
        dims = len(columns)
        diagonal = kind in ("diag", "spherical")
        pulls = np.array(np.broadcast_to(prior.shrinkage, (width, dims) if diagonal else (width,)))
        dofs = np.array(np.broadcast_to(prior.dof, (width, dims) if kind == "diag" else (width,)))
        covariances = np.ones((width, dims)) if diagonal else np.tile(np.eye(dims), (width, 1, 1))
        return cls(
            np.zeros((width, dims)), covariances, pulls, dofs, noise, prior, columns, kind, complete=complete, log=log
        )

    @property
    def name(self) -> str:
        return "log-normal" if self.log else "normal"

    @property
    def symbols(self) -> tuple[str, ...]:
        return "μ", "τ" if self.diagonal else "Λ"

    @property
    def parameters(self) -> PyTree:
        return self.means, self.covariances, self.pulls, self.dofs

    @property
    def joint(self) -> bool:
        return not self.diagonal

    @property
    def product_form(self) -> bool:
        return self.form == "product"

    @property
    def diagonal(self) -> bool:
        """Whether only variances are kept."""
        return self.kind in ("diag", "spherical")

    @property
    def point(self) -> GaussianComponent:
        """The Gaussians of the expected precisions."""
        structure = "VVI" if self.diagonal else "VVV"
        return GaussianComponent(
            self.means,
            self.covariances,
            self.noise,
            None,
            None,
            None,
            self.columns,
            structure,
            self.form,
            self.complete,
            self.log,
            self.tile,
        )

    def prepare(self) -> Step:
        return self.point.step(self._excess())

    def _excess(self) -> Float[Array, "..."]:
        """``½ (log det E[Λ] − E log det Λ + d/κ)``; column by column where the structure is along the axes."""
        dims = self.means.shape[-1]
        if not self.diagonal:
            return 0.5 * (self._gap() + dims / self.pulls)
        gap = self._gap()
        return 0.5 * ((gap if self.kind == "diag" else gap[..., None]) + 1.0 / self.pulls)

    def _gap(self) -> Float[Array, "..."]:
        """``log det E[Λ] − E log det Λ`` ≥ 0: of a matrix, or of one precision."""
        dims = self.means.shape[-1]
        if not self.diagonal:
            halves = 0.5 * (self.dofs[..., None] - np.arange(dims))
            return (xp.log(0.5 * self.dofs)[..., None] - special.digamma(halves)).sum(-1)
        shape = self._shape(self.dofs)
        return xp.log(shape) - special.digamma(shape)

    def _shape(self, dof: Array) -> Array:
        """The shape of the gamma density of one precision; its rate is that times the expected variance."""
        return 0.5 * dof * (self.means.shape[-1] if self.kind == "spherical" else 1.0)

    @property
    def _shared(self) -> NormalWishartPrior:
        """The prior, its arrays ready to meet those of the components: an axis of 1 stands for these."""
        starts, prior = self.means.ndim - 2, self.prior

        def by_column(values: Array) -> Array:
            return values[..., None, :] if values.ndim > starts else values[..., None, None]

        scale = xp.expand_dims(prior.scale, starts)
        return NormalWishartPrior(prior.mean[..., None, :], by_column(prior.shrinkage), scale, by_column(prior.dof))

    def m_step(self, statistics: Statistics) -> Self:
        """The conjugate posterior of means and precisions under expected statistics."""
        seen, origin, mean, scatter = self.point.sample_moments(statistics)
        prior, dims = self._shared, self.means.shape[-1]
        offset = xp.where(seen > 0, origin + mean - prior.mean, 0.0)
        pulls = prior.shrinkage + seen
        means = prior.mean + seen / pulls * offset
        weight = prior.shrinkage * seen / pulls
        dofs: Array
        covariances: Array
        if self.diagonal:
            total = scatter + weight * offset**2
            if self.kind == "spherical":
                dofs = (prior.dof + seen.mean(-1, keepdims=True))[..., 0]
                spread = prior.scale.mean(-1) + total.mean(-1)
                covariances = xp.repeat((spread / dofs)[..., None], dims, axis=-1)
            else:
                dofs = prior.dof + seen
                covariances = (prior.scale + total) / dofs
            return self._with(means, covariances, pulls, dofs)
        counts = seen[..., 0]
        total = scatter + outer(weight, offset, offset, diagonal=False)
        if self.kind == "tied":
            dofs = prior.dof[..., 0] + xp.zeros_like(counts) + counts.sum(-1, keepdims=True)
            shared = (prior.scale + total.sum(-3, keepdims=True)) / dofs[..., :1, None, None]
            covariances = xp.broadcast_to(shared, total.shape)
        else:
            dofs = prior.dof[..., 0] + counts
            covariances = (prior.scale + total) / dofs[..., None, None]
        return self._with(means, covariances, pulls[..., 0], dofs)

    def _with(self, means: Array, covariances: Array, pulls: Array, dofs: Array) -> Self:
        return dataclasses.replace(self, means=means, covariances=covariances, pulls=pulls, dofs=dofs)

    def absolute(self, statistics: Statistics) -> Statistics:
        """Statistics about the means (of the centred forms) as statistics about 0."""
        return self.point.absolute(statistics)

    def relative(self, statistics: Statistics) -> Statistics:
        """Statistics about 0 as statistics about the means, for the centred forms."""
        return self.point.relative(statistics)

    def global_bound(self, active: Bool[Array, "*starts components"]) -> Float[Array, "*starts"]:
        """``−KL(q(μ,Λ)‖p(μ,Λ))`` of all components."""
        means = xp.where(active, self._divergence_of_means(), 0.0).sum(-1)
        precisions = self._divergence_of_precisions()
        if self.kind == "tied":
            return -means - precisions[..., 0]
        return -means - xp.where(active, precisions, 0.0).sum(-1)

    def _divergence_of_means(self) -> Float[Array, "*starts components"]:
        """``E KL(q(μ|Λ)‖p(μ|Λ)) = ½ Σ_j (ρ_j − 1 − log ρ_j) + ½ κ₀ (m−m₀)ᵀ E[Λ] (m−m₀)``, ``ρ = κ₀/κ``."""
        prior, dims = self._shared, self.means.shape[-1]
        offset, shrinkage = self.means - prior.mean, prior.shrinkage if self.diagonal else prior.shrinkage[..., 0]
        ratio = shrinkage / self.pulls
        apart = ratio - 1.0 - xp.log(ratio)
        if self.diagonal:
            return 0.5 * (apart + shrinkage * offset**2 / self.covariances).sum(-1)
        white = solve_triangle(cholesky_factor(self.covariances), offset[..., None])[..., 0]
        return 0.5 * (dims * apart + shrinkage * (white**2).sum(-1))

    def _divergence_of_precisions(self) -> Float[Array, "*starts components"]:
        """``KL`` of the Wishart, or of the gamma densities, summed over columns."""
        prior, dims = self._shared, self.means.shape[-1]
        dof = prior.dof if self.kind == "diag" else prior.dof[..., 0]
        if self.diagonal:
            scale = prior.scale if self.kind == "diag" else prior.scale.mean(-1)
            spread = self.covariances if self.kind == "diag" else self.covariances[..., 0]
            a, b = self._shape(self.dofs), self._shape(self.dofs) * spread
            a0, b0 = self._shape(dof), self._shape(scale)
            each = (
                (a - a0) * special.digamma(a)
                - special.gammaln(a)
                + special.gammaln(a0)
                + a0 * xp.log(b / b0)
                + a * (b0 / b - 1.0)
            )
            return each.sum(-1) if self.kind == "diag" else each
        log_det = -_log_det(self.covariances)  # of E[Λ]
        expected = log_det - self._gap()
        share = xp.linalg.solve(self.covariances, xp.broadcast_to(prior.scale, self.covariances.shape))
        trace = self.dofs * dims - xp.trace(share, axis1=-2, axis2=-1)  # tr (V − V₀) E[Λ]
        own = _log_wishart_norm(self.dofs, dims * xp.log(self.dofs) - log_det, dims)
        first = _log_wishart_norm(dof, _log_det(prior.scale), dims)
        return 0.5 * (self.dofs - dof) * expected - 0.5 * trace - own + first

    def predictive(self) -> Component:
        """The density of a new row given the component: Student's t, its parameters integrated out."""
        dims, spread = len(self.columns), self.covariances
        dofs: Array
        scales: Array
        if self.kind == "diag":
            student = StudentT(self.means, xp.sqrt(spread * (1.0 + 1.0 / self.pulls)), self.dofs)
            return FamilyComponent(LogStudentT(student) if self.log else student, None, None, self.columns, 2 * dims)
        if self.kind == "spherical":
            dofs = dims * self.dofs
            scales = diagonal_matrices(spread * (1.0 + 1.0 / self.pulls))
        else:
            dofs = self.dofs - dims + 1.0
            scales = spread * (self.dofs / dofs * (1.0 + 1.0 / self.pulls))[:, None, None]
        return StudentComponent(self.means, scales, dofs, self.columns)

    def expected(self) -> Component:
        """The components at ``E[μ_k]`` and ``E[Λ_k]⁻¹``."""
        return dataclasses.replace(self.point, noise_floor=xp.zeros_like(self.noise), form="whitened", complete=True)

    def in_units(self, view: Standardise) -> Self:
        columns = np.asarray(self.columns)
        shift, scale = np.asarray(view.shift)[columns], np.asarray(view.scale)[columns]
        across = scale**2 if self.diagonal else scale[:, None] * scale
        prior = NormalWishartPrior(
            self.prior.mean * scale + shift, self.prior.shrinkage, self.prior.scale * across, self.prior.dof
        )
        return dataclasses.replace(
            self,
            means=self.means * scale + shift,
            covariances=self.covariances * across,
            noise=self.noise * scale**2,
            prior=prior,
        )

    def whitened(self) -> Self:
        return dataclasses.replace(self, form="whitened") if self.product_form else self

    def with_rows(self, *, complete: bool, tile: int) -> Self:
        form = self.point.with_rows(complete=complete, tile=tile).form
        return dataclasses.replace(self, form=form, complete=complete, tile=tile)

    def take(self, order: Int[Array, "*starts chosen"]) -> Self:
        return self._with(*(chosen(part, order) for part in (self.means, self.covariances, self.pulls, self.dofs)))

    def conditioning(self) -> Float[np.ndarray, "*starts"]:
        return self.point.conditioning()

    def n_parameters(self) -> int:
        """Free parameters of the Gaussians."""
        (components, dims), triangle = self.means.shape, len(self.columns) * (len(self.columns) + 1) // 2
        spread = {"full": components * triangle, "tied": triangle, "diag": components * dims, "spherical": components}
        return components * dims + spread[self.kind]

    def draw_parameters(
        self, number: int, random: np.random.Generator
    ) -> tuple[Component, Float[np.ndarray, " draws"]]:
        means, covariances, ratio = precision_draws(
            self.means, self.covariances, self.pulls, self.dofs, self.prior, self.kind, number, random
        )
        structure = "VVI" if self.diagonal else "VVV"
        noise_floor = np.zeros((number, len(self.columns)))
        drawn = GaussianComponent(
            means, covariances, noise_floor, None, None, None, self.columns, structure, "whitened", log=self.log
        )
        return drawn, ratio

    def entries(self, drawn: Component, columns: Sequence[str]) -> list[tuple[str, Float[np.ndarray, " draws"]]]:
        means, covariances = (np.asarray(value) for value in drawn.values().values())
        return gaussian_entries(means, covariances, columns)

    def parameter_moments(self) -> tuple[Float[np.ndarray, "components p"], Float[np.ndarray, "components p"]]:
        means, covariances = np.asarray(self.means), np.asarray(self.covariances)
        spread = covariances if self.diagonal else np.diagonal(covariances, axis1=1, axis2=2)
        dofs = np.asarray(self.dofs).reshape(len(means), -1)
        pulls = np.asarray(self.pulls).reshape(len(means), -1)
        sds = [np.sqrt(spread / pulls), spread * np.sqrt(2.0 / dofs)]
        return np.concatenate([means, spread], axis=1), np.concatenate(np.broadcast_arrays(*sds), axis=1)


def _log_det(matrices: Float[Array, "*batch d d"]) -> Float[Array, "*batch"]:
    factor = cholesky_factor(matrices)
    return 2.0 * xp.log(xp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)


def _log_wishart_norm(dof: Array, log_det: Array, dims: int) -> Array:
    """``log ∫ |Λ|^{(ν−d−1)/2} exp(−½ tr VΛ) dΛ`` from ``log det V``."""
    return 0.5 * dof * (dims * math.log(2.0) - log_det) + log_multigamma(0.5 * dof, dims)
