"""Figures of a running fit, written to a CSV file as they come.

The log is a watcher: ``with watch(CsvLog("fit.csv")): model.fit(X)``.
"""

import csv
import io
import os
from pathlib import Path
from typing import Any

from tacit.files import naming, write_atomically
from tacit.inference.watch import Progress


class CsvLog:
    """A line for every iteration or round: iteration, seconds, bound (nats a row), and the figures of the fit.

    They are those of the fit at work, whose real columns are centred and scaled: a trace in the user's units differs by
    the sum of the logarithms of the scales.
    A fit that goes on from a checkpoint goes on with its file: lines from its iteration on are replaced.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Write to a file; its folder is made if need be."""
        self.path = Path(path)
        self._last: int | None = None
        self._names: list[str] = []

    def look(self, progress: Progress) -> None:
        """Write a line, if there is a new iteration to tell of."""
        if progress.snapshot is None or not progress.snapshot.trace or progress.iteration == self._last:
            return
        line = {"iteration": progress.iteration, "seconds": f"{progress.seconds:.3f}"}
        line |= {"bound": repr(float(progress.bound_per_weight))}
        line |= {name: repr(float(value)) for name, value in progress.figures.items()}
        if self._last is None or progress.iteration < self._last or list(line) != self._names:
            self._begin(line, progress)
        self._last = progress.iteration
        with naming(self.path), self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, line).writerow(line)

    def _begin(self, line: dict[str, Any], progress: Progress) -> None:
        """The header, and what the file told of earlier iterations, where the same fit is taken up again."""
        kept, self._names = [], list(line)
        if progress.begun and self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as file:
                rows = csv.DictReader(file)
                if rows.fieldnames == self._names:
                    before = lambda row: row["iteration"].isdecimal() and int(row["iteration"]) < progress.iteration  # noqa: E731
                    kept = [row for row in rows if before(row)]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, line)
        writer.writeheader()
        writer.writerows(kept)
        if kept:
            write_atomically(self.path, text.getvalue())
        else:
            self.path.write_text(text.getvalue(), encoding="utf-8", newline="")

    def done(self, progress: Progress) -> None:
        """The last line, where it is not there yet."""
        self.look(progress)

    def resume(self, label: str, state: object) -> None:
        """Nothing to go on from."""
