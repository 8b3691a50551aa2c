"""Student's t, of one value and of a row: a Normal whose precision is multiplied by a hidden gamma variable u.

    x | u ~ N(μ, Σ / u),   u ~ Gamma(ν/2, rate ν/2),   u | x ~ Gamma((ν + D)/2, rate (ν + δ)/2),

with δ the squared distance (x − μ)ᵀ Σ⁻¹ (x − μ) (Lange, Little & Taylor 1989; Liu & Rubin 1995).
"""

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
import scipy.special
from jaxtyping import Bool, Float

from tacit.arrays import cholesky_factor, inverse_triangle, xp
from tacit.compute import LOG_2PI, Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import Family, Parameter, in_base
from tacit.families.gamma import shape_from_gap
from tacit.families.multivariate_normal import checked_columns, outer_statistics, square
from tacit.families.numeric import digamma_gap, on_support, stirling_excess, tiny
from tacit.families.scale_mixture import expected_log_excess
from tacit.families.whitening import retriangle, whiten
from tacit.spaces import Spaces

DOF_RANGE = (0.1, 1e6)
"""Where the M-step looks for ν: below, hardly a density; above, a Normal to six digits."""


class StudentT(Family):
    """``p(x) = Γ((ν+1)/2) / (Γ(ν/2) √(νπ) σ) · (1 + ((x−μ)/σ)²/ν)^(−(ν+1)/2)`` with scale σ.

    The statistics are expectations under ``u | x`` at ``self``: ``(E u, x E u, x² E u, E log u)``.
    """

    name: ClassVar[str] = "student-t"
    standardised: ClassVar[bool] = True
    symbols: ClassVar[tuple[str, ...]] = ("μ", "σ", "ν")
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("locations", "real"),
        Parameter("scales", "positive"),
        Parameter("dofs", "positive", 0.99 * DOF_RANGE[1]),
    )
    exponential: ClassVar[bool] = False

    locations: Float[Array, "..."]
    scales: Float[Array, "..."]
    dofs: Float[Array, "..."]

    @classmethod
    def template(cls, shape: tuple[int, ...]) -> Self:
        """Location 0, scale 1, 4 degrees of freedom."""
        return cls(xp.zeros(shape), xp.ones(shape), xp.full(shape, 4.0))

    def log_prob(self, x: Float[Array, "..."], noise_floor: Float[Array, "..."] | float = 0.0) -> Float[Array, "..."]:
        """Log-density in nats; with ``noise_floor`` ε its bound for a value blurred by noise of that variance.

        Under q(u), one for all the noise, the bound is the log-density with ``(x − μ)² + ε`` for the square.
        """
        ok = self.supports(x)
        square = ((xp.where(ok, x, 0.0) - self.locations) ** 2 + noise_floor) / self.scales**2
        value = log_density(square, 2.0 * xp.log(self.scales), xp.ones(()), self.dofs)
        return on_support(ok, x, value)

    def supports(self, x: Float[Array, "..."]) -> Bool[Array, "..."]:
        return xp.isfinite(x)

    def expected_statistics(
        self, x: Float[Array, "..."], noise_floor: Float[Array, "..."] | float = 0.0
    ) -> Float[Array, "..."]:
        ok = self.supports(x)
        safe = xp.where(ok, x, 0.0)
        weight, log_weight = _local(((safe - self.locations) ** 2 + noise_floor) / self.scales**2, 1, self.dofs)
        parts = xp.broadcast_arrays(weight, weight * safe, weight * (safe**2 + noise_floor), log_weight)
        return xp.where(ok[..., None], xp.stack(parts, axis=-1), 0.0)

    def maximise(self, statistics: Float[Array, "..."], weight: Float[Array, "..."]) -> Self:
        """The M-step over μ, σ and ν, exact for the statistics given: see ``_best_dof``. It never falls."""
        seen = weight > 0
        total = xp.where(seen, statistics[..., 0], 1.0)
        location = statistics[..., 1] / total
        square = statistics[..., 2] / total - location**2
        # the mean of squares less the square of the mean is not known below the rounding of its terms
        resolution = xp.finfo(square.dtype).eps * statistics[..., 2] / total + tiny(square)
        dof = _best_dof(statistics[..., 0], statistics[..., 3], weight)
        return type(self)(
            xp.where(seen, location, self.locations),
            xp.where(seen, xp.sqrt(xp.maximum(square, resolution)), self.scales),
            xp.where(seen, dof, self.dofs),
        )

    @property
    def spread(self) -> Float[Array, "..."]:
        """σ², which shrinks to the noise floor when a component collapses on few values."""
        return xp.asarray(self.scales) ** 2

    def mean(self) -> Float[Array, "..."]:
        """μ, NaN where ν ≤ 1."""
        return xp.where(xp.asarray(self.dofs) > 1.0, self.locations, xp.nan) + 0.0 * self.scales

    def variance(self) -> Float[Array, "..."]:
        """``σ² ν / (ν − 2)``, infinite where ν ≤ 2 and NaN where ν ≤ 1."""
        return _inflation(self.dofs) * xp.asarray(self.scales) ** 2 + 0.0 * self.locations

    def entropy(self, base: float | None = None) -> Float[Array, "..."]:
        return in_base(xp.log(self.scales) + _standard_entropy(1, self.dofs) + 0.0 * self.locations, base)

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        """``−E_p log q``, by quadrature."""
        relative = (self.scales / other.scales) ** 2
        shift = (self.locations - other.locations) / other.scales
        excess = expected_log_excess(self.dofs, other.dofs, relative[..., None], shift[..., None])
        peak = log_density(xp.zeros(()), 2.0 * xp.log(other.scales), xp.ones(()), other.dofs)
        return in_base(0.5 * (other.dofs + 1.0) * excess - peak, base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        return xp.maximum(self.cross_entropy(other, base) - self.entropy(base), 0.0)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        batch = jnp.broadcast_shapes(self.locations.shape, self.scales.shape, self.dofs.shape)
        noise, stretch = _draw(key, (*shape, *batch), jnp.broadcast_to(self.dofs, batch), 1)
        return self.locations + self.scales * noise[..., 0] * stretch

    def affine(self, scale: Float[Array, "..."], shift: Float[Array, "..."]) -> Self:
        """The distribution of ``scale · x + shift``."""
        return type(self)(scale * self.locations + shift, xp.abs(scale) * self.scales, self.dofs)

    def draw(self, random: np.random.Generator, total: np.ndarray | None = None) -> np.ndarray:
        return np.asarray(self.locations) + np.asarray(self.scales) * random.standard_t(self.dofs)

    def cdf(self, x: np.ndarray) -> np.ndarray:
        return scipy.special.stdtr(self.dofs, (x - self.locations) / self.scales)

    def in_units(self, scale: Float[Array, "..."], shift: Float[Array, "..."]) -> Self:
        return self.affine(scale, shift)

    def location_scale(self) -> tuple[np.ndarray, np.ndarray]:
        return np.asarray(self.locations), np.asarray(self.scales)

    def moments(self) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
        # a member so wide that it has no mean must not take that of all others away
        return self.locations, xp.where(self.dofs > 2.0, self.variance(), xp.inf)


class MultivariateStudentT(Family):
    """Student's t of a row: location μ, scale matrix ``Σ = L Lᵀ`` (not the covariance) and ν degrees of freedom.

    The statistics are expectations under ``u | x`` at ``self``: ``(E u, x E u, vec x xᵀ E u, E log u)``. A missing
    entry (NaN) is summed out of ``log_prob``; a row with one gives no statistics.
    """

    spaces: ClassVar[Spaces] = {"cholesky": "triangular", "dofs": "positive"}

    name: ClassVar[str] = "multivariate-student-t"
    event_dims: ClassVar[int] = 1
    exponential: ClassVar[bool] = False

    locations: Float[Array, "*batch dims"]
    cholesky: Float[Array, "*batch dims dims"]
    dofs: Float[Array, "*batch"]

    @classmethod
    def template(cls, shape: tuple[int, ...], dims: int) -> Self:
        """Location 0, the identity as scale matrix, 4 degrees of freedom."""
        eye = xp.broadcast_to(xp.eye(dims), (*shape, dims, dims))
        return cls(xp.zeros((*shape, dims)), eye, xp.full(shape, 4.0))

    @property
    def dims(self) -> int:
        """D, the number of columns."""
        return self.locations.shape[-1]

    @property
    def _log_scale(self) -> Float[Array, "*batch"]:
        return xp.log(xp.diagonal(self.cholesky, axis1=-2, axis2=-1)).sum(-1)

    def log_prob(self, x: Float[Array, "*rows dims"]) -> Float[Array, "..."]:
        """Log-density of the observed entries, in nats (0 where all are missing, −inf at an infinite value)."""
        infinite = xp.isinf(x)
        parts = whiten(xp.where(infinite, 0.0, x), self.locations, self.cholesky)
        value = log_density(parts.distance, parts.log_det, parts.observed, self.dofs)
        return xp.where(infinite.any(-1), -xp.inf, value)

    def supports(self, x: Float[Array, "*rows dims"]) -> Bool[Array, "*rows dims"]:
        return xp.isfinite(x)

    def expected_statistics(self, x: Float[Array, "*rows dims"]) -> Float[Array, "..."]:
        ok = xp.asarray(self.supports(x)).all(-1)
        safe = xp.where(ok[..., None], x, 0.0)
        distance = whiten(safe, self.locations, self.cholesky).distance
        weight, log_weight = _local(distance, self.dims, self.dofs)
        ones = xp.ones_like(safe[..., :1])
        products = weight[..., None] * xp.concatenate([ones, outer_statistics(safe)], axis=-1)
        return xp.where(ok[..., None], xp.concatenate([products, log_weight[..., None]], axis=-1), 0.0)

    def maximise(self, statistics: Float[Array, "*batch F"], weight: Float[Array, "*batch"]) -> Self:
        """The M-step over μ, Σ and ν, exact for the statistics given: see ``_best_dof``. It never falls.

        NaN where the scale matrix is not positive definite.
        """
        seen, dims = weight > 0, self.dims
        total = xp.where(seen, statistics[..., 0], 1.0)
        location = statistics[..., 1 : dims + 1] / total[..., None]
        second = square(statistics[..., dims + 1 : -1], dims) / total[..., None, None]
        matrix = second - location[..., :, None] * location[..., None, :]
        eye = xp.eye(dims, dtype=matrix.dtype)
        factor = cholesky_factor(xp.where(seen[..., None, None], matrix, eye))
        dof = _best_dof(statistics[..., 0], statistics[..., -1], weight)
        return type(self)(
            xp.where(seen[..., None], location, self.locations),
            xp.where(seen[..., None, None], factor, self.cholesky),
            xp.where(seen, dof, self.dofs),
        )

    def mean(self) -> Float[Array, "*batch dims"]:
        """μ, NaN where ν ≤ 1."""
        return xp.where(xp.asarray(self.dofs)[..., None] > 1.0, self.locations, xp.nan)

    def variance(self) -> Float[Array, "*batch dims"]:
        """``Σ_jj ν / (ν − 2)``, infinite where ν ≤ 2 and NaN where ν ≤ 1."""
        return _inflation(self.dofs)[..., None] * (self.cholesky**2).sum(-1)

    def entropy(self, base: float | None = None) -> Float[Array, "*batch"]:
        return in_base(self._log_scale + _standard_entropy(self.dims, self.dofs), base)

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        """``−E_p log q``, by quadrature in two dimensions whatever D is."""
        half = inverse_triangle(other.cholesky)
        # the axes in which the squared distance of q, seen from p, is a sum of independent squares
        axes, lengths, _ = xp.linalg.svd(xp.einsum("...ij,...jk->...ik", half, self.cholesky))
        shift = xp.einsum("...ij,...j->...i", half, self.locations - other.locations)
        along = xp.einsum("...ij,...i->...j", axes, shift)
        excess = expected_log_excess(self.dofs, other.dofs, lengths**2, along)
        dims = xp.asarray(self.dims, excess.dtype)
        peak = log_density(xp.zeros(()), 2.0 * other._log_scale, dims, other.dofs)
        return in_base(0.5 * (other.dofs + self.dims) * excess - peak, base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        return xp.maximum(self.cross_entropy(other, base) - self.entropy(base), 0.0)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        noise, stretch = _draw(key, (*shape, *self.dofs.shape), self.dofs, self.dims)
        tilted = jnp.einsum("...ij,...j->...i", self.cholesky, noise)
        return self.locations + tilted * stretch[..., None]

    def affine(self, matrix: Float[Array, "outputs dims"], shift: Float[Array, " outputs"]) -> Self:
        """The distribution of ``A x + b``; A may not have more rows than columns, and needs full row rank."""
        if matrix.shape[0] > matrix.shape[1]:
            raise ValueError(
                f"a map from {matrix.shape[1]} to {matrix.shape[0]} columns has a singular scale matrix; "
                "give it no more rows than columns"
            )
        locations = xp.einsum("ij,...j->...i", matrix, self.locations) + shift
        return type(self)(locations, retriangle(matrix @ self.cholesky), self.dofs)

    def marginal(self, columns: Sequence[int]) -> Self:
        """The distribution of some columns, in the order given: a t with the same ν."""
        chosen = checked_columns(columns, self.dims)
        return type(self)(self.locations[..., chosen], retriangle(self.cholesky[..., chosen, :]), self.dofs)


def _local(
    distance: Float[Array, "..."], dims: int, dof: Float[Array, "..."]
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """``E[u | x] = (ν + D)/(ν + δ)`` and ``E[log u | x] = ψ((ν + D)/2) − log((ν + δ)/2)``."""
    weight = (dof + dims) / (dof + distance)
    return weight, xp.log(weight) - digamma_gap(0.5 * (dof + dims))


def _best_dof(
    total: Float[Array, "..."], log_total: Float[Array, "..."], weight: Float[Array, "..."]
) -> Float[Array, "..."]:
    """ν from Σ E u and Σ E log u, the M-step of parameter-expanded EM (Liu, Rubin & Wu 1998, section 4.2).

    The complete data are allowed u ~ α Gamma(ν/2, ν/2). Their maximum has α = Σ E u / W, which multiplies the
    precision (so Σ is the scatter over Σ E u and not over W), and ν the solution of
    ``log(ν/2) − ψ(ν/2) = log(Σ E u / W) − Σ E log u / W``: faster than EM in μ and Σ, and like it never falling.
    """
    heavy = xp.where(weight > 0, weight, 1.0)
    mean = xp.where(weight > 0, total, 1.0) / heavy
    gap = xp.log(mean) - log_total / heavy
    return xp.clip(2.0 * shape_from_gap(gap), *DOF_RANGE)


def log_density(
    distance: Float[Array, "..."], log_det: Float[Array, "..."], dims: Float[Array, "..."], dof: Float[Array, "..."]
) -> Float[Array, "..."]:
    """log p from δ, log|Σ|, the number of observed entries and ν."""
    tail = 0.5 * (dof + dims) * xp.log1p(distance / dof)
    return _log_gamma_step(0.5 * dof, 0.5 * dims) - 0.5 * (dims * LOG_2PI + log_det) - tail


def _log_gamma_step(a: Float[Array, "..."], h: Float[Array, "..."]) -> Float[Array, "..."]:
    """``log Γ(a + h) − log Γ(a) − h log a``: small where a is large, and computed so."""
    # log Γ(z) = excess(z) + z log z − z − log z
    grown = (a + h) * xp.log1p(h / a) - h
    return stirling_excess(a + h) - stirling_excess(a) - xp.log1p(h / a) + grown


def _standard_entropy(dims: int, dof: Float[Array, "..."]) -> Float[Array, "..."]:
    """``−log p(μ) + ½ (ν + D) [ψ((ν + D)/2) − ψ(ν/2)]`` with the identity as scale matrix."""
    a, h = 0.5 * dof, 0.5 * dims
    peak = log_density(xp.zeros(()), xp.zeros(()), xp.asarray(float(dims), a.dtype), dof)
    return (a + h) * (xp.log1p(h / a) - digamma_gap(a + h) + digamma_gap(a)) - peak


def _inflation(dof: Float[Array, "..."]) -> Float[Array, "..."]:
    """Variance over squared scale: ν/(ν − 2), infinite where ν ≤ 2, NaN where ν ≤ 1."""
    dof = xp.asarray(dof)
    finite = dof / xp.where(dof > 2.0, dof - 2.0, 1.0)
    return xp.where(dof > 2.0, finite, xp.where(dof > 1.0, xp.inf, xp.nan))


def _draw(
    key: PRNGKeyArray, shape: tuple[int, ...], dof: Float[Array, "..."], dims: int
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """Standard Normal draws ``[*shape, D]`` and what each is stretched by, 1/√u."""
    direction, length = jax.random.split(key)
    log_u = jax.random.loggamma(length, 0.5 * dof, shape, dof.dtype) - jnp.log(0.5 * dof)
    return jax.random.normal(direction, (*shape, dims), dof.dtype), jnp.exp(-0.5 * log_u)
