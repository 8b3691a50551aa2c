"""The tables of several files as one table."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from tacit.data.errors import DataError, listed


def together(tables: Sequence[pa.Table], labels: Sequence[str]) -> pa.Table:
    """Tables with the same columns, in any order, as one; the columns stand as in the first.

    Raises:
        DataError: a file with other columns than the first, which is named.
    """
    names = tables[0].column_names
    for table, label in zip(tables[1:], labels[1:], strict=True):
        check_alike(names, table.column_names, labels[0], label)
    columns = [pa.chunked_array(_alike([table.column(name) for table in tables])) for name in names]
    return pa.table(columns, names)


def check_alike(names: Sequence[str], others: Sequence[str], first: str, label: str) -> None:
    """Refuse a file (`label`) with other columns than the first."""
    lacks, more = [name for name in names if name not in others], [name for name in others if name not in names]
    if lacks or more:
        said = [f"it lacks {listed(lacks)}"] if lacks else []
        said += [f"it also has {listed(more)}"] if more else []
        raise DataError(
            f"{label} has other columns than {first}: {' and '.join(said)}. Files are one table where their columns "
            "have the same names; leave it out, or rename the columns."
        )


def _alike(columns: Sequence[pa.ChunkedArray]) -> list[pa.Array]:
    """Columns cast to the type that holds all of them: text where one is text."""
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column for column in columns
    ]
    kinds = {column.type for column in columns if not pa.types.is_null(column.type)}
    kind = kinds.pop() if len(kinds) == 1 else _common(kinds) if kinds else pa.null()
    return [chunk for column in columns for chunk in _cast(column, kind).chunks]


def _common(kinds: set[pa.DataType]) -> pa.DataType:
    empty = [pa.table({"a": pa.array([], kind)}) for kind in kinds]
    try:
        return pa.concat_tables(empty, promote_options="permissive").schema.field("a").type
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.string()


def _cast(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if column.type == kind:
        return column
    if pa.types.is_string(kind) and pa.types.is_floating(column.type):
        whole = pc.equal(pc.round(column), column)
        short = pc.if_else(whole, column.cast(pa.int64(), safe=False).cast(kind), column.cast(kind))
        return short if isinstance(short, pa.ChunkedArray) else pa.chunked_array([short])
    return column.cast(kind)
