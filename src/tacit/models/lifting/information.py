"""Standard errors of a regression with Student's t noise, from the observed information at the fit."""

import numpy as np
from jaxtyping import Float
from scipy.special import polygamma

from tacit.compute import Array


def information(
    columns: Float[Array, "rows rank"], residuals: Float[Array, " rows"], weights: Float[Array, " rows"], dof: float
) -> Float[np.ndarray, "parameters parameters"]:
    """``−∂²/∂θ² Σ w log p(y|x, θ)`` with θ = (b, log σ, ν), at σ = 1.

    Args:
        columns: A.
        residuals: r, in units of σ.
        weights: copies of a row.
        dof: ν.
    """
    rank, square = columns.shape[1], residuals**2
    far = dof + square
    bend = (dof + 1.0) * (dof - square) / far**2  # −∂²/∂r²
    matrix = np.empty((rank + 2, rank + 2))
    matrix[:rank, :rank] = columns.T @ ((weights * bend)[:, None] * columns)
    # ∂r/∂b = −a, so that mixed derivatives with b change their sign
    matrix[:rank, rank] = columns.T @ (weights * 2.0 * (dof + 1.0) * dof * residuals / far**2)
    matrix[:rank, rank + 1] = -columns.T @ (weights * residuals * (square - 1.0) / far**2)
    matrix[rank, rank] = weights @ (2.0 * (dof + 1.0) * dof * square / far**2)
    matrix[rank, rank + 1] = -(weights @ (square * (square - 1.0) / far**2))
    matrix[rank + 1, rank + 1] = -(weights @ _bend_of_dof(square, dof))
    lower = np.tril_indices(rank + 2, -1)
    matrix[lower] = matrix.T[lower]
    return matrix


def _bend_of_dof(square: Float[Array, " rows"], dof: float) -> Float[np.ndarray, " rows"]:
    """``∂²/∂ν² log p``."""
    far = dof + square
    gammas = 0.25 * (polygamma(1, 0.5 * (dof + 1.0)) - polygamma(1, 0.5 * dof)) + 0.5 / dof**2
    tail = 0.5 * square / (dof * far)
    moved = 0.5 * square * (dof * far - (dof + 1.0) * (2.0 * dof + square)) / (dof * far) ** 2
    return np.asarray(gammas + tail + moved)


def covariance(found: Float[Array, "parameters parameters"], free: int) -> Float[np.ndarray, "free free"]:
    """The inverse of the information of the first ``free`` parameters; NaN where it is not positive definite."""
    matrix = np.asarray(found)[:free, :free]
    size = np.sqrt(np.maximum(np.diagonal(matrix), 0.0))
    if not np.all(size > 0) or not np.all(np.isfinite(matrix)):
        return np.full_like(matrix, np.nan)
    values, vectors = np.linalg.eigh(matrix / np.outer(size, size))
    if values[0] <= 1e-12:
        return np.full_like(matrix, np.nan)
    return np.asarray(vectors / values @ vectors.T / np.outer(size, size))
