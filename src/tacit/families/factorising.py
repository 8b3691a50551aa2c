"""Maximum likelihood of a covariance ``W Wᵀ + diag ψ``: a smooth function of log ψ alone.

The loadings given the noise ψ are of closed form in the coordinates ``x / √ψ`` (Lawley & Maxwell 1971, section 4), and
the likelihood that is left is raised by quasi-Newton steps in log ψ (Jöreskog 1967).
"""

import time
from typing import NamedTuple

import numpy as np
import scipy.linalg
import scipy.optimize
import scipy.sparse.linalg
from jaxtyping import Float

MANY_COLUMNS = 400
"""Columns from which on only the eigenvalues that are wanted are worked out."""
FLAT = 1e-9
"""The gradient in log ψ below which a solution has converged."""


class Plane(NamedTuple):
    """A plane with noise around it."""

    loadings: Float[np.ndarray, "d Q"]
    noise: Float[np.ndarray, " d"]
    objectives: list[float]
    """``½ (log|Σ| + tr S Σ⁻¹)`` after every iteration, about the deviations of the columns."""
    seconds: list[float]
    """When each of them was reached."""
    converged: bool


def leading(matrix: Float[np.ndarray, "d d"], number: int) -> tuple[Float[np.ndarray, " Q"], Float[np.ndarray, "d Q"]]:
    """The largest eigenvalues of a symmetric matrix, in falling order, and their vectors."""
    dims = matrix.shape[0]
    if number == 0:
        return np.zeros(0), np.zeros((dims, 0))
    if dims > MANY_COLUMNS and number < dims // 10:
        values, vectors = scipy.sparse.linalg.eigsh(matrix, number, v0=np.full(dims, dims**-0.5))
        order = np.argsort(-values)
        return values[order], vectors[:, order]
    values, vectors = scipy.linalg.eigh(matrix, check_finite=False)
    return values[::-1][:number], vectors[:, ::-1][:, :number]


def factorise(
    correlation: Float[np.ndarray, "d d"],
    factors: int,
    least: float,
    max_iter: int,
    start: Float[np.ndarray, " d"] | None = None,
) -> Plane:
    """Maximum likelihood factor analysis of a correlation matrix, with ``least ≤ ψ``.

    Args:
        correlation: ``[d, d]``, perhaps singular.
        factors: Q, from 0 to d.
        least: the smallest share of a column's variance that is its own.
        max_iter: most iterations.
        start: the first ψ.
    """
    dims = correlation.shape[0]
    trail: list[float] = []
    times: list[float] = []
    begun = time.perf_counter()

    def profile(log_noise: np.ndarray) -> tuple[float, np.ndarray]:
        loadings, values, scaled_trace = _loadings(correlation, np.exp(log_noise), factors)
        above = np.maximum(values, 1.0)
        fit = np.log(above).sum() + (values / above).sum() + scaled_trace - values.sum() + log_noise.sum()
        noise = np.exp(log_noise)
        slope = ((loadings**2).sum(1) + noise - np.diagonal(correlation)) / noise
        return 0.5 * fit, 0.5 * slope

    def seen(found: scipy.optimize.OptimizeResult) -> None:
        trail.append(float(found.fun))
        times.append(time.perf_counter() - begun)

    ends = [(np.log(least), 0.0)] * dims
    first = np.log(np.clip(_first_noise(correlation, factors) if start is None else start, least, 1.0))
    found = scipy.optimize.minimize(
        profile,
        first,
        jac=True,
        method="L-BFGS-B",
        bounds=ends,
        callback=lambda intermediate_result: seen(intermediate_result),
        options={"maxiter": max(max_iter, 1), "maxfun": 20 * max(max_iter, 1), "ftol": 1e-15, "gtol": FLAT},
    )
    noise = np.exp(found.x)
    if not trail:
        seen(found)
    return Plane(_loadings(correlation, noise, factors)[0], noise, trail, times, int(found.status) != 1)


def _loadings(
    correlation: np.ndarray, noise: np.ndarray, factors: int
) -> tuple[Float[np.ndarray, "d Q"], Float[np.ndarray, " Q"], float]:
    """The best loadings given the noise, and the largest eigenvalues and the trace in the coordinates of the noise."""
    scale = np.sqrt(noise)
    scaled = correlation / scale[:, None] / scale
    values, axes = leading(scaled, factors)
    return scale[:, None] * axes * np.sqrt(np.maximum(values - 1.0, 0.0)), values, float(np.trace(scaled))


def _first_noise(correlation: np.ndarray, factors: int) -> np.ndarray:
    """What the other columns leave of each, less a share for the factors (Jöreskog 1967)."""
    dims = correlation.shape[0]
    values = np.linalg.eigvalsh(correlation)
    if values[0] < 1e-8 * values[-1]:
        return np.full(dims, 0.5)
    return (1.0 - 0.5 * factors / dims) / np.diagonal(np.linalg.inv(correlation))
