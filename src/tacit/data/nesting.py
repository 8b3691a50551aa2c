"""How deeply JSON is nested, found by a scan before any parser that calls itself at every level sees it."""

import numpy as np
import pyarrow as pa
from jaxtyping import Int, UInt8

from tacit.data.errors import DataError

DEEPEST = 64
"""Lists and objects inside one another that are read."""
_BLOCK = 1 << 20
_QUOTE, _BACKSLASH = ord('"'), ord("\\")


def check_nesting(stream: pa.NativeFile, label: str) -> None:
    """Refuse JSON with more than `DEEPEST` lists and objects inside one another.

    What stands between quotes does not count; where the text is no JSON at all, whoever parses it says so.

    Raises:
        DataError: how deep, and on which line.
    """
    depth, inside, escapes, line = 0, False, 0, 1
    while block := stream.read(_BLOCK):
        text = np.frombuffer(block, np.uint8)
        ends = _quotes(text, escapes)
        quoted = (np.cumsum(ends) + inside) % 2 == 1
        steps = np.where(quoted, 0, _steps(text))
        levels = depth + np.cumsum(steps)
        if levels.max() > DEEPEST:
            row = line + int(np.count_nonzero(text[: int(np.argmax(levels > DEEPEST))] == ord("\n")))
            raise DataError(
                f"{label}, line {row}: lists and objects are nested deeper than {DEEPEST} levels. A table has one "
                "value in a cell: flatten it, or leave that part out."
            )
        depth, inside = max(0, int(levels[-1])), bool(quoted[-1])
        line += int(np.count_nonzero(text == ord("\n")))
        other = np.flatnonzero(text != _BACKSLASH)
        escapes = escapes + text.size if not other.size else text.size - 1 - int(other[-1])


def _steps(text: UInt8[np.ndarray, " bytes"]) -> Int[np.ndarray, " bytes"]:
    """1 where something is opened, −1 where it is closed."""
    opened = (text == ord("{")) | (text == ord("["))
    closed = (text == ord("}")) | (text == ord("]"))
    return opened.astype(np.int64) - closed


def _quotes(text: UInt8[np.ndarray, " bytes"], escapes: int) -> Int[np.ndarray, " bytes"]:
    """1 where a quote begins or ends a text: one with an even number of backslashes right before it."""
    places = np.arange(text.size)
    last = np.maximum.accumulate(np.where(text != _BACKSLASH, places, -1 - escapes))
    before = np.append(-1 - escapes, last[:-1])  # the last byte before each that is no backslash
    run = places - 1 - before
    return ((text == _QUOTE) & (run % 2 == 0)).astype(np.int64)
