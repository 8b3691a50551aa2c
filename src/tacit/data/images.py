"""Images on their way in: an array of an .npz or .npy file, a folder of PNG or JPEG files, or one such file."""

import dataclasses
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Shaped

from tacit.data.arrays import UNREADABLE, Header, headers, refusal
from tacit.data.errors import DataError, nearest
from tacit.data.picture_files import is_picture, pictures_in, read_pictures
from tacit.data.places import files_of, locate

Pixels = Literal["levels", "shares", "numbers"]
"""What the values of images are: 8-bit grey levels, numbers from 0 to 1, or any others."""

_STACK = re.compile(r"(x|images?|imgs?|pictures?|data)(.*)", re.IGNORECASE)
_NAMING = r"(y|labels?|targets?|classes)"


@dataclasses.dataclass(frozen=True, eq=False)
class ImageSet:
    """Images of one size.

    Attributes:
        images: uint8 or floats, NaN where missing; the last axis of four holds the channels.
        names: ``[images]``, the files they come from, or None.
        labels: ``[images]``, what each shows, where the source says so, or None. No model sees them.
        source: where they were read.
        notes: what was guessed or changed on the way, in plain words.
    """

    images: Shaped[np.ndarray, "images height width *channels"]
    names: np.ndarray | None = None
    labels: np.ndarray | None = None
    source: str = ""
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return int(self.images.shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and, if there is such an axis, channels."""
        return tuple(int(length) for length in self.images.shape[1:])

    @property
    def pixels(self) -> Pixels:
        """What the values are; 8-bit levels that are all 0 or 1 count as numbers from 0 to 1."""
        low, high = span(self.images)
        if low >= 0 and high <= 1:
            return "shares"
        return "levels" if self.images.dtype == np.uint8 else "numbers"


def span(images: np.ndarray) -> tuple[float, float]:
    """The lowest and the highest value that is no gap."""
    return float(np.fmin.reduce(images, axis=None)), float(np.fmax.reduce(images, axis=None))


def sized(shape: tuple[int, ...]) -> str:
    """The size of an image in words: ``28 × 28 pixels``, ``32 × 32 pixels in 3 channels``."""
    height, width, *channels = shape
    return f"{height} × {width} pixels" + (f" in {channels[0]} channels" if channels and channels[0] != 1 else "")


def holds_images(source: str) -> bool:
    """Whether a source is images rather than a table; raises `DataError` where there is no such file."""
    path, key = locate(source)
    if path is None:
        return False
    if path.is_dir():
        return files_of(source) is None
    with path.open("rb") as file:
        head = file.read(8)
    if is_picture(path, head):
        return True
    try:
        if head.startswith(b"\x93NUMPY"):
            return np.load(path, mmap_mode="r", allow_pickle=False).ndim > 2
        if not head.startswith(b"PK\x03\x04") or path.suffix.lower() in (".xlsx", ".xlsm", ".xlsb", ".ods"):
            return False
        found = headers(path)
    except UNREADABLE:
        return False  # the reader of tables says what is wrong with it
    if key is not None:
        return key in found and len(found[key].shape) > 2
    return bool(_stacks(found)) and len(found.get("X", Header((), np.dtype(float))).shape) != 2


def read_images(source: str) -> ImageSet:
    """Read images.

    Args:
        source: an .npz file (``data.npz:name`` names an array in it), an .npy file, a folder of PNG or JPEG files
            (the sub-folders, if there are any, label the images), or one PNG or JPEG file.

    Raises:
        DataError: nothing there, or no images of one size; the message says where and what to do.
    """
    path, key = locate(source)
    if path is None:
        raise DataError("images are read from a file or a folder, not from standard input.")
    if path.is_dir():
        return ImageSet(*read_pictures(pictures_in(path), path))
    with path.open("rb") as file:
        head = file.read(8)
    if is_picture(path, head):
        return ImageSet(*read_pictures([path], path))
    if head.startswith(b"\x93NUMPY"):
        return _from_npy(path)
    return _from_npz(path, key)


def _from_npy(path: Path) -> ImageSet:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except UNREADABLE as error:
        raise DataError(refusal(str(path), error)) from None
    images, notes = _checked(array, str(path))
    return ImageSet(images, None, None, str(path), notes)


def _from_npz(path: Path, key: str | None) -> ImageSet:
    label = str(path)
    try:
        found = headers(path)
        chosen = _chosen(found, label, key)
        _check_header(found[chosen], f"{label}:{chosen}")
        naming = _labels_of(chosen, found)
        with np.load(path, allow_pickle=False) as archive:
            array = archive[chosen]
            labels = None if naming is None else archive[naming]
    except DataError:
        raise
    except UNREADABLE as error:
        raise DataError(refusal(label, error)) from None
    images, notes = _checked(array, f"{label}:{chosen}")
    if labels is not None and labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    return ImageSet(images, None, labels, f"{label}:{key}" if key else label, notes)


def _stacks(found: Mapping[str, Header]) -> list[str]:
    """The arrays of an .npz file that have the shape of images."""
    return [name for name, header in found.items() if len(header.shape) in (3, 4)]


def _chosen(found: Mapping[str, Header], label: str, key: str | None) -> str:
    held = ", ".join(_shown(name, header) for name, header in found.items()) or "nothing"
    if key is not None:
        if key not in found:
            raise DataError(f"{label} has no array {key!r}; it holds {held}.{nearest(key, list(found))}")
        return key
    stacks = _stacks(found)
    if not stacks:
        raise DataError(f"{label} holds no images (images, height, width[, channels]); it holds {held}.")
    if "X" in stacks or len(stacks) == 1:
        return "X" if "X" in stacks else stacks[0]
    several = " and ".join(_shown(name, found[name]) for name in stacks)
    raise DataError(f"{label} holds several arrays of images: {several}. Name one: {label}:{stacks[0]}")


def _shown(name: str, header: Header) -> str:
    return f"{name} {list(header.shape)}"


def _labels_of(chosen: str, found: Mapping[str, Header]) -> str | None:
    """The array of labels that goes with one of images: y_train with x_train, labels with images."""
    taken = _STACK.fullmatch(chosen)
    rest = "" if taken is None else taken.group(2)
    pattern = re.compile(_NAMING + re.escape(rest), re.IGNORECASE)
    length = found[chosen].shape[:1]
    fitting = (
        name
        for name, header in found.items()
        if pattern.fullmatch(name) and header.shape == length and header.dtype.kind in "biuUS"
    )
    return next(fitting, None)


def _check_header(header: Header, label: str) -> None:
    """Refuse what is no stack of images before it is read."""
    shape = header.shape
    if header.dtype.kind == "O":
        raise DataError(refusal(label, ValueError("Object arrays")))
    if header.dtype.kind not in "biuf":
        raise DataError(f"{label} holds {header.dtype} values; images are numbers, such as grey levels from 0 to 255.")
    if len(shape) not in (3, 4) or not math.prod(shape):
        form = "×".join(str(length) for length in shape) or "a single value"
        raise DataError(
            f"{label} has the shape {form}; images have (images, height, width) or (images, height, width, channels)."
        )


def _checked(array: np.ndarray, label: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """A stack of images as the models take it, and what was changed; floats and 8-bit levels are not copied."""
    _check_header(Header(array.shape, array.dtype), label)
    notes = []
    if array.ndim == 4 and array.shape[1] in (1, 3) and array.shape[3] not in (1, 3, 4):
        array = np.moveaxis(array, 1, 3)
        notes.append(f"the channels came first, and were moved to the end: {list(array.shape)}")
    if array.dtype.kind == "b":
        array = array.view(np.uint8)
    low, high = span(array)
    if not math.isfinite(high - low):
        bad = next(place for place, image in enumerate(array) if not np.isfinite(image).any() or np.isinf(image).any())
        raise DataError(f"{label}: image {bad + 1} holds infinite values or none at all; correct it or leave it out.")
    if array.dtype.kind in "iu" and array.dtype != np.uint8:
        if low >= 0 and high <= 255:
            array = array.astype(np.uint8)
            notes.append("whole numbers from 0 to 255 are taken for 8-bit grey levels")
        else:
            array = array.astype(np.float32)
            notes.append(f"whole numbers from {low:,.0f} to {high:,.0f} are taken for real numbers")
    return array, tuple(notes)


def in_pixels(found: ImageSet, pixels: str) -> ImageSet:
    """Images in the values that a model was fitted to: shares as 8-bit levels, or levels as shares of 255."""
    own = found.pixels
    if pixels == "levels" and own == "shares" and found.images.dtype != np.uint8:
        note = "numbers from 0 to 1 were multiplied by 255, for the model was fitted to 8-bit grey levels"
        images = found.images.astype(np.float32) * np.float32(255)
    elif pixels == "shares" and own == "levels":
        note = "8-bit grey levels were divided by 255, for the model was fitted to numbers from 0 to 1"
        images = found.images.astype(np.float32) / np.float32(255)
    else:
        return found
    return dataclasses.replace(found, images=images, notes=(*found.notes, note))
