"""The E-step of a Gaussian vector with gaps: condition on what is seen, tile by tile of one missing pattern.

``E[x_m|x_o,k] = μ_m + Σ_mo Σ_oo⁻¹ (x_o − μ_o)`` and ``Cov = Σ_mm − Σ_mo Σ_oo⁻¹ Σ_om`` both enter the statistics
(Little & Rubin 2019, section 11.2): without the covariance the fit collapses.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from tacit.compute import LOG_2PI, Array
from tacit.models.components.steps import Step, pack, take


class Conditionals(NamedTuple):
    """For every tile and component, what the pattern of the tile implies."""

    seen: Bool[Array, "tiles d"]
    precision: Float[Array, "tiles components d d"]
    """``Σ_oo⁻¹``, zero elsewhere."""
    log_det: Float[Array, "tiles components"]
    """``log det Σ_oo``."""


def conditionals(covariances: Float[Array, "components d d"], seen: Bool[Array, "tiles d"]) -> Conditionals:
    """Condition every component on every pattern; missing rows and columns are read as those of the identity."""
    both = (seen[:, :, None] & seen[:, None, :])[:, None]
    identity = jnp.eye(covariances.shape[-1], dtype=covariances.dtype)
    factor = jnp.linalg.cholesky(jnp.where(both, covariances, identity))
    inverse = jax.scipy.linalg.solve_triangular(factor, jnp.broadcast_to(identity, factor.shape), lower=True)
    precision = jnp.where(both, jnp.swapaxes(inverse, -1, -2) @ inverse, 0.0)
    log_det = 2.0 * jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
    return Conditionals(seen, precision, log_det)


class MissingStep(Step):
    """A Gaussian vector whose rows come in tiles of one missing pattern; statistics are about the means."""

    means: Float[Array, "components d"]
    covariances: Float[Array, "components d d"]
    noise_floor: Float[Array, " d"]
    """Variance of the noise floor of every observed entry: it enters the bound and the statistics alike."""
    excess: Float[Array, " components"]
    """Taken from every log-density."""
    columns: tuple[int, ...] = eqx.field(static=True)
    tile: int = eqx.field(static=True)

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "rows components"], Any]:
        x = take(rows, self.columns)
        x = x.reshape(-1, self.tile, x.shape[-1])
        known = conditionals(self.covariances, ~jnp.isnan(x[:, 0]))
        centred = jnp.where(known.seen[:, None, None], x[:, :, None] - self.means, 0.0)
        weighted = jnp.einsum("gtkd,gkde->gtke", centred, known.precision)
        distance = jnp.sum(weighted * centred, -1)
        noise = jnp.einsum("gkdd,d->gk", known.precision, self.noise_floor)
        constant = known.log_det + known.seen.sum(-1)[:, None] * LOG_2PI + noise
        logits = -0.5 * (distance + constant[:, None]) - self.excess
        return logits.reshape(-1, self.means.shape[0]), (weighted, known)

    def statistics(self, memo: Any, responsibilities: Float[Array, "rows components"]) -> Any:
        weighted, known = memo
        shares = responsibilities.reshape(*weighted.shape[:3])
        mass = shares.sum(1)
        counts = responsibilities.sum(0)
        # With P = Σ_oo⁻¹ and w = P (x − μ): E[x] − μ = Σ w, Cov[x|x_o] = Σ − Σ P Σ, and the noise floor of what is seen is
        # carried to Σ P E P Σ; so the sums over rows are of w, w wᵀ − P + P E P, and Σ goes around them once.
        shared = shares[..., None] * weighted
        first = jnp.einsum("kd,kde->ke", shared.sum((0, 1)), self.covariances)
        inner = jnp.einsum("gtkd,gtke->kde", shared, weighted)
        scaled = mass[..., None, None] * known.precision
        blurred = jnp.einsum("gkde,gkef->kdf", scaled * self.noise_floor, known.precision)
        inner = inner - scaled.sum(0) + blurred
        second = counts[:, None, None] * self.covariances + self.covariances @ inner @ self.covariances
        return counts, jnp.concatenate([first, pack(second)], axis=1)
