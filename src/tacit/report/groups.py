"""The groups of a mixture as a report shows them, and what its pictures need: ellipses, how they came about, curves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from tacit.compute import Array, double_precision
from tacit.data.schema import Schema
from tacit.models.mixture.gaussian import GaussianGroup
from tacit.models.mixture.model import Mixture
from tacit.models.mixture.summary import column_densities

GRID = 240


@dataclass(frozen=True, eq=False)
class Snapshots:
    """The groups on the way in two columns: weights ``[K]``, means ``[K,2]``, covariances ``[K,2,2]``."""

    columns: tuple[int, int]
    at: Mapping[int, tuple[Array, Array, Array]]


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Means ``[K,G]`` and covariances ``[K,G,G]`` of the groups in some columns, in the user's units."""

    columns: tuple[int, ...]
    means: Num[Array, "components some"]
    covariances: Num[Array, "components some some"]


@dataclass(frozen=True, eq=False)
class Groups:
    """The hidden groups, in the order of the components.

    Attributes:
        weights: Share of each group, summing to one.
        responsibilities: Probability of each group for each row.
        gaussians: Where some columns are jointly Gaussian within each group; draws the ellipses.
        curves: By column, a grid in increasing order and the weighted densities ``π_k p_k(x)`` on it, in the
            user's units; columns in ``gaussians`` need none.
        emptied: Groups that the model was allowed and does not use; they are not among the others.
    """

    weights: Float[Array, " components"]
    responsibilities: Float[Array, "rows components"]
    gaussians: Gaussians | None = None
    curves: Mapping[int, tuple[Array, Array]] = field(default_factory=dict)
    emptied: int = 0


def gaussians(model: Any, components: int) -> Gaussians | None:
    """The ellipses of the largest Gaussian group of columns, of the first components."""
    group = _widest(model)
    if group is None:
        return None
    return Gaussians(group.columns, np.asarray(group.means)[:components], _matrices(group)[:components])


def snapshots(estimator: Any) -> Snapshots | None:
    """The groups at the start, on the way and at the end, in the two columns that tell them apart best."""
    group = _widest(getattr(estimator, "model_", None))
    kept = getattr(estimator, "snapshots_", None)
    if group is None or not kept or len(group.columns) < 2:
        return None
    chosen = _two(group)
    at = {}
    counts = getattr(estimator, "expected_counts_", None)
    least = 0.0 if counts is None else 1.0 / max(float(np.sum(counts)), 1.0)  # a group of less than one row is empty
    for iteration, model in sorted(kept.items()):
        then = _widest(model)
        if then is not None:
            matrices = _matrices(then)[:, chosen][:, :, chosen]
            weights = np.exp(np.asarray(model.log_weights))
            full = weights >= least
            at[iteration] = (weights[full], np.asarray(then.means)[full][:, chosen], matrices[full])
    return Snapshots((group.columns[chosen[0]], group.columns[chosen[1]]), at)


@double_precision
def curves(
    model: Any, schema: Schema, values: Float[np.ndarray, "rows columns"], components: int
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """By column: a grid, and the weighted densities of the first groups on it, for columns without ellipses."""
    if not isinstance(model, Mixture):
        return {}
    drawn = () if (widest := _widest(model)) is None else widest.columns
    found = {}
    for column, kind in enumerate(schema.kinds):
        seen = values[:, column][np.isfinite(values[:, column])]
        if kind not in ("continuous", "positive") or column in drawn or seen.size == 0 or np.ptp(seen) == 0:
            continue
        spaced = np.geomspace if kind == "positive" else np.linspace  # as the report draws its axis
        grid = spaced(seen.min(), seen.max(), GRID)
        found[column] = (grid, np.asarray(column_densities(model, column, grid)).T[:components])
    return found


def _widest(model: Any) -> GaussianGroup | None:
    groups = model.groups if isinstance(model, Mixture) else ()
    plain = [g for g in groups if isinstance(g, GaussianGroup) and not g.log]
    return max(plain, key=lambda g: len(g.columns), default=None)


def _matrices(group: GaussianGroup) -> np.ndarray:
    covariances = np.asarray(group.covariances)
    return np.stack([np.diag(v) for v in covariances]) if group.diagonal else covariances


def _two(group: GaussianGroup) -> list[int]:
    """The two columns of a group along which the means differ most, in standard deviations within the groups."""
    means, spread = np.asarray(group.means), np.sqrt(np.diagonal(_matrices(group), axis1=1, axis2=2).mean(axis=0))
    apart = means.std(axis=0) / np.where(spread > 0, spread, 1.0)
    return sorted(np.argsort(-apart, kind="stable")[:2].tolist())
