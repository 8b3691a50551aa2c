"""The Gaussian posterior of regression coefficients, and its Gaussian prior."""

from typing import ClassVar, Self

import equinox as eqx
import numpy as np
import scipy.linalg
from jaxtyping import Float

from tacit.arrays import cholesky_factor, spread, traced, xp
from tacit.compute import LOG_2PI, Array
from tacit.engine import jax
from tacit.spaces import Spaces

FEW_COEFFICIENTS = 64
"""The most that NumPy takes over: it solves for them in every iteration."""


def cho_solve(factor: Float[Array, "size size"], right: Float[Array, "size ..."]) -> Float[Array, "size ..."]:
    """``(L Lᵀ)⁻¹ B`` of a lower triangle L."""
    if traced(factor, right):
        return jax.scipy.linalg.cho_solve((factor, True), right)
    return scipy.linalg.cho_solve((factor, True), right, check_finite=False)


def design(rows: Float[Array, "rows dims"], intercept: bool) -> Float[Array, "rows columns"]:
    """Rows with a column of ones at their end where there is an intercept."""
    return xp.concatenate([rows, np.ones((rows.shape[0], 1), rows.dtype)], axis=1) if intercept else rows


class CoefficientPrior(eqx.Module):
    """Independent ``N(0, scale²)`` for every coefficient of a column, ``N(0, intercept_scale²)`` for the intercept."""

    spaces: ClassVar[Spaces] = {"scale": "positive", "intercept_scale": "positive"}

    scale: Float[Array, ""]
    intercept_scale: Float[Array, ""]
    intercept: bool = eqx.field(static=True)

    def precisions(self, columns: int) -> Float[Array, " columns"]:
        """``1/scale²`` of every column of the design; the intercept is the last."""
        slopes = np.ones(columns - self.intercept) / self.scale**2
        return xp.append(slopes, 1.0 / self.intercept_scale**2) if self.intercept else slopes

    def log_prob(self, theta: Float[Array, "*draws units columns"]) -> Float[Array, "*draws"]:
        """Log-density of coefficients, in nats."""
        precisions = self.precisions(theta.shape[-1])
        each = xp.log(precisions) - LOG_2PI - precisions * theta**2
        return 0.5 * each.sum((-2, -1))


class Forms(eqx.Module):
    """Some quadratic forms ``φᵀ M_k φ`` of the rows of a design; diagonal ones are held by their diagonals."""

    matrices: Float[Array, "..."]
    diagonal: bool = eqx.field(static=True)

    def __call__(self, rows: Float[Array, "rows columns"]) -> Float[Array, "rows forms"]:
        if self.diagonal:
            return (rows**2) @ self.matrices.T
        moved = xp.einsum("ni,kij->nkj", rows, self.matrices)
        return xp.maximum(xp.einsum("nkj,nj->nk", moved, rows), 0.0)


class Coefficients(eqx.Module):
    """``q(v) = N(mean, covariance)`` of the coefficients of some units: linear functions of the design.

    Logistic regression of two classes has one unit, the log-odds; that of K classes has K − 1. Mean field holds
    variances only.
    """

    spaces: ClassVar[Spaces] = {"variance": "not negative", "covariance": "joint covariance"}

    mean: Float[Array, "units columns"]
    variance: Float[Array, "units columns"]
    covariance: Float[Array, "units columns units columns"] | None
    """None where the coefficients are independent under q."""

    @classmethod
    def from_covariance(cls, mean: Float[Array, "units columns"], covariance: Float[Array, "size size"]) -> Self:
        """With dependent coefficients; the covariance is that of the flattened ones."""
        shape = mean.shape
        return cls(mean, covariance.diagonal().reshape(shape), covariance.reshape(*shape, *shape))

    @classmethod
    def independent(cls, mean: Float[Array, "units columns"], variance: Float[Array, "units columns"]) -> Self:
        """Mean field."""
        return cls(mean, variance, None)

    @property
    def flat_covariance(self) -> Float[Array, "size size"]:
        """The covariance of the flattened coefficients."""
        size = self.mean.shape[-2] * self.mean.shape[-1]
        return spread(self.variance.ravel()) if self.covariance is None else self.covariance.reshape(size, size)

    def root(self) -> Float[Array, "size size"]:
        """L, lower triangular, with ``L Lᵀ`` the covariance of the flattened coefficients."""
        if self.covariance is None:
            return spread(xp.sqrt(self.variance.ravel()))
        return cholesky_factor(self.flat_covariance)

    def log_det(self) -> Float[Array, ""]:
        """Of the covariance."""
        if self.covariance is None:
            return xp.log(self.variance).sum()
        return 2.0 * xp.log(self.root().diagonal()).sum()

    def kl(self, prior: CoefficientPrior) -> Float[Array, ""]:
        """``KL(q ‖ prior)`` in nats."""
        precisions = prior.precisions(self.mean.shape[-1])
        spent = (precisions * (self.variance + self.mean**2) - 1.0 - xp.log(precisions)).sum()
        return 0.5 * (spent - self.log_det())

    def entropy(self) -> Float[Array, ""]:
        """``H(q)`` in nats."""
        return 0.5 * (self.log_det() + self.mean.size * (1.0 + LOG_2PI))

    def forms(self, directions: Float[Array, "forms units units"]) -> Forms:
        """``tr(D_k Cov(u))`` of every row, where ``u = (φᵀv_1, …, φᵀv_U)``, as quadratic forms of φ."""
        if self.covariance is None:
            return Forms(xp.einsum("kuu,ui->ki", directions, self.variance), True)
        return Forms(xp.einsum("kuv,uivj->kij", directions, self.covariance), False)

    def scores(
        self, rows: Float[Array, "rows columns"]
    ) -> tuple[Float[Array, "rows units"], Float[Array, "rows units units"]]:
        """Mean and covariance of ``u`` at every row of a design."""
        mean = rows @ self.mean.T
        if self.covariance is None:
            each = (rows**2) @ self.variance.T
            return mean, each[:, :, None] * np.eye(each.shape[1])
        return mean, xp.einsum("ni,uivj,nj->nuv", rows, self.covariance, rows, optimize=True)

    def draw(self, noise: Float[Array, "draws size"]) -> Float[Array, "draws units columns"]:
        """Draws that standard normal noise stands for."""
        return (self.mean.ravel() + noise @ self.root().T).reshape(-1, *self.mean.shape)

    def log_prob_of(self, noise: Float[Array, "draws size"]) -> Float[Array, " draws"]:
        """``log q`` of the draws of some noise, in nats."""
        return -0.5 * ((noise**2).sum(1) + noise.shape[1] * LOG_2PI + self.log_det())


def moved(
    coefficients: Coefficients, units: Float[np.ndarray, "outputs units"], columns: Float[np.ndarray, "new columns"]
) -> Coefficients:
    """The posterior of ``A v Bᵀ``: other units (as class scores), other columns (as those of the user's scale).

    Of independent coefficients the variances of the new ones are given, and not how these depend on one another.
    """
    mean = np.einsum("ou,ui,ji->oj", units, coefficients.mean, columns, optimize=True)
    if coefficients.covariance is None:
        variance = np.einsum("ou,ui,ji->oj", units**2, coefficients.variance, columns**2, optimize=True)
        return Coefficients.independent(mean, variance)
    whole = np.kron(units, columns)
    covariance = whole @ np.asarray(coefficients.flat_covariance) @ whole.T
    shape = mean.shape
    return Coefficients(mean, np.diagonal(covariance).reshape(shape), covariance.reshape(*shape, *shape))
