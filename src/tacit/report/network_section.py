"""A network: drawn in layers, its strongest dependences in words and tables, what it predicts, what it costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tacit import plots
from tacit.report.html import Child, table, tag
from tacit.report.parts import Section, folded, framed, picture, section

DRAWN = 60
"""Nodes of a picture at most: of more, those of the strongest arrows."""


@dataclass(frozen=True)
class DependenceTable:
    """How one node depends on its parents: a sentence, and a table of the most frequent configurations."""

    node: str
    words: str
    heading: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class NetworkFacts:
    """What a report tells of a network.

    Attributes:
        names: of the nodes.
        edges: parent and child, the strongest first.
        strengths: of arrows, in nats; nothing where they were not weighed.
        shares: of the networks learned from resampled rows, how many have the arrow; nothing where none were.
        undirected: arrows whose direction the data cannot tell.
        hidden: nodes that no row shows.
        dependences: the strongest ones.
        predictions: column, how often it is right (or what of the variance is explained), the same without the others.
        price: what an exact answer costs.
        learned: whether the arrows were learned from the rows.
        never_seen: configurations of a node's parents that no row has, by node.
    """

    names: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]
    strengths: Mapping[tuple[str, str], float] = field(default_factory=dict)
    shares: Mapping[tuple[str, str], float] = field(default_factory=dict)
    undirected: frozenset[tuple[str, str]] = frozenset()
    hidden: tuple[str, ...] = ()
    dependences: tuple[DependenceTable, ...] = ()
    predictions: tuple[tuple[str, str, str], ...] = ()
    price: str = ""
    learned: bool = False
    never_seen: Mapping[str, int] = field(default_factory=dict)


def network_section(network: NetworkFacts | None) -> Section | None:
    """Words first, then the picture, then the figures."""
    if network is None:
        return None
    names, edges = _drawn(network)
    said = _said(network, len(names))
    drawing = plots.network_picture(
        names,
        edges,
        strengths=network.strengths or None,
        hidden=network.hidden,
        undirected=tuple(network.undirected),
    )
    return section(
        "network",
        "Network",
        "What depends on what",
        *(tag("p", text) for text in said),
        framed("The network", picture(drawing, "network", "Every column, with arrows from those that it depends on")),
        tag("ul", [tag("li", each.words) for each in network.dependences]) if network.dependences else None,
        *(
            folded(f"{each.node}, given what it depends on", _of_node(each))
            for each in network.dependences
            if each.lines
        ),
        *_predictions(network),
        _arrows(network),
        tag("p", f"An exact answer about one row takes {network.price}.") if network.price else None,
    )


def _drawn(network: NetworkFacts) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """The nodes and arrows of the picture: of a large network the strongest."""
    if len(network.names) <= DRAWN:
        return network.names, network.edges
    kept: list[str] = []
    edges = []
    for edge in network.edges:
        new = [end for end in edge if end not in kept]
        if len(kept) + len(new) <= DRAWN:
            kept += new
            edges.append(edge)
    return tuple(kept), tuple(edges)


def _said(network: NetworkFacts, drawn: int) -> list[str]:
    said = []
    if not network.edges:
        said.append("No column depends on another: each is described by itself.")
    elif network.learned:
        said.append(
            "An arrow leads from a column to one that depends on it; the wider, the more the data speak for it. The "
            "arrows were learned from the rows. That one column helps to foretell another does not make it a cause."
        )
    else:
        said.append("An arrow leads from a column to one that depends on it.")
    if network.undirected:
        said.append(
            "A line without a head joins two columns of which the data cannot tell which depends on which: turned "
            "round, it describes the rows as well."
        )
    if network.hidden:
        said.append(f"What is dashed is hidden: no row shows it ({', '.join(network.hidden)}).")
    if network.never_seen:
        most = sorted(network.never_seen, key=lambda name: -network.never_seen[name])[:3]
        named = ", ".join(f"{network.never_seen[name]:,} of {name}" for name in most)
        more = " and others" if len(network.never_seen) > len(most) else ""
        said.append(
            f"Some cases of what a column depends on are in no row ({named}{more}): there all its levels are as likely."
        )
    if drawn < len(network.names):
        said.append(f"Of {len(network.names)} columns the {drawn} with the strongest arrows are drawn.")
    return said


def _of_node(found: DependenceTable) -> Child:
    return _table(f"{found.node}, the most frequent cases first", found.heading, found.lines)


def _table(caption: str, heading: Sequence[str], lines: Sequence[Sequence[str]]) -> Child:
    return table(caption, list(heading), [list(line) for line in lines], numbers=tuple(range(1, len(heading))))


def _predictions(network: NetworkFacts) -> list[Child]:
    if not network.predictions:
        return []
    heading = ("column", "right, given the others", "right without them")
    return [
        tag("h3", "What the others say of a column"),
        tag(
            "p",
            "Of columns with levels how often the likeliest one is right, beside always naming the most frequent; of "
            "numbers the share of the variance that is explained.",
        ),
        _table("How often a column is told right", heading, network.predictions),
    ]


def _arrows(network: NetworkFacts) -> Child | None:
    if not network.strengths:
        return None
    heading = ["from", "to", "nats lost without it", *(["in resampled rows"] if network.shares else [])]
    lines = []
    for edge in network.edges:
        if edge in network.strengths:
            share = [f"{network.shares[edge]:.0%}"] if edge in network.shares else []
            lines.append((*edge, f"{network.strengths[edge]:.1f}", *share))
    return folded("All arrows", _table("What speaks for every arrow", heading, lines))
