"""Files of networks: the format by the ending of the name, packed with gzip or not."""

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tacit.data.errors import DataError, brief, nearest
from tacit.data.network_endings import ending_of
from tacit.data.network_files.bif import read_bif, write_bif
from tacit.data.network_files.hugin import read_net, write_net
from tacit.data.network_files.tables import NetworkTables
from tacit.data.network_files.uai import read_uai, write_uai
from tacit.data.network_files.xml_files import read_xml, write_xmlbif
from tacit.files import replacing

MOST_BYTES = 2**27
"""The longest text that is read, unpacked: a small packed file can hold far more than there is memory."""
_PIECE = 1 << 20

_READERS: dict[str, Callable[[bytes], NetworkTables]] = {
    ".bif": lambda data: read_bif(_text(data)),
    ".net": lambda data: read_net(_text(data)),
    ".uai": lambda data: read_uai(_text(data)),
    ".xml": read_xml,
    ".xmlbif": read_xml,
    ".bifxml": read_xml,
    ".xdsl": read_xml,
}
_WRITERS: dict[str, Callable[[NetworkTables], Iterator[str]]] = {
    ".bif": write_bif,
    ".net": write_net,
    ".uai": write_uai,
    ".xml": write_xmlbif,
    ".xmlbif": write_xmlbif,
    ".bifxml": write_xmlbif,
}


def read_network_tables(path: str | Path) -> NetworkTables:
    """Read a network of discrete nodes: .bif, .xml (XMLBIF, XDSL), .xdsl, .net (Hugin) or .uai, each also .gz.

    Raises:
        DataError: the file is none of these or damaged; the message names it, the line and what was expected there.
        OSError: the file cannot be opened.
    """
    path = Path(path)
    reader = _READERS.get(ending_of(path))
    if reader is None:
        raise DataError(f"{_named(path)}: {_unknown(path, _READERS)}")
    data = _bytes(path)
    try:
        return reader(data)
    except DataError as error:
        raise DataError(f"{_named(path)}: {error}") from None


def write_network_tables(network: NetworkTables, path: str | Path) -> None:
    """Write a network; the format by the ending of the name: .bif, .xml (XMLBIF), .net (Hugin) or .uai, each also .gz.

    Numbers keep all their digits. UAI has no names: nodes and levels come back as numbers.

    Raises:
        DataError: the ending is another, or the format has no way to write a name.
        OSError: the file cannot be written; one that was there is then as it was.
    """
    path = Path(path)
    writer = _WRITERS.get(ending_of(path))
    if writer is None:
        raise DataError(f"{_named(path)}: {_unknown(path, _WRITERS)}")
    with replacing(path) as file:
        if path.name.lower().endswith(".gz"):
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                for piece in writer(network):
                    packed.write(piece.encode("utf-8"))
        else:
            for piece in writer(network):
                file.write(piece.encode("utf-8"))


def _unknown(path: Path, known: Mapping[str, Callable[..., object]]) -> str:
    ending = ending_of(path)
    return (
        f"the ending {ending!r} is not one of a network file: {', '.join(known)}, each also with .gz."
        f"{nearest(ending, list(known))}"
    )


def _named(path: Path) -> str:
    return repr(path.name)


def _bytes(path: Path) -> bytes:
    """What a file holds, unpacked by its first bytes and not past the longest text that is read."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file) if packed else file
        pieces: list[bytes] = []
        left = MOST_BYTES
        try:
            while piece := stream.read(_PIECE):
                pieces.append(piece)
                left -= len(piece)
                if left < 0:
                    raise DataError(
                        f"{_named(path)} holds more than {MOST_BYTES:,} bytes of text; no network is so large."
                    )
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise DataError(f"{_named(path)} is cut short or damaged ({brief(error)}). Copy it again.") from None
    return b"".join(pieces)


def _text(data: bytes) -> str:
    """Text in UTF-8 (or UTF-16 with its mark), else as Windows writes western letters."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if b"\x00" in data:
        raise DataError("this is no text (it has zero bytes).")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
