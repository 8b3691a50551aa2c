"""Pictures of a deep model: dots and names where the codes are, bars as long as the KL, lines at their values."""

import numpy as np
import pytest
from matplotlib.collections import PathCollection, PolyCollection

from tacit import plots


def clouds(figure):
    return [each for each in figure.axes[0].collections if isinstance(each, PathCollection)]


def test_every_row_lies_at_its_code_in_the_colour_of_its_label():
    rng = np.random.default_rng(0)
    codes, labels = rng.normal(size=(60, 2)), np.repeat(["a", "b", "c"], 20)
    figure = plots.latent_map(codes, ["z1", "z2"], labels)
    drawn = clouds(figure)
    assert len(drawn) == 3
    for name, cloud in zip("abc", drawn, strict=True):
        np.testing.assert_allclose(cloud.get_offsets(), codes[labels == name])
    assert len({tuple(cloud.get_facecolor()[0]) for cloud in drawn}) == 3
    named = {text.get_text(): text.get_position() for text in figure.axes[0].texts}
    np.testing.assert_allclose(named["b"], np.median(codes[labels == "b"], axis=0))
    assert len(figure.axes[0].patches) == 2
    (low, high), (bottom, top) = figure.axes[0].get_xlim(), figure.axes[0].get_ylim()
    assert high - low == pytest.approx(top - bottom)


def test_ten_labels_differ_in_colour_or_mark():
    labels = np.arange(40) % 10
    drawn = clouds(plots.latent_map(np.random.default_rng(0).normal(size=(40, 2)), ["z1", "z2"], labels))
    looks = {
        (tuple(c.get_facecolor()[0]), c.get_paths()[0].vertices.shape, c.get_paths()[0].vertices.tobytes())
        for c in drawn
    }
    assert len(looks) == 10


@pytest.mark.parametrize("labels", [None, np.zeros(50), np.arange(50.0)])
def test_without_labels_to_tell_apart_there_is_one_cloud(labels):
    figure = plots.latent_map(np.random.default_rng(0).normal(size=(50, 2)), ["z1", "z2"], labels, rings=False)
    assert len(clouds(figure)) == 1
    assert not figure.axes[0].patches


def test_bars_are_as_long_as_the_kl():
    figure = plots.latent_use(np.array([2.5, 1.0, 0.002]), np.array([True, True, False]), ["z2", "z1", "z3"])
    (bars,) = [each for each in figure.axes[0].collections if isinstance(each, PolyCollection)]
    lengths = [np.ptp(path.vertices[:, 0]) for path in bars.get_paths()]
    np.testing.assert_allclose(lengths, [2.5, 1.0, 0.002])
    colours = [tuple(colour) for colour in bars.get_facecolor()]
    assert colours[0] == colours[1] != colours[2]
    words = [text.get_text() for text in figure.axes[0].texts]
    assert {"z2", "2.5", "z3", "0.002"} <= set(words)


def test_the_lines_are_the_terms():
    epoch = np.arange(1.0, 6.0)
    reconstruction, kl = np.array([-9.0, -8, -7, -6.5, -6.4]), np.array([2.0, 2.1, 2.2, 2.3, 2.35])
    held = np.array([-12.0, -10.5, -9.5, -9.7, -9.9])
    figure = plots.two_terms(epoch, reconstruction, kl, reconstruction - kl, held)
    above, below = figure.axes
    lines = [line.get_ydata() for line in above.lines]
    for expected in (reconstruction, reconstruction - kl, held):
        assert any(np.array_equal(line, expected) for line in lines)
    (dot,) = [line for line in above.lines if len(line.get_xdata()) == 1]
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (3.0, -9.5)
    np.testing.assert_array_equal(below.lines[0].get_ydata(), kl)
    assert any(text.get_text() == "KL 2.35" for text in below.texts)


def test_a_first_leap_and_a_late_fall_do_not_flatten_the_rest():
    looks = np.arange(1.0, 21.0)
    bound = np.append([-1000.0, -400.0], np.linspace(-110, -100, 18))
    held = np.append(bound[:10] - 1.0, np.linspace(-200, -900, 10))
    above = plots.two_terms(looks, bound + 1, np.ones(20), bound, held).axes[0]
    low, high = above.get_ylim()
    assert -130 < low < -110
    assert -100 < high < -90
    assert any("the start lies outside" in text.get_text() for text in above.texts)
    assert all(low <= text.xy[1] <= high for text in above.texts if hasattr(text, "xy") and "bound" in text.get_text())


def test_one_look_is_a_dot():
    one = np.ones(1)
    above, below = plots.two_terms(one, -one, one, -2 * one).axes
    assert {line.get_marker() for line in (*above.lines, *below.lines)} == {"o"}
