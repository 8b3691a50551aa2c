"""NumPy files: .npy, .npz and the choice of an array inside one. Nothing is ever unpickled."""

import math
import tokenize
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tacit.data.errors import DataError, listed, nearest
from tacit.data.frames import from_array

_NAMES = ("columns", "feature_names", "names")

UNREADABLE = (
    zipfile.BadZipFile,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    OverflowError,
    zlib.error,
    RuntimeError,
    NotImplementedError,
    SyntaxError,
    tokenize.TokenError,
    MemoryError,
)
"""What a file that is damaged, cut short, locked or no NumPy file at all makes the readers raise."""


class Header(NamedTuple):
    """What an array says of itself before it is read."""

    shape: tuple[int, ...]
    dtype: np.dtype


def read_npy(source: Path | BytesIO, label: str) -> pa.Table:
    """A .npy file as a table (a file on disk is mapped, not loaded)."""
    try:
        array = np.load(source, mmap_mode="r" if isinstance(source, Path) else None, allow_pickle=False)
    except UNREADABLE as error:
        raise DataError(refusal(label, error)) from None
    return from_array(array, label)


def read_npz(source: Path | BytesIO, label: str, key: str | None) -> pa.Table:
    """One array of an .npz file as a table: the one named, or X, or the only one with rows and columns.

    A list of names beside it ("columns", "feature_names" or "names") becomes the heading if it fits.
    """
    try:
        shapes = {name: header.shape for name, header in headers(source).items()}
        chosen = _choose(shapes, label, key)
        with np.load(source, allow_pickle=False) as archive:
            array = archive[chosen]
            names = _heading(archive, shapes, array)
    except DataError:
        raise
    except UNREADABLE as error:
        raise DataError(refusal(label, error)) from None
    return from_array(array, f"{label}:{chosen}", names)


def refusal(label: str, error: Exception) -> str:
    """The words for a NumPy file that could not be read."""
    if isinstance(error, MemoryError):
        return f"{label} is too large for the memory of this machine."
    if any(word in str(error) for word in ("pickle", "Object arrays", "Python objects")):
        return f"{label} holds Python objects, which are never unpickled. Save it as numbers (astype(float))."
    return f"{label} is not a readable NumPy file ({' '.join(str(error).split()) or type(error).__name__})."


def headers(source: Path | BytesIO) -> dict[str, Header]:
    """The shape and type of every array of an .npz file, without reading the arrays; raises one of `UNREADABLE`."""
    found = {}
    with zipfile.ZipFile(source) as archive:
        for entry in archive.infolist():
            if not entry.filename.endswith(".npy"):
                continue
            with archive.open(entry) as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(member)
            if not all(type(length) is int and length >= 0 for length in shape):
                raise ValueError(f"{entry.filename} has the shape {shape}")
            if dtype.kind != "O" and math.prod(shape) * dtype.itemsize > entry.file_size:
                raise ValueError(f"{entry.filename} is cut short")  # before memory is taken for what is not there
            found[entry.filename.removesuffix(".npy")] = Header(shape, dtype)
    if not isinstance(source, Path):
        source.seek(0)
    return found


def _choose(shapes: dict[str, tuple[int, ...]], label: str, key: str | None) -> str:
    held = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items()) or "nothing"
    if key is not None:
        if key not in shapes:
            raise DataError(f"{label} has no array {key!r}; it holds {held}.{nearest(key, list(shapes))}")
        return key
    if "X" in shapes:
        return "X"
    if {"indptr", "format", "shape"} <= shapes.keys():
        raise DataError(f"{label} is a sparse matrix ({listed(shapes)}), not a table of rows and columns.")
    tables = [name for name, shape in shapes.items() if len(shape) == 2]
    if len(tables) != 1:
        found = "none" if not tables else listed(tables)
        example = (tables or [*shapes, "X"])[0]
        raise DataError(
            f"{label}: which array is meant? Of those it holds ({held}), {found} "
            f"{'has' if not tables else 'have'} rows and columns. Name one: {label}:{example}"
        )
    return tables[0]


def _heading(archive: np.lib.npyio.NpzFile, shapes: dict[str, tuple[int, ...]], array: np.ndarray) -> list[str] | None:
    width = array.shape[-1] if array.ndim == 2 else 1
    for key in _NAMES:
        if shapes.get(key) == (width,) and (names := archive[key]).dtype.kind == "U":
            return [str(name) for name in names]
    return None
