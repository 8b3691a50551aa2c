"""Components that are regressions of one column: normal, Poisson (log-linear) or logistic."""

from typing import ClassVar, NamedTuple, Self

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import expit, gammaln

from tacit.arrays import Pytree, static
from tacit.compute import LOG_2PI
from tacit.models.gated.newton import farthest, newton_direction, safe_length
from tacit.spaces import Spaces

FAMILIES = ("normal", "poisson", "logistic")
FARTHEST = 500.0
"""A predictor at most this far from 0: beyond, its exponential is no number."""


class RegressionSums(NamedTuple):
    """What the M-step of a regression is made of: squares and products (normal), or gradient and information."""

    weight: Float[np.ndarray, "*starts components"]
    first: Float[np.ndarray, "*starts components columns"]
    second: Float[np.ndarray, "*starts components columns columns"]
    square: Float[np.ndarray, "*starts components"]


class RegressionComponents(Pytree):
    """``p(y | x, k)`` with mean ``βᵀx``, ``exp βᵀx`` or ``1 / (1 + exp −βᵀx)``."""

    spaces: ClassVar[Spaces] = {"coefficients": "real", "variances": "positive", "low": "real", "high": "real"}

    coefficients: Float[np.ndarray, "*starts components columns"]
    variances: Float[np.ndarray, "*starts components"]
    """Of a normal; 1 of others."""
    least: Float[np.ndarray, "*starts"]
    """The smallest variance."""
    low: Float[np.ndarray, "*starts columns"]
    high: Float[np.ndarray, "*starts columns"]
    family: str = static()
    columns: tuple[int, ...] = static()
    target: int = static()

    def predictors(self, rows: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "*starts rows components"]:
        """``βᵀx``."""
        found = np.einsum("...kp,np->...nk", self.coefficients, rows[:, list(self.columns)])
        return found if self.family == "normal" else np.clip(found, -FARTHEST, FARTHEST)

    def means(self, rows: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "*starts rows components"]:
        """``E[y | x, k]``."""
        eta = self.predictors(rows)
        if self.family == "normal":
            return eta
        return np.exp(eta) if self.family == "poisson" else expit(eta)

    def log_prob(self, rows: Float[np.ndarray, "rows dims"]) -> Float[np.ndarray, "*starts rows components"]:
        """``log p(y | x, k)`` in nats."""
        y, eta = rows[:, self.target][:, None], self.predictors(rows)
        if self.family == "normal":
            variance = self.variances[..., None, :]
            return -0.5 * ((y - eta) ** 2 / variance + np.log(variance) + LOG_2PI)
        if self.family == "poisson":
            return y * eta - np.exp(eta) - gammaln(y + 1.0)
        return y * eta - np.logaddexp(0.0, eta)

    def sums(
        self, rows: Float[np.ndarray, "rows dims"], weighed: Float[np.ndarray, "*starts rows components"]
    ) -> RegressionSums:
        """What the rows say under weighed responsibilities."""
        design, y = rows[:, list(self.columns)], rows[:, self.target]
        squares = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
        if self.family == "normal":
            first, second = weighed * y[:, None], weighed
            square = np.einsum("...nk,n->...k", weighed, y**2)
        else:
            mean = self.means(rows)
            first = weighed * (y[:, None] - mean)
            second = weighed * (mean if self.family == "poisson" else mean * (1.0 - mean))
            square = weighed.sum(-2)
        width = design.shape[1]
        products = np.einsum("...nk,nq->...kq", second, squares)
        return RegressionSums(
            weighed.sum(-2),
            np.einsum("...nk,np->...kp", first, design),
            products.reshape(*products.shape[:-1], width, width),
            square,
        )

    def sound(self) -> Bool[np.ndarray, "*starts"]:
        """Whether parameters that were extrapolated may be."""
        finite = np.isfinite(self.coefficients).all((-1, -2))
        return finite & (self.variances >= self.least[..., None]).all(-1)

    def moved(self, sums: RegressionSums) -> Self:
        """Weighted least squares, or one Newton step that cannot go down."""
        seen = sums.weight > 1e-8
        if self.family == "normal":
            found = newton_direction(sums.first, sums.second)
            inner = (found * sums.first).sum(-1)
            bend = np.einsum("...kp,...kpq,...kq->...k", found, sums.second, found)
            rest = np.maximum(sums.square - 2.0 * inner + bend, 0.0) / np.where(seen, sums.weight, 1.0)
            variances = np.maximum(rest, self.least[..., None])
            return self._with(
                np.where(seen[..., None], found, self.coefficients), np.where(seen, variances, self.variances)
            )
        step = newton_direction(sums.first, sums.second)
        length = safe_length(farthest(step, self.low[..., None, :], self.high[..., None, :]))
        moved = self.coefficients + length[..., None] * step
        return self._with(np.where(seen[..., None], moved, self.coefficients), self.variances)

    def _with(self, coefficients: np.ndarray, variances: np.ndarray) -> Self:
        return type(self)(
            coefficients, variances, self.least, self.low, self.high, self.family, self.columns, self.target
        )

    def take(self, order: np.ndarray) -> Self:
        """Components in another order."""
        return self._with(self.coefficients[order], self.variances[order])
