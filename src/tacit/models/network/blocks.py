"""Connected numbers that are missing in some rows, integrated out given the discrete parents of all of them.

Given the discrete parents the numbers are jointly normal: ``log p`` is a quadratic form, and what is missing of it is
integrated out by a Cholesky factor of its own precision matrix (Lauritzen & Jensen 2001). The result is a factor over
the discrete parents, so that elimination has to do with these alone.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from tacit.compute import LOG_2PI, HostArray
from tacit.engine import PyTree
from tacit.models.network.contraction import Scope
from tacit.models.network.nodes.configurations import Chunk
from tacit.models.network.nodes.normal import NormalNode


@dataclasses.dataclass(frozen=True, eq=False)
class NormalBlock:
    """The numbers of a block given every hidden configuration of its discrete parents.

    Attributes:
        nodes: of the block.
        variables: all numbers that they are of or depend on.
        members: all discrete parents.
        log_density: of what is seen of the numbers, ``[*hidden levels, rows]``.
        means: of the numbers, ``[*hidden levels, rows, variables]``; what is seen is itself.
        covariances: ``[*hidden levels, rows, variables, variables]``, 0 where a number is seen.
    """

    nodes: tuple[NormalNode, ...]
    variables: Scope
    members: Scope
    log_density: Float[HostArray, "..."]
    means: Float[HostArray, "..."]
    covariances: Float[HostArray, "..."]

    def statistics(self, node: NormalNode, chunk: Chunk, weights: Float[HostArray, "..."]) -> PyTree:
        """Expected statistics of one node, under the posterior ``[*hidden levels, rows]`` times weights."""
        own = [self.variables.index(v) for v in (*node.continuous, node.place)]
        means = self.means[..., own]
        size = len(own) + 1
        moments = np.empty((*means.shape[:-1], size, size))
        moments[..., 0, 0] = 1.0
        moments[..., 0, 1:] = moments[..., 1:, 0] = means
        moments[..., 1:, 1:] = means[..., :, None] * means[..., None, :] + self.covariances[..., own, :][..., own]
        weighted = (weights[..., None, None] * moments).reshape(*weights.shape, -1)
        hidden = chunk.configurations(self.members).hidden
        others = tuple(axis for axis, v in enumerate(hidden) if v not in node.discrete)
        kept = [v for v in hidden if v in node.discrete]
        wanted = chunk.configurations(node.discrete)
        summed = weighted.sum(others)
        summed = summed.transpose(*(kept.index(v) for v in wanted.hidden), len(kept), len(kept) + 1)
        return node.as_matrices(wanted.scatter(summed))


def members_of(nodes: Sequence[NormalNode]) -> Scope:
    """The discrete parents of some nodes."""
    return tuple(dict.fromkeys(v for node in nodes for v in node.discrete))


def integrate(nodes: Sequence[NormalNode], chunk: Chunk) -> NormalBlock:
    """The factor of a block of nodes, and the moments of its numbers."""
    members = members_of(nodes)
    variables = tuple(dict.fromkeys(v for node in nodes for v in (node.place, *node.continuous)))
    place = {v: at for at, v in enumerate(variables)}
    values = chunk.rows[:, list(variables)]
    missing = np.isnan(values)
    filled = np.where(missing, 0.0, values)
    given = chunk.configurations(members)
    directions, residuals, variances = [], [], []
    for node in nodes:
        coefficients, variance = _spread(node, given.hidden, chunk)
        direction = np.zeros((*coefficients.shape[:-1], len(variables)))
        direction[..., place[node.place]] = 1.0
        for at, parent in enumerate(node.continuous, 1):
            direction[..., place[parent]] -= coefficients[..., at]
        directions.append(direction)
        residuals.append((direction * filled).sum(-1) - coefficients[..., 0])
        variances.append(np.broadcast_to(variance, residuals[-1].shape))
    return _integrated(tuple(nodes), variables, members, (directions, residuals, variances), filled, missing)


def _spread(node: NormalNode, hidden: Scope, chunk: Chunk) -> tuple[Float[HostArray, "..."], Float[HostArray, "..."]]:
    """Coefficients and variance of a node over the hidden levels of its whole block."""
    own = chunk.configurations(node.discrete)
    order = [own.hidden.index(v) for v in hidden if v in own.hidden]
    lacking = tuple(axis for axis, v in enumerate(hidden) if v not in own.hidden)
    coefficients = own.gather(node.coefficients)
    variances = own.gather(node.variances)
    size = len(order)
    coefficients = np.expand_dims(coefficients.transpose(*order, size, size + 1), lacking)
    return coefficients, np.expand_dims(variances.transpose(*order, size), lacking)


def _integrated(
    nodes: tuple[NormalNode, ...],
    variables: Scope,
    members: Scope,
    parts: tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]],
    filled: Float[HostArray, "rows variables"],
    missing: np.ndarray,
) -> NormalBlock:
    directions, residuals, variances = parts
    shape = np.broadcast_shapes(*(residual.shape for residual in residuals))
    size = len(variables)
    precision = np.zeros((*shape, size, size))
    density = np.zeros(shape)
    for direction, variance in zip(directions, variances, strict=True):
        precision += (direction / variance[..., None])[..., :, None] * direction[..., None, :]
        density -= 0.5 * (LOG_2PI + np.log(variance))
    # what is seen, or has no distribution in the block, is taken out of the quadratic form: a unit in its place
    unseen = missing.astype(float)
    both = unseen[:, :, None] * unseen[:, None, :]
    precision = precision * both + np.eye(size) * (1.0 - unseen)[:, None, :]
    factor = np.linalg.cholesky(precision)
    inverse = np.linalg.solve(factor, np.broadcast_to(np.eye(size), factor.shape))
    density = density - np.log(np.diagonal(factor, axis1=-2, axis2=-1)).sum(-1) + 0.5 * LOG_2PI * missing.sum(1)
    covariances = np.swapaxes(inverse, -1, -2) @ inverse * both
    # from 0 to the means, and once more from there: the squares of numbers far from 0 would cancel
    means = np.broadcast_to(filled, (*shape, size))
    for _ in range(2):
        moved = means - filled
        there = [own + (way * moved).sum(-1) for own, way in zip(residuals, directions, strict=True)]
        pulls = [way * (own / var)[..., None] for way, own, var in zip(directions, there, variances, strict=True)]
        linear = np.broadcast_to(sum(pulls, np.zeros(size)) * unseen, means.shape)
        means = means - (covariances * linear[..., None, :]).sum(-1)
    for own, variance in zip(there, variances, strict=True):
        density = density - 0.5 * own**2 / variance
    density = density + 0.5 * ((inverse * linear[..., None, :]).sum(-1) ** 2).sum(-1)
    return NormalBlock(nodes, variables, members, density, means, covariances)


def blocks_by_node(blocks: Sequence[NormalBlock]) -> Mapping[int, int]:
    """The number of the block that a node stands in."""
    return {node.place: at for at, block in enumerate(blocks) for node in block.nodes}
