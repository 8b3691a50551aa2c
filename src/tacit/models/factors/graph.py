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


def item_graph(columns: tuple[str, ...] | None, families: tuple[str, ...], factors: int) -> Graph:
    """``p(x, z | a, λ) = ∏ₙ p(zₙ) ∏_j p(x_nj | zₙ, a_j, λ_j)``.

    Args:
        columns: their names, where they have some.
        families: of the columns; those that there are get a node each.
        factors: how many.
    """
    latent = Node("z", "z", "latent", ("n",), f"normal, {factors} dimensions" if factors > 1 else "normal")
    nodes, edges = [Node("a", "a", "parameter"), Node("λ", "λ", "parameter"), latent], []
    known = list(dict.fromkeys(families))
    for family in known:
        own = () if columns is None else tuple(c for c, f in zip(columns, families, strict=True) if f == family)
        name = "x" if len(known) == 1 else f"x {family}"
        nodes.append(Node(name, name, "observed", ("n",), family, own))
        edges += [Edge("a", name), Edge("λ", name), Edge("z", name)]
    return Graph(tuple(nodes), tuple(edges), (Plate("n", "n = 1…N"),))
