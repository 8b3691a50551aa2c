"""Directed graphs of named nodes."""

import dataclasses
import functools
from collections.abc import Iterable

from tacit.data.errors import listed, nearest
from tacit.data.network_files.tables import check_arrows


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
        below: list[list[int]] = [[] for _ in self.names]
        for node, above in enumerate(self.parents):
            for parent in above:
                below[parent].append(node)
        return tuple(map(tuple, below))

    @functools.cached_property
    def order(self) -> tuple[int, ...]:
        """The nodes, parents before their children, else as they are."""
        waiting = [len(above) for above in self.parents]
        found = [node for node, number in enumerate(waiting) if not number]
        for node in found:
            for child in self.children[node]:
                waiting[child] -= 1
                if not waiting[child]:
                    found.append(child)
        return tuple(found)

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
