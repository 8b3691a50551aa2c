"""One safetensors file: arrays, and a JSON document that says what they are, under a checksum.

Every file of tacit with arrays in it is such a container. Reading one parses JSON and copies bytes; nothing
in it is ever run. The document stands under the key ``tacit`` of the metadata as ``{"body", "sha256"}``.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from tacit.files import write_atomically
from tacit.storage.errors import ModelFileError

FORMAT = 2
"""The version of the format (2: lists of numbers as arrays). A reader takes this one and all before it."""
HEADER_LIMIT = 64 * 2**20
"""The longest header, in bytes, that is written or read."""

_KEY = "tacit"
DTYPES = {
    "BOOL": "bool",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
}
"""The types of arrays that are stored, by their names in the file."""
_ADVICE = {
    "model": "Copy it again from its source, or fit and save the model again.",
    "checkpoint": "Delete it to start that fit anew.",
    "arrays": "Copy it again from its source, or repeat the run.",
}
_MAKERS = {
    "model": "give a file made by tacit.save or `tacit fit`",
    "checkpoint": "delete it to start that fit anew",
    "arrays": "give the file of a run folder made by `tacit fit`",
}
_FOREIGN = {
    b"PK": "a zip archive (an .npz, a spreadsheet or a model of another library)",
    b"\x80": "a Python pickle, which tacit never opens because that could run code",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy .npy file",
    b"\x1f\x8b": "a gzip file",
    b"PAR1": "a Parquet file",
    b"{": "a JSON text",
    b"<": "an HTML or XML text",
}


def write(path: Path, kind: str, body: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write a container atomically; the same content gives the same bytes.

    Args:
        path: where to.
        kind: what the file is: "model", "checkpoint" or "arrays".
        body: JSON values, without NaN or infinities.
        arrays: of the types in `DTYPES`.

    Raises:
        ValueError: the document is longer than `HEADER_LIMIT`.
        OSError: the file cannot be written.
    """
    native = {name: _native(array) for name, array in arrays.items()}
    full = {"format": FORMAT, "kind": kind, **body}
    document = json.dumps({"body": full, "sha256": _checksum(full, native)}, allow_nan=False)
    data = to_bytes(native, metadata={_KEY: document})
    if int.from_bytes(data[:8], "little") > HEADER_LIMIT:
        raise ValueError(
            f"cannot write {str(path)!r}: its description is longer than {HEADER_LIMIT:,} bytes "
            "(very long lists of texts or numbers outside arrays)."
        )
    write_atomically(path, data)


def read(path: Path, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The document and the arrays of a container.

    Raises:
        ModelFileError: what is wrong with the file, and what to do.
        OSError: there is no such file, or it may not be read.
    """
    _check_start(path, kind)
    try:
        with safe_open(path, framework="numpy") as file:
            document = (file.metadata() or {}).get(_KEY)
            if document is None:
                raise ModelFileError(
                    f"{str(path)!r} is a safetensors file, but not one that tacit wrote: {_MAKERS[kind]}."
                )
            body, checksum = _document(path, document, kind)
            arrays = {name: _array(path, file, name, kind) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise damaged(path, str(error), kind) from None
    if checksum != _checksum_or_none(body, arrays):
        raise damaged(path, "its content does not match its checksum", kind)
    return body, arrays


def damaged(path: Path, why: str, kind: str = "model") -> ModelFileError:
    """The error for a file that was once sound, or was made to look like one of ours."""
    return ModelFileError(f"{str(path)!r} is damaged or was not written by tacit: {why}. {_ADVICE[kind]}")


def _native(array: np.ndarray) -> np.ndarray:
    """The same values, contiguous in C order and in the byte order of the file (little-endian)."""
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _check_start(path: Path, kind: str) -> None:
    """Refuse by the first bytes what cannot be a container, before anything of it is parsed."""
    if path.exists() and not path.is_file():
        raise ModelFileError(f"{str(path)!r} is not a file: {_MAKERS[kind]}.")
    with path.open("rb") as file:
        start = file.read(9)
        size = file.seek(0, 2)
    if not start:
        raise ModelFileError(f"{str(path)!r} is empty: {_MAKERS[kind]}.")
    header = int.from_bytes(start[:8], "little")
    if size < 9 or start[8:] != b"{" or header > size - 8:
        for mark, what in _FOREIGN.items():
            if start.startswith(mark) and not (start[8:] == b"{" and header <= 2**32):
                raise ModelFileError(f"{str(path)!r} is {what}, not a {kind} of tacit: {_MAKERS[kind]}.")
        if start[8:] not in (b"{", b""):
            raise ModelFileError(f"{str(path)!r} is not a safetensors file: {_MAKERS[kind]}.")
        why = f"it says that its header has {header:,} bytes, and the whole file has {size:,}"
        raise damaged(path, why, kind)
    if header > HEADER_LIMIT:
        why = f"its header claims {header:,} bytes, and at most {HEADER_LIMIT:,} are read"
        raise damaged(path, why, kind)


def _document(path: Path, text: str, kind: str) -> tuple[dict[str, Any], str]:
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise damaged(path, f"its description cannot be read ({reason})", kind) from None
    body = document.get("body") if isinstance(document, dict) else None
    if not isinstance(body, dict) or not isinstance(document.get("sha256"), str):
        raise damaged(path, "its description lacks a body or a checksum", kind)
    version = body.get("format")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise damaged(path, f"it names no format version (found {version!r:.40})", kind)
    if version > FORMAT:
        writer = body.get("versions")
        by = f" by tacit {writer['tacit']!s:.20}" if isinstance(writer, dict) and "tacit" in writer else ""
        raise ModelFileError(
            f"{str(path)!r} was written{by} in format {version}, and this tacit reads formats up to "
            f"{FORMAT}: update tacit (pip install --upgrade tacit)."
        )
    if body.get("kind") != kind:
        raise ModelFileError(f"{str(path)!r} holds {body.get('kind')!r:.40} of tacit, not {kind!r}.")
    return body, document["sha256"]


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _array(path: Path, file: Any, name: str, kind: str) -> np.ndarray:
    dtype = file.get_slice(name).get_dtype()
    if dtype not in DTYPES:
        raise damaged(path, f"array {name!r:.80} has the type {dtype}, which tacit does not store", kind)
    try:
        # an own copy: aligned, writable, and independent of the file
        return np.array(file.get_tensor(name), order="C")
    except (ValueError, OverflowError) as error:  # such as more axes than an array can have
        raise damaged(path, f"array {name!r:.80} cannot be made ({error})", kind) from None


def _checksum(body: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    found = hashlib.sha256(json.dumps(body, allow_nan=False).encode("ascii"))
    for name in sorted(arrays):
        array = arrays[name]
        found.update(f"\n{name!a} {array.dtype.name} {array.shape}\n".encode("ascii"))
        found.update(array.data if array.size else b"")
    return found.hexdigest()


def _checksum_or_none(body: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str | None:
    """The checksum of what was read; None where it holds numbers that we never write (1e999 is infinity)."""
    try:
        return _checksum(body, arrays)
    except (ValueError, RecursionError):
        return None
