"""The Normal distribution of a row: N(μ, Σ), held by its mean and the Cholesky factor of its covariance."""

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import cholesky_factor, inverse_triangle, xp
from tacit.compute import LOG_2PI, Array
from tacit.engine import PRNGKeyArray, jax, jnp
from tacit.families.base import ExponentialFamily, in_base
from tacit.families.numeric import ratio
from tacit.families.whitening import retriangle, whiten
from tacit.spaces import Spaces


class MultivariateNormal(ExponentialFamily):
    """``N(x; μ, L Lᵀ)`` over rows of D values, L lower triangular with a positive diagonal.

    The batches of ``means`` and ``cholesky`` broadcast: one factor ``[D, D]`` may serve K means (tied).
    ``T = (x, vec x xᵀ)``, ``η = (Σ⁻¹μ, −½ vec Σ⁻¹)``, ``A = ½ μᵀΣ⁻¹μ + ½ log|Σ|``, ``log h = −½ D log 2π``.

    Densities are computed in whitened form, and a missing entry (NaN) is summed out: ``log_prob`` is then the
    exact density of the others. A row with a missing entry gives no statistics. Marginals, conditionals and affine
    maps re-triangulate rows of L by QR, so that no covariance is formed and factorised anew.
    """

    spaces: ClassVar[Spaces] = {"cholesky": "triangular"}

    name: ClassVar[str] = "multivariate-normal"
    event_dims: ClassVar[int] = 1

    means: Float[Array, "*batch dims"]
    cholesky: Float[Array, "*factors dims dims"]

    @classmethod
    def template(cls, shape: tuple[int, ...], dims: int) -> Self:
        """Standard Normals."""
        return cls(xp.zeros((*shape, dims)), xp.broadcast_to(xp.eye(dims), (*shape, dims, dims)))

    @classmethod
    def from_covariance(
        cls, means: Float[Array, "*batch dims"], covariances: Float[Array, "*factors dims dims"]
    ) -> Self:
        """From covariance matrices; one ``[D, D]`` for all means is a tied covariance, one each a full one."""
        return cls(means, cholesky_factor(covariances))

    @classmethod
    def diagonal(cls, means: Float[Array, "*batch dims"], variances: Float[Array, "*factors dims"]) -> Self:
        """Independent columns with variances σ_j²."""
        scales = xp.sqrt(variances)
        return cls(means, scales[..., None] * xp.eye(scales.shape[-1], dtype=scales.dtype))

    @property
    def dims(self) -> int:
        """D, the number of columns."""
        return self.means.shape[-1]

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch shape that mean and factor broadcast to."""
        return xp.broadcast_shapes(self.means.shape[:-1], self.cholesky.shape[:-2])

    @property
    def covariances(self) -> Float[Array, "*factors dims dims"]:
        """``Σ = L Lᵀ``."""
        return self.cholesky @ xp.swapaxes(self.cholesky, -1, -2)

    @property
    def _log_scale(self) -> Float[Array, "*factors"]:
        """``½ log |Σ|``."""
        return xp.log(xp.diagonal(self.cholesky, axis1=-2, axis2=-1)).sum(-1)

    def log_prob(self, x: Float[Array, "*rows dims"]) -> Float[Array, "..."]:
        """Log-density of the observed entries, in nats (0 where all are missing, −inf at an infinite value)."""
        infinite = xp.isinf(x)
        parts = whiten(xp.where(infinite, 0.0, x), self.means, self.cholesky)
        value = -0.5 * (parts.distance + parts.log_det + LOG_2PI * parts.observed)
        return xp.where(infinite.any(-1), -xp.inf, value)

    def supports(self, x: Float[Array, "*rows dims"]) -> Bool[Array, "*rows dims"]:
        return xp.isfinite(x)

    def sufficient_statistics(self, x: Float[Array, "*rows dims"]) -> Float[Array, "*rows F"]:
        return outer_statistics(xp.where(self.supports(x).all(-1, keepdims=True), x, 0.0))

    def log_base(self, x: Float[Array, "*rows dims"]) -> Float[Array, "*rows"]:
        return xp.where(self.supports(x).all(-1), -0.5 * self.dims * LOG_2PI, 0.0)

    @property
    def natural(self) -> Float[Array, "*batch F"]:
        half = inverse_triangle(self.cholesky)
        whitened = xp.einsum("...ij,...j->...i", half, self.means)
        precision = xp.swapaxes(half, -1, -2) @ half
        first = xp.einsum("...ij,...i->...j", half, whitened)
        second = xp.broadcast_to(-0.5 * flat(precision), (*self.batch, self.dims**2))
        return xp.concatenate([first, second], axis=-1)

    @property
    def log_normalizer(self) -> Float[Array, "*batch"]:
        whitened = xp.einsum("...ij,...j->...i", inverse_triangle(self.cholesky), self.means)
        return 0.5 * (whitened**2).sum(-1) + self._log_scale

    @property
    def mean_parameters(self) -> Float[Array, "*batch F"]:
        second = self.covariances + self.means[..., :, None] * self.means[..., None, :]
        return xp.concatenate([xp.broadcast_to(self.means, (*self.batch, self.dims)), flat(second)], axis=-1)

    def from_natural(self, natural: Float[Array, "*batch F"]) -> Self:
        # Σ⁻¹ = U Uᵀ with U upper triangular (the Cholesky factor of the reversed matrix, reversed): L = U⁻ᵀ
        precision = -2.0 * square(natural[..., self.dims :], self.dims)
        upper = cholesky_factor(precision[..., ::-1, ::-1])[..., ::-1, ::-1]
        factor = inverse_triangle(xp.swapaxes(upper, -1, -2))
        half = xp.einsum("...ij,...j->...i", factor.mT, natural[..., : self.dims])
        return type(self)(xp.einsum("...ij,...j->...i", factor, half), factor)

    def from_mean_parameters(self, mean_parameters: Float[Array, "*batch F"]) -> Self:
        """The member with these means and second moments; NaN where the covariance is not positive definite."""
        mean = mean_parameters[..., : self.dims]
        second = square(mean_parameters[..., self.dims :], self.dims)
        return type(self).from_covariance(mean, second - mean[..., :, None] * mean[..., None, :])

    def maximise(self, statistics: Float[Array, "*batch F"], weight: Float[Array, "*batch"]) -> Self:
        seen = weight > 0
        stood_in = xp.where(seen[..., None], ratio(statistics, weight[..., None]), self.mean_parameters)
        new = self.from_mean_parameters(stood_in)
        return type(self)(
            xp.where(seen[..., None], new.means, self.means),
            xp.where(seen[..., None, None], new.cholesky, self.cholesky),
        )

    def mean(self) -> Float[Array, "*batch dims"]:
        return xp.broadcast_to(self.means, (*self.batch, self.dims))

    def variance(self) -> Float[Array, "*batch dims"]:
        return xp.broadcast_to((self.cholesky**2).sum(-1), (*self.batch, self.dims))

    def expected_log_base(self) -> Float[Array, "*batch"]:
        return xp.full(self.batch, -0.5 * self.dims * LOG_2PI, self.means.dtype)

    def entropy(self, base: float | None = None) -> Float[Array, "*batch"]:
        value = 0.5 * self.dims * (1.0 + LOG_2PI) + self._log_scale
        return in_base(xp.broadcast_to(value, self.batch), base)

    def kl_divergence(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        """``½ [‖M‖² − D − 2 log|M| + ‖L'⁻¹(μ − μ')‖²]`` with ``M = L'⁻¹ L``."""
        half = inverse_triangle(other.cholesky)
        spread = xp.einsum("...ij,...jk->...ik", half, self.cholesky)
        shift = xp.einsum("...ij,...j->...i", half, self.means - other.means)
        diagonal = xp.diagonal(spread, axis1=-2, axis2=-1)
        below = (spread**2).sum((-2, -1)) - (diagonal**2).sum(-1)
        along = (diagonal**2 - 1.0 - 2.0 * xp.log(diagonal)).sum(-1)
        return in_base(0.5 * (along + below + (shift**2).sum(-1)), base)

    def cross_entropy(self, other: Self, base: float | None = None) -> Float[Array, "..."]:
        return self.entropy(base) + self.kl_divergence(other, base)

    def sample(self, *, key: PRNGKeyArray, shape: tuple[int, ...] = ()) -> Float[Array, "..."]:
        noise = jax.random.normal(key, (*shape, *self.batch, self.dims), self.means.dtype)
        return self.means + jnp.einsum("...ij,...j->...i", self.cholesky, noise)

    def affine(self, matrix: Float[Array, "*maps outputs dims"], shift: Float[Array, "*shifts outputs"]) -> Self:
        """The distribution of ``A x + b``; A may not have more rows than columns, and needs full row rank."""
        if matrix.shape[-2] > matrix.shape[-1]:
            raise ValueError(
                f"a map from {matrix.shape[-1]} to {matrix.shape[-2]} columns has a singular covariance; "
                "give it no more rows than columns"
            )
        means = xp.einsum("...ij,...j->...i", matrix, self.means) + shift
        return type(self)(means, retriangle(matrix @ self.cholesky))

    def marginal(self, columns: Sequence[int]) -> Self:
        """The distribution of some columns, in the order given."""
        chosen = checked_columns(columns, self.dims)
        return type(self)(self.means[..., chosen], retriangle(self.cholesky[..., chosen, :]))

    def condition(self, columns: Sequence[int], values: Float[Array, "*rows given"]) -> Self:
        """The distribution of the other columns (in their order) given values of some: ``p(x_r | x_c)``.

        One factor serves all rows: only the means depend on the values, whose leading axes broadcast against
        the batch (``[rows, 1, given]`` against K components gives means ``[rows, K, rest]``).
        """
        chosen = checked_columns(columns, self.dims)
        rest = np.setdiff1d(np.arange(self.dims), chosen)
        given = len(chosen)
        if values.shape[-1] != given:
            raise ValueError(f"{given} columns are given, but each row has {values.shape[-1]} values")
        factor = retriangle(self.cholesky[..., np.concatenate([chosen, rest]), :])
        # [x_c; x_r] = μ + [[L_cc, 0], [L_rc, L_rr]] z: the values fix the first z, the others stay standard
        whitened = xp.einsum(
            "...ij,...j->...i", inverse_triangle(factor[..., :given, :given]), values - self.means[..., chosen]
        )
        shift = xp.einsum("...ij,...j->...i", factor[..., given:, :given], whitened)
        return type(self)(self.means[..., rest] + shift, factor[..., given:, given:])


def outer_statistics(x: Float[Array, "*rows dims"]) -> Float[Array, "*rows F"]:
    """``(x, vec x xᵀ)`` along one last axis of D + D² numbers."""
    return xp.concatenate([x, flat(x[..., :, None] * x[..., None, :])], axis=-1)


def flat(matrices: Float[Array, "*batch dims dims"]) -> Float[Array, "*batch squared"]:
    """``vec M``."""
    return matrices.reshape(*matrices.shape[:-2], -1)


def square(vectors: Float[Array, "*batch squared"], dims: int) -> Float[Array, "*batch dims dims"]:
    """The symmetric matrix with this vec (its symmetric part, where rounding has spoilt it)."""
    matrices = vectors.reshape(*vectors.shape[:-1], dims, dims)
    return 0.5 * (matrices + xp.swapaxes(matrices, -1, -2))


def checked_columns(columns: Sequence[int], dims: int) -> np.ndarray:
    """The numbers of distinct columns of D, as an array.

    Raises:
        ValueError: a column is named twice, or is not one of 0 … D−1.
    """
    chosen = np.asarray(columns, dtype=int)
    if len(set(chosen.tolist())) < len(chosen) or any(not 0 <= column < dims for column in chosen.tolist()):
        raise ValueError(f"columns must be distinct numbers from 0 to {dims - 1}; found {list(columns)}")
    return chosen
