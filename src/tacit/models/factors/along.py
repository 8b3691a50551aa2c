"""Many small symmetric matrices, one a row, with the rows as last axis.

The matrices of the factors of rows with gaps are as many as the rows and a few by a few, so the work is laid along the
rows: a step of an elimination is one operation on vectors of all rows, and what is symmetric is held once where it is
summed.
"""

import functools

import numpy as np
from jaxtyping import Float

from tacit.arrays import cholesky_factor, inverse_triangle, traced, upper_triangle, xp
from tacit.compute import Array

FEW = 12
"""Sizes of matrices up to which eliminating all at once is faster than a Cholesky factor of each."""


@functools.cache
def places(size: int) -> np.ndarray:
    """``[size, size]``: where an entry of a symmetric matrix lies among those on and above its diagonal."""
    found = np.empty((size, size), np.int64)
    above = upper_triangle(size)
    found[above] = np.arange(above[0].size)
    found.T[above] = np.arange(above[0].size)
    return found


def products(vectors: Float[Array, "*batch Q rows"]) -> Float[Array, "*batch pairs rows"]:
    """``v vᵀ`` of every row, its entries on and above the diagonal."""
    first, second = upper_triangle(vectors.shape[-2])
    return vectors[..., first, :] * vectors[..., second, :]


def packed(matrices: Float[Array, "*batch Q Q rows"]) -> Float[Array, "*batch pairs rows"]:
    """The entries on and above the diagonals."""
    first, second = upper_triangle(matrices.shape[-2])
    return matrices[..., first, second, :]


def unpacked(pairs: Float[Array, "*batch pairs rows"], size: int) -> Float[Array, "*batch Q Q rows"]:
    """The whole matrices, ``size`` by ``size``."""
    return pairs[..., places(size), :]


def inverses(
    matrices: Float[Array, "*batch Q Q rows"],
) -> tuple[Float[Array, "*batch Q Q rows"], Float[Array, "*batch rows"]]:
    """Inverses of positive definite matrices, and their log-determinants; the matrices may be overwritten."""
    if not traced(matrices) and matrices.shape[-2] <= FEW:
        return _swept(np.asarray(matrices))
    factor = cholesky_factor(xp.moveaxis(matrices, -1, -3))
    inverse = inverse_triangle(factor)
    found = xp.moveaxis(xp.swapaxes(inverse, -1, -2) @ inverse, -3, -1)
    return found, 2.0 * xp.log(xp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)


def _swept(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By the sweep operator (Dempster 1969), in place and above the diagonal.

    Swept on every column in turn, a matrix is its inverse with the other sign. In any order the pivots of a positive
    definite matrix are above 0, and what is added up on a diagonal has one sign.
    """
    size = matrices.shape[-2]
    log_det = np.zeros((*matrices.shape[:-3], matrices.shape[-1]))
    column = np.empty((*matrices.shape[:-3], *matrices.shape[-2:]))
    for k in range(size):
        inverse = 1.0 / matrices[..., k, k, :]
        log_det -= np.log(inverse)
        column[..., :k, :], column[..., k:, :] = matrices[..., :k, k, :], matrices[..., k, k:, :]
        row = column * inverse[..., None, :]
        for i in range(size):
            if i != k:
                matrices[..., i, i:, :] -= column[..., i, None, :] * row[..., i:, :]
        matrices[..., :k, k, :], matrices[..., k, k:, :] = row[..., :k, :], row[..., k:, :]
        matrices[..., k, k, :] = -inverse
    for i in range(size):
        np.negative(matrices[..., i, i:, :], out=matrices[..., i, i:, :])
        matrices[..., i + 1 :, i, :] = matrices[..., i, i + 1 :, :]
    return matrices, log_det
