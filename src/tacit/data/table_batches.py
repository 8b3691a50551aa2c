"""Parquet files as tables of equally many neighbouring rows, one after the other, whatever pieces the files have."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from tacit.data.errors import DataError
from tacit.data.file_columns import PieceReader, common_schema, cut
from tacit.data.gathering import DataFile, named
from tacit.data.read import check_heading, named_signs_out
from tacit.data.reading import FOUND_OUT, ReadingOptions

BATCH_ROWS = 65_536
"""Rows of a batch."""


class TableBatch(NamedTuple):
    """Some neighbouring rows, all columns of them."""

    number: int
    """Of the batch, from 0."""
    first: int
    """Rows before it."""
    table: pa.Table


class TableBatches:
    """The rows of Parquet files, so many at a time; how they are laid in files and row groups changes nothing.

    Args:
        files: as `tacit.data.gathering.gathered` finds them.
        columns: those that are read; None for all.
        options: which cells count as missing.
        size: rows of a batch, `BATCH_ROWS` where None; the last may have fewer.

    Attributes:
        schema: Arrow's types of the columns.
        source: what the files are called together.

    Raises:
        DataError: files that do not go together (which one, in which column); while they are gone through, one that
            is damaged, gone or no longer what it was.
    """

    def __init__(
        self,
        files: Sequence[DataFile],
        columns: Sequence[str] | None = None,
        options: ReadingOptions = FOUND_OUT,
        size: int | None = None,
    ) -> None:
        self.source, self._files, self._options = named(files), tuple(files), options
        self._size = BATCH_ROWS if size is None else size
        self.schema, ends = common_schema(files, columns)
        self._pieces = cut(files, ends, self.schema, None)
        self._ends = ends
        self.num_rows = sum(piece.left for piece in self._pieces)
        check_heading(self.schema.names, self.num_rows, self.source)

    def __iter__(self) -> Iterator[TableBatch]:
        held: list[pa.Table] = []
        number = 0
        for part in self._read():
            held.append(part)
            while sum(map(len, held)) >= self._size:
                whole = pa.concat_tables(held)
                held = [whole.slice(self._size)] if len(whole) > self._size else []
                yield TableBatch(number, number * self._size, whole.slice(0, self._size))
                number += 1
        if held:
            yield TableBatch(number, number * self._size, pa.concat_tables(held))

    def _read(self) -> Iterator[pa.Table]:
        reader = PieceReader(self._files, self.schema, self.schema.names)
        try:
            for piece in self._pieces:
                table = reader.table(piece)
                try:
                    table.validate(full=True)
                except pa.ArrowInvalid as error:
                    label = self._files[piece.file].label
                    raise DataError(f"{label} is not a readable Parquet file: it is damaged ({error}).") from None
                yield named_signs_out(table, self._options)
        finally:
            reader.close()

    def may_have_gaps(self, name: str) -> bool:
        """Whether what the files say of a column leaves room for missing values."""
        for end in self._ends:
            places = [place for place in range(end.num_columns) if end.schema.column(place).path == name]
            for group in range(end.num_row_groups):
                for place in places:
                    said = end.row_group(group).column(place).statistics
                    if said is None or not said.has_null_count or said.null_count:
                        return True
        return pa.types.is_floating(self.schema.field(name).type)
