"""Draws of all nodes in the order of the arrows, weighted by the likelihood of what was seen.

``E_w[f] = Σ w f / Σ w`` for draws of what is hidden given its parents, ``w = ∏ p(seen | parents)`` (Fung & Chang 1990;
Shachter & Peot 1990): nothing but drawing and a density is asked of a node, so it serves where no table can say what a
node says. The mean weight is ``p(seen)``, without bias. Evidence below is not heard by draws above it; where
``outside`` tells what it says (messages of loopy belief propagation), every second draw takes a level in proportion to
``p(x | parents) × outside(x)`` (Yuan & Druzdzel 2003), and all are weighted as draws of the mixture of both kinds, so
that what the messages overlook has no weight above twice its plain one (Hesterberg 1995; Owen & Zhou 2000).
"""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from tacit.compute import LOG_2PI
from tacit.data.errors import listed
from tacit.models.network.contraction import Scope
from tacit.models.network.layout import NotExact
from tacit.models.network.model import Network
from tacit.models.network.nodes.base import codes_of
from tacit.models.network.nodes.configurations import Chunk
from tacit.models.network.nodes.exogenous import ExogenousNode
from tacit.models.network.nodes.normal import NormalNode
from tacit.models.network.nodes.table import TableNode


class Estimates(NamedTuple):
    """Some numbers, and the standard error of each."""

    values: Float[np.ndarray, "..."]
    errors: Float[np.ndarray, "..."]


@dataclasses.dataclass(frozen=True, eq=False)
class NetworkDraws:
    """Rows without gaps, and their weights.

    Attributes:
        rows: what was seen and what was drawn.
        log_weights: the logarithm of the weight of each.
        log_most: no weight can be above this, met or not.
        guided: whether every second one was drawn with what was heard of the evidence.
    """

    rows: Float[np.ndarray, "draws nodes"]
    log_weights: Float[np.ndarray, " draws"]
    log_most: float = math.inf
    guided: bool = False

    @functools.cached_property
    def shares(self) -> Float[np.ndarray, " draws"]:
        """The weights over their sum; NaN where all are 0."""
        most = self.log_weights.max()
        if most == -math.inf:
            return np.full_like(self.log_weights, np.nan)
        weights = np.exp(self.log_weights - most)
        return weights / weights.sum()

    @property
    def possible(self) -> bool:
        """Whether any draw agrees with what was seen."""
        return bool(self.log_weights.max() > -math.inf)

    @functools.cached_property
    def effective(self) -> float:
        """``(Σ w)² / Σ w²``: so many draws without weights would tell as much; of the draws that were made."""
        return float(1.0 / (self.shares**2).sum()) if self.possible else 0.0

    @property
    def missed(self) -> float:
        """The share of the posterior that a region met by no draw can hold, at most.

        n plain draws miss a region of prior mass 3/n with a chance of 5 %; there the evidence may be as likely as it
        can be at all. Effective draws know nothing of it: they can be many where all that matters was missed.
        """
        if not self.possible:
            return 1.0
        plain = len(self.log_weights) / (2 if self.guided else 1)
        odds = math.log(3.0 / plain) + self.log_most - self.log_evidence()[0]
        return 1.0 if odds > 700 else 1.0 - 1.0 / (1.0 + math.exp(odds))

    def log_evidence(self) -> tuple[float, float]:
        """``log p(seen)`` and its standard error: that of the mean weight over the mean (first order)."""
        if not self.possible:
            return -math.inf, math.nan
        number, most = len(self.log_weights), self.log_weights.max()
        weights = np.exp(self.log_weights - most)
        mean = weights.mean()
        return float(most + np.log(mean)), float(weights.std() / mean / math.sqrt(number))

    def chances(self, node: int, levels: int) -> Estimates:
        """The posterior of a discrete node.

        The variance of a share is ``Σ w̃² (1 − p)²`` over draws that have the level, plus ``Σ w̃² p²`` over those that
        have not; never below the share of the heaviest draw, squared: one more like it may be missing. A level that
        no draw has, or all have, can be wrong by three over the effective number (the rule of three, Hanley &
        Lippman-Hand 1983), which is then two standard errors.
        """
        if not self.possible:
            return Estimates(np.full(levels, np.nan), np.full(levels, np.nan))
        code = self.rows[:, node].astype(np.intp)
        found = np.bincount(code, self.shares, levels)
        squares = np.bincount(code, self.shares**2, levels)
        variance = squares * (1.0 - found) ** 2 + (squares.sum() - squares) * found**2
        errors = np.sqrt(np.maximum(variance, self.shares.max() ** 2))
        met = np.bincount(code, self.shares > 0, levels)
        unmet = (met == 0) | (met == met.sum())
        return Estimates(found, np.where(unmet, np.maximum(errors, min(0.5, 1.5 / self.effective)), errors))

    def moments(self, node: int) -> Estimates:
        """Mean and standard deviation of a number, each with its standard error."""
        if not self.possible:
            return Estimates(np.full(2, np.nan), np.full(2, np.nan))
        values = self.rows[:, node]
        mean = self.shares @ values
        square = (values - mean) ** 2
        variance = self.shares @ square
        deviation = math.sqrt(variance)
        of_mean = math.sqrt(self.shares**2 @ square)
        of_variance = math.sqrt(self.shares**2 @ (square - variance) ** 2)
        return Estimates(
            np.array([mean, deviation]), np.array([of_mean, of_variance / (2.0 * deviation) if deviation else 0.0])
        )


def weighted_draws(
    network: Network,
    row: Float[np.ndarray, " nodes"],
    number: int,
    random: np.random.Generator,
    *,
    likelihoods: Mapping[int, np.ndarray] | None = None,
    outside: Mapping[int, np.ndarray] | None = None,
) -> NetworkDraws:
    """Draws of a network given one row, NaN where it says nothing.

    Args:
        network: any nodes.
        row: what is seen.
        number: draws.
        random: the source of chance.
        likelihoods: soft evidence, `[levels]` of some nodes.
        outside: what the evidence says of the levels of a node, heard from all but its own table; by node.

    Raises:
        NotExact: a column that the network only conditions on is not seen.
    """
    _check_exogenous(network, row)
    rows = np.repeat(row[None], number, axis=0)
    guided = np.arange(number) % 2 == 1
    ratio = np.zeros(number)  # log of the density of a guided draw over that of a plain one
    for place in network.graph.order:
        node = network.nodes[place]
        if not np.isnan(row[place]):
            continue
        heard = None if outside is None else outside.get(place)
        if heard is None or heard.min() == heard.max() or not isinstance(node, TableNode):
            rows[:, place] = node.draw(rows, random)
        else:
            rows[:, place], log = _guided(node, rows, heard, guided, random)
            ratio += log
    log_weights = _log_likelihood(network, rows, np.flatnonzero(~np.isnan(row)))
    log_weights = log_weights + math.log(2.0) - np.logaddexp(0.0, ratio)
    with np.errstate(divide="ignore"):
        for place, levels in (likelihoods or {}).items():
            log_weights += np.log(levels)[rows[:, place].astype(np.intp)]
    return NetworkDraws(rows, log_weights, _most_likely(network, row, likelihoods or {}), bool(outside))


def _most_likely(network: Network, row: Float[np.ndarray, " nodes"], likelihoods: Mapping[int, np.ndarray]) -> float:
    """The logarithm of what the likelihood of the evidence cannot exceed, whatever is hidden."""
    total = 0.0
    with np.errstate(divide="ignore"):
        for place in np.flatnonzero(~np.isnan(row)).tolist():
            node = network.nodes[place]
            if isinstance(node, TableNode):
                total += float(np.log(node.table[_at(row, node.members)].max()))
            elif isinstance(node, NormalNode):
                total -= 0.5 * (LOG_2PI + float(np.log(node.variances[_at(row, node.discrete)].min())))
        return total + sum(float(np.log(levels.max())) for levels in likelihoods.values())


def _at(row: Float[np.ndarray, " nodes"], members: Scope) -> tuple[int | slice, ...]:
    """Where a table is, at what is seen."""
    return tuple(slice(None) if np.isnan(row[v]) else int(row[v]) for v in members)


def _log_likelihood(
    network: Network, rows: Float[np.ndarray, "draws nodes"], seen: np.ndarray
) -> Float[np.ndarray, "..."]:
    """``Σ log p(seen | parents)`` of every draw."""
    if not seen.size:
        return np.zeros(())
    chunk = Chunk(rows, network.sizes, frozenset(range(len(network.nodes))))
    return sum((network.nodes[place].log_prob(chunk) for place in seen.tolist()), np.zeros(()))


def _guided(
    node: TableNode,
    rows: Float[np.ndarray, "draws nodes"],
    heard: Float[np.ndarray, " levels"],
    guided: Bool[np.ndarray, " draws"],
    random: np.random.Generator,
) -> tuple[Float[np.ndarray, " draws"], Float[np.ndarray, " draws"]]:
    """Levels, of some draws in proportion to ``p(x | parents) × heard(x)``; and that chance over p, its logarithm.

    Where nothing has a chance, the evidence is impossible given what is above: the ratio is −inf, and a plain level
    stands in.
    """
    at = codes_of(rows, node.discrete)
    plain = np.broadcast_to(node.table.cumsum(-1)[at], (len(rows), node.number))
    weighted = np.broadcast_to((node.table * heard).cumsum(-1)[at], (len(rows), node.number))
    whole = weighted[:, -1:]
    cumulative = np.where(guided[:, None] & (whole > 0), weighted, plain)
    total = cumulative[:, -1:]
    reached = np.minimum(random.random(total.shape) * total, np.nextafter(total, 0.0))
    level = np.minimum((cumulative <= reached).sum(1), node.number - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        log = np.log(heard[level]) - np.log(whole[:, 0])
    return level.astype(float), np.where(whole[:, 0] > 0, log, -math.inf)


def _check_exogenous(network: Network, row: Float[np.ndarray, " nodes"]) -> None:
    names = network.graph.names
    unsaid = [
        names[at] for at, node in enumerate(network.nodes) if isinstance(node, ExogenousNode) and np.isnan(row[at])
    ]
    if unsaid:
        raise NotExact(f"{listed(unsaid)}: only conditioned on, and not given: nothing can be drawn. Give a value")
