"""The E-step of linear latent factors, ``x = μ + Λ z + ε`` with z ~ N(0, I_Q) and ε ~ N(0, diag ψ), gaps and all.

With S the 0/1 mask of what is seen of a row and r = S (x − μ), all is matrix products and Cholesky factors of [Q, Q]:

    G = I + Σ_d S_d λ_d λ_dᵀ / ψ_d,   z | x_o ~ N(G⁻¹ h, G⁻¹),   h = Σ_d r_d λ_d / ψ_d,
    log p(x_o) = −½ (Σ_d S_d (r_d − λ_d·ẑ)² / ψ_d + ‖ẑ‖² + log|G| + Σ_d S_d log 2πψ_d)

(Bishop 2006, section 12.2; Ghahramani & Hinton 1996). Statistics are those of a regression of every column on
z̃ = (z, 1): ``A_d = Σ S_d E[z̃ z̃ᵀ]``, ``b_d = Σ r_d E[z̃]``, ``c_d = Σ r_d²``.
"""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.arrays import cholesky_factor, filled, inverse_triangle, static, xp
from tacit.compute import LOG_2PI, Array
from tacit.models.components.steps import Step, take
from tacit.models.factors.along import inverses, packed, places, products, unpacked


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
        return self._of_complete(x) if self.complete else self._of_gaps(x)

    def _of_complete(self, x: Float[Array, "rows d"]) -> LatentPosterior:
        """One covariance is that of all rows."""
        scaled, residual = self.loadings / self.noise[..., None], x - self.means[..., None, :]
        gram = xp.swapaxes(scaled, -1, -2) @ self.loadings + xp.eye(self.loadings.shape[-1], dtype=x.dtype)
        factor = cholesky_factor(gram)
        inverse = inverse_triangle(factor)
        covariance = xp.swapaxes(inverse, -1, -2) @ inverse
        mean = residual @ scaled @ covariance
        distance = self._distance(mean @ xp.swapaxes(self.loadings, -1, -2), residual) + (mean**2).sum(-1)
        log_det = 2.0 * xp.log(xp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
        constant = log_det + xp.log(self.noise).sum(-1) + LOG_2PI * x.shape[1]
        log_prob = -0.5 * (distance + constant[..., None])
        return LatentPosterior(mean, covariance[..., None, :, :], log_prob, residual, None)

    def _of_gaps(self, x: Float[Array, "rows d"]) -> LatentPosterior:
        """A covariance a row; matrices of the factors are laid with the rows last."""
        factors, scaled = self.loadings.shape[-1], self.loadings / self.noise[..., None]
        values, seen = filled(x)
        residual = values - self.means[..., None, :]
        residual *= seen
        across, log_noise = xp.swapaxes(self.loadings, -1, -2), xp.log(self.noise) + LOG_2PI
        squares = xp.concatenate([products(across) / self.noise[..., None, :], log_noise[..., None, :]], axis=-2)
        sums = squares @ seen.T
        gram = unpacked(sums[..., :-1, :], factors) + xp.eye(factors, dtype=x.dtype)[..., None]
        covariance, log_det = inverses(gram)
        projected = xp.swapaxes(scaled, -1, -2) @ xp.swapaxes(residual, -1, -2)
        mean = (covariance * projected[..., None, :, :]).sum(-2)
        rows_first = xp.swapaxes(mean, -1, -2)
        fitted = rows_first @ across
        fitted *= seen
        distance = self._distance(fitted, residual) + (mean**2).sum(-2)
        log_prob = -0.5 * (distance + log_det + sums[..., -1, :])
        return LatentPosterior(rows_first, xp.moveaxis(covariance, -1, -3), log_prob, residual, seen)

    def _distance(
        self, fitted: Float[Array, "*starts components rows d"], residual: Float[Array, "*starts components rows d"]
    ) -> Float[Array, "*starts components rows"]:
        """``Σ_d (r_d − λ_d·ẑ)² / ψ_d``; what is ``fitted`` is overwritten."""
        fitted -= residual
        fitted *= fitted
        return (fitted @ (1.0 / self.noise)[..., None])[..., 0]

    def terms(self, rows: Float[Array, "rows dims"]) -> tuple[Float[Array, "*starts rows components"], LatentPosterior]:
        found = self.posterior(rows)
        return xp.swapaxes(found.log_prob, -1, -2), found

    def statistics(
        self, memo: LatentPosterior, responsibilities: Float[Array, "*starts rows components"]
    ) -> FactorSums:
        shares = xp.swapaxes(responsibilities, -1, -2)
        mean = xp.concatenate([xp.swapaxes(memo.mean, -1, -2), xp.ones_like(shares[..., None, :])], axis=-2)
        weighted = shares[..., None, :] * mean
        squares = (shares[..., None, :] @ memo.residual**2)[..., 0, :]
        cross = xp.swapaxes(weighted @ memo.residual, -1, -2)
        if memo.seen is None:
            spread = shares.sum(-1)[..., None, None] * memo.covariance[..., 0, :, :]
            wide = [(0, 0)] * (spread.ndim - 2) + [(0, 1), (0, 1)]
            return FactorSums(xp.pad(spread, wide) + weighted @ xp.swapaxes(mean, -1, -2), None, cross, squares)
        each = packed(xp.moveaxis(memo.covariance, -3, -1)) + products(mean[..., :-1, :])
        each = xp.concatenate([shares[..., None, :] * each, weighted], axis=-2)
        order = _bordered(mean.shape[-2] - 1)
        second = xp.swapaxes(each @ memo.seen, -1, -2)[..., order]
        return FactorSums(each.sum(-1)[..., order], second, cross, squares)


@functools.cache
def _bordered(factors: int) -> np.ndarray:
    """Where the entries of ``E[z̃ z̃ᵀ]`` lie among the pairs of z, followed by z and 1."""
    pairs = places(factors)
    edge = pairs.size and pairs.max() + 1
    found = np.full((factors + 1, factors + 1), edge + factors)
    found[:-1, :-1] = pairs
    found[-1, :-1] = found[:-1, -1] = edge + np.arange(factors)
    return found
