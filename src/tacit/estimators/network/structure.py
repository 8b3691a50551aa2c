"""Which arrows: given, of a simple shape, or learned; how strong each is, and which directions the data cannot tell."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any

import numpy as np
from jaxtyping import Float

from tacit.data.errors import listed
from tacit.estimators.network.arrows import LEARNED, arrows, graph_of, placed
from tacit.estimators.network.columns import HasNodes
from tacit.estimators.settings import Choice, Whole, settings
from tacit.models.network.graph import DirectedGraph
from tacit.models.network.learning import (
    Constraints,
    DiscreteScore,
    GaussianScore,
    MixedScore,
    Options,
    RowCounts,
    Score,
    augmented,
    bootstrap,
    equivalence_class,
    learn,
    moments_of,
    naive,
    tree,
)

CRITERIA = ("bic", "aic", "bdeu", "bge", "k2")
ROUNDS = 6
"""Rounds of structural EM, at most."""
COMPLETIONS = 10
"""Draws of the gaps that a structure is learned from."""

Rows = Float[np.ndarray, "rows nodes"]
Weights = Float[np.ndarray, " rows"]
Parents = tuple[tuple[int, ...], ...]
Completions = Callable[[DirectedGraph], Rows]
"""Rows with their gaps drawn under the network of a graph, `COMPLETIONS` times, one after the other."""


@dataclass(frozen=True)
class ArrowStrength:
    """How much speaks for an arrow.

    Attributes:
        source, target: its ends.
        gain: what the score (BIC, in nats) would lose without it.
        share: of the networks learned from resampled rows, how many join the two; None where none were.
        direction: of these, how many have it this way round; half for those whose direction the data cannot tell.
        reversible: whether the data cannot tell its direction.
    """

    source: str
    target: str
    gain: float
    share: float | None
    direction: float | None
    reversible: bool


@settings
class NetworkStructure(HasNodes):
    """The settings that choose a graph."""

    edges: Any = "learn"
    """"learn" (by hill climbing), "tree" (Chow–Liu), "naive" or "tree-augmented" (with ``root`` above all others);
    a list of pairs of names, or a text, "smoke->lung, smoke->bronc"; None for no arrows."""
    _: KW_ONLY
    criterion: Annotated[str, Choice(CRITERIA)] = "bic"
    """what learning maximises; "bdeu" and "k2" are for levels, "bge" for numbers."""
    required: Any = None
    """arrows that there must be, as ``edges``."""
    forbidden: Any = None
    """arrows that there must not be."""
    tiers: Any = None
    """lists of names in an order, such as of time: no arrow leads from a later list to an earlier one."""
    max_parents: Annotated[int | None, Whole(0)] = None
    """of a node that is learned; None for as many as pay."""
    root: Any = None
    """the node above all others in "naive" and "tree-augmented", and at the root of a "tree"."""
    n_bootstrap: Annotated[int, Whole(0)] = 0
    """sets of resampled rows from which the structure is learned again, to see how sure the arrows are."""

    def _graph(self, rows: Rows, weights: Weights, completions: Completions) -> DirectedGraph:
        """The graph over the nodes."""
        names = self.columns_.names
        if not (isinstance(self.edges, str) and self.edges in LEARNED):
            return graph_of(arrows(self.edges), names)
        visible = len(self.columns_.schema)
        if self.edges == "naive" and self._root(visible) >= visible:
            top = names[self._root(visible)]
            return graph_of([(top, name) for name in self.columns_.schema.names], names)
        hidden = {name for name, _ in self.columns_.hidden}
        also = [pair for pair in arrows(self.required) if hidden & set(pair)]
        complete = ~np.isnan(rows[:, :visible]).any(1)
        if complete.all():
            return self._with(self._learned(rows, weights), also)
        graph = self._with(((),) * visible, also)
        if complete.sum() >= max(50, 0.2 * len(rows)):
            graph = self._with(self._learned(rows[complete], weights[complete]), also)
        for _ in range(ROUNDS):
            drawn = completions(graph)
            spread = np.tile(weights / COMPLETIONS, COMPLETIONS)
            found = self._with(self._learned(drawn, spread), also)
            if found == graph:
                break
            graph = found
        return graph

    def _with(self, parents: Parents, also: Sequence[tuple[str, str]]) -> DirectedGraph:
        names = self.columns_.names
        pairs = [(names[parent], names[node]) for node, above in enumerate(parents) for parent in above]
        return graph_of([*pairs, *also], names)

    def _root(self, visible: int) -> int:
        """The node at the root; a hidden node where there is just one and none is named."""
        if self.root is not None:
            return self.columns_.node(self.root)
        return visible if len(self.columns_.hidden) == 1 else 0

    def _learned(self, rows: Rows, weights: Weights) -> Parents:
        """The parents of the visible columns."""
        visible = len(self.columns_.schema)
        score = self._score(rows[:, :visible], weights)
        root = self._root(visible)
        if self.edges != "learn" and root >= visible:
            raise ValueError(f"edges={self.edges!r} is for columns: name one of them as root, {self.root!r} is hidden")
        if self.edges == "tree":
            return tree(score, root)
        if self.edges == "naive":
            return naive(score, root)
        if self.edges == "tree-augmented":
            return augmented(score, root)
        seed = self.random_state if isinstance(self.random_state, int) else 0
        options = Options(constraints=self._constraints(visible), seed=seed)
        return learn(score, options, names=self.columns_.schema.names).parents

    def _score(self, rows: Rows, weights: Weights) -> Score:
        names, levels = self.columns_.schema.names, self.columns_.levels[: rows.shape[1]]
        levelled = np.array([each is not None for each in levels])
        kind: Any = self.criterion
        if levelled.all():
            codes = rows.astype(np.int64)
            return DiscreteScore(RowCounts(codes, [each or 1 for each in levels], weights=weights, names=names), kind)
        if not levelled.any():
            return GaussianScore(moments_of(rows, weights), kind)
        return MixedScore(rows, levelled, kind, weights)

    def _constraints(self, visible: int) -> Constraints:
        names = self.columns_.schema.names

        def pairs(setting: str) -> frozenset[tuple[int, int]]:
            found = placed(arrows(getattr(self, setting)), self.columns_.names)
            return frozenset(pair for pair in found if max(pair) < visible)

        outside = {place for place, family in enumerate(self.columns_.families) if family == "exogenous"}
        closed = frozenset((other, node) for node in outside for other in range(visible) if other != node)
        tiers: tuple[int, ...] = ()
        if self.tiers is not None:
            place = {str(name): at for at, tier in enumerate(self.tiers) for name in tier}
            lacking = [name for name in names if name not in place]
            if lacking:
                raise ValueError(f"tiers: {listed(lacking, 6)} stands in none of them")
            tiers = tuple(place[name] for name in names)
        return Constraints(pairs("required"), pairs("forbidden") | closed, tiers, self.max_parents)

    def _strengths(self, graph: DirectedGraph, rows: Rows, weights: Weights) -> tuple[ArrowStrength, ...]:
        """What speaks for every arrow between columns; nothing where rows have too many gaps to be scored."""
        visible = len(self.columns_.schema)
        complete = ~np.isnan(rows[:, :visible]).any(1)
        if complete.sum() < 20:
            return ()
        rows, weights = rows[complete, :visible], weights[complete]
        parents = tuple(tuple(v for v in above if v < visible) for above in graph.parents[:visible])
        score = self._score(rows, weights)
        lines = equivalence_class(parents).lines
        sure = None
        if self.n_bootstrap and self.edges == "learn":

            def again(times: Weights, seed: int) -> Parents:
                return self._learned(rows[times > 0], (weights * times)[times > 0])

            sure = bootstrap(again, len(rows), self.n_bootstrap)
        levels, found = self.columns_.levels, []
        for node, above in enumerate(parents):
            for parent in above:
                if not score.possible()[parent, node]:
                    continue
                rest = tuple(v for v in above if v != parent)
                same = (levels[node] is None) == (levels[parent] is None)
                found.append(
                    ArrowStrength(
                        graph.names[parent],
                        graph.names[node],
                        score.local(node, above) - score.local(node, rest),
                        None if sure is None else float(sure.neighbours[parent, node]),
                        None if sure is None else float(sure.directions[parent, node]),
                        same and (min(parent, node), max(parent, node)) in lines,
                    )
                )
        return tuple(sorted(found, key=lambda each: -each.gain))
