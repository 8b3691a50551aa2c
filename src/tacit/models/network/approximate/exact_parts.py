"""Exact posteriors of as many variables as can be paid for.

The posterior of a variable given the evidence depends on the nodes above it and above the evidence alone: what is below
and unseen sums to one (Shachter 1986). And of these only on what hangs together with it once the evidence is put in.
Where the whole network is too dear, such a part of it often is not.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float

from tacit.models.network.approximate.products import TableProduct, exact_marginals
from tacit.models.network.model import Network
from tacit.models.network.nodes.table import TableNode
from tacit.models.network.order import RULES, elimination_orders
from tacit.models.network.plan import planned
from tacit.models.network.row_inference import NetworkFactors

SECONDS_A_TERM = 2e-9
"""What a multiplication takes."""

NO_SEARCH = -len(RULES)
"""Tries beyond those of the rules that leave none: a known order is only measured."""


@dataclasses.dataclass(frozen=True, eq=False)
class ExactPart:
    """What was found exactly.

    Attributes:
        marginals: of the variables of the part.
        log_evidence: of all that is seen, if that could be paid for.
    """

    marginals: dict[int, np.ndarray]
    log_evidence: float | None


class _Parts:
    """Which tables a set of nodes asks for, and whether these can be paid for."""

    def __init__(
        self,
        network: Network,
        evidence: frozenset[int],
        product: TableProduct,
        factors: NetworkFactors,
        max_terms: float,
    ) -> None:
        self.network, self.evidence, self.product, self.factors = network, evidence, product, factors
        self.max_terms = max_terms
        self.order = elimination_orders(product.scopes, product.sizes, tries=0)[0].order
        base = self.tables(())
        self.above_evidence = self.affordable(base)
        """Whether all that is above the evidence can be paid for."""
        self.dear = set() if self.above_evidence else self._dear(set(base))
        """Variables above the evidence that hang together in what cannot."""

    def tables(self, nodes: Sequence[int]) -> list[int]:
        """The tables of the nodes above some, and above the evidence."""
        above = self.network.graph.ancestors([*nodes, *self.evidence])
        return sorted({self.factors.owners[node] for node in above} | set(self.factors.indicators.values()))

    def near(self, variables: Iterable[int], among: set[int]) -> tuple[set[int], set[int]]:
        """What hangs together with some variables: tables, and variables."""
        waiting = [v for v in variables if v in self.product.holding]
        seen, found = set(waiting), set()
        while waiting:
            for table, _ in self.product.holding[waiting.pop()]:
                if table in among and table not in found:
                    found.add(table)
                    new = [u for u in self.product.scopes[table] if u not in seen]
                    seen.update(new)
                    waiting.extend(new)
        return found, seen

    def affordable(self, tables: Iterable[int]) -> bool:
        """Whether all cliques together have so many entries at most, in the order that serves the whole."""
        scopes = [self.product.scopes[at] for at in tables]
        cost = elimination_orders(scopes, self.product.sizes, known=(self.order,), tries=NO_SEARCH)
        return cost[0].total <= self.max_terms

    def _dear(self, base: set[int]) -> set[int]:
        left = {v for table in base for v in self.product.scopes[table]}
        dear: set[int] = set()
        while left:
            tables, variables = self.near([min(left)], base)
            left -= variables
            if not self.affordable(tables):
                dear |= variables
        return dear

    def candidates(self) -> list[int]:
        """Hidden nodes that do not hang together with what is too dear, those with the fewest above them first."""
        graph = self.network.graph
        blocked: set[int] = set()
        for node in graph.order:
            scope = self.product.scopes[self.factors.owners[node]]
            hidden_parents = [parent for parent in graph.parents[node] if parent not in self.evidence]
            if any(v in self.dear or v in blocked for v in (node, *scope, *hidden_parents)):
                blocked.add(node)
        free = [node for node in graph.order if node not in blocked and node in self.product.holding]
        return sorted(free, key=lambda node: len(graph.ancestors([node])))

    def asked(self, nodes: Sequence[int]) -> set[int]:
        """The tables that the posteriors of some nodes need."""
        tables = set(self.tables(nodes))
        return tables if self.above_evidence else self.near(nodes, tables)[0]

    def largest(self) -> list[int]:
        """The tables of the most candidates that can be paid for together."""
        nodes = self.candidates()
        fewest, most = 0, len(nodes)
        while fewest < most:
            half = (fewest + most + 1) // 2
            if self.affordable(self.asked(nodes[:half])):
                fewest = half
            else:
                most = half - 1
        return sorted(self.asked(nodes[:fewest]))


def exact_part(
    network: Network,
    row: Float[np.ndarray, " nodes"],
    product: TableProduct,
    factors: NetworkFactors,
    *,
    max_bytes: float,
    seconds: float,
) -> ExactPart:
    """Posteriors by elimination, of the part of the network for which it takes no more than is allowed.

    Args:
        network: what the tables are of.
        row: what is seen.
        product: its tables.
        factors: the same, and whose they are.
        max_bytes: for all tables of both sweeps.
        seconds: of computing, about.
    """
    seen = frozenset(np.flatnonzero(~np.isnan(row)).tolist())
    max_terms = min(max_bytes / 24.0, seconds / (3.0 * SECONDS_A_TERM))
    parts = _Parts(network, seen | frozenset(factors.indicators), product, factors, max_terms)
    everything = list(range(len(product.tables)))
    tables = everything if parts.affordable(everything) else parts.largest()
    if not tables:
        return ExactPart({}, None)
    part = product.restricted(tables)
    plan = planned(part.scopes, part.sizes, frozenset(), (parts.order,))
    if 8 * plan.peak > max_bytes:
        return ExactPart({}, None)
    marginals, log_z = exact_marginals(part, plan)
    # a table that is left out sums to one, unless it was divided by its largest entry
    left = {factors.owners[node.place] for node in network.nodes if not isinstance(node, TableNode)} - set(tables)
    complete = len(tables) == len(everything) or (parts.above_evidence and not left)
    return ExactPart(marginals, product.log + log_z if complete else None)
