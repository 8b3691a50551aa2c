"""What of a network's columns is known: in all rows, in some, in none; which numbers are integrated out together."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from tacit.compute import HostArray
from tacit.data.errors import listed
from tacit.models.network.contraction import Scope
from tacit.models.network.nodes.base import NetworkNode
from tacit.models.network.nodes.exogenous import ExogenousNode
from tacit.models.network.nodes.normal import NormalNode


class NotExact(ValueError):
    """A question that this network has no exact answer to."""


@dataclasses.dataclass(frozen=True)
class GapLayout:
    """Of rows.

    Attributes:
        seen: nodes whose value is known in every row.
        partly: nodes with levels whose value is known in some rows.
        blocks: normal nodes, each group connected by numbers that are missing somewhere; a group is integrated as one.
    """

    seen: frozenset[int]
    partly: frozenset[int]
    blocks: tuple[tuple[int, ...], ...]


def layout_of(nodes: Sequence[NetworkNode], names: Sequence[str], rows: Float[HostArray, "rows nodes"]) -> GapLayout:
    """The layout of rows, NaN where missing.

    Raises:
        NotExact: a number is missing that a node depends on in such a way that there is no exact integral, or a
            column that the network only conditions on.
    """
    missing = np.isnan(rows)
    gaps, empty = missing.any(0), missing.all(0)
    first = missing.argmax(0) if len(rows) else np.zeros(len(nodes), int)
    return layout_with(nodes, names, gaps, empty, [f" in row {row}" for row in first])


def layout_with(
    nodes: Sequence[NetworkNode],
    names: Sequence[str],
    gaps: np.ndarray,
    empty: np.ndarray,
    where: Sequence[str] | None = None,
) -> GapLayout:
    """The layout where some columns have gaps and some no values at all, ``[nodes]``; ``where`` the first gap is.

    Raises:
        NotExact: as `layout_of`.
    """
    places = where or [""] * len(nodes)
    for node in nodes:
        if gaps[node.place] and isinstance(node, ExogenousNode):
            raise NotExact(
                f"column {names[node.place]!r} is only conditioned on, and has no value{places[node.place]}: fill it "
                "in, or give it a distribution"
            )
        unseen = [parent for parent in node.continuous if gaps[parent]]
        if isinstance(node, NormalNode):  # a sum over all counts has no closed form either
            unseen = [parent for parent in unseen if not isinstance(nodes[parent], NormalNode)]
        if unseen:
            said = listed([names[parent] for parent in unseen])
            raise NotExact(
                f"{names[node.place]!r} depends on the number {said}, which is missing{places[unseen[0]]}: what it "
                f"says of a number that is not seen has no exact integral. Fill {said} in first, cut it into levels, "
                'turn the arrow round, or ask for inference="weighted"'
            )
    seen = frozenset(np.flatnonzero(~gaps).tolist())
    levelled = [node.place for node in nodes if node.levels is not None]
    partly = frozenset(place for place in levelled if gaps[place] and not empty[place])
    return GapLayout(seen, partly, _blocks(nodes, gaps))


def scopes_of(nodes: Sequence[NetworkNode], layout: GapLayout) -> tuple[Scope, ...]:
    """The hidden variables of the table of every block, and of every node that stands in none; nothing is computed."""
    grouped = {place for group in layout.blocks for place in group}
    members = [tuple(dict.fromkeys(v for place in group for v in nodes[place].discrete)) for group in layout.blocks]
    members += [node.members for node in nodes if node.place not in grouped]
    return tuple(tuple(v for v in each if v not in layout.seen) for each in members)


def _blocks(nodes: Sequence[NetworkNode], gaps: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Normal nodes that share a number with gaps; a node of which only its own value has gaps stands by itself."""
    groups: list[tuple[set[int], set[int]]] = []
    for node in nodes:
        unseen = {v for v in (node.place, *node.continuous) if gaps[v]}
        if node.levels is not None or not unseen or not isinstance(node, NormalNode):
            continue
        members, variables = {node.place}, unseen
        for group in [group for group in groups if group[1] & variables]:
            members, variables = members | group[0], variables | group[1]
            groups.remove(group)
        groups.append((members, variables))
    return tuple(
        tuple(sorted(members)) for members, _ in groups if len(members) > 1 or _parent_missing(nodes, members, gaps)
    )


def _parent_missing(nodes: Sequence[NetworkNode], members: set[int], gaps: np.ndarray) -> bool:
    return any(gaps[parent] for node in nodes if node.place in members for parent in node.continuous)
