"""Least absolute deviations, and any quantile, by iteratively reweighted least squares: lifting of ``|t|``.

    √(t² + ε²) = ½ min_{s>0} [ (t² + ε²)/s + s ],   the minimum at s = √(t² + ε²),

so the hard objective ``Σ w [½|r| + (q − ½) r]`` is, up to ε, the minimum over s of weighted least squares
(Schlossmacher 1973; Hunter & Lange 2000 for quantiles). ε falls from iteration to iteration. As the smoothed
objective rises with ε, neither half of an iteration ever raises it.
"""

from typing import ClassVar, Self

import equinox as eqx
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve
from jaxtyping import Float, PRNGKeyArray

from tacit.compute import Array
from tacit.inference.closed_form import Sums

SHRINK = 0.6
"""What ε is multiplied by in every iteration."""
LEAST_SMOOTHING = 1e-7
"""The smallest ε, in mean absolute residuals of least squares."""


class AbsoluteStep(eqx.Module):
    """Best s of every row, then the sums of the least squares that is left.

    The statistics are ``Σ v a aᵀ`` and ``Σ (v r + w (q − ½)) a`` with ``v = w/(2s)``: the Newton equations of the
    lifted objective at the coefficients at hand.
    """

    coefficients: Float[Array, " rank"]
    smoothing: Float[Array, ""]
    quantile: Float[Array, ""]

    def __call__(self, rows: Float[Array, "rows width"], weights: Float[Array, " rows"], key: PRNGKeyArray) -> Sums:
        columns, residuals = rows[:, :-1], rows[:, -1] - rows[:, :-1] @ self.coefficients
        lifted = jnp.sqrt(residuals**2 + self.smoothing**2)
        heavy = weights / (2.0 * lifted)
        slope = columns.T @ (heavy * residuals + weights * (self.quantile - 0.5))
        loss = 0.5 * lifted + (self.quantile - 0.5) * residuals
        return Sums((columns.T @ (columns * heavy[:, None]), slope), -jnp.sum(weights * loss))


class AbsoluteRegression(eqx.Module):
    """``y ≈ A b`` in the sum of absolute residuals (or the pinball loss of a quantile), smoothed by ε."""

    monotone: ClassVar[bool] = True

    coefficients: Float[Array, " rank"]
    smoothing: Float[Array, ""]
    quantile: Float[Array, ""]

    def prepare(self) -> AbsoluteStep:
        """The local step."""
        return AbsoluteStep(self.coefficients, self.smoothing, self.quantile)

    def m_step(self, statistics: tuple[Float[Array, "rank rank"], Float[Array, " rank"]]) -> Self:
        """The weighted least squares, and a smaller ε."""
        gram, slope = statistics
        smaller = jnp.maximum(SHRINK * self.smoothing, LEAST_SMOOTHING)
        return type(self)(self.coefficients + solve(gram, slope), smaller, self.quantile)

    def global_bound(self) -> Float[Array, ""]:
        """Nothing: the bound is minus the smoothed objective."""
        return jnp.zeros(())


def solve(gram: Float[Array, "rank rank"], slope: Float[Array, " rank"]) -> Float[Array, " rank"]:
    """``G⁻¹ s`` for a positive definite G of columns of any size; 0 for columns of nothing."""
    seen = jnp.diagonal(gram) > 0
    size = jnp.sqrt(jnp.where(seen, jnp.diagonal(gram), 1.0))
    factor = jnp.linalg.cholesky(gram / (size[:, None] * size) + jnp.diag(jnp.where(seen, 1e-14, 1.0)))
    return cho_solve((factor, True), slope / size) / size
