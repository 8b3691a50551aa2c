"""Pictures of topics: circles where the topics are and as large as their shares, bars as long; nothing breaks them."""

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.patches import Circle

from tacit import plots


def circles(figure):
    return [patch for patch in figure.axes[0].patches if isinstance(patch, Circle)]


def bars(figure):
    """Left and right ends of the bars, line by line."""
    drawn = [each for each in figure.axes[0].collections if isinstance(each, PolyCollection)]
    return [(path.vertices[:, 0].min(), path.vertices[:, 0].max()) for each in drawn for path in each.get_paths()]


def test_circles_lie_at_the_topics_and_areas_are_shares():
    points = np.array([[-1.0, 0.5], [1.0, 0.0], [0.0, -1.0]])
    sizes = np.array([0.5, 0.3, 0.2])
    figure = plots.topic_map_plot(points, sizes, ["ship, sea", "bread, oven", "violin, opera"])
    drawn = sorted(circles(figure), key=lambda circle: -circle.radius)
    np.testing.assert_allclose([circle.center for circle in drawn], points)
    np.testing.assert_allclose([circle.radius**2 / drawn[0].radius ** 2 for circle in drawn], sizes / 0.5)
    ax = figure.axes[0]
    said = [text.get_text() for text in ax.texts]
    assert {"1", "2", "3", "ship, sea", "bread, oven", "violin, opera"} <= set(said)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    box = ax.get_position()
    wide, tall = box.width * figure.get_figwidth(), box.height * figure.get_figheight()
    assert (right - left) / wide == pytest.approx((high - low) / tall)  # a circle is round


def test_names_that_have_no_room_are_left_to_the_table():
    figure = plots.topic_map_plot(np.zeros((30, 2)), np.full(30, 1 / 30), ["a long name, another"] * 30)
    said = [text.get_text() for text in figure.axes[0].texts]
    assert said.count("a long name, another") < 10
    assert len(circles(figure)) == 30


@pytest.mark.parametrize("sizes", [[0.0, 0.0], [1.0, 0.0], [np.nan, 1.0]])
def test_empty_topics_break_no_picture(sizes):
    share = np.array(sizes)
    for figure in (
        plots.topic_map_plot(np.zeros((2, 2)), np.nan_to_num(share), ["", "b"]),
        plots.topic_bars(share, ["", "b"]),
        plots.document_mixtures(share[None], ["one"]),
        plots.topic_map_plot(np.zeros((0, 2)), np.zeros(0), []),
        plots.topic_bars(np.zeros(0), []),
        plots.document_mixtures(np.zeros((0, 2)), []),
    ):
        assert plots.to_svg(figure).startswith("<svg")


def test_bars_are_as_long_as_the_shares_the_largest_first():
    figure = plots.topic_bars(np.array([0.2, 0.5, 0.3]), ["a", "b", "c"])
    np.testing.assert_allclose([end for _, end in bars(figure)], [0.5, 0.3, 0.2])
    assert [text.get_text() for text in figure.axes[0].texts if "·" in text.get_text()] == ["2 · b", "3 · c", "1 · a"]
    few = plots.topic_bars(np.array([0.2, 0.5, 0.3]), ["a", "b", "c"], shown=np.array([0]))
    np.testing.assert_allclose(bars(few), [(0.0, 0.2)])


def test_a_document_is_cut_into_its_topics_and_a_grey_rest():
    figure = plots.document_mixtures(np.array([[0.02, 0.6, 0.3, 0.08]]), ["letter 1"])
    np.testing.assert_allclose(bars(figure), [(0, 0.597), (0.6, 0.897), (0.9, 0.977), (0.98, 1.0)], atol=1e-12)
    said = [text.get_text() for text in figure.axes[0].texts]
    assert [each for each in said if each.isdigit()] == ["2", "3", "4"]


def test_every_criterion_has_a_panel_and_the_chosen_number_a_dot():
    columns = {
        "completion": np.array([-7.0, -6.5, -6.8]),
        "coherence": np.array([0.1, 0.2, 0.3]),
        "stability": [np.nan] * 3,
    }
    figure = plots.topic_choice(np.array([5, 10, 20]), columns, 1, "completion")
    assert len(figure.axes) == 2  # there is no stability of one seed
    for ax, name in zip(figure.axes, columns, strict=False):
        line, dot = ax.lines
        np.testing.assert_allclose(line.get_ydata(), columns[name])
        assert dot.get_xdata()[0] == 10
        assert dot.get_ydata()[0] == columns[name][1]


def test_curves_leave_out_what_was_not_measured():
    curves = {"Perplexity": np.array([900.0, 500.0, 450.0]), "Coherence, NPMI": np.array([np.nan, 0.1, np.nan])}
    figure = plots.figures_over_trace(np.arange(3), curves)
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [900, 500, 450])
    np.testing.assert_allclose(figure.axes[1].lines[0].get_xdata(), [1])
    assert plots.to_svg(plots.figures_over_trace(np.arange(2), {"a": np.full(2, np.nan)})).startswith("<svg")
