"""Parquet files, one or several, as columns of a table, which is never held whole beside its numbers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float

from tacit.data.cells import cells_of
from tacit.data.encode import Unseen, check_present, encode, encode_column
from tacit.data.errors import DataError, listed
from tacit.data.finished_columns import without_named_signs
from tacit.data.places import locate
from tacit.data.read import check_heading, readable
from tacit.data.reading import FOUND_OUT, ReadingOptions
from tacit.data.schema import Schema

BATCH_ROWS = 65_536
"""Rows of a column that are decoded together."""
BUFFER_BYTES = 1 << 20
"""Of a column that are read from a file together."""


class Group(NamedTuple):
    """A row group of a file, and the rows before it in all files."""

    file: int
    number: int
    start: int


class ParquetColumns:
    """The columns of Parquet files whose rows follow one another, read as they are asked for (`ColumnsOneByOne`).

    Args:
        paths: files with the same columns.
        options: which cells count as missing.

    Raises:
        DataError: a file that is not there, is damaged or has other columns than the first, or no rows.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        options: ReadingOptions = FOUND_OUT,
    ) -> None:
        self._options = options
        if not paths:
            raise DataError("there is no Parquet file to read.")
        self.source = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        self._labels = [str(locate(path)[0] or path) for path in paths]
        self._files = [_opened(label) for label in self._labels]
        self.column_names: list[str] = list(self._files[0].schema_arrow.names)
        self.groups: list[Group] = []
        self.num_rows = 0
        for place, file in enumerate(self._files):
            self._check_alike(place)
            for number in range(file.metadata.num_row_groups):
                self.groups.append(Group(place, number, self.num_rows))
                self.num_rows += file.metadata.row_group(number).num_rows
        check_heading(self.column_names, self.num_rows, self.source)

    def _check_alike(self, place: int) -> None:
        names = self._files[place].schema_arrow.names
        odd = set(names) ^ set(self.column_names)
        if odd:
            first, label = self._labels[0], self._labels[place]
            raise DataError(f"{label} has other columns than {first}: only one of them has {listed(sorted(odd))}.")

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of all files."""
        pa.default_memory_pool().release_unused()  # what was read before is not to be kept
        parts = []
        for place, file in enumerate(self._files):
            numbers = [group.number for group in self.groups if group.file == place]
            with readable(self._labels[place], "parquet"):
                parts.append(file.read_row_groups(numbers, columns=[name]).select([name]))
                parts[-1].validate(full=True)
        return without_named_signs(pa.concat_tables(parts, promote_options="permissive").column(name), self._options)

    def encoded(self, schema: Schema, unseen: Unseen = "error") -> Float[np.ndarray, "rows columns"]:
        """What `encode` gives; beside it no more is held than some rows of a column."""
        check_present(self, schema)
        values = np.empty((self.num_rows, len(schema)))
        for place in range(len(self.groups)):
            self.fill(values[self.rows_of(place)], place, schema, unseen)
        return values

    def rows_of(self, place: int) -> slice:
        """Where the rows of a row group stand among all."""
        ends = [*(group.start for group in self.groups), self.num_rows]
        return slice(ends[place], ends[place + 1])

    def fill(self, values: np.ndarray, place: int, schema: Schema, unseen: Unseen = "error") -> None:
        """Encode a row group, by its place among all, into ``values[rows, columns]``."""
        for index, column in enumerate(schema.columns):
            first = 0
            for part in self._batches(self.groups[place], column.name):
                try:
                    found = encode_column(cells_of(column.name, part), column, unseen)
                except DataError:
                    encode(self, Schema((column,)), unseen=unseen)  # which names the row among all
                    raise
                values[first : first + len(part), index] = found
                first += len(part)

    def _batches(self, group: Group, name: str) -> Iterator[pa.ChunkedArray]:
        """One column of a row group, some rows at a time."""
        with readable(self._labels[group.file], "parquet"):
            for batch in self._files[group.file].iter_batches(BATCH_ROWS, [group.number], [name]):
                batch.validate(full=True)
                yield without_named_signs(pa.chunked_array([batch.column(name)]), self._options)


def _opened(label: str) -> pq.ParquetFile:
    with readable(label, "parquet"):
        return pq.ParquetFile(label, buffer_size=BUFFER_BYTES, pre_buffer=False)
