"""A run and new rows for it: what every command that asks a run begins with."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.cli import folders, talk
from tacit.cli.feeding import feed
from tacit.cli.sources import Rows
from tacit.data.schema import Schema
from tacit.data.table import load
from tacit.storage.run import RunFolder


@dataclasses.dataclass(frozen=True)
class New:
    """New rows on the command line.

    Attributes:
        path: a file, or ``-``.
        long: the columns of a purchase log, if they differ from those at fit.
        id_column: the column that names the rows.
        unseen: whether levels that the model has never met count as missing.
    """

    path: str
    long: str | None = None
    id_column: str | None = None
    unseen: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Opened:
    """A finished run: its folder, its model, and the columns that the model was fitted on."""

    run: RunFolder
    estimator: Any
    schema: Schema

    @classmethod
    def at(cls, path: Path) -> "Opened":
        """Open a run; raises `ModelFileError` saying what is wrong with it."""
        run = folders.open_run(path)
        return cls(run, run.model(), run.schema())

    @property
    def long(self) -> str | None:
        """The columns of the purchase log that was fitted, or None for a table."""
        return folders.data_config(self.run).get("long")

    def read(self, new: New) -> Rows:
        """Read new rows as the model's columns say; what is noted on the way goes to standard error."""
        long = new.long or self.long
        found = Rows.of(
            load(
                new.path,
                schema=self.schema,
                long=long,
                id_column=new.id_column,
                unseen="missing" if new.unseen else "error",
            )
        )
        for note in found.table.notes:
            talk.remark(f"Note: {note}.")
        return found

    def feed(self, rows: Rows) -> Any:
        """Rows as the model takes them."""
        return feed(self.estimator, rows.values, self.schema)


def labels(rows: Rows) -> dict[str, pa.Array]:
    """The columns that say which row is which: its number in the table, and its name where it has one."""
    found = {"row": pa.array(np.asarray(rows.numbers, np.int64))}
    if rows.ids is not None:
        found["id"] = pa.array(rows.ids.tolist())
    return found
