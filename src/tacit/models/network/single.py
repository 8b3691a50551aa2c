"""One case of a network whose nodes are all tables, made ready for every case in which the same nodes are known.

Plan, slices and the products that no evidence enters are found once; a case is then one sweep over what its evidence
changes, one back, and the marginals of all nodes laid end to end, so that they are normalised together.
"""

import functools
import itertools
import math
import string
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from tacit.compute import HostArray
from tacit.models.network.contraction import Scope
from tacit.models.network.layout import layout_with
from tacit.models.network.model import Network
from tacit.models.network.nodes.exogenous import ExogenousNode
from tacit.models.network.nodes.table import TableNode
from tacit.models.network.plan import ContractionPlan, planned
from tacit.models.network.price import check_price
from tacit.models.network.row_inference import whole_order
from tacit.models.network.sweeps import Kept, backward, forward

KEPT_BYTES = 32_000_000
"""Of products that no evidence enters, which are kept from one case to the next."""
SMALL = 10_000
"""Entries of a joint table that is made sooner than a plan without it."""
RESCALED = 4
"""After so many tables their product is divided by its largest entry."""


class PreparedCase:
    """A network of tables in which some nodes are known, whatever their values are.

    Raises:
        NotExact: a column that is only conditioned on is not known.
        TooDear: the plan needs more than ``max_bytes``.
    """

    def __init__(self, network: Network, seen: frozenset[int], soft: tuple[int, ...]) -> None:
        gaps = np.array([node.place not in seen for node in network.nodes])
        layout_with(network.nodes, network.graph.names, gaps, gaps)
        tables = [node for node in network.nodes if isinstance(node, TableNode)]
        hidden = [tuple([v for v in node.members if v not in seen]) for node in tables]
        self._known = [node for node, scope in zip(tables, hidden, strict=True) if not scope]
        scoped = zip(tables, hidden, strict=True)
        self._leaves = [(node, len(scope) < len(node.members)) for node, scope in scoped if scope]
        self._seen, self._soft = seen, soft
        self._variables = [node.place for node in network.nodes if node.place not in seen]
        sizes = network.sizes
        self._sizes = [sizes[v] for v in self._variables]
        self._ends = list(itertools.accumulate(self._sizes, initial=0))
        scopes = (*[scope for scope in hidden if scope], *[(v,) for v in soft])
        self._marginals: _Product | _Sweeps
        if math.prod(self._sizes) <= min(SMALL, network.max_bytes / 16):
            self._marginals = _Product(scopes, sizes, self._variables)
        else:
            plan = planned(scopes, sizes, frozenset(), (whole_order(network.nodes, sizes),))
            check_price(network.nodes, network.graph.names, seen, network.max_bytes, plan)
            same = [at for at, (_, cut) in enumerate(self._leaves) if not cut]
            self._marginals = _Sweeps(plan, same, self._variables)

    def __call__(
        self, row: Float[HostArray, " nodes"], likelihoods: Mapping[int, Float[HostArray, "_ 1"]]
    ) -> tuple[float, dict[int, Float[HostArray, " _"]]]:
        """``log p`` of what is seen, −inf of what cannot be, and then no posteriors; the posterior of all else."""
        codes = {v: int(row[v]) for v in self._seen}
        log_prob = 0.0
        for node in self._known:
            share = float(node.table[tuple([codes[v] for v in node.members])])
            log_prob += math.log(share) if share > 0 else -math.inf
        leaves = [
            node.table[tuple([codes.get(v, _ALL) for v in node.members])] if cut else node.table
            for node, cut in self._leaves
        ]
        leaves += [likelihoods[v][:, 0] for v in self._soft]
        log_z, marginals = self._marginals(leaves)
        log_prob += log_z
        if math.isinf(log_prob) or not marginals:
            return log_prob, {}
        flat = np.concatenate(marginals)
        flat /= np.repeat(np.add.reduceat(flat, self._ends[:-1]), self._sizes)
        places = zip(self._variables, self._ends[:-1], self._ends[1:], strict=True)
        return log_prob, {v: flat[begin:end] for v, begin, end in places}


_ALL = slice(None)
Marginals = tuple[float, list[Float[HostArray, " _"]]]
"""``log Z``, and the marginal of every variable up to a factor; none where Z is 0."""


class _Product:
    """The joint table of all that is hidden, where it is small: to plan would take longer than to make it."""

    def __init__(self, scopes: Sequence[Scope], sizes: Sequence[int], variables: Sequence[int]) -> None:
        self._laid: list[tuple[Scope, tuple[int, ...]]] = []
        for scope in scopes:
            axes = sorted(range(len(scope)), key=scope.__getitem__)
            self._laid.append((tuple(axes), tuple([sizes[v] if v in scope else 1 for v in variables])))
        every = range(len(variables))
        self._others = [tuple([at for at in every if at != one]) for one in every]

    def __call__(self, leaves: Sequence[HostArray]) -> Marginals:
        joint: HostArray = np.ones(())
        log_z = 0.0
        for at, (leaf, (axes, shape)) in enumerate(zip(leaves, self._laid, strict=True)):
            joint = joint * leaf.transpose(axes).reshape(shape)
            if at % RESCALED == RESCALED - 1:
                largest = float(joint.max())
                if largest <= 0:
                    return -math.inf, []
                log_z += math.log(largest)
                joint /= largest
        total = float(joint.sum())
        if total <= 0:
            return -math.inf, []
        return log_z + math.log(total), [joint.sum(axes) for axes in self._others]


class _Sweeps:
    """Both sweeps over a plan; products of the leaves that stay the same are kept."""

    def __init__(self, plan: ContractionPlan, same: Sequence[int], variables: Sequence[int]) -> None:
        self._plan = plan
        constant = set(same)
        for op in plan.operations:
            if op.left in constant and (op.right is None or op.right in constant):
                constant.add(op.out)
        self._kept = Kept(frozenset(at for at in constant if at >= plan.leaves), KEPT_BYTES)
        smallest: dict[int, int] = {}
        for at in sorted(range(plan.leaves), key=lambda at: -plan.entries[at]):
            smallest |= dict.fromkeys(plan.scopes[at], at)
        self._sums = [(smallest[v], _summed(plan.scopes[smallest[v]], v)) for v in variables]

    def __call__(self, leaves: Sequence[HostArray]) -> Marginals:
        found = forward(self._plan, leaves, self._kept)
        log_z = float(found.log_z)
        if math.isinf(log_z):
            return log_z, []
        derivatives = backward(self._plan, found)
        return log_z, [np.einsum(text, leaves[at], derivatives[at]) for at, text in self._sums]


def _summed(scope: Scope, variable: int) -> str:
    """The Einstein sum of a table and its derivative, to one variable."""
    letters = string.ascii_letters[: len(scope)]
    return f"{letters},{letters}->{letters[scope.index(variable)]}"


def prepared(network: Network, seen: Iterable[int], soft: Sequence[int]) -> PreparedCase | None:
    """A network in which some nodes are known, ready for their values; remembered. None where some are no tables.

    Raises:
        NotExact, TooDear: as `PreparedCase`.
    """
    return _prepared(network, frozenset(seen), tuple(soft)) if _of_tables(network) else None


@functools.lru_cache(maxsize=8)
def _prepared(network: Network, seen: frozenset[int], soft: tuple[int, ...]) -> PreparedCase:
    return PreparedCase(network, seen, soft)


@functools.lru_cache(maxsize=8)
def _of_tables(network: Network) -> bool:
    kinds = (TableNode, ExogenousNode)
    return all(isinstance(node, kinds) and node.levels is not None for node in network.nodes)
