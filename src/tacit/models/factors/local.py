"""The E-step of linear latent factors, ``x = μ + Λ z + ε`` with z ~ N(0, I_Q) and ε ~ N(0, diag ψ), gaps and all.

With S the 0/1 mask of what is seen of a row and r = S (x − μ), all is matrix products and Cholesky factors of [Q, Q]:

    G = I + Σ_d S_d λ_d λ_dᵀ / ψ_d,   z | x_o ~ N(G⁻¹ h, G⁻¹),   h = Σ_d r_d λ_d / ψ_d,
    log p(x_o) = −½ (Σ_d S_d (r_d − λ_d·ẑ)² / ψ_d + ‖ẑ‖² + log|G| + Σ_d S_d log 2πψ_d)

(Bishop 2006, section 12.2; Ghahramani & Hinton 1996). Statistics are those of a regression of every column on
z̃ = (z, 1): ``A_d = Σ S_d E[z̃ z̃ᵀ]``, ``b_d = Σ r_d E[z̃]``, ``c_d = Σ r_d²``.
"""

from typing import NamedTuple

from jaxtyping import Float

from tacit.arrays import cholesky_factor, inverse_triangle, static, xp
from tacit.compute import LOG_2PI, Array
from tacit.models.components.steps import Step, take


class FactorSums(NamedTuple):
    """Expected statistics of K groups of rows, about their means; z̃ has E = Q + 1 entries."""

    moments: Float[Array, "*starts components E E"]
    """``Σ E[z̃ z̃ᵀ]``; its last entry is the sum of the weights."""
    second: Float[Array, "*starts components d E E"] | None
    """``A_d``, over the rows where the column is seen; None where all are."""
    cross: Float[Array, "*starts components d E"]
    """``b_d``."""
    squares: Float[Array, "*starts components d"]
    """``c_d``."""

    @property
    def counts(self) -> Float[Array, "*starts components d"]:
        """The weight of the rows where a column is seen."""
        if self.second is not None:
            return self.second[..., -1, -1]
        return xp.broadcast_to(self.moments[..., -1, -1][..., None], self.squares.shape)


class LatentPosterior(NamedTuple):
    """What is seen of rows says this of their factors."""

    mean: Float[Array, "*starts components rows Q"]
    """``E[z | x_o]``."""
    covariance: Float[Array, "*starts components #rows Q Q"]
    """``Cov[z | x_o]``; one for all rows where nothing is missing."""
    log_prob: Float[Array, "*starts components rows"]
    """``log p(x_o)`` in nats."""
    residual: Float[Array, "*starts components rows d"]
    """``x − μ``, 0 where missing."""
    seen: Float[Array, "rows d"] | None
    """1 of an entry that is seen; None where all are."""


class FactorStep(Step):
    """The share of factor-analytic components in an E-step."""

    means: Float[Array, "*starts components d"]
    loadings: Float[Array, "*starts components d Q"]
    noise: Float[Array, "*starts components d"]
    columns: tuple[int, ...] = static()
    complete: bool = static()

    def posterior(self, rows: Float[Array, "rows dims"]) -> LatentPosterior:
        """The factors of every row under every component, and the density of what is seen."""
        x = take(rows, self.columns)
        factors, scaled = self.loadings.shape[-1], self.loadings / self.noise[..., None]
        eye = xp.eye(factors, dtype=x.dtype)
        if self.complete:
            seen, residual = None, x - self.means[..., None, :]
            gram = xp.swapaxes(scaled, -1, -2) @ self.loadings + eye
            gram = gram[..., None, :, :]
            log_noise = xp.log(self.noise).sum(-1)[..., None] + LOG_2PI * x.shape[1]
        else:
            there = ~xp.isnan(x)
            seen = there.astype(x.dtype)
            residual = xp.where(there, xp.where(there, x, 0.0) - self.means[..., None, :], 0.0)
            squares = (scaled[..., :, None] * self.loadings[..., None, :]).reshape(*scaled.shape[:-1], factors**2)
            gram = (seen @ squares).reshape(*residual.shape[:-1], factors, factors) + eye
            log_noise = (seen @ (xp.log(self.noise) + LOG_2PI)[..., None])[..., 0]
        factor = cholesky_factor(gram)
        inverse = inverse_triangle(factor)
        covariance = xp.swapaxes(inverse, -1, -2) @ inverse
        projected = residual @ scaled
        mean = projected @ covariance[..., 0, :, :] if self.complete else (covariance @ projected[..., None])[..., 0]
        rest = residual - mean @ xp.swapaxes(self.loadings, -1, -2)
        rest = rest if seen is None else rest * seen
        distance = (rest**2 @ (1.0 / self.noise)[..., None])[..., 0] + (mean**2).sum(-1)
        log_det = 2.0 * xp.log(xp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
        return LatentPosterior(mean, covariance, -0.5 * (distance + log_det + log_noise), residual, seen)

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "*starts rows components"], LatentPosterior]:
        found = self.posterior(rows)
        return xp.swapaxes(found.log_prob, -1, -2), found

    def statistics(
        self, memo: LatentPosterior, responsibilities: Float[Array, "*starts rows components"]
    ) -> FactorSums:
        shares = xp.swapaxes(responsibilities, -1, -2)[..., None]
        mean = xp.concatenate([memo.mean, xp.ones_like(memo.mean[..., :1])], axis=-1)
        weighted = shares * mean
        wide = [(0, 0)] * (memo.covariance.ndim - 2) + [(0, 1), (0, 1)]
        spread = xp.pad(memo.covariance, wide)
        squares = ((shares * memo.residual) * memo.residual).sum(-2)
        cross = xp.swapaxes(memo.residual, -1, -2) @ weighted
        if memo.seen is None:
            total = shares.sum(-2)[..., None] * spread[..., 0, :, :]
            return FactorSums(total + xp.swapaxes(weighted, -1, -2) @ mean, None, cross, squares)
        each = shares[..., None] * spread + weighted[..., :, None] * mean[..., None, :]
        flat = each.reshape(*each.shape[:-2], -1)
        second = (memo.seen.T @ flat).reshape(*squares.shape, *each.shape[-2:])
        return FactorSums(each.sum(-3), second, cross, squares)
