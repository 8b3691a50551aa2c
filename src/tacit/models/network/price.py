"""What an exact answer will cost, known before anything is computed or held."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from tacit.data.errors import listed
from tacit.models.network.layout import layout_with, scopes_of
from tacit.models.network.nodes.base import NetworkNode
from tacit.models.network.plan import ContractionPlan, planned
from tacit.models.network.row_inference import block_numbers, whole_order

SECONDS_AN_OPERATION = 12e-6
"""What a contraction of small tables takes, both ways a third each."""
SECONDS_A_TERM = 1.5e-9
"""What a multiplication takes in a large one."""
LOOKED_AT = 12
"""Nodes of the largest table that are tried as evidence, where the price is too high."""


class TooDear(ValueError):
    """An exact answer that would need more memory than is allowed."""


@dataclasses.dataclass(frozen=True)
class Price:
    """What both sweeps over a network need for one case.

    Attributes:
        width: variables of the largest clique, less one.
        entries: numbers in the largest table that is kept.
        bytes: that are held at most at a time, all tables that are kept and both sweeps included.
        multiplications: of both sweeps.
        seconds: of processor time, by a rule of thumb.
        largest: the names of the nodes of the largest table.
    """

    width: int
    entries: int
    bytes: int
    multiplications: int
    seconds: float
    largest: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{in_bytes(self.bytes)}, {self.multiplications:.3g} multiplications, about {in_seconds(self.seconds)}; "
            f"the largest table has {self.entries:,} entries, over "
            f"{listed(self.largest, 8) if self.largest else 'no node'}"
        )


def in_bytes(number: float) -> str:
    """``3.2 MB``."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 1000.0:
            return f"{number:.3g} {unit}"
        number /= 1000.0
    return f"{number:.3g} PB"


def in_seconds(number: float) -> str:
    """``40 ms``, ``3 s``, ``2 h``."""
    for unit, size in (("years", 3.15e7), ("days", 86400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if number >= size:
            return f"{number / size:.2g} {unit}"
    return f"{1000.0 * number:.2g} ms"


def plan_with(
    nodes: Sequence[NetworkNode], names: Sequence[str], seen: frozenset[int], keep: frozenset[int] = frozenset()
) -> ContractionPlan:
    """The plan for one case in which some nodes are seen.

    Raises:
        NotExact: there is no exact answer, whatever it may cost.
    """
    gaps = np.array([node.place not in seen for node in nodes])
    sizes = tuple(node.levels or 1 for node in nodes)
    scopes = scopes_of(nodes, layout_with(nodes, names, gaps, gaps))
    return planned(scopes, sizes, keep, (whole_order(nodes, sizes),))


def price_with(nodes: Sequence[NetworkNode], names: Sequence[str], seen: frozenset[int]) -> Price:
    """What both sweeps need for one case in which some nodes are seen, with the matrices of the numbers that are not.

    Raises:
        NotExact: there is no exact answer, whatever it may cost.
    """
    return price_of(plan_with(nodes, names, seen), names, _block_numbers(nodes, names, seen))


def _block_numbers(nodes: Sequence[NetworkNode], names: Sequence[str], seen: frozenset[int]) -> int:
    gaps = np.array([node.place not in seen for node in nodes])
    return block_numbers(nodes, layout_with(nodes, names, gaps, gaps))


def price_of(plan: ContractionPlan, names: Sequence[str], beside: int = 0) -> Price:
    """What a plan needs, and so many numbers beside its tables."""
    leaves = sum(plan.entries[: plan.leaves])
    width = max((len(plan.scopes[table]) for table in range(len(plan.scopes))), default=0)
    return Price(
        width,
        plan.entries[plan.largest] if plan.scopes else 0,
        8 * (plan.peak + leaves + beside),
        plan.terms,
        3 * len(plan.operations) * SECONDS_AN_OPERATION + plan.terms * SECONDS_A_TERM,
        tuple(names[v] for v in plan.scopes[plan.largest] if v >= 0) if plan.scopes else (),
    )


def check_price(
    nodes: Sequence[NetworkNode], names: Sequence[str], seen: frozenset[int], max_bytes: float, plan: ContractionPlan
) -> None:
    """Refuse what costs too much, naming what makes it dear and what would not be.

    Raises:
        TooDear: the plan needs more than ``max_bytes``.
    """
    beside = _block_numbers(nodes, names, seen)
    price = price_of(plan, names, beside)
    if price.bytes <= max_bytes:
        return
    said = (
        f"an exact answer would hold {in_bytes(price.bytes)}, and max_bytes allows {in_bytes(max_bytes)}: a table over "
        f"{listed(price.largest, 8) if price.largest else 'no node'} has {price.entries:,} entries."
    )
    if 16 * beside > price.bytes:
        said += f" The matrices of the numbers that are not seen take {in_bytes(8 * beside)} of it."
    cheapest = _cheaper(nodes, names, seen, [v for v in plan.scopes[plan.largest] if v >= 0])
    if cheapest is not None:
        name, cost = cheapest
        said += f" If {name!r} were known, it would take {in_bytes(cost)}."
    raise TooDear(f'{said} An approximate answer is to be had: inference="loopy", "mean-field" or "weighted"')


def _cheaper(
    nodes: Sequence[NetworkNode], names: Sequence[str], seen: frozenset[int], tried: Sequence[int]
) -> tuple[str, int] | None:
    """The node of some that would save most as evidence, and what is left to pay."""
    prices = {v: price_with(nodes, names, seen | {v}).bytes for v in tried[:LOOKED_AT]}
    best = min(prices, key=lambda v: prices[v], default=None)
    return None if best is None else (names[best], prices[best])
