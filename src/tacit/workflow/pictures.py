"""Images as answers: in the units of the fit, and written as a picture (.png) or as arrays (.npz, .npy)."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from tacit.data.errors import counted
from tacit.data.write import replacing
from tacit.plots.images import span_of, tile, write_png
from tacit.plots.style import short_number
from tacit.workflow.answers import GAP, ImageAnswer
from tacit.workflow.errors import RequestError
from tacit.workflow.events import Observer
from tacit.workflow.opened import Opened
from tacit.workflow.sources import Rows

SIDE = 64
"""Pixels that the shorter side of an image is enlarged to, by whole factors, for a picture."""
SHOWN = 40
"""Images of a source that a picture shows where nobody says how many."""
ROUNDING = 1e-3
"""How far from a whole number a drawn level may be in 32 bits."""
LARGEST = 50_000_000
"""Pixels of a picture at most."""


def some(rows: Rows, observer: Observer) -> Rows:
    """As many images as a picture shows, spread evenly over the source."""
    if len(rows) <= SHOWN:
        return rows
    observer.note(f"{SHOWN} of {counted(len(rows), 'image')}, spread evenly.")
    return rows.pick(np.linspace(0, len(rows) - 1, SHOWN).round().astype(int))


def write_images(answer: ImageAnswer, out: str) -> tuple[str, ...]:
    """Write images, by the ending of the file: a picture, or arrays; an .npy file holds the last stack.

    Returns:
        What is to be said of it, in sentences.
    """
    path = Path(out).expanduser()
    last = list(answer.stacks.values())[-1]
    if path.suffix.lower() == ".png":
        span, said = _span(answer)
        picture = _picture(answer, span)
        with replacing(path) as file:
            write_png(file, picture)
        return (*said, f"A picture of {' × '.join(map(str, picture.shape[1::-1]))} pixels written to {out}.")
    with replacing(path) as file:
        if path.suffix.lower() == ".npy":
            np.save(file, last, allow_pickle=False)
        else:
            np.savez_compressed(file, **dict(answer.stacks))  # type: ignore[arg-type]
    shape = " × ".join(map(str, last.shape))
    return (f"{counted(len(last), 'image')} written to {out} ({last.dtype}, {shape}).",)


def in_units(opened: Opened, images: ArrayLike) -> np.ndarray:
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
    """By what an image is enlarged in a picture of so many; raises `RequestError` where they do not go into one."""
    if len(shape) == 3 and shape[2] not in (1, 3):
        raise RequestError(f"a picture has 1 or 3 channels, and these images have {shape[2]}; --out takes .npz.")
    pixels = number * math.prod(side + GAP for side in shape[:2])
    if pixels > LARGEST:
        raise RequestError(f"a picture of {counted(number, 'image')} is too large; --out takes .npz.")
    return max(1, min(SIDE // min(shape[:2]), math.isqrt(LARGEST // pixels)))


def _picture(answer: ImageAnswer, span: tuple[float, float]) -> np.ndarray:
    """All stacks in one grid: as many lines of each as there are, taken in turn."""
    stacks, gap = list(answer.stacks.values()), answer.gap
    number = len(stacks[0])
    columns = min(answer.columns, number)
    zoom = enlarged(stacks[0].shape[1:], number * len(stacks))
    parts: list[np.ndarray] = []
    for start in range(0, number, columns):
        for stack in stacks:
            line = tile(stack[start : start + columns], columns, span=span, gap=gap, zoom=zoom)
            between = gap if len(stacks) == 1 or stack is not stacks[0] else max(gap // 2, 0)
            parts += [line, np.full((between, *line.shape[1:]), 255, np.uint8)]
    return np.concatenate(parts[:-1])


def _span(answer: ImageAnswer) -> tuple[tuple[float, float], tuple[str, ...]]:
    """What is black and what white; and a sentence where it follows from the values alone."""
    if answer.pixels in ("levels", "shares"):
        return ((0.0, 255.0) if answer.pixels == "levels" else (0.0, 1.0)), ()
    low, high = span_of(*answer.stacks.values())
    return (low, high), (f"Black is {short_number(low, 4)} and white is {short_number(high, 4)}.",)
