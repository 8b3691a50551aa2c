"""The parameters of a Gaussian mixture in scikit-learn's shapes, and the checks of those a user gives."""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from tacit.arrays import inverse_triangle
from tacit.engine import jnp
from tacit.families.covariance import STRUCTURES, maximise_covariances, maximise_variances

NATIVE = ("full", "tied", "diag", "spherical")
"""The structures that scikit-learn has, with shapes of their own; all others are ``[K, D, D]``."""


def checked(name: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """An array of the shape a parameter must have."""
    values = check_array(values, dtype=[np.float64, np.float32], ensure_2d=False, allow_nd=len(shape) > 2)
    if values.shape != shape:
        raise ValueError(f"The parameter '{name}' should have the shape of {shape}, but got {values.shape}")
    return values


def checked_weights(weights: Any, components: int) -> np.ndarray:
    """Weights in [0, 1] that sum to 1."""
    weights = checked("weights", weights, (components,))
    if np.any(weights < 0.0) or np.any(weights > 1.0):
        raise ValueError(
            "The parameter 'weights' should be in the range [0, 1], but got max value "
            f"{weights.min():.5f}, min value {weights.max():.5f}"
        )
    if not np.isclose(weights.sum(), 1.0, rtol=0.0, atol=1e-6 if weights.dtype == np.float32 else 1e-8):
        raise ValueError(f"The parameter 'weights' should be normalized, but got sum(weights) = {weights.sum():.5f}")
    return weights


def shape_of(kind: str, components: int, dims: int) -> tuple[int, ...]:
    """The shape of covariances or precisions of a kind."""
    shapes = {"tied": (dims, dims), "diag": (components, dims), "spherical": (components,)}
    return shapes.get(kind, (components, dims, dims))


def checked_precisions(precisions: Any, kind: str, components: int, dims: int) -> np.ndarray:
    """Precisions that are positive, or symmetric and positive definite."""
    precisions = checked(f"{kind} precision", precisions, shape_of(kind, components, dims))
    if kind in ("diag", "spherical"):
        if np.any(precisions <= 0.0):
            raise ValueError(f"'{kind} precision' should be positive")
        return precisions
    for matrix in precisions.reshape(-1, dims, dims):
        if not np.allclose(matrix, matrix.T) or np.any(np.linalg.eigvalsh(matrix) <= 0.0):
            raise ValueError(f"'{kind} precision' should be symmetric, positive-definite")
    return precisions


def covariances_from_precisions(precisions: np.ndarray, kind: str) -> np.ndarray:
    """Inverse of precisions, in the same shape."""
    if kind in ("diag", "spherical"):
        return 1.0 / precisions
    return np.linalg.inv(precisions)


def to_group(covariances: np.ndarray, kind: str, structure: str, components: int, dims: int) -> np.ndarray:
    """scikit-learn's shape to the group's: ``[K, D, D]``, or variances ``[K, D]`` of a diagonal structure."""
    if kind == "spherical":
        full = np.repeat(np.asarray(covariances)[:, None], dims, axis=1)
    elif kind == "tied":
        full = np.repeat(np.asarray(covariances)[None], components, axis=0)
    else:
        full = np.asarray(covariances)
    diagonal = STRUCTURES[structure].diagonal
    if diagonal and full.ndim == 3:
        return np.diagonal(full, axis1=1, axis2=2).copy()
    return full if diagonal or full.ndim == 3 else np.stack([np.diag(v) for v in full])


def within(structure: str, covariances: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """The covariances of a structure that come nearest to given ones: its M-step, with them as the rows' own.

    That is the least ``Σ_k π_k KL(N(0, given_k) ‖ N(0, Σ_k))``; given ones of the structure stay as they are.
    """
    shares = np.full(len(covariances), 1.0 / len(covariances)) if weights is None else np.asarray(weights, float)
    diagonal = STRUCTURES[structure].diagonal
    step = maximise_variances if diagonal else maximise_covariances
    counts = np.broadcast_to(shares[:, None], covariances.shape) if diagonal else shares
    scatter = covariances * shares.reshape(-1, *(1,) * (covariances.ndim - 1))
    return np.asarray(step(structure, jnp.asarray(scatter), jnp.asarray(counts), jnp.asarray(covariances)))


def from_group(covariances: np.ndarray, kind: str) -> np.ndarray:
    """The group's shape to scikit-learn's."""
    full = covariances if covariances.ndim == 3 else np.stack([np.diag(v) for v in covariances])
    if kind == "spherical":
        return full[:, 0, 0].copy()
    if kind == "tied":
        return full[0].copy()
    return np.diagonal(full, axis1=1, axis2=2).copy() if kind == "diag" else full


def precisions_cholesky(covariances: np.ndarray, kind: str) -> np.ndarray:
    """Upper triangular factors U of the precisions, ``P = U Uᵀ``; square roots where they are diagonal."""
    if kind in ("diag", "spherical"):
        return 1.0 / np.sqrt(covariances)
    return np.swapaxes(inverse_triangle(np.linalg.cholesky(covariances)), -1, -2)


def precisions_from_cholesky(factors: np.ndarray, kind: str) -> np.ndarray:
    """``U Uᵀ``, in the same shape."""
    return factors**2 if kind in ("diag", "spherical") else factors @ np.swapaxes(factors, -1, -2)
