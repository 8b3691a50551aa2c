"""Rows and their weights, wherever they lie: what every estimator that goes over rows takes them from."""

import abc
import copy
import functools
import itertools
import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TypeAlias, TypeVar

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from tacit import distributed, late
from tacit.data.row_sets import SLICE_ROWS as SLICE_ROWS
from tacit.data.row_sets import Places as Places
from tacit.data.row_sets import RowSet as RowSet
from tacit.data.schema import Schema
from tacit.data.sums import ColumnMoments as ColumnMoments
from tacit.data.sums import as_they_are, first_sums, ranges, scatter, squares
from tacit.data.sums import numbered as numbered
from tacit.data.sums import sampled_places as sampled_places
from tacit.data.sums import span_of as span_of
from tacit.data.sums import spans_of as spans_of

T = TypeVar("T")


class Dataset(RowSet):
    """N rows of D numbers with a weight each; NaN where an entry is missing.

    A kind of data set says its shape and type and gives some rows as an array; all else follows. Rows are asked for a
    slice at a time, in bounded memory, by their numbers from 0: so a data set is the same however it is stored.
    """

    schema: Schema | None = None
    """What the columns are and what their codes mean, where that is known."""
    _names: tuple[str, ...] | None = None
    _moments: ColumnMoments | None = None

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    @property
    @abc.abstractmethod
    def dtype(self) -> np.dtype:
        """Of the rows: float64 or float32."""

    @abc.abstractmethod
    def rows(self, places: Places = slice(None)) -> Float[np.ndarray, "rows columns"]:
        """Some rows (all, where none are named) as a dense array, which is not to be changed."""

    def __len__(self) -> int:
        return self.shape[0]

    def weighted(self, weights: Float[np.ndarray, " rows"] | None) -> Self:
        """The same rows with other weights; None for ones."""
        other = super().weighted(weights)
        other._moments = None
        return other

    @property
    def edges(self) -> Int[np.ndarray, " edges"] | None:
        """The first rows of the pieces that are read whole, and the number of rows; None where any row is at hand."""
        return None

    @property
    def portable(self) -> bool:
        """Whether the rows lie where other processes can read them too, so that these need not be sent there."""
        return False

    def between(self, first: int, last: int) -> "Dataset":
        """A range of the rows that can be sent to another process, with their weights and nothing else."""
        return DenseRows(self.rows(slice(first, last)), _between(self._weights, first, last)).described(self.schema)

    def partitions(self, number: int, grain: int) -> list["Dataset"]:
        """The rows in at most so many ranges, each of whole grains of rows but the last."""
        edges = ranges(len(self), number, grain)
        return [self.between(first, last) for first, last in itertools.pairwise(edges)]

    @property
    def names(self) -> tuple[str, ...] | None:
        """Of the columns, where they have some."""
        return self._names if self.schema is None else self.schema.names

    def described(self, schema: Schema | None) -> Self:
        """The same rows, of columns that are known."""
        other = copy.copy(self)
        other.schema = schema
        return other

    def column(self, place: int) -> Float[np.ndarray, " rows"]:
        """One column of all rows."""
        found = np.empty(len(self), self.dtype)
        for part, rows in self.slices():
            found[part] = rows[:, place]
        return found

    def take(self, places: Places) -> "Dataset":
        """Some of the rows with their weights: a view, for which no row is copied.

        Args:
            places: a slice, their numbers in the order wanted, or True for each that is wanted.
        """
        if isinstance(places, slice):
            places = numbered(len(self))[places]
        return TakenRows(self, np.flatnonzero(places) if places.dtype == bool else places)

    def sample(self, size: int, random: np.random.Generator) -> "Dataset":
        """Rows drawn without replacement, in order; all of them where there are no more."""
        return self if len(self) <= size else self.take(sampled_places(len(self), size, random))

    def total(self, function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
        """The sum over slices of a function of rows ``[rows, columns]`` in float64 and their weights ``[rows]``."""
        span = span_of(len(self), SLICE_ROWS)
        spans = itertools.chain.from_iterable(self.each(_span_totals, span * SLICE_ROWS, (function, span)))
        return functools.reduce(operator.add, spans)

    def each(self, function: Callable[..., T], grain: int, shared: tuple = ()) -> list[T]:
        """What a function gives of the partitions, in order: where there is an engine, else of all rows at once.

        Args:
            function: of a data set and ``shared``, which can be sent to another process.
            grain: a partition has a multiple of so many rows, but the last.
            shared: what it is given besides.
        """
        engine = distributed.current()
        if engine is None or not self.portable:
            return [function(self, *shared)]
        return engine.map(function, self.partitions(engine.partitions, grain), shared)

    def moments(self) -> ColumnMoments:
        """Weighted mean and variance of the columns; worked out once."""
        if self._moments is None:
            self._moments = self.moments_of(as_they_are)
        return self._moments

    @property
    def complete(self) -> bool:
        """Whether no entry is missing."""
        return self.moments().complete

    def moments_of(self, function: Callable[[np.ndarray], np.ndarray]) -> ColumnMoments:
        """Weighted mean and variance of a function of the rows, in two passes over slices."""

        seen, total, gaps = self.total(functools.partial(first_sums, function))
        mean = total / np.where(seen > 0, seen, 1.0)
        spread = self.total(functools.partial(squares, function, mean, bool(gaps.any())))
        return ColumnMoments(mean, spread / np.where(seen > 0, seen, 1.0), seen, not gaps.any())

    def ends(self) -> tuple[Float[np.ndarray, " columns"], Float[np.ndarray, " columns"]]:
        """The least and the largest entry of every column, in one pass; missing entries and weight 0 do not count."""
        low, high = np.full(self.shape[1], np.inf), np.full(self.shape[1], -np.inf)
        for part, rows in self.slices():
            counted = rows[self.weights[part] > 0].astype(np.float64, copy=False)
            low = np.fmin(low, np.fmin.reduce(counted, initial=np.inf))
            high = np.fmax(high, np.fmax.reduce(counted, initial=-np.inf))
        return low, high

    def covariance(self, columns: Int[np.ndarray, " chosen"] | None = None) -> Float[np.ndarray, "chosen chosen"]:
        """``Σ w (x − m)(x − m)ᵀ / (Σ w − 1)`` of some columns, a gap read as the mean: weight 2 is two copies."""
        index = np.arange(self.shape[1]) if columns is None else columns
        mean, total = self.moments().mean[index], self.total_weight

        return self.total(functools.partial(scatter, index, mean)) / max(total - 1.0, 0.5 * total)


def _span_totals(
    rows: Dataset, function: Callable[[np.ndarray, np.ndarray], np.ndarray], span: int
) -> list[np.ndarray]:
    """What a function of rows and weights sums to, span by span."""
    parts = (function(part.astype(np.float64, copy=False), rows.weights[at]) for at, part in rows.slices())
    return [functools.reduce(operator.add, some) for some in spans_of(parts, span)]


def _between(values: np.ndarray | None, first: int, last: int) -> np.ndarray | None:
    return None if values is None else values[first:last]


class RowRange(Dataset):
    """A range of the rows of another data set, read where they lie."""

    def __init__(self, whole: Dataset, first: int, last: int) -> None:
        self.schema, self._names = whole.schema, whole._names
        self._weights = _between(whole._weights, first, last)
        self._whole, self._first, self._last = whole.weighted(None), first, last

    @property
    def shape(self) -> tuple[int, int]:
        return self._last - self._first, self._whole.shape[1]

    @property
    def dtype(self) -> np.dtype:
        return self._whole.dtype

    @property
    def portable(self) -> bool:
        return self._whole.portable

    def between(self, first: int, last: int) -> Dataset:
        return self._whole.between(self._first + first, self._first + last).weighted(
            _between(self._weights, first, last)
        )

    def rows(self, places: Places = slice(None)) -> np.ndarray:
        if not isinstance(places, slice):
            return self._whole.rows(places + self._first)
        first, last, step = places.indices(len(self))
        return self._whole.rows(slice(self._first + first, self._first + last, step))


class DenseRows(Dataset):
    """The rows of an array, which may be mapped from a file: it is read a slice at a time.

    Args:
        array: ``[rows, columns]`` in float64 or float32.
        weights: of the rows.
    """

    def __init__(self, array: np.ndarray, weights: np.ndarray | None = None) -> None:
        if array.ndim != 2 or array.dtype.kind != "f":
            raise ValueError(f"rows are [rows, columns] of floats; got the shape {array.shape} of {array.dtype}")
        self._array = array
        self._weights = None if weights is None else np.asarray(weights, np.float64)

    @property
    def shape(self) -> tuple[int, int]:
        return self._array.shape[0], self._array.shape[1]

    @property
    def dtype(self) -> np.dtype:
        return self._array.dtype

    def rows(self, places: Places = slice(None)) -> np.ndarray:
        return np.asarray(self._array[places])


class SparseRows(Dataset):
    """The rows of a sparse matrix in rows (CSR); no entry is missing, unless it is stored as NaN."""

    def __init__(self, matrix: "sparse.csr_array") -> None:
        self.matrix = matrix

    @property
    def shape(self) -> tuple[int, int]:
        return self.matrix.shape[0], self.matrix.shape[1]

    @property
    def dtype(self) -> np.dtype:
        return self.matrix.dtype

    def rows(self, places: Places = slice(None)) -> np.ndarray:
        return self.matrix[places].toarray()


class JoinedRows(Dataset):
    """Rows with a target as their last column, put together slice by slice: neither is copied whole."""

    def __init__(self, features: Dataset, target: Float[np.ndarray, " rows"]) -> None:
        self._features, self._target, self._weights = features, target, features._weights

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._features), self._features.shape[1] + 1

    @property
    def dtype(self) -> np.dtype:
        return np.result_type(self._features.dtype, self._target.dtype)

    def rows(self, places: Places = slice(None)) -> np.ndarray:
        return np.column_stack([self._features.rows(places), self._target[places]])

    @property
    def edges(self) -> Int[np.ndarray, " edges"] | None:
        return self._features.edges

    @property
    def portable(self) -> bool:
        return self._features.portable

    def between(self, first: int, last: int) -> Dataset:
        part = JoinedRows(self._features.between(first, last), self._target[first:last])
        return part.weighted(_between(self._weights, first, last))


class MadeRows(Dataset):
    """What a function makes of the rows of another data set, some at a time as they are asked for.

    Args:
        whole: the other data set, whose weights these rows have.
        function: from ``[rows, columns]`` in float64 to ``[rows, width]``.
        width: the columns that it gives.
        names: theirs, or None.
    """

    def __init__(
        self,
        whole: Dataset,
        function: Callable[[np.ndarray], np.ndarray],
        width: int,
        names: tuple[str, ...] | None = None,
    ) -> None:
        self._whole, self._function, self._width = whole, function, width
        self._names, self._weights = names, whole._weights

    @property
    def shape(self) -> tuple[int, int]:
        return len(self._whole), self._width

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float64)

    def rows(self, places: Places = slice(None)) -> np.ndarray:
        return self._function(self._whole.rows(places).astype(np.float64, copy=False))

    @property
    def edges(self) -> Int[np.ndarray, " edges"] | None:
        return self._whole.edges

    @property
    def portable(self) -> bool:
        return self._whole.portable

    def between(self, first: int, last: int) -> Dataset:
        part = MadeRows(self._whole.between(first, last), self._function, self._width, self._names)
        return part.weighted(_between(self._weights, first, last))


class TakenRows(Dataset):
    """Some rows of another data set, in any order, read where they lie."""

    def __init__(self, whole: Dataset, places: Int[np.ndarray, " rows"]) -> None:
        self.schema, self._names = whole.schema, whole._names
        self._weights = None if whole._weights is None else whole._weights[places]
        self._whole: Dataset = whole
        self._places = places
        if isinstance(whole, TakenRows):
            self._whole, self._places = whole._whole, whole._places[places]

    @property
    def shape(self) -> tuple[int, int]:
        return self._places.size, self._whole.shape[1]

    @property
    def dtype(self) -> np.dtype:
        return self._whole.dtype

    def rows(self, places: Places = slice(None)) -> np.ndarray:
        return self._whole.rows(self._places[places])

    @property
    def edges(self) -> Int[np.ndarray, " edges"] | None:
        whole = self._whole.edges
        if whole is None or (np.diff(self._places) <= 0).any():
            return None
        return np.unique(np.searchsorted(self._places, whole))

    @property
    def portable(self) -> bool:
        return self._whole.portable

    def between(self, first: int, last: int) -> Dataset:
        places = self._places[first:last]
        low = int(places.min(initial=len(self._whole)))
        high = int(places.max(initial=low - 1)) + 1
        part = TakenRows(self._whole.between(low, high).weighted(None), places - low)
        return part.weighted(_between(self._weights, first, last))


if TYPE_CHECKING:
    Values: TypeAlias = Dataset | sparse.csr_array | np.ndarray
else:
    Values = Dataset | late.class_of("scipy.sparse", "csr_array") | np.ndarray
"""What models take: a data set, a sparse matrix, or an array (of images, with more axes)."""


def dataset_of(rows: "Dataset | np.ndarray | sparse.sparray | sparse.spmatrix") -> Dataset:
    """The rows of an array or a sparse matrix as a data set; one that is a data set already, as it is."""
    if isinstance(rows, Dataset):
        return rows
    return SparseRows(sparse.csr_array(rows)) if sparse.issparse(rows) else DenseRows(np.asarray(rows))


def some(values: Values, places: Int[np.ndarray, " chosen"]) -> Values:
    """Some of the rows of whatever holds them."""
    return values.take(places) if isinstance(values, Dataset) else values[places]
