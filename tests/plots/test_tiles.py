"""Tiles of images: every pixel where it belongs, and a PNG that reads back to the same."""

import io

import numpy as np
import pytest
from PIL import Image

from tacit.plots.tiles import grey_limits, png_bytes, shades, tile


def test_images_lie_side_by_side_with_white_between():
    images = np.arange(3 * 2 * 2, dtype=np.uint8).reshape(3, 2, 2) * 10
    whole = tile(images, 2)
    expected = [
        [0, 10, 255, 40, 50],
        [20, 30, 255, 60, 70],
        [255, 255, 255, 255, 255],
        [80, 90, 255, 255, 255],
        [100, 110, 255, 255, 255],
    ]
    np.testing.assert_array_equal(whole, expected)
    np.testing.assert_array_equal(tile(images, 3, 0), np.concatenate(list(images), axis=1))


@pytest.mark.parametrize("shape", [(6, 4, 3), (6, 4, 3, 3), (6, 4, 3, 1)])
def test_the_png_decodes_to_the_tile(shape):
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    whole = tile(images, 4, 2)
    decoded = np.asarray(Image.open(io.BytesIO(png_bytes(whole))))
    np.testing.assert_array_equal(decoded, whole)
    np.testing.assert_array_equal(decoded[:4, :3], images[0].squeeze())
    assert decoded.shape == (2 * 4 + 2, 4 * 3 + 3 * 2, *((3,) if shape[-1] == 3 and len(shape) == 4 else ()))
    assert png_bytes(whole) == png_bytes(whole.copy())


def test_values_become_levels_between_their_limits():
    share = np.array([[[0.0, 0.5], [1.0, np.nan]]])
    np.testing.assert_array_equal(shades(share), [[[0, 128], [255, 128]]])
    np.testing.assert_array_equal(shades(np.array([[[-4.0, 0.0, 5.0]]]), (-2.0, 2.0)), [[[0, 128, 255]]])
    np.testing.assert_array_equal(shades(np.array([[[0, 1]]], np.uint8)), [[[0, 255]]])
    np.testing.assert_array_equal(shades(np.array([[[0, 7, 255]]], np.uint8)), [[[0, 7, 255]]])
    two = np.array([[[[10, 30], [250, 0]]]], np.uint8)
    np.testing.assert_array_equal(shades(two, (0.0, 255.0)), [[[20, 125]]])


@pytest.mark.parametrize(
    ("values", "limits"),
    [([0.0, 0.3], (0.0, 1.0)), ([-3.0, 7.0], (-3.0, 7.0)), ([5.0, 5.0], (5.0, 6.0)), ([np.nan], (0.0, 1.0))],
)
def test_limits(values, limits):
    assert grey_limits(np.array(values)) == limits


def test_limits_of_levels():
    assert grey_limits(np.array([3, 200], np.uint8)) == (0.0, 255.0)
    assert grey_limits(np.array([0, 1], np.uint8)) == (0.0, 1.0)
