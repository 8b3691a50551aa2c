"""What a run answers: a table, or stacks of images."""

import dataclasses
from collections.abc import Generator, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pyarrow as pa

LINE = 10
"""Images beside one another, where there is no shape that suggests itself."""
GAP = 2
"""White pixels between images."""
FIRST_ROWS = 20
"""Rows that a person is shown at most."""


@dataclasses.dataclass(frozen=True, eq=False)
class TableAnswer:
    """A table.

    Attributes:
        table: all of it.
        what: a row of it in words.
        shown: what a person is shown of it instead: another order, or rounded; at most `FIRST_ROWS` need be there.
        wrap: its last column, if the texts there are to be shown whole.
        remarks: what is to be said of it, in sentences.
    """

    table: pa.Table
    what: str = "row"
    shown: pa.Table | None = None
    wrap: str | None = None
    remarks: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class ImageAnswer:
    """Images.

    Attributes:
        stacks: arrays ``[images, height, width[, channels]]`` by name; a picture shows a line of each in turn, and the
            last is the answer proper.
        pixels: what the values are: "levels", "shares" or "numbers".
        columns: images in a line of a picture.
        gap: white pixels between them.
    """

    stacks: Mapping[str, np.ndarray]
    pixels: str
    columns: int = LINE
    gap: int = GAP


class Ending(NamedTuple):
    """What is known of a table once all of it was given.

    Attributes:
        shown: what a person is shown of it, at most `FIRST_ROWS`; None for its first rows.
        remarks: what is to be said of it, in sentences.
    """

    shown: pa.Table | None = None
    remarks: tuple[str, ...] = ()


class PartsAnswer:
    """A table that is given some rows at a time, and never held whole; it is gone through once.

    Args:
        parts: the rows in their order; what remains to be said is their generator's result.
        what, wrap: as those of a `TableAnswer`.
        number: how many rows there will be; None where nobody knows yet.
    """

    def __init__(
        self,
        parts: Generator[pa.Table, None, Ending],
        what: str = "row",
        wrap: str | None = None,
        number: int | None = None,
    ) -> None:
        self._parts, self.what, self.wrap, self.number = parts, what, wrap, number
        self.ending = Ending()

    def __iter__(self) -> Iterator[pa.Table]:
        self.ending = yield from self._parts


Answer = TableAnswer | ImageAnswer
