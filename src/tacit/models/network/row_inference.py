"""Rows of a network: the likelihood of each, and the posterior of everything that it does not say.

Rows in which the same columns are known take slices of the tables. A column that is known in some rows only is summed
over in all, times an indicator of what each row says: nearly every row with scattered gaps has a pattern of its own, so
one plan serves them all.
"""

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from tacit.compute import HostArray
from tacit.models.network.blocks import NormalBlock, integrate
from tacit.models.network.contraction import ROWS, Scope
from tacit.models.network.layout import GapLayout
from tacit.models.network.nodes.base import NetworkNode
from tacit.models.network.nodes.configurations import Chunk
from tacit.models.network.nodes.table import TableNode
from tacit.models.network.order import elimination_orders
from tacit.models.network.plan import ContractionPlan, planned
from tacit.models.network.sweeps import Forward, backward, forward

MATRICES = 6
"""Of the numbers of a block, held side by side for every row while they are integrated out."""
CHUNK_BYTES = 32_000_000
"""Of the tables of rows that are worked on side by side; fewer leave the cache unused, more do not fit it."""


@dataclasses.dataclass(frozen=True, eq=False)
class NetworkFactors:
    """The product over all nodes for some rows, as tables over what is hidden.

    Attributes:
        scopes: the hidden variables of every table, `ROWS` last where rows differ.
        tables: entries up to 1.
        log: what the tables lack, of every row.
        owners: the table of every node; nodes whose densities are over the same variables share one.
        blocks: of numbers that are integrated out.
        indicators: the table of what rows say of a variable, by variable.
    """

    scopes: tuple[Scope, ...]
    tables: tuple[np.ndarray, ...]
    log: Float[HostArray, " rows"]
    owners: Mapping[int, int]
    blocks: tuple[NormalBlock, ...]
    indicators: Mapping[int, int]


def factors_of(
    nodes: Sequence[NetworkNode],
    chunk: Chunk,
    layout: GapLayout,
    likelihoods: Mapping[int, Float[HostArray, "_ rows"]] | None = None,
) -> NetworkFactors:
    """The tables of all nodes; ``likelihoods`` of levels are soft evidence on them."""
    several = len(chunk.rows) > 1
    scopes: list[Scope] = []
    tables: list[np.ndarray] = []
    log = np.zeros(len(chunk.rows))
    owners: dict[int, int] = {}

    def add(scope: Scope, table: np.ndarray) -> int:
        by_row = several and table.shape[-1] > 1
        scopes.append((*scope, ROWS) if by_row else scope)
        tables.append(table if by_row else table[..., 0])
        return len(tables) - 1

    densities: dict[Scope, tuple[np.ndarray, list[int]]] = {}

    def note(scope: Scope, logs: np.ndarray, places: list[int]) -> None:
        """Densities over the same variables are added as logarithms: what each leaves of 0 may differ by far."""
        known, others = densities.get(scope, (np.zeros(1), []))
        densities[scope] = known + logs, others + places

    blocks = tuple(integrate([nodes[place] for place in group], chunk) for group in layout.blocks)  # type: ignore[misc]
    grouped = {node.place for block in blocks for node in block.nodes}
    for block in blocks:
        note(chunk.configurations(block.members).hidden, block.log_density, [node.place for node in block.nodes])
    for node in nodes:
        if isinstance(node, TableNode):
            given = chunk.configurations(node.members)
            owners[node.place] = add(given.hidden, given.gather(node.table))
        elif node.place not in grouped:
            note(chunk.configurations(node.members).hidden, node.log_factor(chunk), [node.place])
    for scope, (logs, places) in densities.items():
        most = logs.reshape(-1, logs.shape[-1]).max(0)
        most = np.where(np.isfinite(most), most, 0.0)
        log = log + most
        owners |= dict.fromkeys(places, add(scope, np.exp(logs - most)))
    indicators = {}
    for variable in sorted(layout.partly | set(likelihoods or ())):
        says = _indicator(chunk, variable)
        if likelihoods and variable in likelihoods:
            says = says * likelihoods[variable]
        indicators[variable] = add((variable,), says)
    return NetworkFactors(tuple(scopes), tuple(tables), log, owners, blocks, indicators)


def _indicator(chunk: Chunk, variable: int) -> Float[HostArray, "levels rows"]:
    """1 where a level may be the one of a row."""
    number = chunk.sizes[variable]
    by_code = np.concatenate([np.eye(number), np.ones((number, 1))], 1)  # the last is that of −1
    return by_code.take(chunk.codes[:, variable], axis=1)


@functools.lru_cache(maxsize=64)
def _whole_order(scopes: tuple[Scope, ...], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The order when nothing is seen: with evidence it is restricted to what is hidden, and seldom beaten by much."""
    return elimination_orders(scopes, sizes)[0].order


def _configurations(nodes: Sequence[NetworkNode], layout: GapLayout, members: Iterable[int]) -> int:
    """Of what is hidden of some discrete variables."""
    return math.prod(nodes[v].levels or 1 for v in set(members) - layout.seen)


def block_numbers(nodes: Sequence[NetworkNode], layout: GapLayout) -> int:
    """How many numbers are held while all blocks of one row are integrated out."""
    total = 0
    for group in layout.blocks:
        own = [nodes[place] for place in group]
        width = len({v for node in own for v in (node.place, *node.continuous)})
        total += MATRICES * _configurations(nodes, layout, (v for node in own for v in node.discrete)) * width**2
    return total


def moments_a_row(nodes: Sequence[NetworkNode], layout: GapLayout) -> int:
    """How many numbers the moments of one row take, beside its tables: of all blocks, and of the widest other node."""
    total = block_numbers(nodes, layout)
    widths = [
        (len(node.continuous) + 2) * (1 if node.levels is None else node.levels)
        for node in nodes
        if not isinstance(node, TableNode)
    ]
    given = [_configurations(nodes, layout, node.discrete) for node in nodes if not isinstance(node, TableNode)]
    return total + max((2 * number * width**2 for number, width in zip(given, widths, strict=True)), default=0)


def plan_of(
    nodes: Sequence[NetworkNode], factors: NetworkFactors, sizes: tuple[int, ...], keep: frozenset[int] = frozenset()
) -> ContractionPlan:
    """The plan for the tables of some rows."""
    return planned(factors.scopes, sizes, keep, (whole_order(nodes, sizes),))


def whole_order(nodes: Sequence[NetworkNode], sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The order for when nothing is seen; remembered."""
    return _whole_order(tuple(node.members for node in nodes), sizes)


@dataclasses.dataclass(frozen=True, eq=False)
class RowPosteriors:
    """Of some rows.

    Attributes:
        log_prob: ``log p`` of what is seen of every row.
        factors: the tables.
        derivatives: of ``log Z`` by every table, up to a factor.
    """

    log_prob: Float[HostArray, " rows"]
    factors: NetworkFactors
    derivatives: tuple[np.ndarray, ...]

    @functools.cached_property
    def _impossible(self) -> np.ndarray:
        return np.flatnonzero(np.isneginf(self.log_prob))

    @functools.cached_property
    def _smallest(self) -> Mapping[int, int]:
        """The smallest table that every hidden variable is in."""
        found: dict[int, int] = {}
        for at in sorted(range(len(self.factors.tables)), key=lambda at: -self.factors.tables[at].size):
            found |= dict.fromkeys(self.factors.scopes[at], at)
        return found

    def of_table(self, at: int) -> Float[HostArray, "..."]:
        """The posterior of the hidden variables of a table, ``[*hidden levels, rows]``; NaN of what is impossible.

        It has one row where it is the same for all.
        """
        table, by, scope = self.factors.tables[at], self.derivatives[at], self.factors.scopes[at]
        if scope[-1:] != (ROWS,):
            table = table[..., None]
        joint: np.ndarray = table * (by if by.ndim == table.ndim else by[..., None])
        with np.errstate(invalid="ignore", divide="ignore"):
            joint /= joint.reshape(-1, joint.shape[-1]).sum(0)
        if self._impossible.size:
            joint = np.broadcast_to(joint, (*joint.shape[:-1], len(self.log_prob))).copy()
            joint[..., self._impossible] = np.nan
        return joint

    def of_node(self, node: int) -> Float[HostArray, "..."]:
        """That of the table of a node."""
        return self.of_table(self.factors.owners[node])

    def counts(self, node: int, weights: Float[HostArray, " rows"]) -> Float[HostArray, "..."]:
        """``Σ_n w_n posterior_n`` of the hidden variables of the table of a node."""
        at = self.factors.owners[node]
        table, by = self.factors.tables[at], self.derivatives[at]
        if self.factors.scopes[at][-1:] == (ROWS,) or by.ndim == table.ndim:
            return (self.of_table(at) * weights).sum(-1)
        laid = by.reshape(-1, by.shape[-1])
        with np.errstate(invalid="ignore", divide="ignore"):
            shares = weights / (table.reshape(-1) @ laid)
        shares[self._impossible] = np.nan
        return table * (laid @ shares).reshape(table.shape)

    def marginal(self, variable: int) -> Float[HostArray, "levels rows"]:
        """The posterior of a variable that is not seen in every row."""
        smallest = self._smallest[variable]
        scope = self.factors.scopes[smallest]
        others = tuple(axis for axis, v in enumerate(scope) if v not in (variable, ROWS))
        found: np.ndarray = self.of_table(smallest).sum(others)
        return np.broadcast_to(found, (len(found), len(self.log_prob)))


def likelihood(plan: ContractionPlan, factors: NetworkFactors) -> tuple[Forward, Float[HostArray, " rows"]]:
    """The forward sweep, and ``log p`` of every row."""
    found = forward(plan, factors.tables)
    return found, factors.log + found.log_z


def posteriors(plan: ContractionPlan, factors: NetworkFactors) -> RowPosteriors:
    """Both sweeps."""
    found, log_prob = likelihood(plan, factors)
    return RowPosteriors(log_prob, factors, tuple(backward(plan, found)))
