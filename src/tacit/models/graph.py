"""The directed graph of a model as data: nodes, arrows, plates; its factorisation, picture and DOT text.

``p(x_1, …, x_J) = ∏ p(x_j | parents of x_j)``. A plate repeats what it encloses, once for every value of an
index (Bishop 2006, section 8.1; Koller & Friedman 2009, chapter 6).
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from tacit import plots
from tacit.plots.dot import to_dot
from tacit.plots.layout import layers

if TYPE_CHECKING:
    from matplotlib.figure import Figure
else:
    Figure = Any  # matplotlib loads when a graph is drawn

Role = Literal["observed", "latent", "parameter", "hyperparameter"]

_SUBSCRIPTS = dict(zip("0123456789aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))


class GraphError(ValueError):
    """A graph that is none: a name twice, an unknown end of an arrow, an unknown plate, a circle."""


@dataclass(frozen=True)
class Node:
    """A variable of the model.

    ``role`` "observed" and "latent" are random; a "parameter" is random if an arrow comes in (its prior),
    else a fixed value to be estimated; a "hyperparameter" is a fixed value given beforehand. A node may hold
    several symbols that share one joint distribution, written with commas: ``"μ,Σ"``. ``family`` says in a
    word how the node is distributed given its parents. ``columns`` are those of the table that it stands for, where
    they have names: a picture shows these.
    """

    name: str
    label: str
    role: Role
    plates: tuple[str, ...] = ()
    family: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """An arrow: ``target`` depends on ``source``."""

    source: str
    target: str


@dataclass(frozen=True)
class Plate:
    """What is repeated: ``name`` is the index ("n"), ``label`` what is written in the box ("n = 1…N")."""

    name: str
    label: str


@dataclass(frozen=True)
class Graph:
    """A directed graph without circles, checked when it is made.

    Raises:
        GraphError: If a name stands twice, a role is unknown, an arrow or a node names what does not exist,
            an arrow ends in a hyperparameter, or the arrows go round in a circle; it names the culprit.
    """

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...] = ()
    plates: tuple[Plate, ...] = ()

    def __post_init__(self) -> None:
        _unique("node", [node.name for node in self.nodes])
        _unique("plate", [plate.name for plate in self.plates])
        _unique("arrow", [f"{edge.source} → {edge.target}" for edge in self.edges])
        known, boxes = {node.name: node for node in self.nodes}, {plate.name for plate in self.plates}
        for node in self.nodes:
            if node.role not in get_args(Role):
                raise GraphError(f"node '{node.name}' has the role '{node.role}'; choose from {get_args(Role)}")
            for plate in node.plates:
                if plate not in boxes:
                    raise GraphError(f"node '{node.name}' stands in plate '{plate}', which does not exist")
        for edge in self.edges:
            for end in (edge.source, edge.target):
                if end not in known:
                    raise GraphError(f"arrow {edge.source} → {edge.target}: there is no node '{end}'")
            if known[edge.target].role == "hyperparameter":
                raise GraphError(f"arrow {edge.source} → {edge.target}: a hyperparameter is fixed; make it a parameter")
        self._layers()

    def _layers(self) -> dict[str, int]:
        try:
            return layers([node.name for node in self.nodes], [(e.source, e.target) for e in self.edges])
        except ValueError as error:
            raise GraphError(str(error)) from None

    def parents(self, name: str) -> tuple[Node, ...]:
        """The nodes with an arrow to this one, latent and observed ones first."""
        sources = {edge.source for edge in self.edges if edge.target == name}
        found = [node for node in self.nodes if node.name in sources]
        return tuple(sorted(found, key=lambda node: node.role not in ("latent", "observed")))

    def is_random(self, node: Node) -> bool:
        """Whether a node has a distribution, rather than a fixed value (given or estimated)."""
        if node.role == "parameter":
            return bool(self.parents(node.name))
        return node.role != "hyperparameter"

    def symbol(self, node: Node, within: Sequence[str] | None = None) -> str:
        """The node's label with its indices; seen from outside its plates, the whole collection: no index."""
        if within is not None and not set(node.plates) <= set(within):
            return node.label
        index = "".join(plate.name for plate in self.plates if plate.name in node.plates)
        return ",".join(part.strip() + _subscript(index) for part in node.label.split(","))

    def factorisation(self, *, fixed: bool = True) -> str:
        """The joint density as a product, such as ``p(x,z; π,μ,Σ) = ∏ₙ p(zₙ; π) p(xₙ|zₙ; μ,Σ)``.

        Fixed values stand after a semicolon, random ones before it.

        Args:
            fixed: Whether the fixed values are written at all.
        """
        order = {"observed": 0, "latent": 1, "parameter": 2, "hyperparameter": 3}
        ranked = sorted(self.nodes, key=lambda node: order[node.role])
        random = [node.label for node in ranked if self.is_random(node)]
        given = [node.label for node in ranked if not self.is_random(node)] if fixed else []
        depth = self._layers()
        factors = sorted((n for n in self.nodes if self.is_random(n)), key=lambda node: depth[node.name])
        left = ",".join(random) + ("; " + ",".join(given) if given else "")
        return f"p({left}) = {self._product(factors, (), fixed)}"

    def _product(self, factors: list[Node], inside: tuple[str, ...], fixed: bool) -> str:
        """The factors of some plates, then a ∏ for each further plate; brackets where its end is unclear."""
        parts = [self._factor(node, fixed) for node in factors if set(node.plates) == set(inside)]
        rest = [node for node in factors if set(node.plates) > set(inside)]
        blocks: list[tuple[str, str]] = []
        while rest:
            further = [p.name for p in self.plates if p.name in rest[0].plates and p.name not in inside]
            plate = max(further, key=lambda name: sum(name in node.plates for node in rest))
            within = [node for node in rest if plate in node.plates]
            rest = [node for node in rest if plate not in node.plates]
            blocks.append((f"∏{_subscript(plate)}", self._product(within, (*inside, plate), fixed)))
        for i, (sign, body) in enumerate(blocks):
            nested = "∏" in body and not body.startswith("∏") and i < len(blocks) - 1
            parts.append(f"{sign} [{body}]" if nested else f"{sign} {body}")
        return " ".join(parts)

    def _factor(self, node: Node, fixed: bool) -> str:
        parents = self.parents(node.name)
        random = [self.symbol(p, node.plates) for p in parents if self.is_random(p)]
        given = [self.symbol(p, node.plates) for p in parents if not self.is_random(p)] if fixed else []
        text = self.symbol(node) + ("|" + ",".join(random) if random else "")
        return f"p({text}{'; ' + ','.join(given) if given else ''})"

    def distributions(self) -> tuple[str, ...]:
        """A line for each random node whose family is named, such as ``xₙ | zₙ ~ normal(μ, Σ)``."""
        lines = []
        depth = self._layers()
        for node in sorted(self.nodes, key=lambda node: depth[node.name]):
            if not node.family or not self.is_random(node):
                continue
            parents = self.parents(node.name)
            given = [self.symbol(p, node.plates) for p in parents if p.role in ("latent", "observed")]
            values = [self.symbol(p, node.plates) for p in parents if p.role not in ("latent", "observed")]
            bar = f" | {', '.join(given)}" if given else ""
            of = f"({', '.join(values).replace(',', ', ').replace(',  ', ', ')})" if values else ""
            lines.append(f"{self.symbol(node)}{bar} ~ {node.family}{of}")
        return tuple(lines)

    def legend(self) -> tuple[str, ...]:
        """A line for each symbol that stands for columns with names: ``x₁: species, sex``."""
        return tuple(f"{node.label}: {', '.join(node.columns)}" for node in self.nodes if node.columns)

    def _looks(self) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
        labels = {node.name: _columns_in_short(node.columns) or self.symbol(node) for node in self.nodes}
        roles = {node.name: str(node.role) if self.is_random(node) else "fixed" for node in self.nodes}
        return labels, roles, {plate.name: plate.label for plate in self.plates}

    def to_dot(self) -> str:
        """The graph in the DOT language of Graphviz."""
        labels, roles, plates = self._looks()
        return to_dot(self.nodes, self.edges, labels=labels, roles=roles, plates=plates)

    def _repr_svg_(self) -> str:
        """The picture, for a notebook."""
        return plots.to_svg(self.draw(), title=f"Diagram of the model. {self.factorisation()}")

    def plot(self) -> Figure:
        """The same as `draw`."""
        return self.draw()

    def draw(self, *, scale: float = 1.0) -> Figure:
        """The plate diagram: observed nodes shaded, fixed values as dots, plates as boxes."""
        labels, roles, plates = self._looks()
        return plots.plate_diagram(self.nodes, self.edges, labels=labels, roles=roles, plates=plates, scale=scale)


def _columns_in_short(columns: Sequence[str]) -> str:
    """``species``, or ``species + 2``."""
    return columns[0] + (f" + {len(columns) - 1}" if len(columns) > 1 else "") if columns else ""


def _unique(what: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise GraphError(f"{what} '{twice[0]}' stands twice in the graph")


def _subscript(index: str) -> str:
    """An index as a subscript where Unicode has one for every letter, else after an underscore."""
    if all(letter in _SUBSCRIPTS for letter in index):
        return "".join(_SUBSCRIPTS[letter] for letter in index)
    return f"_{index}"


def mixture_graph(
    groups: Sequence[tuple[Sequence[str], str]],
    *,
    priors: bool = False,
    weights_prior: bool | str = False,
    rows: int | None = None,
    components: int | None = None,
    columns: Sequence[Sequence[str]] = (),
) -> Graph:
    """The graph of a mixture: a hidden group z for every row, and groups of columns independent given it.

    Args:
        groups: For each group of columns the symbols of its parameters and the name of its family, such as
            ``[(("μ", "Σ"), "normal"), (("λ",), "Poisson")]``.
        priors: Whether the parameters of the groups have priors (MAP): then those of a group are one random node.
        weights_prior: Whether the weights have a Dirichlet prior, or the name of another.
        rows: Number of rows, if it is to be written in the plate.
        components: Number of components, likewise.
        columns: For each group the names of its columns, where they have any.

    Returns:
        The graph, with the plates ``n`` (rows) and ``k`` (components).
    """
    many = len(groups) > 1
    symbols = [symbol for names, _ in groups for symbol in names]
    named = weights_prior if isinstance(weights_prior, str) else "Dirichlet" if weights_prior else ""
    nodes = [Node("pi", "π", "parameter", family=named)]
    edges = [Edge("pi", "z")]
    if weights_prior:
        nodes.insert(0, Node("alpha", "α", "hyperparameter"))
        edges.insert(0, Edge("alpha", "pi"))
    visible = []
    for g, (names, family) in enumerate(groups, start=1):
        own = [_numbered(name, g if symbols.count(name) > 1 else None) for name in names]
        x = Node(f"x{g}" if many else "x", _numbered("x", g if many else None), "observed", ("n",), family)
        x = dataclasses.replace(x, columns=tuple(columns[g - 1]) if columns else ())
        if priors:
            theta, eta = f"theta{g}", f"eta{g}"
            nodes += [Node(eta, _numbered("η", g if many else None), "hyperparameter")]
            nodes += [Node(theta, ",".join(own), "parameter", ("k",), "its conjugate prior")]
            edges += [Edge(eta, theta), Edge(theta, x.name)]
        else:
            nodes += [Node(name, name, "parameter", ("k",)) for name in own]
            edges += [Edge(name, x.name) for name in own]
        edges.append(Edge("z", x.name))
        visible.append(x)
    plates = (
        Plate("n", f"n = 1…{'N' if rows is None else rows}"),
        Plate("k", f"k = 1…{'K' if components is None else components}"),
    )
    latent = Node("z", "z", "latent", ("n",), "categorical")
    return Graph((*nodes, latent, *visible), tuple(edges), plates)


def hidden_markov_graph(
    groups: Sequence[tuple[Sequence[str], str]], *, columns: Sequence[Sequence[str]] = (), priors: bool = False
) -> Graph:
    """The graph of one step of a hidden Markov model, with the state of the step before.

    Args:
        groups, columns, priors: as of `mixture_graph`.
    """
    step = mixture_graph(groups, columns=columns, priors=priors)
    nodes = [dataclasses.replace(n, label="π,A") if n.name == "pi" else n for n in step.nodes]
    before = Node("before", "z₋₁", "latent", ("n",), "categorical")
    plates = (Plate("n", "t = 1…T"), step.plates[1])
    return Graph((*nodes, before), (*step.edges, Edge("before", "z")), plates)


def state_space_graph(*, inputs: bool = False, columns: Sequence[str] = ()) -> Graph:
    """The graph of one step of a linear Gaussian state space, with the state of the step before."""
    nodes = [
        Node("moves", "F,Q", "parameter"),
        Node("before", "x₋₁", "latent", ("n",), "normal"),
        Node("x", "x", "latent", ("n",), "normal"),
        Node("sees", "H,R", "parameter"),
        Node("y", "y", "observed", ("n",), "normal", tuple(columns)),
    ]
    edges = [Edge("moves", "x"), Edge("before", "x"), Edge("x", "y"), Edge("sees", "y")]
    if inputs:
        nodes.append(Node("u", "u", "hyperparameter", ("n",)))
        edges += [Edge("u", "x"), Edge("u", "y")]
    return Graph(tuple(nodes), tuple(edges), (Plate("n", "t = 1…T"),))


def _numbered(symbol: str, number: int | None) -> str:
    return symbol if number is None else symbol + _subscript(str(number))
