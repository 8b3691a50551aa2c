"""The host's side of the closed-form driver: blocks of iterations, and a look in between.

Between blocks it records the trace, keeps snapshots, tells the watchers and listens for Ctrl-C. None of this changes
a bit of the result.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree, UInt32

from tacit.compute import Array, side_by_side
from tacit.data.blocks import Block, Source, Standardise
from tacit.inference import closed_form as cf
from tacit.inference.watch import Kept, Moment, Watcher, watchers
from tacit.waiting import computing

SLACK = 1e-10
SNAPSHOTS = (0, 3, 5, 16)
BLOCK_SECONDS = 0.5


class Trace(NamedTuple):
    """How the bound rose: one entry an iteration, the first (0) at the model of the start."""

    iteration: np.ndarray
    bound: np.ndarray
    """In nats, summed over rows."""
    seconds: np.ndarray


class Fit(NamedTuple):
    """The best start and how it came about; all leaves are NumPy arrays."""

    model: Any
    statistics: PyTree
    bound: float
    iteration: int
    status: int
    trace: Trace
    snapshots: dict[int, Any]
    bounds: np.ndarray
    """The final bound of every start."""


def fit(
    models: PyTree,
    source: Source,
    view: Standardise,
    *,
    key: UInt32[Array, "starts 2"],
    max_iter: int | np.ndarray,
    tol: float,
    accelerate: bool = False,
    label: str = "fit",
    statistics: PyTree | None = None,
    mend: Callable[[PyTree], PyTree | None] | None = None,
    groups: np.ndarray | None = None,
    sound: Callable[[PyTree], np.ndarray] | None = None,
) -> list[Fit]:
    """Raise the bound from every start until it stands still, and keep the best of every group of starts.

    Args:
        models: the starts, stacked on a leading axis of every array.
        source: the rows and their weights.
        view: centring and scaling, done inside the scan.
        key: raw key data of the starts.
        max_iter: most iterations of a start, ``[starts]`` if they differ.
        tol: change of the bound a row, in nats, below which a start has converged.
        accelerate: squared extrapolation (SQUAREM), which never lowers the bound.
        label: what the watchers call this fit.
        statistics: what makes the starts by an M-step, stacked; None where ``models`` are the starts themselves.
        mend: sees the stacked starts; may return them in a safer form, to begin with these instead.
        groups: which starts compete with one another, ``[starts]`` numbers from 0 (all of them if None).
        sound: tells of stacked models which are sound, ``[starts]``; these win over the others, whatever their bounds.

    Returns:
        the best start of every group.
    """
    loop = _Loop(source, view, limits(source, max_iter, tol), accelerate, label, mend)
    state = loop.run(models, statistics, key)
    groups = np.zeros(key.shape[0], int) if groups is None else groups
    clean = np.ones(key.shape[0], bool) if sound is None else sound(state.model)
    return [loop.best(state, groups == number, clean) for number in range(groups.max() + 1)]


def limits(source: Source, max_iter: int | np.ndarray, tol: float) -> cf.Limits:
    """The traced knobs of a fit."""
    return cf.Limits(
        np.asarray(max_iter),
        np.asarray(float(tol)),
        np.asarray(SLACK),
        np.asarray(float(source.total_weight)),
    )


class _Loop:
    def __init__(
        self,
        source: Source,
        view: Standardise,
        limits: cf.Limits,
        accelerate: bool,
        label: str,
        mend: Callable[[PyTree], PyTree | None] | None,
    ) -> None:
        self.source, self.limits = source, limits
        self.accelerate, self.label, self.mend = accelerate, label, mend
        self.began, self.begun = time.monotonic(), 0
        self.watchers: Sequence[Watcher] = watchers()
        self.snapshots: dict[int, PyTree] = {}
        self.trace: list[tuple[int, float, np.ndarray]] = []
        self.interrupted = self.compiled = False
        self.view = jax.device_put(view)
        self.blocks = tuple(jax.device_put(b) for b in source.blocks()) if source.resident else ()
        self.fused = len(self.blocks) == 1  # several blocks are worked on side by side

    def run(self, models: PyTree, statistics: PyTree | None, key: UInt32[Array, "starts 2"]) -> cf.State:
        given = statistics is None
        if given:
            block = next(iter(self.blocks or self.source.blocks()))
            statistics = eqx.filter_eval_shape(self._shapes, models, block, key).statistics
        state = self._resumed(cf.begin(models, statistics, key, given=given))
        self.last = (state, len(self.trace))
        try:
            state = self._iterate(state)
        except KeyboardInterrupt:
            if not self.trace:
                raise  # nothing is known of the start yet
            self.interrupted = True
            state, cycles = self.last
            del self.trace[cycles:]
        moment = self._moment(state)
        for watcher in self.watchers:
            watcher.done(moment)
        return on_host(state)

    def _shapes(self, models, block, key):
        steps = cf.prepared(models, key.shape[0])
        return cf.accumulate(steps, block, self.view, key, jnp.zeros(key.shape[0], jnp.int32))

    def _evaluate(self, steps: PyTree, state: cf.State) -> cf.Sums:
        """The sums of local steps over the whole source, streamed or resident, block by block."""
        blocks = self.blocks or self.source.blocks()

        def work(block: Block) -> cf.Sums:
            sums = cf.accumulate(steps, block, self.view, state.key, state.iteration)
            return jax.tree.map(np.asarray, sums)

        # the first time compiles, which threads would each do for themselves
        parts = side_by_side(work, blocks) if self.compiled else [work(block) for block in blocks]
        self.compiled = True
        return cf.total_sums(parts)

    def _resumed(self, state: cf.State) -> cf.State:
        for watcher in self.watchers:
            kept = watcher.resume(self.label, state)
            if kept is not None:
                state, self.trace, self.snapshots = kept
                self.began -= self.trace[-1][1] if self.trace else 0.0
                self.begun = len(self.trace)
        return state

    def _iterate(self, state: cf.State) -> cf.State:
        steps = 1
        while np.any(np.asarray(state.status) == cf.RUNNING):
            landing = [cycle + 1 - len(self.trace) for cycle in SNAPSHOTS if cycle >= len(self.trace)]
            left = int(np.max(self.limits.max_iter)) + 1 - len(self.trace)
            steps = min([steps, *landing, max(1, left), cf.TRACE_ROWS])
            before = time.monotonic()
            with computing(self.label, self.source.size, keeps=bool(self.trace)):
                state, bounds = self._steps(state, steps)
            safer = self.mend(state.model) if self.mend is not None and not self.trace else None
            if safer is not None:
                state, self.mend = cf.begin(safer, state.statistics, state.key, given=True), None
                continue
            self._record(state, bounds)
            self.last = (state, len(self.trace))
            spent = time.monotonic() - before
            steps = max(1, min(16 * steps, int(steps * BLOCK_SECONDS / max(spent, 1e-6))))
            moment = self._moment(state)
            for watcher in self.watchers:
                watcher.look(moment)
        return state

    def _steps(self, state: cf.State, steps: int) -> tuple[cf.State, np.ndarray]:
        if self.fused:
            state, trace, done = cf.run_block(
                state, self.blocks, self.view, np.asarray(steps), self.limits, self.accelerate
            )
            return state, np.asarray(trace)[: int(done)]
        rows = []
        for _ in range(steps):
            state = cf.cycle(state, self._evaluate, self.limits, self.accelerate)
            rows.append(state.bound)
            if not np.any(np.asarray(state.status) == cf.RUNNING):
                break
        return state, np.stack(rows)

    def _record(self, state: cf.State, bounds: Any) -> None:
        bounds = np.asarray(bounds)
        seconds = time.monotonic() - self.began
        first = len(self.trace)
        for offset, row in enumerate(bounds):
            self.trace.append((first + offset, seconds, row))
        cycle = len(self.trace) - 1
        if cycle in SNAPSHOTS:
            self.snapshots[cycle] = on_host(state.model)

    def _moment(self, state: cf.State) -> Moment:
        bounds = np.asarray(state.bound)
        return Moment(
            self.label,
            int(np.asarray(state.iteration).max()),
            int(np.max(self.limits.max_iter)),
            float(np.nanmax(bounds) if not np.isnan(bounds).all() else np.nan) / float(self.limits.weight),
            int((np.asarray(state.status) == cf.RUNNING).sum()),
            bounds.size,
            time.monotonic() - self.began,
            Kept(state, self.trace, self.snapshots),
            begun=self.begun,
        )

    def best(self, state: cf.State, among: np.ndarray, sound: np.ndarray) -> Fit:
        """The start of the largest bound among some, one that is sound if there is any."""
        bounds = np.asarray(state.bound)
        rivals = np.flatnonzero(among & sound if np.any(among & sound) else among)
        best = int(rivals[np.argmax(np.where(np.isnan(bounds), -np.inf, bounds)[rivals])])
        iteration = int(state.iteration[best])
        status = int(state.status[best])
        if self.interrupted and status == cf.RUNNING:
            status = cf.INTERRUPTED
        rows = self.trace[: iteration + 1] if not self.accelerate else self.trace
        trace = Trace(
            np.array([row[0] for row in rows]),
            np.array([row[2][best] for row in rows]),
            np.array([row[1] for row in rows]),
        )
        snapshots = {i: _pick(m, best) for i, m in self.snapshots.items() if i <= iteration}
        snapshots[iteration] = _pick(state.model, best)
        return Fit(
            _pick(state.model, best),
            _pick(state.statistics, best),
            float(bounds[best]),
            iteration,
            cf.STOPPED if status == cf.RUNNING else status,
            trace,
            snapshots,
            bounds[among],
        )


def on_host(tree: PyTree) -> PyTree:
    """The same tree with NumPy arrays."""
    return jax.tree.map(lambda leaf: np.asarray(leaf) if eqx.is_array(leaf) else leaf, tree)


def _pick(tree: PyTree, start: int) -> PyTree:
    return jax.tree.map(lambda leaf: np.asarray(leaf[start]) if eqx.is_array(leaf) else leaf, tree)
