"""Least absolute deviations, and any quantile, by iteratively reweighted least squares: lifting of ``|t|``.

    √(t² + ε²) = ½ min_{s>0} [ (t² + ε²)/s + s ],   the minimum at s = √(t² + ε²),

so the hard objective ``Σ w [½|r| + (q − ½) r]`` is, up to ε, the minimum over s of weighted least squares
(Schlossmacher 1973; Hunter & Lange 2000 for quantiles). ε falls from iteration to iteration. As the smoothed
objective rises with ε, neither half of an iteration ever raises it.
"""

from typing import ClassVar, Self

from jaxtyping import Float

from tacit.arrays import Pytree, cholesky_factor, inverse_triangle, spread, xp
from tacit.compute import Array
from tacit.engine import PRNGKeyArray
from tacit.inference.closed_form import Sums

SHRINK = 0.6
"""What ε is multiplied by in every iteration."""
LEAST_SMOOTHING = 1e-7
"""The smallest ε, in mean absolute residuals of least squares."""


class AbsoluteStep(Pytree):
    """Best s of every row, then the sums of the least squares that is left.

    The statistics are ``Σ v a aᵀ`` and ``Σ (v r + w (q − ½)) a`` with ``v = w/(2s)``: the Newton equations of the
    lifted objective at the coefficients at hand.
    """

    coefficients: Float[Array, "*starts rank"]
    smoothing: Float[Array, "*starts"]
    quantile: Float[Array, "*starts"]

    def __call__(
        self, rows: Float[Array, "rows width"], weights: Float[Array, " rows"], key: PRNGKeyArray | None
    ) -> Sums:
        columns, residuals = rows[:, :-1], rows[:, -1] - self.coefficients @ rows[:, :-1].T
        lifted, side = xp.sqrt(residuals**2 + self.smoothing[..., None] ** 2), self.quantile[..., None] - 0.5
        heavy = weights / (2.0 * lifted)
        slope = (heavy * residuals + weights * side) @ columns
        loss = 0.5 * lifted + side * residuals
        return Sums((columns.T * heavy[..., None, :] @ columns, slope), -(weights * loss).sum(-1))


class AbsoluteRegression(Pytree):
    """``y ≈ A b`` in the sum of absolute residuals (or the pinball loss of a quantile), smoothed by ε."""

    monotone: ClassVar[bool] = True

    coefficients: Float[Array, "*starts rank"]
    smoothing: Float[Array, "*starts"]
    quantile: Float[Array, "*starts"]

    def prepare(self) -> AbsoluteStep:
        """The local step."""
        return AbsoluteStep(self.coefficients, self.smoothing, self.quantile)

    def m_step(self, statistics: tuple[Float[Array, "*starts rank rank"], Float[Array, "*starts rank"]]) -> Self:
        """The weighted least squares, and a smaller ε."""
        gram, slope = statistics
        smaller = xp.maximum(SHRINK * self.smoothing, LEAST_SMOOTHING)
        return type(self)(self.coefficients + solve(gram, slope), smaller, self.quantile)

    def global_bound(self) -> Float[Array, "*starts"]:
        """Nothing: the bound is minus the smoothed objective."""
        return xp.zeros_like(self.smoothing)


def solve(gram: Float[Array, "*starts rank rank"], slope: Float[Array, "*starts rank"]) -> Float[Array, "*starts rank"]:
    """``G⁻¹ s`` for a positive definite G of columns of any size; 0 for columns of nothing."""
    squares = xp.diagonal(gram, axis1=-2, axis2=-1)
    seen = squares > 0
    size = xp.sqrt(xp.where(seen, squares, 1.0))
    whole = gram / (size[..., :, None] * size[..., None, :]) + spread(xp.where(seen, 1e-14, 1.0))
    half = inverse_triangle(cholesky_factor(whole))
    solved: Array = (xp.swapaxes(half, -1, -2) @ (half @ (slope / size)[..., None]))[..., 0]
    return solved / size
