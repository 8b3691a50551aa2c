"""Belief propagation where the graph has loops: messages between tables and variables until they stand still.

A table sends each of its variables ``m(x_v) ∝ Σ t ∏_{u≠v} q(x_u)``, where ``q(x_u)`` is the product of what the other
tables sent to u. On a tree that is exact. With loops a table hears its own words again as if somebody else had said
them: the messages may stand still at wrong posteriors, or never stand still (Pearl 1988, section 4.4; Murphy, Weiss &
Jordan 1999). That they do stand still, and the Bethe energy there, say nothing of the error.

First come plain sweeps along the graph and back, which pass over tables whose messages came as they were before. Where
they go in circles, a message becomes the geometric mean of the new and the old one, and the table is taken next whose
messages have changed most (Elidan, McGraw & Koller 2006; Sutton & McCallum 2007).
"""

import dataclasses
import heapq
import math

import numpy as np

from tacit.models.network.approximate.products import TableProduct, normalised

DAMPINGS = (0.0, 0.5, 0.7, 0.9)
"""The share of the old message, one after the other where sweeps bring nothing more."""

PATIENCE = 15
"""Sweeps after which the largest change must have fallen below half of what it was."""

TINY = 1e-200
"""Products below are taken again by their logarithms."""


class Vanished(ArithmeticError):
    """A message is 0 at all levels."""

    def __init__(self, variable: int) -> None:
        super().__init__(variable)
        self.variable = variable


@dataclasses.dataclass(frozen=True, eq=False)
class Beliefs:
    """What the messages say in the end.

    Attributes:
        marginals: of every variable; NaN where a message vanished.
        tables: of the variables of every table together, the expected counts of a fit; NaN likewise.
        bethe: minus the Bethe free energy, in nats; log Z on a tree, else neither a bound nor of known error.
        outside: of every table's last variable, what all other tables say of it.
        converged: whether no message moves by more than the tolerance.
        sweeps: updates over the number of tables.
        residual: the largest change of a message that is still to be passed on.
        damping: the share of the old message in the end.
        note: what went wrong, else empty.
    """

    marginals: dict[int, np.ndarray]
    tables: tuple[np.ndarray, ...]
    bethe: float
    outside: tuple[np.ndarray | None, ...]
    converged: bool
    sweeps: float
    residual: float
    damping: float
    note: str = ""


def all_but_one(table: np.ndarray, vectors: list[np.ndarray]) -> list[np.ndarray]:
    """``Σ t ∏_{u≠v} q_u`` over all axes but one, for each of them."""
    found: list[np.ndarray] = []
    right = table
    for axis in range(table.ndim - 1, -1, -1):
        own = right
        for before in range(axis):
            own = vectors[before] @ own.reshape(len(vectors[before]), -1)
        found.append(own.reshape(-1))
        right = right.reshape(-1, len(vectors[axis])) @ vectors[axis]
    return found[::-1]


def all_but_one_by_logs(table: np.ndarray, vectors: list[np.ndarray]) -> list[np.ndarray]:
    """The same up to a factor, where products of the vectors are too small for numbers."""
    found = []
    with np.errstate(divide="ignore"):
        log, logs = np.log(table), [np.log(vector) for vector in vectors]
    for axis in range(table.ndim):
        total = log
        for other, vector in enumerate(logs):
            if other != axis:
                total = total + vector.reshape([-1 if at == other else 1 for at in range(table.ndim)])
        most = total.max()
        scaled = np.exp(total - most) if most > -math.inf else np.zeros_like(table)
        found.append(scaled.sum(tuple(at for at in range(table.ndim) if at != axis)))
    return found


class _Messages:
    """All messages to variables, one row a table; the largest entry of each is 1."""

    def __init__(self, product: TableProduct) -> None:
        self.product = product
        self.sent = {v: np.ones((len(places), product.sizes[v])) for v, places in product.holding.items()}
        slots: list[list[int]] = [[0] * len(scope) for scope in product.scopes]
        for places in product.holding.values():
            for slot, (table, axis) in enumerate(places):
                slots[table][axis] = slot
        self.slots = slots
        # a table of one variable says the same whatever it hears
        listening = [len(scope) > 1 for scope in product.scopes]
        self.hearing = {v: [table for table, _ in places if listening[table]] for v, places in product.holding.items()}
        self.pending = [math.inf] * len(product.tables)
        self.damping = 0.0
        self.updates = 0

    def cavity(self, table: int, axis: int) -> np.ndarray:
        """What the other tables say of a variable, the largest entry 1."""
        v = self.product.scopes[table][axis]
        sent, slot = self.sent[v], self.slots[table][axis]
        if len(sent) == 1:
            return np.ones(sent.shape[1])
        if len(sent) == 2:
            return sent[1 - slot]
        return together(sent, v, slot)

    def cavities(self, table: int) -> list[np.ndarray]:
        return [self.cavity(table, axis) for axis in range(len(self.product.scopes[table]))]

    def update(self, table: int) -> float:
        """Send the messages of a table; the largest change."""
        scope, values = self.product.scopes[table], self.product.tables[table]
        self.updates += 1
        self.pending[table] = 0.0
        if not scope:
            return 0.0
        cavities = self.cavities(table) if len(scope) > 1 else []
        found = all_but_one(values, cavities) if cavities else [values]
        largest = [float(message.max()) for message in found]
        if cavities and min(largest) < TINY:
            found = all_but_one_by_logs(values, cavities)
            largest = [float(message.max()) for message in found]
        most = 0.0
        for axis, v in enumerate(scope):
            if largest[axis] <= 0.0:
                raise Vanished(v)
            most = max(most, self._send(table, axis, v, found[axis] / largest[axis]))
        self.pending[table] = self.damping * most
        return most

    def _send(self, table: int, axis: int, v: int, message: np.ndarray) -> float:
        sent, slot = self.sent[v], self.slots[table][axis]
        change = float(np.abs(message - sent[slot]).max())
        if change == 0.0:
            return 0.0
        if self.damping:
            message = message ** (1.0 - self.damping) * sent[slot] ** self.damping
            largest = message.max()
            if largest <= 0.0:
                raise Vanished(v)
            message = message / largest
        sent[slot] = message
        pending = self.pending
        for other in self.hearing[v]:
            if pending[other] < change and other != table:
                pending[other] = change
        return change

    def residual(self) -> float:
        return max(self.pending, default=0.0)


def together(messages: np.ndarray, variable: int, without: int | None = None) -> np.ndarray:
    """The product of all messages to a variable, or of all but one, over its largest entry."""
    parts = [messages] if without is None else [messages[:without], messages[without + 1 :]]
    product: np.ndarray = np.multiply.reduce(parts[0])
    for part in parts[1:]:
        product = product * np.multiply.reduce(part)
    most = product.max()
    if most < TINY:
        with np.errstate(divide="ignore"):
            logs = np.sum([np.log(part).sum(0) for part in parts], axis=0)
        if logs.max() == -math.inf:
            raise Vanished(variable)
        product = np.exp(logs - logs.max())
        return product
    return product / most


def loopy_beliefs(product: TableProduct, *, max_sweeps: int = 200, tol: float = 1e-9) -> Beliefs:
    """Belief propagation on the tables of one row.

    Args:
        product: the tables.
        max_sweeps: updates over the number of tables, at most.
        tol: the change of a message, its largest entry 1, that is not passed on.
    """
    messages = _Messages(product)
    try:
        with np.errstate(under="ignore"):
            _propagate(messages, max_sweeps, tol)
            return _read(messages, tol)
    except Vanished as vanished:
        return _nothing(messages, vanished.variable)


def _propagate(messages: _Messages, max_sweeps: int, tol: float) -> None:
    order = list(messages.product.order)
    history: list[float] = []
    stage, since = 0, 0
    while messages.residual() > tol and messages.updates < max_sweeps * len(order):
        if stage == 0:
            for table in order if len(history) % 2 == 0 else reversed(order):
                if messages.pending[table] > tol:
                    messages.update(table)
        else:
            _most_changed_first(messages, len(order), tol)
        history.append(messages.residual())
        if len(history) - since > PATIENCE and history[-1] > 0.5 * history[-1 - PATIENCE] and stage + 1 < len(DAMPINGS):
            stage, since = stage + 1, len(history)
            messages.damping = DAMPINGS[stage]


def _most_changed_first(messages: _Messages, number: int, tol: float) -> None:
    """So many updates, always of the table whose incoming messages have changed most."""
    pending, product = messages.pending, messages.product
    heap = [(-change, table) for table, change in enumerate(pending) if change > tol]
    heapq.heapify(heap)
    done = 0
    while heap and done < number:
        key, table = heapq.heappop(heap)
        if -key != pending[table]:
            continue
        if messages.update(table) > tol:
            near = {table, *(other for v in product.scopes[table] for other in messages.hearing[v])}
            for other in near:
                if pending[other] > tol:
                    heapq.heappush(heap, (-pending[other], other))
        done += 1


def _read(messages: _Messages, tol: float) -> Beliefs:
    product = messages.product
    marginals = {v: normalised(together(sent, v)) for v, sent in messages.sent.items()}
    tables: list[np.ndarray] = []
    outside: list[np.ndarray | None] = []
    bethe = product.log
    for table, (scope, values) in enumerate(zip(product.scopes, product.tables, strict=True)):
        cavities = messages.cavities(table)
        belief = values
        for axis, cavity in enumerate(cavities):
            belief = belief * cavity.reshape([-1 if at == axis else 1 for at in range(len(scope))])
        total = float(belief.sum())
        if total <= 0.0:
            if not scope:
                return _nothing(messages, None)
            raise Vanished(scope[-1])
        belief = belief / total
        here = belief > 0
        bethe += float((belief[here] * (np.log(values[here]) - np.log(belief[here]))).sum())
        tables.append(belief)
        outside.append(cavities[-1] if scope else None)
    for v, own in marginals.items():
        here = own > 0
        bethe += (len(product.holding[v]) - 1) * float((own[here] * np.log(own[here])).sum())
    residual = messages.residual()
    sweeps = messages.updates / max(1, len(product.tables))
    note = "" if residual <= tol else f"after {sweeps:.0f} sweeps messages still change by {residual:.1e}"
    return Beliefs(
        marginals, tuple(tables), bethe, tuple(outside), residual <= tol, sweeps, residual, messages.damping, note
    )


def _nothing(messages: _Messages, variable: int | None) -> Beliefs:
    """All NaN, and the reason."""
    product = messages.product
    impossible = variable is None or not consistent(product)
    said = "the evidence is impossible" if impossible else "numbers became too small, and nothing can be said"
    return Beliefs(
        {v: np.full(product.sizes[v], np.nan) for v in product.variables},
        tuple(np.full_like(table, np.nan, dtype=float) for table in product.tables),
        -math.inf if impossible else math.nan,
        tuple(None for _ in product.tables),
        False,
        messages.updates / max(1, len(product.tables)),
        math.nan,
        messages.damping,
        said + ("" if variable is None else f": no level of variable {variable} is left"),
    )


def consistent(product: TableProduct) -> bool:
    """Whether every variable keeps a level when those go that have no support in one of the tables; if not, Z is 0."""
    domains = {v: np.ones(product.sizes[v], dtype=bool) for v in product.variables}
    waiting = dict.fromkeys(product.order)
    while waiting:
        table = next(iter(waiting))
        del waiting[table]
        scope = product.scopes[table]
        possible = product.tables[table] > 0
        for axis, v in enumerate(scope):
            possible = possible & domains[v].reshape([-1 if at == axis else 1 for at in range(len(scope))])
        if not possible.any():
            return False
        for axis, v in enumerate(scope):
            left = possible.any(tuple(at for at in range(len(scope)) if at != axis))
            if left.sum() < domains[v].sum():
                domains[v] = left
                waiting |= dict.fromkeys(other for other, _ in product.holding[v] if other != table)
    return True
