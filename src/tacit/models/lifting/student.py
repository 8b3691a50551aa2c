"""Linear regression with Student's t noise: least squares with a hidden precision a row, fitted by EM.

    y | x, u ~ N(aᵀ b, σ² / u),   u ~ Gamma(ν/2, rate ν/2),   u | x, y ~ Gamma((ν + 1)/2, rate (ν + δ)/2),

with δ = (r/σ)² (Lange, Little & Taylor 1989). The M-step is that of parameter-expanded EM (Liu, Rubin & Wu 1998).
Standard errors are those of the observed information at the fit.
"""

from typing import ClassVar, NamedTuple, Self

import numpy as np
import scipy.special
from jaxtyping import Bool, Float

from tacit.arrays import Pytree, static, xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray
from tacit.families.student_t import StudentT
from tacit.inference.closed_form import Sums
from tacit.models.lifting.absolute import solve


class StudentSums(NamedTuple):
    """Expected sums under ``u | x, y``."""

    gram: Float[Array, "*starts rank rank"]
    """``Σ w u a aᵀ``."""
    slope: Float[Array, "*starts rank"]
    """``Σ w u r a``, with r the residual at the coefficients of the step."""
    square: Float[Array, "*starts"]
    """``Σ w u r²``."""
    total: Float[Array, "*starts"]
    """``Σ w u``."""
    log_total: Float[Array, "*starts"]
    """``Σ w E log u``."""
    weight: Float[Array, "*starts"]


class StudentStep(Pytree):
    """The E-step: u of every row given its residual. The bound is the log-likelihood itself."""

    coefficients: Float[Array, "*starts rank"]
    scale: Float[Array, "*starts"]
    dof: Float[Array, "*starts"]

    def __call__(
        self, rows: Float[Array, "rows width"], weights: Float[Array, " rows"], key: PRNGKeyArray | None
    ) -> Sums:
        columns, residuals = rows[:, :-1], rows[:, -1] - self.coefficients @ rows[:, :-1].T
        scale, dof = self.scale[..., None], self.dof[..., None]
        noise = StudentT(xp.zeros_like(scale), scale, dof)
        heavy, _, square, log_u = xp.moveaxis(noise.expected_statistics(residuals), -1, 0)
        heavy = weights * heavy
        sums = StudentSums(
            columns.T * heavy[..., None, :] @ columns,
            (heavy * residuals) @ columns,
            square @ weights,
            heavy.sum(-1),
            log_u @ weights,
            xp.zeros_like(self.scale) + weights.sum(),
        )
        return Sums(sums, noise.log_prob(residuals) @ weights)


class StudentRegression(Pytree):
    """``y = A b + σ t_ν``; ν is learned, or stays as it is."""

    monotone: ClassVar[bool] = True

    coefficients: Float[Array, "*starts rank"]
    scale: Float[Array, "*starts"]
    dof: Float[Array, "*starts"]
    least_scale: Float[Array, "*starts"]
    """σ is not let below: a line through many rows at once would have σ → 0 and an infinite likelihood."""
    least_dof: Float[Array, "*starts"]
    learn_dof: bool = static()

    def prepare(self) -> StudentStep:
        """The local step."""
        return StudentStep(self.coefficients, self.scale, self.dof)

    def m_step(self, statistics: StudentSums) -> Self:
        """Weighted least squares, the scale of its residuals, and ν."""
        move = solve(statistics.gram, statistics.slope)
        square = statistics.square - (move * statistics.slope).sum(-1)
        # the family's own M-step for residuals of mean 0: Σ E u, 0, Σ r² E u, Σ E log u
        sums = xp.stack([statistics.total, xp.zeros_like(square), square, statistics.log_total], axis=-1)
        noise = StudentT(xp.zeros_like(self.scale), self.scale, self.dof).maximise(sums, statistics.weight)
        return type(self)(
            self.coefficients + move,
            xp.maximum(noise.scales, self.least_scale),
            xp.maximum(noise.dofs, self.least_dof) if self.learn_dof else self.dof,
            self.least_scale,
            self.least_dof,
            self.learn_dof,
        )

    def global_bound(self) -> Float[Array, "*starts"]:
        """Nothing: maximum likelihood."""
        return xp.zeros_like(self.scale)

    def absolute(self, statistics: StudentSums) -> StudentSums:
        """Sums of y in place of those of residuals."""
        fitted = (statistics.gram @ self.coefficients[..., None])[..., 0]
        square = statistics.square + (self.coefficients * (2.0 * statistics.slope + fitted)).sum(-1)
        return statistics._replace(slope=statistics.slope + fitted, square=square)

    def relative(self, statistics: StudentSums) -> StudentSums:
        """Sums of residuals again."""
        slope = statistics.slope - (statistics.gram @ self.coefficients[..., None])[..., 0]
        square = statistics.square - (self.coefficients * (slope + statistics.slope)).sum(-1)
        return statistics._replace(slope=slope, square=square)

    def feasible(self, statistics: StudentSums) -> Bool[Array, "*starts"]:
        """Whether extrapolated sums may be those of some rows."""
        positive = (statistics.total > 0) & (statistics.weight > 0) & (statistics.square > 0)
        return positive & (xp.diagonal(statistics.gram, axis1=-2, axis2=-1) >= 0).all(-1)


def information(
    columns: Float[Array, "rows rank"], residuals: Float[Array, " rows"], weights: Float[Array, " rows"], dof: float
) -> Float[np.ndarray, "parameters parameters"]:
    """``−∂²/∂θ² Σ w log p(y|x, θ)`` with θ = (b, log σ, ν), at σ = 1.

    Args:
        columns: A.
        residuals: r, in units of σ.
        weights: copies of a row.
        dof: ν.
    """
    rank, square = columns.shape[1], residuals**2
    far = dof + square
    bend = (dof + 1.0) * (dof - square) / far**2  # −∂²/∂r²
    matrix = np.empty((rank + 2, rank + 2))
    matrix[:rank, :rank] = columns.T @ ((weights * bend)[:, None] * columns)
    # ∂r/∂b = −a, so that mixed derivatives with b change their sign
    matrix[:rank, rank] = columns.T @ (weights * 2.0 * (dof + 1.0) * dof * residuals / far**2)
    matrix[:rank, rank + 1] = -columns.T @ (weights * residuals * (square - 1.0) / far**2)
    matrix[rank, rank] = weights @ (2.0 * (dof + 1.0) * dof * square / far**2)
    matrix[rank, rank + 1] = -(weights @ (square * (square - 1.0) / far**2))
    matrix[rank + 1, rank + 1] = -(weights @ _bend_of_dof(square, dof))
    lower = np.tril_indices(rank + 2, -1)
    matrix[lower] = matrix.T[lower]
    return matrix


def _bend_of_dof(square: Float[Array, " rows"], dof: float) -> Float[np.ndarray, " rows"]:
    """``∂²/∂ν² log p``."""
    far = dof + square
    gammas = (
        0.25 * (scipy.special.polygamma(1, 0.5 * (dof + 1.0)) - scipy.special.polygamma(1, 0.5 * dof)) + 0.5 / dof**2
    )
    tail = 0.5 * square / (dof * far)
    moved = 0.5 * square * (dof * far - (dof + 1.0) * (2.0 * dof + square)) / (dof * far) ** 2
    return np.asarray(gammas + tail + moved)


def covariance(found: Float[Array, "parameters parameters"], free: int) -> Float[np.ndarray, "free free"]:
    """The inverse of the information of the first ``free`` parameters; NaN where it is not positive definite."""
    matrix = np.asarray(found)[:free, :free]
    size = np.sqrt(np.maximum(np.diagonal(matrix), 0.0))
    if not np.all(size > 0) or not np.all(np.isfinite(matrix)):
        return np.full_like(matrix, np.nan)
    values, vectors = np.linalg.eigh(matrix / np.outer(size, size))
    if values[0] <= 1e-12:
        return np.full_like(matrix, np.nan)
    return np.asarray(vectors / values @ vectors.T / np.outer(size, size))
