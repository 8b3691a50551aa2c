"""The missing entries of rows: what is expected of them, and proper draws, given what is observed."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from tacit.arrays import put
from tacit.compute import Array
from tacit.engine import PyTree
from tacit.families.numeric import choose
from tacit.models.components.gaussian import GaussianComponent
from tacit.models.components.vectors import draw_vectors
from tacit.models.mixture.expectations import joint_groups, joint_part, mixed_moments, weigh
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.rows import each_row
from tacit.models.mixture.sampling import draw


def expected(model: MixtureModel, rows: Any) -> np.ndarray:
    """Rows ``[rows, D]`` with every missing entry replaced by its expectation given the observed ones.

    ``E[x_j|x_o] = Σ_k p(k|x_o) E[x_j|x_o, k]``; a column of categories (or of yes and no) takes the code
    with the largest ``Σ_k p(k|x_o) p_k(x_j)`` instead. Observed entries stay bit for bit.
    """
    dense, gaps = _with_gaps(rows)
    if gaps.size:
        dense[gaps] = _filled(dense[gaps], _expected(model, dense[gaps], weigh(model, dense[gaps])[0]))
    return dense


def expected_under(model: MixtureModel, rows: Any, weights: np.ndarray) -> np.ndarray:
    """The same under given probabilities of the components, ``[rows, K]``."""
    dense, gaps = _with_gaps(rows)
    if gaps.size:
        dense[gaps] = _filled(dense[gaps], _expected(model, dense[gaps], weights[gaps]))
    return dense


def drawn(model: MixtureModel, rows: Any, number: int, *, random: np.random.Generator) -> np.ndarray:
    """Proper imputations ``[number, rows, D]``: each draws a component, then the entries, given what is seen.

    A vector is drawn from the component as a whole, and then corrected by what is seen.
    """
    dense, gaps = _with_gaps(rows)
    result = np.repeat(dense[None], number, axis=0)
    if not gaps.size:
        return result
    weights, _ = weigh(model, dense[gaps])
    labels = np.stack([choose(weights, random) for _ in range(number)], axis=1)
    result[:, gaps] = _drawn(model, dense[gaps], labels, random)
    return result


def drawn_by(
    model: MixtureModel,
    rows: Float[np.ndarray, "rows dims"],
    levels: Float[np.ndarray, "rows draws"],
    noise: Float[np.ndarray, "rows draws dims"],
) -> Float[np.ndarray, "draws rows dims"]:
    """The same of a mixture of normals by given numbers: uniform ones that choose components, and white noise."""
    dense, gaps = _with_gaps(rows)
    result = np.repeat(dense[None], levels.shape[1], axis=0)
    if not gaps.size:
        return result
    (normal,) = model.groups
    assert isinstance(normal, GaussianComponent)
    edges = np.cumsum(weigh(model, dense[gaps])[0], axis=1)[:, None]
    last = edges[..., -1:]
    labels = np.sum(edges <= np.minimum(levels[gaps, :, None] * last, np.nextafter(last, 0.0)), axis=-1)
    means, covariances = np.asarray(normal.means), np.asarray(normal.covariances)
    if normal.joint:
        fresh = draw_vectors(means, covariances, labels.ravel(), noise[gaps].reshape(labels.size, -1))
        fresh = each_row(_corrected, model, dense[gaps], fresh.reshape(*labels.shape, -1), labels)
    else:  # variances
        fresh = means[labels] + np.sqrt(covariances)[labels] * noise[gaps]
    result[:, gaps] = _filled(dense[gaps], np.moveaxis(fresh, 1, 0))
    return result


def drawn_under(model: MixtureModel, rows: Any, labels: np.ndarray, *, random: np.random.Generator) -> np.ndarray:
    """The same from given components, ``labels[rows, draws]``."""
    dense, gaps = _with_gaps(rows)
    result = np.repeat(dense[None], labels.shape[1], axis=0)
    if gaps.size:
        result[:, gaps] = _drawn(model, dense[gaps], labels[gaps], random)
    return result


def _drawn(model: MixtureModel, rows: np.ndarray, labels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Rows with gaps, ``[draws, rows, D]``, filled from the component of each label ``[rows, draws]``."""
    fresh = draw(model, labels.ravel(), random).reshape(*labels.shape, -1)
    joint = joint_groups(model)
    for group in joint:
        if group.hidden_variable:
            found = each_row(_hidden, MixtureModel(model.log_weights, (group,), model.active), rows)
            fresh[..., group.columns] = group.redraw(found, labels, random)
    if joint:
        fresh = each_row(_corrected, joint_part(model), rows, fresh, labels)
    return _filled(rows, np.moveaxis(fresh, 1, 0))


def _hidden(model: MixtureModel, rows: Float[Array, "rows dims"]) -> PyTree:
    (group,) = model.groups
    return group.hidden(rows)


def _with_gaps(rows: Any) -> tuple[np.ndarray, np.ndarray]:
    """A dense copy of the rows, and which of them have missing entries."""
    dense = rows.toarray() if sparse.issparse(rows) else np.array(rows, dtype=np.float64)
    return dense, np.flatnonzero(np.isnan(dense).any(axis=1))


def check_vector_gaps(model: MixtureModel, rows: Any) -> None:
    """Refuse gaps where several columns are one row of counts, whose total would have to be known.

    Raises:
        ValueError: the first such row, and the columns.
    """
    for group in model.groups:
        if group.given_total:
            part = rows[:, list(group.columns)]
            missing = np.isnan(part.toarray() if sparse.issparse(part) else part)
            broken = np.flatnonzero(missing.any(axis=1))
            if broken.size:
                raise ValueError(
                    f"row {broken[0]} has gaps in columns {list(group.columns)}, which are one "
                    f"{group.name} row: its total is not known, so its gaps cannot be filled"
                )


def _filled(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(rows), values, rows)


def _expected(model: MixtureModel, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    values, _ = mixed_moments(model, rows, weights)
    for group in model.groups:
        filling = group.filling(weights)
        if filling is not None:
            values[:, group.columns] = filling
    return values


def _corrected(
    model: MixtureModel,
    rows: Float[Array, "rows dims"],
    fresh: Float[Array, "rows draws dims"],
    labels: Int[Array, "rows draws"],
) -> Float[Array, "rows draws dims"]:
    """Draws from the component of each label, corrected by what is seen."""
    for group in model.groups:
        part = fresh[..., np.asarray(group.columns)]
        fresh = put(fresh, ((..., np.asarray(group.columns)), part + group.correction(rows, part, labels)))
    return fresh
