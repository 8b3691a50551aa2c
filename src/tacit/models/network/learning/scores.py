"""Decomposable scores of networks: a sum over nodes of what each is worth given its parents, in nats.

``score(graph) = Σ_i local(i, parents of i)``; higher is better. With n_jk the weight of rows in which the parents have
their configuration j and the node its level k, q the number of configurations, r of levels, N the weight of all rows:

- ``loglik``: ``Σ_jk n_jk log(n_jk / n_j)``, the log-likelihood at its maximum
- ``bic``: minus ``½ q (r − 1) log N`` (Schwarz 1978); ``aic``: minus ``q (r − 1)`` (Akaike 1974)
- ``bdeu``: ``log p(column | its parents, graph)`` with Dirichlet priors of α/(q r) for each entry, the same for
  equivalent graphs (Heckerman, Geiger & Chickering 1995); ``k2``: with priors of 1 (Cooper & Herskovits 1992)
"""

from typing import Literal, Protocol, get_args

import numpy as np
from jaxtyping import Float
from scipy.special import gammaln

from tacit.compute import HostArray
from tacit.models.network.learning.counts import CountSource

_TINY = np.finfo(np.float64).tiny

DiscreteKind = Literal["bic", "aic", "loglik", "bdeu", "k2"]


class Score(Protocol):
    """What a search asks for."""

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        ...

    def possible(self) -> HostArray:
        """[nodes, nodes]: whether an arrow from the first to the second can be scored at all."""
        ...

    def local(self, node: int, parents: tuple[int, ...]) -> float:
        """What a node is worth, given parents in rising order."""
        ...

    def additions(self, node: int, parents: tuple[int, ...]) -> Float[HostArray, " nodes"]:
        """What it is worth with each node as one more parent; −inf where that is no family."""
        ...


class DiscreteScore:
    """A score of nodes with levels."""

    def __init__(self, source: CountSource, kind: DiscreteKind = "bic", *, prior_weight: float = 1.0) -> None:
        """Choose a score.

        Args:
            source: where counts come from.
            kind: which score.
            prior_weight: α of ``bdeu``, the size of the sample that the prior is worth.

        Raises:
            ValueError: the kind is none of these, or the prior weighs nothing.
        """
        if kind not in get_args(DiscreteKind):
            raise ValueError(
                f"score is {kind!r}; for columns with levels choose from {', '.join(get_args(DiscreteKind))}"
            )
        if not 0 < prior_weight < np.inf:
            raise ValueError(f"prior_weight is {prior_weight}; it must be above 0")
        self._source, self._kind, self._prior = source, kind, float(prior_weight)
        self._cards = np.array(source.cards, np.float64)
        self._starts = np.concatenate([[0], np.cumsum(source.cards)[:-1]]).astype(np.intp)
        self.nodes = len(source.cards)

    def possible(self) -> HostArray:
        """Every arrow."""
        return ~np.eye(self.nodes, dtype=bool)

    def local(self, node: int, parents: tuple[int, ...]) -> float:
        """What a node is worth, given its parents."""
        joint, given = self._source.counts(node, parents)
        configurations = np.prod(self._cards[list(parents)])
        fit = self._joint(joint, configurations, node).sum() - self._given(given, configurations, node).sum()
        return float(fit - self._penalty(configurations, node))

    def additions(self, node: int, parents: tuple[int, ...]) -> Float[HostArray, " nodes"]:
        """What it is worth with each node as one more parent."""
        found = np.full(self.nodes, -np.inf)
        free = np.ones(self.nodes, bool)
        free[[node, *parents]] = False
        tables = self._source.with_each(node, parents)
        if tables is None:
            for other in np.flatnonzero(free):
                found[other] = self.local(node, tuple(sorted((*parents, int(other)))))
            return found
        configurations = np.prod(self._cards[list(parents)]) * self._cards
        each = np.repeat(configurations, self._source.cards)
        fit = self._joint(tables, each, node).sum(axis=(0, 1)) - self._given(tables.sum(axis=1), each, node).sum(axis=0)
        whole = np.add.reduceat(fit, self._starts) - self._penalty(configurations, node)
        return np.where(free, whole, -np.inf)

    def _joint(self, counts: HostArray, configurations: HostArray | np.floating, node: int) -> HostArray:
        """What counts of configurations with a level add; that of zero is zero."""
        match self._kind:
            case "bdeu":
                prior = self._prior / (configurations * self._cards[node])
                return gammaln(counts + prior) - gammaln(prior)
            case "k2":
                return gammaln(counts + 1.0)
        return counts * np.log(np.maximum(counts, _TINY))

    def _given(self, counts: HostArray, configurations: HostArray | np.floating, node: int) -> HostArray:
        """What counts of configurations of the parents take away; that of zero is zero."""
        match self._kind:
            case "bdeu":
                prior = self._prior / configurations
                return gammaln(counts + prior) - gammaln(prior)
            case "k2":
                return gammaln(counts + self._cards[node]) - gammaln(self._cards[node])
        return counts * np.log(np.maximum(counts, _TINY))

    def _penalty(self, configurations: HostArray | np.floating, node: int) -> HostArray | np.floating:
        parameters = configurations * (self._cards[node] - 1)
        return parameters * penalty_of(self._kind, self._source.total)


def penalty_of(kind: str, total: float) -> float:
    """What one parameter costs."""
    return 0.5 * float(np.log(max(total, 1.0))) if kind == "bic" else 1.0 if kind == "aic" else 0.0
