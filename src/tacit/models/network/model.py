"""A directed graphical model: a graph, and a distribution for every node given its parents."""

from collections.abc import Iterator, Mapping
from typing import Self

import numpy as np
from jaxtyping import Float

from tacit import trees
from tacit.arrays import Pytree, static
from tacit.compute import HostArray
from tacit.engine import PyTree
from tacit.inference.closed_form import Sums
from tacit.models.network.blocks import blocks_by_node
from tacit.models.network.graph import DirectedGraph
from tacit.models.network.layout import GapLayout, layout_of, scopes_of
from tacit.models.network.nodes.base import NetworkNode
from tacit.models.network.nodes.configurations import Chunk
from tacit.models.network.nodes.table import TableNode
from tacit.models.network.plan import planned
from tacit.models.network.price import check_price
from tacit.models.network.row_inference import (
    CHUNK_BYTES,
    NetworkFactors,
    RowPosteriors,
    factors_of,
    likelihood,
    moments_a_row,
    plan_of,
    posteriors,
    whole_order,
)


class Network(Pytree):
    """``p(x) = ∏_k p(x_k | parents of x_k)``; rows are ``[rows, nodes]``, codes of levels and numbers, NaN unseen.

    It is fitted by the closed-form driver, all starts side by side, without a compiler: the tables of many rows are
    worked on at once, which is as fast as compiled code and begins at once.
    """

    nodes: tuple[NetworkNode, ...]
    """In the order of the graph's numbers."""
    graph: DirectedGraph = static()
    layout: GapLayout | None = static(default=None)
    """Of the rows of a fit."""
    max_bytes: float = static(default=2**30)
    """What the tables of one row may take at most."""
    tied: tuple[tuple[int, ...], ...] = static(default=())
    """Nodes whose tables are one, such as those of the slices of time."""

    @property
    def monotone(self) -> bool:
        return True

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of levels of every node, 1 of a number."""
        return tuple(node.levels or 1 for node in self.nodes)

    def layout_for(self, rows: Float[HostArray, "rows nodes"]) -> GapLayout:
        """What is known of rows."""
        return layout_of(self.nodes, self.graph.names, rows)

    def checked_layout(self, rows: Float[HostArray, "rows nodes"]) -> GapLayout:
        """The same, once it is known that the tables of one row can be held.

        Raises:
            TooDear: they cannot.
            NotExact: what is missing has no exact integral.
        """
        return self.priced(self.layout_for(rows))

    def priced(self, layout: GapLayout) -> GapLayout:
        """A layout of rows, once it is known that the tables of one row can be held.

        Raises:
            TooDear: they cannot.
        """
        plan = planned(scopes_of(self.nodes, layout), self.sizes, frozenset(), (whole_order(self.nodes, self.sizes),))
        check_price(self.nodes, self.graph.names, layout.seen, self.max_bytes, plan)
        return layout

    def chunk(self, rows: Float[HostArray, "rows nodes"], layout: GapLayout) -> Chunk:
        """Rows as the nodes take them."""
        return Chunk(rows, self.sizes, layout.seen)

    def inferred(
        self,
        rows: Float[HostArray, "rows nodes"],
        layout: GapLayout | None = None,
        likelihoods: Mapping[int, Float[HostArray, "_ rows"]] | None = None,
    ) -> Iterator[tuple[slice, Chunk, RowPosteriors]]:
        """Posteriors of rows, some of them at a time."""
        for where, chunk, factors in self.tables_of(rows, layout or self.checked_layout(rows), likelihoods or {}):
            yield where, chunk, posteriors(plan_of(self.nodes, factors, self.sizes), factors)

    def tables_of(
        self, rows: Float[HostArray, "rows nodes"], layout: GapLayout, likelihoods: Mapping[int, np.ndarray]
    ) -> Iterator[tuple[slice, Chunk, NetworkFactors]]:
        """The tables of rows, so many at a time that they take `CHUNK_BYTES`."""
        if not len(rows):
            return
        few = self.chunk(rows[:2], layout)
        plan = plan_of(self.nodes, factors_of(self.nodes, few, layout), self.sizes)
        leaves = sum(plan.entries[: plan.leaves])
        number = max(1, int(CHUNK_BYTES / 8 / (plan.peak + leaves + moments_a_row(self.nodes, layout))))
        for begin in range(0, len(rows), number):
            where = slice(begin, begin + number)
            chunk = self.chunk(rows[where], layout)
            part = {v: values[:, where] for v, values in likelihoods.items()}
            yield where, chunk, factors_of(self.nodes, chunk, layout, part)

    def log_prob(
        self,
        rows: Float[HostArray, "rows nodes"],
        likelihoods: Mapping[int, Float[HostArray, "_ rows"]] | None = None,
    ) -> Float[HostArray, " rows"]:
        """``log p`` of what is seen of every row, in nats; −inf of what is impossible."""
        found = np.empty(len(rows))
        for where, _, factors in self.tables_of(rows, self.checked_layout(rows), likelihoods or {}):
            found[where] = likelihood(plan_of(self.nodes, factors, self.sizes), factors)[1]
        return found

    def prepare(self) -> "NetworkStep":
        """The E-step."""
        return NetworkStep(self)

    def m_step(self, statistics: PyTree) -> Self:
        """The next model."""
        together = list(statistics)
        for group in self.tied:
            whole = sum(statistics[place] for place in group)
            for place in group:
                together[place] = whole
        nodes = tuple(node.m_step(own) for node, own in zip(self.nodes, together, strict=True))
        return self.with_nodes(nodes)

    @property
    def _own(self) -> list[NetworkNode]:
        """The nodes with parameters of their own: of those that are tied, the first."""
        copies = {place for group in self.tied for place in group[1:]}
        return [node for node in self.nodes if node.place not in copies]

    def with_nodes(self, nodes: tuple[NetworkNode, ...]) -> Self:
        """The same graph with other distributions."""
        return type(self)(nodes, self.graph, self.layout, self.max_bytes, self.tied)

    def global_bound(self) -> Float[HostArray, "*starts"]:
        """The log prior density of all parameters."""
        total: np.ndarray = sum((node.log_prior() for node in self._own), np.zeros(()))
        return total

    def n_parameters(self) -> int:
        """Free parameters of all nodes."""
        return sum(node.n_parameters() for node in self._own)

    def sums(self, rows: Float[HostArray, "rows nodes"], weights: Float[HostArray, " rows"]) -> Sums:
        """Expected statistics of one model, and ``Σ w log p``."""
        total: list[PyTree] | None = None
        bound = 0.0
        for where, chunk, found in self.inferred(rows, self.layout):
            part = [self._statistics(node, chunk, found, weights[where]) for node in self.nodes]
            total = part if total is None else trees.map(np.add, total, part)
            bound += float(weights[where] @ found.log_prob)
        return Sums(tuple(total or ()), np.asarray(bound))

    def _statistics(
        self, node: NetworkNode, chunk: Chunk, found: RowPosteriors, weights: Float[HostArray, " rows"]
    ) -> PyTree:
        if isinstance(node, TableNode) and not chunk.seen.intersection(node.members):
            return found.counts(node.place, weights)
        weighted = found.of_node(node.place) * weights
        block = blocks_by_node(found.factors.blocks).get(node.place)
        if block is not None:
            return found.factors.blocks[block].statistics(node, chunk, weighted)  # type: ignore[arg-type]
        if node.levels is None and node.place not in chunk.seen:  # a number that nothing depends on says nothing
            unseen = np.isnan(chunk.rows[:, node.place])
            rows = chunk.rows.copy()
            rows[unseen, node.place] = 0.0
            return node.statistics(Chunk(rows, chunk.sizes, chunk.seen), np.where(unseen, 0.0, weighted))
        return node.statistics(chunk, weighted)


class NetworkStep(Pytree):
    """The E-step of the models of all starts, one after the other."""

    model: Network

    def __call__(self, rows: Float[HostArray, "rows nodes"], weights: Float[HostArray, " rows"], key: object) -> Sums:
        found = [one.sums(rows, weights) for one in split(self.model)]
        return trees.map(lambda *parts: np.stack(parts), *found)


def split(model: Network) -> list[Network]:
    """The models of all starts apart."""
    number = len(trees.leaves(model)[0])
    return [trees.map(lambda leaf, start=start: leaf[start], model) for start in range(number)]


def stack(models: list[Network]) -> Network:
    """Models of one graph as starts of a fit."""
    return trees.map(lambda *leaves: np.stack(leaves), *models)
