"""Structures that are found at once: trees, and a class with what depends on it.

The tree of largest likelihood joins columns by their mutual information (Chow & Liu 1968): what an arrow gains is the
same in both directions, and the gains of a tree add up, so a maximum spanning tree is the best. With a score that costs
parameters, an arrow that gains nothing is left out, and the tree may become several.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from tacit.models.network.learning.graphs import Parents
from tacit.models.network.learning.scores import Score


def tree(score: Score, root: int = 0) -> Parents:
    """The best tree, or trees, with arrows away from a root.

    Args:
        score: ``loglik`` for that of Chow and Liu, ``bic`` for one without weak arrows. With levels and numbers mixed,
            where arrows go one way only, it is the best that grows from the root, not always the best of all.
        root: the node without a parent that the first tree grows from.
    """
    _check_node(score, root, "root")
    gains = np.empty((score.nodes, score.nodes))
    for node in range(score.nodes):
        gains[:, node] = score.additions(node, ()) - score.local(node, ())
    return _grown(gains, score.possible(), root, ())


def naive(score: Score, target: int) -> Parents:
    """Every other node depends on one (naive Bayes)."""
    _check_node(score, target, "target")
    possible = score.possible()
    return tuple((target,) if node != target and possible[target, node] else () for node in range(score.nodes))


def augmented(score: Score, target: int, root: int | None = None) -> Parents:
    """Naive, and the others joined by the best tree given the class (Friedman, Geiger & Goldszmidt 1997).

    Args:
        score: as of `tree`.
        target: the class.
        root: where the tree grows from; of None the first other node.
    """
    _check_node(score, target, "target")
    others = [node for node in range(score.nodes) if node != target]
    if root is None and not others:
        return ((),)
    begin = others[0] if root is None else root
    _check_node(score, begin, "root")
    if begin == target:
        raise ValueError(f"the root of the tree is node {begin}, which is the target; it must be another")
    base = naive(score, target)
    gains = np.full((score.nodes, score.nodes), -np.inf)
    for node in others:
        gains[:, node] = score.additions(node, base[node]) - score.local(node, base[node])
    gains[target] = -np.inf
    grown = _grown(gains, score.possible(), begin, (target,))
    return tuple(tuple(sorted({*base[node], *grown[node]})) for node in range(score.nodes))


def _check_node(score: Score, node: int, name: str) -> None:
    if not 0 <= node < score.nodes:
        raise ValueError(f"{name} is {node}; it must be one of the nodes 0…{score.nodes - 1}")


def _grown(
    gains: Float[np.ndarray, "nodes nodes"],
    possible: Bool[np.ndarray, "nodes nodes"],
    root: int,
    left_out: Sequence[int],
) -> Parents:
    """A maximum spanning tree along arrows that gain something (Prim 1957); another begins where none is left."""
    nodes = len(gains)
    worth = np.where(possible & (gains > 0), gains, -np.inf)
    outside = np.ones(nodes, bool)
    outside[list(left_out)] = False
    best, source = np.full(nodes, -np.inf), np.full(nodes, -1)
    parents: list[tuple[int, ...]] = [()] * nodes
    node = root
    while outside.any():
        if node < 0:  # none that is outside gains from one inside
            node = int(np.flatnonzero(outside)[possible[np.ix_(outside, outside)].sum(axis=1).argmax()])
        elif source[node] >= 0:
            parents[node] = (int(source[node]),)
        outside[node] = False
        better = outside & (worth[node] > best)
        best[better], source[better] = worth[node, better], node
        best[node] = -np.inf
        node = int(best.argmax()) if np.isfinite(best.max()) else -1
    return tuple(parents)
