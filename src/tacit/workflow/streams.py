"""New rows that stay in their Parquet files: which are read in parts, and what a run answers of one part after another.

A part is so many neighbouring rows of all files, wherever the files and their row groups end; parts are answered side
by side and given in order. So neither the layout of the files nor the number of processors changes an answer.
"""

import contextlib
import dataclasses
import re
import time
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

import pyarrow as pa

from tacit.compute import ahead, compilation_cache
from tacit.data.cells import cells_of
from tacit.data.dates import base_of
from tacit.data.errors import DataError, counted, listed
from tacit.data.file_columns import heading
from tacit.data.gathering import DataFile, gathered, may_be_parquet
from tacit.data.kinds import judge
from tacit.data.places import files_of, is_address
from tacit.data.read import TableReading
from tacit.data.schema import Schema
from tacit.data.sources import STREAM_BYTES
from tacit.data.table_batches import TableBatch, TableBatches
from tacit.workflow.answers import Ending, PartsAnswer
from tacit.workflow.events import Observer
from tacit.workflow.opened import NewRows, Opened
from tacit.workflow.sources import Rows

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, eq=False)
class Stream:
    """New rows in files for a run.

    Attributes:
        opened: the run.
        new: what is said of the rows; ``id_column`` is the column that names them.
        batches: the tables.
    """

    opened: Opened
    new: NewRows
    batches: TableBatches

    def rows(self, batch: TableBatch, *, with_target: bool = False) -> Rows:
        """Of a batch, as `Opened.read` gives those of a table."""
        with rows_numbered(batch):
            return self.opened.take_part(self.reading(batch), self.new, batch.first, with_target=with_target)

    def reading(self, batch: TableBatch) -> TableReading:
        """A batch as a table that was read."""
        return TableReading(batch.table, self.batches.source)

    def each(self, function: Callable[[TableBatch], T]) -> Iterator[T]:
        """What a function gives of every batch, in order; some are at work at once."""
        with compilation_cache():
            yield from ahead(function, self.batches)


@contextlib.contextmanager
def rows_numbered(batch: TableBatch) -> Iterator[None]:
    """Let what is wrong with a row of a batch be told with its number among all rows."""
    try:
        yield
    except DataError as error:
        said = re.sub(r", row (\d+)", lambda found: f", row {int(found[1]) + batch.first}", str(error), count=1)
        raise DataError(said) from None


def in_files(
    opened: Opened, new: NewRows, observer: Observer, *, with_target: bool = False, every: bool = False
) -> Stream | None:
    """The rows in their Parquet files, where these are too many to be read whole or lie in a bucket; else None.

    Rows that hang together (sequences, purchase logs), have errors of measurement beside them or are to be made of
    texts (dates and numbers that are written as texts) are read whole.

    Args:
        opened: the run.
        new: where the rows are.
        observer: is told of columns that are not looked at.
        with_target: whether the column that is predicted is read too.
        every: whether columns that the model does not know are read too.
    """
    schema = opened.schema
    together = new.long or opened.long or opened.sequence or opened.errors or new.absent
    if schema is None or together or new.path == "-" or not may_be_parquet(new.path):
        return None
    files = gathered(new.path)
    if files is None or not _many(files, new.path):
        return None
    whole = TableBatches(files, None, opened.reading(new.reading))
    if _hangs_on_texts(whole.schema, schema):
        return None
    names = [name if name in whole.schema.names else base_of(name) or name for name in schema.names]
    target = [] if opened.target is None else [opened.target.column.name]
    known = dict.fromkeys([*names, *(target if with_target else [])])
    extra = [name for name in whole.schema.names if name not in known and name not in target]
    said = new if new.id_column is not None else dataclasses.replace(new, id_column=_naming(whole, extra))
    ignored = [name for name in extra if name != said.id_column]
    observer.note(f"Note: {counted(whole.num_rows, 'row')} in {counted(len(files), 'file')} are read as needed.")
    if every or any(name not in whole.schema.names for name in [*known, said.id_column or names[0]]):
        return Stream(opened, said, whole)  # what is lacking is said with the first rows
    if ignored:
        observer.note(f"Note: {counted(len(ignored), 'column')} the model does not know ignored: {listed(ignored)}.")
    wanted = dict.fromkeys([*known, *([] if said.id_column is None else [said.id_column])])
    return Stream(opened, said, TableBatches(files, list(wanted), opened.reading(new.reading)))


def _many(files: list[DataFile], path: str) -> bool:
    """Whether files are not to be read whole."""
    usual = (not is_address(path) and files_of(path) is not None) or len(files) == 1
    if not usual or is_address(path):
        return True
    ends = [end for _, end in map(heading, files)]
    return 8 * sum(end.num_rows * end.num_columns for end in ends) > STREAM_BYTES


def _hangs_on_texts(found: pa.Schema, schema: Schema) -> bool:
    """Whether numbers or dates are to be read out of texts, which all of them together say how to read."""
    for column in schema.columns:
        if column.name in found.names:
            texts = column.levels is None and not _plain(found.field(column.name).type)
        else:
            base = base_of(column.name)
            texts = base is not None and base in found.names and not pa.types.is_temporal(found.field(base).type)
        if texts:
            return True
    return False


def _plain(kind: pa.DataType) -> bool:
    number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return number or pa.types.is_boolean(kind) or pa.types.is_null(kind) or pa.types.is_duration(kind)


def _naming(whole: TableBatches, extra: list[str]) -> str | None:
    """The first column beside the model's that looks in the first rows as if it named them."""
    if not extra:
        return None
    first = next(iter(whole)).table
    for name in extra:
        column = first.column(name)
        plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        if judge(cells_of(name, column)).role == "identifier" and len(plain.unique()) == len(column):
            return name
    return None


def row_by_row(
    stream: Stream, answered: Callable[[TableBatch], T], part: Callable[[T], pa.Table], what: str = "row"
) -> PartsAnswer:
    """What is answered of every row by itself.

    Args:
        stream: the rows.
        answered: what is answered of a batch.
        part: of that, the table.
        what: a row of it in words.
    """

    def parts() -> Generator[pa.Table, None, Ending]:
        began = time.perf_counter()
        for found in stream.each(answered):
            yield part(found)
        return Ending(None, (pace(stream.batches.num_rows, time.perf_counter() - began),))

    return PartsAnswer(parts(), what, number=stream.batches.num_rows)


def pace(rows: int, seconds: float) -> str:
    """How quickly rows were answered for, in a sentence."""
    return f"{counted(rows, 'row')} in {seconds:.1f} s: {rows / max(seconds, 1e-9):,.0f} a second."
