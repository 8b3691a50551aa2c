"""Priors of loadings in deviations of the columns: normal, of relevance (ARD), and sparse.

The M-step maximises the expected log-likelihood and the log prior in turn over loadings, noise and what the prior
itself has to learn (ECM, Meng & Rubin 1993), so the bound never falls.
"""

import abc
import dataclasses
from typing import ClassVar, Self

from jaxtyping import Float

from tacit.arrays import Pytree, cholesky_factor, inverse_triangle, spread, xp
from tacit.compute import LOG_2PI, Array
from tacit.spaces import Spaces

SWEEPS = 8
"""Of coordinate descent in an M-step under a sparse prior."""


class LoadingPrior(Pytree):
    """What is believed of loadings before there are rows."""

    @abc.abstractmethod
    def log_prob(self, loadings: Float[Array, "*starts components d Q"]) -> Float[Array, "*starts"]:
        """The log density of the loadings, and of what the prior has learnt, in nats."""

    @abc.abstractmethod
    def mode(
        self,
        second: Float[Array, "*starts components #d Q Q"],
        cross: Float[Array, "*starts components d Q"],
        noise: Float[Array, "*starts components d"],
        loadings: Float[Array, "*starts components d Q"],
    ) -> Float[Array, "*starts components d Q"]:
        """Loadings that are at least as likely as those at hand.

        Args:
            second: ``Σ E[z zᵀ]`` about its mean, over the rows where the column is seen.
            cross: ``Σ x E[z]``, likewise.
            noise: ψ.
            loadings: those at hand.
        """

    def learnt(self, loadings: Float[Array, "*starts components d Q"]) -> Self:
        """The prior once it has learnt from the loadings what it leaves open."""
        return self


class NormalLoadings(LoadingPrior):
    """``λ_dk ~ N(0, 1/τ)``, which shrinks all loadings alike and leaves their rotation open."""

    spaces: ClassVar[Spaces] = {"precision": "positive"}

    precision: Float[Array, "*starts"]
    """τ."""

    def log_prob(self, loadings: Float[Array, "*starts components d Q"]) -> Float[Array, "*starts"]:
        size = loadings.shape[-1] * loadings.shape[-2] * loadings.shape[-3]
        squares = (loadings**2).sum((-3, -2, -1))
        return 0.5 * (size * (xp.log(self.precision) - LOG_2PI) - self.precision * squares)

    def mode(
        self,
        second: Float[Array, "*starts components #d Q Q"],
        cross: Float[Array, "*starts components d Q"],
        noise: Float[Array, "*starts components d"],
        loadings: Float[Array, "*starts components d Q"],
    ) -> Float[Array, "*starts components d Q"]:
        ridge = (noise * self.precision[..., None, None])[..., None]
        return _ridge(second, cross, xp.broadcast_to(ridge, cross.shape))


class RelevantFactors(LoadingPrior):
    """``λ_dk ~ N(0, 1/α_k)``, ``α_k ~ Gamma(1, rate)``: a factor that the rows do not need vanishes.

    α is maximised with the loadings (Bishop 1999): ``α_k = D / (Σ_d λ²_dk + 2 rate)``, which is bounded, so that the
    fit ends.
    """

    spaces: ClassVar[Spaces] = {"precisions": "positive", "rate": "positive"}

    precisions: Float[Array, "*starts components Q"]
    """α."""
    rate: Float[Array, "*starts"]

    def log_prob(self, loadings: Float[Array, "*starts components d Q"]) -> Float[Array, "*starts"]:
        dims, alpha = loadings.shape[-2], self.precisions
        each = 0.5 * (dims * (xp.log(alpha) - LOG_2PI) - alpha * (loadings**2).sum(-2))
        return (each + xp.log(self.rate)[..., None, None] - self.rate[..., None, None] * alpha).sum((-2, -1))

    def mode(
        self,
        second: Float[Array, "*starts components #d Q Q"],
        cross: Float[Array, "*starts components d Q"],
        noise: Float[Array, "*starts components d"],
        loadings: Float[Array, "*starts components d Q"],
    ) -> Float[Array, "*starts components d Q"]:
        return _ridge(second, cross, noise[..., None] * self.precisions[..., None, :])

    def learnt(self, loadings: Float[Array, "*starts components d Q"]) -> Self:
        size = (loadings**2).sum(-2) + 2.0 * self.rate[..., None, None]
        return dataclasses.replace(self, precisions=loadings.shape[-2] / size)


class SparseLoadings(LoadingPrior):
    """``λ_dk ~ Laplace(0, 1/rate)``: small loadings are 0 (Tibshirani 1996)."""

    spaces: ClassVar[Spaces] = {"rate": "positive"}

    rate: Float[Array, "*starts"]

    def log_prob(self, loadings: Float[Array, "*starts components d Q"]) -> Float[Array, "*starts"]:
        size = loadings.shape[-1] * loadings.shape[-2] * loadings.shape[-3]
        return size * xp.log(0.5 * self.rate) - self.rate * xp.abs(loadings).sum((-3, -2, -1))

    def mode(
        self,
        second: Float[Array, "*starts components #d Q Q"],
        cross: Float[Array, "*starts components d Q"],
        noise: Float[Array, "*starts components d"],
        loadings: Float[Array, "*starts components d Q"],
    ) -> Float[Array, "*starts components d Q"]:
        """One loading after another: ``soft(b_k − Σ_{l≠k} A_kl λ_l, ψ rate) / A_kk``."""
        least = noise * self.rate[..., None, None]
        found = [loadings[..., k] for k in range(loadings.shape[-1])]
        for _ in range(SWEEPS):
            for k in range(len(found)):
                others = sum(
                    (second[..., k, m] * found[m] for m in range(len(found)) if m != k), xp.zeros_like(found[k])
                )
                left = cross[..., k] - others
                found[k] = xp.sign(left) * xp.maximum(xp.abs(left) - least, 0.0) / second[..., k, k]
        return xp.stack(found, axis=-1)


def _ridge(
    second: Float[Array, "*starts components #d Q Q"],
    cross: Float[Array, "*starts components d Q"],
    ridge: Float[Array, "*starts components d Q"],
) -> Float[Array, "*starts components d Q"]:
    inverse = inverse_triangle(cholesky_factor(second + spread(ridge)))
    solved: Array = xp.swapaxes(inverse, -1, -2) @ (inverse @ cross[..., None])
    return solved[..., 0]
