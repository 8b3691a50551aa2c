"""KMeans against scikit-learn's: time an iteration, time of whole fits, and inertia at equal and at own starts."""

from collections.abc import Iterator

import numpy as np
from sklearn.cluster import KMeans as Theirs

from benchmarks.frame import Row, clock, in_turn, timed
from benchmarks.rows import blobs
from tacit import KMeans as Ours

TITLE = "KMeans: 200 000 × 16, K = 16"
NOTE = "The time of an iteration is the difference of two fits from equal starts, as for the mixtures."
FEW, MANY = 2, 12
COLUMNS = CLUSTERS = 16
ASKED = 0.7


def run(quick: bool) -> Iterator[Row]:
    """Iterations in both precisions, whole fits, inertias."""
    count, rounds = (20_000, 2) if quick else (200_000, 9)
    for kind in ("float64", "float32"):
        yield _iteration(blobs(count, COLUMNS, CLUSTERS, kind), rounds, 6 if quick else MANY)
    rows = blobs(count, COLUMNS, CLUSTERS)
    for starts in (1, 10):
        yield from _whole(rows, starts, max(2, rounds // 3))
    yield _equal(rows)


def _iteration(rows: np.ndarray, rounds: int, many: int) -> Row:
    init = rows[:CLUSTERS].copy()
    ours = lambda: _per_iteration(Ours, rows, init, many)  # noqa: E731
    theirs = lambda: _per_iteration(Theirs, rows, init, many)  # noqa: E731
    ours(), theirs()
    return timed(f"an iteration, {rows.dtype}", "ms", in_turn(ours, theirs, rounds, 18.0), "scikit-learn", ASKED)


def _per_iteration(kind: type, rows: np.ndarray, init: np.ndarray, many: int) -> float:
    spent = []
    for iterations in (FEW, many):
        model = kind(len(init), init=init, n_init=1, max_iter=iterations, tol=0)
        spent.append(clock(lambda model=model: model.fit(rows))[0])
        if model.n_iter_ != iterations:
            raise RuntimeError("converged too soon to be timed")
    return 1e3 * (spent[1] - spent[0]) / (many - FEW)


def _whole(rows: np.ndarray, starts: int, rounds: int) -> Iterator[Row]:
    """Seconds and inertia of fits from k-means++ seeds, a new seed every round, the same on both sides."""
    inertia: dict[type, list[float]] = {Ours: [], Theirs: []}

    def fit(kind: type) -> float:
        model = kind(CLUSTERS, n_init=starts, random_state=len(inertia[kind]))
        spent, _ = clock(lambda: model.fit(rows))
        inertia[kind].append(model.inertia_)
        return spent

    fit(Ours)
    inertia[Ours].clear()
    turns = in_turn(lambda: fit(Ours), lambda: fit(Theirs), rounds, 30.0)
    yield timed(f"a fit from {starts} k-means++ start(s)", "s", turns, "scikit-learn", ASKED)
    mine, peer = tuple(inertia[Ours]), tuple(inertia[Theirs])
    ratios = tuple(b / a for a, b in zip(mine, peer, strict=True))
    yield Row("   its inertia (starts differ)", "", mine, peer, "scikit-learn", ratios)


def _equal(rows: np.ndarray) -> Row:
    fits = [kind(CLUSTERS, init=rows[:CLUSTERS], n_init=1, tol=1e-4).fit(rows) for kind in (Ours, Theirs)]
    mine, peer = (model.inertia_ for model in fits)
    apart = np.abs(fits[0].cluster_centers_ - fits[1].cluster_centers_).max()
    note = (
        f"iterations {fits[0].n_iter_} and {fits[1].n_iter_}, centres apart by at most {apart:.1e}, "
        f"inertia apart {mine / peer - 1:+.1e} (relative)"
    )
    met = bool(mine <= peer * (1 + 1e-9))
    asked = "no worse (to 1e-9)"
    return Row("inertia at equal starts", "", (mine,), (peer,), "scikit-learn", (peer / mine,), asked, met, note)
