"""`dataset`: rows from wherever they lie, as every estimator takes them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tacit.data.conditions import condition_of
from tacit.data.dataset import Dataset, DenseRows
from tacit.data.errors import DataError
from tacit.data.file_columns import chosen_columns
from tacit.data.file_rows import opened
from tacit.data.gathering import gathered
from tacit.data.read import read
from tacit.data.schema import Schema
from tacit.data.table import Table, load

FORMS = (
    "a path, a pattern, a folder, a list of paths, an address such as 's3://bucket/folder', or what pyarrow holds: a "
    "Dataset, a ParquetFile, a Table or a RecordBatchReader"
)


def dataset(
    source: Any,
    *,
    columns: Sequence[str] | None = None,
    filter: Any = None,
    kinds: Mapping[str, str] | None = None,
    schema: Schema | None = None,
) -> Dataset:
    """Rows of numbers from files, for every estimator that takes a `tacit.data.Dataset`.

    Parquet files are never read whole: rows are read as they are asked for, those that follow meanwhile, and of them
    only the columns and row groups that count. What can be read only once (a `RecordBatchReader`), or is no Parquet
    but a data set of Arrow, is written to a temporary file first. Other tables (CSV, Arrow, …) are read into memory.

    Kinds of columns and their levels are settled once, over all files. A model of numbers is given numbers whose few
    different values look like levels as the numbers they are; texts are levels, for `tacit.Mixture`.

    Args:
        source: a path; a pattern such as ``"data/*.parquet"``; a folder, with ``year=2024`` in the names of folders
            below as columns; a list of paths; an address that pyarrow or fsspec knows (``s3://``, ``gs://``); a
            ``pyarrow.dataset.Dataset``, ``ParquetFile``, ``Table`` or ``RecordBatchReader``.
        columns: those that count, in this order; None for all that look like data (`FileRows.left_out` has the others).
        filter: which rows count, ``"amount > 0 and region in ('north', 'south')"``, or an expression of pyarrow's.
        kinds: kinds of some columns, over what is inferred.
        schema: the columns of a fitted model, in place of ``columns`` and ``kinds``.

    Raises:
        DataError: no such file, files that do not go together (which one, in which column), a condition that is not
            understood, or values that are no data; later, a file that is gone or has changed.
    """
    if isinstance(source, Dataset):
        raise DataError("that is a data set already: give it to a model as it is, or take some of its rows (take).")
    if isinstance(source, pa.RecordBatch):
        source = pa.table(source)
    files = None if isinstance(source, pa.Table) else gathered(source)
    if files is not None:
        return opened(files, columns=columns, filter=filter, kinds=kinds, schema=schema)
    if not isinstance(source, pa.Table | str | Path | list | tuple):
        raise DataError(f"a data set is made of {FORMS}; got {type(source).__name__}.")
    table = source if isinstance(source, pa.Table) else read(source).table
    if filter is not None:
        table = table.filter(condition_of(filter, table.schema).expression)
        if not len(table):
            raise DataError(f"no row is as the filter says ({filter}).")
    if columns is not None:
        table = table.select(chosen_columns(table.schema, columns))
    found = load(table, kinds, schema)
    assert isinstance(found, Table)  # no log of purchases was asked for
    return DenseRows(found.values).described(found.schema)
