"""Choosing the number of groups of iris, K = 1 … 9 with ten starts each, against a loop over scikit-learn."""

import itertools
import warnings
from collections.abc import Iterator

import numpy as np

from benchmarks import selection_ours, selection_theirs
from benchmarks.frame import Row, clock, in_turn, timed
from benchmarks.fresh import empty_cache, fresh

TITLE = "Selection: iris, K = 1 … 9, full covariances, ten starts each"
NOTE = (
    "Equal tol, max_iter and reg_covar=1e-6. Of our ten starts three are hierarchical and seven k-means; of "
    "scikit-learn's ten all are k-means. From five groups on it may keep a fit with a covariance on that floor, where "
    "ours keeps the best one above it: its log-likelihood is then the larger. Every round has a seed of its own, the "
    "same on both sides. Cold: a new process and an empty cache of compiled programs; scikit-learn gets a new process "
    "too."
)
SETTINGS = (("tol=1e-3, max_iter=100", 1e-3, 100), ("tol=1e-5, max_iter=500", 1e-5, 500))


def run(quick: bool) -> Iterator[Row]:
    """Warm at two settings, then cold."""
    most, rounds = (3, 2) if quick else (9, 7)
    for label, tol, max_iter in SETTINGS:
        yield from _warm(label, most, tol, max_iter, rounds)
    yield from _cold(most, 1 if quick else 3)


def _warm(label: str, most: int, tol: float, max_iter: int, rounds: int) -> Iterator[Row]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {}
        seeds = {"ours": itertools.count(1), "theirs": itertools.count(1)}

        def call(side: str, choose) -> float:
            spent, found[side] = clock(lambda: choose(next(seeds[side]), most, tol, max_iter))
            return spent

        selection_ours.choose(0, most, tol, max_iter)
        turns = in_turn(
            lambda: call("ours", selection_ours.choose), lambda: call("theirs", selection_theirs.choose), rounds, 25.0
        )
    yield timed(f"compiled; {label}", "s", turns, "scikit-learn", 10.0)
    table = found["ours"].table.to_pylist()
    mine = {row["n_components"]: row for row in table}
    gains = [mine[number]["log_likelihood"] - theirs for number, theirs, _ in found["theirs"]]
    chosen = found["ours"].best.n_components, max(found["theirs"], key=lambda row: row[2])[0]
    yield Row(
        f"its last round: number of groups with the best BIC; {label}",
        "",
        (chosen[0],),
        (chosen[1],),
        "scikit-learn",
        note="log-likelihood ours − scikit-learn's, K = 1 …: " + ", ".join(f"{gain:+.2f}" for gain in gains),
    )


def _cold(most: int, rounds: int) -> Iterator[Row]:
    """Whole seconds of a first use: with nothing compiled, and with the programs of an earlier process."""
    runs: dict[str, list[dict[str, float]]] = {"ours": [], "theirs": [], "kept": []}
    for seed in range(rounds):
        with empty_cache() as folder:
            runs["ours"].append(fresh("work", "benchmarks.selection_ours", "choose", seed, most, cache=folder))
            runs["theirs"].append(fresh("work", "benchmarks.selection_theirs", "choose", seed, most))
            runs["kept"].append(fresh("work", "benchmarks.selection_ours", "choose", seed, most, cache=folder))

    def column(side: str, name: str) -> tuple[float, ...]:
        return tuple(run[name] for run in runs[side])

    wall = column("ours", "wall"), column("theirs", "wall")
    imports = [float(np.median(column(side, "import"))) for side in ("ours", "theirs")]
    note = f"of which imports: ours {imports[0]:.2f} s, scikit-learn {imports[1]:.2f} s"
    yield timed("cold: the whole process", "s", wall, "scikit-learn", None, note)
    turns = column("ours", "work"), column("theirs", "work")
    yield timed("cold: without the imports", "s", turns, "scikit-learn", 1.0)
    turns = column("kept", "work"), column("theirs", "work")
    yield timed("new process, programs kept on disk: without the imports", "s", turns, "scikit-learn")
