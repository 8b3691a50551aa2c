"""Shares of components that depend on covariates: ``π_k(w) ∝ exp(γ_kᵀ w)``, the first component's γ being 0."""

from typing import ClassVar, NamedTuple, Self

import numpy as np
from jaxtyping import Float

from tacit.arrays import Pytree, static
from tacit.models.gated.newton import newton_direction, safe_length
from tacit.spaces import Spaces


class GateSums(NamedTuple):
    """What a Newton step of the gate is made of."""

    gradient: Float[np.ndarray, "*starts others columns"]
    information: Float[np.ndarray, "*starts flat flat"]


class Gate(Pytree):
    """A multinomial logit of the components."""

    spaces: ClassVar[Spaces] = {"coefficients": "real", "low": "real", "high": "real"}

    coefficients: Float[np.ndarray, "*starts others columns"]
    """γ of all components but the first."""
    low: Float[np.ndarray, "*starts columns"]
    high: Float[np.ndarray, "*starts columns"]
    """The ends of the columns of the design."""
    columns: tuple[int, ...] = static()
    """Where the design stands in a row; its first column is 1."""

    def log_shares(self, rows: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "*starts rows components"]:
        """``log π_k(w_n)``."""
        heights = np.einsum("...kp,np->...nk", self.coefficients, rows[:, list(self.columns)])
        heights = np.concatenate([np.zeros((*heights.shape[:-1], 1)), heights], axis=-1)
        return heights - np.logaddexp.reduce(heights, axis=-1, keepdims=True)

    def sums(
        self,
        rows: Float[np.ndarray, "rows dims"],
        log_shares: Float[np.ndarray, "*starts rows components"],
        weighed: Float[np.ndarray, "*starts rows components"],
    ) -> GateSums:
        """Gradient and information of ``Σ_n Σ_k w_n r_nk log π_k`` under weighed responsibilities ``w r``."""
        design = rows[:, list(self.columns)]
        shares, weights = np.exp(log_shares[..., 1:]), weighed.sum(-1, keepdims=True)
        gradient = np.einsum("...nk,np->...kp", weighed[..., 1:] - weights * shares, design)
        others, width = gradient.shape[-2:]
        squares = (design[:, :, None] * design[:, None, :]).reshape(len(design), width * width)
        own = shares[..., :, None] * (np.eye(others) - shares[..., None, :]) * weights[..., None]
        blocks = np.einsum("...nkl,nq->...klq", own, squares)
        blocks = blocks.reshape(*blocks.shape[:-1], width, width)
        flat = np.swapaxes(blocks, -3, -2).reshape(*blocks.shape[:-4], others * width, others * width)
        return GateSums(gradient, flat)

    def moved(self, sums: GateSums) -> Self:
        """After one Newton step, shortened so that the log-likelihood cannot fall."""
        shape = sums.gradient.shape
        if shape[-2] == 0:
            return self
        flat = sums.gradient.reshape(*shape[:-2], shape[-2] * shape[-1])
        step = newton_direction(flat, sums.information).reshape(shape)
        whole = np.concatenate([np.zeros_like(step[..., :1, :]), step], axis=-2)
        apart = whole[..., :, None, :] - whole[..., None, :, :]
        low, high = self.low[..., None, None, :], self.high[..., None, None, :]
        reach = np.maximum(apart * low, apart * high).sum(-1).max((-1, -2))
        length = safe_length(reach)[..., None, None]
        return type(self)(self.coefficients + length * step, self.low, self.high, self.columns)

    def take(self, order: np.ndarray) -> Self:
        """Components in another order; the new first one's γ is 0."""
        whole = np.concatenate([np.zeros((1, self.coefficients.shape[-1])), self.coefficients])[order]
        return type(self)(whole[1:] - whole[:1], self.low, self.high, self.columns)
