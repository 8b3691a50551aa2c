"""Images side by side: places, grey levels, and the file that comes of it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tacit.plots import tile, write_png
from tacit.plots.images import grey_levels, span_of


def test_every_image_has_its_place_and_paper_is_between() -> None:
    images = np.arange(5, dtype=np.uint8)[:, None, None] * np.ones((5, 2, 3), np.uint8) + np.uint8(10)
    picture = tile(images, 3, gap=1)
    expected = np.full((5, 11), 255)
    for place, (top, left) in enumerate([(0, 0), (0, 4), (0, 8), (3, 0), (3, 4)]):
        expected[top : top + 2, left : left + 3] = 10 + place
    np.testing.assert_array_equal(picture, expected)


def test_zoom_and_colour() -> None:
    images = np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)
    picture = tile(images, 2, gap=0, zoom=2)
    assert picture.shape == (4, 8, 3)
    np.testing.assert_array_equal(picture[::2, ::2], np.concatenate(list(images), axis=1))
    np.testing.assert_array_equal(picture[1::2, 1::2], picture[::2, ::2])
    np.testing.assert_array_equal(tile(images[..., :1], 2), tile(images[..., 0], 2))
    with pytest.raises(ValueError, match="these images have 2"):
        tile(images[..., :2], 1)


@pytest.mark.parametrize(
    ("values", "span", "levels"),
    [
        (np.array([0, 7, 255], np.uint8), (0, 255), [0, 7, 255]),
        (np.array([0, 1, 1], np.uint8), (0, 1), [0, 255, 255]),
        (np.array([0.0, 0.2, 1.0]), (0, 1), [0, 51, 255]),
        (np.array([-1.0, 0.0, 4.0], np.float32), (-1, 4), [0, 51, 255]),
        (np.array([0.0, np.nan, 1.0]), (0, 1), [0, 128, 255]),
        (np.array([3.0, 3.0, 3.0]), (0, 1), [255, 255, 255]),
    ],
)
def test_values_become_grey_levels(values: np.ndarray, span: tuple[float, float], levels: list[int]) -> None:
    assert span_of(values) == span
    np.testing.assert_array_equal(grey_levels(values), levels)


def test_a_span_cuts_what_lies_beyond() -> None:
    np.testing.assert_array_equal(grey_levels(np.array([-9.0, 0.5, 9.0]), (0.0, 1.0)), [0, 128, 255])


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3)])
def test_a_png_is_what_was_written(tmp_path: Path, shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    write_png(tmp_path / "a.png", picture)
    stream = io.BytesIO()
    write_png(stream, picture)
    assert stream.getvalue() == (tmp_path / "a.png").read_bytes()
    np.testing.assert_array_equal(np.asarray(Image.open(stream)), picture)
