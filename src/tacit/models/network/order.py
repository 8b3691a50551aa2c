"""In which order variables are summed out of a product of tables: greedy rules, ties broken at random, the best one.

The sum of the sizes of all cliques is what elimination costs. To find the least is NP-hard; what is known to do well is
to take next the variable that adds the fewest edges, or the lightest ones, to the graph of what occurs together
(Kjærulff 1990; Koller & Friedman 2009, section 9.4.3).
"""

import heapq
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

TERMS_A_LOOK = 3_000
"""Entries of a clique that are worked on, in both sweeps, while a search for an order looks at one variable. The search
ends before it costs what it can save; looks are counted, and not seconds, so that it finds the same every time."""
UNIT = 1 << 40
"""Logarithms of sizes, base 2, are whole numbers of this part of 1: sums of them are exact, whatever their order."""

RULES = ("fill", "weighted fill", "weight")
"""Edges that are added, their weights, the weight of the clique."""


class Elimination(NamedTuple):
    """An order, and the sum of the sizes of its cliques."""

    order: tuple[int, ...]
    total: float


Adjacency = list[int]
"""Neighbours of every variable, as the bits of a number."""


def neighbours(scopes: Sequence[Sequence[int]], variables: int) -> Adjacency:
    """Which variables occur together."""
    near = [0] * variables
    for scope in scopes:
        bits = 0
        for variable in scope:
            bits |= 1 << variable
        for variable in scope:
            near[variable] |= bits & ~(1 << variable)
    return near


def members(bits: int) -> list[int]:
    """The places of the bits that are set."""
    found = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return found


def elimination_orders(
    scopes: Sequence[Sequence[int]],
    sizes: Sequence[int],
    *,
    keep: frozenset[int] = frozenset(),
    known: Sequence[Sequence[int]] = (),
    tries: int = 30,
    terms_a_look: float = TERMS_A_LOOK,
    seed: int = 0,
) -> list[Elimination]:
    """Orders for summing out all variables of the scopes but those that are kept, the best first.

    Args:
        scopes: the variables of every table.
        sizes: the number of levels of every variable.
        keep: what is not summed out.
        known: orders that may do, such as the one of the same graph without evidence.
        tries: how often ties are broken at random, at most.
        terms_a_look: how much computing a look of the search must be worth.
        seed: of the ties.
    """
    near = neighbours(scopes, len(sizes))
    logs = [round(UNIT * math.log2(size)) for size in sizes]
    used = {variable for scope in scopes for variable in scope}
    left = sorted(used - keep)
    found = [_in_order(near, logs, [v for v in order if v in used and v not in keep]) for order in known]
    ties: Callable[[], float] = float
    looks = 0
    for attempt in range(len(RULES) + tries):
        least = min((each.total for each in found), default=math.inf)
        if (looks + len(left)) * terms_a_look > least and found:
            break
        if attempt == len(RULES):
            ties = np.random.default_rng(seed).random
        search = _Search(near, sizes, logs, left, RULES[attempt % len(RULES)])
        other = search.order(ties, least)
        found += [] if other is None else [other]
        looks += search.looks
    return sorted(found, key=lambda each: each.total) or [Elimination((), 0.0)]


def _size(log: int) -> float:
    """Entries of a table, from the logarithm."""
    return math.exp2(min(1000.0, log / UNIT))


def _in_order(near: Adjacency, logs: Sequence[int], order: Sequence[int]) -> Elimination:
    """An order that is known, and what it costs."""
    near, total = list(near), 0.0
    for variable in order:
        around = near[variable]
        beside = members(around)
        total += _size(logs[variable] + sum([logs[v] for v in beside]))
        for other in beside:
            near[other] = (near[other] | around) & ~(1 << variable) & ~(1 << other)
    return Elimination(tuple(order), total)


class _Search:
    """One order by a rule. What every variable would cost is kept up to date, edge by edge, as others are taken out."""

    def __init__(
        self, near: Adjacency, sizes: Sequence[int], logs: Sequence[int], variables: Sequence[int], rule: str
    ) -> None:
        self.near, self.logs, self.variables = list(near), logs, variables
        self.plain = rule == "fill"
        self.weights = [1] * len(sizes) if self.plain else list(sizes)
        self.by_fill = rule != "weight"
        self.looks = 0
        self.clique = {v: logs[v] + sum([logs[w] for w in members(near[v])]) for v in variables}
        self.fill = {v: self._missing(v) if self.by_fill else 0 for v in variables}

    def _weight(self, bits: int) -> int:
        """The summed weights of some variables."""
        if self.plain:
            return bits.bit_count()
        return sum([self.weights[v] for v in members(bits)])

    def _missing(self, variable: int) -> int:
        """The weight of the edges that taking a variable out would add."""
        around = self.near[variable]
        total = 0
        for other in members(around):
            absent = around & ~self.near[other] & ~(1 << other)
            if absent:
                total += self.weights[other] * self._weight(absent)
        return total // 2

    def order(self, ties: Callable[[], float], least: float) -> Elimination | None:
        """The order; None where it costs ``least`` or more."""
        order: list[int] = []
        total = 0.0
        alive = set(self.variables)
        first, logs = self.fill if self.by_fill else self.clique, self.logs
        latest = {v: (first[v], self.clique[v] - logs[v], ties(), v) for v in self.variables}
        heap = list(latest.values())
        heapq.heapify(heap)
        self.looks += len(heap)
        while alive:
            entry = heapq.heappop(heap)
            variable = entry[-1]
            if latest.get(variable) is not entry:
                continue
            total += _size(self.clique[variable])
            if total >= least:
                return None
            order.append(variable)
            alive.discard(variable)
            del latest[variable]
            for other in self._take_out(variable):
                if other in latest:
                    latest[other] = (first[other], self.clique[other] - logs[other], ties(), other)
                    heapq.heappush(heap, latest[other])
                    self.looks += 1
        return Elimination(tuple(order), total)

    def _take_out(self, variable: int) -> set[int]:
        """Join the neighbours of a variable and take it out; returns whose cost is another now."""
        near, logs = self.near, self.logs
        around, own = near[variable], 1 << variable
        beside = members(around)
        touched = set(beside)
        for one in beside:
            absent = around & ~near[one] & ~((2 << one) - 1)
            for other in members(absent):
                self._join(one, other, touched)
        for one in beside:
            if self.by_fill and one in self.fill:
                self.fill[one] -= self.weights[variable] * self._weight(near[one] & ~around & ~own)
            near[one] &= ~own
            if one in self.clique:
                self.clique[one] -= logs[variable]
        near[variable] = 0
        return touched

    def _join(self, one: int, other: int, touched: set[int]) -> None:
        """Add an edge: whoever is near both ends has one fewer to add."""
        near, weights, fill = self.near, self.weights, self.fill
        a, b = near[one], near[other]
        if self.by_fill:
            edge = weights[one] * weights[other]
            common = members(a & b)
            for v in common:
                if v in fill:
                    fill[v] -= edge
            touched.update(common)
            if one in fill:
                fill[one] += weights[other] * self._weight(a & ~b)
            if other in fill:
                fill[other] += weights[one] * self._weight(b & ~a)
        if one in self.clique:
            self.clique[one] += self.logs[other]
        if other in self.clique:
            self.clique[other] += self.logs[one]
        near[one] |= 1 << other
        near[other] |= 1 << one
