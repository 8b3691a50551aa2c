"""Processes of this machine as workers: what needs no cluster, and what tests use."""

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from joblib.externals.loky import process_executor

from tacit.compute import cores
from tacit.distributed.engines import EACH, TRIES, Answered, EngineError, checked, told, version, work

T = TypeVar("T")


class ProcessEngine:
    """So many processes of this machine; one that dies is replaced, and its tasks are done again.

    Args:
        workers: how many processes; None for one a core.
        partitions: into how many a data set is cut.
    """

    def __init__(self, workers: int | None = None, partitions: int | None = None) -> None:
        self.workers = checked(cores() if workers is None else workers)
        self.partitions = checked(EACH * self.workers if partitions is None else partitions)
        self._executor: Any = None

    def map(self, function: Callable[..., T], parts: Sequence[Any], shared: tuple = ()) -> list[T]:
        """See `Engine`."""
        found: dict[int, Answered] = {}
        for _ in range(TRIES):
            tasks = {
                place: self._started().submit(work, version(), function, part, shared)
                for place, part in enumerate(parts)
                if place not in found
            }
            try:
                for place, task in tasks.items():
                    found[place] = task.result()
            except process_executor.BrokenProcessPool:
                found |= {place: task.result() for place, task in tasks.items() if task.done() and not task.exception()}
                self.close()
                continue
            except BaseException:
                self.close()  # Ctrl-C, or an error in a task: nobody waits for the others
                raise
            return told([found[place] for place in range(len(parts))], "this machine")
        raise EngineError(
            f"a process that worked on a partition died {TRIES} times, perhaps for lack of memory: cut the data into "
            f"more than {self.partitions} partitions, or take fewer than {self.workers} processes."
        )

    def _started(self) -> Any:
        if self._executor is None:
            self._executor = process_executor.ProcessPoolExecutor(self.workers)
        return self._executor

    def close(self) -> None:
        """End the processes."""
        executor, self._executor = self._executor, None
        if executor is not None:
            with contextlib.suppress(OSError):
                executor.shutdown(wait=True, kill_workers=True)
