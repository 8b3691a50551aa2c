"""Small pictures of one shape each, drawn from known factors: to see whether a code finds them again."""

import math
from typing import NamedTuple

import numpy as np

SHAPES = ("square", "ellipse", "heart")
COLOURS = ("red", "yellow", "green", "cyan", "blue", "magenta")
RGB = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]], np.float32)
SIZES = np.linspace(0.15, 0.3, 6)
"""The square root of the shape's area, in sides of the picture."""
ANGLES = np.arange(40) * (2 * np.pi / 40)
PLACES = np.linspace(0.25, 0.75, 32)
"""Of the centre of mass, in sides of the picture: so that no shape is cut off."""
FINE = 5
"""A pixel is looked at in 5 × 5 places; its value is the share of them inside the shape."""
TOGETHER = 256

HEART_AREA = 1.0 + np.pi / 4
"""A square of side 1 and half-discs on two of its sides."""
HEART_CENTRE = float(np.pi / 8 * (0.5 + 2 / (3 * np.pi)) / HEART_AREA)
"""Of its mass, on both axes of the square, from the square's middle."""


class Sprites(NamedTuple):
    """Pictures and what they were drawn from.

    Attributes:
        images: ``(n, size, size)`` from 0 to 1, or ``(n, size, size, 3)`` in colour.
        factors: ``(n, 5 or 6)``, a column a name. Shape (and colour) are places in ``SHAPES`` (and ``COLOURS``); size
            is the square root of the area, x (to the right) and y (downwards) the centre of mass, all in sides of the
            picture; the angle is in radians, clockwise as it is shown.
        names: of the factors.
    """

    images: np.ndarray
    factors: np.ndarray
    names: tuple[str, ...]


def sprites(n: int, size: int = 32, *, colour: bool = False, random_state: int | None = None) -> Sprites:
    """Draw ``n`` small pictures of a square, an ellipse or a heart, after dSprites (Matthey et al. 2017).

    Factors are independent and uniform: 3 shapes, 6 sizes, 40 angles, 32 places on each axis, and 6 colours. All shapes
    of one size have one area, so that no factor can be read from another.

    Args:
        n: how many.
        size: pixels of a side.
        colour: whether the shapes are coloured.
        random_state: seed.

    Raises:
        ValueError: no pictures, or too small to show a shape.
    """
    if n < 1 or size < 8:
        raise ValueError(f"sprites need n of at least 1 and size of at least 8 pixels, got n={n} and size={size}")
    random = np.random.default_rng(random_state)
    columns = [
        random.integers(len(SHAPES), size=n),
        random.choice(SIZES, n),
        random.choice(ANGLES, n),
        random.choice(PLACES, n),
        random.choice(PLACES, n),
    ]
    hues = random.integers(len(COLOURS), size=n)  # drawn always, so that a seed gives the same shapes in colour
    factors = np.column_stack(columns).astype(np.float64)
    parts = [_drawn(factors[start : start + TOGETHER], size) for start in range(0, n, TOGETHER)]
    images = np.concatenate(parts)
    names: tuple[str, ...] = ("shape", "size", "angle", "x", "y")
    if colour:
        images = images[..., None] * RGB[hues][:, None, None, :]
        factors, names = np.column_stack([factors, hues]), (*names, "colour")
    return Sprites(images, factors, names)


def _drawn(factors: np.ndarray, size: int) -> np.ndarray:
    """The share of every pixel that lies inside its shape, ``(n, size, size)``."""
    fine = ((np.arange(size * FINE) + 0.5) / (size * FINE)).astype(np.float32)
    images = np.empty((factors.shape[0], size, size), np.float32)
    for kind, inside in enumerate((_square, _ellipse, _heart)):
        own = factors[:, 0] == kind
        scale, angle, x, y = factors[own, 1:].astype(np.float32).T[:, :, None, None]
        right, down = (fine[None, None, :] - x) / scale, (fine[None, :, None] - y) / scale
        cosine, sine = np.cos(angle), np.sin(angle)
        found = inside(cosine * right + sine * down, cosine * down - sine * right)
        images[own] = found.reshape(-1, size, FINE, size, FINE).mean(axis=(2, 4), dtype=np.float32)
    return images


# Each is a shape of area 1 with its centre of mass at 0.


def _square(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    return np.maximum(np.abs(u), np.abs(v)) <= 0.5


def _ellipse(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Twice as long as wide: half-axes b and 2b with ``2 π b² = 1``."""
    return 2 * np.pi * (u**2 / 4 + v**2) <= 1


def _heart(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Upright at angle 0: its tip, a corner of the square, points down."""
    grown = math.sqrt(HEART_AREA / 2)
    a, b = HEART_CENTRE + grown * (u - v), HEART_CENTRE - grown * (u + v)
    square = np.maximum(np.abs(a), np.abs(b)) <= 0.5
    return square | ((a - 0.5) ** 2 + b**2 <= 0.25) | (a**2 + (b - 0.5) ** 2 <= 0.25)
