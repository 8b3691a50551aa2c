"""Standard errors of standardised loadings, from the expected information under the constraints that a rotation sets.

The covariance is ``D (Λ Φ Λᵀ off the diagonal, 1 on it) D`` with deviations D; the information of N rows is
``I_ij = N/2 tr(Σ⁻¹ Σ_i Σ⁻¹ Σ_j)``. It is singular along rotations; bordered by the derivatives of the equations that a
rotated solution fulfils, its inverse holds the covariance of the estimates (Jennrich 1974; Archer & Jennrich 1973).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.models.factors.rotation import DELTA, ORTHOGONAL, criterion_of

STEP = 1e-6
"""Of the central differences of the equations."""


class LoadingErrors(NamedTuple):
    """Standard errors, each of the shape of its estimate."""

    loadings: Float[np.ndarray, "d Q"]
    correlations: Float[np.ndarray, "Q Q"]
    """Of the factors; 0 where they are fixed."""
    uniquenesses: Float[np.ndarray, " d"]


class _Parts(NamedTuple):
    loadings: np.ndarray
    correlations: np.ndarray


def loading_errors(
    loadings: Float[np.ndarray, "d Q"],
    correlations: Float[np.ndarray, "Q Q"],
    weight: float,
    method: str | None,
    *,
    normalise: bool,
) -> LoadingErrors:
    """Standard errors of a solution at the maximum of the likelihood.

    Args:
        loadings: standardised: a pattern, in deviations of the columns.
        correlations: of the factors.
        weight: N.
        method: the rotation; None for the canonical solution.
        normalise: whether rows were scaled to length 1 while rotated.

    Raises:
        ValueError: they are not known for this rotation, or the information is singular.
    """
    if method == "promax":
        raise ValueError(
            "promax is no minimum of a criterion, so that its standard errors are not known in closed form: take "
            "method='bootstrap', or rotation='oblimin'"
        )
    dims, factors = loadings.shape
    oblique = method is not None and method not in ORTHOGONAL and factors > 1
    pairs = [(k, m) for k in range(factors) for m in range(k)] if oblique else []
    slopes = _slopes(loadings, correlations, pairs)
    equations = equations_of(method, pairs, dims, factors, normalise)
    at = np.concatenate([loadings.ravel(), [correlations[k, m] for k, m in pairs]])
    border = jacobian(equations, at)
    size, free = len(slopes), len(at)
    wide = np.zeros((size + len(border), size + len(border)))
    implied = loadings @ correlations @ loadings.T
    np.fill_diagonal(implied, 1.0)
    inverse = np.linalg.inv(implied)
    moved = np.stack([inverse @ slope for slope in slopes])
    wide[:size, :size] = 0.5 * weight * np.einsum("iab,jba->ij", moved, moved, optimize=True)
    wide[:free, size:], wide[size:, :free] = border.T, border
    try:
        covariance = np.linalg.inv(wide)[:size, :size]
    except np.linalg.LinAlgError:
        raise ValueError("the information is singular: a factor explains nothing, or the model has too many") from None
    own = np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
    spread = np.zeros((factors, factors))
    for place, (k, m) in enumerate(pairs):
        spread[k, m] = spread[m, k] = own[dims * factors + place]
    return LoadingErrors(
        own[: dims * factors].reshape(dims, factors),
        spread,
        _unique_errors(loadings, correlations, pairs, covariance[:free, :free]),
    )


def _slopes(loadings: np.ndarray, correlations: np.ndarray, pairs: list[tuple[int, int]]) -> list[np.ndarray]:
    """Derivatives of the covariance, at deviations of 1: by loadings, correlations of factors, and deviations."""
    dims, factors = loadings.shape
    structure = loadings @ correlations
    found = []
    for d in range(dims):
        for k in range(factors):
            slope = np.zeros((dims, dims))
            slope[d] = structure[:, k]
            slope[:, d] = structure[:, k]
            slope[d, d] = 0.0
            found.append(slope)
    for k, m in pairs:
        slope = np.outer(loadings[:, k], loadings[:, m])
        slope = slope + slope.T
        np.fill_diagonal(slope, 0.0)
        found.append(slope)
    implied = loadings @ structure.T
    np.fill_diagonal(implied, 1.0)
    for d in range(dims):
        slope = np.zeros((dims, dims))
        slope[d] += implied[d]
        slope[:, d] += implied[d]
        found.append(slope)
    return found


def equations_of(
    method: str | None, pairs: list[tuple[int, int]], dims: int, factors: int, normalise: bool
) -> Callable[[np.ndarray], np.ndarray]:
    """What is 0 at a solution, of the loadings and the correlations of factors (one a pair) in one row."""

    def parts(values: np.ndarray) -> _Parts:
        correlations = np.eye(factors)
        for value, (k, m) in zip(values[dims * factors :], pairs, strict=True):
            correlations[k, m] = correlations[m, k] = value
        return _Parts(values[: dims * factors].reshape(dims, factors), correlations)

    below = np.tril_indices(factors, -1)

    def canonical(values: np.ndarray) -> np.ndarray:
        loadings, correlations = parts(values)
        noise = 1.0 - ((loadings @ correlations) * loadings).sum(1)
        return ((loadings / noise[:, None]).T @ loadings)[below]

    def rotated(values: np.ndarray) -> np.ndarray:
        loadings, correlations = parts(values)
        length = np.ones(dims)
        if normalise:
            length = np.sqrt(((loadings @ correlations) * loadings).sum(1))
            length = np.where(length > 0, length, 1.0)
        assert method is not None
        slope = criterion_of(method, DELTA)[0]((loadings / length[:, None])[None])[1][0] / length[:, None]
        along = loadings.T @ slope
        if not pairs:
            return (along - along.T)[below]
        turned = along @ np.linalg.inv(correlations)
        return turned[~np.eye(factors, dtype=bool)]

    return canonical if method is None or factors < 2 else rotated


def jacobian(equations: Callable[[np.ndarray], np.ndarray], at: np.ndarray) -> np.ndarray:
    """Derivatives ``[equations, values]`` by central differences."""
    columns = []
    for place in range(at.size):
        step = np.zeros(at.size)
        step[place] = STEP
        columns.append((equations(at + step) - equations(at - step)) / (2.0 * STEP))
    return np.stack(columns, axis=1)


def _unique_errors(
    loadings: np.ndarray, correlations: np.ndarray, pairs: list[tuple[int, int]], covariance: np.ndarray
) -> np.ndarray:
    """Of ``1 − λᵀ Φ λ``, by the delta method."""
    dims, factors = loadings.shape
    slope = np.zeros((dims, len(covariance)))
    for d in range(dims):
        slope[d, d * factors : (d + 1) * factors] = 2.0 * correlations @ loadings[d]
        for place, (k, m) in enumerate(pairs):
            slope[d, dims * factors + place] = 2.0 * loadings[d, k] * loadings[d, m]
    return np.sqrt(np.maximum(np.einsum("di,ij,dj->d", slope, covariance, slope), 0.0))
