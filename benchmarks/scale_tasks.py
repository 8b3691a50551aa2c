"""What the scale benchmark does in processes of its own; see `benchmarks.fresh`."""

import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tacit
from benchmarks.fresh import peak
from benchmarks.scale_rows import COLUMNS, GROUPS
from tacit.cli import app
from tacit.inference.watch import watch


def _baseline() -> int:
    """The memory of a process that has tacit and JAX, and has fitted something small."""
    rows = np.random.default_rng(0).normal(size=(40_000, COLUMNS))
    tacit.GaussianMixture(GROUPS, random_state=0, max_iter=2).fit(rows)
    return peak()


class Clock:
    """Watches a fit: processor seconds at every iteration, of this process and of others."""

    def __init__(self, others: Callable[[], float] = lambda: 0.0) -> None:
        self._others, self.seen = others, dict[int, tuple[float, float]]()

    def look(self, progress: Any) -> None:
        """An iteration has ended."""
        self.seen.setdefault(progress.iteration, (time.process_time() + self._others(), time.perf_counter()))

    def done(self, progress: Any) -> None:
        """The fit has ended."""

    def resume(self, label: str, state: object) -> None:
        """Nothing is kept."""

    def each(self) -> tuple[float, float]:
        """Processor seconds and seconds of an iteration, the first left out."""
        known = sorted(self.seen)[1:]
        (spent, at), (end, until) = self.seen[known[0]], self.seen[known[-1]]
        return (end - spent) / (known[-1] - known[0]), (until - at) / (known[-1] - known[0])


def fit(folder: str, where: str, iterations: str, settings: str = "") -> dict[str, float]:
    """A mixture with full covariances fitted to rows in files, where they lie or from memory."""
    imported, clock = _baseline(), Clock()
    rows: Any = tacit.dataset(folder)
    number = len(rows)
    rows = np.asarray(rows) if where == "memory" else rows
    more = {"inference": settings} if settings else {}
    model = tacit.GaussianMixture(GROUPS, random_state=0, max_iter=int(iterations), tol=0.0, **more)
    began = time.process_time()
    with warnings.catch_warnings(), watch(clock):
        warnings.simplefilter("ignore")
        model.fit(rows)
    each = clock.each()
    found = {"imported": imported, "above": peak() - imported, "rows": number, "seconds": time.process_time() - began}
    return found | {"processor": each[0], "wall_each": each[1], "bound": float(model.lower_bound_)}


def engine(folder: str, workers: str, iterations: str) -> dict[str, float]:
    """The same on processes of this machine; 0 for this one alone."""
    _baseline()
    rows, number = tacit.dataset(folder), int(workers)
    with tacit.distributed.engine(number or "in-place") as chosen:
        clock = Clock(lambda: _spent(chosen) if number else 0.0)
        with warnings.catch_warnings(), watch(clock):
            warnings.simplefilter("ignore")
            model = tacit.GaussianMixture(GROUPS, random_state=0, max_iter=int(iterations), tol=0.0).fit(rows)
        trips = []
        for _ in range(20):
            began = time.perf_counter()
            chosen.map(_nothing, list(range(6)), (model.means_,))
            trips.append(time.perf_counter() - began)
    each = clock.each()
    return {"processor": each[0], "wall_each": each[1], "trip": float(np.median(trips)), "bound": model.lower_bound_}


def _nothing(part: int, shared: np.ndarray) -> int:
    return part


def _spent(chosen: Any) -> float:
    """Processor seconds of an engine's processes so far."""
    total, tick = 0.0, os.sysconf("SC_CLK_TCK")
    for process in list(chosen._executor._processes.values()) if chosen._executor else []:
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / tick
    return total


def command(*arguments: str) -> dict[str, float]:
    """A command of ``tacit`` in this process: its memory above the imports, and its seconds."""
    imported = _baseline()
    began, since = time.process_time(), time.perf_counter()
    app(list(arguments), standalone_mode=False)
    spent, wall = time.process_time() - began, time.perf_counter() - since
    return {"imported": imported, "above": peak() - imported, "processor": spent, "wall_each": wall}


TASKS: dict[str, Callable[..., dict[str, float]]] = {"fit": fit, "engine": engine, "command": command}
