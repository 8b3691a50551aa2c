"""The closed-form driver in the host's loop: many starts at once, and the best of them."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt32

from tacit import trees
from tacit.compute import Array, compiled, eagerly, side_by_side
from tacit.data.blocks import AsTheyAre, Block, Standardise, View, trimmed
from tacit.data.sources import BlockSource
from tacit.engine import PyTree, eqx, is_array, jax
from tacit.inference import closed_form as cf
from tacit.inference.loop import Fitting, Line, Loop, Trace, on_host
from tacit.inference.spread import eager_block, eager_sums, in_spans, spread_sums
from tacit.inference.watch import Progress
from tacit.waiting import keeping

SLACK = 1e-10

Reduce = Callable[[Iterable[cf.Sums]], cf.Sums]
"""How the sums of parts of the rows come together."""


class PastModels(Mapping[int, Any]):
    """Models by iteration, each made when it is asked for: a search has hundreds of fits, and shows the way of one."""

    def __init__(self, makers: dict[int, Callable[[], Any]]) -> None:
        self._makers = makers

    def __getitem__(self, iteration: int) -> Any:
        return self._makers[iteration]()

    def __iter__(self) -> Iterator[int]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def changed(self, change: Callable[[Any], Any]) -> "PastModels":
        """The same, each changed."""
        return PastModels({i: partial(_made, change, maker) for i, maker in self._makers.items()})

    def before(self, iteration: int) -> "PastModels":
        """Those before an iteration."""
        return PastModels({i: maker for i, maker in self._makers.items() if i < iteration})

    def then(self, iteration: int, model: Any) -> "PastModels":
        """The same and another one."""
        return PastModels(self._makers | {iteration: partial(_itself, model)})


def _made(change: Callable[[Any], Any], maker: Callable[[], Any]) -> Any:
    return change(maker())


def _itself(model: Any) -> Any:
    return model


class Fit(NamedTuple):
    """The best start and how it came about; all leaves are NumPy arrays."""

    model: PyTree
    statistics: PyTree
    bound: float
    iteration: int
    status: int
    trace: Trace
    snapshots: PastModels
    bounds: np.ndarray
    """The final bound of every start."""


def fit(
    models: PyTree,
    source: BlockSource,
    view: View,
    *,
    key: UInt32[Array, "starts 2"],
    max_iter: int | np.ndarray,
    tol: float,
    accelerate: bool = False,
    label: str = "fit",
    words: str = "",
    statistics: PyTree | None = None,
    repair: Callable[[PyTree], PyTree | None] | None = None,
    groups: np.ndarray | None = None,
    sound: Callable[[PyTree], np.ndarray] | None = None,
    halving: Sequence[int] = (),
    reduce: Reduce = cf.total_sums,
    weight: float | None = None,
    eager: bool = False,
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
        label, words: what the watchers call this fit, and what else they are told.
        statistics: what makes the starts by an M-step, stacked; None where ``models`` are the starts themselves.
        repair: sees the stacked starts; may return them in a safer form, to begin with these instead.
        groups: which starts compete with one another, ``[starts]`` numbers from 0 (all of them if None).
        sound: tells of stacked models which are sound, ``[starts]``; these win over the others, whatever their bounds.
        halving: after so many iterations the worse half of every group is left, and all but one at last.
        reduce: how the sums of the source's blocks come together; where it holds a part of the rows, with the others'.
        weight: of all rows, where the source holds a part of them.
        eager: compile nothing; the models' methods take NumPy arrays that lead with starts.

    Returns: the best start of every group.
    """
    kind, knobs = _Eager if eager else _ClosedForm, limits(weight or source.total_weight, max_iter, tol)
    fitting = kind(source, view, knobs, accelerate, (label, words), reduce)
    groups = np.zeros(key.shape[0], int) if groups is None else groups
    judge = sound or _all_sound

    def repaired(state: cf.State, loop: Loop) -> cf.State | None:
        cycles = fitting.cycles(state)
        if cycles in halving:
            return _halved(state, halving.index(cycles) + 1, len(halving), groups, judge)
        if loop.trace:
            return None
        safer = None if repair is None else repair(state.model)
        return None if safer is None else cf.begin(safer, state.statistics, state.key, given=True)

    loop = Loop(fitting, repaired, halving)
    state = loop.run(fitting.begin(models, statistics, key))
    clean = judge(state.model)
    return [_best(state, loop, groups == number, clean) for number in range(groups.max() + 1)]


@compiled
def _first_sums(models: PyTree, block: Block, view: View, key: UInt32[Array, "starts 2"]) -> cf.Sums:
    """The sums over a block at the start; a program, so that its shapes are found once for all fits of their kind."""
    steps = cf.prepared(models, key.shape[0])
    return cf.accumulate(steps, block, view, key, np.zeros(key.shape[0], np.int32))


def _all_sound(models: PyTree) -> np.ndarray:
    return np.ones(trees.leaves(models)[0].shape[0], bool)


def _halved(
    state: cf.State, done: int, times: int, groups: np.ndarray, sound: Callable[[PyTree], np.ndarray]
) -> cf.State:
    """The state with the worse starts of every group stopped; sound ones are better than all others."""
    state = on_host(state)
    bounds = np.where(np.isnan(state.bound), -np.inf, state.bound)
    order = np.lexsort((-bounds, ~sound(state.model)))
    status = state.status.copy()
    for group in range(groups.max() + 1):
        ranked = order[groups[order] == group]
        kept = 1 if done == times else -(-ranked.size // 2**done)
        left = ranked[kept:]
        status[left] = np.where(status[left] == cf.RUNNING, cf.STOPPED, status[left])
    return dataclasses.replace(state, status=status)


def limits(weight: float, max_iter: int | np.ndarray, tol: float) -> cf.Limits:
    """The traced knobs of a fit to rows of so much weight."""
    return cf.Limits(*map(np.asarray, (max_iter, float(tol), SLACK, float(weight))))


class _ClosedForm:
    """Iterations of the closed-form driver on stacked starts (`Fitting`)."""

    snapshots: tuple[int, ...] = (0, 3, 5, 16)

    def __init__(
        self,
        source: BlockSource,
        view: View,
        limits: cf.Limits,
        accelerate: bool,
        label: tuple[str, str],
        reduce: Reduce,
    ) -> None:
        self.source, self.limits, self.reduce = source, limits, reduce
        self.label, self.words = label
        self.size, self.accelerate = source.size, accelerate
        self.view, self.blocks = self._placed(view, source)
        # several blocks are worked on side by side, and other parts of the rows are waited for outside of a program
        self.fused = len(self.blocks) == 1 and reduce is cf.total_sums
        self._compiled = False

    def _placed(self, view: View, source: BlockSource) -> tuple[View, tuple[Block, ...]]:
        """View and rows where they are computed with; no blocks of a source that is streamed."""
        blocks = tuple(jax.device_put(block) for block in source.blocks()) if source.resident else ()
        return jax.device_put(view), blocks

    def begin(self, models: PyTree, statistics: PyTree, key: UInt32[Array, "starts 2"]) -> cf.State:
        """The state before the first iteration."""
        given = statistics is None
        if given:
            block = next(iter(self.blocks or self.source.blocks()))
            statistics = eqx.filter_eval_shape(_first_sums, models, block, self.view, key).statistics
        return cf.begin(models, statistics, key, given=given)

    def cycles(self, state: cf.State) -> int:
        """How many cycles the starts have gone."""
        reached = int(np.asarray(state.iteration).max())
        return (reached - 1) // 2 if self.accelerate else reached

    def running(self, state: cf.State, loop: Loop) -> bool:
        return bool(np.any(np.asarray(state.status) == cf.RUNNING))

    def left(self, loop: Loop) -> int:
        return min(int(np.max(self.limits.max_iter)) + 1 - len(loop.trace), cf.TRACE_ROWS)

    def advance(self, state: cf.State, number: int, loop: Loop) -> tuple[cf.State, list[Line]]:
        with loop.computing():
            if self.fused:
                steps = np.asarray(number)
                state, trace, done = cf.run_block(state, self.blocks, self.view, steps, self.limits, self.accelerate)
                rows = list(np.asarray(trace)[: int(done)])
            else:
                rows = []
                while len(rows) < number and (not rows or self.running(state, loop)):
                    state = cf.cycle(state, self._evaluate, self.limits, self.accelerate)
                    rows.append(np.asarray(state.bound))
        first = len(loop.trace)
        return state, [Line(self._iteration(first + place), row) for place, row in enumerate(rows)]

    def _iteration(self, cycle: int) -> int:
        """The number of M-steps after a cycle; the first step of all only evaluates the start."""
        return 2 * cycle + 1 if self.accelerate else cycle

    def progress(self, state: cf.State, loop: Loop) -> Progress:
        bounds = np.asarray(state.bound)
        return Progress(
            self.label,
            int(np.asarray(state.iteration).max()),
            int(np.max(self.limits.max_iter)),
            float(np.nanmax(bounds) if not np.isnan(bounds).all() else np.nan) / float(self.limits.weight),
            int((np.asarray(state.status) == cf.RUNNING).sum()),
            bounds.size,
            loop.seconds,
            None,
            self.words,
            begun=loop.begun,
        )

    def _evaluate(self, steps: PyTree, state: cf.State) -> cf.Sums:
        """The sums of local steps over the whole source, streamed or resident, block by block."""
        if (there := spread_sums(self.source, (steps, self.view, state.key, state.iteration))) is not None:
            return self.reduce(there)
        blocks = self.blocks or self.source.blocks()

        def work(block: Block) -> cf.Sums:
            sums = cf.accumulate(steps, block, self.view, state.key, state.iteration)
            return trees.map(np.asarray, sums)

        # the first time compiles, which threads would do one by one
        parts = side_by_side(work, blocks) if self._compiled else [work(block) for block in blocks]
        self._compiled = True
        return self.reduce(parts if self.blocks else in_spans(parts, self.source))


class _Eager(_ClosedForm):
    """The same with NumPy: starts that have stopped are left out, and rows of weight 0 too."""

    def _placed(self, view: View, source: BlockSource) -> tuple[View, tuple[Block, ...]]:
        if not source.resident:
            return view, ()
        blocks = tuple(trimmed(block, source.tile) for block in source.blocks())
        if isinstance(view, Standardise) and all(isinstance(block.rows, np.ndarray) for block in blocks):
            return AsTheyAre(), tuple(block._replace(rows=view(block.rows)) for block in blocks)
        return view, blocks

    def begin(self, models: PyTree, statistics: PyTree, key: UInt32[Array, "starts 2"]) -> cf.State:
        models, statistics, key = on_host((models, statistics, key))
        if statistics is not None:
            return cf.begin(models, statistics, key, given=False)
        some = self.blocks[0] if self.blocks else next(iter(self.source.blocks()))
        first = trees.map(lambda leaf: leaf[:1], some)  # their shapes are what counts
        with eagerly():
            statistics = _first_sums(models, first, self.view, key).statistics
        return cf.begin(models, statistics, key, given=True)

    def advance(self, state: cf.State, number: int, loop: Loop) -> tuple[cf.State, list[Line]]:
        state, rows = on_host(state), list[np.ndarray]()
        places = np.flatnonzero(state.status == cf.RUNNING)
        with keeping(bool(loop.trace)), eagerly():  # no block of it takes long
            part, limits = self._part(state, places)
            while len(rows) < number and places.size:
                part = cf.cycle(part, self._evaluate, limits, self.accelerate)
                rows.append(_with_rows(rows[-1] if rows else state.bound, part.bound, places))
                if np.any(part.status != cf.RUNNING):
                    state = _put_back(state, part, places)
                    places = np.flatnonzero(state.status == cf.RUNNING)
                    part, limits = self._part(state, places)
        state = _put_back(state, part, places)
        first = len(loop.trace)
        return state, [Line(self._iteration(first + place), row) for place, row in enumerate(rows)]

    def _part(self, state: cf.State, places: np.ndarray) -> tuple[cf.State, cf.Limits]:
        """Some of the starts, and their limits."""
        most = self.limits.max_iter
        return _rows_of(state, places), self.limits._replace(max_iter=most[places] if most.ndim else most)

    def _evaluate(self, steps: PyTree, state: cf.State) -> cf.Sums:
        arguments = steps, self.view, state.key, state.iteration
        if not self.source.resident:
            return self.reduce(eager_sums(self.source, arguments))
        work = partial(eager_block, arguments)
        several = len(self.blocks) > 1
        return self.reduce(side_by_side(work, self.blocks) if several else (work(block) for block in self.blocks))


def _with_rows(whole: Array, part: Array, places: np.ndarray) -> np.ndarray:
    changed = np.array(whole)
    changed[places] = part
    return changed


def _rows_of(tree: PyTree, chosen: np.ndarray) -> PyTree:
    return trees.map(lambda leaf: leaf[chosen] if is_array(leaf) else leaf, tree)


def _put_back(whole: PyTree, part: PyTree, places: np.ndarray) -> PyTree:
    """The whole with some of its starts replaced."""
    if places.size == whole.status.size:
        return part

    def put(old: np.ndarray, new: np.ndarray) -> np.ndarray:
        return _with_rows(old, new, places) if is_array(old) else new

    return trees.map(put, whole, part)


def _best(state: cf.State, loop: Loop, among: np.ndarray, sound: np.ndarray) -> Fit:
    """The start of the largest bound among some, one that is sound if there is any."""
    bounds = np.asarray(state.bound)
    rivals = np.flatnonzero(among & sound if np.any(among & sound) else among)
    best = int(rivals[np.argmax(np.where(np.isnan(bounds), -np.inf, bounds)[rivals])])
    iteration, status = int(state.iteration[best]), int(state.status[best])
    if loop.interrupted and status == cf.RUNNING:
        status = cf.INTERRUPTED
    # a cycle may hold two iterations: the last one of a start, if it is cut short, counts for what it did
    last = next((place for place, line in enumerate(loop.trace) if line[0] >= iteration), len(loop.trace) - 1)
    rows = loop.trace[: last + 1]
    trace = Trace(
        np.array([min(row[0], iteration) for row in rows]),
        np.array([row[2][best] for row in rows]),
        np.array([row[1] for row in rows]),
    )
    model = _pick(state.model, best)
    snapshots = PastModels({loop.trace[line][0]: partial(_pick, seen, best) for line, seen in loop.snapshots.items()})
    return Fit(
        model,
        _pick(state.statistics, best),
        float(bounds[best]),
        iteration,
        cf.STOPPED if status == cf.RUNNING else status,
        trace,
        snapshots.before(iteration).then(iteration, model),
        bounds[among],
    )


def progress_of_one(fitting: Fitting, state: PyTree, loop: Loop, max_iter: int, weight: float) -> Progress:
    """Where a loop with one start stands; ``weight`` is that of all rows."""
    iteration = int(loop.trace[-1][0]) if loop.trace else 0
    bound, running = float(state.bound) / weight, int(fitting.running(state, loop))
    return Progress(fitting.label, iteration, max_iter, bound, running, 1, loop.seconds, None, begun=loop.begun)


def fit_of_one(model: PyTree, bound: float, status: int, loop: Loop) -> Fit:
    """What a loop with one start found; ``status`` says whether and why it ended by itself."""
    iteration = int(loop.trace[-1][0])
    if status == cf.RUNNING:
        status = cf.INTERRUPTED if loop.interrupted else cf.STOPPED
    trace = Trace(
        np.array([line[0] for line in loop.trace]),
        np.array([float(line[2]) for line in loop.trace]),
        np.array([line[1] for line in loop.trace]),
    )
    snapshots = PastModels({line: partial(_itself, seen) for line, seen in loop.snapshots.items()})
    return Fit(
        model,
        None,
        bound,
        iteration,
        status,
        trace,
        snapshots.before(iteration).then(iteration, model),
        np.array([bound]),
    )


def _pick(tree: PyTree, start: int) -> PyTree:
    return trees.map(lambda leaf: np.asarray(leaf[start]) if is_array(leaf) else leaf, tree)
