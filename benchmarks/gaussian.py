"""GaussianMixture against scikit-learn's: time an iteration from equal starts, with equal floors."""

from collections.abc import Iterator

import numpy as np
from sklearn.mixture import GaussianMixture as Theirs

from benchmarks.frame import Row, clock, in_turn, spaced, timed
from benchmarks.rows import blobs, per_iteration, start
from tacit import GaussianMixture as Ours

TITLE = "GaussianMixture: time of one EM iteration"
NOTE = (
    "Both begin at the same given means, weights and precisions, with tol=0 and reg_covar=1e-6. The time is the "
    "difference of two fits with different max_iter, divided by the difference of n_iter_; both were run once before."
)
FEW, MANY = 2, 10
SHARE = 0.6
CASES = (  # rows, columns, components, covariance, asked ratio, seconds
    (200_000, 16, 16, "full", 10.0, 70.0),
    (200_000, 16, 16, "diag", 5.0, 35.0),
    (1_000_000, 8, 32, "diag", 8.0, 75.0),
)


def run(quick: bool) -> Iterator[Row]:
    """A row for every case, and ours in float32 against ours in float64."""
    shrink, rounds = (100, 2) if quick else (1, 7)
    for count, columns, components, covariance, asked, seconds in CASES:
        yield _against(count // shrink, columns, components, covariance, asked, seconds, rounds)
    yield _single(CASES[0][0] // shrink, rounds)
    yield _share(CASES[0][0] // shrink, rounds)


def _against(
    count: int, columns: int, components: int, covariance: str, asked: float, seconds: float, rounds: int
) -> Row:
    rows = blobs(count, columns, components)
    settings = start(rows, components, covariance)
    ours = lambda: per_iteration(Ours, rows, settings, FEW, MANY)  # noqa: E731
    theirs = lambda: per_iteration(Theirs, rows, settings, FEW, MANY)  # noqa: E731
    ours(), per_iteration(Theirs, rows, settings, 1, 2)
    turns = in_turn(ours, theirs, rounds, seconds)
    what = f"{spaced(count)} × {columns}, K = {components}, {covariance}, float64"
    return timed(what, "ms an iteration", turns, "scikit-learn", asked)


def _single(count: int, rounds: int) -> Row:
    double = blobs(count, 16, 16)
    single = double.astype("float32")
    sides = [(rows, start(rows, 16, "full")) for rows in (single, double)]
    calls = [lambda rows=rows, s=s: per_iteration(Ours, rows, s, FEW, 3 * MANY) for rows, s in sides]
    for call in calls:
        call()
    turns = in_turn(calls[0], calls[1], rounds, 25.0)
    return timed(f"{spaced(count)} × 16, K = 16, full, float32", "ms an iteration", turns, "ours in float64", 1.7)


def _share(count: int, rounds: int) -> Row:
    """The rate of an EM iteration beside the machine's of a large product of matrices, in the same minute."""
    columns = components = 16
    rows, work = (
        blobs(count, columns, components),
        4 * count * components * (1 + columns + columns * (columns + 1) // 2),
    )
    settings = start(rows, components, "full")
    reached = lambda: work / per_iteration(Ours, rows, settings, FEW, MANY) / 1e6  # noqa: E731
    reached()
    mine, machine = in_turn(reached, _dgemm, rounds, 40.0)
    shares = tuple(a / b for a, b in zip(mine, machine, strict=True))
    what = f"{spaced(count)} × 16, K = 16, full: 4·N·K·(1 + D + D(D+1)/2) operations"
    met = bool(np.median(shares) >= SHARE)
    return Row(what, "GF/s", mine, machine, "DGEMM of 2048 × 2048", shares, f"share ≥ {SHARE:g}", met)


def _dgemm() -> float:
    square = np.random.default_rng(0).random((2048, 2048))
    return float(max(2 * 2048**3 / clock(lambda: square @ square)[0] / 1e9 for _ in range(3)))
