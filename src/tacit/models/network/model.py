"""A directed graphical model: a graph, and a distribution for every node given its parents."""

from collections.abc import Iterator, Mapping
from typing import Self

import jax
import numpy as np
from jaxtyping import Float, PyTree

from tacit.arrays import Pytree, static
from tacit.inference.closed_form import Sums
from tacit.models.network.blocks import blocks_by_node
from tacit.models.network.graph import DirectedGraph
from tacit.models.network.layout import Layout, layout_of
from tacit.models.network.nodes.base import NetworkNode
from tacit.models.network.nodes.configurations import Chunk
from tacit.models.network.row_inference import CHUNK_BYTES, RowPosteriors, factors_of, likelihood, plan_of, posteriors


class Network(Pytree):
    """``p(x) = ∏_k p(x_k | parents of x_k)``; rows are ``[rows, nodes]``, codes of levels and numbers, NaN unseen.

    It is fitted by the closed-form driver, all starts side by side, without a compiler: the tables of many rows are
    worked on at once, which is as fast as compiled code and begins at once.
    """

    nodes: tuple[NetworkNode, ...]
    """In the order of the graph's numbers."""
    graph: DirectedGraph = static()
    layout: Layout | None = static(default=None)
    """Of the rows of a fit."""

    @property
    def monotone(self) -> bool:
        return True

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of levels of every node, 1 of a number."""
        return tuple(node.levels or 1 for node in self.nodes)

    def layout_for(self, rows: Float[np.ndarray, "rows nodes"]) -> Layout:
        """What is known of rows."""
        return layout_of(self.nodes, self.graph.names, rows)

    def inferred(
        self,
        rows: Float[np.ndarray, "rows nodes"],
        layout: Layout | None = None,
        likelihoods: Mapping[int, Float[np.ndarray, "levels rows"]] | None = None,
    ) -> Iterator[tuple[slice, Chunk, RowPosteriors]]:
        """Posteriors of rows, some of them at a time."""
        known = layout or self.layout_for(rows)
        for where, chunk in self.chunks(rows, known):
            part = {v: values[:, where] for v, values in (likelihoods or {}).items()}
            factors = factors_of(self.nodes, chunk, known, part)
            yield where, chunk, posteriors(plan_of(self.nodes, factors, self.sizes), factors)

    def chunks(self, rows: Float[np.ndarray, "rows nodes"], layout: Layout) -> Iterator[tuple[slice, Chunk]]:
        """Rows, so many at a time that their tables take `CHUNK_BYTES`."""
        first = Chunk(rows[:2], self.sizes, layout.seen)
        plan = plan_of(self.nodes, factors_of(self.nodes, first, layout), self.sizes)
        leaves = sum(plan.entries(leaf) for leaf in range(plan.leaves))
        number = max(1, int(CHUNK_BYTES / 8 / (plan.peak + leaves)))
        for begin in range(0, len(rows), number):
            where = slice(begin, begin + number)
            yield where, Chunk(rows[where], self.sizes, layout.seen)

    def log_prob(self, rows: Float[np.ndarray, "rows nodes"]) -> Float[np.ndarray, " rows"]:
        """``log p`` of what is seen of every row, in nats; −inf of what is impossible."""
        layout = self.layout_for(rows)
        found = np.empty(len(rows))
        for where, chunk in self.chunks(rows, layout):
            factors = factors_of(self.nodes, chunk, layout)
            found[where] = likelihood(plan_of(self.nodes, factors, self.sizes), factors)[1]
        return found

    def prepare(self) -> "NetworkStep":
        """The E-step."""
        return NetworkStep(self)

    def m_step(self, statistics: PyTree) -> Self:
        """The next model."""
        nodes = tuple(node.m_step(own) for node, own in zip(self.nodes, statistics, strict=True))
        return self.with_nodes(nodes)

    def with_nodes(self, nodes: tuple[NetworkNode, ...]) -> Self:
        """The same graph with other distributions."""
        return type(self)(nodes, self.graph, self.layout)

    def global_bound(self) -> Float[np.ndarray, "*starts"]:
        """The log prior density of all parameters."""
        total: np.ndarray = sum((node.log_prior() for node in self.nodes), np.zeros(()))
        return total

    def n_parameters(self) -> int:
        """Free parameters of all nodes."""
        return sum(node.n_parameters() for node in self.nodes)

    def sums(self, rows: Float[np.ndarray, "rows nodes"], weights: Float[np.ndarray, " rows"]) -> Sums:
        """Expected statistics of one model, and ``Σ w log p``."""
        total: list[PyTree] | None = None
        bound = 0.0
        for where, chunk, found in self.inferred(rows, self.layout):
            part = [self._statistics(node, chunk, found, weights[where]) for node in self.nodes]
            total = part if total is None else jax.tree.map(np.add, total, part)
            bound += float(weights[where] @ found.log_prob)
        return Sums(tuple(total or ()), np.asarray(bound))

    def _statistics(
        self, node: NetworkNode, chunk: Chunk, found: RowPosteriors, weights: Float[np.ndarray, " rows"]
    ) -> PyTree:
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

    def __call__(
        self, rows: Float[np.ndarray, "rows nodes"], weights: Float[np.ndarray, " rows"], key: object
    ) -> Sums:
        found = [one.sums(rows, weights) for one in split(self.model)]
        return jax.tree.map(lambda *parts: np.stack(parts), *found)


def split(model: Network) -> list[Network]:
    """The models of all starts apart."""
    leaves, tree = jax.tree.flatten(model)
    return [jax.tree.unflatten(tree, [leaf[start] for leaf in leaves]) for start in range(len(leaves[0]))]


def stack(models: list[Network]) -> Network:
    """Models of one graph as starts of a fit."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *models)
