"""Components that are Gaussian vectors, or independent Gaussians (of x or of log x), of one covariance structure."""

import dataclasses
from collections.abc import Sequence
from typing import ClassVar, Literal, Self

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit import trees
from tacit.arrays import cholesky_factor, chosen, inverse_triangle, spread, static, upper_triangle, xp
from tacit.compute import LOG_2PI, Array
from tacit.data.blocks import Standardise
from tacit.engine import PyTree
from tacit.families.base import Distribution, Family
from tacit.families.covariance import STRUCTURES, maximise_covariances, maximise_each, maximise_variances
from tacit.families.covariance.prior import GaussianPrior
from tacit.families.log_normal import LogNormal
from tacit.families.multivariate_normal import MultivariateNormal
from tacit.families.normal import Normal
from tacit.families.numeric import unit_columns
from tacit.models.components.base import Component, ConditionedColumns, Picture
from tacit.models.components.coordinates import Chart, covariance_chart, free_components, real_chart
from tacit.models.components.errors import ErrorStep
from tacit.models.components.gaussian_statistics import ComponentMoments, Statistics, cancelling, moved, outer, resting
from tacit.models.components.missing import MissingStep
from tacit.models.components.steps import (
    LinearStep,
    Pairs,
    Squares,
    Step,
    WhitenedDiagonalStep,
    WhitenedStep,
    take,
    unpack,
)
from tacit.models.components.vectors import draw_vectors, vector_correction, vector_given
from tacit.spaces import Spaces
from tacit.structures import n_covariance_parameters

INNER = {"iterations": 4}
"""Most moves of an M-step that has no closed form: it starts from the last one, and every move raises the bound."""

Form = Literal["product", "single", "whitened", "tiles", "errors"]
"""How the E-step is computed: as matrix products, the same in float32 (in NumPy), whitened (no cancellation), tile by
missing pattern, or row by row where rows carry their own measurement errors (`tacit.models.components.errors`)."""
PRODUCTS = ("product", "single")


class GaussianComponent(Component):
    """``p(x|k) = N(μ_k, Σ_k)`` with ``Σ_k = λ_k D_k A_k D_kᵀ`` of one covariance structure.

    ``covariances`` is ``[K, d, d]``, or the variances ``[K, d]`` where the structure is diagonal. ``noise_floor`` is
    the variance ε of the noise by which every observed entry is blurred: it is the ridge of the M-step, and with its
    share ``½ tr(Σ_k⁻¹ diag ε)`` taken from the log-density the bound never falls.
    """

    spaces: ClassVar[Spaces] = {"covariances": "spread", "noise_floor": "not negative"}

    means: Float[Array, "components d"]
    covariances: Float[Array, "components d ..."]
    noise_floor: Float[Array, " d"]
    fixed_means: Bool[Array, " components"] | None
    fixed_covariances: Bool[Array, " components"] | None
    prior: GaussianPrior | None
    columns: tuple[int, ...] = static()
    structure: str = static()
    form: Form = static(default="product")
    complete: bool = static(default=True)
    log: bool = static(default=False)
    tile: int = static(default=1)
    structures: Int[Array, "*starts"] | None = None
    """Of fits of several structures side by side: that of every start, its place in ``STRUCTURES``."""

    @property
    def name(self) -> str:
        return "log-normal" if self.log else "normal"

    @property
    def symbols(self) -> tuple[str, ...]:
        return ("μ", "Σ") if self.joint else Normal.symbols

    @property
    def parameters(self) -> PyTree:
        return self.means, self.covariances

    @property
    def column_kind(self) -> str:
        return "positive" if self.log else "continuous"

    @property
    def has_prior(self) -> bool:
        return self.prior is not None

    @property
    def joint(self) -> bool:
        return not self.diagonal

    @property
    def product_form(self) -> bool:
        return self.form in PRODUCTS

    @property
    def diagonal(self) -> bool:
        """Whether only variances are kept."""
        return STRUCTURES[self.structure].diagonal

    @property
    def centred(self) -> bool:
        """Whether the step's statistics are about the means rather than about 0."""
        return self.form not in PRODUCTS

    def prepare(self) -> Step:
        return self.step(xp.zeros_like(self.means if self.diagonal else self.means[..., 0]))

    def step(self, excess: Float[Array, "..."]) -> Step:
        """The E-step with an excess taken from every log-density; of observed entries, if the structure is diagonal."""
        if self.form == "errors":
            return ErrorStep(self.means, self.covariances, self.noise_floor, self.columns, self.diagonal)
        if self.diagonal:
            return self._diagonal_step(excess)
        if self.form == "tiles":
            return MissingStep(self.means, self.covariances, self.noise_floor, excess, self.columns, self.tile)
        inverse = inverse_triangle(cholesky_factor(self.covariances))
        penalty = 0.5 * (inverse**2 * self.noise_floor[..., None, None, :]).sum((-2, -1)) + excess
        if self.form == "whitened":
            return WhitenedStep(self.means, inverse, penalty, self.columns)
        precision = xp.swapaxes(inverse, -1, -2) @ inverse
        linear = (precision @ self.means[..., None])[..., 0]
        dims = inverse.shape[-1]
        i, j = upper_triangle(dims)
        pairs = np.where(i == j, -0.5, -1.0) * precision[..., i, j]
        log_det = xp.log(xp.diagonal(inverse, axis1=-2, axis2=-1)).sum(-1)
        constant = log_det - 0.5 * (xp.sum(linear * self.means, -1) + LOG_2PI * dims) - penalty
        return LinearStep(
            Pairs(self.form == "single"), xp.concatenate([linear, pairs], axis=-1), constant, self.columns
        )

    def _diagonal_step(self, excess: Array) -> Step:
        penalty = 0.5 * self.noise_floor[..., None, :] / self.covariances + excess
        if self.centred:
            scales = xp.sqrt(self.covariances)
            return WhitenedDiagonalStep(self.means, scales, penalty, self.columns, self.complete, self.log)
        linear = self.means / self.covariances
        each = -0.5 * (linear * self.means + xp.log(self.covariances) + LOG_2PI) - penalty
        natural = [linear, -0.5 / self.covariances]
        constant = each.sum(-1) if self.complete else xp.zeros_like(each[..., 0])
        if not self.complete:
            natural.append(each)
        features = Squares(self.complete)
        return LinearStep(features, xp.concatenate(natural, axis=-1), constant, self.columns, self.log)

    def m_step(self, statistics: Statistics) -> Self:
        """Weighted maximum likelihood (or the posterior's mode) of all components under the structure."""
        counts = statistics[0]
        seen, origin, mean, scatter = self.sample_moments(statistics)
        present = seen > 0
        if self.prior is not None:
            mode = self.prior.posterior_mode(self.structure, seen if self.diagonal else counts, origin + mean, scatter)
            return self._with(mode.means, self._covariances(mode.scatter, mode.counts))
        offset = xp.where(present, mean, self.means - origin)
        if self.fixed_means is not None:
            offset = xp.where(self.fixed_means[..., None], self.means - origin, offset)
            # Σ r (x−m)(x−m)ᵀ = Σ r (x−x̄)(x−x̄)ᵀ + n (x̄−m)(x̄−m)ᵀ about a mean m that stays
            scatter = scatter + outer(seen, mean - offset, mean - offset, self.diagonal)
        return self._with(origin + offset, self._covariances(scatter, seen if self.diagonal else counts))

    def sample_moments(self, statistics: Statistics) -> ComponentMoments:
        """What the statistics say of every component."""
        counts, packed = statistics
        dims = len(self.columns)
        first = packed[..., :dims]
        if self.diagonal:
            second = packed[..., dims : 2 * dims]
            seen = xp.broadcast_to(counts[..., None], first.shape) if self.complete else packed[..., 2 * dims :]
        else:
            second = unpack(packed[..., dims:], dims)
            seen = xp.broadcast_to(counts[..., None], first.shape)
        origin = self.means if self.centred else xp.zeros_like(self.means)
        mean = first / xp.where(seen > 0, seen, 1.0)
        scatter = self._blurred(seen, second - outer(seen, mean, mean, self.diagonal))
        return ComponentMoments(seen, origin, mean, scatter)

    def absolute(self, statistics: Statistics) -> Statistics:
        """Statistics about the means (of the centred forms) as statistics about 0."""
        return (
            moved(statistics, self.means, diagonal=self.diagonal, complete=self.complete)
            if self.centred
            else statistics
        )

    def relative(self, statistics: Statistics) -> Statistics:
        """Statistics about 0 as statistics about the means, for the centred forms."""
        return (
            moved(statistics, -self.means, diagonal=self.diagonal, complete=self.complete)
            if self.centred
            else statistics
        )

    def _blurred(self, seen: Array, scatter: Array) -> Array:
        """The scatter of the blurred rows: ``+ n diag(ε)``; with tiles the statistics hold it already."""
        floor = seen * self.noise_floor[..., None, :]
        if self.diagonal:
            return xp.maximum(scatter, floor) if self.form == "errors" else xp.maximum(scatter, 0.0) + floor
        if self.form not in ("tiles", "errors"):
            scatter = scatter + spread(floor)
        # rounding may have taken what a component without width has
        return scatter + spread(xp.maximum(floor - xp.diagonal(scatter, axis1=-2, axis2=-1), 0.0))

    def _covariances(self, scatter: Array, counts: Array) -> Array:
        new: Array
        if self.structures is not None:
            new = maximise_each(np.asarray(self.structures), scatter, counts, self.covariances, **INNER)
        else:
            step = maximise_variances if self.diagonal else maximise_covariances
            new = step(self.structure, scatter, counts, self.covariances, **(INNER if not self.diagonal else {}))
        if self.fixed_covariances is None:
            return new
        kept = self.fixed_covariances[..., None]
        return xp.where(kept if self.diagonal else kept[..., None], self.covariances, new)

    def _with(self, means: Array, covariances: Array) -> Self:
        changed: Self = trees.replace(self, {"means": means, "covariances": covariances})
        return changed

    def global_bound(self, active: Bool[Array, "*starts components"]) -> Float[Array, "*starts"]:
        """The log prior density of the parameters, 0 without a prior."""
        if self.prior is None:
            return xp.zeros_like(self.means[..., 0, 0])
        return self.prior.log_prob(self.structure, self.means, self.covariances, active)

    def change_of_prior(self, view: Standardise, components: int) -> float:
        """What the log prior density gains in the user's units over that of the view."""
        if self.prior is None:
            return 0.0
        scale = np.asarray(view.scale)[list(self.columns)]
        return self.prior.change_of_units(self.structure, scale, components)

    def full_covariances(self) -> Float[Array, "*starts components d d"]:
        """``Σ_k`` as matrices, whatever the structure."""
        return spread(self.covariances) if self.diagonal else self.covariances

    def log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, "*starts rows components"]:
        """Log-density of the observed columns, whitened and without noise floor; rows in tiles if incomplete."""
        form: Form = "whitened" if self.complete or self.diagonal else "tiles"
        form = "errors" if self.form == "errors" else form
        public = dataclasses.replace(self, noise_floor=xp.zeros_like(self.noise_floor), form=form)
        return public.prepare().terms(rows)[0]

    def whitened(self) -> Self:
        return dataclasses.replace(self, form="whitened") if self.product_form else self

    def without_floor(self) -> Self:
        return dataclasses.replace(self, noise_floor=np.zeros_like(self.noise_floor))

    def plain(self) -> Component:
        structure = "VVI" if self.diagonal else "VVV"
        return dataclasses.replace(
            self, structure=structure, prior=None, fixed_means=None, fixed_covariances=None, structures=None
        )

    def with_rows(self, *, complete: bool, tile: int) -> Self:
        if self.form == "errors":
            return self
        form = self.form
        if not self.diagonal:
            form = "whitened" if form == "tiles" and complete else form if complete else "tiles"
        return dataclasses.replace(self, form=form, complete=complete, tile=tile)

    def take(self, order: Int[Array, "*starts chosen"]) -> Self:
        return dataclasses.replace(
            self,
            means=chosen(self.means, order),
            covariances=chosen(self.covariances, order),
            fixed_means=None if self.fixed_means is None else chosen(self.fixed_means, order),
            fixed_covariances=None if self.fixed_covariances is None else chosen(self.fixed_covariances, order),
        )

    def in_units(self, view: Standardise) -> Self:
        columns = np.asarray(self.columns)
        shift, scale = view.shift[columns], view.scale[columns]
        across = scale**2 if self.diagonal else scale[:, None] * scale
        prior = None if self.prior is None else self.prior.in_units(shift, scale)
        return dataclasses.replace(
            self,
            means=self.means * scale + shift,
            covariances=self.covariances * across,
            noise_floor=self.noise_floor * scale**2,
            prior=prior,
        )

    def conditioning(self) -> Float[np.ndarray, "*starts"]:
        """``max (μ² + σ²) Σ⁻¹_jj`` over components and columns: how much the product form cancels (on the host)."""
        return cancelling(np.asarray(self.means), np.asarray(self.covariances), diagonal=self.diagonal)

    def floored(self) -> Bool[np.ndarray, "*starts components columns"] | None:
        """Where the variance along a column, given the others, is little more than the noise floor or the least."""
        noise_floor = np.asarray(self.noise_floor)[..., None, :]
        return resting(np.asarray(self.covariances), noise_floor, diagonal=self.diagonal)

    def n_parameters(self) -> int:
        """Free parameters of means and covariances (fixed ones do not count)."""
        components, dims = self.means.shape
        moving = components if self.fixed_means is None else int((~self.fixed_means).sum())
        varying = components if self.fixed_covariances is None else int((~self.fixed_covariances).sum())
        return moving * dims + n_covariance_parameters(self.structure, varying, dims)

    def supports(self, x: Float[Array, "rows d"]) -> Bool[Array, "rows d"]:
        return xp.isfinite(x) & ((x > 0) | (not self.log))

    def _family(self, means: Array, variances: Array) -> Normal | LogNormal:
        normal = Normal(means, variances)
        return LogNormal(normal) if self.log else normal

    def _variances(self) -> Float[Array, "components d"]:
        return self.covariances if self.diagonal else self.covariances.diagonal(axis1=-2, axis2=-1)

    def moments(self) -> tuple[Float[Array, "components d"], Float[Array, "components d"]]:
        return self._family(self.means, self._variances()).moments()

    def draw(
        self, labels: Int[np.ndarray, " rows"], random: np.random.Generator, total: np.ndarray | None = None
    ) -> Float[np.ndarray, "rows d"]:
        means, covariances = np.asarray(self.means), np.asarray(self.covariances)
        noise = random.standard_normal((labels.size, means.shape[1]))
        if self.joint:
            return draw_vectors(means, covariances, labels, noise)
        drawn = means[labels] + np.sqrt(covariances)[labels] * noise
        return np.exp(drawn) if self.log else drawn

    def column(self, place: int) -> Distribution:
        return self._family(self.means[:, place], self._variances()[:, place])

    def marginal(self, positions: np.ndarray, places: tuple[int, ...]) -> Component:
        covariances, structure = self.covariances[:, positions], self.structure
        if self.joint:
            covariances = covariances[:, :, positions]
        if len(positions) < len(self.columns):
            # a volume or an orientation shared before is not shared by the parts left over
            structure = "VVV" if self.joint else "VVI"
        return dataclasses.replace(
            self,
            means=self.means[:, positions],
            covariances=covariances,
            noise_floor=self.noise_floor[positions],
            fixed_means=None,
            fixed_covariances=None,
            prior=None,
            columns=places,
            structure=structure,
        )

    def given(self, rows: Float[Array, "rows dims"]) -> ConditionedColumns:
        return ConditionedColumns(*vector_given(self.means, self.covariances, take(rows, self.columns), self.tile))

    def column_given(self, place: int, found: Sequence[ConditionedColumns]) -> Distribution:
        if not self.joint:
            means, variances = np.asarray(self.means), np.asarray(self.covariances)
            return self._family(means[None, :, place], variances[None, :, place])
        means = np.concatenate([each.means[..., place] for each in found])
        variances = np.concatenate([each.scales[..., place] for each in found])
        return Normal(means, variances)

    def correction(
        self,
        rows: Float[Array, "rows dims"],
        fresh: Float[Array, "rows draws d"],
        labels: Int[Array, "rows draws"],
    ) -> Float[Array, "rows draws d"]:
        return vector_correction(self.covariances, take(rows, self.columns), self.tile, fresh, labels)

    def covariance_matrices(self) -> Float[Array, "components d d"] | None:
        return self.covariances if self.joint else None

    def seeding_features(self, x: Float[np.ndarray, "rows d"]) -> Float[np.ndarray, "rows features"]:
        return unit_columns(np.log(x)) if self.log else x

    def distributions(self, *, dense: bool) -> Family | None:
        means, covariances = np.asarray(self.means), np.asarray(self.covariances)
        if not (dense or self.joint):
            return Normal(means, covariances)
        full = covariances if self.joint else covariances[..., None] * np.eye(means.shape[1])
        return MultivariateNormal(means[:, None], np.linalg.cholesky(full)[:, None])

    def values(self) -> dict[str, Array]:
        return {"means": self.means, "covariances": self.covariances}

    def with_values(self, values: dict[str, Float[Array, "..."]]) -> Self:
        return self._with(values["means"], values["covariances"])

    def charts(self) -> dict[str, Chart]:
        means, spread = np.asarray(self.means), np.sqrt(np.asarray(self._variances()))
        return {
            "means": real_chart(means, spread, free_components(self.fixed_means, means.shape[0])),
            "covariances": covariance_chart(np.asarray(self.covariances), self.structure, self.fixed_covariances),
        }

    def chart(self) -> Picture | None:
        return None if self.log else Picture("ellipses", np.asarray(self.means), np.asarray(self.full_covariances()))
