"""A fitted mixture in figures: what each group says of every column, from the model alone."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.compute import Array
from tacit.models.mixture.conditional import column_family, marginal, owner
from tacit.models.mixture.expectations import joint_groups, marginal_moments
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.rows import joint_log_prob


class ColumnSummary(NamedTuple):
    """One column under every group, and overall."""

    column: int
    family: str
    """Its family by name: "normal", "log-normal", "poisson", …"""
    means: np.ndarray
    """``[K]``; of a multinomial column, the share of one item; of categories, the mean code."""
    sds: np.ndarray
    """Standard deviations within the groups, ``[K]``."""
    mean: float
    sd: float
    """Of the whole mixture: ``sd² = Σ_k π_k (sd_k² + (mean_k − mean)²)``."""
    probabilities: np.ndarray | None
    """``[K, L]`` of the codes of a column of categories, or of yes and no; else None."""


class MixtureSummary(NamedTuple):
    """Groups in the order of the components, columns in the order of the table."""

    weights: np.ndarray
    columns: tuple[ColumnSummary, ...]


def summarise(model: MixtureModel) -> MixtureSummary:
    """Weights, and mean, standard deviation and probabilities of every column in every group."""
    means, variances, mean, variance = _moments(model)
    columns = []
    for j in range(mean.size):
        group, place = owner(model, j)
        codes = group.code_probabilities()
        columns.append(
            ColumnSummary(
                column=j,
                family=group.name,
                means=means[:, j],
                sds=np.sqrt(variances[:, j]),
                mean=float(mean[j]),
                sd=float(np.sqrt(variance[j])),
                probabilities=None if codes is None else codes[:, place],
            )
        )
    return MixtureSummary(np.exp(np.asarray(model.log_weights)), tuple(columns))


def _moments(model: MixtureModel) -> tuple[np.ndarray, ...]:
    """Means and variances by component ``[K, D]``, and of the whole mixture ``[D]`` by the law of total variance."""
    weights = np.exp(np.asarray(model.log_weights))
    means, variances = marginal_moments(model)
    mean = weights @ means
    return means, variances, mean, weights @ (variances + (means - mean) ** 2)


def column_densities(
    model: MixtureModel, column: int, grid: Float[Array, " points"]
) -> Float[Array, "points components"]:
    """``π_k p_k(x_j)`` of one column on a grid; summed over the components, the column's density (or mass)."""
    alone = marginal(model, (column,))
    column_family(alone, 0)  # a multinomial column has no density of its own
    group = alone.groups[0]
    points = np.asarray(grid, dtype=np.float64)
    inside = np.asarray(group.supports(points[:, None]))[:, 0]
    joint = joint_log_prob(alone, np.where(inside, points, 1.0)[:, None])
    return np.where(inside[:, None], np.exp(joint), 0.0)


def moments(model: MixtureModel, columns: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Means ``[K, d]`` and covariances ``[K, d, d]`` of some columns under every group, in the user's units.

    Columns of different groups, and those of every group but a full Gaussian one, are uncorrelated given the
    component.
    """
    all_means, variances, _, _ = _moments(model)
    chosen = list(columns)
    covariances = np.zeros((all_means.shape[0], len(chosen), len(chosen)))
    covariances[:, range(len(chosen)), range(len(chosen))] = variances[:, chosen]
    every = range(len(all_means))
    for group in joint_groups(model):
        here = [i for i, column in enumerate(chosen) if column in group.columns]
        there = [group.columns.index(chosen[i]) for i in here]
        covariances[np.ix_(every, here, here)] = np.asarray(group.covariance_matrices())[np.ix_(every, there, there)]
    return all_means[:, chosen], covariances


def graph_groups(model: MixtureModel) -> list[tuple[tuple[str, ...], str]]:
    """The letters of the parameters and the family of every group, for the model's graph."""
    return [(group.symbols, group.name) for group in model.groups]


def has_priors(model: MixtureModel) -> bool:
    """Whether the parameters of any group have a prior."""
    return any(group.has_prior for group in model.groups)
