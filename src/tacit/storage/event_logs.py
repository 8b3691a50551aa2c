"""Figures of a running fit, written for TensorBoard as they come; in a file of its own, for TensorBoard loads much.

The log is a watcher: ``with watch(TensorBoardLog("runs/1")): model.fit(X)``.
"""

import os
import time
from typing import Any

from tacit.inference.watch import Progress

try:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter
except ImportError:
    EventFileWriter = None


class TensorBoardLog:
    """The figures that `CsvLog` writes, as scalars of a TensorBoard log folder; the step is the iteration.

    Raises:
        ImportError: tensorboard is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Write to a folder of its own for this fit."""
        if EventFileWriter is None:
            raise ImportError("TensorBoardLog needs tensorboard: pip install tensorboard")
        self._folder = os.fspath(folder)
        self._writer: Any = None

    def look(self, progress: Progress) -> None:
        """Write the figures of an iteration that has ended."""
        if progress.snapshot is None or not progress.snapshot.trace:
            return
        self._writer = self._writer or EventFileWriter(self._folder)
        figures = {"bound": progress.bound_per_weight, **progress.figures}
        values = [Summary.Value(tag=name, simple_value=float(value)) for name, value in figures.items()]
        self._writer.add_event(Event(step=progress.iteration, wall_time=time.time(), summary=Summary(value=values)))

    def done(self, progress: Progress) -> None:
        """Write what is still in memory, and let go of the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def resume(self, label: str, state: object) -> None:
        """Nothing to go on from."""
