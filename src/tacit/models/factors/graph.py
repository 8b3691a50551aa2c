"""The directed graph of linear latent factors."""

from tacit.models.graph import Edge, Graph, Node, Plate


def factor_graph(columns: tuple[str, ...] | None, symbols: tuple[str, str, str], factors: int | None = None) -> Graph:
    """``p(x, z | μ, Λ, ψ) = ∏ₙ p(zₙ) p(xₙ | zₙ, μ, Λ, ψ)``.

    Args:
        columns: their names, where they have some.
        symbols: the letters of mean, loadings and noise.
        factors: how many, if it is to be written.
    """
    named = f"normal, {factors} dimensions" if factors else "normal"
    latent = Node("z", "z", "latent", ("n",), named)
    seen = Node("x", "x", "observed", ("n",), "normal", columns or ())
    parameters = tuple(Node(symbol, symbol, "parameter") for symbol in symbols)
    edges = tuple(Edge(symbol, "x") for symbol in symbols)
    return Graph((*parameters, latent, seen), (*edges, Edge("z", "x")), (Plate("n", "n = 1…N"),))
