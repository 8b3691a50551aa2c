"""A product of tables over hidden variables, as one row of a network leaves it: what approximations work on."""

import dataclasses
import functools
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from tacit.models.network.contraction import Scope
from tacit.models.network.model import Network
from tacit.models.network.nodes.configurations import Chunk
from tacit.models.network.plan import ContractionPlan
from tacit.models.network.row_inference import NetworkFactors, factors_of
from tacit.models.network.sweeps import backward, forward


@dataclasses.dataclass(frozen=True, eq=False)
class TableProduct:
    """``exp(log) ∏_i t_i``; its sum over all variables is the probability of the evidence.

    Attributes:
        scopes: the variables of every table, in the order of its axes.
        tables: entries that are not negative.
        sizes: the number of levels of every variable.
        log: a factor's logarithm.
        along: the tables in the order of the first sweep, such as parents before their children.
    """

    scopes: tuple[Scope, ...]
    tables: tuple[np.ndarray, ...]
    sizes: tuple[int, ...]
    log: float = 0.0
    along: tuple[int, ...] = ()

    @functools.cached_property
    def holding(self) -> Mapping[int, tuple[tuple[int, int], ...]]:
        """For every variable the tables that are over it, each with the place of its axis."""
        found: dict[int, list[tuple[int, int]]] = {}
        for table, scope in enumerate(self.scopes):
            for axis, v in enumerate(scope):
                found.setdefault(v, []).append((table, axis))
        return {v: tuple(found[v]) for v in sorted(found)}

    @property
    def variables(self) -> tuple[int, ...]:
        """What the tables are over."""
        return tuple(self.holding)

    @functools.cached_property
    def order(self) -> tuple[int, ...]:
        """The tables in the order of a sweep: as given, else each near those before it."""
        if self.along:
            return self.along
        order: dict[int, None] = {}
        reached: set[int] = set()
        for first in range(len(self.tables)):
            waiting = deque([first])
            while waiting:
                table = waiting.popleft()
                if table not in order:
                    order[table] = None
                    new = [v for v in self.scopes[table] if v not in reached]
                    reached.update(new)
                    waiting.extend(other for v in new for other, _ in self.holding[v])
        return tuple(order)

    def restricted(self, tables: Sequence[int]) -> "TableProduct":
        """The product of some of the tables."""
        return TableProduct(
            tuple(self.scopes[at] for at in tables), tuple(self.tables[at] for at in tables), self.sizes
        )


def product_of(
    network: Network,
    row: Float[np.ndarray, " nodes"],
    likelihoods: Mapping[int, np.ndarray] | None = None,
) -> tuple[TableProduct, NetworkFactors]:
    """What one row leaves hidden, NaN where it says nothing.

    Raises:
        NotExact: a number is hidden that a node depends on in such a way that no table can say it.
    """
    rows = row[None]
    layout = network.layout_for(rows)
    soft = {v: values[:, None] for v, values in (likelihoods or {}).items()}
    factors = factors_of(network.nodes, Chunk(rows, network.sizes, layout.seen), layout, soft)
    rank = {node: at for at, node in enumerate(network.graph.order)}
    first: dict[int, int] = {}
    for node, table in factors.owners.items():
        first[table] = max(first.get(table, -1), rank[node])
    for variable, table in factors.indicators.items():
        first[table] = rank[variable]
    along = tuple(sorted(range(len(factors.tables)), key=lambda table: first[table]))
    return TableProduct(factors.scopes, factors.tables, network.sizes, float(factors.log.sum()), along), factors


def exact_marginals(product: TableProduct, plan: ContractionPlan) -> tuple[dict[int, np.ndarray], float]:
    """The posterior of every variable, and ``log Z``, by both sweeps; NaN where Z is 0."""
    found = forward(plan, product.tables)
    derivatives = backward(plan, found)
    marginals = {}
    for variable, places in product.holding.items():
        table, axis = min(places, key=lambda place: product.tables[place[0]].size)
        joint = product.tables[table] * derivatives[table]
        own = joint.sum(tuple(other for other in range(joint.ndim) if other != axis))
        with np.errstate(invalid="ignore", divide="ignore"):
            marginals[variable] = own / own.sum()
    return marginals, product.log + float(found.log_z)


def normalised(values: np.ndarray) -> np.ndarray:
    """Numbers over their sum."""
    return values / values.sum()
