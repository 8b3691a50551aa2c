"""NumPy files: .npy, .npz and the choice of an array inside one. Nothing is ever unpickled."""

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa

from tacit.data.errors import DataError, listed, nearest
from tacit.data.frames import from_array

_NAMES = ("columns", "feature_names", "names")


def read_npy(source: Path | BytesIO, label: str) -> pa.Table:
    """A .npy file as a table (a file on disk is mapped, not loaded)."""
    try:
        array = np.load(source, mmap_mode="r" if isinstance(source, Path) else None, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DataError(_refusal(label, error)) from None
    return from_array(array, label)


def read_npz(source: Path | BytesIO, label: str, key: str | None) -> pa.Table:
    """One array of an .npz file as a table: the one named, or X, or the only one with rows and columns.

    A list of names beside it ("columns", "feature_names" or "names") becomes the heading if it fits.
    """
    try:
        shapes = _shapes(source)
        chosen = _choose(shapes, label, key)
        with np.load(source, allow_pickle=False) as archive:
            array = archive[chosen]
            names = _heading(archive, shapes, array)
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise DataError(_refusal(label, error)) from None
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise DataError(_refusal(label, error)) from None
    return from_array(array, f"{label}:{chosen}", names)


def _refusal(label: str, error: Exception) -> str:
    if any(word in str(error) for word in ("pickle", "Object arrays", "Python objects")):
        return f"{label} holds Python objects, which are never unpickled. Save it as numbers (astype(float))."
    return f"{label} is not a readable NumPy file ({error})."


def _shapes(source: Path | BytesIO) -> dict[str, tuple[int, ...]]:
    """The shape of every array, from the headers alone."""
    shapes = {}
    with zipfile.ZipFile(source) as archive:
        for entry in archive.namelist():
            if not entry.endswith(".npy"):
                continue
            with archive.open(entry) as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shapes[entry.removesuffix(".npy")] = read(member)[0]
    if not isinstance(source, Path):
        source.seek(0)
    return shapes


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
