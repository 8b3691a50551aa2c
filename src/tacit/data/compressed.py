"""Files that are packed (gzip, bzip2, xz, zstd), as one stream of bytes to their very end."""

import bz2
import contextlib
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa

from tacit.data.errors import DataError, brief

Packing = Literal["gzip", "bz2", "xz", "zstd"]

_MAGIC: tuple[tuple[bytes, Packing], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
FAULTS = (
    OSError,
    EOFError,
    ValueError,
    OverflowError,
    NotImplementedError,
    zlib.error,
    lzma.LZMAError,
    pa.ArrowException,
)
"""What a stream or a file that is damaged makes the libraries raise, beside what says that memory ran out."""


def packing(head: bytes) -> Packing | None:
    """How a file is packed, by its first bytes; None where it is not."""
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def decompressed(path: Path) -> pa.NativeFile:
    """The unpacked bytes of a file as a stream; of several packed parts in a row all."""
    with path.open("rb") as file:
        packed = packing(file.read(8))
    if packed == "xz":
        return pa.PythonFile(lzma.open(path), mode="r")
    return pa.input_stream(str(path), compression=packed)


def inflated(data: bytes, label: str) -> bytes:
    """Bytes unpacked, all parts in a row; those that are not packed as they are.

    Raises:
        DataError: they are cut short or damaged, or something else follows.
    """
    packed = packing(data[:8])
    if packed is None:
        return data
    try:
        return _unpacked(data, packed)
    except FAULTS as error:
        raise DataError(
            f"{label} is not a whole {packed} file ({brief(error)}). Copy it again from its source."
        ) from None
    except MemoryError:
        raise DataError(f"{label} is too large for the memory of this machine once it is unpacked.") from None


def _unpacked(data: bytes, packed: Packing) -> bytes:
    match packed:
        case "gzip":
            return gzip.decompress(data)
        case "bz2":
            return bz2.decompress(data)
        case "xz":
            return lzma.decompress(data)
        case "zstd":
            with pa.CompressedInputStream(io.BytesIO(data), "zstd") as stream:
                return bytes(stream.read())


@contextlib.contextmanager
def said_plainly(label: str) -> Iterator[None]:
    """Give a plain sentence for a file that is cut or damaged."""
    try:
        yield
    except DataError:
        raise
    except FAULTS as error:
        raise DataError(f"{label} cannot be read ({brief(error)}).") from None
