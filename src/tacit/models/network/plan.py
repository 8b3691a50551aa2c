"""A product of tables with variables summed out, as a list of contractions of two; and what it will cost.

The list is made once for given scopes. It is gone through forwards for the sum, and backwards for its derivative by
every table (`sweeps`).
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

from tacit.models.network.contraction import ROWS, Contraction, Scope, letters, size_of
from tacit.models.network.order import Elimination, elimination_orders

LARGE = 32_000_000
"""Numbers held at a time from which an order that needs fewer is taken, though it takes up to twice as long."""


@dataclasses.dataclass(frozen=True)
class Operation:
    """Two tables, by number, become one; or one is summed over an axis."""

    out: int
    left: int
    right: int | None = None
    summed: int = 0
    """The axis that one table is summed over."""


class Steps(NamedTuple):
    """The contractions of an operation of two tables, forwards, and backwards to either of them.

    Attributes:
        terms: multiplications of each, for one row.
    """

    forward: Contraction
    to_left: Contraction
    to_right: Contraction
    terms: int


@dataclasses.dataclass(frozen=True)
class ContractionPlan:
    """A list of operations over tables; the first of them are the leaves, the products that stand there from the start.

    Attributes:
        scopes: the axes of every table, in their order.
        leaves: how many of them are leaves.
        sizes: the number of levels of every variable.
        steps: of every operation; None where one table is summed.
        derivatives: the axes of the derivative by every table; of one that all rows share it may differ between rows.
        roots: tables that nothing consumes. Their product is the result, over the variables that are kept.
        keep: those.
        elimination: the order, and what it costs.
    """

    scopes: tuple[Scope, ...]
    leaves: int
    sizes: tuple[int, ...]
    operations: tuple[Operation, ...]
    steps: tuple[Steps | None, ...]
    derivatives: tuple[Scope, ...]
    roots: tuple[int, ...]
    keep: frozenset[int]
    elimination: Elimination

    @functools.cached_property
    def entries(self) -> list[int]:
        """Numbers in every table, for one row."""
        return [size_of(scope, self.sizes) for scope in self.scopes]

    @functools.cached_property
    def largest(self) -> int:
        """The largest table."""
        return self.entries.index(max(self.entries)) if self.scopes else 0

    @functools.cached_property
    def terms(self) -> int:
        """Multiplications of both sweeps, for one row."""
        entries, pairs = self.entries, zip(self.operations, self.steps, strict=True)
        return sum([2 * entries[op.left] if step is None else 3 * step.terms for op, step in pairs])

    @functools.cached_property
    def peak(self) -> int:
        """The most numbers that are held at a time beside the leaves, for one row: what the backward sweep begins with.

        Going forwards every intermediate is kept; going backwards each is let go of once its derivative is passed on.
        """
        entries = self.entries
        kept = sum([entries[op.out] for op in self.operations])
        most, held = kept, kept
        for op in reversed(self.operations):
            held += entries[op.left] + (0 if op.right is None else entries[op.right])
            most = max(most, held + entries[op.out])
            held -= entries[op.out]
        return most


class _Builder:
    """Tables that are still to be multiplied, by the variables that they depend on."""

    def __init__(self, scopes: Sequence[Scope], sizes: tuple[int, ...], order: Sequence[int]) -> None:
        self.scopes = list(scopes)
        self.sizes = sizes
        self.operations: list[Operation] = []
        self.live = set(range(len(scopes)))
        self.place = {v: place for place, v in enumerate(order)}
        self.holding: dict[int, set[int]] = {}
        for table, scope in enumerate(scopes):
            for v in scope:
                self.holding.setdefault(v, set()).add(table)

    def _sorted(self, variables: set[int]) -> Scope:
        """Axes in the order of the table: what is summed out next stands last, and rows behind all."""
        return tuple(sorted(variables, key=lambda v: (v == ROWS, -self.place.get(v, 1 << 40), v)))

    def _retire(self, table: int) -> None:
        self.live.discard(table)
        for v in self.scopes[table]:
            self.holding[v].discard(table)

    def _add(self, scope: Scope) -> int:
        table = len(self.scopes)
        self.scopes.append(scope)
        self.live.add(table)
        for v in scope:
            self.holding[v].add(table)
        return table

    def multiply(self, left: int, right: int, without: int | None) -> int:
        a, b = self.scopes[left], self.scopes[right]
        out = self._sorted({*a, *b} - {without})
        table = self._add(out)
        self.operations.append(Operation(table, left, right))
        self._retire(left)
        self._retire(right)
        return table

    def sum_out(self, table: int, variable: int) -> None:
        scope = self.scopes[table]
        out = self._add(tuple(v for v in scope if v != variable))
        self.operations.append(Operation(out, table, None, scope.index(variable)))
        self._retire(table)

    def eliminate(self, variable: int) -> None:
        def entries(table: int) -> tuple[int, int]:
            return size_of(self.scopes[table], self.sizes), table

        tables = sorted(self.holding[variable], key=entries)
        while len(tables) > 2:
            tables = sorted([self.multiply(tables[0], tables[1], None), *tables[2:]], key=entries)
        if len(tables) == 2:
            self.multiply(tables[0], tables[1], variable)
        else:
            self.sum_out(tables[0], variable)


def _backwards(builder: _Builder) -> tuple[tuple[Steps | None, ...], tuple[Scope, ...]]:
    """The contractions of every operation, and the axes of the derivative by every table."""
    scopes, sizes = builder.scopes, builder.sizes
    derivatives = list(scopes)
    steps: list[Steps | None] = []

    def by_row(scope: Scope, along: Scope) -> Scope:
        return (*scope, ROWS) if ROWS in along and ROWS not in scope else scope

    for op in reversed(builder.operations):
        above, left = derivatives[op.out], scopes[op.left]
        if op.right is None:
            derivatives[op.left] = by_row(left, above)
            steps.append(None)
            continue
        right = scopes[op.right]
        derivatives[op.left] = by_row(left, (*above, *right))
        derivatives[op.right] = by_row(right, (*above, *left))
        there = {*left, *right}
        named, terms = letters((*there, ROWS)), size_of(tuple(there), sizes)
        steps.append(
            Steps(
                Contraction(left, right, scopes[op.out], sizes, named, terms),
                Contraction(above, right, derivatives[op.left], sizes, named, terms),
                Contraction(above, left, derivatives[op.right], sizes, named, terms),
                terms,
            )
        )
    return tuple(reversed(steps)), tuple(derivatives)


@functools.lru_cache(maxsize=256)
def planned(
    scopes: tuple[Scope, ...],
    sizes: tuple[int, ...],
    keep: frozenset[int] = frozenset(),
    known: tuple[tuple[int, ...], ...] = (),
) -> ContractionPlan:
    """The plan for tables of some scopes, `ROWS` last where a table has them; remembered."""
    bare = [tuple(v for v in scope if v != ROWS) for scope in scopes]
    orders = elimination_orders(bare, sizes, keep=keep, known=known)
    best = _plan(scopes, sizes, keep, orders[0])
    if best.peak < LARGE:
        return best
    others = [_plan(scopes, sizes, keep, each) for each in orders[1:4] if each.total < 2.0 * orders[0].total]
    return min([best, *others], key=lambda plan: plan.peak)


def _plan(
    scopes: tuple[Scope, ...], sizes: tuple[int, ...], keep: frozenset[int], elimination: Elimination
) -> ContractionPlan:
    builder = _Builder(scopes, sizes, elimination.order)
    for variable in elimination.order:
        builder.eliminate(variable)
    steps, derivatives = _backwards(builder)
    operations, roots = tuple(builder.operations), tuple(sorted(builder.live))
    return ContractionPlan(
        tuple(builder.scopes), len(scopes), sizes, operations, steps, derivatives, roots, keep, elimination
    )
