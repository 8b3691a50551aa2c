"""Which Parquet files a source names: a path, a folder, a pattern, a list, a bucket, or what Arrow holds open."""

import fnmatch
import glob
import re
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import lazy_loader as lazy
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as fs
import pyarrow.parquet as pq

from tacit.data.errors import DataError, brief
from tacit.data.places import is_address

if TYPE_CHECKING:
    import fsspec
else:
    fsspec = lazy.load("fsspec", error_on_import=False)

ENDINGS = (".parquet", ".pq", ".parq")
SPOOLED_ROWS = 131_072
FAULTS = (OSError, pa.ArrowException, ImportError)


class DataFile(NamedTuple):
    """A Parquet file, and what it was when it was first looked at."""

    label: str
    path: str
    filesystem: Any
    size: int
    changed: int
    """Nanoseconds since 1970, where the place says."""
    keys: Mapping[str, Any]
    """Columns that the names of its folders hold, ``year=2024``."""
    handle: Any = None
    """Where it was given open, and its path is not known."""

    @property
    def local(self) -> bool:
        """Whether it lies on this machine, or looks so."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def opened(self) -> pq.ParquetFile:
        """Open it; raises `DataError` where it is not there, is no Parquet, or may not be read."""
        if self.handle is not None:
            return self.handle
        self.check()
        try:
            return pq.ParquetFile(self.path, filesystem=self.filesystem, buffer_size=1 << 20, pre_buffer=False)
        except PermissionError as error:
            raise DataError(f"{self.label} may not be read: {brief(error)}.") from None
        except FAULTS as error:
            raise DataError(
                f"{self.label} is not a readable Parquet file: it is damaged or cut short ({brief(error)})."
            ) from None

    def check(self) -> None:
        """Raise `DataError` where it is gone, or no longer what it was."""
        if self.handle is not None:
            return
        now = _info(self.filesystem, self.path, self.label)
        if now.type != fs.FileType.File:
            raise DataError(
                f"{self.label} is gone: it was there when the data set was opened. Put it back, or begin anew."
            )
        if (now.size, _time(now)) != (self.size, self.changed):
            raise DataError(
                f"{self.label} has changed since the data set was opened (it had {self.size:,} bytes and has "
                f"{now.size:,}): a fit needs rows that stay as they are. Open it again when it is whole."
            )


def gathered(source: Any) -> list[DataFile] | None:
    """The Parquet files of a source, in order; None where it is something else.

    Raises:
        DataError: nothing is there, or it may not be read.
    """
    if isinstance(source, pq.ParquetFile):
        return [DataFile("the Parquet file", "", None, 0, 0, {}, source)]
    if isinstance(source, pa.RecordBatchReader):
        return [spooled(source)]
    if isinstance(source, str | Path):
        text = str(source)
        if "\n" in text:
            return gathered([line for line in text.splitlines() if line])
        return _of_uri(text) if is_address(text) else _of_path(Path(text).expanduser())
    if isinstance(source, list | tuple):
        if not source:
            raise DataError("there is no file to read: the list of paths is empty.")
        parts = [gathered(each) for each in source]
        if all(part is not None for part in parts):
            return [file for part in parts if part is not None for file in part]
        return None
    return _of_dataset(source) if isinstance(source, ds.Dataset) else None


def may_be_parquet(place: str) -> bool:
    """Whether a place looks like one of Parquet files: an address, a folder, or names that end so."""
    return all(
        is_address(each) or each.lower().endswith(ENDINGS) or Path(each).expanduser().is_dir()
        for each in place.splitlines()
    )


def _of_path(path: Path) -> list[DataFile] | None:
    local = fs.LocalFileSystem()
    if path.is_dir():
        found = sorted(each for each in path.rglob("*") if is_parquet(each.relative_to(path)) and each.is_file())
        return [_looked_at(local, str(each), str(each), _keys(each.relative_to(path))) for each in found] or None
    if path.is_file():
        meant = path.suffix.lower() in ENDINGS or _begins_as_parquet(path)
        return [_looked_at(local, str(path), str(path), {})] if meant else None
    if any(sign in str(path) for sign in "*?["):
        matched = [Path(each) for each in sorted(glob.glob(str(path), recursive=True)) if Path(each).is_file()]
        if not matched:
            raise DataError(f"no file is called like {str(path)!r}.")
        if any(each.suffix.lower() in ENDINGS for each in matched):
            matched = [each for each in matched if each.suffix.lower() in ENDINGS]
        if not all(_begins_as_parquet(each) or each.suffix.lower() in ENDINGS for each in matched):
            return None
        return [_looked_at(local, str(each), str(each), _keys(each)) for each in matched]
    raise DataError(f"{path}: there is no such file or folder.")


def is_parquet(place: Path) -> bool:
    """Whether a place below a folder is that of a Parquet file that counts: Spark's own notes begin with ``_``."""
    return place.suffix.lower() in ENDINGS and not any(part.startswith((".", "_")) for part in place.parts)


def _begins_as_parquet(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PAR1"
    except PermissionError as error:
        raise DataError(f"{path} may not be read: {brief(error)}.") from None


def _keys(place: Path) -> dict[str, Any]:
    """What folders such as ``year=2024/region=north`` say."""
    pairs = [part.partition("=") for part in place.parts[:-1] if "=" in part]
    return {name: _typed(value) for name, _, value in pairs if name}


def _typed(value: str) -> Any:
    if value == "__HIVE_DEFAULT_PARTITION__":
        return None
    return int(value) if re.fullmatch(r"-?\d{1,18}", value) and str(int(value)) == value else value


def _of_uri(uri: str) -> list[DataFile]:
    system, path = _filesystem(uri)
    label = uri.partition("://")[0] + "://"
    base = re.split(r"[*?\[]", path, maxsplit=1)[0]
    base = path if base == path else base.rpartition("/")[0]
    info = _info(system, base, uri)
    if info.type == fs.FileType.File:
        return [_looked_at(system, base, label + base, {})]
    if info.type == fs.FileType.NotFound:
        raise DataError(f"{uri}: there is nothing there, or it may not be seen from here.")
    try:
        inside = system.get_file_info(fs.FileSelector(base, recursive=True))
    except FAULTS as error:
        raise _unreachable(uri, error) from None
    files = sorted(each.path for each in inside if each.type == fs.FileType.File)
    if base != path:
        files = [each for each in files if fnmatch.fnmatch(each, path)]
    files = [each for each in files if is_parquet(Path(each[len(base) :].lstrip("/")))]
    if not files:
        raise DataError(f"{uri}: no Parquet file is there.")
    return [_looked_at(system, each, label + each, _keys(Path(each[len(base) :].lstrip("/")))) for each in files]


def _filesystem(uri: str) -> tuple[Any, str]:
    """Arrow's own file system of an address, else fsspec's, and the path in it."""
    base = re.split(r"[*?\[]", uri, maxsplit=1)[0]
    try:
        system, path = fs.FileSystem.from_uri(base.rstrip("/") if base != uri else uri)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError):
        try:  # a scheme that Arrow does not know
            inner, path = fsspec.url_to_fs(base)
        except (*FAULTS, ValueError) as error:
            raise _unreachable(uri, error) from None
        system = fs.PyFileSystem(fs.FSSpecHandler(inner))
    except FAULTS as error:
        raise _unreachable(uri, error) from None
    cut = "/" if base.endswith("/") and not path.endswith("/") else ""
    return system, path + cut + uri[len(base) :] if base != uri else path


def _unreachable(uri: str, error: BaseException) -> DataError:
    return DataError(
        f"{uri} cannot be read ({brief(error)}): is the name right, is what reads such places installed, and may this "
        "account read there?"
    )


def _info(system: Any, path: str, label: str) -> Any:
    try:
        return system.get_file_info(path)
    except FAULTS as error:
        raise _unreachable(label, error) from None


def _time(info: Any) -> int:
    return 0 if info.mtime_ns is None else int(info.mtime_ns)


def _looked_at(system: Any, path: str, label: str, keys: Mapping[str, Any]) -> DataFile:
    info = _info(system, path, label)
    if info.type != fs.FileType.File:
        raise DataError(f"{label}: there is no such file.")
    if info.size == 0:
        raise DataError(f"{label} is empty: it has no bytes, where even a Parquet file without rows has some.")
    return DataFile(label, path, system, int(info.size), _time(info), keys)


def _of_dataset(given: "ds.Dataset") -> list[DataFile]:
    """The files of Arrow's data set; what is in memory, of another form or filtered is written to a file first."""
    plain = isinstance(given, ds.FileSystemDataset) and isinstance(given.format, ds.ParquetFileFormat)
    if not plain or getattr(given, "_scan_options", None):
        return [spooled(given.scanner().to_reader())]
    files = []
    for fragment in given.get_fragments():
        keys = ds.get_partition_keys(fragment.partition_expression)
        files.append(_looked_at(given.filesystem, fragment.path, fragment.path, keys))
    if not files:
        raise DataError("the data set of Arrow has no files.")
    return files


def spooled(batches: "pa.RecordBatchReader | Iterable[pa.RecordBatch]", schema: pa.Schema | None = None) -> DataFile:
    """What can be read only once, in a file of its own that goes when nobody reads it any more."""
    schema = batches.schema if isinstance(batches, pa.RecordBatchReader) else schema
    folder = tempfile.TemporaryDirectory(prefix="tacit-rows-")
    path = Path(folder.name) / "rows.parquet"
    with pq.ParquetWriter(path, schema, compression="lz4") as writer:
        for table in _joined(batches, schema):
            writer.write_table(table, row_group_size=SPOOLED_ROWS)
    system = fs.LocalFileSystem()
    keys = _Kept()
    weakref.finalize(keys, folder.cleanup)
    return _looked_at(system, str(path), "the rows that were read once", keys)


class _Kept(dict[str, Any]):
    """No keys; a temporary folder is there as long as this is."""

    def __reduce__(self) -> Any:
        return dict, ()


def _joined(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Batches in tables of as many rows as a row group is to have."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= SPOOLED_ROWS:
            yield pa.Table.from_batches(held, schema)
            held, rows = [], 0
    if held or not rows:
        yield pa.Table.from_batches(held, schema)


def named(files: Sequence[DataFile]) -> str:
    """What files are called together."""
    return files[0].label if len(files) == 1 else f"{files[0].label} and {len(files) - 1} more"
