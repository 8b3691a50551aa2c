"""The E-step of a Gaussian vector with gaps: condition on what is seen, tile by tile of one missing pattern.

``E[x_m|x_o,k] = μ_m + Σ_mo Σ_oo⁻¹ (x_o − μ_o)`` and ``Cov = Σ_mm − Σ_mo Σ_oo⁻¹ Σ_om`` both enter the statistics
(Little & Rubin 2019, section 11.2): without the covariance the fit collapses.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from tacit.arrays import cholesky_factor, inverse_triangle, static, xp
from tacit.compute import LOG_2PI, Array
from tacit.models.components.steps import Step, pack, take


class Conditionals(NamedTuple):
    """For every tile and component, what the pattern of the tile implies."""

    seen: Bool[Array, "tiles d"]
    precision: Float[Array, "*starts tiles components d d"]
    """``Σ_oo⁻¹``, zero elsewhere."""
    log_det: Float[Array, "*starts tiles components"]
    """``log det Σ_oo``."""


def conditionals(covariances: Float[Array, "*starts components d d"], seen: Bool[Array, "tiles d"]) -> Conditionals:
    """Condition every component on every pattern; missing rows and columns are read as those of the identity."""
    both = (seen[:, :, None] & seen[:, None, :])[:, None]
    identity = np.eye(covariances.shape[-1], dtype=covariances.dtype)
    factor = cholesky_factor(xp.where(both, covariances[..., None, :, :, :], identity))
    inverse = inverse_triangle(factor)
    precision = xp.where(both, xp.swapaxes(inverse, -1, -2) @ inverse, 0.0)
    log_det = 2.0 * xp.log(xp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
    return Conditionals(seen, precision, log_det)


class MissingStep(Step):
    """A Gaussian vector whose rows come in tiles of one missing pattern; statistics are about the means."""

    means: Float[Array, "*starts components d"]
    covariances: Float[Array, "*starts components d d"]
    noise_floor: Float[Array, "*starts d"]
    """Variance of the noise floor of every observed entry: it enters the bound and the statistics alike."""
    excess: Float[Array, "*starts components"]
    """Taken from every log-density."""
    columns: tuple[int, ...] = static()
    tile: int = static()

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "*starts rows components"], Any]:
        x = take(rows, self.columns)
        x = x.reshape(-1, self.tile, x.shape[-1])
        known = conditionals(self.covariances, ~xp.isnan(x[:, 0]))
        centred = xp.where(known.seen[:, None, None], x[:, :, None] - self.means[..., None, None, :, :], 0.0)
        weighted = xp.einsum("...gtkd,...gkde->...gtke", centred, known.precision)
        distance = xp.sum(weighted * centred, -1)
        own = xp.diagonal(known.precision, axis1=-2, axis2=-1)
        noise = (own * self.noise_floor[..., None, None, :]).sum(-1)
        constant = known.log_det + known.seen.sum(-1)[:, None] * LOG_2PI + noise
        logits = -0.5 * (distance + constant[..., None, :]) - self.excess[..., None, None, :]
        return logits.reshape(*self.means.shape[:-2], rows.shape[0], -1), (weighted, known)

    def statistics(self, memo: Any, responsibilities: Float[Array, "*starts rows components"]) -> Any:
        weighted, known = memo
        shares = responsibilities.reshape(weighted.shape[:-1])
        mass = shares.sum(-2)
        counts = responsibilities.sum(-2)
        # With P = Σ_oo⁻¹ and w = P (x − μ): E[x] − μ = Σ w, Cov[x|x_o] = Σ − Σ P Σ, and the floor of what is seen is
        # carried to Σ P E P Σ; so the sums over rows are of w, w wᵀ − P + P E P, and Σ goes around them once.
        shared = shares[..., None] * weighted
        first = (shared.sum((-4, -3))[..., None, :] @ self.covariances)[..., 0, :]
        inner = xp.einsum("...gtkd,...gtke->...kde", shared, weighted)
        scaled = mass[..., None, None] * known.precision
        noisy = scaled * self.noise_floor[..., None, None, None, :]
        blurred = xp.einsum("...gkde,...gkef->...kdf", noisy, known.precision)
        inner = inner - scaled.sum(-4) + blurred
        second = counts[..., None, None] * self.covariances + self.covariances @ inner @ self.covariances
        return counts, xp.concatenate([first, pack(second)], axis=-1)
