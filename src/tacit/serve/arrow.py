"""Streams of Arrow from strangers: no promise of theirs is believed before it has been counted and checked."""

import io
import json
import struct
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.ipc as ipc

from tacit.serve.errors import HttpFault

_MARK = 0xFFFFFFFF
_DICTIONARY, _BATCH = 2, 3
MOST_COLUMNS = 10_000


def read_stream(content: bytes, most: int) -> pa.Table:
    """The table of a stream, all of whose buffers were checked.

    Raises:
        HttpFault: it is damaged, compressed (a few bytes may unfold to any number), or holds too much.
    """
    try:
        if any(_is_compressed(header) for header in _headers(content)):
            raise HttpFault(415, "the stream's buffers are compressed: send them as they are.")
        with ipc.open_stream(pa.py_buffer(content)) as reader:
            if len(reader.schema) > MOST_COLUMNS:
                raise HttpFault(413, f"the stream has {len(reader.schema)} columns.")
            batches, rows = [], 0
            for batch in reader:
                rows += batch.num_rows
                if rows > most:
                    raise HttpFault(413, f"more than {most} rows are too many for one request: send them in parts.")
                batches.append(batch)
            table = pa.Table.from_batches(batches, reader.schema)
            table.validate(full=True)
    except HttpFault:
        raise
    except (pa.ArrowException, ValueError, OSError, KeyError, struct.error, IndexError, MemoryError) as error:
        raise HttpFault(400, f"the body is no stream of Arrow: {str(error)[:200]}") from None
    if not table.num_rows:
        raise HttpFault(400, "there are no rows.")
    if len(set(table.column_names)) < table.num_columns:
        raise HttpFault(400, "a column occurs twice.")
    return table


def write_stream(table: pa.Table, notes: Sequence[str]) -> bytes:
    """A table as a stream; what is to be said of it stands in its metadata, under ``notes``."""
    table = table.replace_schema_metadata({"notes": json.dumps(list(notes))})
    sink = io.BytesIO()
    with ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _headers(content: bytes) -> Iterator[bytes]:
    """The flatbuffer of every message."""
    place = 0
    while place + 4 <= len(content):
        (size,) = struct.unpack_from("<I", content, place)
        place += 4
        if size == _MARK:
            (size,) = struct.unpack_from("<I", content, place)
            place += 4
        if size == 0:
            return
        header = content[place : place + size]
        if len(header) < size:
            raise ValueError("it ends within a message")
        yield header
        (length,) = struct.unpack_from("<q", header, found) if (found := _field(header, _root(header), 3)) else (0,)
        if length < 0:
            raise ValueError("a message has a negative length")
        place += size + length


def _is_compressed(header: bytes) -> bool:
    """Whether a message is a batch (or a dictionary of one) whose field ``compression`` is set."""
    root = _root(header)
    kind, body = _field(header, root, 1), _field(header, root, 2)
    if not kind or not body or header[kind] not in (_DICTIONARY, _BATCH):
        return False
    table = _table(header, body)
    if header[kind] == _DICTIONARY:
        data = _field(header, table, 1)
        if not data:
            return False
        table = _table(header, data)
    return bool(_field(header, table, 3))


def _root(header: bytes) -> int:
    return _table(header, 0)


def _table(header: bytes, place: int) -> int:
    return int(place + struct.unpack_from("<I", header, place)[0])


def _field(header: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffer's table lies; 0 where it is not set."""
    vtable = table - struct.unpack_from("<i", header, table)[0]
    if vtable < 0:
        raise ValueError("a message is damaged")
    (size,) = struct.unpack_from("<H", header, vtable)
    at = 4 + 2 * number
    offset = struct.unpack_from("<H", header, vtable + at)[0] if at + 2 <= size else 0
    return table + offset if offset else 0
