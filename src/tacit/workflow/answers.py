"""What a run answers: a table, or stacks of images."""

import dataclasses
from collections.abc import Mapping

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


Answer = TableAnswer | ImageAnswer
