"""Standard errors of a fitted mixture: the observed information, and the delta method."""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import linalg

from tacit import trees
from tacit.compute import Array, compiled
from tacit.data.blocks import Block
from tacit.data.dataset import Dataset
from tacit.data.sources import pieces
from tacit.engine import jax, jnp
from tacit.inference.closed_form import sum_over_chunks
from tacit.models.components.coordinates import SHARED
from tacit.models.mixture.coordinates import MixtureCoordinates, coordinates
from tacit.models.mixture.model import MixtureModel

_COLUMNS_AT_A_TIME = 16
_RANK = 1e-10
"""Below this share of the largest, an eigenvalue of the information (scaled to ones) is read as 0."""


class Information(NamedTuple):
    """``−∂²/∂δ² Σ_n w_n log p(x_n)`` at the fit, in unconstrained coordinates."""

    matrix: Float[Array, "coordinates coordinates"]
    coordinates: MixtureCoordinates


def observed_information(model: MixtureModel, rows: Dataset) -> Information:
    """The observed information of the log-likelihood of rows, missing entries integrated out.

    The log-likelihood alone is differentiated: priors and the ridge of the fit do not enter.

    Args:
        model: a fitted mixture with NumPy leaves.
        rows: with their weights; NaN where an entry is missing.
    """
    around = coordinates(model)
    size = around.owners.size
    total = np.zeros((size, size))
    for _, source, complete in pieces(rows, tiles=True, dtype=np.float64) if size else ():
        fitting = model.with_rows(complete=complete, tile=source.tile)
        here = dataclasses.replace(around, model=fitting)
        total += np.asarray(_negative_hessian(here, trees.map(jnp.asarray, next(source.blocks()))))
    return Information(0.5 * (total + total.T), around)


@compiled
def _negative_hessian(around: MixtureCoordinates, block: Block) -> Float[Array, "coordinates coordinates"]:
    size = around.owners.size
    origin = jnp.zeros(size)
    batches = -(-size // _COLUMNS_AT_A_TIME)
    directions = jnp.eye(batches * _COLUMNS_AT_A_TIME, size).reshape(batches, _COLUMNS_AT_A_TIME, size)

    def chunk(rows, weights):
        def log_likelihood(step):
            return jnp.sum(weights * around.mixture(step).log_prob(rows))

        def column(direction):
            return jax.jvp(jax.grad(log_likelihood), (origin,), (direction,))[1]

        # forward over reverse, a few columns at a time, so that memory does not grow with their number
        return -jax.lax.map(jax.vmap(column), directions).reshape(-1, size)[:size]

    return sum_over_chunks(chunk, (block.rows, block.weights))


def standard_errors(model: MixtureModel, rows: Dataset) -> dict[str, np.ndarray]:
    """Standard errors of weights and parameters, ``√diag(J I⁻¹ Jᵀ)``, J the derivative of the parameters.

    They rest on the fit being the maximum of the likelihood of many rows (McLachlan & Peel 2000, 2.15).
    Fixed parameters and probabilities of 0 or 1 have error 0; a dispersion or a ν at its bound has none (NaN).

    Returns:
        ``weights`` ``[K]``, and every parameter under its name with its shape (``means``, ``covariances``,
        ``rates``, …); with several groups of columns, under ``groups.<number>.<name>``.

    Raises:
        ValueError: the information is singular, or not that of a maximum; the message names the components.
    """
    information = observed_information(model, rows)
    around = information.coordinates
    factor, scale = _factor(information.matrix, around.owners)
    (weight_slopes, group_slopes), (_, estimates) = trees.map(np.asarray, _linearised(around))

    def error(slope):
        flat = slope.reshape(-1, scale.size) / scale
        white = linalg.solve_triangular(factor, flat.T, lower=True) if scale.size else flat.T
        return np.sqrt(np.sum(white**2, axis=0)).reshape(slope.shape[:-1])

    found = {"weights": error(weight_slopes)}
    many = len(model.groups) > 1
    for number, slopes in enumerate(group_slopes):
        for name, slope in slopes.items():
            errors = error(slope)
            errors = np.where(estimates[number][name] < around.groups[number][name].most, errors, np.nan)
            found[f"groups.{number}.{name}" if many else name] = errors
    return found


@compiled
def _linearised(around: MixtureCoordinates) -> Any:
    """The derivative of the parameters at the fit, and the parameters."""
    origin = jnp.zeros(around.owners.size)
    return jax.jacfwd(around.parameters)(origin), around.parameters(origin)


def _factor(matrix: Array, owners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The Cholesky factor of the information scaled to a diagonal of ones, and the scale."""
    diagonal = np.diagonal(matrix)
    flat = ~(diagonal > 0)
    if flat.any():
        raise ValueError(_singular(owners[flat]))
    scale = np.sqrt(diagonal)
    scaled = matrix / scale / scale[:, None]
    if scale.size:
        values, vectors = np.linalg.eigh(scaled)
        low = values <= _RANK * values[-1]
        if low.any():
            loading = np.abs(vectors[:, low]).max(axis=1)
            raise ValueError(_singular(owners[loading > 0.3 * loading.max()]))
    return np.linalg.cholesky(scaled), scale


def _singular(owners: np.ndarray) -> str:
    named = sorted({int(k) for k in owners} - {SHARED})
    where = f"the parameters of component{'s' * (len(named) != 1)} {', '.join(map(str, named))}"
    if not named:
        where = "the parameters shared by all components"
    elif SHARED in owners:
        where += " and those shared by all"
    return (
        f"the observed information is singular: the rows do not determine {where}. Fewer components, a "
        "simpler covariance structure, more rows, or a smaller tol would help."
    )
