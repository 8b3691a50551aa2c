"""``BayesianNetwork``: a graph over the columns of a table, learned or given, with gaps and hidden nodes welcome."""

import warnings
from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any, Self

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from tacit.data.blocks import AsTheyAre
from tacit.data.dataset import Dataset
from tacit.data.errors import listed
from tacit.data.passes import passed
from tacit.data.sources import BlockSource, StreamSource, source, stays
from tacit.estimators.base import double_precision, seed_of, weighted
from tacit.estimators.capabilities import MatrixLike
from tacit.estimators.network.answers import NetworkAnswers
from tacit.estimators.network.columns import NodeColumns
from tacit.estimators.network.node_rows import NodeRows, counted_rows
from tacit.estimators.network.structure import COMPLETIONS, Completions, NetworkStructure
from tacit.estimators.settings import POSITIVE, TOLERANCE, Choice, Number, Whole, settings
from tacit.estimators.stopping import because, stop_reason
from tacit.inference.fit import fit
from tacit.inference.status import CONVERGED
from tacit.models.network.completion import drawn
from tacit.models.network.graph import DirectedGraph
from tacit.models.network.layout import GapLayout, layout_with
from tacit.models.network.model import Network, stack
from tacit.models.network.nodes.base import NetworkNode
from tacit.models.network.nodes.exogenous import ExogenousNode
from tacit.models.network.nodes.normal import NormalNode
from tacit.models.network.nodes.table import TableNode
from tacit.models.network.starts import NodeSettings, alike, first_nodes, in_order, shaken

STEPS = 5
"""Of EM, between two structures that are learned from rows with gaps."""
BLOCK_ROWS = 32_768
"""Rows of files that are worked on together."""
INFERENCES = ("auto", "exact", "loopy", "mean-field", "weighted")


@settings
class BayesianNetwork(NetworkStructure, NetworkAnswers):
    """A directed graphical model, ``p(x) = ∏_k p(x_k | parents of x_k)``.

    A node with levels and parents with levels has a table of probabilities; with parents that are numbers it is a
    (multinomial) logistic regression. A number is a linear regression on its parents that are numbers, one for every
    configuration of the others; a count a log-linear one. Hidden nodes and gaps anywhere are summed out exactly, by
    variable elimination (Koller & Friedman 2009, chapters 9 and 10), and EM finds the parameters.

    Attributes:
        model_: the nodes and the graph.
        columns_: names, levels and families of the nodes.
        edges_: the arrows, as pairs of names.
        strengths_: what speaks for each arrow between columns, the strongest first; and whether the data cannot tell
            its direction.
        schema_: the columns, their kinds and levels.
        remarks_: what was put right while the network was read from a file.
        never_seen_: of every node, how many configurations of its parents no row has; their distribution is the
            prior's.
        trace_, lower_bound_, converged_, stop_reason_, n_iter_, n_parameters_: of the fit; the bound is the
            log-likelihood and the log prior density, in nats, summed over the rows.
    """

    _: KW_ONLY
    hidden: Any = None
    """hidden nodes and their numbers of states, {"Z": 3}."""
    repeat: Any = None
    """lists of nodes that share one table, such as symptoms, or the slices of a chain: [["day1", "day2"], …]; their
    parents then stand for one another, in the order of the columns."""
    prior: Annotated[float, Number("at least 0 rows")] = 1.0
    """how many rows the prior of every distribution weighs: Dirichlet with equal counts for tables (BDeu), normal–gamma
    for regressions; 0 for the maximum of the likelihood."""
    inference: Annotated[str, Choice(INFERENCES)] = "auto"
    """"exact"; "loopy" belief propagation, "mean-field" or "weighted" samples, which are approximate; "auto" is exact
    where ``max_bytes`` allows it, and says what it does where not."""
    max_bytes: Annotated[float, POSITIVE] = 1_073_741_824
    """what an exact answer may hold."""
    n_init: Annotated[int, Whole(1)] = 5
    """starts, where nodes are hidden."""
    max_iter: Annotated[int, Whole(0)] = 500
    """most EM steps of a start."""
    tol: Annotated[float, TOLERANCE] = 1e-6
    """the rise of the bound a row, in nats, below which the fit ends."""
    random_state: Any = 0
    """what starts, draws of gaps, the search of arrows and ``sample`` depend on."""

    @double_precision
    def fit(self, X: MatrixLike, y: Any = None, sample_weight: ArrayLike | None = None) -> Self:
        """Fit to rows.

        Args:
            X: a data frame, an array ``(n, d)`` or a `tacit.data.Dataset`; NaN and None mark missing entries.
            y: ignored.
            sample_weight: a weight a row, ``(n,)``; 2 is the same as two copies.

        Raises:
            ValueError: what is wrong with the rows, the arrows or a setting, and what to do; what an exact answer
                would cost, where that is too much.
        """
        self.fit_read(weighted(self.read(X, reset=True), sample_weight))
        return self

    def fit_read(self, rows: Dataset) -> None:
        """Fit to rows that were read; as `fit` in all else."""
        self.check_settings()
        rows = counted_rows(rows)
        self.columns_ = self._settled(rows, self.hidden)
        self.fixed_: dict[int, float] = {}
        self._fit(NodeRows.of(rows, self.columns_, self._scaled(self.columns_)))
        self._say()

    def _scaled(self, columns: NodeColumns) -> Float[np.ndarray, " nodes"]:
        """Which nodes are centred and scaled inside the engine: numbers that are no counts."""
        counts = [family == "poisson" for family in columns.families] + [False] * len(columns.hidden)
        return np.array([levels is None for levels in columns.levels]) & ~np.array(counts, bool)

    def _settings(self) -> NodeSettings:
        known = {"normal": "normal", "log-normal": "normal", "poisson": "poisson", "exogenous": "exogenous"}
        families = [known.get(family, "table") for family in self.columns_.families]
        return NodeSettings(
            (*families, *("table" for _ in self.columns_.hidden)), self.columns_.levels, float(self.prior)
        )

    def _fit(self, whole: NodeRows) -> None:
        random, units = seed_of(self.random_state), whole.units
        graph = self._graph(whole, self._completions(whole, random))
        self._say_barren(graph)
        rows = whole.distinct(self.columns_.levels)
        nodes = first_nodes(graph, self._settings(), rows)
        hidden = frozenset(node.place for node in nodes if whole.empty[node.place] and node.levels is not None)
        tied = self._tied(nodes)
        starts = [shaken(nodes, hidden, random) if hidden else nodes for _ in range(self.n_init if hidden else 1)]
        starts = [alike(one, tied) for one in starts]
        plain = Network(nodes, graph, None, float(self.max_bytes))
        layout = plain.priced(layout_with(nodes, graph.names, whole.gaps, whole.empty, whole.first_gaps()))
        models = stack([Network(one, graph, layout, float(self.max_bytes), tied) for one in starts])
        (found,) = fit(
            models,
            _source(rows),
            AsTheyAre(),
            key=np.zeros((len(starts), 2), np.uint32),
            max_iter=self.max_iter,
            tol=self.tol,
            eager=True,
        )
        model = Network(found.model.nodes, graph, layout, float(self.max_bytes), tied)
        if hidden:
            places = tuple(sorted(hidden))
            shares = dict(zip(places, passed(rows, _shares, model, layout, places), strict=True))
            model = model.with_nodes(in_order(model.nodes, shares, tied))
        self.never_seen_ = _never_seen(model, found.statistics)
        self.model_ = Network(units.in_units(model.nodes), graph, None, float(self.max_bytes))
        families = np.array(self.columns_.families)
        densities = np.flatnonzero(np.isin(families, ("normal", "log-normal"))).tolist()
        change = units.log_change(whole.facts.seen, whole.facts.total, densities, np.flatnonzero(self.columns_.logged))
        self.trace_ = found.trace._replace(bound=found.trace.bound + change)
        self.lower_bound_ = float(found.bound) + change
        self.n_iter_, self._status = found.iteration, found.status
        self.n_parameters_ = model.n_parameters()
        self.converged_, self.stop_reason_ = found.status == CONVERGED, stop_reason(found.status)
        self.strengths_ = self._strengths(graph, whole)
        self.edges_ = tuple(
            (graph.names[parent], graph.names[node]) for node in range(len(graph)) for parent in graph.parents[node]
        )

    def _tied(self, nodes: Sequence[NetworkNode]) -> tuple[tuple[int, ...], ...]:
        """The nodes of every list of ``repeat``."""
        groups = tuple(tuple(self.columns_.node(name) for name in group) for group in self.repeat or ())
        twice = [v for v in {v for group in groups for v in group} if sum(v in group for group in groups) > 1]
        if twice:
            raise ValueError(f"repeat: {self.columns_.names[twice[0]]!r} stands in two lists")
        for group in groups:
            try:
                alike(nodes, [group])
            except ValueError as error:
                names = listed([self.columns_.names[v] for v in group])
                raise ValueError(f"repeat: {names} cannot share one table: {error}") from None
        return groups

    def _completions(self, whole: NodeRows, random: np.random.Generator) -> Completions:
        """Draws of the gaps under the network of a graph: a step of EM over structures (Friedman 1997)."""

        def drawn_under(graph: DirectedGraph) -> Float[np.ndarray, "rows nodes"]:
            nodes, rows = first_nodes(graph, self._settings(), whole.data), whole.values
            model = Network(nodes, graph, None, float(self.max_bytes))
            model = Network(nodes, graph, model.checked_layout(rows), float(self.max_bytes))
            for _ in range(STEPS):
                model = model.m_step(model.sums(rows, whole.weights).statistics)
            return np.concatenate(list(drawn(model, rows, COMPLETIONS, random)))

        return drawn_under

    def _say_barren(self, graph: DirectedGraph) -> None:
        """Warn of hidden nodes that no column comes after."""
        visible = len(self.columns_.schema)
        heard = set(range(visible))
        for node in reversed(graph.order):
            if node in heard:
                heard |= set(graph.parents[node])
        barren = [graph.names[node] for node in range(visible, len(graph)) if node not in heard]
        if barren:
            warnings.warn(
                f"no arrow leads from hidden node {listed(barren)} to a column, so the rows say nothing of it: it "
                "stays as it was drawn. Add arrows from it, or leave it out",
                UserWarning,
                stacklevel=6,
            )

    def _say(self) -> None:
        """Warnings of a fit that did not come to rest."""
        if not self.converged_:
            warnings.warn(
                f"{type(self).__name__} did not converge: {because(self._status)} after {self.n_iter_} EM steps. "
                "Increase max_iter or tol",
                ConvergenceWarning,
                stacklevel=4,
            )


def _source(rows: Dataset) -> BlockSource:
    """Rows in memory, or in blocks that are worked on as one chunk each."""
    return StreamSource(rows, widest=BLOCK_ROWS) if stays(rows) else source(rows)


def _shares(
    rows: Float[np.ndarray, "rows nodes"],
    weights: Float[np.ndarray, " rows"],
    model: Network,
    layout: GapLayout,
    places: tuple[int, ...],
) -> tuple[np.ndarray, ...]:
    """How much of the rows has every level of hidden nodes."""
    found = [np.zeros(model.sizes[place]) for place in places]
    for where, _, posterior in model.inferred(rows, layout):
        for own, place in zip(found, places, strict=True):
            own += np.nan_to_num(posterior.marginal(place)) @ weights[where]
    return tuple(found)


def _never_seen(model: Network, statistics: tuple[Any, ...]) -> dict[str, int]:
    """Configurations of the parents that no row has, by node; only where there are some."""
    found = {}
    for node, sums in zip(model.nodes, statistics, strict=True):
        if node.discrete and not isinstance(node, ExogenousNode):
            if isinstance(node, TableNode):
                seen = sums.sum(-1)
            elif isinstance(node, NormalNode):
                seen = sums[..., 0, 0]
            else:
                seen = sums.information[..., 0, 0]
            number = int((seen < 1e-9).sum())
            if number:
                found[model.graph.names[node.place]] = number
    return found
