"""Bodies of requests and answers: JSON and Arrow, read with suspicion."""

import dataclasses
import json
import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from tacit.serve import arrow
from tacit.serve.errors import HttpFault

JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"


@dataclasses.dataclass(frozen=True, eq=False)
class Body:
    """What a body held.

    Attributes:
        table: the rows, or None where it held none.
        said: what stood beside them.
    """

    table: pa.Table | None
    said: Mapping[str, Any]


def read_body(content: bytes, kind: str, most: int) -> Body:
    """Rows and options of a body.

    Args:
        content: it.
        kind: its media type.
        most: rows that are taken.

    Raises:
        HttpFault: it is not what it says, or too much.
    """
    if not content:
        return Body(None, {})
    if kind == ARROW:
        return Body(arrow.read_stream(content, most), {})
    if kind not in ("", JSON):
        raise HttpFault(415, f"rows come as {JSON} or {ARROW}, not as {kind[:60]!r}.")
    document = _parsed(content)
    if isinstance(document, list):
        return Body(_table(document, None, most), {})
    if not isinstance(document, dict):
        raise HttpFault(400, 'the body is a JSON object such as {"rows": [{"column": 1.5}]}, or a list of rows.')
    rows, columns = document.pop("rows", None), document.pop("columns", None)
    if rows is None and columns is not None:
        raise HttpFault(400, "there are columns and no rows.")
    return Body(None if rows is None else _table(rows, columns, most), document)


def _no_number(word: str) -> None:
    raise HttpFault(400, f"{word} is no JSON; a missing value is null.")


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8"), parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise HttpFault(400, f"the body is not UTF-8 (byte {error.start}).") from None
    except RecursionError:
        raise HttpFault(400, "the body is nested too deeply.") from None
    except ValueError as error:
        raise HttpFault(400, f"the body is not JSON: {str(error)[:200]}.") from None


def _table(rows: object, columns: object, most: int) -> pa.Table:
    """Rows as objects, or as lists under the names of ``columns``."""
    if not isinstance(rows, list):
        raise HttpFault(400, '"rows" is a list of objects, or of lists beside "columns".')
    if len(rows) > most:
        raise HttpFault(413, f"{len(rows)} rows are too many for one request, which takes {most}: send them in parts.")
    if not rows:
        raise HttpFault(400, "there are no rows.")
    if columns is not None:
        return _listed(rows, columns)
    names: dict[str, None] = {}
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            raise HttpFault(400, f"row {place + 1} is no object of values by column.")
        if row.keys() - names.keys():
            names.update(dict.fromkeys(row))
    if not names:
        raise HttpFault(400, "the rows hold no columns.")
    return pa.table({name: _column(name, [row.get(name) for row in rows]) for name in names})


def _listed(rows: Sequence[Any], columns: object) -> pa.Table:
    if not isinstance(columns, list) or not columns or not all(isinstance(name, str) for name in columns):
        raise HttpFault(400, '"columns" is a list of names.')
    if len(set(columns)) < len(columns):
        raise HttpFault(400, '"columns" has a name twice.')
    for place, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(columns):
            raise HttpFault(400, f"row {place + 1} is no list of {len(columns)} values, as columns has.")
    return pa.table({name: _column(name, [row[at] for row in rows]) for at, name in enumerate(columns)})


def _column(name: str, values: list[Any]) -> pa.Array:
    """Values of one kind; whole numbers beside broken ones are numbers."""
    kinds = set(map(type, values)) - {type(None)}
    try:
        if kinds <= {int} or kinds <= {str} or kinds <= {bool}:
            return pa.array(values, None if kinds else pa.null())
        if kinds <= {int, float}:
            return pa.array([None if value is None else float(value) for value in values], pa.float64())
    except (pa.ArrowException, OverflowError):
        raise HttpFault(400, f"column {name[:60]!r} has a whole number that is too large.") from None
    except UnicodeError:
        raise HttpFault(400, f"column {name[:60]!r} has a text that is no Unicode.") from None
    for place, value in enumerate(values):
        if type(value) in (dict, list):
            raise HttpFault(400, f"column {name[:60]!r}, row {place + 1}: {_WORDS[type(value)]} is no value of a cell.")
    firsts = sorted(((list(map(type, values)).index(kind), kind) for kind in kinds), key=operator.itemgetter(0))
    told = " and ".join(f"{_WORDS[kind]} (row {place + 1})" for place, kind in firsts[:3])
    raise HttpFault(400, f"column {name[:60]!r} holds values of several kinds: {told}.")


_WORDS = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", int: "a number", float: "a number"}


def written(table: pa.Table, notes: Sequence[str], kind: str) -> bytes:
    """An answer as a body; of JSON, infinities are the words "inf" and "-inf", and what is no number is null."""
    if kind == ARROW:
        return arrow.write_stream(table, notes)
    columns = [[_plain(value) for value in column.to_pylist()] for column in table.columns]
    names = table.column_names
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return json.dumps({"rows": rows, "notes": list(notes)}, allow_nan=False, default=str).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
