"""Directed graphs as the parents of every node: their order, their equivalence class, how far two are apart.

Two graphs are equivalent when they state the same independences, and so fit any data equally well: they have the same
neighbours and the same colliders ``x → z ← y`` with x, y no neighbours (Verma & Pearl 1990). A class is drawn with the
arrows that all its members share, and lines where members disagree (completed partially directed acyclic graph, CPDAG).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from tacit.models.graph import GraphError
from tacit.models.network.graph import topological_order

Parents = tuple[tuple[int, ...], ...]
"""The parents of every node, as places."""
Arrow = tuple[int, int]
"""From the first node to the second."""


@dataclass(frozen=True)
class EquivalenceClass:
    """All graphs that data cannot tell apart from one.

    Attributes:
        nodes: how many there are.
        arrows: those that every member has.
        lines: neighbours whose arrow points either way in some member, the smaller node first.
    """

    nodes: int
    arrows: frozenset[Arrow]
    lines: frozenset[Arrow]

    def mark(self, one: int, other: int) -> int:
        """Between two nodes: 0 nothing, 1 an arrow from the first, 2 an arrow to it, 3 a line."""
        if (min(one, other), max(one, other)) in self.lines:
            return 3
        return 1 if (one, other) in self.arrows else 2 if (other, one) in self.arrows else 0


def arrows_of(parents: Sequence[Sequence[int]]) -> list[Arrow]:
    """All arrows, by the node that they point to."""
    return [(parent, node) for node, own in enumerate(parents) for parent in own]


def parents_of(nodes: int, arrows: Sequence[Arrow] | frozenset[Arrow] | set[Arrow]) -> Parents:
    """The parents of every node, in rising order."""
    found: list[list[int]] = [[] for _ in range(nodes)]
    for source, target in arrows:
        found[target].append(source)
    return tuple(tuple(sorted(own)) for own in found)


def matrix_of(parents: Sequence[Sequence[int]]) -> Bool[np.ndarray, "nodes nodes"]:
    """True at [x, y] for every arrow x → y."""
    matrix = np.zeros((len(parents), len(parents)), bool)
    for source, target in arrows_of(parents):
        matrix[source, target] = True
    return matrix


def reached(parents: Sequence[Sequence[int]]) -> Bool[np.ndarray, "nodes nodes"]:
    """True at [x, y] where a directed path of one arrow or more leads from x to y."""
    paths = np.zeros((len(parents), len(parents)), bool)
    for node in topological_order(parents):
        for parent in parents[node]:
            paths[:, node] |= paths[:, parent]
            paths[parent, node] = True
    return paths


def equivalence_class(parents: Sequence[Sequence[int]]) -> EquivalenceClass:
    """The class of a graph, by labelling its arrows compelled or reversible (Chickering 1995, section 3.2).

    Raises:
        GraphError: the arrows go round in a circle.
    """
    order = topological_order(parents)
    rank = {node: place for place, node in enumerate(order)}
    given = [set(own) for own in parents]
    compelled: list[set[int]] = [set() for _ in parents]
    for node in order:
        if given[node]:
            compelled[node] = _compelled(max(given[node], key=rank.__getitem__), given[node], given, compelled)
    arrows = frozenset((parent, node) for node, own in enumerate(compelled) for parent in own)
    lines = ((min(edge), max(edge)) for edge in arrows_of(parents) if edge not in arrows)
    return EquivalenceClass(len(parents), arrows, frozenset(lines))


def _compelled(last: int, own: set[int], given: list[set[int]], compelled: list[set[int]]) -> set[int]:
    """Which arrows into a node are compelled; those into all nodes before it are known. Last: its latest parent."""
    if not compelled[last] <= own or own - {last} - given[last]:
        return set(own)  # reversing the last one would make or unmake a collider
    return set(compelled[last])  # w → x stays, so w → y must too, or the three would go round


def hamming_distance(
    one: EquivalenceClass | Sequence[Sequence[int]], other: EquivalenceClass | Sequence[Sequence[int]]
) -> int:
    """The structural Hamming distance: pairs of nodes between which two classes differ (Tsamardinos et al. 2006).

    Graphs are replaced by their classes, so that equivalent ones are no distance apart.

    Raises:
        ValueError: the two have not the same number of nodes.
    """
    left, right = (each if isinstance(each, EquivalenceClass) else equivalence_class(each) for each in (one, other))
    if left.nodes != right.nodes:
        raise ValueError(f"one graph has {left.nodes} nodes and the other {right.nodes}; they cannot be compared")
    pairs = {(min(edge), max(edge)) for each in (left, right) for edges in (each.arrows, each.lines) for edge in edges}
    return sum(left.mark(*pair) != right.mark(*pair) for pair in pairs)


def extension(graph: EquivalenceClass) -> Parents:
    """A member of a class (Dor & Tarsi 1992).

    Raises:
        GraphError: there is none: its lines cannot all be directed without a new collider or a circle.
    """
    lines: list[set[int]] = [set() for _ in range(graph.nodes)]
    sources: list[set[int]] = [set() for _ in range(graph.nodes)]
    targets: list[set[int]] = [set() for _ in range(graph.nodes)]
    for one, other in graph.lines:
        lines[one].add(other)
        lines[other].add(one)
    for source, target in graph.arrows:
        sources[target].add(source)
        targets[source].add(target)
    found = [set(own) for own in sources]
    left = set(range(graph.nodes))
    while left:
        sink = next((node for node in sorted(left) if _may_be_sink(node, lines, sources, targets)), None)
        if sink is None:
            raise GraphError("no directed graph has just these arrows and lines")
        found[sink] |= lines[sink]
        for each in lines[sink]:
            lines[each].discard(sink)
        for each in sources[sink]:
            targets[each].discard(sink)
        left.discard(sink)
    return tuple(tuple(sorted(own)) for own in found)


def _may_be_sink(node: int, lines: list[set[int]], sources: list[set[int]], targets: list[set[int]]) -> bool:
    """No arrow leaves it, and each neighbour by a line is a neighbour of all its other neighbours."""
    if targets[node]:
        return False
    around = lines[node] | sources[node]
    return all(around - {each} <= lines[each] | sources[each] | targets[each] for each in lines[node])
