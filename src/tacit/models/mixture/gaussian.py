"""A group of continuous columns with a Gaussian density under every component."""

import dataclasses
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from tacit.compute import LOG_2PI, Array
from tacit.data.blocks import Standardise
from tacit.families.covariance import (
    STRUCTURES,
    maximise_covariances,
    maximise_variances,
    n_covariance_parameters,
)
from tacit.families.covariance.prior import GaussianPrior
from tacit.models.mixture import student
from tacit.models.mixture.missing import MissingStep
from tacit.models.mixture.steps import (
    LinearStep,
    Pairs,
    Squares,
    Step,
    WhitenedDiagonalStep,
    WhitenedStep,
    pack,
    take,
    unpack,
)

Statistics = tuple[Float[Array, " components"], Float[Array, "components f"]]
"""Counts, and the packed sums of x, of x xᵀ (or x²) and, with gaps in a diagonal structure, of what is seen."""

INNER = {"iterations": 4}
"""Most moves of an M-step that has no closed form: it starts from the last one, and every move raises the bound."""

Form = Literal["product", "whitened", "tiles"]
"""How the E-step is computed: as matrix products, whitened (no cancellation), or tile by missing pattern."""


class Moments(NamedTuple):
    """Weighted moments of the rows of every component."""

    seen: Float[Array, "components d"]
    """Weight of the observed entries."""
    origin: Float[Array, "components d"]
    mean: Float[Array, "components d"]
    """About the origin; 0 where nothing is seen."""
    scatter: Float[Array, "components d ..."]
    """About the mean, with the blur."""


class GaussianGroup(eqx.Module):
    """``p(x|k) = N(μ_k, Σ_k)`` with ``Σ_k = λ_k D_k A_k D_kᵀ`` of one covariance structure.

    ``covariances`` is ``[K, d, d]``, or the variances ``[K, d]`` where the structure is diagonal. ``blur`` is the
    variance ε of the noise by which every observed entry is blurred: it is the ridge of the M-step, and with its
    share ``½ tr(Σ_k⁻¹ diag ε)`` taken from the log-density the bound never falls.
    """

    means: Float[Array, "components d"]
    covariances: Float[Array, "components d ..."]
    blur: Float[Array, " d"]
    fixed_means: Bool[Array, " components"] | None
    fixed_covariances: Bool[Array, " components"] | None
    prior: GaussianPrior | None
    columns: tuple[int, ...] = eqx.field(static=True)
    structure: str = eqx.field(static=True)
    form: Form = eqx.field(static=True, default="product")
    complete: bool = eqx.field(static=True, default=True)
    log: bool = eqx.field(static=True, default=False)
    tile: int = eqx.field(static=True, default=1)
    dofs: Float[Array, " components"] | None = None
    """ν where the components are Student's t with these scale matrices (posterior predictives); None: Gaussian."""

    @property
    def diagonal(self) -> bool:
        """Whether only variances are kept."""
        return STRUCTURES[self.structure].diagonal

    @property
    def centred(self) -> bool:
        """Whether the step's statistics are about the means rather than about 0."""
        return self.form != "product"

    def prepare(self) -> Step:
        return self.step(jnp.zeros_like(self.means if self.diagonal else self.means[:, 0]))

    def step(self, excess: Float[Array, "components *columns"]) -> Step:
        """The E-step with an excess taken from every log-density; of observed entries, if the structure is diagonal."""
        if self.diagonal:
            return self._diagonal_step(excess)
        if self.form == "tiles":
            return MissingStep(self.means, self.covariances, self.blur, excess, self.columns, self.tile)
        factor = jnp.linalg.cholesky(self.covariances)
        identity = jnp.broadcast_to(jnp.eye(factor.shape[-1], dtype=factor.dtype), factor.shape)
        inverse = jax.scipy.linalg.solve_triangular(factor, identity, lower=True)
        penalty = 0.5 * jnp.einsum("ked,d->k", inverse**2, self.blur) + excess
        if self.form == "whitened":
            return WhitenedStep(self.means, inverse, penalty, self.columns)
        precision = jnp.einsum("ked,kef->kdf", inverse, inverse)
        linear = jnp.einsum("kde,ke->kd", precision, self.means)
        i, j = jnp.triu_indices(factor.shape[-1])
        pairs = jnp.where(i == j, -0.5, -1.0) * precision[:, i, j]
        log_det = jnp.log(jnp.diagonal(inverse, axis1=-2, axis2=-1)).sum(-1)
        constant = log_det - 0.5 * (jnp.sum(linear * self.means, -1) + LOG_2PI * factor.shape[-1]) - penalty
        return LinearStep(Pairs(), jnp.concatenate([linear, pairs], axis=1), constant, self.columns)

    def _diagonal_step(self, excess: Array) -> Step:
        penalty = 0.5 * self.blur / self.covariances + excess
        if self.centred:
            scales = jnp.sqrt(self.covariances)
            return WhitenedDiagonalStep(self.means, scales, penalty, self.columns, self.complete, self.log)
        linear = self.means / self.covariances
        each = -0.5 * (linear * self.means + jnp.log(self.covariances) + LOG_2PI) - penalty
        natural = [linear, -0.5 / self.covariances]
        constant = each.sum(-1) if self.complete else jnp.zeros(each.shape[0])
        if not self.complete:
            natural.append(each)
        features = Squares(self.complete)
        return LinearStep(features, jnp.concatenate(natural, axis=1), constant, self.columns, self.log)

    def m_step(self, statistics: tuple[Float[Array, " components"], Float[Array, "components f"]]) -> "GaussianGroup":
        """Weighted maximum likelihood (or the posterior's mode) of all components under the structure."""
        counts = statistics[0]
        seen, origin, mean, scatter = self.moments(statistics)
        present = seen > 0
        if self.prior is not None:
            mode = self.prior.posterior_mode(self.structure, seen if self.diagonal else counts, origin + mean, scatter)
            return self._with(mode.means, self._covariances(mode.scatter, mode.counts))
        offset = jnp.where(present, mean, self.means - origin)
        if self.fixed_means is not None:
            offset = jnp.where(self.fixed_means[:, None], self.means - origin, offset)
            # Σ r (x−m)(x−m)ᵀ = Σ r (x−x̄)(x−x̄)ᵀ + n (x̄−m)(x̄−m)ᵀ about a mean m that stays
            scatter = scatter + _outer(seen, mean - offset, mean - offset, self.diagonal)
        return self._with(origin + offset, self._covariances(scatter, seen if self.diagonal else counts))

    def moments(self, statistics: Statistics) -> Moments:
        """What the statistics say of every component."""
        counts, packed = statistics
        dims = len(self.columns)
        first = packed[:, :dims]
        if self.diagonal:
            second = packed[:, dims : 2 * dims]
            seen = jnp.broadcast_to(counts[:, None], first.shape) if self.complete else packed[:, 2 * dims :]
        else:
            second = unpack(packed[:, dims:], dims)
            seen = jnp.broadcast_to(counts[:, None], first.shape)
        origin = self.means if self.centred else jnp.zeros_like(self.means)
        mean = first / jnp.where(seen > 0, seen, 1.0)
        scatter = self._blurred(seen, second - _outer(seen, mean, mean, self.diagonal))
        return Moments(seen, origin, mean, scatter)

    def absolute(self, statistics: Statistics) -> Statistics:
        """Statistics about the means (of the centred forms) as statistics about 0."""
        return self._moved(statistics, self.means) if self.centred else statistics

    def relative(self, statistics: Statistics) -> Statistics:
        """Statistics about 0 as statistics about the means, for the centred forms."""
        return self._moved(statistics, -self.means) if self.centred else statistics

    def _moved(self, statistics: Statistics, by: Float[Array, "components d"]) -> Statistics:
        """``Σ r (x+b) = Σ r x + n b`` and ``Σ r (x+b)(x+b)ᵀ = Σ r xxᵀ + s bᵀ + b sᵀ + n b bᵀ``."""
        counts, packed = statistics
        dims = len(self.columns)
        first, second = packed[:, :dims], packed[:, dims:]
        if self.diagonal:
            squares, seen = second[:, :dims], second[:, dims:]
            mass = counts[:, None] if self.complete else seen
            parts = [first + mass * by, squares + 2.0 * first * by + mass * by**2, seen]
            return counts, jnp.concatenate(parts, axis=1)
        cross = first[:, :, None] * by[:, None]
        square = cross + jnp.swapaxes(cross, 1, 2) + counts[:, None, None] * by[:, :, None] * by[:, None]
        return counts, jnp.concatenate([first + counts[:, None] * by, second + pack(square)], axis=1)

    def _blurred(self, seen: Array, scatter: Array) -> Array:
        """The scatter of the blurred rows: ``+ n diag(ε)``; with tiles the statistics hold it already."""
        if self.diagonal:
            return jnp.maximum(scatter, 0.0) + seen * self.blur
        return scatter if self.form == "tiles" else scatter + seen[:, :1, None] * jnp.diag(self.blur)

    def _covariances(self, scatter: Array, counts: Array) -> Array:
        step = maximise_variances if self.diagonal else maximise_covariances
        new = step(self.structure, scatter, counts, self.covariances, **(INNER if not self.diagonal else {}))
        if self.fixed_covariances is None:
            return new
        kept = self.fixed_covariances.reshape(-1, *(1,) * (new.ndim - 1))
        return jnp.where(kept, self.covariances, new)

    def _with(self, means: Array, covariances: Array) -> "GaussianGroup":
        return eqx.tree_at(lambda group: (group.means, group.covariances), self, (means, covariances))

    def global_bound(self, active: Bool[Array, " components"]) -> Float[Array, ""]:
        """The log prior density of the parameters, 0 without a prior."""
        if self.prior is None:
            return jnp.zeros(())
        return self.prior.log_prob(self.structure, self.means, self.covariances, active)

    def change_of_prior(self, view: Standardise, components: int) -> float:
        """What the log prior density gains in the user's units over that of the view."""
        if self.prior is None:
            return 0.0
        scale = np.asarray(view.scale)[list(self.columns)]
        return self.prior.change_of_units(self.structure, scale, components)

    def full_covariances(self) -> Float[Array, "components d d"]:
        """``Σ_k`` as matrices, whatever the structure."""
        return jax.vmap(jnp.diag)(self.covariances) if self.diagonal else self.covariances

    def log_prob(self, rows: Float[Array, "rows dims"]) -> Float[Array, "rows components"]:
        """Log-density of the group's observed columns, whitened and without blur; rows in tiles if incomplete."""
        if self.dofs is not None:
            x = take(rows, self.columns)
            return student.log_prob(self.means, self.covariances, self.dofs, x, None if self.complete else self.tile)
        public = eqx.tree_at(lambda group: group.blur, self, jnp.zeros_like(self.blur))
        form: Form = "whitened" if self.complete or self.diagonal else "tiles"
        return public.with_form(form).prepare().terms(rows)[0]

    def with_form(self, form: Form) -> "GaussianGroup":
        """The same density, computed in another form."""
        return self._replace(form=form)

    def with_rows(self, *, complete: bool, tile: int) -> "GaussianGroup":
        """The same density for rows with or without gaps; those with gaps come in tiles of one pattern."""
        form = self.form
        if not self.diagonal:
            form = "whitened" if form == "tiles" and complete else form if complete else "tiles"
        return self._replace(form=form, complete=complete, tile=tile)

    def take(self, order: Int[Array, " components"]) -> "GaussianGroup":
        """The group with components chosen and ordered by index."""
        return self._replace(
            means=self.means[order],
            covariances=self.covariances[order],
            fixed_means=None if self.fixed_means is None else self.fixed_means[order],
            fixed_covariances=None if self.fixed_covariances is None else self.fixed_covariances[order],
            dofs=None if self.dofs is None else self.dofs[order],
        )

    def in_units(self, view: Standardise) -> "GaussianGroup":
        """The density of the user's values, from that of values centred and scaled at the door."""
        columns = np.asarray(self.columns)
        shift, scale = view.shift[columns], view.scale[columns]
        across = scale**2 if self.diagonal else scale[:, None] * scale
        prior = None if self.prior is None else self.prior.in_units(shift, scale)
        return self._replace(
            means=self.means * scale + shift,
            covariances=self.covariances * across,
            blur=self.blur * scale**2,
            prior=prior,
        )

    def _replace(self, **changes: Any) -> "GaussianGroup":
        return dataclasses.replace(self, **changes)

    def conditioning(self) -> Float[np.ndarray, "*starts"]:
        """``max (μ² + σ²) Σ⁻¹_jj`` over components and columns: how much the product form cancels (on the host)."""
        means, covariances = np.asarray(self.means), np.asarray(self.covariances)
        if self.diagonal:
            return np.asarray(np.max(means**2 / covariances + 1.0, axis=(-1, -2)))
        variance = np.diagonal(covariances, axis1=-2, axis2=-1)
        return np.asarray(np.max((means**2 + variance) * _precision_diagonal(covariances), axis=(-1, -2)))

    def floored(self) -> Bool[Array, "*starts components d"]:
        """Where the variance along a column, given the others, is little more than the blur (on the host)."""
        covariances, blur = np.asarray(self.covariances), np.asarray(self.blur)[..., None, :]
        if self.diagonal:
            return covariances < 2.0 * blur
        return _precision_diagonal(covariances) * blur > 0.5

    def n_parameters(self) -> int:
        """Free parameters of means and covariances (fixed ones do not count)."""
        components, dims = self.means.shape
        moving = components if self.fixed_means is None else int((~self.fixed_means).sum())
        varying = components if self.fixed_covariances is None else int((~self.fixed_covariances).sum())
        return moving * dims + n_covariance_parameters(self.structure, varying, dims)


def _outer(weight: Array, a: Array, b: Array, diagonal: bool) -> Array:
    if diagonal:
        return weight * a * b
    return weight[:, :1, None] * a[:, :, None] * b[:, None, :]


def _precision_diagonal(covariances: np.ndarray) -> np.ndarray:
    """The diagonal of ``Σ_k⁻¹``; infinite where Σ_k is singular or not a number."""
    try:
        return np.diagonal(np.linalg.inv(covariances), axis1=-2, axis2=-1)
    except np.linalg.LinAlgError:
        if covariances.ndim == 2:
            return np.full(covariances.shape[0], np.inf)
        return np.stack([_precision_diagonal(matrix) for matrix in covariances])
