"""Directed graphs of named nodes."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence

from tacit.data.errors import listed, nearest
from tacit.data.network_files.tables import check_arrows, find_circle
from tacit.models.graph import GraphError


@dataclasses.dataclass(frozen=True)
class DirectedGraph:
    """Nodes by number, and the parents of each in the order of the axes of its table.

    Raises:
        DataError: a cycle, which is printed; a parent that is no node, or twice one.
    """

    names: tuple[str, ...]
    parents: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        if len(self.parents) != len(self.names):
            raise ValueError(f"{len(self.names)} nodes and the parents of {len(self.parents)}")
        check_arrows(self.names, self.parents)

    def __len__(self) -> int:
        return len(self.names)

    @functools.cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """The children of every node."""
        return tuple(map(tuple, children_of(self.parents)))

    @functools.cached_property
    def order(self) -> tuple[int, ...]:
        """The nodes, parents before their children, else as they are."""
        return tuple(topological_order(self.parents))

    def ancestors(self, nodes: Iterable[int]) -> frozenset[int]:
        """Some nodes and all above them."""
        found: set[int] = set()
        left = list(nodes)
        while left:
            node = left.pop()
            if node not in found:
                found.add(node)
                left.extend(self.parents[node])
        return frozenset(found)

    def cut(self, nodes: Iterable[int]) -> "DirectedGraph":
        """The graph without the arrows into some nodes, as an intervention leaves it (Pearl 2009, section 3.2)."""
        freed = set(nodes)
        return DirectedGraph(self.names, tuple(() if i in freed else above for i, above in enumerate(self.parents)))

    def number(self, name: str) -> int:
        """The node of a name.

        Raises:
            ValueError: there is none; the nearest name is told.
        """
        found = self._numbers.get(name)
        if found is None:
            raise ValueError(
                f"{name!r} is no column of this network; there are {listed(self.names, 12)}.{nearest(name, self.names)}"
            )
        return found

    @functools.cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: node for node, name in enumerate(self.names)}


def topological_order(parents: Sequence[Sequence[int]], names: Sequence[str] | None = None) -> list[int]:
    """The nodes with every parent before its children, the smallest that can stand next first.

    Raises:
        GraphError: the arrows go round in a circle, which is printed.
    """
    circle = find_circle(parents)
    if circle:
        words = [names[node] if names is not None else str(node) for node in (*circle, circle[0])]
        raise GraphError(f"the arrows go round in a circle: {' → '.join(words)}")
    left = [len(own) for own in parents]
    children = children_of(parents)
    ready = [node for node, number in enumerate(left) if not number]
    for node in ready:
        for child in children[node]:
            left[child] -= 1
            if not left[child]:
                ready.append(child)
    return ready


def children_of(parents: Sequence[Sequence[int]]) -> list[list[int]]:
    """The children of every node."""
    children: list[list[int]] = [[] for _ in parents]
    for node, above in enumerate(parents):
        for parent in above:
            children[parent].append(node)
    return children
