"""A run and new rows for it: what every command that asks a run begins with."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.cli import folders, talk
from tacit.cli.corpora import UNSAID, Words, reads_corpora, reread_corpus
from tacit.cli.failures import UsageFault
from tacit.cli.feeding import feed
from tacit.cli.sources import Rows, Source
from tacit.cli.targets import features
from tacit.data.corpus import Corpus
from tacit.data.errors import DataError
from tacit.data.features import Target
from tacit.data.images import holds_images, in_pixels, read_images, sized
from tacit.data.long import CountTable
from tacit.data.schema import Schema
from tacit.data.table import load
from tacit.data.texts import Vocabulary
from tacit.storage.run import RunFolder


@dataclasses.dataclass(frozen=True)
class New:
    """New rows on the command line.

    Attributes:
        path: a file, or ``-``.
        long: the columns of a purchase log, if they differ from those at fit.
        id_column: the column that names the rows.
        unseen: whether levels that the model has never met count as missing.
        words: what is said of texts.
    """

    path: str
    long: str | None = None
    id_column: str | None = None
    unseen: bool = False
    words: Words = UNSAID


@dataclasses.dataclass(frozen=True, eq=False)
class Opened:
    """A finished run: its folder, its model, and the columns that the model was fitted on.

    Images have no columns, and documents have a vocabulary instead.
    """

    run: RunFolder
    estimator: Any
    schema: Schema | None
    vocabulary: Vocabulary | None = None
    target: Target | None = None

    @classmethod
    def at(cls, path: Path) -> "Opened":
        """Open a run; raises `ModelFileError` saying what is wrong with it."""
        run = folders.open_run(path)
        estimator = run.model()
        if reads_corpora(estimator):
            return cls(run, estimator, None, run.vocabulary())
        return cls(run, estimator, None if _image_shape(estimator) else run.schema(), target=run.target())

    @property
    def images(self) -> tuple[int, ...]:
        """The shape of the images that were fitted; empty for a table."""
        return _image_shape(self.estimator)

    @property
    def pixels(self) -> str:
        """What the values of the images were at the fit, such as "levels"."""
        return str(folders.data_config(self.run).get("pixels") or "numbers")

    @property
    def long(self) -> str | None:
        """The columns of the purchase log that was fitted, or None for a table."""
        return folders.data_config(self.run).get("long")

    def read(self, new: New) -> Rows:
        """Read new rows as those of the fit were; what is noted on the way goes to standard error."""
        if self.vocabulary is not None:
            found = self._read_documents(new, self.vocabulary)
        else:
            found = self._read_images(new) if self.images else self._read_table(new)
        for note in found.table.notes:
            talk.remark(f"Note: {note}.")
        return found

    def read_again(self, source: Source) -> Rows:
        """The documents that were fitted, in the words of the model, without those that hold none of them."""
        if self.vocabulary is None:
            raise TypeError("the run is of no documents")
        asked = New(source.path, source.long, source.id_column, words=source.words)
        again = self._read_documents(asked, self.vocabulary)
        if not isinstance(again.table, Corpus):
            raise TypeError("documents are read as a corpus")
        return Rows.of(again.table.filled(), self.vocabulary)

    def _read_documents(self, new: New, vocabulary: Vocabulary) -> Rows:
        if new.unseen:
            raise UsageFault("documents have no levels: words that the model does not know are counted and said.")
        long = new.long or self.long
        if long is None:
            return Rows.of(reread_corpus(new.path, vocabulary, new.words, new.id_column), vocabulary)
        found = load(new.path, long=long, id_column=new.id_column)
        if not isinstance(found, CountTable):
            raise TypeError("a log is read as counts")
        items = np.array(found.names, object)
        corpus = Corpus(found.counts, items, found.row_ids, found.source, found.notes)
        return Rows.of(corpus.under(vocabulary.words), vocabulary)

    def _read_images(self, new: New) -> Rows:
        if new.long is not None or new.id_column is not None or new.unseen:
            raise UsageFault("the run was fitted to images, which have no columns: leave out the options about them.")
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

    def _read_table(self, new: New) -> Rows:
        if holds_images(new.path):
            raise DataError(f"{new.path} holds images, and the run was fitted to a table.")
        long = new.long or self.long
        return Rows.of(
            load(
                new.path,
                schema=self.schema,
                long=long,
                id_column=new.id_column,
                unseen="missing" if new.unseen else "error",
            )
        )

    def feed(self, rows: Rows) -> Any:
        """Rows as the model takes them."""
        if self.target is not None:
            return features(self.estimator, dataclasses.replace(rows, aim=self.target))
        return feed(self.estimator, rows.values, self.schema)


def _image_shape(estimator: Any) -> tuple[int, ...]:
    shape = tuple(getattr(estimator, "event_shape_", ()))
    return shape if len(shape) > 1 else ()


def labels(rows: Rows) -> dict[str, pa.Array]:
    """The columns that say which row is which: its number in the source, its name and its label where it has them."""
    found = {"row": pa.array(np.asarray(rows.numbers, np.int64))}
    if rows.ids is not None:
        found["id"] = pa.array(rows.ids.tolist())
    if rows.labels is not None:
        found["label"] = pa.array(rows.labels.tolist())
    return found
