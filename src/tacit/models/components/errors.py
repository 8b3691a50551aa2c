"""The E-step of Gaussian components whose rows carry measurement errors of their own: extreme deconvolution.

The true values are ``v ~ N(μ_k, Σ_k)`` and what is seen is ``x = v + e`` with ``e ~ N(0, S_n)``, S_n known; so
``x ~ N(μ_k, Σ_k + S_n)``. With ``P = (Σ_k + S_n)⁻¹`` over what is seen of a row and ``w = P (x − μ_k)``,

    E[v] = μ_k + Σ_k w,    Cov[v] = Σ_k − Σ_k P Σ_k

enter the statistics (Bovy, Hogg & Roweis 2011). A gap is an error without end: the same formulas as those of gaps, with
``Σ_oo + S_oo`` for ``Σ_oo``.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from tacit.arrays import cholesky_factor, inverse_triangle, spread, static, xp
from tacit.compute import LOG_2PI, Array
from tacit.models.components.steps import Step, pack, take, unpack


def error_columns(dims: int) -> tuple[int, ...]:
    """Where the upper triangle of S_n stands in a row: behind its d values."""
    return tuple(range(dims, dims + dims * (dims + 1) // 2))


class ErrorStep(Step):
    """A Gaussian vector seen with errors; rows hold x, then the upper triangle of S_n.

    Statistics are about the means.
    """

    means: Float[Array, "*starts components d"]
    covariances: Float[Array, "..."]
    """``[*starts, K, d, d]``, or the variances ``[*starts, K, d]`` where the structure is diagonal."""
    noise_floor: Float[Array, "*starts d"]
    """Variance of the noise floor of every observed entry: it enters the bound and the statistics alike."""
    columns: tuple[int, ...] = static()
    diagonal: bool = static()

    def _full(self) -> Array:
        return spread(self.covariances) if self.diagonal else self.covariances

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "*starts rows components"], Any]:
        x = take(rows, self.columns)
        errors = unpack(take(rows, error_columns(len(self.columns))), len(self.columns))
        seen = ~xp.isnan(x)
        both = (seen[:, :, None] & seen[:, None, :])[:, None]
        identity = np.eye(len(self.columns), dtype=x.dtype)
        total = xp.where(both, self._full()[..., None, :, :, :] + errors[:, None], identity)
        factor = cholesky_factor(total)
        inverse = inverse_triangle(factor)
        precision = xp.where(both, xp.swapaxes(inverse, -1, -2) @ inverse, 0.0)
        centred = xp.where(seen[:, None], x[:, None] - self.means[..., None, :, :], 0.0)
        weighted = (precision @ centred[..., None])[..., 0]
        log_det = 2.0 * xp.log(xp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
        own = xp.diagonal(precision, axis1=-2, axis2=-1)
        noise = (own * self.noise_floor[..., None, None, :]).sum(-1)
        constant = log_det + seen.sum(-1)[:, None] * LOG_2PI + noise
        return -0.5 * ((weighted * centred).sum(-1) + constant), (weighted, precision)

    def statistics(self, memo: Any, responsibilities: Float[Array, "*starts rows components"]) -> Any:
        weighted, precision = memo
        counts, covariances = responsibilities.sum(-2), self._full()
        shared = responsibilities[..., None] * weighted
        first = (shared.sum(-3)[..., None, :] @ covariances)[..., 0, :]
        inner = xp.einsum("...nkd,...nke->...kde", shared, weighted)
        scaled = responsibilities[..., None, None] * precision
        noisy = scaled * self.noise_floor[..., None, None, None, :]
        blurred = xp.einsum("...nkde,...nkef->...kdf", noisy, precision)
        inner = inner - scaled.sum(-4) + blurred
        second = counts[..., None, None] * covariances + covariances @ inner @ covariances
        packed = xp.diagonal(second, axis1=-2, axis2=-1) if self.diagonal else pack(second)
        return counts, xp.concatenate([first, packed], axis=-1)

    def true_values(self, rows: Float[Array, "rows dims"]) -> Float[Array, "rows components d"]:
        """``E[v|x, k] = μ_k + Σ_k w``."""
        weighted = self.terms(rows)[1][0]
        return self.means + (weighted[..., None, :] @ self._full())[..., 0, :]
