"""Many small images as one, and its PNG bytes: every pixel of a model's picture stays a pixel."""

import io
import math

import numpy as np
from jaxtyping import Num, UInt8
from PIL import Image

from tacit.compute import Array

GAP = 255
"""White, between the images."""
MISSING = 128
"""What stands for a missing pixel."""


def shades(
    images: Num[Array, "images height width *channels"], limits: tuple[float, float] | None = None
) -> UInt8[np.ndarray, "images height width *colours"]:
    """Values as levels from 0 to 255: grey, or three channels of colour; other numbers of channels are averaged.

    Args:
        images: Of any numbers, NaN where missing.
        limits: What is shown as black and as white; values beyond are cut. By default 0 and 255 for levels (uint8), 0
            and 1 for numbers that all lie between, else the smallest and the largest.
    """
    values = np.asarray(images)
    if values.ndim == 4 and values.shape[3] != 3:
        values = values[..., 0] if values.shape[3] == 1 else values.mean(axis=3)
    low, high = limits if limits is not None else grey_limits(values)
    if values.dtype == np.uint8 and (low, high) == (0.0, 255.0):
        return values
    share = (values.astype(np.float64) - low) / (high - low)
    levels = np.rint(255.0 * np.clip(share, 0.0, 1.0))
    return np.where(np.isnan(levels), MISSING, levels).astype(np.uint8)


def grey_limits(images: Num[Array, "..."]) -> tuple[float, float]:
    """What is shown as black and as white: 0 and 255, 0 and 1, or the smallest and the largest value."""
    values = np.asarray(images)
    seen = values[np.isfinite(values)]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    if low >= 0.0 and high <= 1.0:
        return 0.0, 1.0
    if values.dtype == np.uint8:
        return 0.0, 255.0
    return (low, high) if high > low else (low, low + 1.0)


def tile(
    images: Num[Array, "images height width *channels"],
    columns: int,
    gap: int = 1,
    *,
    limits: tuple[float, float] | None = None,
) -> UInt8[np.ndarray, "high wide *colours"]:
    """Images side by side, line by line, with white between them.

    Args:
        images: All of one size.
        columns: Images in a line.
        gap: Pixels between two images.
        limits: What is shown as black and as white, as in `shades`.
    """
    levels = shades(images, limits)
    count, height, width = levels.shape[:3]
    columns = max(1, min(columns, count))
    lines = max(1, math.ceil(count / columns))
    shape = (lines * (height + gap) - gap, columns * (width + gap) - gap, *levels.shape[3:])
    whole = np.full(shape, GAP, np.uint8)
    for number, image in enumerate(levels):
        down, across = number // columns * (height + gap), number % columns * (width + gap)
        whole[down : down + height, across : across + width] = image
    return whole


def png_bytes(levels: UInt8[np.ndarray, "high wide *channels"]) -> bytes:
    """An image as a PNG file, grey or in colour; the same image gives the same bytes."""
    stream = io.BytesIO()
    Image.fromarray(levels).save(stream, format="PNG", optimize=True)
    return stream.getvalue()
