"""PNG and JPEG files: which lie in a folder, and reading them into one array of 8-bit levels."""

import contextlib
import os
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from tacit.data.errors import DataError, counted, listed

_ENDINGS = (".png", ".jpg", ".jpeg")
_FORMATS = ("PNG", "JPEG")
_HEADS = (b"\x89PNG", b"\xff\xd8\xff")
_GREY = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L")
_FAULTS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError, KeyError, TypeError)
"""What the decoders raise where a file is cut short or is something else."""


def is_picture(path: Path, head: bytes = b"") -> bool:
    """Whether a file is a PNG or JPEG by its ending or its first bytes."""
    return path.suffix.lower() in _ENDINGS or head.startswith(_HEADS)


def pictures_in(folder: Path) -> list[Path]:
    """The PNG and JPEG files in a folder and its sub-folders, 2.png before 10.png; hidden ones are passed over.

    Raises:
        DataError: there are none.
    """
    files = [path for path in folder.rglob("*") if path.is_file() and not _hidden(path, folder)]
    found = [path for path in files if is_picture(path)]
    if not found:
        inside = sorted(str(path.relative_to(folder)) for path in files)
        raise DataError(
            f"{folder} is a folder without PNG or JPEG files ({listed(inside, 5) or 'empty'}). Give a folder of images "
            "or, for a table, one file."
        )
    return sorted(found, key=lambda path: _natural(path.relative_to(folder)))


def read_pictures(
    files: Sequence[Path], folder: Path
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, str, tuple[str, ...]]:
    """Images, names, labels, source and notes, in the order of `ImageSet`.

    Grey images stay grey; among coloured ones they become coloured. Each file is opened twice, first for its size
    alone, so that nothing is decoded in vain and the levels are held once.

    Raises:
        DataError: a file that cannot be read, or two of different sizes; both are named.
    """
    modes = []
    first = (0, 0)
    for file in files:
        with _opened(file) as image:
            modes.append(image.mode)
            first = first if len(modes) > 1 else image.size
            if image.size != first:
                raise DataError(
                    f"images must be of one size: {_name(files[0], folder)} is {_size(first)}, and "
                    f"{_name(file, folder)} is {_size(image.size)} (height × width). Scale or cut some."
                )
    grey = all(mode in _GREY for mode in modes)
    width, height = first
    shape = (len(files), height, width, *(() if grey else (3,)))
    try:
        images = np.empty(shape, np.uint8)
    except MemoryError:
        raise DataError(
            f"{folder}: {len(files)} images of {_size(first)} are too large for this machine's memory."
        ) from None
    clear = 0
    for place, file in enumerate(files):
        with _opened(file) as image:
            images[place] = _levels(image, grey)
            clear += image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    notes = _notes(modes, grey, clear)
    names = np.array([_name(file, folder) for file in files], object)
    return images, names, _labels(files, folder), str(folder), notes


@contextlib.contextmanager
def _opened(file: Path) -> "Iterator[Image.Image]":
    """An image that is not decoded yet; what goes wrong inside becomes one sentence."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the decoder, about marginal notes in the file
            with Image.open(file, formats=_FORMATS) as image:
                yield image
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{file} is too large for an image ({error}).") from None
    except PermissionError:
        raise DataError(f"{file} may not be read; allow it, or leave it out.") from None
    except _FAULTS as error:
        found = " ".join(str(error).split())
        why = "it is cut short, damaged, or no PNG or JPEG at all" + (f" ({found[:120]})" if found else "")
        raise DataError(f"{file} cannot be read as an image: {why}. Replace it, or leave it out.") from None


def _levels(image: "Image.Image", grey: bool) -> np.ndarray:
    """The 8-bit levels of an image; of 16 bits the higher 8 are kept."""
    if image.mode in ("I", "F", "I;16", "I;16B", "I;16L"):
        deep = np.asarray(image).astype(np.float64) / 257.0
        levels = np.clip(np.round(deep), 0, 255).astype(np.uint8)
        return levels if grey else np.repeat(levels[:, :, None], 3, axis=2)
    return np.asarray(image.convert("L" if grey else "RGB"))


def _notes(modes: Sequence[str], grey: bool, clear: int) -> tuple[str, ...]:
    notes = []
    if clear:
        notes.append(f"the transparency of {counted(clear, 'image')} was left out")
    mixed = sum(mode in _GREY for mode in modes)
    if mixed and not grey:
        notes.append(f"{counted(mixed, 'grey image')} among coloured ones were given three equal channels")
    deep = sum(mode in ("I", "F", "I;16", "I;16B", "I;16L") for mode in modes)
    if deep:
        notes.append(f"the 16-bit levels of {counted(deep, 'image')} were rounded to 8 bits")
    return tuple(notes)


def _labels(files: Sequence[Path], folder: Path) -> np.ndarray | None:
    """The sub-folder of every file; None where some lie in the folder itself, or all in one sub-folder."""
    found = [] if folder in files else [file.parent.relative_to(folder).as_posix() for file in files]
    return np.array(found, object) if "." not in found and len(set(found)) > 1 else None


def _name(file: Path, folder: Path) -> str:
    name = file.name if file == folder else file.relative_to(folder).as_posix()
    return name.encode("utf-8", "replace").decode("utf-8")


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]} × {size[0]}"


def _hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def _natural(path: Path) -> list[tuple[int, str]]:
    """A key that sorts numbers in names by their size."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", os.fspath(path))]
