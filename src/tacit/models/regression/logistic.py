"""Bayesian logistic regression under a quadratic bound: a model of the closed-form driver.

``log p(y|u)`` of every row is bounded by a quadratic (`surrogates`), so the best Gaussian q of the coefficients is in
closed form, and so is mean field's: its means are the same, its variances the reciprocals of the precision's diagonal
(Bishop 2006, sections 10.1.2 and 10.6). The prior's scale, where it is learned, maximises the bound in every M-step.
"""

from typing import Any, NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, PRNGKeyArray, PyTree

from tacit.arrays import cholesky_factor, inverse_triangle, map_items, repeat, xp
from tacit.arrays import spread as diagonal
from tacit.compute import Array, is_eager
from tacit.inference.closed_form import Sums
from tacit.models.regression.coefficients import CoefficientPrior, Coefficients, Forms, cho_solve, design
from tacit.models.regression.surrogates import Surrogate

SCALES = (1e-4, 1e4)
"""Between these is a learned scale of the prior looked for."""
GRID, BISECTIONS = 65, 48


class Quadratic(NamedTuple):
    """``Σ_n`` of what a surrogate leaves: ``pullᵀv − ½ vᵀ(Σ_k D_k ⊗ G_k)v``."""

    pull: Float[Array, "units columns"]
    gram: Float[Array, "forms columns columns"]


class LogisticStep(eqx.Module):
    """The surrogate's best at every row of a chunk; the label is the last column."""

    surrogate: Surrogate
    mean: Float[Array, "units columns"]
    forms: Forms | None
    """None where q is a point."""
    intercept: bool = eqx.field(static=True)

    def __call__(
        self, rows: Float[Array, "rows dims"], weights: Float[Array, " rows"], key: PRNGKeyArray | None
    ) -> Sums:
        known, labels = design(rows[:, :-1], self.intercept), rows[:, -1]
        count = self.surrogate.directions.shape[0]
        spread = np.zeros((rows.shape[0], count)) if self.forms is None else self.forms(known)
        local = self.surrogate.local(known @ self.mean.T, spread, labels)
        pull = (weights[:, None] * local.pull).T @ known
        shares = (weights[:, None] * local.curvature).T
        gram = map_items(lambda share: (known * share[:, None]).T @ known, shares, at_once=False)
        return Sums(Quadratic(pull, gram), weights @ local.bound)


class LogisticRegression(eqx.Module):
    """Coefficients q(v), their prior, and the surrogate by which they are found.

    With ``point`` q is a point at its mean, and what is raised is the log joint density: with the surrogate of Newton
    the fixed point is the posterior's mode, and the covariance Laplace's.
    """

    coefficients: Coefficients
    prior: CoefficientPrior
    surrogate: Surrogate
    mean_field: bool = eqx.field(static=True)
    learn: bool = eqx.field(static=True)
    """Whether the prior's scale is learned."""
    point: bool = eqx.field(static=True, default=False)

    @property
    def monotone(self) -> bool:
        """A point's prior, where it is learned, is not chosen by the log joint density."""
        return not (self.point and self.learn)

    def prepare(self) -> LogisticStep:
        forms = None if self.point else self.coefficients.forms(self.surrogate.directions)
        return LogisticStep(self.surrogate, self.coefficients.mean, forms, self.prior.intercept)

    def m_step(self, statistics: Quadratic) -> Self:
        curvature = self._curvature(statistics)
        prior = learned(self.prior, statistics.pull, curvature, self.mean_field) if self.learn else self.prior
        shape = statistics.pull.shape
        precision = curvature + diagonal(xp.tile(prior.precisions(shape[1]), shape[0]))
        factor = cholesky_factor(precision)
        mean = cho_solve(factor, statistics.pull.ravel()).reshape(shape)
        if self.mean_field:
            found = Coefficients.independent(mean, 1.0 / precision.diagonal().reshape(shape))
        else:
            half = inverse_triangle(factor)
            found = Coefficients.from_covariance(mean, half.T @ half)
        return eqx.tree_at(lambda model: (model.coefficients, model.prior), self, (found, prior))

    def _curvature(self, statistics: Quadratic) -> Float[Array, "size size"]:
        size = statistics.pull.size
        whole = xp.einsum("kuv,kij->uivj", self.surrogate.directions, statistics.gram)
        return whole.reshape(size, size)

    def global_bound(self) -> Float[Array, ""]:
        if self.point:
            return self.prior.log_prob(self.coefficients.mean)
        return -self.coefficients.kl(self.prior)

    def absolute(self, statistics: Quadratic) -> Quadratic:
        return statistics

    def relative(self, statistics: Quadratic) -> Quadratic:
        return statistics

    def feasible(self, statistics: Quadratic) -> Bool[Array, ""]:
        """Whether the curvature may be that of some rows: no negative eigenvalue."""
        least = xp.linalg.eigvalsh(self._curvature(statistics))[0]
        return least >= -1e-12 * xp.abs(statistics.gram).max()


def learned(
    prior: CoefficientPrior, pull: Float[Array, "units columns"], curvature: Float[Array, "size size"], mean_field: bool
) -> CoefficientPrior:
    """The prior whose scale s maximises the bound, all of whose other parts are at their best (empirical Bayes).

    ``½ log|T| − ½ log|H + T| + ½ bᵀ(H + T)⁻¹b`` with H the curvature, b the pull and T the prior's precisions: after
    the intercepts are taken out, one eigen-decomposition serves every s. Mean field has ``Σ log diag`` for the
    determinant.
    """
    units, columns = pull.shape
    slopes = columns - prior.intercept
    if slopes == 0:
        return prior
    order = np.arange(units * columns).reshape(units, columns)
    kept, own = order[:, :slopes].ravel(), order[:, slopes:].ravel()
    b, (inner, cross, corner) = pull.ravel(), _parts(curvature, kept, own)
    diagonal = jnp.diagonal(inner)
    if own.size:
        corner = corner + jnp.eye(own.size) / prior.intercept_scale**2
        solved = jnp.linalg.solve(corner, jnp.concatenate([cross.T, b[own][:, None]], axis=1))
        inner, b = inner - cross @ solved[:, :-1], b[kept] - cross @ solved[:, -1]
    else:
        b = b[kept]
    values, vectors = jnp.linalg.eigh(inner)
    values, turned = jnp.maximum(values, 0.0), (vectors.T @ b) ** 2
    widths = diagonal if mean_field else values

    def gain(log_scale):
        precision = jnp.exp(-2.0 * log_scale)
        return 0.5 * (jnp.log(precision) - jnp.log(widths + precision) + turned / (values + precision)).sum()

    return eqx.tree_at(lambda p: p.scale, prior, jnp.exp(highest(gain, *np.log(SCALES))))


def _parts(matrix: Float[Array, "size size"], kept: np.ndarray, own: np.ndarray) -> tuple[Array, Array, Array]:
    return matrix[np.ix_(kept, kept)], matrix[np.ix_(kept, own)], matrix[np.ix_(own, own)]


def highest(function: Any, low: float, high: float, slope: Any = None) -> Float[Array, ""]:
    """Where a smooth function of one number is largest: a grid, then a bisection of its slope around the best point.

    Without a ``slope`` the function is one of JAX.
    """
    grid = np.linspace(low, high, GRID) if is_eager() else jnp.linspace(low, high, GRID)
    best = grid[xp.argmax(map_items(function, grid, at_once=False))]
    step, slope = (high - low) / (GRID - 1), slope or jax.grad(function)

    def narrow(ends):
        left, right = ends
        middle = 0.5 * (left + right)
        rises = slope(middle) > 0.0
        return xp.where(rises, middle, left), xp.where(rises, right, middle)

    start = (xp.maximum(best - step, low), xp.minimum(best + step, high))
    left, right = repeat(BISECTIONS, narrow, start)
    return 0.5 * (left + right)


def at_start(model: LogisticRegression, mean: Float[Array, "units columns"], spread: float) -> LogisticRegression:
    """The same model with q at this mean, and a covariance of ``spread²`` times the identity."""
    variance = np.full(mean.shape, spread**2)
    found = (
        Coefficients.independent(mean, variance)
        if model.mean_field
        else Coefficients.from_covariance(mean, np.diag(variance.ravel()))
    )
    return eqx.tree_at(lambda m: m.coefficients, model, found, is_leaf=lambda x: x is None)


def stacked(models: list[PyTree]) -> PyTree:
    """Starts of one shape on a leading axis."""
    return jax.tree.map(lambda *leaves: np.stack(leaves) if eqx.is_array(leaves[0]) else leaves[0], *models)
