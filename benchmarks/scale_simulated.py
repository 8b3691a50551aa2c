"""A cluster that is not there: an iteration over up to 10¹¹ rows in 1 000 partitions, simulated from measured costs."""

import heapq
import pickle
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.frame import Row
from benchmarks.fresh import fresh
from benchmarks.scale_rows import COLUMNS, write_rows
from tacit.data.sums import SPANS
from tacit.inference.closed_form import Sums, total_sums

TITLE = "A simulated cluster: an iteration of a Gaussian mixture, full covariances"
NOTE = (
    "Not a measurement of a cluster. Measured here, for K = 4 and 10 columns: the processor seconds of a row in "
    "Parquet files, the round trip of a task without work on processes of this machine, and what it takes to unpickle "
    "and add up the sums of 1 024 spans. Simulated: tasks go to whichever worker is free, a task takes its rows' time "
    "times a lognormal factor (deviation 0.15), and each worker is three times as slow through a whole iteration with "
    "a chance of 1 in 100 (a straggler); networks are taken for free. Seconds are the median of 40 iterations; the "
    "share is that of the workers' time which goes into rows."
)
ROWS = 500_000
GROUPS = 4
LARGE = (32, 100)
"""Groups and columns of a model whose sums are large."""
CLUSTERS = ((10**9, 16), (10**10, 256), (10**11, 256), (10**11, 1000))
"""Rows and workers."""
PARTITIONS = (1000, 3000, 10_000)
SPREAD, SLOW, SLOWER = 0.15, 0.01, 3.0


class Costs(NamedTuple):
    """In seconds."""

    row: float
    trip: float
    together: float


def run(quick: bool) -> Iterator[Row]:
    """The costs, and the simulation."""
    with tempfile.TemporaryDirectory() as place:
        write_rows(Path(place) / "rows", ROWS)
        alone, two = (fresh("scale", "engine", Path(place) / "rows", number, 6, seconds=300.0) for number in (0, 2))
    costs = Costs(alone["processor"] / ROWS, two["trip"] / 6, _together(GROUPS, COLUMNS))
    yield Row("a row", "processor ns", (1e9 * costs.row,))
    yield Row(f"the sums of {SPANS} spans put together", "s", (costs.together,))
    large = f"the same, K = {LARGE[0]} and {LARGE[1]} columns"
    yield Row(large, "s", (_together(*LARGE),))
    for rows, workers in CLUSTERS[: 1 if quick else None]:
        for partitions in PARTITIONS:
            found = float(np.median([iteration(rows, workers, partitions, costs, seed) for seed in range(40)]))
            share = rows * costs.row / (workers * found)
            yield Row(
                f"{rows:.0e} rows, {workers} workers, {partitions} partitions",
                "s an iteration",
                (found,),
                note=f"{100 * share:.0f} % of the workers' time goes into rows",
            )


def iteration(rows: float, workers: int, partitions: int, costs: Costs, seed: int) -> float:
    """Seconds of one iteration on the clock: the last task's end, and the sums put together."""
    draw = np.random.default_rng(seed)
    pace = np.where(draw.random(workers) < SLOW, SLOWER, 1.0)
    free = [(0.0, worker) for worker in range(workers)]
    end = 0.0
    for factor in draw.lognormal(0.0, SPREAD, partitions):
        began, worker = heapq.heappop(free)
        done = began + costs.trip + rows / partitions * costs.row * factor * pace[worker]
        heapq.heappush(free, (done, worker))
        end = max(end, done)
    return end + costs.together


def _together(groups: int, columns: int) -> float:
    """Seconds of unpickling and adding up the sums of all spans, as they come back from workers."""
    statistics = (np.ones(groups), np.ones((groups, columns)), np.ones((groups, columns, columns)))
    parts = [pickle.dumps([Sums(statistics, np.ones(()))])] * SPANS
    began = time.process_time()
    total_sums(each for part in parts for each in pickle.loads(part))
    return time.process_time() - began
