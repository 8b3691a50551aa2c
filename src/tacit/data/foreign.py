"""Columns of other libraries as columns that Arrow's functions take: intervals, periods, wide numbers."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tacit import late

if TYPE_CHECKING:
    MaskedArray = np.ma.MaskedArray
else:
    MaskedArray = late.class_of("numpy.ma", "MaskedArray")

_UNITS = {
    "Y": "Y",
    "A": "Y",
    "M": "M",
    "D": "D",
    "B": "D",
    "h": "h",
    "H": "h",
    "min": "m",
    "T": "m",
    "s": "s",
    "S": "s",
}
"""Frequencies of periods, and the units of their numbers."""
FAULTS = (pa.ArrowException, TypeError, ValueError, OverflowError, AttributeError)
"""What the libraries raise for a column that they cannot hand over."""


def plain(table: pa.Table) -> pa.Table:
    """The same table with every column of a type that the rest of tacit reads."""
    for place, field in enumerate(table.schema):
        column = table.column(place)
        made = _plain(column)
        if made is not column:
            table = table.set_column(place, field.name, made)
    return table


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _extension(column)
    if not pa.types.is_dictionary(kind):
        return column
    inner = kind.value_type
    if isinstance(inner, pa.BaseExtensionType) or pa.types.is_string_view(inner):
        return pa.chunked_array([_categories(chunk) for chunk in column.chunks] or [pa.array([], pa.large_string())])
    return column


def _categories(chunk: pa.DictionaryArray) -> pa.DictionaryArray:
    """Categories that are intervals, periods or views of texts, as texts in their own order."""
    if isinstance(chunk.dictionary.type, pa.BaseExtensionType):
        texts = _extension(pa.chunked_array([chunk.dictionary])).combine_chunks().cast(pa.large_string())
    else:
        texts = chunk.dictionary.cast(pa.large_string())
    return pa.DictionaryArray.from_arrays(chunk.indices, texts, ordered=chunk.type.ordered)


def _extension(column: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = column.type
    storage = pa.chunked_array([chunk.storage for chunk in column.chunks] or [pa.array([], kind.storage_type)])
    if pa.types.is_struct(storage.type) and {field.name for field in storage.type} == {"left", "right"}:
        return pa.chunked_array([_intervals(storage, str(getattr(kind, "closed", "right")))])
    frequency = getattr(kind, "freq", None)
    if frequency is not None and pa.types.is_integer(storage.type):
        return _periods(storage, str(frequency))
    return storage


def _intervals(storage: pa.ChunkedArray, closed: str) -> pa.DictionaryArray:
    """Intervals as categories ``(0.5, 1]``, in the order of their ends."""
    held = storage.to_pylist()
    ends = sorted({(each["left"], each["right"]) for each in held if each is not None})
    places = {pair: place for place, pair in enumerate(ends)}
    left, right = "[" if closed in ("left", "both") else "(", "]" if closed in ("right", "both") else ")"
    codes = [None if each is None else places[each["left"], each["right"]] for each in held]
    names = [f"{left}{low}, {high}{right}" for low, high in ends]
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), pa.array(names, pa.string()), ordered=True)


def _periods(storage: pa.ChunkedArray, frequency: str) -> pa.ChunkedArray:
    """Periods as the dates they begin at; of an uncommon frequency, as how many have gone by."""
    name = frequency.strip("<>").partition("-")[0]
    numbers = storage.to_numpy()
    if name in ("Q", "QE"):
        numbers, name = numbers * 3, "M"
    name = name.removesuffix("E") if name in ("ME", "YE") else name
    unit = _UNITS.get(name)
    if unit is None or storage.null_count:
        return storage
    return pa.chunked_array([pa.array(numbers.astype(np.int64).astype(f"datetime64[{unit}]").astype("datetime64[s]"))])


def column_of(frame: Any, name: Any) -> Any:
    """One column of a pandas or polars frame: handed over by Arrow, else as an array or a list of its values."""
    try:
        return _only(pa.table(frame[[name]]), str(name))
    except FAULTS:
        pass
    values = frame[name]
    try:
        return values.to_numpy()
    except Exception:  # each library has exceptions of its own
        return list(values)


def _only(table: pa.Table, name: str) -> pa.ChunkedArray:
    """The column of a table of one, beside which an index may stand."""
    return table.column(name if name in table.column_names else 0)


def native(column: np.ndarray) -> np.ndarray:
    """Numbers in the byte order and the width that Arrow knows."""
    if column.dtype.kind == "f" and column.dtype.itemsize > 8:
        return column.astype(np.float64)
    return np.ascontiguousarray(column, column.dtype.newbyteorder("="))
