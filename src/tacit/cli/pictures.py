"""Images that commands give: a picture as .png, or the arrays themselves as .npz or .npy."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tacit.cli import talk
from tacit.cli.failures import UsageFault
from tacit.cli.opened import Opened
from tacit.cli.sources import Rows
from tacit.data.errors import counted
from tacit.data.write import replacing
from tacit.plots.images import span_of, tile, write_png
from tacit.plots.style import short_number

ENDINGS = (".png", ".npz", ".npy")
SIDE = 64
"""Pixels that the shorter side of an image is enlarged to, by whole factors, for a picture."""
GAP = 2
"""White pixels between images."""
LINE = 10
"""Images beside one another, where there is no shape that suggests itself."""
SHOWN = 40
"""Images of a source that a picture shows where nobody says how many."""
ROUNDING = 1e-3
"""How far from a whole number a drawn level may be in 32 bits."""
LARGEST = 50_000_000
"""Pixels of a picture at most."""


def check(out: str | None, form: str | None, what: str) -> None:
    """Refuse a place where images cannot go, before any work is done."""
    if form is not None:
        raise UsageFault(f"--format is for tables, and this gives images; end --out in {' or '.join(ENDINGS)}.")
    if out is None or Path(out).suffix.lower() not in ENDINGS:
        said = "images need a file" if out is None else f"images cannot be written to {out!r}"
        raise UsageFault(f"{said}: --out {what}.png for a picture, --out {what}.npz for the numbers.")


def is_picture(out: str | None) -> bool:
    """Whether a picture is asked for rather than arrays."""
    return out is not None and out.lower().endswith(".png")


def some(rows: Rows) -> Rows:
    """As many images as a picture shows, spread evenly over the source."""
    if len(rows) <= SHOWN:
        return rows
    talk.remark(f"{SHOWN} of {counted(len(rows), 'image')}, spread evenly.")
    return rows.pick(np.linspace(0, len(rows) - 1, SHOWN).round().astype(int))


def give(
    opened: Opened,
    stacks: Mapping[str, np.ndarray],
    out: str,
    columns: int,
    *,
    gap: int = GAP,
) -> None:
    """Write images.

    Args:
        opened: the run, which knows what the values are.
        stacks: arrays of images by the names they have in an .npz file; a picture shows a line of each in turn, and an
            .npy file holds the last.
        out: the file.
        columns: images in a line of a picture.
        gap: white pixels between them.
    """
    path = Path(out).expanduser()
    last = list(stacks.values())[-1]
    if path.suffix.lower() == ".png":
        picture = _picture(opened, list(stacks.values()), columns, gap)
        with replacing(path) as file:
            write_png(file, picture)
        talk.remark(f"A picture of {' × '.join(map(str, picture.shape[1::-1]))} pixels written to {out}.")
        return
    with replacing(path) as file:
        if path.suffix.lower() == ".npy":
            np.save(file, last, allow_pickle=False)
        else:
            np.savez_compressed(file, **dict(stacks))  # type: ignore[arg-type]
    shape = " × ".join(map(str, last.shape))
    talk.remark(f"{counted(len(last), 'image')} written to {out} ({last.dtype}, {shape}).")


def in_units(opened: Opened, images: Any) -> np.ndarray:
    """What a model gives, in the values that it was fitted to: 8-bit levels where all of them are whole."""
    values = np.asarray(images, np.float32)
    if opened.pixels != "levels":
        return values
    if opened.estimator.get_params(deep=False).get("binarize") is not None:
        values = values * np.float32(255)  # black and white pixels are modelled as 0 and 1
    levels = np.round(values)
    whole = bool((np.abs(values - levels) < ROUNDING).all()) and levels.min() >= 0 and levels.max() <= 255
    return levels.astype(np.uint8) if whole else values


def enlarged(shape: tuple[int, ...], number: int) -> int:
    """By what an image is enlarged in a picture of so many; raises `UsageFault` where they do not go into one."""
    if len(shape) == 3 and shape[2] not in (1, 3):
        raise UsageFault(f"a picture has 1 or 3 channels, and these images have {shape[2]}; --out takes .npz.")
    pixels = number * math.prod(side + GAP for side in shape[:2])
    if pixels > LARGEST:
        raise UsageFault(f"a picture of {counted(number, 'image')} is too large; --out takes .npz.")
    return max(1, min(SIDE // min(shape[:2]), math.isqrt(LARGEST // pixels)))


def _picture(opened: Opened, stacks: list[np.ndarray], columns: int, gap: int) -> np.ndarray:
    """All stacks in one grid: as many lines of each as there are, taken in turn."""
    number = len(stacks[0])
    columns = min(columns, number)
    zoom = enlarged(stacks[0].shape[1:], number * len(stacks))
    span = _span(opened, stacks)
    parts: list[np.ndarray] = []
    for start in range(0, number, columns):
        for stack in stacks:
            line = tile(stack[start : start + columns], columns, span=span, gap=gap, zoom=zoom)
            between = gap if len(stacks) == 1 or stack is not stacks[0] else max(gap // 2, 0)
            parts += [line, np.full((between, *line.shape[1:]), 255, np.uint8)]
    return np.concatenate(parts[:-1])


def _span(opened: Opened, stacks: list[np.ndarray]) -> tuple[float, float]:
    """What is black and what white; said where it follows from the values alone."""
    if opened.pixels in ("levels", "shares"):
        return (0.0, 255.0) if opened.pixels == "levels" else (0.0, 1.0)
    low, high = span_of(*stacks)
    talk.remark(f"Black is {short_number(low, 4)} and white is {short_number(high, 4)}.")
    return low, high
