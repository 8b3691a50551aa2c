"""The groups of a mixture as a report shows them, and what its pictures need: ellipses, how they came about, curves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Num

from tacit.compute import Array, double_precision
from tacit.data.schema import Schema
from tacit.estimators.capabilities import EmptiesItself, Mixes, can
from tacit.estimators.settings import Estimator
from tacit.models.components.base import Picture
from tacit.models.mixture.model import MixtureModel
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
        weights: Share of each group, summing to one with the noise.
        responsibilities: Probability of each group for each row; what a row lacks to one is that of being noise.
        gaussians: Where some columns are jointly Gaussian within each group; draws the ellipses.
        curves: By column, a grid in increasing order and the weighted densities ``π_k p_k(x)`` on it, in the
            user's units; columns in ``gaussians`` need none.
        emptied: Groups that the model was allowed and does not use; they are not among the others.
        noise: Share of the rows that are in no group, of a model with noise.
        dependent: The columns that in the model go together with others within a group.
        names: What a person calls the groups; None, or nothing at all, where they have no name.
    """

    weights: Float[Array, " components"]
    responsibilities: Float[Array, "rows components"]
    gaussians: Gaussians | None = None
    curves: Mapping[int, tuple[Array, Array]] = field(default_factory=dict)
    emptied: int = 0
    noise: float | None = None
    dependent: frozenset[int] = frozenset()
    names: tuple[str | None, ...] = ()


def gaussians(model: MixtureModel | None, components: int) -> Gaussians | None:
    """The ellipses of the largest Gaussian group of columns, of the first components."""
    drawn = None if model is None else _widest(model)
    if drawn is None:
        return None
    columns, picture = drawn
    return Gaussians(columns, picture.centres[:components], picture.matrices[:components])


def dependent(model: MixtureModel | None) -> frozenset[int]:
    """The columns that the model lets go together with others within a group; all others are independent there."""
    joint = (group.columns for group in (() if model is None else model.groups) if group.joint or group.given_total)
    return frozenset(column for columns in joint if len(columns) > 1 for column in columns)


def snapshots(estimator: Estimator) -> Snapshots | None:
    """The groups at the start, on the way and at the end, in the two columns that tell them apart best."""
    if not can(estimator, Mixes) or not estimator.snapshots_:
        return None
    drawn = _widest(estimator.model_)
    if drawn is None or len(drawn[0]) < 2:
        return None
    columns, picture = drawn
    chosen = _two(picture)
    at = {}
    counts = np.sum(estimator.expected_counts_) if can(estimator, EmptiesItself) else None
    least = 0.0 if counts is None else 1.0 / max(float(counts), 1.0)  # a group of less than one row is empty
    for iteration, model in sorted(estimator.snapshots_.items()):
        then = _widest(model)
        if then is not None:
            matrices = then[1].matrices[:, chosen][:, :, chosen]
            weights = np.exp(np.asarray(model.log_weights))[: len(matrices)]
            full = weights >= least
            at[iteration] = (weights[full], then[1].centres[full][:, chosen], matrices[full])
    return Snapshots((columns[chosen[0]], columns[chosen[1]]), at)


@double_precision
def curves(
    model: MixtureModel | None, schema: Schema, values: Float[np.ndarray, "rows columns"], components: int
) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """By column: a grid, and the weighted densities of the first groups on it, for columns without ellipses."""
    if model is None:
        return {}
    drawn = () if (widest := _widest(model)) is None else widest[0]
    found = {}
    for column, kind in enumerate(schema.kinds):
        seen = values[:, column][np.isfinite(values[:, column])]
        if kind not in ("continuous", "positive") or column in drawn or seen.size == 0 or np.ptp(seen) == 0:
            continue
        spaced = np.geomspace if kind == "positive" else np.linspace  # as the report draws its axis
        grid = spaced(seen.min(), seen.max(), GRID)
        found[column] = (grid, np.asarray(column_densities(model, column, grid)).T[:components])
    return found


def _widest(model: MixtureModel) -> tuple[tuple[int, ...], Picture] | None:
    """The columns of the largest group that is drawn as ellipses, and the picture of it."""
    pictures = [(group.columns, picture) for group in model.groups if (picture := group.chart()) is not None]
    return max(pictures, key=lambda pair: len(pair[0]), default=None)


def _two(picture: Picture) -> list[int]:
    """The two columns along which the centres differ most, in standard deviations within the groups."""
    spread = np.sqrt(np.diagonal(picture.matrices, axis1=1, axis2=2).mean(axis=0))
    apart = picture.centres.std(axis=0) / np.where(spread > 0, spread, 1.0)
    return sorted(np.argsort(-apart, kind="stable")[:2].tolist())
