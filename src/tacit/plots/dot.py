"""A directed graph as text in the DOT language of Graphviz."""

from collections.abc import Mapping, Sequence

from tacit.plots.layout import EdgeLike, NodeLike

_LOOKS = {
    "observed": 'shape=ellipse, style=filled, fillcolor="#d9dee3"',
    "latent": "shape=ellipse",
    "parameter": "shape=ellipse",
    "hyperparameter": "shape=plaintext",
    "fixed": "shape=plaintext",
}


def quoted(text: str) -> str:
    """A DOT string: quotes and backslashes escaped, line breaks as ``\\n``."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "").replace("\n", "\\n") + '"'


def to_dot(
    nodes: Sequence[NodeLike],
    edges: Sequence[EdgeLike],
    *,
    labels: Mapping[str, str],
    roles: Mapping[str, str],
    plates: Mapping[str, str],
) -> str:
    """The graph as DOT text; nested plates are nested clusters.

    DOT's clusters cannot cross: a node in two plates that do stands in the smaller one, and its indices tell
    the rest.

    Args:
        nodes: The nodes with the plates that each stands in.
        edges: The arrows.
        labels: What is written in each node, by its name.
        roles: How each node is drawn: "observed", "latent", "parameter", "hyperparameter" or "fixed".
        plates: What is written in each plate, by its name.

    Returns:
        A ``digraph``.
    """
    members = {p: frozenset(n.name for n in nodes if p in n.plates) for p in plates}
    outer: dict[str, str | None] = {}
    order = sorted(plates, key=lambda p: (-len(members[p]), p))
    for i, plate in enumerate(order):
        holders = [q for q in order[:i] if members[plate] <= members[q]]
        outer[plate] = holders[-1] if holders else None
    home = {n.name: _home(n.plates, order) for n in nodes}
    written = {n.name: f"{quoted(n.name)} [label={quoted(labels[n.name])}, {_LOOKS[roles[n.name]]}];" for n in nodes}

    def cluster(plate: str | None, indent: str) -> list[str]:
        lines = [indent + written[n.name] for n in nodes if home[n.name] == plate]
        for inner in order:
            if outer[inner] == plate:
                body = cluster(inner, indent + "  ")
                head = [
                    f"{indent}subgraph {quoted('cluster_' + inner)} {{",
                    f"{indent}  label={quoted(plates[inner])};",
                ]
                lines += [
                    *head,
                    f'{indent}  labeljust="r"; labelloc="b"; color="#8a949c";',
                    *body,
                    indent + "}",
                ]
        return lines

    arrows = [f"  {quoted(e.source)} -> {quoted(e.target)};" for e in edges]
    return "\n".join(["digraph {", "  rankdir=TB;", *cluster(None, "  "), *arrows, "}"]) + "\n"


def _home(own: tuple[str, ...], order: Sequence[str]) -> str | None:
    """The innermost plate of a node: the last of its plates in the order from large to small."""
    mine = [plate for plate in order if plate in own]
    return mine[-1] if mine else None
