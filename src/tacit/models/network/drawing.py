"""The directed graph of a network, as data."""

from tacit.models.graph import Edge, Graph, Node, Plate
from tacit.models.network.graph import DirectedGraph


def network_graph(graph: DirectedGraph, families: tuple[str, ...], visible: int) -> Graph:
    """``∏ₙ ∏_k p(x_nk | parents)``.

    Args:
        graph: of the nodes.
        families: of the visible columns, which come first.
        visible: how many they are.
    """
    nodes = tuple(
        Node(
            name,
            name,
            "observed" if place < visible else "latent",
            ("n",),
            families[place] if place < visible else "categorical",
        )
        for place, name in enumerate(graph.names)
    )
    edges = tuple(
        Edge(graph.names[parent], name)
        for name, above in zip(graph.names, graph.parents, strict=True)
        for parent in above
    )
    return Graph(nodes, edges, (Plate("n", "n = 1…N"),))
