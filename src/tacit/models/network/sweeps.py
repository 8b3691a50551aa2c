"""One sweep forwards gives ``log Z``, one backwards its derivative by every table.

``Z = Σ_x ∏_i t_i(x)`` is linear in every table, so ``t_i ∂ log Z / ∂ t_i`` is the posterior of what the table is over:
every E-step is the gradient of a log-partition function (Darwiche 2003). There is no division, so zeros do no harm;
an intermediate whose largest entry is far from 1 is divided by it, and its logarithm kept, so nothing underflows.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tacit.compute import HostArray
from tacit.models.network.contraction import ROWS, Scope, spread
from tacit.models.network.plan import ContractionPlan


class Kept:
    """Products that are the same the next time, with the logarithm of what each was divided by.

    Args:
        same: which tables of the plan do not change.
        limit: bytes that are kept at most.
    """

    def __init__(self, same: frozenset[int], limit: int) -> None:
        self._same, self._left = same, limit
        self.tables: dict[int, tuple[HostArray, float]] = {}

    def offer(self, at: int, table: HostArray, log: float) -> None:
        """Keep a table, if it does not change and there is room."""
        if at in self._same and table.nbytes <= self._left:
            self._left -= table.nbytes
            self.tables[at] = table, log


class Forward(NamedTuple):
    """All tables, and ``log Z``: a number, or one a row; with variables that are kept, that of what was divided by."""

    tables: list[HostArray]
    log_z: HostArray


NEAR_ONE = 1e20
"""A table is left as it is whose largest entry is less than so many times away from 1: most are, for many steps."""


def _scaled(table: HostArray, scope: Scope) -> tuple[HostArray, np.ndarray | float]:
    """A table, or the table of every row, over its largest entry (in place), and that entry; 0 stays 0."""
    if scope[-1:] == (ROWS,):
        largest = table.reshape(-1, table.shape[-1]).max(0)
        largest[largest <= 0] = 1.0
        least, most = largest.min(initial=1.0), largest.max(initial=1.0)
    else:
        largest = table.max()
        largest = least = most = largest if largest > 0 else 1.0
    if least > 1.0 / NEAR_ONE and most < NEAR_ONE:
        return table, 1.0
    if isinstance(table, np.ndarray) and table.flags.writeable:
        table /= largest
        return table, largest
    return table / largest, largest


def forward(plan: ContractionPlan, leaves: Sequence[HostArray], kept: Kept | None = None) -> Forward:
    """The products and sums of the plan over its leaves; entries are not negative.

    Without rows, what ``kept`` has is not computed again, and what it takes is kept in it.
    """
    tables: list[HostArray] = list(leaves)
    log_z: HostArray | float = 0.0
    there = {} if kept is None else dict(kept.tables)
    for op, step in zip(plan.operations, plan.steps, strict=True):
        known = there.get(op.out)
        if known is not None:
            tables.append(known[0])
            log_z = log_z + known[1]
            continue
        if op.right is None or step is None:
            found = tables[op.left].sum(op.summed)
        else:
            found = step.forward(tables[op.left], tables[op.right])
        scaled, largest = _scaled(found, plan.scopes[op.out])
        tables.append(scaled)
        log = math.log(largest) if isinstance(largest, float) else np.log(largest)
        if not isinstance(log, float) or log:
            log_z = log_z + log
        if kept is not None:
            kept.offer(op.out, scaled, float(log))
    with np.errstate(divide="ignore"):
        for root in plan.roots:
            if not set(plan.scopes[root]) - {ROWS}:
                log_z = log_z + np.log(tables[root])
    return Forward(tables, np.asarray(log_z))


def kept(plan: ContractionPlan, found: Forward, scope: Scope) -> HostArray:
    """The distribution over the variables that were kept, axes as in ``scope`` (rows last): NaN where Z is 0."""
    product: HostArray | None = None
    have: Scope = ()
    for root in plan.roots:
        mine = plan.scopes[root]
        if set(mine) - {ROWS}:
            both = (*(v for v in scope if v in mine or v in have), *((ROWS,) if ROWS in (*mine, *have) else ()))
            product = found.tables[root] if product is None else _times(product, have, found.tables[root], mine, both)
            have = mine if have == () else both
    if product is None:
        return np.ones(())
    rows = (ROWS,) if ROWS in have else ()
    ordered = product.transpose([have.index(v) for v in (*scope, *rows)])
    total = ordered.sum(tuple(range(len(scope))))
    with np.errstate(invalid="ignore", divide="ignore"):
        return ordered / np.where(total > 0, total, np.nan) * np.where(np.isneginf(found.log_z), np.nan, 1.0)


def _times(a: HostArray, a_scope: Scope, b: HostArray, b_scope: Scope, out: Scope) -> HostArray:
    extents = dict(zip((*a_scope, *b_scope), (*a.shape, *b.shape), strict=True))
    shape = tuple(extents[v] for v in out)
    return spread(a, a_scope, out, shape) * spread(b, b_scope, out, shape)


def backward(plan: ContractionPlan, found: Forward) -> list[HostArray]:
    """The derivative of ``log Z`` by every leaf, up to a factor (of every row, its own); axes as in the plan.

    The tables of ``found`` but the leaves are let go of on the way.
    """
    tables = found.tables
    derivatives: list[HostArray] = [_NOTHING] * len(tables)
    for root in plan.roots:
        derivatives[root] = np.ones_like(tables[root])
    for op, step in zip(reversed(plan.operations), reversed(plan.steps), strict=True):
        above, derivatives[op.out] = derivatives[op.out], _NOTHING
        if op.right is None or step is None:
            shape = tables[op.left].shape
            rows = above.shape[-1:] if len(plan.derivatives[op.left]) > len(shape) else ()
            derivatives[op.left] = np.broadcast_to(np.expand_dims(above, op.summed), (*shape, *rows))
        else:
            left, right = step.to_left(above, tables[op.right]), step.to_right(above, tables[op.left])
            for at, table in ((op.left, left), (op.right, right)):  # of a leaf nothing more is multiplied
                derivatives[at] = table if at < plan.leaves else _scaled(table, plan.derivatives[at])[0]
        tables[op.out] = _NOTHING
    return derivatives[: plan.leaves]


_NOTHING = np.empty(0)
