"""In which order variables are summed out of a product of tables: greedy rules, ties broken at random, the best of some.

The sum of the sizes of all cliques is what elimination costs. To find the least is NP-hard; what is known to do well is
to take next the variable that adds the fewest edges, or the lightest ones, to the graph of what occurs together
(Kjærulff 1990; Koller & Friedman 2009, section 9.4.3).
"""

import heapq
import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

SECONDS_A_TERM = 2e-9
"""What a multiplication of a large table takes; a search for a better order ends before it costs what it can save."""

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


def elimination_order(
    scopes: Sequence[Sequence[int]],
    sizes: Sequence[int],
    *,
    keep: frozenset[int] = frozenset(),
    known: Sequence[Sequence[int]] = (),
    tries: int = 30,
    seconds_a_term: float = SECONDS_A_TERM,
    seed: int = 0,
) -> Elimination:
    """The best order found for summing out all variables of the scopes but those that are kept.

    Args:
        scopes: the variables of every table.
        sizes: the number of levels of every variable.
        keep: what is not summed out.
        known: orders that may do, such as the one of the same graph without evidence.
        tries: how often ties are broken at random, at most.
        seconds_a_term: of computing, which a search must be worth.
        seed: of the ties.
    """
    near = neighbours(scopes, len(sizes))
    logs = [math.log(size) for size in sizes]
    used = {variable for scope in scopes for variable in scope}
    left = sorted(used - keep)
    began = time.perf_counter()
    best: Elimination | None = None
    for order in known:
        best = _better(best, _in_order(near, logs, [v for v in order if v in used and v not in keep]))
    random = np.random.default_rng(seed)
    for attempt in range(len(RULES) + tries):
        if best is not None and time.perf_counter() - began > best.total * seconds_a_term:
            break
        ties = random.random if attempt >= len(RULES) else float
        best = _better(best, _greedy(near, logs, left, RULES[attempt % len(RULES)], ties, best))
    return best or Elimination((), 0.0)


def _better(best: Elimination | None, other: Elimination | None) -> Elimination | None:
    return other if best is None or (other is not None and other.total < best.total) else best


def _clique(bits: int, logs: Sequence[float]) -> float:
    """The logarithm of the size of a table of some variables."""
    return sum(logs[v] for v in members(bits))


def _join(near: Adjacency, variable: int) -> int:
    """Take a variable out and join its neighbours; returns them."""
    around = near[variable]
    for other in members(around):
        near[other] = (near[other] | around) & ~(1 << variable) & ~(1 << other)
    near[variable] = 0
    return around


def _in_order(near: Adjacency, logs: Sequence[float], order: Sequence[int]) -> Elimination:
    near, total = list(near), 0.0
    for variable in order:
        total += math.exp(min(700.0, _clique(near[variable], logs) + logs[variable]))
        _join(near, variable)
    return Elimination(tuple(order), total)


def _cost(near: Adjacency, logs: Sequence[float], variable: int, rule: str) -> float:
    around = near[variable]
    if rule == "weight":
        return _clique(around, logs) + logs[variable]
    missing = 0.0
    for other in members(around):
        absent = around & ~near[other] & ~(1 << other)
        if rule == "fill":
            missing += absent.bit_count()
        elif absent:
            missing += math.exp(logs[other]) * sum(math.exp(logs[v]) for v in members(absent))
    return missing


def _greedy(
    near: Adjacency,
    logs: Sequence[float],
    variables: Sequence[int],
    rule: str,
    ties: Callable[[], float],
    best: Elimination | None,
) -> Elimination | None:
    """One order by a rule; None where it is no better than the best."""
    near, total, order = list(near), 0.0, []
    alive = 0
    for variable in variables:
        alive |= 1 << variable

    def key(variable: int) -> tuple[float, float, float]:
        return _cost(near, logs, variable, rule), _clique(near[variable], logs), ties()

    version = dict.fromkeys(variables, 0)
    heap = [(*key(variable), variable, 0) for variable in variables]
    heapq.heapify(heap)
    while heap:
        *_, variable, seen = heapq.heappop(heap)
        if seen != version[variable] or not alive >> variable & 1:
            continue
        total += math.exp(min(700.0, _clique(near[variable], logs) + logs[variable]))
        if best is not None and total >= best.total:
            return None
        order.append(variable)
        alive &= ~(1 << variable)
        before = {other: near[other] for other in members(near[variable])}
        around = _join(near, variable)
        touched = around
        if rule != "weight":  # whoever is near both ends of a new edge has one edge fewer to add
            for other, old in before.items():
                for end in members(near[other] & ~old):
                    touched |= near[other] & near[end]
        for other in members(touched & alive):
            version[other] += 1
            heapq.heappush(heap, (*key(other), other, version[other]))
    return Elimination(tuple(order), total)
