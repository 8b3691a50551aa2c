"""Drawn pictures against the factors they are drawn from."""

import numpy as np
import pytest

from tacit.datasets import sprites
from tacit.datasets.shapes import ANGLES, COLOURS, PLACES, RGB, SHAPES, SIZES


def test_areas_and_centres_are_those_of_the_factors() -> None:
    found = sprites(300, 64, random_state=0)
    assert found.images.shape == (300, 64, 64)
    assert found.names == ("shape", "size", "angle", "x", "y")
    shape, scale, _, x, y = found.factors.T
    assert set(shape) == set(range(len(SHAPES)))
    assert 0 <= found.images.min() < found.images.max() == 1
    mass = found.images.sum(axis=(1, 2))
    place = (np.arange(64) + 0.5) / 64
    np.testing.assert_allclose(np.sqrt(mass) / 64, scale, rtol=0.02)
    np.testing.assert_allclose((found.images * place).sum(axis=(1, 2)) / mass, x, atol=2e-3)
    np.testing.assert_allclose((found.images * place[:, None]).sum(axis=(1, 2)) / mass, y, atol=2e-3)
    for column, values in zip(found.factors.T[1:], (SIZES, ANGLES, PLACES, PLACES), strict=True):
        assert set(column) <= set(values)


def test_an_ellipse_lies_along_its_angle() -> None:
    found = sprites(150, 64, random_state=1)
    ellipses = found.factors[:, 0] == SHAPES.index("ellipse")
    place = (np.arange(64) + 0.5) / 64
    for image, (_, scale, angle, x, y) in zip(found.images[ellipses], found.factors[ellipses], strict=True):
        right, down = np.meshgrid(place - x, place - y)
        share = image / image.sum()
        spread = np.array([[(share * a * b).sum() for a in (right, down)] for b in (right, down)])
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-np.sin(angle), np.cos(angle)])
        # half-axes b and 2b have variances b²/4 and b², and 2 π b² is the area
        assert along @ spread @ along == pytest.approx(scale**2 / (2 * np.pi), rel=0.05)
        assert across @ spread @ across == pytest.approx(scale**2 / (8 * np.pi), rel=0.1)


def test_equal_seeds_draw_equal_pictures_and_colour_is_a_factor_more() -> None:
    one, again, other = (sprites(300, 16, random_state=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.images, again.images)
    assert not np.array_equal(one.images, other.images)
    bright = sprites(300, 16, colour=True, random_state=3)
    assert bright.images.shape == (300, 16, 16, 3)
    np.testing.assert_array_equal(bright.factors[:, :5], one.factors)
    assert bright.names[5] == "colour"
    hue = bright.factors[:, 5].astype(int)
    assert set(hue) == set(range(len(COLOURS)))
    np.testing.assert_array_equal(bright.images, one.images[..., None] * RGB[hue][:, None, None])


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="n of at least 1 and size of at least 8"):
        sprites(0)
    with pytest.raises(ValueError, match="size=4"):
        sprites(5, 4)
