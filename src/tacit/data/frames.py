"""Tables that are already in memory: data frames, Arrow, NumPy, lists and dictionaries of columns.

pandas and polars are never imported: their frames hand themselves over through the Arrow PyCapsule interface
(``__arrow_c_stream__``).
"""

import collections
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.data.errors import DataError, listed, quoted
from tacit.data.foreign import FAULTS, MaskedArray, column_of, native, plain


def from_frame(X: Any) -> pa.Table:
    """Any table in memory as an Arrow table; columns without names are called column_1, column_2, …

    Args:
        X: a pandas or polars frame or series, an Arrow table or batch, a NumPy array (two-dimensional or
            structured, numbers or objects), a list of rows or of records, or a mapping from names to columns.

    Raises:
        DataError: not a table, not two-dimensional, a column that mixes what cannot be mixed, a name twice.
    """
    if isinstance(X, pa.RecordBatch):
        X = pa.Table.from_batches([X])
    if isinstance(X, pa.Table):
        return plain(_checked(X))
    if hasattr(X, "__arrow_c_stream__"):
        return _checked(_from_stream(X))
    if isinstance(X, Mapping):
        return _checked(_from_columns({str(name): column for name, column in X.items()}))
    if hasattr(X, "tocsr"):
        raise DataError(
            "a sparse matrix is not a table of columns; give its counts to a model of counts, or X.toarray()."
        )
    if isinstance(X, Sequence) and not isinstance(X, str | bytes) and len(X) and isinstance(X[0], Mapping):
        return _checked(_from_columns({str(name): [row.get(name) for row in X] for name in X[0]}))
    return from_array(_as_array(X))


def feature_names(X: Any) -> tuple[str, ...] | None:
    """The names of the columns of a table, or None where they have none (arrays, lists, unnamed frames).

    Follows scikit-learn: names count only when all of them are text.
    """
    if isinstance(X, pa.Table | pa.RecordBatch):
        return tuple(X.schema.names)
    names = list(X) if isinstance(X, Mapping) else getattr(X, "columns", None)
    if names is None:
        fields = getattr(getattr(X, "dtype", None), "names", None)
        return tuple(fields) if fields else None
    return tuple(names) if len(names) and all(isinstance(name, str) for name in names) else None


def from_array(array: np.ndarray, label: str = "the array", names: Sequence[str] | None = None) -> pa.Table:
    """A two-dimensional or structured NumPy array as a table.

    Raises:
        DataError: another number of dimensions, no rows, no columns, complex numbers or raw bytes.
    """
    if array.dtype.names:
        return _from_columns({name: array[name] for name in array.dtype.names})
    if array.ndim != 2:
        shape = "×".join(str(length) for length in array.shape) or "a single value"
        cure = "Give rows by columns"
        if array.ndim == 1:
            cure += ": array.reshape(-1, 1) for one column, array.reshape(1, -1) for one row"
        elif array.ndim > 2:
            cure += ": array.reshape(len(array), -1)"
        raise DataError(f"{label} has {array.ndim} dimensions ({shape}), expected 2. {cure}.")
    if array.shape[1] == 0:
        raise DataError(f"{label} has no columns.")
    heading = names or [f"column_{place + 1}" for place in range(array.shape[1])]
    return _from_columns({name: array[:, place] for place, name in enumerate(heading)})


def _as_array(X: Any) -> np.ndarray:
    if isinstance(X, MaskedArray) and X.dtype.names is None:
        return _unmasked(X)
    if isinstance(X, np.ndarray):
        return X
    if isinstance(X, str | bytes):
        raise DataError("text is not a table; to read a file, give its path to load().")
    try:
        array = np.asarray(X)
    except ValueError:
        array = None
    if array is None or (array.ndim == 2 and array.dtype.kind == "U"):
        array = _array_of_rows(X)
    if array.ndim == 0:
        raise DataError(f"a {type(X).__name__} is not a table; give a data frame, an array or a file.")
    return array


def _unmasked(array: MaskedArray) -> np.ndarray:
    """A masked array with nothing where it is masked."""
    bare = np.ma.getdata(array).astype(object)
    bare[np.ma.getmaskarray(array)] = None
    return bare


def _array_of_rows(rows: Sequence[Any]) -> np.ndarray:
    """Rows of mixed values as an array of objects, so that numbers stay numbers."""
    widths = [len(row) for row in rows]
    if len(set(widths)) > 1:
        odd = next(place for place, width in enumerate(widths) if width != widths[0])
        raise DataError(f"row {odd + 1} has {widths[odd]} cells where row 1 has {widths[0]}.")
    array = np.empty((len(rows), widths[0]), object)
    for place in range(widths[0]):
        array[:, place] = [row[place] for row in rows]
    return array


def _from_columns(columns: Mapping[str, Any]) -> pa.Table:
    arrays = {name: _to_arrow(name, column) for name, column in columns.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"columns differ in length: {', '.join(f'{n} has {l}' for n, l in lengths.items())}.")
    return pa.table(arrays)


def _to_arrow(name: str, column: Any) -> pa.Array:
    if isinstance(column, pa.ChunkedArray):
        return column.combine_chunks()
    if isinstance(column, MaskedArray):
        bare = np.ma.getdata(column)
        if bare.dtype.kind in "OSUM":
            held = bare.astype(object)
            held[np.ma.getmaskarray(column)] = None
            return _to_arrow(name, held)
        return pa.array(native(bare), mask=np.ma.getmaskarray(column))
    if isinstance(column, np.ndarray) and column.dtype.kind in "cV":
        raise DataError(f"{quoted(name)} holds {column.dtype} values; give numbers or text.")
    if isinstance(column, np.ndarray) and column.dtype.kind not in "OSM":
        return pa.array(native(column))
    try:
        return pa.array(column, from_pandas=True)
    except FAULTS:
        return _mixed(name, column)


def _mixed(name: str, column: Any) -> pa.Array:
    """A column that holds numbers beside text: everything as text, whole numbers without ``.0``."""
    cells = list(column)
    strange = next((n for n, c in enumerate(cells) if not isinstance(c, str | int | float | np.generic | None)), None)
    if strange is not None:
        found = type(cells[strange]).__name__
        raise DataError(
            f"{quoted(name)}, row {strange + 1}: {'an' if found[0] in 'aeiouAEIOU' else 'a'} {found} where a number or "
            "a text is expected. Turn the column into numbers or texts, or leave it out."
        )
    return pa.array([None if c is None or c != c else _plain(c) for c in cells], pa.string())


def _plain(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _from_stream(X: Any) -> pa.Table:
    if not hasattr(X, "columns"):
        return pa.table({str(getattr(X, "name", None) or "column_1"): pa.chunked_array(X)})
    check_names(X)
    try:
        table = pa.table(X)
    except FAULTS:
        return plain(_from_columns({str(name): column_of(X, name) for name in X.columns}))
    about = json.loads((table.schema.metadata or {}).get(b"pandas", b"{}"))
    index = [name for name in about.get("index_columns", []) if isinstance(name, str)]
    return plain(table.drop_columns([name for name in index if name in table.column_names]))


def check_names(X: Any) -> None:
    """Refuse a frame with two columns of one name."""
    names = [str(name) for name in X.columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"the frame has {listed(twice)} more than once; give every column its own name.")


def _checked(table: pa.Table) -> pa.Table:
    names = table.column_names
    if not names:
        raise DataError("the table has no columns.")
    twice = sorted(name for name, many in collections.Counter(names).items() if many > 1)
    if twice:
        raise DataError(f"the table has {listed(twice)} more than once. Rename or remove the others.")
    return table
