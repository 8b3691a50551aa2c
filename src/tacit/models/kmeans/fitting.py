"""From starting centres and rows to fitted clusters: iterate, refill empty clusters, keep the best start."""

from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import numpy as np

from tacit.compute import compiled, component_bucket
from tacit.data.dataset import ColumnMoments, Dataset
from tacit.data.sources import STREAM_BYTES, BlockSource, StreamSource
from tacit.inference import closed_form as cf
from tacit.inference.fit import Fit, fit
from tacit.inference.loop import Trace
from tacit.inference.series import Series, kept
from tacit.models.kmeans.lloyd import Lloyd, Totals
from tacit.models.kmeans.model import KMeans, Rescale
from tacit.models.kmeans.rows import nearest
from tacit.models.kmeans.wide import WideMemory, widest

TOGETHER_ROWS = 16_384
"""Up to so many rows all starts run together and the number of clusters is padded, so that few are ever compiled."""
STILL = np.finfo(np.float64).tiny
"""A change of the bound below this is none at all: only then has the driver nothing left to do."""


class Schedule(NamedTuple):
    """How long to iterate."""

    max_iter: int
    tolerance: float
    """Sum of squared moves of the centres, in the user's units, at which a start has come to rest."""
    label: str = "k-means"


class Found(NamedTuple):
    """The best start, in the user's units; all arrays are NumPy."""

    model: KMeans
    counts: np.ndarray
    """Weight of the rows nearest to every centre."""
    status: int
    steps: int
    trace: Trace
    snapshots: dict[int, KMeans]


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
    schedule: Schedule,
) -> Found:
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
    models: Lloyd, source: BlockSource, view: Rescale, schedule: Schedule, refilled: Callable[[Fit], Lloyd]
) -> list[tuple[Fit, "_History"]]:
    """All starts until they rest, with empty clusters refilled on the way."""
    starts = models.centres.shape[0]
    key = np.zeros((starts, 2), np.uint32)  # nothing here is random
    history = [_History() for _ in range(starts)]
    series, fits, stalled = Series(), list[Fit](), [True] * starts

    def again() -> list[Fit]:
        parts = [refilled(f) if empty else f.model for f, empty in zip(fits, stalled, strict=True)] if fits else []
        begun = jax.tree.map(lambda *leaves: np.stack(leaves), *parts) if parts else models
        label, most = schedule.label, schedule.max_iter + 2
        found = fit(begun, source, view, key=key, max_iter=most, tol=STILL, label=label, groups=np.arange(starts))
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
    if rows.shape[0] * rows.shape[1] * 8 > STREAM_BYTES:
        return StreamSource(rows, widest=widest(clusters)), view
    return WideMemory(rows, view, clusters), Rescale(view.shift, view.scale, done=True)


def _begin(centres: np.ndarray, rows: Dataset, values: ColumnMoments, view: Rescale, schedule: Schedule) -> Lloyd:
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
    here = KMeans(np.asarray(model.centres)[model.active]).in_units(view)  # the padding comes last
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
    moved = jax.tree.map(np.asarray, _moved(model, Totals(sums, seen, counts)))
    return eqx.tree_at(lambda m: m.settled, moved, np.asarray(settled or moved.settled))


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


def _found(best: Fit, past: _History, clusters: int, view: Rescale) -> Found:
    def finished(model: Lloyd) -> KMeans:
        centres = KMeans(np.asarray(model.centres)[:clusters]).in_units(view)
        return KMeans(np.asarray(centres.centres))

    area = float(view.scale[0]) ** 2
    steps = int(best.model.steps)
    status = best.status
    if status == cf.CONVERGED and not best.model.settled:
        status = cf.STOPPED
    trace = Trace(np.arange(len(past.bound)), np.array(past.bound) * area, np.array(past.seconds))
    snapshots = {i: finished(m) for i, m in past.snapshots.items()}
    counts = np.asarray(best.statistics.counts)[:clusters]
    return Found(finished(best.model), counts, status, steps, trace, snapshots | {steps: finished(best.model)})
