"""Parquet files, one or several, as columns of a table and as rows of a data set; neither is ever held whole."""

import bisect
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Float

from tacit.data.cells import cells_of
from tacit.data.dataset import Dataset, Places
from tacit.data.encode import Unseen, check_present, encode, encode_column
from tacit.data.errors import DataError, listed
from tacit.data.finished_columns import without_named_signs
from tacit.data.kinds import infer
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
        row_groups: which row groups of every file count; None for all.
        options: which cells count as missing.

    Raises:
        DataError: a file that is not there, is damaged or has other columns than the first, or no rows.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        row_groups: Sequence[int] | None = None,
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
            for number in range(file.metadata.num_row_groups) if row_groups is None else row_groups:
                if not 0 <= number < file.metadata.num_row_groups:
                    count = file.metadata.num_row_groups
                    raise DataError(f"{self._labels[place]} has no row group {number}; it has {count}, from 0 on.")
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


class ParquetRows(Dataset):
    """The rows of one or several Parquet files, or of some of their row groups, read a row group at a time.

    The last row group that was read is kept. Rows by number are found in whatever file they are; a range of rows is
    ``rows.take(slice(first, last))``.

    Args:
        paths: a file, or files with the same columns.
        schema: the columns that count, and how they become numbers; None finds it out from all rows.
        row_groups: which row groups of every file count; None for all.

    Raises:
        DataError: what is wrong with a file, or with a value: column and row are named.
    """

    def __init__(
        self,
        paths: str | Path | Sequence[str | Path],
        schema: Schema | None = None,
        *,
        row_groups: Sequence[int] | None = None,
    ) -> None:
        self._columns = ParquetColumns([paths] if isinstance(paths, str | Path) else paths, row_groups)
        self._known = infer(self._columns)[0] if schema is None else schema
        check_present(self._columns, self._known)
        self.schema = self._known
        self._starts = [group.start for group in self._columns.groups]
        self._lock = threading.Lock()
        self._held: tuple[int, np.ndarray] = (-1, np.empty((0, len(self._known))))

    @property
    def shape(self) -> tuple[int, int]:
        return self._columns.num_rows, len(self._known)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float64)

    def rows(self, places: Places = slice(None)) -> Float[np.ndarray, "rows columns"]:
        if isinstance(places, slice):
            first, last, step = places.indices(len(self))
            if step == 1:
                return self._between(first, last)
            places = np.arange(first, last, step)
        found = np.empty((places.size, len(self._known)))
        which = np.searchsorted(self._starts, places, side="right") - 1
        for group in np.unique(which):
            here = which == group
            found[here] = self._group(int(group))[places[here] - self._starts[group]]
        return found

    def _between(self, first: int, last: int) -> np.ndarray:
        parts = []
        while first < last:
            group = bisect.bisect_right(self._starts, first) - 1
            part = self._group(group)[first - self._starts[group] : last - self._starts[group]]
            parts.append(part)
            first += len(part)
        if not parts:
            return np.empty((0, len(self._known)))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _group(self, place: int) -> np.ndarray:
        with self._lock:
            if self._held[0] != place:
                rows = self._columns.rows_of(place)
                values = np.empty((rows.stop - rows.start, len(self._known)))
                self._columns.fill(values, place, self._known)
                self._held = place, values
            return self._held[1]
