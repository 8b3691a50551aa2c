"""Linear latent factors from a covariance matrix: the closed form of probabilistic PCA, and how loadings are turned.

With σ² the mean of the eigenvalues that are left out, ``W = U_Q (Λ_Q − σ²)^½`` is the maximum of the likelihood of
probabilistic PCA (Tipping & Bishop 1999). That of factor analysis is `tacit.families.factorising`.
"""

import numpy as np
from jaxtyping import Float

from tacit.families.factorising import Plane


def principal_plane(
    values: Float[np.ndarray, " Q"], axes: Float[np.ndarray, "d Q"], total: float, least: float
) -> Plane:
    """Probabilistic PCA from the largest eigenvalues of the covariance and its trace.

    Args:
        values, axes: eigenvalues and eigenvectors.
        total: the sum of all eigenvalues.
        least: the smallest noise variance there may be.
    """
    dims, factors = axes.shape
    left = max((total - values.sum()) / max(dims - factors, 1), least)
    loadings = axes * np.sqrt(np.maximum(values - left, 0.0))
    return Plane(loadings, np.full(dims, left), [], [], True)


def canonical(loadings: Float[np.ndarray, "d Q"], noise: Float[np.ndarray, " d"]) -> Float[np.ndarray, "d Q"]:
    """The rotation with ``ΛᵀΨ⁻¹Λ`` diagonal and falling, each column's sum not negative."""
    values, turn = np.linalg.eigh((loadings / noise[:, None]).T @ loadings)
    return signed(loadings @ turn[:, np.argsort(-values)])


def signed(loadings: Float[np.ndarray, "d Q"]) -> Float[np.ndarray, "d Q"]:
    """The same with each column's sum not negative."""
    return loadings * np.where(loadings.sum(0) < 0, -1.0, 1.0)
