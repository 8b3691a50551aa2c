"""Images tiled into one picture, and written as PNG: plain arrays of 8-bit levels, no figure around them."""

import math
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image

PAPER_LEVEL = 255
"""What lies between the images, and where there is none."""


def span_of(*stacks: Shaped[np.ndarray, "..."]) -> tuple[float, float]:
    """What is drawn black and what white: 0 to 255 for 8-bit levels, 0 to 1 for shares, else the range of the values.

    8-bit levels of which none is above 1 count as shares: they are masks.
    """
    filled = [stack for stack in stacks if stack.size]
    low = min((float(np.fmin.reduce(stack, axis=None)) for stack in filled), default=0.0)
    high = max((float(np.fmax.reduce(stack, axis=None)) for stack in filled), default=1.0)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    if all(stack.dtype == np.uint8 for stack in filled):
        return 0.0, 255.0
    return (low, high) if math.isfinite(high - low) and high > low else (0.0, 1.0)


def grey_levels(images: Shaped[np.ndarray, "..."], span: tuple[float, float] | None = None) -> UInt8[np.ndarray, "..."]:
    """Values as 8-bit levels: the lower end of the span black, the upper white; beyond it cut, gaps mid-grey."""
    low, high = span_of(images) if span is None else span
    if images.dtype == np.uint8 and (low, high) == (0.0, 255.0):
        return images
    shares = (images.astype(np.float32) - low) / (high - low)
    return np.round(255.0 * np.clip(np.nan_to_num(shares, nan=0.5, posinf=1.0, neginf=0.0), 0.0, 1.0)).astype(np.uint8)


def tile(
    images: Shaped[np.ndarray, "images height width *channels"],
    columns: int,
    *,
    span: tuple[float, float] | None = None,
    gap: int = 2,
    zoom: int = 1,
) -> UInt8[np.ndarray, "down across *colours"]:
    """Images side by side in lines, as one image of 8-bit levels.

    Args:
        images: at least one; grey, or with one or three channels on the last axis.
        columns: images in a line.
        span: the values that are drawn black and white; None takes those of `span_of`.
        gap: white pixels between neighbours.
        zoom: pixels a side that stand for one of an image.

    Raises:
        ValueError: another number of channels.
    """
    if images.ndim == 4 and images.shape[3] not in (1, 3):
        raise ValueError(f"a picture has 1 or 3 channels, and these images have {images.shape[3]}")
    levels = grey_levels(images[..., 0] if images.ndim == 4 and images.shape[3] == 1 else images, span)
    levels = levels.repeat(zoom, axis=1).repeat(zoom, axis=2)
    number, height, width = levels.shape[:3]
    lines = -(-number // columns)
    whole = (lines * (height + gap) - gap, columns * (width + gap) - gap, *levels.shape[3:])
    picture = np.full(whole, PAPER_LEVEL, np.uint8)
    for place, image in enumerate(levels):
        top, left = (place // columns) * (height + gap), (place % columns) * (width + gap)
        picture[top : top + height, left : left + width] = image
    return picture


def write_png(destination: Path | BinaryIO, picture: UInt8[np.ndarray, "height width *channels"]) -> None:
    """Write one image of 8-bit levels, grey or with three channels, to a path or an open file."""
    Image.fromarray(np.ascontiguousarray(picture)).save(destination, format="PNG", optimize=True)
