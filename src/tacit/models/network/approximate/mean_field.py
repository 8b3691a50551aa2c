"""The best independent posterior: ``q(x) = ∏_v q_v(x_v)``, and the bound on log Z that it gives.

``F(q) = Σ_i E_q[log t_i] + Σ_v H(q_v) ≤ log Z``, raised one variable at a time: ``q_v ∝ exp Σ_i E_{q without v}[log
t_i]`` is its maximum with the others held, so F never falls (Koller & Friedman 2009, section 11.5). It has many maxima:
the best of several starts is taken, all worked on side by side.

A table with zeros makes F minus infinity wherever q is not 0 on all of them, which is everywhere near a start that is
spread out. Such starts are first led with ``log 0`` replaced by numbers that fall; those that keep to what is possible
go on with the true tables, beside starts at single configurations that are possible.
"""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from tacit.models.network.approximate.products import TableProduct

FLOORS = (-1.0, -3.0, -10.0, -30.0, -100.0)
"""What stands for log 0, one after the other."""

SWEEPS_A_FLOOR = 4

NOTHING = 1e-9
"""A chance that is made 0 when the true tables come in."""


@dataclasses.dataclass(frozen=True, eq=False)
class MeanField:
    """The best of some starts.

    Attributes:
        marginals: of every variable.
        bound: F ≤ log Z, complete; −inf where no start found anything possible.
        trace: the bound after every sweep of the best start; it never falls.
        bounds: where every start ended.
        converged: whether the bound stood still.
    """

    marginals: dict[int, np.ndarray]
    bound: float
    trace: Float[np.ndarray, " sweeps"]
    bounds: Float[np.ndarray, " starts"]
    converged: bool

    @property
    def sweeps(self) -> int:
        """Of the best start."""
        return len(self.trace) - 1


class _Tables:
    """Logarithms of all tables, and where they are 0, one axis in front for every axis there is."""

    def __init__(self, product: TableProduct) -> None:
        self.product = product
        self.others: list[list[tuple[int, ...]]] = []
        self.laid: list[list[np.ndarray]] = []
        self.zeros = [bool((table <= 0).any()) for table in product.tables]
        self.constant = product.log
        for scope, table, zeros in zip(product.scopes, product.tables, self.zeros, strict=True):
            logs = np.log(np.where(table > 0, table, 1.0))
            parts = np.stack([logs, (table <= 0).astype(float)] if zeros else [logs])
            axes = range(1, parts.ndim)
            self.laid.append([np.ascontiguousarray(np.moveaxis(parts, axis, 1)) for axis in axes])
            self.others.append([(*scope[:axis], *scope[axis + 1 :]) for axis in range(len(scope))])
            if not scope:
                self.constant += float(logs) if table > 0 else -math.inf

    def toward(self, table: int, axis: int, q: dict[int, np.ndarray]) -> np.ndarray:
        """``E[log t]`` and ``P(t = 0)`` given the levels of one axis, ``[1 or 2, levels, starts]``."""
        found = self.laid[table][axis]
        others = self.others[table][axis]
        head = found.shape[:2]
        if not others:
            return found[..., None]
        last = q[others[-1]]
        found = found.reshape(-1, len(last)) @ last
        for v in reversed(others[:-1]):
            found = (found.reshape(-1, *q[v].shape) * q[v]).sum(1)
        return found.reshape(*head, -1)

    def logits(self, v: int, q: dict[int, np.ndarray], floor: float) -> np.ndarray:
        """What all tables say of a variable, ``[levels, starts]``; ``floor`` stands for log 0."""
        finite, zero = np.zeros_like(q[v]), np.zeros_like(q[v])
        for table, axis in self.product.holding[v]:
            found = self.toward(table, axis, q)
            finite += found[0]
            if self.zeros[table]:
                zero += found[1]
        if floor == -math.inf:
            return np.where(zero > 0, -math.inf, finite)
        return finite + floor * zero

    def bound(self, q: dict[int, np.ndarray]) -> Float[np.ndarray, " starts"]:
        """F of every start."""
        total: np.ndarray = np.full(next(iter(q.values())).shape[1] if q else 1, self.constant)
        for table, scope in enumerate(self.product.scopes):
            if scope:
                found = (self.toward(table, 0, q) * q[scope[0]]).sum(1)
                total = total + found[0]
                if self.zeros[table]:
                    total = np.where(found[1] > 0, -math.inf, total)
        for own in q.values():
            total = total - (own * np.log(np.where(own > 0, own, 1.0))).sum(0)
        return total


def mean_field(
    product: TableProduct,
    random: np.random.Generator,
    *,
    starts: int = 8,
    spread_out: Sequence[dict[int, np.ndarray]] = (),
    configurations: Int[np.ndarray, "number variables"] | None = None,
    max_sweeps: int = 200,
    tol: float = 1e-6,
) -> MeanField:
    """Coordinate ascent from several starts.

    Args:
        product: the tables of one row.
        random: the source of the random starts.
        starts: random ones.
        spread_out: other starts, such as what belief propagation ended with.
        configurations: starts at single configurations, such as draws that are possible.
        max_sweeps: through all variables, at most.
        tol: the rise of the bound in a sweep, as a share of 1 + its size, at which a start has ended.
    """
    tables = _Tables(product)
    q: dict[int, np.ndarray] = {}
    for v in product.variables:
        levels = product.sizes[v]
        given = [start[v] for start in spread_out]
        q[v] = np.column_stack([*given, *random.dirichlet(np.ones(levels), starts)])
    if any(tables.zeros):
        for floor in FLOORS:
            for _ in range(SWEEPS_A_FLOOR):
                _sweep(tables, q, floor)
        for v, own in q.items():
            own = np.where(own < NOTHING, 0.0, own)
            q[v] = own / own.sum(0)
    if configurations is not None:
        for v in q:
            points = np.eye(product.sizes[v])[:, configurations[:, v]]
            q[v] = np.concatenate([q[v], points], axis=1)
    return _ascent(tables, q, max_sweeps, tol)


def _sweep(tables: _Tables, q: dict[int, np.ndarray], floor: float) -> None:
    """The best of each variable with the others held; what nothing is possible for stays as it is."""
    for v in q:
        logits = tables.logits(v, q, floor)
        most = logits.max(0)
        possible = most > -math.inf
        found = np.exp(logits - np.where(possible, most, 0.0))
        total = found.sum(0)
        q[v] = np.where(possible, found / np.where(possible, total, 1.0), q[v])


def _ascent(tables: _Tables, q: dict[int, np.ndarray], max_sweeps: int, tol: float) -> MeanField:
    trace = [tables.bound(q)]
    standing = np.zeros(len(trace[0]), dtype=bool)
    while not standing.all() and len(trace) <= max_sweeps:
        _sweep(tables, q, -math.inf)
        trace.append(tables.bound(q))
        standing = _standing(trace[-2], trace[-1], tol)
    best = int(np.argmax(trace[-1]))
    bounds = np.array(trace)[:, best]
    if bounds[-1] == -math.inf:
        nothing = {v: np.full(len(own), np.nan) for v, own in q.items()}
        return MeanField(nothing, -math.inf, bounds, trace[-1], False)
    moved = np.flatnonzero(~_standing(bounds[:-1], bounds[1:], tol))
    shown = bounds[: int(moved[-1]) + 3] if moved.size else bounds[:2]
    marginals = {v: own[:, best] for v, own in q.items()}
    return MeanField(marginals, float(bounds[-1]), shown, trace[-1], bool(standing[best]))


def _standing(before: np.ndarray, now: np.ndarray, tol: float) -> np.ndarray:
    """Where a bound has not risen, or is minus infinity as it was."""
    impossible = np.isneginf(before)
    rise = np.where(impossible, 0.0, now) - np.where(impossible, 0.0, before)
    size = 1.0 + np.abs(np.where(impossible, 0.0, now))
    return np.where(impossible, np.isneginf(now), rise <= tol * size)
