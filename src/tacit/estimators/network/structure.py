"""Which arrows: given, of a simple shape, or learned; how strong each is, and which directions the data cannot tell."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Annotated, Any

import numpy as np
from jaxtyping import Bool, Float

from tacit.data.dataset import DenseRows
from tacit.data.errors import listed, nearest
from tacit.estimators.network.arrows import LEARNED, arrows, graph_of, placed
from tacit.estimators.network.columns import HasNodes
from tacit.estimators.network.node_rows import NodeRows
from tacit.estimators.settings import Choice, Whole, settings
from tacit.models.network.graph import DirectedGraph
from tacit.models.network.learning import (
    Constraints,
    Options,
    Score,
    Strengths,
    augmented,
    averaged,
    bootstrap,
    equivalence_class,
    learn,
    naive,
    tree,
)

CRITERIA = ("bic", "aic", "bdeu", "bge", "k2")
ROUNDS = 6
"""Rounds of structural EM, at most."""
RESAMPLED = 50
"""Sets of resampled rows that a structure is averaged over, where no number is set."""
COMPLETIONS = 10
"""Draws of the gaps that a structure is learned from."""

Rows = Float[np.ndarray, "rows nodes"]
Weights = Float[np.ndarray, " rows"]
Arrows = frozenset[tuple[int, int]]
Parents = tuple[tuple[int, ...], ...]
Completions = Callable[[DirectedGraph], Rows]
"""Rows with their gaps drawn under the network of a graph, `COMPLETIONS` times, one after the other."""


@dataclass(frozen=True)
class ArrowStrength:
    """How much speaks for an arrow.

    Attributes:
        source, target: its ends.
        gain: what the score that the arrows were learned by would lose without it, in nats; BIC of given ones.
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
    """"learn" (by hill climbing), "averaged" (the arrows that stand in enough networks learned from resampled rows),
    "tree" (Chow–Liu), "naive" or "tree-augmented" (with ``root`` above all others);
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

    def _graph(self, rows: NodeRows, completions: Completions) -> DirectedGraph:
        """The graph over the nodes, which holds to all that was asked of it.

        Raises:
            ValueError: an arrow that there must be is not in a graph that is not learned freely, or one that there
                must not be is; an arrow into a column that is only conditioned on.
        """
        placed(self._pairs("required") + self._pairs("forbidden"), self.columns_.names)
        tiers = self._tiers()
        graph = self._chosen(rows, completions)
        names = graph.names
        have = [(names[parent], names[node]) for node, above in enumerate(graph.parents) for parent in above]
        for source, target in have:
            place = self.columns_.places[target]
            if place < len(self.columns_.families) and self.columns_.families[place] == "exogenous":
                raise ValueError(
                    f"edges: {source} -> {target}: {target!r} is exogenous, only conditioned on: no arrow leads into "
                    "it. Give it a distribution, or write the arrows without this one"
                )
        lacking = [pair for pair in self._pairs("required") if pair not in have]
        wrong = [pair for pair in have if pair in self._pairs("forbidden")]
        late = [pair for pair in have if tiers and set(pair) <= set(tiers) and tiers[pair[0]] > tiers[pair[1]]]
        said = [("required", lacking, "lacks"), ("forbidden", wrong, "has"), ("tiers", late, "has")]
        for setting, pairs, verb in said:
            if pairs:
                arrow = " -> ".join(pairs[0])
                raise ValueError(
                    f'{setting}: the graph of edges={self.edges!r} {verb} {arrow}; only edges="learn" chooses arrows '
                    f"by {setting}"
                )
        return graph

    def _pairs(self, setting: str) -> list[tuple[str, str]]:
        return arrows(getattr(self, setting))

    def _tiers(self) -> dict[str, int]:
        """The tier of every name.

        Raises:
            ValueError: they are no lists of names, a column stands in none of them, or a name is no column.
        """
        if self.tiers is None:
            return {}
        lists = isinstance(self.tiers, Sequence) and not isinstance(self.tiers, str)
        if not lists or any(isinstance(tier, str) or not isinstance(tier, Sequence) for tier in self.tiers):
            raise ValueError(f'tiers must be lists of names, [["age", "sex"], ["smoke"]]; got {self.tiers!r}')
        found = {str(name): at for at, tier in enumerate(self.tiers) for name in tier}
        lacking = [name for name in self.columns_.schema.names if name not in found]
        if lacking:
            raise ValueError(f"tiers: {listed(lacking, 6)} stands in none of them")
        for name in found:
            if name not in self.columns_.names:
                near = nearest(name, self.columns_.names)
                raise ValueError(f"tiers: there is neither a column nor a hidden node {name!r}.{near}")
        return found

    def _chosen(self, rows: NodeRows, completions: Completions) -> DirectedGraph:
        """The graph that is given, of a simple shape or learned."""
        names = self.columns_.names
        if not (isinstance(self.edges, str) and self.edges in LEARNED):
            return graph_of(arrows(self.edges), names)
        visible = len(self.columns_.schema)
        if self.edges == "naive" and self._root(visible) >= visible:
            top = names[self._root(visible)]
            return graph_of([(top, name) for name in self.columns_.schema.names], names)
        hidden = {name for name, _ in self.columns_.hidden}
        also = [pair for pair in arrows(self.required) if hidden & set(pair)]
        gaps = rows.gaps[:visible]
        if rows.whole:
            return self._with(self._learned(rows, gaps), also)
        if not rows.held:
            self._refuse_gaps(gaps)
        graph = self._with(((),) * visible, also)
        if rows.facts.complete >= max(50, 0.2 * rows.facts.rows):
            graph = self._with(self._learned(rows.complete(), gaps), also)
        for _ in range(ROUNDS):
            drawn = completions(graph)
            spread = np.tile(rows.weights / COMPLETIONS, COMPLETIONS)
            found = self._with(self._learned(replace(rows, data=DenseRows(drawn, spread)), gaps), also)
            if found == graph:
                break
            graph = found
        return graph

    def _refuse_gaps(self, gaps: Bool[np.ndarray, " columns"]) -> None:
        names = [name for name, gap in zip(self.columns_.schema.names, gaps, strict=True) if gap]
        raise ValueError(
            f"edges={self.edges!r}: arrows are learned from rows with gaps by filling these again and again, which "
            f"takes rows in memory, and these stay in files; {listed(names, 6)} has gaps. Give the arrows, learn them "
            "from a part of the rows or from columns without gaps, or fill the gaps first"
        )

    def _with(self, parents: Parents, also: Sequence[tuple[str, str]]) -> DirectedGraph:
        names = self.columns_.names
        pairs = [(names[parent], names[node]) for node, above in enumerate(parents) for parent in above]
        return graph_of([*pairs, *also], names)

    def _root(self, visible: int) -> int:
        """The node at the root; a hidden node where there is just one and none is named."""
        if self.root is not None:
            return self.columns_.node(self.root)
        return visible if len(self.columns_.hidden) == 1 else 0

    def _learned(self, rows: NodeRows, gaps: Bool[np.ndarray, " columns"]) -> Parents:
        """The parents of the visible columns, of which some had gaps before they were filled."""
        visible = len(self.columns_.schema)
        score = self._score(rows)
        root = self._root(visible)
        if self.edges != "learn" and root >= visible:
            raise ValueError(f"edges={self.edges!r} is for columns: name one of them as root, {self.root!r} is hidden")
        simple: dict[str, Callable[[Score, int], Parents]] = {"tree": tree, "naive": naive, "tree-augmented": augmented}
        if self.edges in simple:
            closed = self._not_exact(gaps)
            found = simple[self.edges](score, root)
            return tuple(tuple(v for v in above if (v, node) not in closed) for node, above in enumerate(found))
        if self.edges == "averaged":
            return averaged(self._sure(rows, gaps))
        return self._climbed(rows, gaps)

    def _sure(self, rows: NodeRows, gaps: Bool[np.ndarray, " columns"]) -> Strengths:
        """In how many networks learned from resampled rows an arrow stands."""
        learned = self._climbed if self.edges == "averaged" else self._learned

        def again(times: Weights, seed: int) -> Parents:
            return learned(rows.resampled(times), gaps)

        return bootstrap(again, len(rows.data), self.n_bootstrap or RESAMPLED)

    def _climbed(self, rows: NodeRows, gaps: Bool[np.ndarray, " columns"]) -> Parents:
        visible = len(self.columns_.schema)
        score = self._score(rows)
        seed = int(self.random_state) if isinstance(self.random_state, int | np.integer) else 0
        options = Options(constraints=self._constraints(visible, gaps), seed=seed)
        return learn(score, options, names=self.columns_.schema.names).parents

    def _score(self, rows: NodeRows) -> Score:
        names, levels = self.columns_.schema.names, self.columns_.levels[: rows.visible]
        learned = isinstance(self.edges, str) and self.edges in LEARNED
        if constant := rows.constant(np.array([each is not None for each in levels])):
            raise ValueError(
                f"column {names[constant[0]]!r} never changes, and no arrows can be learned to or from it: leave it "
                "out, or give the arrows"
            )
        kind: Any = self.criterion if learned else "bic"  # a criterion is for learning, and need not suit the columns
        return rows.score(levels, kind, names)

    def _constraints(self, visible: int, gaps: Bool[np.ndarray, " columns"]) -> Constraints:
        names = self.columns_.schema.names

        def pairs(setting: str) -> frozenset[tuple[int, int]]:
            found = placed(arrows(getattr(self, setting)), self.columns_.names)
            return frozenset(pair for pair in found if max(pair) < visible)

        outside = {place for place, family in enumerate(self.columns_.families) if family == "exogenous"}
        closed = frozenset((other, node) for node in outside for other in range(visible) if other != node)
        closed |= self._not_exact(gaps) - pairs("required")
        place = self._tiers()
        tiers = tuple(place[name] for name in names) if place else ()
        return Constraints(pairs("required"), pairs("forbidden") | closed, tiers, self.max_parents)

    def _not_exact(self, gaps: Bool[np.ndarray, " columns"]) -> frozenset[tuple[int, int]]:
        """Arrows from numbers with gaps to what has no exact integral over them: all but normal from normal."""
        normal = np.isin(self.columns_.families, ("normal", "log-normal"))
        numbers = [node for node in np.flatnonzero(gaps).tolist() if self.columns_.levels[node] is None]
        return frozenset(
            (parent, node)
            for parent in numbers
            for node in range(len(normal))
            if node != parent and not (normal[parent] and normal[node])
        )

    def _strengths(self, graph: DirectedGraph, rows: NodeRows) -> tuple[ArrowStrength, ...]:
        """What speaks for every arrow between columns; nothing where rows have too many gaps to be scored."""
        visible = rows.visible
        if rows.facts.complete < 20:
            return ()
        gaps, rows = rows.gaps[:visible], rows.complete()
        if rows.constant(np.array([each is not None for each in self.columns_.levels[:visible]])):
            return ()
        parents = tuple(tuple(v for v in above if v < visible) for above in graph.parents[:visible])
        score = self._score(rows)
        lines = equivalence_class(parents).lines
        sure = None
        if self.n_bootstrap and self.edges in ("learn", "averaged", "tree", "tree-augmented"):
            sure = self._sure(rows, gaps)
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
