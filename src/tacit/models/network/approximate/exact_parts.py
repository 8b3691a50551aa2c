"""Exact posteriors of as many variables as can be paid for.

The posterior of a variable given the evidence depends on the nodes above it and above the evidence alone: what is below
and unseen sums to one (Shachter 1986). And of these only on what hangs together with it once the evidence is put in.
Where the whole network is too dear, such a part of it often is not.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from tacit.models.network.approximate.products import TableProduct, exact_marginals
from tacit.models.network.model import Network
from tacit.models.network.nodes.table import TableNode
from tacit.models.network.order import RULES, elimination_orders
from tacit.models.network.plan import planned
from tacit.models.network.row_inference import Factors

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
        self, network: Network, evidence: frozenset[int], product: TableProduct, factors: Factors, max_terms: float
    ) -> None:
        self.network, self.evidence, self.product, self.factors = network, evidence, product, factors
        self.max_terms = max_terms
        self.order = elimination_orders(product.scopes, product.sizes, tries=0)[0].order
        self.above_evidence = self.affordable(self.tables(()))

    def tables(self, nodes: Sequence[int], together: bool = True) -> list[int]:
        """The tables of the nodes above some and above the evidence; or of these what hangs together with the nodes."""
        graph, owners = self.network.graph, self.factors.owners
        asked = {owners[node] for node in graph.ancestors([*nodes, *self.evidence])}
        asked |= set(self.factors.indicators.values())
        if together:
            return sorted(asked)
        found: set[int] = set()
        seen: set[int] = set()
        waiting = [v for v in nodes if v in self.product.holding]
        while waiting:
            v = waiting.pop()
            for table, _ in self.product.holding[v]:
                if table in asked and table not in found:
                    found.add(table)
                    waiting.extend(u for u in self.product.scopes[table] if u not in seen)
                    seen.update(self.product.scopes[table])
        return sorted(found)

    def affordable(self, tables: Sequence[int]) -> bool:
        """Whether all cliques together have so many entries at most, in the order that serves the whole."""
        scopes = [self.product.scopes[at] for at in tables]
        cost = elimination_orders(scopes, self.product.sizes, known=(self.order,), tries=NO_SEARCH)
        return cost[0].total <= self.max_terms

    def largest(self) -> list[int]:
        """The tables of the most nodes that can be paid for, those with the fewest above them first."""
        graph = self.network.graph
        nodes = sorted(graph.order, key=lambda node: len(graph.ancestors([node])))
        fewest, most = 0, len(nodes)
        while fewest < most:
            half = (fewest + most + 1) // 2
            if self.affordable(self.tables(nodes[:half], self.above_evidence)):
                fewest = half
            else:
                most = half - 1
        return self.tables(nodes[:fewest], self.above_evidence)


def exact_part(
    network: Network,
    row: Float[np.ndarray, " nodes"],
    product: TableProduct,
    factors: Factors,
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
