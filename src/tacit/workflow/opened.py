"""A run and new rows for it: what every question to a run begins with. The model is loaded when it is first needed."""

import copy
import dataclasses
import functools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tacit import registry, workflow
from tacit.data.corpus import Corpus
from tacit.data.encode import Unseen, encode
from tacit.data.erring import parse_errors
from tacit.data.errors import DataError
from tacit.data.features import Target
from tacit.data.images import holds_images, in_pixels, read_images, sized
from tacit.data.long import CountTable
from tacit.data.network_endings import is_network_file
from tacit.data.read import TableReading, read
from tacit.data.reading import FOUND_OUT, ReadAs, ReadingOptions
from tacit.data.schema import Schema
from tacit.data.sequenced import SequenceColumns, parse_sequence
from tacit.data.table import load
from tacit.data.texts import Vocabulary
from tacit.data.write import unguarded
from tacit.estimators.capabilities import Codes, can
from tacit.storage.run import SCHEMA, RunFolder
from tacit.workflow import folders
from tacit.workflow.errors import RequestError
from tacit.workflow.events import SILENT, Observer
from tacit.workflow.sources import DataSource, Rows, check_log_options
from tacit.workflow.texts import NO_TEXT_OPTIONS, TextOptions


@dataclasses.dataclass(frozen=True)
class NewRows:
    """Where new rows for a run are.

    Attributes:
        path: a file, or ``-``.
        long: the columns of a purchase log, if they differ from those at fit.
        id_column: the column that names the rows.
        unseen: whether levels that the model has never met count as missing.
        text_options: what is said of texts.
        reading: what is said of how the table is written.
        absent: whether columns that are not there are unknown in every row, as in a table of cases to ask about.
    """

    path: str
    long: str | None = None
    id_column: str | None = None
    unseen: bool = False
    text_options: TextOptions = NO_TEXT_OPTIONS
    reading: ReadingOptions = FOUND_OUT
    absent: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Opened:
    """A finished run: its folder, the columns that its model was fitted on, and, once it is asked for, the model.

    Images have no columns, and documents have a vocabulary instead.
    """

    run: RunFolder
    schema: Schema | None
    vocabulary: Vocabulary | None = None
    target: Target | None = None

    @classmethod
    def at(cls, path: Path) -> "Opened":
        """Open a run, or a file of a network; raises `ModelFileError` saying what is wrong with it."""
        if path.is_file() and is_network_file(path):
            network = workflow.network_files.NetworkFile(path)
            return cls(network, network.schema())
        run = folders.open_run(path)
        known = registry.ESTIMATORS.get(run.config().model)
        if known is not None and known.reads == "documents":
            return cls(run, None, run.vocabulary())
        if (run.path / SCHEMA).is_file():
            return cls(run, run.schema(), target=run.target())
        found = cls(run, None)
        return found if found.images else cls(run, run.schema())  # which says that the file is not there

    @functools.cached_property
    def estimator(self) -> Any:
        """The fitted model."""
        return self.run.model()

    @functools.cached_property
    def _said(self) -> dict[str, Any]:
        """What the run keeps of the data that were fitted."""
        return folders.data_config(self.run)

    @property
    def model(self) -> str:
        """The model's name in the registry."""
        return self.run.config().model

    @functools.cached_property
    def images(self) -> tuple[int, ...]:
        """The shape of the images that were fitted; empty for a table or documents."""
        if self.schema is not None or self.vocabulary is not None:
            return ()
        shape = self.estimator.event_shape_ if can(self.estimator, Codes) else ()
        return shape if len(shape) > 1 else ()

    @property
    def pixels(self) -> str:
        """What the values of the images were at the fit, such as "levels"."""
        return str(self._said.get("pixels") or "numbers")

    @functools.cached_property
    def written(self) -> list[dict[str, Any]]:
        """How the columns were written at the fit, and between which ends; nothing where the run does not say."""
        found = self.run.metrics().get("written") or []
        return list(found) if self.schema is not None and len(found) == len(self.schema) else []

    @property
    def long(self) -> str | None:
        """The columns of the purchase log that was fitted, or None for a table."""
        return self._said.get("long")

    @property
    def errors(self) -> dict[str, str]:
        """Of columns, the column of their errors of measurement."""
        return parse_errors(self._said.get("errors") or ())

    @property
    def sequence(self) -> SequenceColumns | None:
        """The columns of sequence and time, or None."""
        said = self._said.get("sequence")
        return None if said is None else parse_sequence(said)

    def reading(self, asked: ReadingOptions) -> ReadingOptions:
        """How new data are read: as the user says, else as the table of the fit was."""
        data = self._said
        found = data.get("read_as")
        first = ReadingOptions.from_config(data.get("reading") or {})
        return first.for_new_data(asked, None if found is None else ReadAs.from_config(found))

    def read(self, new: NewRows, observer: Observer = SILENT, *, with_target: bool = False) -> Rows:
        """Read new rows as those of the fit were; what is noted on the way is told.

        Args:
            new: where they are.
            observer: who is told.
            with_target: whether the column that is predicted must be there too; rows where it is missing are left out.
        """
        check_log_options(new.reading, new.long or self.long)
        if self.vocabulary is not None:
            found = self._read_documents(new, self.vocabulary)
        elif self.target is not None:
            found = self._read_supervised(new, self.target, with_target=with_target)
        else:
            found = self._read_images(new) if self.schema is None else self._read_table(new)
        for note in found.table.notes:
            observer.note(f"Note: {note}.")
        return found

    def read_again(self, source: DataSource) -> Rows:
        """The documents that were fitted, in the words of the model, without those that hold none of them."""
        if self.vocabulary is None:
            raise TypeError("the run is of no documents")
        asked = NewRows(
            source.path, source.long, source.id_column, text_options=source.text_options, reading=source.reading
        )
        again = self._read_documents(asked, self.vocabulary)
        if not isinstance(again.table, Corpus):
            raise TypeError("documents are read as a corpus")
        return Rows.of(again.table.filled(), self.vocabulary)

    def _read_documents(self, new: NewRows, vocabulary: Vocabulary) -> Rows:
        if new.unseen:
            raise RequestError("documents have no levels: words that the model does not know are counted and said.")
        long = new.long or self.long
        if long is None:
            return Rows.of(
                workflow.corpora.reread_corpus(
                    new.path, vocabulary, new.text_options, new.id_column, self.reading(new.reading)
                ),
                vocabulary,
            )
        found = load(new.path, long=long, id_column=new.id_column, reading=self.reading(new.reading))
        if not isinstance(found, CountTable):
            raise TypeError("a log is read as counts")
        items = np.array(found.names, object)
        corpus = Corpus(found.counts, items, found.row_ids, found.source, found.notes)
        return Rows.of(corpus.under(vocabulary.words), vocabulary)

    def _read_images(self, new: NewRows) -> Rows:
        if new.long is not None or new.id_column is not None or new.unseen:
            raise RequestError("the run was fitted to images, which have no columns: leave out the options about them.")
        if new.path == "-":
            raise DataError("images are read from a file or a folder, not from standard input.")
        if not holds_images(new.path):
            raise DataError(f"{new.path} is a table, and the run was fitted to images of {sized(self.images)}.")
        found = read_images(new.path)
        if found.shape != self.images and math.prod(found.shape) == math.prod(self.images):
            found = dataclasses.replace(found, images=found.images.reshape(len(found), *self.images))
        if found.shape != self.images:
            raise DataError(
                f"{new.path} holds images of {sized(found.shape)}, and the run was fitted to {sized(self.images)}."
            )
        return Rows.of(in_pixels(found, self.pixels))

    def _read_table(self, new: NewRows) -> Rows:
        if holds_images(new.path):
            raise DataError(f"{new.path} holds images, and the run was fitted to a table.")
        absent = new.absent and (new.long or self.long) is None
        return self._tabular(self._with_absent(new) if absent else new.path, new)

    def _tabular(self, source: str | TableReading, new: NewRows) -> Rows:
        return Rows.of(
            load(
                source,
                schema=self.schema,
                long=new.long or self.long,
                id_column=new.id_column,
                unseen="missing" if new.unseen else "error",
                errors=self.errors,
                sequence=self.sequence,
                reading=self.reading(new.reading),
            )
        )

    def take(
        self, reading: TableReading, *, unseen: bool = False, with_target: bool = False, absent: bool = False
    ) -> Rows:
        """Rows of a table that is in memory already, as `read` gives those of a file.

        Args:
            reading: the table, and what it is called.
            unseen: whether levels that the model has never met count as missing.
            with_target: whether the column that is predicted must be there too.
            absent: whether columns that are not there are unknown in every row.
        """
        asked = NewRows(reading.source, unseen=unseen)
        if self.vocabulary is not None or self.schema is None:
            raise RequestError("the run was fitted to documents or images, and this is a table.")
        if self.target is not None:
            return self._some(self._supervised(reading, asked, self.target, with_target=with_target), asked)
        return self._tabular(self._filled_up(reading) if absent and self.long is None else reading, asked)

    def take_part(self, reading: TableReading, new: NewRows, first: int, *, with_target: bool = False) -> Rows:
        """Some neighbouring rows of a table that is read in parts; none, where the target of all of them is missing.

        Args:
            reading: these rows.
            new: what is said of the table.
            first: rows before them.
            with_target: see `read`; rows where it is missing are left out.
        """
        if self.target is not None:
            rows = self._supervised(reading, new, self.target, with_target=with_target)
        else:
            rows = self._tabular(reading, new)
        numbers = np.arange(first + 1, first + reading.table.num_rows + 1)
        return dataclasses.replace(rows, whole=dataclasses.replace(rows.whole, numbers=numbers))

    def apart(self) -> "Opened":
        """The same with a copy of the estimator, whose settings may be changed."""
        found = dataclasses.replace(self)
        vars(found)["estimator"] = copy.copy(self.estimator)
        return found

    def _with_absent(self, new: NewRows) -> TableReading:
        """The table with columns without values for those that it lacks; it must have one of the model's."""
        return self._filled_up(read(new.path, self.reading(new.reading)))

    def _filled_up(self, found: TableReading) -> TableReading:
        names = () if self.schema is None else self.schema.names
        lacking = [name for name in names if name not in found.table.column_names]
        if len(lacking) == len(names):
            return found  # whose names are told
        table = found.table
        for name in lacking:
            table = table.append_column(name, pa.nulls(table.num_rows))
        return dataclasses.replace(found, table=table)

    def _read_supervised(self, new: NewRows, target: Target, *, with_target: bool) -> Rows:
        """The columns that the model sees; the target, where it is there, is none of them."""
        reading = read(new.path, self.reading(new.reading))
        return self._some(self._supervised(reading, new, target, with_target=with_target), new)

    def _some(self, rows: Rows, new: NewRows) -> Rows:
        """Rows of a supervised model, of which there must be some."""
        if not len(rows) and self.target is not None:
            name = self.target.column.name
            raise DataError(f"{name!r} is missing in every row of {new.path}: there is nothing to score.")
        return rows

    def _supervised(self, reading: TableReading, new: NewRows, target: Target, *, with_target: bool) -> Rows:
        name = target.column.name
        reading = dataclasses.replace(reading, table=unguarded(reading.table, Schema((target.column,))))
        unseen: Unseen = "missing" if new.unseen else "error"
        there = name in reading.table.column_names
        if with_target and not there:
            raise DataError(f"{new.path} has no column {name!r}, which is what is scored; `tacit predict` predicts it.")
        columns = dataclasses.replace(reading, table=reading.table.drop_columns([name])) if there else reading
        rows = Rows.of(load(columns, schema=self.schema, id_column=new.id_column, unseen=unseen))
        rows = dataclasses.replace(rows, target=target)
        return self._known(rows, reading, target, unseen) if with_target else rows

    def _known(self, rows: Rows, reading: TableReading, target: Target, unseen: Unseen) -> Rows:
        """The rows whose target is known, with it."""
        values = encode(reading.table, Schema((target.column,)), unseen=unseen)[:, 0]
        known = np.flatnonzero(~np.isnan(values))
        return dataclasses.replace(rows, whole=dataclasses.replace(rows.whole, target=values)).pick(known)

    def feed(self, rows: Rows) -> Any:
        """Rows as the model takes them."""
        if self.target is not None:
            return workflow.supervised.features(self.estimator, dataclasses.replace(rows, target=self.target))
        return workflow.feeding.feed(self.estimator, rows.data, self.schema)


def labels(rows: Rows) -> dict[str, pa.Array]:
    """The columns that say which row is which: its number in the source, its name and its label where it has them."""
    found = {"row": pa.array(np.asarray(rows.numbers, np.int64))}
    if rows.ids is not None:
        found["id"] = pa.array(rows.ids.tolist())
    if rows.labels is not None:
        found["label"] = pa.array(rows.labels.tolist())
    return found
