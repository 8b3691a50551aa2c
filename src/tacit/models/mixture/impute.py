"""The missing entries of rows: what is expected of them, and proper draws, given what is observed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from tacit.compute import Array
from tacit.families.bernoulli import Bernoulli
from tacit.families.categorical import Categorical
from tacit.families.student_t import StudentT
from tacit.models.mixture import student
from tacit.models.mixture.expectations import mixed_moments, tile_gains, vector_groups, vectors, weigh
from tacit.models.mixture.gaussian import GaussianGroup
from tacit.models.mixture.group import FamilyGroup
from tacit.models.mixture.model import Mixture
from tacit.models.mixture.predictive import LogStudentT
from tacit.models.mixture.rows import each_row
from tacit.models.mixture.sampling import choose, draw, draw_group
from tacit.models.mixture.steps import take


def expected(model: Mixture, rows: Any) -> np.ndarray:
    """Rows ``[rows, D]`` with every missing entry replaced by its expectation given the observed ones.

    ``E[x_j|x_o] = Σ_k p(k|x_o) E[x_j|x_o, k]``; a column of categories (or of yes and no) takes the code
    with the largest ``Σ_k p(k|x_o) p_k(x_j)`` instead. Observed entries stay bit for bit.
    """
    dense, gaps = _with_gaps(rows)
    if gaps.size:
        dense[gaps] = _filled(dense[gaps], _expected(model, dense[gaps]))
    return dense


def drawn(model: Mixture, rows: Any, number: int, *, random: np.random.Generator) -> np.ndarray:
    """Proper imputations ``[number, rows, D]``: each draws a component, then the entries, given what is seen.

    A Gaussian vector is drawn by Matheron's rule, ``x* + Σ_·o Σ_oo⁻¹ (x_o − x*_o)`` with x* from the
    component (Doucet 2010), which needs no factor of any conditional covariance.
    """
    dense, gaps = _with_gaps(rows)
    result = np.repeat(dense[None], number, axis=0)
    if not gaps.size:
        return result
    weights, _ = weigh(model, dense[gaps])
    labels = np.stack([choose(weights, random) for _ in range(number)], axis=1)
    fresh = draw(model, labels.ravel(), random).reshape(*labels.shape, -1)
    _redraw_students(model, dense[gaps], labels, fresh, random)
    if vector_groups(model):
        fresh = each_row(_matheron, vectors(model), dense[gaps], fresh, labels)
    result[:, gaps] = _filled(dense[gaps], np.moveaxis(fresh, 1, 0))
    return result


def _redraw_students(
    model: Mixture, rows: np.ndarray, labels: np.ndarray, fresh: np.ndarray, random: np.random.Generator
) -> None:
    """Vectors of Student's t drawn again in place, with the hidden precision that the observed entries leave.

    ``u | x_o ~ Gamma((ν + |o|)/2, rate (ν + δ_o)/2)``, and Matheron's rule does the rest.
    """
    for group in vector_groups(model):
        if group.dofs is not None:
            alone = Mixture(model.log_weights, (group,), model.active)
            distance, observed = each_row(_distances, alone, rows)
            dofs = np.asarray(group.dofs)[labels]
            rate = 0.5 * (dofs + np.take_along_axis(distance, labels, axis=1))
            precision = random.standard_gamma(0.5 * (dofs + observed)) / rate
            drawn = draw_group(group, labels.ravel(), random, precision=precision.ravel())
            fresh[..., group.columns] = drawn.reshape(*labels.shape, -1)


def _distances(model: Mixture, rows: Float[Array, "rows dims"]) -> tuple[Array, Array]:
    (group,) = vector_groups(model)
    found = student.distances(group.means, group.covariances, take(rows, group.columns), group.tile)
    return found.distance, found.observed


def _with_gaps(rows: Any) -> tuple[np.ndarray, np.ndarray]:
    """A dense copy of the rows, and which of them have missing entries."""
    dense = rows.toarray() if sparse.issparse(rows) else np.array(rows, dtype=np.float64)
    return dense, np.flatnonzero(np.isnan(dense).any(axis=1))


def check_vector_gaps(model: Mixture, rows: Any) -> None:
    """Refuse gaps where several columns are one row of counts, whose total would have to be known.

    Raises:
        ValueError: the first such row, and the columns.
    """
    for group in model.groups:
        if isinstance(group, FamilyGroup) and group.family.event_dims:
            part = rows[:, list(group.columns)]
            missing = np.isnan(part.toarray() if sparse.issparse(part) else part)
            broken = np.flatnonzero(missing.any(axis=1))
            if broken.size:
                raise ValueError(
                    f"row {broken[0]} has gaps in columns {list(group.columns)}, which are one "
                    f"{group.family.name} row: its total is not known, so its gaps cannot be filled"
                )


def _filled(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(rows), values, rows)


def _expected(model: Mixture, rows: np.ndarray) -> np.ndarray:
    weights, _ = weigh(model, rows)
    values, _ = mixed_moments(model, rows, weights)
    for group in model.groups:
        family = None if isinstance(group, GaussianGroup) else group.family
        if isinstance(family, Bernoulli | Categorical):
            values[:, group.columns] = level_probabilities(family, weights).argmax(-1)
        elif isinstance(family, StudentT):
            # its mean where it has one (ν > 1)
            values[:, group.columns] = weights @ np.asarray(family.locations)
        elif isinstance(family, LogStudentT):
            # it has no mean: the mean of the logarithm, where that has one
            values[:, group.columns] = np.exp(weights @ np.asarray(family.logarithm.locations))
    return values


def level_probabilities(family: Bernoulli | Categorical, weights: np.ndarray) -> np.ndarray:
    """``Σ_k r_nk p_k(x_j = l)`` ``[rows, d, L]`` of columns of categories, or of yes and no."""
    probabilities = np.asarray(family.probabilities)
    if isinstance(family, Bernoulli):
        probabilities = np.stack([1.0 - probabilities, probabilities], axis=-1)
    return np.einsum("nk,kdl->ndl", weights, probabilities)


def _matheron(
    model: Mixture,
    rows: Float[Array, "rows dims"],
    fresh: Float[Array, "rows draws dims"],
    labels: Int[Array, "rows draws"],
) -> Float[Array, "rows draws dims"]:
    """Draws from the component of each label, corrected by what is seen: ``x* + Σ_·o Σ_oo⁻¹ (x_o − x*_o)``."""
    fresh = jnp.asarray(fresh)
    for group in vector_groups(model):
        gains, _ = tile_gains(group, rows)
        columns, tiles = jnp.asarray(group.columns), jnp.arange(rows.shape[0]) // group.tile
        residual = rows[:, None, columns] - fresh[..., columns]
        residual = jnp.where(jnp.isnan(residual), 0.0, residual)

        def correction(draws, gains=gains, tiles=tiles):
            label, left = draws
            return jnp.einsum("nde,ne->nd", gains[tiles, label], left)

        # one draw at a time, so that the gathered gains stay small
        change = jax.lax.map(correction, (labels.T, jnp.moveaxis(residual, 1, 0)))
        fresh = fresh.at[..., columns].add(jnp.moveaxis(change, 0, 1))
    return fresh
