"""From starting centres and rows to fitted clusters: iterate, refill empty clusters, keep the best start.

Lloyd's iteration as a model of the closed-form driver (Lloyd 1982; the σ → 0 limit of EM).

The bound is minus the inertia, ``F = −Σ_n w_n min_k ‖x_n − c_k‖²``, which is
``2 Σ_n w_n max_k (x_n·c_k − ½‖c_k‖²) − Σ_n w_n ‖x_n‖²``; the last term never changes and is the global one.
A start that has come to rest, has used up its iterations or has an empty cluster proposes itself again: the bound
stands still and the driver stops it.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit import trees
from tacit.arrays import Pytree, static, traced, xp
from tacit.compute import Array, compiled, component_bucket, eagerly
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.data.sources import STREAM_BYTES, BlockSource, StreamSource, spread
from tacit.engine import PRNGKeyArray, jnp
from tacit.inference import closed_form as cf
from tacit.inference.closed_form import Sums
from tacit.inference.fit import Fit, fit
from tacit.inference.loop import Trace
from tacit.inference.series import Series, kept
from tacit.models.kmeans.model import KMeansModel, Rescale, WideMemory, affinity, nearest, small, widest


class Totals(NamedTuple):
    """What rows leave behind in the cluster that they join."""

    values: Float[Array, "*starts clusters dims"]
    """``Σ w x`` of the observed entries."""
    seen: Float[Array, "*starts clusters dims_or_one"]
    """``Σ w`` of the observed entries, a column each where entries are missing."""
    counts: Float[Array, "*starts clusters"]
    """``Σ w`` of the rows."""


class LloydStep(Pytree):
    """Nearest centres of a chunk by one matrix product, and the sums by cluster."""

    centres: Float[Array, "*starts clusters dims"]
    active: Bool[Array, "*starts clusters"]
    gaps: bool = static()
    plain: bool = static()
    """Whether every row has weight 1, except rows of zeros, which pad."""

    def __call__(
        self, rows: Float[Array, "rows dims"], weights: Float[Array, " rows"], key: PRNGKeyArray | None
    ) -> Sums:
        kind, wide = rows.dtype, self.centres.dtype
        observed = (~xp.isnan(rows)).astype(kind) if self.gaps else None
        filled = xp.where(xp.isnan(rows), 0.0, rows) if self.gaps else rows
        closeness = affinity(filled, observed, self.centres.astype(kind))
        labels = xp.where(self.active[..., None, :], closeness, -np.inf).argmax(-1).astype(np.int32)
        one_hot = None if traced(labels) else (labels[..., None, :] == np.arange(closeness.shape[-1])[:, None])

        def by_cluster(values):
            if one_hot is not None:
                return one_hot.astype(wide) @ values.astype(wide)
            # adding up row by row takes half the time of a product with one-hot rows
            return jnp.zeros((self.centres.shape[0], *values.shape[1:]), wide).at[labels].add(values.astype(wide))

        weight = weights[:, None]
        values = by_cluster(filled if self.plain else filled * weight)
        counts = by_cluster(weights)
        seen = counts[..., None] if observed is None else by_cluster(observed * weight)
        # Σ_n w_n (x_n·c − ½‖c‖²), c the nearest centre, is linear in the sums by cluster
        bound = (self.centres * (2.0 * values - seen * self.centres)).sum((-2, -1))
        return Sums(Totals(values, seen, counts), bound)


class Lloyd(Pytree):
    """The centres of one start, in the coordinates of the view, and how far it has come."""

    centres: Float[Array, "*starts clusters dims"]
    active: Bool[Array, "*starts clusters"]
    """False for clusters that are padding."""
    steps: Int[Array, "*starts"]
    """Moves of the centres so far."""
    settled: Bool[Array, "*starts"]
    """Whether the last move was within the tolerance."""
    stalled: Bool[Array, "*starts"]
    """Whether a cluster is empty, so that a row must be found for it."""
    tolerance: Float[Array, "*starts"]
    """Sum of squared moves of the centres at which a start has come to rest."""
    limit: Int[Array, "*starts"]
    """Most moves."""
    energy: Float[Array, "*starts"]
    """``Σ_n w_n ‖x_n‖²``."""
    gaps: bool = static()
    plain: bool = static()
    monotone: bool = static()
    """False in single precision, where a fall of the bound is rounding."""

    def prepare(self) -> LloydStep:
        return LloydStep(self.centres, self.active, self.gaps, self.plain)

    def global_bound(self) -> Float[Array, "*starts"]:
        return -self.energy

    def m_step(self, statistics: Totals) -> "Lloyd":
        stalled = (self.active & (statistics.counts <= 0)).any(-1)
        moved = self.moved(statistics)
        frozen = self.settled | stalled | (self.steps >= self.limit)
        return dataclasses.replace(
            self,
            centres=xp.where(frozen[..., None, None], self.centres, moved.centres),
            steps=xp.where(frozen, self.steps, moved.steps),
            settled=xp.where(frozen, self.settled, moved.settled),
            stalled=stalled & ~self.settled & (self.steps < self.limit),
        )

    def moved(self, statistics: Totals) -> "Lloyd":
        """The centres at the means of the observed entries; one that no entry informs stays where it is."""
        values, seen, counts = statistics
        means = xp.where(seen > 0, values / xp.where(seen > 0, seen, 1.0), self.centres)
        largest = xp.take_along_axis(means, counts.argmax(-1)[..., None, None], axis=-2)
        means = xp.where((counts > 0)[..., None], means, largest)
        centres = xp.where(self.active[..., None], means, self.centres)
        settled = ((centres - self.centres) ** 2).sum((-2, -1)) <= self.tolerance
        return dataclasses.replace(self, centres=centres, steps=self.steps + 1, settled=settled)


TOGETHER_ROWS = 16_384
"""Up to so many rows all starts run together and the number of clusters is padded, so that few are ever compiled."""
STILL = np.finfo(np.float64).tiny
"""A change of the bound below this is none at all: only then has the driver nothing left to do."""


class KMeansSchedule(NamedTuple):
    """How long to iterate."""

    max_iter: int
    tolerance: float
    """Sum of squared moves of the centres, in the user's units, at which a start has come to rest."""
    label: str = "k-means"


class KMeansFit(NamedTuple):
    """The best start, in the user's units; all arrays are NumPy."""

    model: KMeansModel
    counts: np.ndarray
    """Weight of the rows nearest to every centre."""
    status: int
    steps: int
    trace: Trace
    snapshots: dict[int, KMeansModel]


def standardiser(values: ColumnMoments) -> Rescale:
    """Centre every column and scale all of them alike, by a power of two: distances keep their order and digits."""
    spread = float(np.sqrt(np.mean(values.variance)))
    size = spread if np.isfinite(spread) and spread > 0.0 else 1.0
    scale = 2.0 ** np.clip(np.round(np.log2(size)), -1000, 1000)
    return Rescale(values.mean.astype(np.float64), np.full(values.mean.shape, scale), done=False)


def run(
    centres: np.ndarray,
    rows: Dataset,
    values: ColumnMoments,
    view: Rescale,
    schedule: KMeansSchedule,
) -> KMeansFit:
    """Lloyd's iteration from every start ``[starts, clusters, dims]``, given in the coordinates of the view.

    Few rows take all starts together; many take one start after another, so that none waits for the slowest.
    """
    source, inside = _laid(rows, view, centres.shape[1])
    together = rows.shape[0] <= TOGETHER_ROWS

    def fitted(batch: np.ndarray) -> list[tuple[Fit, _History]]:
        models = _begin(batch, rows, values, inside, schedule)
        return _iterated(models, source, inside, schedule, lambda fit: _refilled(fit, rows, view))

    found = [each for batch in Series().each(fitted, [centres] if together else centres[:, None]) for each in batch]
    bounds = [fit.bound if np.isfinite(fit.bound) else -np.inf for fit, _ in found]
    return _found(*found[int(np.argmax(bounds))], centres.shape[1], view)


def _iterated(
    models: Lloyd, source: BlockSource, view: Rescale, schedule: KMeansSchedule, refilled: Callable[[Fit], Lloyd]
) -> list[tuple[Fit, "_History"]]:
    """All starts until they rest, with empty clusters refilled on the way."""
    starts = models.centres.shape[0]
    key = np.zeros((starts, 2), np.uint32)  # nothing here is random
    history = [_History() for _ in range(starts)]
    series, fits, stalled = Series(), list[Fit](), [True] * starts

    def again() -> list[Fit]:
        parts = [refilled(f) if empty else f.model for f, empty in zip(fits, stalled, strict=True)] if fits else []
        begun = trees.map(lambda *leaves: np.stack(leaves), *parts) if parts else models
        label, most = schedule.label, schedule.max_iter + 2
        groups, eager = np.arange(starts), small(source, begun.active.size)
        found = fit(begun, source, view, key=key, max_iter=most, tol=STILL, label=label, groups=groups, eager=eager)
        for past, each in zip(history, found, strict=True):
            past.add(each)
        return found

    while any(stalled) and not series.interrupted:
        fits = series.then(again, kept(fits) if fits else None)
        stalled = [bool(f.model.stalled) and f.status == cf.CONVERGED for f in fits]
    if series.interrupted:  # with a cluster that is still empty
        fits = [f._replace(status=cf.INTERRUPTED) if empty else f for f, empty in zip(fits, stalled, strict=True)]
    return list(zip(fits, history, strict=True))


def _laid(rows: Dataset, view: Rescale, clusters: int) -> tuple[BlockSource, Rescale]:
    """Rows scaled once and held by the engine, or streamed from the user's memory and scaled on the way."""
    if rows.shape[0] * rows.shape[1] * 8 > STREAM_BYTES or spread(rows):
        return StreamSource(rows, widest=widest(clusters)), view
    return WideMemory(rows, view, clusters), Rescale(view.shift, view.scale, done=True)


def _begin(centres: np.ndarray, rows: Dataset, values: ColumnMoments, view: Rescale, schedule: KMeansSchedule) -> Lloyd:
    starts, clusters, dims = centres.shape
    width = component_bucket(clusters) if rows.shape[0] <= TOGETHER_ROWS else clusters
    padded = np.zeros((starts, width, dims))
    padded[:, :clusters] = centres
    scale = float(view.scale[0])
    energy = float(values.seen @ values.variance) / scale / scale
    return Lloyd(
        centres=padded,
        active=np.tile(np.arange(width) < clusters, (starts, 1)),
        steps=np.zeros(starts, np.int32),
        settled=np.zeros(starts, bool),
        stalled=np.zeros(starts, bool),
        tolerance=np.full(starts, schedule.tolerance / scale / scale),
        limit=np.full(starts, schedule.max_iter, np.int32),
        energy=np.full(starts, energy),
        gaps=not values.complete,
        plain=values.complete and view.done and bool(np.all(rows.weights == 1.0)),
        monotone=rows.dtype == np.float64,
    )


@compiled
def _moved(model: Lloyd, totals: Totals) -> Lloyd:
    return model.moved(totals)


def _refilled(found: Fit, rows: Dataset, view: Rescale) -> Lloyd:
    """The next model when clusters are empty: each takes the row farthest from its centre, as scikit-learn does.

    The row leaves its old cluster with all its copies, so the inertia falls and a weight is the same as copies.
    Where every row lies on its centre there is none to take: the empty centres join the largest cluster and the
    fit has come to rest.
    """
    model, totals, weights = found.model, found.statistics, rows.weights
    here = KMeansModel(np.asarray(model.centres)[model.active]).in_units(view)  # the padding comes last
    labels, apart = nearest(here, rows)
    apart = np.where(weights > 0, apart, 0.0)
    sums, seen, counts = (np.array(part) for part in totals)
    empty = np.flatnonzero(model.active & (counts <= 0))
    settled = not apart.any()
    for cluster in empty:
        row = int(apart.argmax())
        if apart[row] == 0.0:
            break
        twins = _twins(rows, row, np.flatnonzero((labels == labels[row]) & np.isclose(apart, apart[row])))
        values = (rows.rows(slice(row, row + 1))[0] - view.shift) / view.scale
        observed, weight = ~np.isnan(values), weights[twins].sum()
        for place, sign in ((labels[row], -1.0), (cluster, 1.0)):
            sums[place] += sign * weight * np.where(observed, values, 0.0)
            seen[place] += sign * weight * (observed if model.gaps else np.ones(1))
            counts[place] += sign * weight
        apart[twins] = 0.0
    with eagerly(len(rows) <= TOGETHER_ROWS):
        moved = trees.map(np.asarray, _moved(model, Totals(sums, seen, counts)))
    return dataclasses.replace(moved, settled=np.asarray(settled or moved.settled))


def _twins(rows: Dataset, row: int, among: np.ndarray) -> np.ndarray:
    """The rows that equal a row, itself included."""
    dense, own = rows.rows(among), rows.rows(slice(row, row + 1))
    return among[((dense == own) | (np.isnan(dense) & np.isnan(own))).all(axis=1)]


class _History:
    """The trace and snapshots of one start over the fits that it took."""

    def __init__(self) -> None:
        self.bound: list[float] = []
        self.seconds: list[float] = []
        self.snapshots: dict[int, Lloyd] = {}
        self.spent = 0.0

    def add(self, found: Fit) -> None:
        first = len(self.bound)
        new = int(found.model.steps) + 1 - first
        self.bound += list(found.trace.bound[:new])
        self.seconds += list(found.trace.seconds[:new] + self.spent)
        self.spent += float(found.trace.seconds[-1]) if found.trace.seconds.size else 0.0
        self.snapshots |= {first + i: m for i, m in found.snapshots.items() if i < new}


def _found(best: Fit, past: _History, clusters: int, view: Rescale) -> KMeansFit:
    def finished(model: Lloyd) -> KMeansModel:
        centres = KMeansModel(np.asarray(model.centres)[:clusters]).in_units(view)
        return KMeansModel(np.asarray(centres.centres))

    area = float(view.scale[0]) ** 2
    steps = int(best.model.steps)
    status = best.status
    if status == cf.CONVERGED and not best.model.settled:
        status = cf.STOPPED
    trace = Trace(np.arange(len(past.bound)), np.array(past.bound) * area, np.array(past.seconds))
    snapshots = {i: finished(m) for i, m in past.snapshots.items()}
    counts = np.asarray(best.statistics.counts)[:clusters]
    return KMeansFit(finished(best.model), counts, status, steps, trace, snapshots | {steps: finished(best.model)})
