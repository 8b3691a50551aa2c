"""Rows that lie in Parquet files, on disk or in a bucket, read some at a time, a piece ahead; `dataset` opens them."""

import bisect
import dataclasses
import functools
import itertools
import os
import threading
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from tacit.data.cells import cells_of
from tacit.data.conditions import Condition, condition_of
from tacit.data.dataset import Dataset, Places, RowRange
from tacit.data.encode import encode_column, measured
from tacit.data.errors import DataError
from tacit.data.file_columns import FilePiece, PieceReader, chosen_columns, common_schema, cut, heading, in_file
from tacit.data.gathering import DataFile, named
from tacit.data.kinds import LeftOut, infer
from tacit.data.schema import LEVELLED, Column, Schema

HELD_BYTES = 128_000_000
"""Of pieces that are kept, by all data sets of a process together, so that small data are decoded once."""
LOOKED_AT = 262_144
"""Rows that are looked at for the kinds of columns of numbers, where there are more."""


class _Held:
    """Pieces that were read, as many as fit; they are not driven out by those of the same data set."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pieces: dict[tuple[str, int], np.ndarray] = {}
        self._bytes = 0

    def get(self, owner: str, number: int) -> np.ndarray | None:
        """A piece that is kept."""
        return self._pieces.get((owner, number))

    def put(self, owner: str, number: int, rows: np.ndarray) -> None:
        """Keep a piece, if there is room for it, or others are there that nobody reads now."""
        with self._lock:
            if (owner, number) in self._pieces or rows.nbytes > HELD_BYTES:
                return
            strangers = [key for key in self._pieces if key[0] != owner]
            while self._bytes + rows.nbytes > HELD_BYTES and strangers:
                self._bytes -= self._pieces.pop(strangers.pop(0)).nbytes
            if self._bytes + rows.nbytes <= HELD_BYTES:
                self._pieces[owner, number] = rows
                self._bytes += rows.nbytes


_HELD = _Held()


@functools.cache
def _ahead(process: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, "tacit-reading")


class FileRows(Dataset):
    """The rows of Parquet files one after another, in bounded memory, wherever these lie.

    `tacit.dataset` makes one. Where rows are asked for in order, those that follow are read meanwhile.

    Attributes:
        files: where the rows lie.
        schema: what the columns are and what their codes mean.
        left_out: columns that are no data for a model, with the reasons.
    """

    schema: Schema

    def __init__(
        self,
        files: Sequence[DataFile],
        pieces: Sequence[FilePiece],
        arrow: pa.Schema,
        schema: Schema,
        left_out: Sequence[LeftOut] = (),
    ) -> None:
        self.files, self.schema, self.left_out = tuple(files), schema, tuple(left_out)
        self._pieces, self._arrow, self._known, self._token = tuple(pieces), arrow, schema, uuid.uuid4().hex
        self._begin()

    def _begin(self) -> None:
        ends = np.cumsum([0, *(piece.left for piece in self._pieces)])
        self._starts: list[int] = ends[:-1].tolist()
        self._rows = int(ends[-1])
        self._reading, self._next = threading.RLock(), threading.Lock()
        self._reader = PieceReader(self.files, self._arrow, self._known.names)
        self._last: tuple[int, np.ndarray] = (-1, np.empty((0, len(self._known))))
        self._coming: tuple[int, Future[np.ndarray]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        own = ("_reading", "_next", "_reader", "_last", "_coming", "_starts", "_rows")
        return {name: value for name, value in vars(self).items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._begin()

    def __repr__(self) -> str:
        return f"<{len(self):,} rows × {len(self._known)} columns of {named(self.files)}>"

    def read_as(self, schema: Schema) -> "FileRows":
        """The same rows, of columns that are something else; they have the same names."""
        return FileRows(self.files, self._pieces, self._arrow, schema, self.left_out)

    def of_kinds(self, kinds: Mapping[str, str]) -> "FileRows":
        """The same rows with some columns of the kinds asked for, settled once more over all files."""
        table = FileColumns(self.files, self._pieces, self._arrow)
        again, _ = table.settled([name for name in self._known.names if name in kinds], kinds, asked=True)
        new = {column.name: column for column in again.columns}
        schema = Schema(tuple(new.get(column.name, column) for column in self.schema.columns))
        return self.read_as(schema).weighted(self.given_weights)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """All rows in memory, for what takes arrays only; texts are no numbers."""
        texts = [c.name for c in self._known.columns if any(isinstance(each, str) for each in c.levels or ())]
        if texts:
            raise ValueError(f"column {texts[0]!r} holds texts, and numbers are wanted: leave it out (columns=).")
        return as_values(self._known, self.rows()).astype(np.float64 if dtype is None else dtype, copy=bool(copy))

    @property
    def shape(self) -> tuple[int, int]:
        return self._rows, len(self._known)

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float64)

    @property
    def edges(self) -> np.ndarray:
        return np.unique([*self._starts, self._rows])

    @property
    def portable(self) -> bool:
        return all(file.handle is None for file in self.files)

    def between(self, first: int, last: int) -> Dataset:
        begin = max(0, bisect.bisect_right(self._starts, first) - 1)
        end = max(begin + 1, bisect.bisect_left(self._starts, last))
        other = FileRows.__new__(FileRows)
        pieces = self._pieces[begin:end]
        used = sorted({piece.file for piece in pieces})
        moved = tuple(piece._replace(file=used.index(piece.file)) for piece in pieces)
        files = tuple(self.files[place] for place in used)
        own = {"_pieces": moved, "files": files, "_weights": None, "_moments": None, "left_out": ()}
        other.__setstate__(self.__getstate__() | own)
        start = self._starts[begin] if self._starts else 0
        part = RowRange(other, first - start, last - start)
        return part if self._weights is None else part.weighted(self._weights[first:last])

    def rows(self, places: Places = slice(None)) -> Float[np.ndarray, "rows columns"]:
        if isinstance(places, slice):
            first, last, step = places.indices(len(self))
            if step == 1:
                return self._between(first, last)
            places = np.arange(first, last, step)
        places = np.flatnonzero(places) if places.dtype == bool else places
        found = np.empty((places.size, len(self._known)))
        which = np.searchsorted(self._starts, places, side="right") - 1
        order = np.argsort(which, kind="stable")
        edges = np.flatnonzero(np.diff(which[order], prepend=-1, append=-1))
        for start, end in itertools.pairwise(edges):
            here = order[start:end]
            piece = int(which[here[0]])
            found[here] = self._piece(piece)[places[here] - self._starts[piece]]
        return found

    def _between(self, first: int, last: int) -> np.ndarray:
        parts = []
        while first < last:
            piece = bisect.bisect_right(self._starts, first) - 1
            part = self._piece(piece)[first - self._starts[piece] : last - self._starts[piece]]
            parts.append(part)
            first += len(part)
        if not parts:
            return np.empty((0, len(self._known)))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _piece(self, place: int) -> np.ndarray:
        """The rows of a piece; the one behind it is read in another thread, where they are asked for in order."""
        with self._next:
            before, rows = self._last
            if before == place:
                return rows
            coming, self._coming = self._coming, None
            rows = coming[1].result() if coming is not None and coming[0] == place else self._read(place)
            self._last = place, rows
            behind = place + 1
            if behind < len(self._pieces) and before == place - 1:
                self._coming = behind, _ahead(os.getpid()).submit(self._read, behind)
            return rows

    def _read(self, place: int) -> np.ndarray:
        piece = self._pieces[place]
        held = _HELD.get(self._token, piece.number)
        if held is not None:
            self.files[piece.file].check()
            return held
        with self._reading:
            table = self._reader.table(piece)
        values = np.empty((piece.left, len(self._known)))
        for index, column in enumerate(self._known.columns):
            try:
                values[:, index] = _numbers(table.column(column.name), column)
            except DataError as error:
                raise DataError(in_file(str(error), piece, self.files[piece.file])) from None
        _HELD.put(self._token, piece.number, values)
        return values


def as_values(schema: Schema, rows: Float[np.ndarray, "rows columns"]) -> Float[np.ndarray, "rows columns"]:
    """Numbers in place of the codes of levels that are numbers."""
    found = rows
    for place, column in enumerate(schema.columns):
        if column.levels is not None and not any(isinstance(level, str) for level in column.levels):
            found = np.array(rows) if found is rows else found
            missing = np.isnan(rows[:, place])
            levels = np.array([float(level) for level in column.levels])
            found[:, place] = np.where(missing, np.nan, levels[np.where(missing, 0, rows[:, place]).astype(int)])
    return found


def _numbers(cells: pa.ChunkedArray, column: Column) -> np.ndarray:
    """A column of a piece as a model takes it; measurements take a short way."""
    found = measured(cells, column)
    return encode_column(cells_of(column.name, cells), column) if found is None else found


class _SomeRows:
    """Some rows of all pieces as a table whose columns are read one at a time (`ColumnsOneByOne`)."""

    def __init__(self, rows: "FileColumns", names: Sequence[str], places: np.ndarray | None) -> None:
        self.column_names = list(names)
        self.num_rows = rows.num_rows if places is None else int(places.size)
        self._rows, self._places = rows, places

    def column(self, name: str) -> pa.ChunkedArray:
        """One column."""
        return self._rows.column(name, self._places)


class FileColumns:
    """The columns of files before their kinds are known."""

    def __init__(self, files: Sequence[DataFile], pieces: Sequence[FilePiece], arrow: pa.Schema) -> None:
        self._files, self._pieces, self._arrow = files, pieces, arrow
        self.num_rows = sum(piece.left for piece in pieces)
        self._some: pa.Table | None = None

    def column(self, name: str, places: np.ndarray | None) -> pa.ChunkedArray:
        """A column of all rows, or of some, by their sorted numbers."""
        if places is None:
            return self._gathered([name], None).column(name)
        if self._some is None:
            self._some = self._gathered(list(self._arrow.names), places)
        return self._some.column(name)

    def _gathered(self, names: Sequence[str], places: np.ndarray | None) -> pa.Table:
        reader, start, parts = PieceReader(self._files, self._arrow, names), 0, []
        for piece in self._pieces:
            here = None if places is None else places[slice(*np.searchsorted(places, [start, start + piece.left]))]
            if here is None or here.size:
                table = reader.table(piece)
                parts.append(table if here is None else table.take(pa.array(here - start)))
            start += piece.left
        reader.close()
        return pa.concat_tables(parts, promote_options="permissive").unify_dictionaries()

    def settled(self, names: Sequence[str], kinds: Mapping[str, str], *, asked: bool) -> tuple[Schema, list[LeftOut]]:
        """What the columns are, as all files together say it.

        Of many rows kinds are judged by a sample of them, levels and texts by all.
        """
        chosen = {name: kind for name, kind in kinds.items() if name in names}
        whole = [name for name in names if not _number(self._arrow.field(name).type)]
        places = None
        if self.num_rows > LOOKED_AT:
            places = np.unique(np.linspace(0, self.num_rows - 1, LOOKED_AT).astype(np.int64))
            guess, out = _inferred(_SomeRows(self, [n for n in names if n not in whole], places), chosen)
            whole += [column.name for column in guess if column.kind in LEVELLED]
        found, left = _inferred(_SomeRows(self, [n for n in names if n in whole or places is None], None), chosen)
        if places is not None:
            found += [column for column in guess if column.name not in whole]
            left += out
        self._some = None
        if asked:
            left, found = self._kept(left, found, chosen)
        order = {name: place for place, name in enumerate(names)}
        if not found:
            said = "; ".join(f"{entry.name}: {entry.reason}" for entry in left[:12])
            raise DataError(f"{named(self._files)}: no column is left to model ({said}). Name some (columns=, kinds=).")
        return Schema(tuple(sorted(found, key=lambda column: order[column.name]))), left

    def _kept(
        self, left: Sequence[LeftOut], found: Sequence[Column], chosen: Mapping[str, str]
    ) -> tuple[list[LeftOut], list[Column]]:
        """Columns of numbers that were named are kept, whatever they look like; others cannot be."""
        kept = list(found)
        for entry in left:
            if entry.name in chosen:
                continue
            if entry.role == "empty" or not _number(self._arrow.field(entry.name).type):
                raise DataError(f"column {entry.name!r} cannot be used ({entry.reason}): leave it out of columns=.")
            kept.append(Column(entry.name, "continuous", None, f"a number, as asked; it looks like {entry.reason}"))
        return [entry for entry in left if entry.name in chosen], kept


def _inferred(table: _SomeRows, kinds: Mapping[str, str]) -> tuple[list[Column], list[LeftOut]]:
    """What `infer` says column by column; where it finds none to model, that is no error yet."""
    found: list[Column] = []
    left: list[LeftOut] = []
    for name in table.column_names:
        one = _Alone(table, name)
        try:
            columns, out = infer(one, {name: kinds[name]} if name in kinds else {})
            found += columns.columns
            left += out
        except DataError as error:
            reason = str(error).partition("(" + name + ": ")[2].rpartition("). Say")[0]
            if not str(error).startswith("no column is left"):
                raise
            left.append(LeftOut(name, reason, "empty" if "every value is missing" in reason else "asked"))
    return found, left


@dataclasses.dataclass(frozen=True)
class _Alone:
    """A table of one column."""

    table: _SomeRows
    name: str

    @property
    def column_names(self) -> list[str]:
        return [self.name]

    @property
    def num_rows(self) -> int:
        return self.table.num_rows

    def column(self, name: str, /) -> pa.ChunkedArray:
        return self.table.column(name)


def _number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def opened(
    files: Sequence[DataFile],
    *,
    columns: Sequence[str] | None = None,
    filter: str | Any | None = None,
    kinds: Mapping[str, str] | None = None,
    schema: Schema | None = None,
) -> FileRows:
    """The rows of files; see `dataset`."""
    first, _ = heading(files[0])
    condition = None if filter is None else condition_of(filter, first)
    known = None if schema is None else schema.names
    names = chosen_columns(first, columns or known)
    wanted = None if columns is None and known is None else list(dict.fromkeys([*names, *_asked(condition)]))
    arrow, ends = common_schema(files, wanted)
    pieces = cut(files, ends, arrow, condition)
    rows = sum(piece.left for piece in pieces)
    if not rows:
        why = (
            "no file has a row" if condition is None else f"no row of any file is as the filter says ({condition.text})"
        )
        raise DataError(f"{named(files)}: {why}.")
    if schema is not None:
        return FileRows(files, pieces, arrow, schema)
    for name in kinds or {}:
        chosen_columns(arrow, [name])
    kinds = dict(kinds or {})
    found, left = FileColumns(files, pieces, arrow).settled(names, kinds, asked=columns is not None)
    return FileRows(files, pieces, arrow, found, left)


def _asked(condition: Condition | None) -> tuple[str, ...]:
    return () if condition is None else condition.columns
