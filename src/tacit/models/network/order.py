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
    logs = [math.log(size) for size in sizes]
    used = {variable for scope in scopes for variable in scope}
    left = sorted(used - keep)
    found = [_in_order(near, logs, [v for v in order if v in used and v not in keep]) for order in known]
    random = np.random.default_rng(seed)
    looks = 0
    for attempt in range(len(RULES) + tries):
        least = min((each.total for each in found), default=math.inf)
        if looks * terms_a_look > least:
            break
        ties = random.random if attempt >= len(RULES) else float
        other, looked = _greedy(near, logs, left, RULES[attempt % len(RULES)], ties, least)
        found += [] if other is None else [other]
        looks += looked
    return sorted(found, key=lambda each: each.total) or [Elimination((), 0.0)]


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
    least: float,
) -> tuple[Elimination | None, int]:
    """One order by a rule, None where it costs ``least`` or more; and how often it looked at a variable."""
    near, total, order = list(near), 0.0, []
    alive = 0
    for variable in variables:
        alive |= 1 << variable

    def key(variable: int) -> tuple[float, float, float]:
        return _cost(near, logs, variable, rule), _clique(near[variable], logs), ties()

    version = dict.fromkeys(variables, 0)
    heap = [(*key(variable), variable, 0) for variable in variables]
    heapq.heapify(heap)
    looks = len(heap)
    while heap:
        *_, variable, seen = heapq.heappop(heap)
        if seen != version[variable] or not alive >> variable & 1:
            continue
        total += math.exp(min(700.0, _clique(near[variable], logs) + logs[variable]))
        if total >= least:
            return None, looks
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
            looks += 1
            heapq.heappush(heap, (*key(other), other, version[other]))
    return Elimination(tuple(order), total), looks
