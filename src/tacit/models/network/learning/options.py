"""What a search may do: arrows that must be or must not be, tiers, how long it goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool

from tacit.models.network.graph import topological_order
from tacit.models.network.learning.graphs import Arrow, parents_of


@dataclass(frozen=True)
class Constraints:
    """What a structure must keep to.

    Attributes:
        required: arrows that it has.
        forbidden: arrows that it has not.
        tiers: for each node a number; no arrow leads to a lower one. Empty: no tiers.
        max_parents: the largest number of parents of a node; None: as many as there are.
    """

    required: frozenset[Arrow] = frozenset()
    forbidden: frozenset[Arrow] = frozenset()
    tiers: tuple[int, ...] = ()
    max_parents: int | None = None

    def allowed(
        self, possible: Bool[np.ndarray, "nodes nodes"], names: Sequence[str] | None = None
    ) -> Bool[np.ndarray, "nodes nodes"]:
        """Which arrows there may be.

        Args:
            possible: those that can be scored.
            names: of the nodes, for messages.

        Raises:
            ValueError: the demands contradict each other; it names the arrow.
        """
        nodes = possible.shape[0]
        found = possible.copy()
        if self.max_parents is not None and self.max_parents < 0:
            raise ValueError(f"max_parents is {self.max_parents}; it must be 0 or more")
        for which, arrows in (("required", self.required), ("forbidden", self.forbidden)):
            for ends in arrows:
                if not all(0 <= end < nodes for end in ends) or ends[0] == ends[1]:
                    raise ValueError(f"{which} arrow {ends}: its ends must be two of the nodes 0…{nodes - 1}")
        if self.tiers:
            if len(self.tiers) != nodes:
                raise ValueError(f"there are {len(self.tiers)} tiers for {nodes} nodes; each node needs one")
            tier = np.array(self.tiers)
            found &= tier[:, None] <= tier[None, :]
        for source, target in self.forbidden:
            found[source, target] = False
        for source, target in sorted(self.required):
            if not found[source, target]:
                arrow = " → ".join(str(end) if names is None else names[end] for end in (source, target))
                why = (
                    "it is forbidden too"
                    if (source, target) in self.forbidden
                    else "its parent is in a later tier"
                    if possible[source, target]
                    else "a column with levels cannot depend on one of numbers here"
                )
                raise ValueError(f"the required arrow {arrow} cannot be: {why}")
            found[target, source] = False
        parents = parents_of(nodes, self.required)
        topological_order(parents, names)  # refuses a circle
        most = max(range(nodes), key=lambda node: len(parents[node]), default=0)
        if self.max_parents is not None and nodes and len(parents[most]) > self.max_parents:
            name = most if names is None else names[most]
            raise ValueError(
                f"node {name} has {len(parents[most])} required parents; max_parents is {self.max_parents}"
            )
        return found


@dataclass(frozen=True)
class Options:
    """How a structure is searched for.

    Attributes:
        constraints: what it must keep to.
        walk: arrows that are turned at random between two moves, to graphs that are equivalent; 0: plain hill climbing.
        patience: moves past the best graph before the search ends, first such walks and then, with tabu, worse graphs.
        tabu: graphs that are not visited again past a local maximum; 0: no worse graph is visited.
        restarts: how often the search starts again, in turn from the start and from the best graph with some arrows
            changed at random.
        changes: how many arrows those are; None: one in four of the nodes, and two at least.
        max_moves: moves of one search.
        seed: of walks and changes.

    Raises:
        ValueError: a number is below 0.
    """

    constraints: Constraints = field(default_factory=Constraints)
    walk: int = 5
    patience: int = 15
    tabu: int = 100
    restarts: int = 2
    changes: int | None = None
    max_moves: int = 100_000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("walk", "patience", "tabu", "restarts", "changes", "max_moves"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise ValueError(f"{name} is {value}; it must be 0 or more")
