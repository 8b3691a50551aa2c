"""Programs that hang where batched linear algebra waits for the threads that it runs on: do they all end?

    python -m benchmarks.waiting                all cases, each in a process of its own on two processors
    python -m benchmarks.waiting NAME COLUMNS   one case, in this process

With jaxlib 0.10.0 to 0.10.2 and 0.11.0 a batched LAPACK call on the CPU spreads its batch over the thread pool that
runs it, and waits for it there: as many such calls at once as there are threads wait for one another. Ordering the
calls of a program (``--xla_cpu_enable_concurrency_optimized_scheduler=false``) helps one program, and not two threads.
"""

import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import joblib
import numpy as np

import tacit
from tacit.models.mixture import rows

ROOT = Path(__file__).resolve().parent.parent
COLUMNS = (2, 9, 13, 21, 60)
SECONDS = 1800.0
"""A case that takes longer is taken to hang: the largest takes some minutes where much is compiled."""
STRUCTURES = ["EII", "VII", "EEI", "VEI", "EVI", "VVI", "EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV"]


def on_two_processors() -> None:
    """This process may use two processors: what hangs on few may pass on many."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def rows_of(columns: int, gaps: float = 0.0) -> np.ndarray:
    """129 rows in three groups, as many as the table on which this was first met has."""
    random = np.random.default_rng(0)
    table = random.normal(size=(129, columns)) @ random.normal(size=(columns, columns)) / np.sqrt(columns)
    table += 3.0 * random.integers(3, size=(129, 1))
    table[random.random(table.shape) < gaps] = np.nan
    return table


def _solver(columns: int) -> tuple[Callable[..., Any], list[Any]]:
    """Two batches of matrices, and what solves triangular systems with the factors of one."""
    random = np.random.default_rng(0)
    halves = (random.normal(size=(486, columns, 2 * columns)) for _ in range(2))
    matrices = [jnp.asarray(half @ half.transpose(0, 2, 1)) for half in halves]

    def solved(batch: Any) -> Any:
        factor = jnp.linalg.cholesky(batch)
        return jax.scipy.linalg.solve_triangular(
            factor, jnp.broadcast_to(jnp.eye(columns), batch.shape), lower=True
        ).sum()

    return solved, matrices


def one_program(columns: int) -> None:
    """Two solves in one program, without tacit."""
    with jax.enable_x64(True):
        solved, matrices = _solver(columns)
        both = jax.jit(lambda a, b: solved(a) + solved(b))
        for _ in range(60):
            both(*matrices).block_until_ready()


def two_threads(columns: int, threads: int = 2) -> None:
    """The same program in several threads at once, without tacit."""
    _together(threads, lambda: one_program(columns))


def undelayed(columns: int) -> None:
    """Programs that are begun before the ones before them have ended, without tacit."""
    with jax.enable_x64(True):
        solved, matrices = _solver(columns)
        one = jax.jit(solved)
        for _ in range(60):
            jax.block_until_ready([one(matrices[0]), one(matrices[1]), one(matrices[0]), one(matrices[1])])


def structures(columns: int, wanted: list[str] = STRUCTURES) -> None:
    """Structures × one to nine groups × starts, in the whitened form too."""
    estimator = tacit.GaussianMixture(max_iter=5, tol=1e-5, reg_covar=1e-8)
    tacit.select(rows_of(columns), range(1, 10), wanted, estimator=estimator, n_init=6, random_state=0)


def bayesian(columns: int) -> None:
    """A Bayesian mixture with full covariances, several starts."""
    tacit.BayesianGaussianMixture(n_components=9, n_init=6, max_iter=5, random_state=0).fit(rows_of(columns))


def gaps(columns: int) -> None:
    """Full covariances and a pattern of gaps in nearly every row."""
    model = tacit.GaussianMixture(4, n_init=6, max_iter=5, reg_covar=1e-3, random_state=0)
    model.fit(rows_of(columns, gaps=0.2)).score_samples(rows_of(columns, gaps=0.2))


def deep(columns: int) -> None:
    """A VAE whose posteriors have full covariances."""
    codes = min(columns, 13)
    tacit.VAE(codes, posterior="full", likelihood="normal-low-rank", max_epochs=4, random_state=0).fit(rows_of(columns))


def regressions(columns: int) -> None:
    """Bayesian regressions, and a full-rank guide."""
    table = rows_of(columns)
    target = table[:, 0] + np.random.default_rng(1).normal(size=len(table))
    tacit.BayesianLinearRegression().fit(table[:, 1:], target)
    tacit.BayesianLogisticRegression(max_iter=5).fit(table[:, 1:], target > np.median(target))


def fits_together(columns: int, threads: int = 2) -> None:
    """Fits in several threads of one process."""

    def work() -> None:
        model = tacit.GaussianMixture(4, n_init=6, max_iter=5, reg_covar=1e-3, random_state=0)
        model.fit(rows_of(columns, gaps=0.2))

    _together(threads, work)


def fits_of_joblib(columns: int) -> None:
    """Fits in the threads of joblib, as scikit-learn's searches run them."""
    model = tacit.GaussianMixture(4, n_init=6, max_iter=5, reg_covar=1e-3, random_state=0)
    tasks = (joblib.delayed(model.__class__(**model.get_params()).fit)(rows_of(columns)) for _ in range(4))
    joblib.Parallel(n_jobs=2, backend="threading")(tasks)


def _together(threads: int, work: Callable[[], None]) -> None:
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    running = [threading.Thread(target=guarded, daemon=True) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failures:
        raise failures[0]


CASES: dict[str, Callable[[int], None]] = {
    "one-program": one_program,
    "two-threads": two_threads,
    "four-threads": partial(two_threads, threads=4),
    "undelayed": undelayed,
    "structures": structures,
    "one-structure": partial(structures, wanted=["VVV"]),
    "bayesian": bayesian,
    "gaps": gaps,
    "deep": deep,
    "regressions": regressions,
    "two-fits": fits_together,
    "four-fits": partial(fits_together, threads=4),
    "joblib": fits_of_joblib,
}


def run(name: str, columns: int) -> None:
    """One case in this process, with the warnings of fits that are broken off early left out."""
    on_two_processors()
    rows.SMALL_WORK = 0  # else NumPy would compute what is to be compiled here
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        CASES[name](columns)


def ended(name: str, columns: int, seconds: float) -> tuple[float, str]:
    """Seconds that a case takes in a process of its own, and what was wrong: nothing if it came to its end."""
    began = time.monotonic()
    command = [sys.executable, "-m", "benchmarks.waiting", name, str(columns)]
    try:
        done = subprocess.run(command, cwd=ROOT, timeout=seconds, check=False, capture_output=True, text=True)
    except subprocess.TimeoutExpired:
        return time.monotonic() - began, "HANGS"
    return time.monotonic() - began, done.stderr.strip().splitlines()[-1] if done.returncode else ""


def main(arguments: list[str]) -> int:
    """0 if every case came to its end."""
    if arguments:
        run(arguments[0], int(arguments[1]))
        return 0
    failed = 0
    for name in CASES:
        for columns in COLUMNS:
            seconds, wrong = ended(name, columns, SECONDS)
            failed += bool(wrong)
            print(f"{name:<14} {columns:>3} columns {seconds:7.1f} s  {wrong}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
