"""Reading a table from a file, from standard input or from bytes, whatever format it is in."""

import collections
import contextlib
import dataclasses
import io
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pyarrow.json as pajson
import pyarrow.parquet as parquet

from tacit import data
from tacit.data.arrays import read_npy, read_npz
from tacit.data.compressed import FAULTS, decompressed, inflated, packing, said_plainly
from tacit.data.delimited import Opener, TextSource, read_delimited, read_delimited_files
from tacit.data.errors import DataError, brief, listed, nearest
from tacit.data.finished_columns import without_named_signs
from tacit.data.nesting import check_nesting
from tacit.data.places import files_of, is_pipe, locate
from tacit.data.reading import ReadAs, ReadingOptions
from tacit.data.several import together

Source = str | Path | bytes | Any
"""A path (``data.npz:key`` names an array inside), ``-`` for standard input, bytes, or an open file."""

_MAGIC = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"FEA1", "feather"),
    (b"\xff\xff\xff\xff", "stream"),
    (b"\x93NUMPY", "npy"),
    (b"PK\x03\x04", "zip"),
    (b"\xd0\xcf\x11\xe0", "workbook"),
    (b"\x80\x02", "pickle"),
    (b"\x80\x03", "pickle"),
    (b"\x80\x04", "pickle"),
    (b"\x80\x05", "pickle"),
    (b"SQLite", "sqlite"),
    (b"%PDF", "pdf"),
    (b"<!DOC", "page"),
    (b"<!doc", "page"),
    (b"<html", "page"),
    (b"<?xml", "page"),
    (b"[{", "list"),
)
_LINES_BLOCK = 1 << 24
"""Bytes of JSON lines that are parsed together: the longest line."""
_FOREIGN = {
    "pickle": "a Python pickle, which may run code when opened. Save the table as CSV or Parquet",
    "sqlite": "an SQLite database. Export the table as CSV",
    "pdf": "a PDF. Save the table as CSV",
    "page": "a web page or XML, not a table. Check where it was downloaded from",
    "list": "a JSON list. Save one object a line (JSON lines), or CSV",
}


@dataclasses.dataclass(frozen=True, eq=False)
class TableReading:
    """A table as it was read: the cells, what the source is called, and what was guessed on the way.

    Attributes:
        table, source, notes: these.
        read_as: how a table of text is written; None for other formats.
    """

    table: pa.Table
    source: str
    notes: tuple[str, ...] = ()
    read_as: ReadAs | None = None


def read(source: Source, options: ReadingOptions | None = None, **said: Any) -> TableReading:
    """Read CSV (comma, semicolon, tab or bar; gzip too), Parquet, Arrow, Feather, JSON lines, .npy or .npz.

    The format is told by the first bytes, and by the ending where those do not say. What the user does not
    give about a CSV is found out, and noted where it is not plain CSV in UTF-8.

    Args:
        source: a path, ``-`` for standard input, bytes or an open binary file.
        options: what the user knows about it.
        said: the same one by one, over ``options``: delimiter, decimal, thousands, encoding, header, skip_rows,
            missing, sheet and keep_totals, as `ReadingOptions` has them.

    Raises:
        DataError: nothing there, nothing in it, not a table; the message says where and what to do.
    """
    options = with_options(options or ReadingOptions(), said)
    several = files_of(source)
    found = _read_one(source, options) if several is None else _read_several(several, options)
    return (
        found if found.read_as is not None else dataclasses.replace(found, table=named_signs_out(found.table, options))
    )


def named_signs_out(table: pa.Table, options: ReadingOptions) -> pa.Table:
    """A table of a format with types, without what the user named as signs for missing."""
    if not options.own_missing:
        return table
    return pa.table([without_named_signs(column, options) for column in table.columns], table.column_names)


def _read_one(source: Source, options: ReadingOptions) -> TableReading:
    path, key = locate(source)
    if path is not None and path.is_dir():
        inside = sorted(child.name for child in path.iterdir() if child.is_file())
        raise DataError(f"{path} is a folder ({listed(inside, 5) or 'empty'}); give one file in it.")
    if path is not None:
        return _read_path(path, key, form_of(path), options)
    content, label = _slurp(source)
    content = inflated(content, label)
    return _read_bytes(
        content, label, _format(content[:8], str(source) if isinstance(source, str | Path) else ""), options
    )


def _read_several(paths: Sequence[Path], options: ReadingOptions) -> TableReading:
    """Files as one table: those of text by the evidence of all of them together."""
    labels = [str(path) for path in paths]
    many = [f"{len(paths)} files are one table, from {labels[0]} to {labels[-1]}"] if len(paths) > 1 else []
    source = labels[0] if len(paths) == 1 else f"{labels[0]} and {len(paths) - 1} more"
    places = [path.read_bytes() if is_pipe(path) else path for path in paths]  # a pipe is read once
    texts = [_text_source(place, label, options) for place, label in zip(places, labels, strict=True)]
    if all(text is not None for text in texts):
        table, told, read_as = read_delimited_files([text for text in texts if text is not None], options)
        check_heading(table.column_names, table.num_rows, source)
        return TableReading(table, source, (*many, *told), read_as)
    found = [read(place, options) for place in places]
    table = together([each.table for each in found], labels)
    notes = many
    for note in dict.fromkeys(note for each in found for note in each.notes):
        where = [label for label, each in zip(labels, found, strict=True) if note in each.notes]
        notes.append(note if len(where) == len(paths) else f"{listed(where, 3)}: {note}")
    return TableReading(table, source, tuple(notes), next((each.read_as for each in found if each.read_as), None))


def _text_source(place: Path | bytes, label: str, options: ReadingOptions) -> TextSource | None:
    """A file of delimited text, or a workbook, which is read as one; None for other formats."""
    if isinstance(place, bytes):
        content = inflated(place, label)
        form = _format(content[:8], label.lower())
        if form not in ("text", "tab"):
            return None
        return TextSource(lambda: pa.BufferReader(content), label, options, form == "tab")
    locate(place)  # which says that it is not there
    form = form_of(place)
    if form == "zip":
        form = _zip_form(place)
    if form in ("text", "tab"):
        return TextSource(lambda: decompressed(place), label, options, form == "tab")
    with place.open("rb") as file:
        packed = packing(file.read(8))
    return data.sheet_of(place, label, options) if form == "workbook" and not packed else None


def with_options(options: ReadingOptions, said: Mapping[str, Any]) -> ReadingOptions:
    """What is said one by one, over what is said together; raises `DataError` for an option that there is none of."""
    known = [field.name for field in dataclasses.fields(ReadingOptions)]
    for name in said:
        if name not in known:
            near = nearest(name, known)
            raise DataError(f"there is no option {name!r} of reading; there are {listed(known, 20)}.{near}")
    return dataclasses.replace(options, **said)


def _slurp(source: Source) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        return source, "the data"
    if isinstance(source, str | Path):
        if str(source) == "-":
            return sys.stdin.buffer.read(), "standard input"
        return Path(source).expanduser().read_bytes(), str(source)
    if not hasattr(source, "read"):
        raise DataError(f"cannot read a {type(source).__name__}; give a path, '-', bytes or an open binary file.")
    content = source.read()
    if isinstance(content, str):
        content = content.encode("utf-8")
    return content, str(getattr(source, "name", "the data"))


def form_of(path: Path) -> str:
    """What a file is, such as "parquet" or "text"."""
    with path.open("rb") as file:
        head = file.read(8)
    if packing(head):
        head = _unpacked_head(path)
    return _format(head, path.name.lower())


def _unpacked_head(path: Path) -> bytes:
    """The first bytes of what is packed in a file; none where it is damaged, which whoever reads it says."""
    try:
        with decompressed(path) as stream:
            return bytes(stream.read(8))
    except (*FAULTS, DataError):
        return b""


def _format(head: bytes, name: str) -> str:
    """What a file is: by its first bytes, else by its ending, else delimited text."""
    for magic, form in _MAGIC:
        if head.startswith(magic):
            return form
    bare = next((name.removesuffix(end) for end in (".gz", ".bz2", ".xz", ".zst") if name.endswith(end)), name)
    endings = {".jsonl": "lines", ".ndjson": "lines", ".tsv": "tab", ".tab": "tab"}
    strict = {".parquet": "parquet", ".arrow": "arrow", ".feather": "feather", ".npy": "npy", ".npz": "npz"}
    for ending, form in (endings | strict).items():
        if bare.endswith(ending):
            return form
    plain = bare.endswith((".csv", ".txt"))
    return "lines" if head.startswith(b"{") and not plain else "text"


def _read_path(path: Path, key: str | None, form: str, options: ReadingOptions) -> TableReading:
    label = str(path)
    with path.open("rb") as file:
        packed = packing(file.read(8))
    if form in ("text", "tab", "lines"):
        return _read_text(lambda: decompressed(path), label, form, options)
    if form == "zip":
        form = _zip_form(path)
    if form == "workbook" and not packed:
        return _read_book(path, label, options)
    if packed:
        return _read_bytes(inflated(path.read_bytes(), label), label, form, options)
    if form in ("npy", "npz"):
        table = read_npy(path, label) if form == "npy" else read_npz(path, label, key)
        return _finished(table, f"{label}:{key}" if key else label, ())
    with readable(label, form), pa.memory_map(label) as file:
        return _finished(_read_binary(file, form), label, ())


def _zip_form(source: Path | io.BytesIO) -> str:
    """Whether a zip archive is a workbook or an .npz, by what it holds; else as damaged ones are refused."""
    try:
        with zipfile.ZipFile(source) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, OverflowError):
        names = []
    books = any(name.startswith("xl/") or name in ("content.xml", "[Content_Types].xml") for name in names)
    named = isinstance(source, Path) and source.suffix.lower() in (".xlsx", ".xlsm", ".xlsb", ".ods")
    return "workbook" if books or (named and not names) else "npz"


def _read_book(source: Path | bytes, label: str, options: ReadingOptions) -> TableReading:
    sheet = data.sheet_of(source, label, options)
    with other_sheets_named(sheet.notes):
        table, notes, read_as = read_delimited_files([sheet], sheet.options)
    return dataclasses.replace(_finished(table, sheet.label, notes), read_as=read_as)


@contextlib.contextmanager
def other_sheets_named(notes: Sequence[str]) -> Iterator[None]:
    """Where a sheet of a workbook is of no use, say that there are others."""
    try:
        yield
    except DataError as error:
        sheets = [note for note in notes if "--sheet" in note]
        if not sheets:
            raise
        raise DataError(f"{error} Or it is another sheet: {sheets[0]}.") from None


def _read_bytes(content: bytes, label: str, form: str, options: ReadingOptions) -> TableReading:
    if form == "zip":
        form = _zip_form(io.BytesIO(content))
    if form == "workbook":
        return _read_book(content, label, options)
    if form in ("npy", "npz"):
        stream = io.BytesIO(content)
        return _finished(read_npy(stream, label) if form == "npy" else read_npz(stream, label, None), label, ())
    if form in ("text", "tab", "lines"):
        return _read_text(lambda: pa.BufferReader(content), label, form, options)
    with readable(label, form):
        return _finished(_read_binary(pa.BufferReader(content), form), label, ())


def _read_text(opener: Opener, label: str, form: str, options: ReadingOptions) -> TableReading:
    with said_plainly(label):
        if form == "lines":
            with opener() as stream:
                check_nesting(stream, label)
            with opener() as stream:
                table = pajson.read_json(stream, pajson.ReadOptions(block_size=_LINES_BLOCK))
            table.validate(full=True)
            return _finished(table, label, ())
        table, notes, read_as = read_delimited(opener, label, options, tab=form == "tab")
    return dataclasses.replace(_finished(table, label, notes), read_as=read_as)


def _read_binary(file: pa.NativeFile, form: str) -> pa.Table:
    if form == "parquet":
        table = parquet.read_table(file)
    elif form == "feather":
        table = feather.read_table(file)
    else:
        table = (ipc.open_stream(file) if form == "stream" else ipc.open_file(file)).read_all()
    table.validate(full=True)  # places inside the buffers are taken on trust until they are looked at
    return table


@contextlib.contextmanager
def readable(label: str, form: str) -> Iterator[None]:
    """Refuse what is no table, and give a plain sentence for a file that is cut or damaged."""
    if form in _FOREIGN:
        raise DataError(f"{label} is {_FOREIGN[form]}.")
    try:
        yield
    except DataError:
        raise
    except FAULTS as error:
        reason = brief(error)
        raise DataError(f"{label} is not a readable {form} file: it is damaged or cut short ({reason}).") from None


def _finished(table: pa.Table, label: str, notes: tuple[str, ...]) -> TableReading:
    check_heading(table.column_names, table.num_rows, label)
    return TableReading(table, label, notes)


def check_heading(names: Sequence[str], rows: int, label: str) -> None:
    """Refuse a table without columns or rows, or with a name twice."""
    twice = sorted(name for name, many in collections.Counter(names).items() if many > 1)
    if twice:
        raise DataError(f"{label}: the heading has {listed(twice)} more than once. Rename or remove the others.")
    if not names:
        raise DataError(f"{label} has no columns.")
    if rows == 0:
        raise DataError(f"{label} has {len(names)} columns but no rows.")
