"""KMeans against scikit-learn's: time an iteration, time of whole fits, and inertia at equal and at own starts.

Ours and theirs run in turn, in one process, on the same rows; a figure is the median over the rounds and a ratio the
median of the ratios within a round, theirs over ours: above 1, ours is faster.

    python benchmarks/bench_kmeans.py --rounds 15
"""

import argparse
import os
import platform
import time
from collections.abc import Callable

import numpy as np
import sklearn
from sklearn.cluster import KMeans as Theirs

from tacit import KMeans as Ours

FEW, MANY = 5, 45


def blobs(rows: int, columns: int, clusters: int, kind: str) -> np.ndarray:
    """Clusters that overlap, so that Lloyd's iteration takes its time."""
    random = np.random.default_rng(0)
    centres = 1.2 * random.normal(size=(clusters, columns))
    return (centres[random.integers(clusters, size=rows)] + random.normal(size=(rows, columns))).astype(kind)


def seconds(fit: Callable) -> tuple[float, object]:
    began = time.perf_counter()
    fitted = fit()
    return time.perf_counter() - began, fitted


def per_iteration(kind: type, rows: np.ndarray, init: np.ndarray) -> float:
    """Seconds an iteration: what a fit of many takes longer than one of few."""
    spent = []
    for iterations in (FEW, MANY):
        model = kind(len(init), init=init, n_init=1, max_iter=iterations, tol=0)
        took, model = seconds(lambda model=model: model.fit(rows))
        assert model.n_iter_ == iterations, "converged too soon to be timed"
        spent.append(took)
    return (spent[1] - spent[0]) / (MANY - FEW)


def whole_fit(kind: type, rows: np.ndarray, clusters: int, starts: int) -> tuple[float, float]:
    """Seconds and inertia of a fit from k-means++ seeds."""
    took, model = seconds(lambda: kind(clusters, n_init=starts, random_state=0).fit(rows))
    return took, model.inertia_


def in_turn(name: str, unit: float, rounds: int, ours: Callable, theirs: Callable) -> None:
    """Print both medians and the median of the ratios."""
    ours(), theirs()  # compile, warm up
    times = np.array([[ours(), theirs()] for _ in range(rounds)])
    mine, peer = np.median(times, axis=0) * unit
    ratio = np.median(times[:, 1] / times[:, 0])
    print(f"{name:38s} {mine:9.2f} {peer:9.2f}   {ratio:5.2f}")


def main() -> None:
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--rows", type=int, default=200_000)
    parse.add_argument("--columns", type=int, default=16)
    parse.add_argument("--clusters", type=int, default=16)
    parse.add_argument("--rounds", type=int, default=9)
    asked = parse.parse_args()
    print(f"scikit-learn {sklearn.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores")
    print(
        f"{asked.rows} x {asked.columns}, K = {asked.clusters}, {asked.rounds} rounds; load {os.getloadavg()[0]:.1f}\n"
    )
    print(f"{'':38s} {'ours':>9s} {'theirs':>9s}   ratio")
    for kind in ("float64", "float32"):
        rows = blobs(asked.rows, asked.columns, asked.clusters, kind)
        init = rows[: asked.clusters].copy()
        in_turn(
            f"an iteration, {kind} (ms)",
            1e3,
            asked.rounds,
            lambda rows=rows, init=init: per_iteration(Ours, rows, init),
            lambda rows=rows, init=init: per_iteration(Theirs, rows, init),
        )
    rows = blobs(asked.rows, asked.columns, asked.clusters, "float64")
    for starts in (1, 10):
        in_turn(
            f"a fit from {starts} k-means++ start(s) (s)",
            1.0,
            max(3, asked.rounds // 3),
            lambda starts=starts: whole_fit(Ours, rows, asked.clusters, starts)[0],
            lambda starts=starts: whole_fit(Theirs, rows, asked.clusters, starts)[0],
        )
        mine, peer = (whole_fit(kind, rows, asked.clusters, starts)[1] for kind in (Ours, Theirs))
        print(f"{'   its inertia':38s} {mine:9.0f} {peer:9.0f}   {peer / mine:7.5f}")
    init = rows[: asked.clusters]
    equal = [kind(asked.clusters, init=init, tol=1e-4).fit(rows) for kind in (Ours, Theirs)]
    apart = np.abs(equal[0].cluster_centers_ - equal[1].cluster_centers_).max()
    print(f"\nequal starts: iterations {equal[0].n_iter_} and {equal[1].n_iter_}, centres apart {apart:.1e}, ", end="")
    print(f"inertia apart {equal[0].inertia_ / equal[1].inertia_ - 1:.1e} (relative)")


if __name__ == "__main__":
    main()
