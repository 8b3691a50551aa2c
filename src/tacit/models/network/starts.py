"""Where a fit of a network begins: every distribution from the rows that say all that it is about."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from tacit.compute import HostArray
from tacit.models.network.graph import DirectedGraph
from tacit.models.network.nodes.base import NetworkNode
from tacit.models.network.nodes.configurations import Chunk
from tacit.models.network.nodes.exogenous import ExogenousNode
from tacit.models.network.nodes.normal import NormalNode
from tacit.models.network.nodes.poisson import PoissonNode
from tacit.models.network.nodes.softmax import SoftmaxNode
from tacit.models.network.nodes.table import TableNode

STEPS = 50
"""Of Newton's method, where a weighted fit has no closed form."""
LOOSE = 0.01
"""The precision of a normal prior on the coefficients of a logistic or Poisson regression that weighs one row."""


UNSEEN = 0.01
"""Without a prior, the share of a table that is spread evenly at the start, where rows have gaps."""


@dataclasses.dataclass(frozen=True)
class NodeSettings:
    """What is settled before the fit.

    Attributes:
        families: of every node: "table", "normal", "poisson" or "exogenous".
        levels: of every node, None of a number.
        prior: rows that the prior of every distribution weighs; 0 for none.
        floor: the least variance of a normal node, in units of its column's.
    """

    families: tuple[str, ...]
    levels: tuple[int | None, ...]
    prior: float = 1.0
    floor: float = 1e-8


def first_nodes(
    graph: DirectedGraph,
    settings: NodeSettings,
    rows: Float[HostArray, "rows nodes"],
    weights: Float[HostArray, " rows"],
) -> tuple[NetworkNode, ...]:
    """A distribution for every node: fitted where the node and its parents are seen, else what the node alone says."""
    return tuple(_first(graph, settings, node, rows, weights) for node in range(len(graph)))


def _first(
    graph: DirectedGraph,
    settings: NodeSettings,
    place: int,
    rows: Float[HostArray, "rows nodes"],
    weights: Float[HostArray, " rows"],
) -> NetworkNode:
    discrete = tuple(v for v in graph.parents[place] if settings.levels[v] is not None)
    continuous = tuple(v for v in graph.parents[place] if settings.levels[v] is None)
    node = empty_node(place, (discrete, continuous), settings, rows)
    sizes = tuple(levels or 1 for levels in settings.levels)
    complete = ~np.isnan(rows[:, [place, *graph.parents[place]]]).any(1)
    if complete.any():
        found = _fitted(node, rows[complete], weights[complete], sizes)
        if isinstance(found, TableNode) and not settings.prior and not complete.all():
            # what no complete row has may be in a gap, and EM does not leave 0
            return found.with_table((1.0 - UNSEEN) * found.table + UNSEEN / found.number)
        return found
    own = ~np.isnan(rows[:, place])
    hidden = [v for v in discrete if np.isnan(rows[:, v]).all()]
    if not own.any() or not hidden:
        return node
    # what is hidden is any of its levels, with equal weights: broken up by noise before the fit
    spread = np.repeat(rows[own], int(np.prod([sizes[v] for v in hidden])), axis=0)
    for v, codes in zip(hidden, np.indices([sizes[v] for v in hidden]).reshape(len(hidden), -1), strict=True):
        spread[:, v] = np.tile(codes, int(own.sum()))
    told = ~np.isnan(spread[:, [place, *graph.parents[place]]]).any(1)
    return _fitted(node, spread[told], np.repeat(weights[own], len(spread) // int(own.sum()))[told], sizes)


def _fitted(
    node: NetworkNode,
    rows: Float[HostArray, "rows nodes"],
    weights: Float[HostArray, " rows"],
    sizes: tuple[int, ...],
) -> NetworkNode:
    if not len(rows):
        return node
    seen = frozenset({*node.parents, node.place})
    chunk = Chunk(rows, sizes, seen)
    for _ in range(1 if isinstance(node, TableNode | NormalNode | ExogenousNode) else STEPS):
        node = node.m_step(node.statistics(chunk, weights))
    return node


def empty_node(
    place: int,
    parents: tuple[tuple[int, ...], tuple[int, ...]],
    settings: NodeSettings,
    rows: Float[HostArray, "rows nodes"],
) -> NetworkNode:
    """A node that nothing is known of: equal chances, a standard normal distribution, a mean of 1."""
    discrete, continuous = parents
    shape = tuple(settings.levels[v] or 1 for v in discrete)
    number, family, prior = settings.levels[place], settings.families[place], settings.prior
    if family == "exogenous":
        return ExogenousNode(place, discrete, continuous, number)
    configurations = int(np.prod(shape))
    if number is not None and not continuous:
        table = np.full((*shape, number), 1.0 / number)
        return TableNode(place, discrete, continuous, table, prior / (configurations * number), number)
    share = prior / configurations
    if family == "normal":
        gamma = (share, 0.0, 0.5 * share, 0.5 * share)
        zeros = np.zeros((*shape, 1 + len(continuous)))
        return NormalNode(place, discrete, continuous, zeros, np.ones(shape), gamma, settings.floor)
    precision, reach = LOOSE * prior, _reach(rows, continuous)
    if number is not None:
        zeros = np.zeros((*shape, number - 1, 1 + len(continuous)))
        return SoftmaxNode(place, discrete, continuous, zeros, precision, reach, number)
    return PoissonNode(place, discrete, continuous, np.zeros((*shape, 1 + len(continuous))), precision, reach)


def _reach(rows: Float[HostArray, "rows nodes"], continuous: Sequence[int]) -> float:
    """The length of the longest row of regressors ``(1, u)``."""
    squares = np.nan_to_num(rows[:, list(continuous)]) ** 2
    return float(np.sqrt(1.0 + squares.sum(1).max(initial=0.0)))


def shaken(
    nodes: Sequence[NetworkNode], hidden: frozenset[int], random: np.random.Generator, strength: float = 0.5
) -> tuple[NetworkNode, ...]:
    """The same with noise in every distribution that a hidden node has a part in: no two of its levels are alike."""
    return tuple(node.randomised(random, strength) if hidden & {node.place, *node.parents} else node for node in nodes)


def alike(nodes: Sequence[NetworkNode], tied: Sequence[Sequence[int]]) -> tuple[NetworkNode, ...]:
    """The same with the tables of tied nodes equal: that of the first.

    Raises:
        ValueError: one of them has no table, or one of another shape.
    """
    found = list(nodes)
    for group in tied:
        first = found[group[0]]
        for place in group:
            other = found[place]
            if not isinstance(first, TableNode) or not isinstance(other, TableNode):
                raise ValueError("what is repeated has levels, and parents with levels")
            if first.table.shape != other.table.shape:
                raise ValueError(f"tables of the shapes {first.table.shape} and {other.table.shape} cannot be one")
            found[place] = other.with_table(first.table)
    return tuple(found)


def in_order(
    nodes: Sequence[NetworkNode],
    shares: Mapping[int, Float[HostArray, " levels"]],
    tied: Sequence[Sequence[int]] = (),
) -> tuple[NetworkNode, ...]:
    """The same with the levels of hidden nodes sorted, the likeliest first; those of tied nodes in one order."""
    classes = {variable: {variable} for variable in shares}
    for group in tied:
        for copies in zip(*(nodes[place].members for place in group), strict=True):
            hidden = [v for v in copies if v in classes]
            whole = set().union(*(classes[v] for v in hidden))
            classes |= dict.fromkeys(whole, whole)
    found = tuple(nodes)
    for variable in shares:
        total: np.ndarray = sum((shares[v] for v in classes[variable]), np.zeros(()))
        order = np.argsort(-total, kind="stable")
        found = tuple(node.reordered(variable, order) if variable in node.members else node for node in found)
    return found
