"""Where a fit of a network begins: every distribution from the rows that say all that it is about."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tacit import trees
from tacit.compute import HostArray
from tacit.data.dataset import Dataset
from tacit.data.passes import passed
from tacit.engine import PyTree
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
STILL = 1e-10
"""The largest change of a coefficient by a step that is the last one: the next would be many times smaller."""
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


def first_nodes(graph: DirectedGraph, settings: NodeSettings, rows: Dataset) -> tuple[NetworkNode, ...]:
    """A distribution for every node: fitted where the node and its parents are seen, else what the node alone says.

    Args:
        graph: over the nodes.
        settings: what is settled before.
        rows: ``[rows, nodes]``, NaN where unseen; they are gone through once, and of regressions without a closed form
            once for every step of Newton's method.
    """
    sizes = tuple(levels or 1 for levels in settings.levels)
    above = [_apart(graph.parents[place], settings.levels) for place in range(len(graph))]
    told = passed(rows, _told, tuple((place, *graph.parents[place]) for place in range(len(graph))), above, add=_both)
    nodes = [empty_node(place, above[place], settings, float(told.reach[place])) for place in range(len(graph))]
    unseen = told.own == 0
    families: dict[int, NodeFamily] = {}
    for node in nodes:
        hidden = tuple(v for v in node.discrete if unseen[v])
        if told.complete[node.place]:
            families[node.place] = NodeFamily((node.place, *graph.parents[node.place]), ())
        elif told.own[node.place] and hidden:
            # what is hidden is any of its levels, with equal weights: broken up by noise before the fit
            families[node.place] = NodeFamily((node.place, *graph.parents[node.place]), hidden)
    _raise(nodes, families, rows, sizes)
    for place, node in enumerate(nodes):
        gaps = 0 < told.complete[place] < told.rows
        if isinstance(node, TableNode) and not settings.prior and gaps:
            # what no complete row has may be in a gap, and EM does not leave 0
            nodes[place] = node.with_table((1.0 - UNSEEN) * node.table + UNSEEN / node.number)
    return tuple(nodes)


def _apart(parents: Sequence[int], levels: Sequence[int | None]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Parents with levels, and those without."""
    return tuple(v for v in parents if levels[v] is not None), tuple(v for v in parents if levels[v] is None)


class FamiliesTold(NamedTuple):
    """What a pass says of families."""

    rows: int
    complete: Int[HostArray, " nodes"]
    """Rows that say all of a node and its parents."""
    own: Int[HostArray, " nodes"]
    """Rows that say the node."""
    reach: Float[HostArray, " nodes"]
    """The length of the longest row ``(1, u)`` of its parents that are numbers."""


def _told(
    rows: Float[HostArray, "rows nodes"],
    weights: Float[HostArray, " rows"],
    families: Sequence[tuple[int, ...]],
    above: Sequence[tuple[tuple[int, ...], tuple[int, ...]]],
) -> FamiliesTold:
    missing = np.isnan(rows)
    complete = [int((~missing[:, list(family)].any(1)).sum()) for family in families]
    squares = [(np.nan_to_num(rows[:, list(numbers)]) ** 2).sum(1).max(initial=0.0) for _, numbers in above]
    return FamiliesTold(len(rows), np.array(complete), (~missing).sum(0), np.sqrt(1.0 + np.array(squares)))


def _both(one: FamiliesTold, other: FamiliesTold) -> FamiliesTold:
    return FamiliesTold(
        one.rows + other.rows,
        one.complete + other.complete,
        one.own + other.own,
        np.maximum(one.reach, other.reach),
    )


class NodeFamily(NamedTuple):
    """A node and its parents, of which some are hidden: of these every level counts in every row."""

    members: tuple[int, ...]
    hidden: tuple[int, ...]


def _raise(nodes: list[NetworkNode], families: Mapping[int, NodeFamily], rows: Dataset, sizes: tuple[int, ...]) -> None:
    """Fit nodes to the rows that say all of their families; where there is no closed form, by steps until they rest."""
    left = sorted(families)
    for _ in range(STEPS):
        if not left:
            return
        own = tuple(nodes[place] for place in left)
        found = passed(rows, _family_sums, own, tuple(families[place] for place in left), sizes)
        moved = []
        for place, statistics in zip(left, found, strict=True):
            before, nodes[place] = nodes[place], nodes[place].m_step(statistics)
            closed = isinstance(before, TableNode | NormalNode | ExogenousNode)
            if not closed and _distance(before, nodes[place]) > STILL:
                moved.append(place)
        left = moved


def _distance(one: NetworkNode, other: NetworkNode) -> float:
    """The largest change of a parameter."""
    pairs = zip(trees.leaves(one), trees.leaves(other), strict=True)
    return max(float(np.abs(a - b).max(initial=0.0)) for a, b in pairs)


def _family_sums(
    rows: Float[HostArray, "rows nodes"],
    weights: Float[HostArray, " rows"],
    nodes: Sequence[NetworkNode],
    families: Sequence[NodeFamily],
    sizes: tuple[int, ...],
) -> tuple[PyTree, ...]:
    """The statistics of nodes over the rows that say all of their families."""
    found = []
    for node, family in zip(nodes, families, strict=True):
        part, own = _every_level(rows, weights, node.place, [(v, sizes[v]) for v in family.hidden])
        complete = ~np.isnan(part[:, list(family.members)]).any(1)
        if not complete.all():
            part, own = part[complete], own[complete]
        if not len(part):
            part, own = np.zeros((1, rows.shape[1])), np.zeros(1)
        chunk = Chunk(part, sizes, frozenset(family.members))
        found.append(node.statistics(chunk, own))
    return tuple(found)


def _every_level(
    rows: Float[HostArray, "rows nodes"], weights: Float[HostArray, " rows"], place: int, hidden: list[tuple[int, int]]
) -> tuple[Float[HostArray, "spread nodes"], Float[HostArray, " spread"]]:
    """Rows that say a node, once for every combination of levels of what is hidden."""
    if not hidden:
        return rows, weights
    own = ~np.isnan(rows[:, place])
    combinations = np.indices([levels for _, levels in hidden]).reshape(len(hidden), -1)
    spread = np.repeat(rows[own], combinations.shape[1], axis=0)
    for (v, _), codes in zip(hidden, combinations, strict=True):
        spread[:, v] = np.tile(codes, int(own.sum()))
    return spread, np.repeat(weights[own], combinations.shape[1])


def empty_node(
    place: int,
    parents: tuple[tuple[int, ...], tuple[int, ...]],
    settings: NodeSettings,
    reach: float = 1.0,
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
    precision = LOOSE * prior
    if number is not None:
        zeros = np.zeros((*shape, number - 1, 1 + len(continuous)))
        return SoftmaxNode(place, discrete, continuous, zeros, precision, reach, number)
    return PoissonNode(place, discrete, continuous, np.zeros((*shape, 1 + len(continuous))), precision, reach)


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
