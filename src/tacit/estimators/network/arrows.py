"""The arrows of a network as users write them."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from tacit.data.errors import listed, nearest
from tacit.models.network.graph import DirectedGraph

LEARNED = ("learn", "averaged", "tree", "naive", "tree-augmented")


def arrows(edges: Any) -> list[tuple[str, str]]:
    """Pairs of names from a list of pairs or from a text, ``"smoke->lung, smoke->bronc"``.

    Raises:
        ValueError: what is no arrow.
    """
    if edges is None:
        return []
    if not isinstance(edges, Iterable):
        raise ValueError(f'edges: {edges!r} is no list of arrows. Write pairs, [("smoke", "lung")], or "smoke->lung"')
    pairs: list[tuple[Any, ...]] = []
    for each in [edges] if isinstance(edges, str) else edges:
        if isinstance(each, str):
            parts = [part for part in each.replace("→", "->").replace(";", ",").split(",") if part.strip()]
            pairs += [tuple(end.strip() for end in part.split("->")) for part in parts]
        else:
            pairs.append(tuple(each) if isinstance(each, Sequence) else (each,))
    for pair in pairs:
        if len(pair) < 2 or not all(str(end) for end in pair):
            raise ValueError(
                f'edges: {"->".join(map(str, pair))!r} is no arrow. Write pairs, [("smoke", "lung")], or '
                f'"smoke->lung, smoke->bronc"; or choose {listed(LEARNED)}'
            )
    return [(str(a), str(b)) for pair in pairs for a, b in itertools.pairwise(pair)]


def graph_of(pairs: Sequence[tuple[str, str]], names: tuple[str, ...]) -> DirectedGraph:
    """The graph of some arrows between named nodes.

    Raises:
        ValueError: an end that is neither a column nor a hidden node, or a cycle.
    """
    parents: list[list[int]] = [[] for _ in names]
    for source, target in placed(pairs, names):
        parents[target].append(source)
    return DirectedGraph(names, tuple(tuple(sorted(each)) for each in parents))


def placed(pairs: Sequence[tuple[str, str]], names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Arrows by the numbers of their ends, each once.

    Raises:
        ValueError: an end that is neither a column nor a hidden node.
    """
    found = []
    for source, target in dict.fromkeys(pairs):
        for end in (source, target):
            if end not in names:
                raise ValueError(
                    f"edges: {source} -> {target}: there is neither a column {end!r} nor a hidden node of that name; "
                    f"declare it, hidden={{{end!r}: 2}}, or choose among {listed(names, 12)}.{nearest(end, names)}"
                )
        if source == target:
            raise ValueError(f"edges: an arrow from {source!r} to itself")
        found.append((names.index(source), names.index(target)))
    return found
