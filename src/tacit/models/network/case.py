"""One case of a network: what is seen, what each hidden node then is, and why evidence may be impossible."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from tacit.compute import HostArray
from tacit.data.errors import listed
from tacit.models.network.contraction import Scope
from tacit.models.network.layout import NotExact
from tacit.models.network.model import Network
from tacit.models.network.nodes.normal import NormalNode
from tacit.models.network.nodes.poisson import PoissonNode
from tacit.models.network.price import TooDear, check_price
from tacit.models.network.row_inference import RowPosteriors, factors_of, plan_of, posteriors
from tacit.models.network.single import prepared
from tacit.models.network.sweeps import forward, kept


class Impossible(ValueError):
    """Evidence of probability 0."""


@dataclasses.dataclass(frozen=True, eq=False)
class NumberPosterior:
    """The distribution of a number: a mixture over the configurations of what is hidden.

    Attributes:
        weights: of its parts, ``[parts]``.
        means: ``[parts]``.
        variances: ``[parts]``.
        family: "normal" or "poisson".
    """

    weights: Float[HostArray, " parts"]
    means: Float[HostArray, " parts"]
    variances: Float[HostArray, " parts"]
    family: str

    @property
    def mean(self) -> float:
        """``E[x]``."""
        return float(self.weights @ self.means)

    @property
    def variance(self) -> float:
        """``Var[x]``, by the law of total variance."""
        return float(self.weights @ (self.variances + (self.means - self.mean) ** 2))


@dataclasses.dataclass(frozen=True, eq=False)
class CasePosteriors:
    """Of one case.

    Attributes:
        log_prob: ``log p`` of what is seen.
        levels: the posterior of every node with levels that is not seen, ``[levels]``.
        numbers: that of every other node that is not seen.
    """

    log_prob: float
    levels: Mapping[int, Float[HostArray, " levels"]]
    numbers: Mapping[int, NumberPosterior]


Likelihoods = Mapping[int, Float[HostArray, "_ rows"]]


def case_posteriors(
    network: Network, row: Float[HostArray, " nodes"], likelihoods: Likelihoods | None = None
) -> CasePosteriors:
    """The posterior of every node that is not seen, NaN in the row, at once.

    Args:
        network: fitted.
        row: codes of levels and numbers.
        likelihoods: soft evidence: of the levels of a node, up to a factor.

    Raises:
        Impossible: the evidence has probability 0; a small part of it that has is named.
        TooDear: an exact answer needs more than ``max_bytes``.
        NotExact: there is none.
    """
    soft = likelihoods or {}
    ready = prepared(network, np.flatnonzero(~np.isnan(row)).tolist(), [v for v in sorted(soft) if np.isnan(row[v])])
    if ready is not None and all(np.isnan(row[v]) for v in soft):
        log_prob, levels = ready(row, soft)
        if math.isinf(log_prob):
            raise Impossible(contradiction(network, row, likelihoods))
        return CasePosteriors(log_prob, levels, {})
    rows = row[None]
    layout = network.checked_layout(rows)
    chunk = network.chunk(rows, layout)
    factors = factors_of(network.nodes, chunk, layout, likelihoods)
    found = posteriors(plan_of(network.nodes, factors, network.sizes), factors)
    if np.isneginf(found.log_prob[0]):
        raise Impossible(contradiction(network, row, likelihoods))
    levels = {}
    numbers: dict[int, NumberPosterior] = {}
    for node in network.nodes:
        if node.place in layout.seen:
            continue
        if node.levels is not None:
            levels[node.place] = found.marginal(node.place)[:, 0]
        else:
            numbers[node.place] = _number(network, node.place, rows, found)
    return CasePosteriors(float(found.log_prob[0]), levels, numbers)


def _number(
    network: Network, place: int, rows: Float[HostArray, "rows nodes"], found: RowPosteriors
) -> NumberPosterior:
    node = network.nodes[place]
    weights = found.of_node(place)
    for block in found.factors.blocks:
        if place in block.variables:
            at = block.variables.index(place)
            weights = found.of_table(found.factors.owners[block.nodes[0].place])
            means, variances = block.means[..., at], block.covariances[..., at, at]
            shape = weights.shape
            return NumberPosterior(
                weights[..., 0].ravel(),
                np.broadcast_to(means, shape)[..., 0].ravel(),
                np.broadcast_to(variances, shape)[..., 0].ravel(),
                "normal",
            )
    chunk = network.chunk(rows, network.layout_for(rows))
    means = node.expectation(chunk)
    shape = weights.shape
    means = np.broadcast_to(means, shape)[..., 0].ravel()
    variances = means
    if isinstance(node, NormalNode):
        own = chunk.configurations(node.discrete).gather(node.variances)
        variances = np.broadcast_to(own, shape)[..., 0].ravel()
    family = "poisson" if isinstance(node, PoissonNode) else "normal"
    return NumberPosterior(weights[..., 0].ravel(), means, variances, family)


def joint_posterior(
    network: Network,
    row: Float[HostArray, " nodes"],
    together: Scope,
    likelihoods: Likelihoods | None = None,
) -> Float[HostArray, "..."]:
    """The joint posterior of several hidden nodes with levels, one axis each.

    Raises:
        Impossible, TooDear, NotExact: as `case_posteriors`.
    """
    rows = row[None]
    layout = network.checked_layout(rows)
    factors = factors_of(network.nodes, network.chunk(rows, layout), layout, likelihoods)
    plan = plan_of(network.nodes, factors, network.sizes, frozenset(together))
    check_price(network.nodes, network.graph.names, layout.seen, network.max_bytes, plan)
    found = forward(plan, factors.tables)
    joint = kept(plan, found, together)
    if np.isnan(joint).any():
        raise Impossible(contradiction(network, row, likelihoods))
    return joint


def contradiction(network: Network, row: Float[HostArray, " nodes"], likelihoods: Likelihoods | None) -> str:
    """A smallest part of the evidence that is impossible by itself: what can be left out of it is."""
    soft = dict(likelihoods or {})
    left = [int(v) for v in np.flatnonzero(~np.isnan(row))] + [v for v in soft if np.isnan(row[v])]

    def impossible(part: Sequence[int]) -> bool:
        seen = np.full_like(row, np.nan)
        hard = [v for v in part if not np.isnan(row[v])]
        seen[hard] = row[hard]
        relevant = {v: values for v, values in soft.items() if v in part}
        try:
            return bool(np.isneginf(network.log_prob(seen[None], relevant)[0]))
        except (NotExact, TooDear):  # without what is left out there is no answer
            return False

    for v in list(left):
        rest = [other for other in left if other != v]
        if impossible(rest):
            left = rest
    return f"the evidence is impossible: {listed([network.graph.names[v] for v in left])} contradict each other"
