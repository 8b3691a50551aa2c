"""The most probable configuration, and exact joint draws: what is kept of a sweep forwards is gone through backwards.

A variable was summed (or maximised) out of the product of the tables that hold it. Once everything that was taken out
after it has a value, that product is over its own levels alone: of it the best level is taken, or one is drawn (Dechter
1999; Koller & Friedman 2009, sections 13.2 and 12.1). All draws of all rows go through the list side by side.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tacit.compute import HostArray
from tacit.models.network.contraction import ROWS, Scope, spread
from tacit.models.network.plan import ContractionPlan, Operation
from tacit.models.network.sweeps import Forward, forward

Chosen = Int[HostArray, "rows draws variables"]


class Needs(NamedTuple):
    """Numbers that are held at the same time, for one row, beside the leaves.

    Attributes:
        kept: the tables of the sweep forwards.
        passing: what the largest step needs while it is made.
    """

    kept: int
    passing: int

    def bytes(self, rows: int, draws: int, variables: int) -> int:
        """Of both sweeps for some rows, and so many configurations of each; tables that rows share count for each."""
        return 8 * rows * (self.kept + self.passing + draws * (variables + 4))


def needs(plan: ContractionPlan) -> Needs:
    """What a sweep forwards keeps, for the most probable configuration or for draws."""
    kept = sum(plan.entries[op.out] for op in plan.operations)
    return Needs(kept, max((2 * plan.entries[op.out] for op in plan.operations), default=0))


def most_probable(
    plan: ContractionPlan, tables: Sequence[HostArray]
) -> tuple[Int[HostArray, "*rows variables"], Float[HostArray, "*rows"]]:
    """``argmax_x ∏_i t_i(x)`` and the logarithm of the maximum, of every row where a table has rows.

    −1 stands for a variable that no table is over, and for all variables of a row where everything is impossible,
    whose value is −inf. Sums of logarithms are compared, so nothing underflows.

    Args:
        plan: of the tables, no variable kept.
        tables: entries that are not negative.
    """
    with np.errstate(divide="ignore"):
        logs = [np.log(table) for table in tables]
    for op, variable in _taken(plan):
        logs.append(_maximum(plan, op, variable, logs))
    value = np.asarray(sum((logs[root] for root in plan.roots), np.zeros(())))
    rows = value.shape[0] if value.ndim else 1

    def best(scores: Float[HostArray, "rows draws levels"]) -> Int[HostArray, "rows draws"]:
        return np.argmax(scores, axis=-1)

    chosen = _backwards(plan, logs, np.add, rows, 1, best)[:, 0]
    chosen = np.where(np.isneginf(value).reshape(-1, 1), -1, chosen)
    return (chosen if value.ndim else chosen[0]), value


def draws(
    plan: ContractionPlan,
    tables: Sequence[HostArray],
    number: int,
    random: np.random.Generator,
    swept: Forward | None = None,
) -> Int[HostArray, "*rows number variables"]:
    """Independent configurations ``x ~ ∏_i t_i(x) / Z``, ``number`` of every row where a table has rows.

    −1 stands for a variable that no table is over, and for all variables of a row whose Z is 0.

    Args:
        plan: of the tables, no variable kept.
        tables: entries that are not negative.
        number: draws, of each row.
        random: the source of chance.
        swept: the sweep forwards, if it has been made and its tables are still there.
    """
    found = swept or forward(plan, tables)
    log_z = found.log_z
    rows = log_z.shape[0] if log_z.ndim else 1

    def drawn(chances: Float[HostArray, "rows draws levels"]) -> Int[HostArray, "rows draws"]:
        cumulative = np.cumsum(chances, axis=-1)
        whole = cumulative[..., -1:]
        reached = np.minimum(random.random(whole.shape) * whole, np.nextafter(whole, 0.0))
        return np.minimum((cumulative <= reached).sum(-1), chances.shape[-1] - 1)

    chosen = _backwards(plan, found.tables, np.multiply, rows, number, drawn)
    chosen = np.where(np.isneginf(log_z).reshape(-1, 1, 1), -1, chosen)
    return chosen if log_z.ndim else chosen[0]


def _taken(plan: ContractionPlan) -> Iterator[tuple[Operation, int | None]]:
    """The operations, and the variable that each takes out, if any."""
    if plan.keep:
        raise ValueError("a plan that keeps variables does not say what they are: plan without `keep`")
    for op in plan.operations:
        there = {*plan.scopes[op.left], *(() if op.right is None else plan.scopes[op.right])}
        gone = there - set(plan.scopes[op.out])
        yield op, next(iter(gone), None)


def _maximum(plan: ContractionPlan, op: Operation, variable: int | None, logs: Sequence[HostArray]) -> HostArray:
    """The sum of two tables of logarithms, maximised over a variable: level by level, as it is too large to hold."""
    if op.right is None:
        return logs[op.left].max(op.summed)
    pair = [(logs[at], plan.scopes[at]) for at in (op.left, op.right)]
    out = plan.scopes[op.out]
    shape = _shape(out, plan.sizes, pair)
    if variable is None:
        return np.add(*(spread(table, scope, out, shape) for table, scope in pair))
    best = np.full(shape, -math.inf)
    for level in range(plan.sizes[variable]):
        parts = []
        for table, scope in pair:
            axis = scope.index(variable)
            rest = (*scope[:axis], *scope[axis + 1 :])
            parts.append(spread(table.take(level, axis), rest, out, shape))
        np.maximum(best, np.add(*parts), out=best)
    return best


def _shape(out: Scope, sizes: Sequence[int], pair: Sequence[tuple[HostArray, Scope]]) -> tuple[int, ...]:
    """The extents of a table; the number of rows is that of the one that has them."""
    rows = next((table.shape[-1] for table, scope in pair if scope[-1:] == (ROWS,)), 1)
    return tuple(rows if v == ROWS else sizes[v] for v in out)


def _backwards(
    plan: ContractionPlan,
    tables: Sequence[HostArray],
    together: np.ufunc,
    rows: int,
    number: int,
    choose: Callable[[np.ndarray], np.ndarray],
) -> Chosen:
    """Values of all variables, the last that was taken out first."""
    chosen = np.full((rows, number, len(plan.sizes)), -1)
    for op, variable in reversed(list(_taken(plan))):
        if variable is not None:
            own = _given(plan, op.left, tables, variable, chosen)
            if op.right is not None:
                own = together(own, _given(plan, op.right, tables, variable, chosen))
            chosen[:, :, variable] = choose(own)
    return chosen


def _given(
    plan: ContractionPlan, at: int, tables: Sequence[HostArray], variable: int, chosen: Chosen
) -> Float[HostArray, "rows draws levels"]:
    """A table over the levels of one variable, at the values of the others that it is over."""
    scope, table = plan.scopes[at], tables[at]
    levels = plan.sizes[variable]
    others = tuple(v for v in scope if v != variable)
    laid = table.transpose(*(scope.index(v) for v in others), scope.index(variable)).reshape(-1, levels)
    index = np.zeros((1, 1), dtype=np.intp)
    for v in others:
        extent = table.shape[-1] if v == ROWS else plan.sizes[v]
        value = np.arange(extent)[:, None] if v == ROWS else np.maximum(chosen[:, :, v], 0)
        index = index * extent + value
    return laid.take(np.broadcast_to(index, chosen.shape[:2]), axis=0)
