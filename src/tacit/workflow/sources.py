"""Where rows come from, and the rows themselves as everything here handles them."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy import sparse

from tacit import distributed, workflow
from tacit.data.corpus import Corpus
from tacit.data.dataset import Dataset, DenseRows, Values, some
from tacit.data.erring import ErringRows, parse_errors
from tacit.data.errors import counted
from tacit.data.features import Target
from tacit.data.file_columns import heading
from tacit.data.file_rows import opened
from tacit.data.gathering import gathered, may_be_parquet, named
from tacit.data.images import ImageSet, holds_images, read_images
from tacit.data.long import CountTable
from tacit.data.places import check, files_of, is_address
from tacit.data.reading import FOUND_OUT, ReadingOptions
from tacit.data.schema import Schema
from tacit.data.sequenced import SequencedRows, parse_sequence
from tacit.data.sources import STREAM_BYTES
from tacit.data.table import Table, load
from tacit.data.texts import Vocabulary
from tacit.workflow.errors import RequestError
from tacit.workflow.texts import NO_TEXT_OPTIONS, TextOptions

SHOWN_ROWS = 50_000
"""Rows by which the columns of rows that stay in their files are described."""


@dataclasses.dataclass(frozen=True)
class DataSource:
    """A table, images or documents to fit: where they are and what the user says of the columns.

    Attributes:
        path: a file, a folder, a pattern such as ``sales-*.csv``, several of them one a line; or ``-``.
        kinds: texts such as ``zip=categorical``.
        long: the columns of a purchase log, or None.
        id_column: the column that names the rows, or None.
        text_options: what the user says of texts.
        target: the column to be predicted, or None.
        reading: what the user says of how the table is written.
        errors: texts such as ``height=height_err``.
        sequence: the columns of sequence and time, such as ``patient,day``; or None.
    """

    path: str
    kinds: tuple[str, ...] = ()
    long: str | None = None
    id_column: str | None = None
    text_options: TextOptions = NO_TEXT_OPTIONS
    target: str | None = None
    reading: ReadingOptions = FOUND_OUT
    errors: tuple[str, ...] = ()
    sequence: str | None = None

    def check_place(self) -> None:
        """Raise `DataError` where there is nothing at all."""
        check(self.path)

    def load(self, *, corpus: bool = False) -> "Rows":
        """Read what is there; kinds of columns are inferred where the user says nothing.

        Args:
            corpus: whether to read documents.
        """
        check_log_options(self.reading, self.long)
        errors = parse_errors(self.errors)
        if errors and (corpus or self.target is not None or holds_images(self.path)):
            raise RequestError("--error goes with a table of numbers and no --target: it is of mixtures of Gaussians.")
        sequence = None if self.sequence is None else parse_sequence(self.sequence)
        if sequence and (corpus or self.target or errors or self.long or holds_images(self.path)):
            raise RequestError("--sequence is about the rows of a table: it does not go with the other options given.")
        if corpus:
            return self._documents()
        if holds_images(self.path):
            if self.kinds or self.long is not None or self.id_column is not None:
                raise RequestError(
                    f"{self.path} holds images, which have no columns: leave out --kind, --long and --id."
                )
            return Rows.of(read_images(self.path))
        kinds = _kinds(self.kinds)
        streamed = self._in_files(kinds)
        if streamed is not None:
            return streamed
        if distributed.current() is not None:
            raise RequestError(
                "--engine gives out sums over rows that stay in Parquet files, and these are read whole: they are in "
                "another format, or an option asks for more than plain columns (--id, --long, --target, --sequence, "
                "--error, or how the table is written). Leave --engine out."
            )
        return Rows.of(
            load(
                self.path,
                kinds,
                long=self.long,
                id_column=self.id_column,
                errors=errors,
                sequence=sequence,
                reading=self.reading,
            )
        )

    def _in_files(self, kinds: Mapping[str, str]) -> "Rows | None":
        """Rows that stay in their Parquet files, where these are too many to be read whole, or read elsewhere."""
        plain = not (self.long or self.id_column or self.errors or self.sequence or self.target)
        if not plain or self.reading != FOUND_OUT or not may_be_parquet(self.path):
            return None
        files = gathered(self.path)
        if files is None:
            return None
        ends = [end for _, end in map(heading, files)]
        cells = sum(end.num_rows * end.num_columns for end in ends)
        usual = (not is_address(self.path) and files_of(self.path) is not None) or len(files) == 1
        if usual and distributed.current() is None and 8 * cells <= STREAM_BYTES:
            return None
        data = opened(files, kinds=kinds)
        places = np.unique(np.linspace(0, len(data) - 1, min(len(data), SHOWN_ROWS)).astype(np.int64))
        notes = (f"{counted(len(data), 'row')} in {counted(len(files), 'file')} are read as they are needed",)
        told = Table(data.rows(places), data.schema, data.left_out, named(files), None, notes, number=len(data))
        return Rows(WholeSource(data), data.schema, told)

    def _documents(self) -> "Rows":
        if self.kinds:
            raise RequestError("documents have no kinds of columns: leave out --kind.")
        if self.long is None:
            return Rows.of(*workflow.corpora.read_corpus(self.path, self.text_options, self.id_column, self.reading))
        if self.text_options.given:
            raise RequestError("a purchase log has items for words: leave out the options about texts.")
        found = load(self.path, long=self.long, id_column=self.id_column, reading=self.reading)
        if not isinstance(found, CountTable):
            raise TypeError("a log is read as counts")
        return Rows.of(*workflow.corpora.of_log(found))

    def to_config(self) -> dict[str, Any]:
        """What a run keeps of it, so that the table can be read the same way again."""
        places = [
            each if each == "-" or is_address(each) else str(Path(each).expanduser().absolute())
            for each in self.path.splitlines()
        ]
        place = "\n".join(places)
        found: dict[str, Any] = {"source": place, "kinds": list(self.kinds), "long": self.long, "id": self.id_column}
        found |= {} if self.target is None else {"target": self.target}
        found |= {"words": self.text_options.to_config()} if self.text_options.given else {}
        found |= {"errors": list(self.errors)} if self.errors else {}
        found |= {"sequence": self.sequence} if self.sequence else {}
        said = self.reading.to_config()
        return found | ({"reading": said} if said else {})

    @classmethod
    def from_config(cls, data: Mapping[str, Any]) -> Self:
        """The same again from a run's config."""
        place, kinds = str(data.get("source", "-")), tuple(data.get("kinds") or ())
        options = TextOptions.from_config(data.get("words") or {})
        reading = ReadingOptions.from_config(data.get("reading") or {})
        errors = tuple(data.get("errors") or ())
        return cls(
            place,
            kinds,
            data.get("long"),
            data.get("id"),
            options,
            data.get("target"),
            reading,
            errors,
            data.get("sequence"),
        )


@dataclasses.dataclass(frozen=True, eq=False)
class WholeSource:
    """All rows of a source, whatever stands beside each.

    Attributes:
        values: of a table a data set, NaN where missing, codes of levels; sparse for counts; of images the array as it
            was read.
        numbers: ``[rows]``, the number of each row in the source; None where they are 1, 2, 3, …
        ids: ``[rows]``, what a person calls each row, or None.
        labels: ``[rows]``, what each image shows, or None.
        target: ``[rows]``, values or codes of the column to be predicted, or None.
    """

    values: Values
    numbers: np.ndarray | None = None
    ids: np.ndarray | None = None
    labels: np.ndarray | None = None
    target: np.ndarray | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """A table, counts, images or documents: rows that can be picked, with their names.

    Rows that were picked are places in the whole; what lies there is copied when it is first asked for.

    Attributes:
        whole: all rows of the source.
        schema: the columns; None for images and documents.
        table: what was read, with its source, notes and left-out columns.
        vocabulary: the words of documents, or None.
        target: the column to be predicted, which is none of ``schema``'s, and what is made of the others; or None.
        places: ``[rows]``, which rows of the whole these are; None for all.
    """

    whole: WholeSource
    schema: Schema | None
    table: Table | CountTable | ImageSet | Corpus
    vocabulary: Vocabulary | None = None
    target: Target | None = None
    places: np.ndarray | None = None

    @classmethod
    def of(cls, table: Table | CountTable | ImageSet | Corpus, vocabulary: Vocabulary | None = None) -> Self:
        """All rows of a table, all images, or all documents with their vocabulary."""
        if isinstance(table, Corpus):
            return cls(WholeSource(table.counts, table.places, table.ids), None, table, vocabulary)
        if isinstance(table, ImageSet):
            return cls(WholeSource(table.images, None, table.names, table.labels), None, table)
        values: Values = DenseRows(table.values) if isinstance(table, Table) else table.counts
        if isinstance(table, Table) and table.variances is not None:
            values = ErringRows(DenseRows(table.values), table.variances)
        if isinstance(table, Table) and table.sequences is not None:
            values = SequencedRows(DenseRows(table.values), *table.sequences)
        return cls(WholeSource(values, None, table.row_ids), table.schema, table)

    def __len__(self) -> int:
        return self.whole.values.shape[0] if self.places is None else int(self.places.size)

    def pick(self, places: np.ndarray) -> "Rows":
        """Some of the rows, in the order given."""
        return dataclasses.replace(self, places=places if self.places is None else self.places[places])

    @functools.cached_property
    def values(self) -> "np.ndarray | sparse.csr_array":
        """Of these rows, all of them in an array; a copy where they were picked."""
        return self.data.rows() if isinstance(self.data, Dataset) else self.data

    @functools.cached_property
    def data(self) -> Values:
        """The rows for a model: those of a table where they lie, sparse counts and images as they are."""
        return self.whole.values if self.places is None else some(self.whole.values, self.places)

    @property
    def numbers(self) -> np.ndarray:
        """``[rows]``, the number of each row in the source."""
        known = self._beside(self.whole.numbers)
        if known is not None:
            return known
        return np.arange(1, len(self) + 1) if self.places is None else self.places.astype(np.int64) + 1

    @property
    def ids(self) -> np.ndarray | None:
        """``[rows]``, what a person calls each row, or None."""
        return self._beside(self.whole.ids)

    @property
    def labels(self) -> np.ndarray | None:
        """``[rows]``, what each image shows, or None."""
        return self._beside(self.whole.labels)

    @property
    def target_values(self) -> np.ndarray | None:
        """``[rows]``, values or codes of the column to be predicted, or None."""
        return self._beside(self.whole.target)

    def _beside(self, values: np.ndarray | None) -> np.ndarray | None:
        return values if values is None or self.places is None else values[self.places]

    @property
    def what(self) -> str:
        """What one of them is called: a row, an image or a document."""
        return {ImageSet: "image", Corpus: "document"}.get(type(self.table), "row")

    @property
    def columns(self) -> int:
        """How many numbers a row has: columns, or the pixels of all channels."""
        return math.prod(self.whole.values.shape[1:])

    def as_table(self, columns: np.ndarray) -> Table:
        """Some columns of these rows as a dense `Table`, named by their identifiers or their numbers in the whole."""
        if self.schema is None:
            raise TypeError("images have no columns")
        part = self.values[:, columns]
        dense = part if isinstance(part, np.ndarray) else part.toarray()
        schema = Schema(tuple(self.schema.columns[place] for place in columns))
        left_out = self.table.left_out if isinstance(self.table, Table) else ()
        names = self.numbers if self.ids is None else self.ids
        return Table(np.asarray(dense, np.float64), schema, left_out, self.table.source, names, self.table.notes)


def check_log_options(reading: ReadingOptions, long: str | None) -> None:
    """Refuse what is said of a purchase log where there is none, and of dates where the log has them."""
    if reading.returns is not None and long is None:
        raise RequestError("--returns is about a purchase log: name its columns, --long customer,item,quantity.")
    if reading.dates is not None and long is not None:
        raise RequestError(
            "--dates is about the columns of a table. Of a purchase log the date is named: --long "
            "customer,item,quantity,date gives how lately and how often each customer bought."
        )


def _kinds(texts: tuple[str, ...]) -> dict[str, str]:
    """``column=kind``, cut at the last ``=``, for a column's name may hold one; at ``=ordinal:`` before an order."""
    kinds = {}
    for text in texts:
        name, sign, kind = text.partition("=ordinal:")
        name, sign, kind = (name, sign, f"ordinal:{kind}") if sign else text.rpartition("=")
        if not sign or not name or not kind:
            raise RequestError(f"--kind {text!r} is not understood; write it as column=kind, such as zip=categorical.")
        kinds[name] = kind.strip()
    return kinds
