"""What the pictures compute before they draw, against scipy, pandas and counting by hand."""

import collections

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from tacit.plots import columns, density, missing, scatter


def test_gaussian_curves_against_scipy():
    grid = np.linspace(-4, 9, 57)
    weights, means, variances = np.array([0.3, 0.7]), np.array([-1.0, 4.0]), np.array([0.25, 2.0])
    curves = density.gaussian_curves(grid, weights, means, variances)
    for k in range(2):
        expected = weights[k] * stats.norm(means[k], np.sqrt(variances[k])).pdf(grid)
        np.testing.assert_allclose(curves[k], expected, rtol=1e-13)


@pytest.mark.parametrize("variance", [0.0, np.nan])
def test_a_degenerate_component_has_an_empty_curve(variance):
    curves = density.gaussian_curves(np.arange(5.0), np.ones(1), np.zeros(1), np.array([variance]))
    np.testing.assert_array_equal(curves, np.zeros((1, 5)))


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).normal(size=500),
        np.array([1.0, 2.0, 2.0, 7.0, np.nan]),
        np.random.default_rng(1).lognormal(sigma=2.0, size=300),
    ],
)
def test_histogram_holds_every_row_once(values):
    edges = density.bin_edges(values)
    seen = values[np.isfinite(values)]
    assert edges[0] <= seen.min()
    assert edges[-1] >= seen.max()
    bars = density.heights(values, edges)
    assert float(bars @ np.diff(edges)) == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(bars, np.histogram(seen, edges, density=True)[0], rtol=1e-12)


def test_weighted_rows_fill_the_bars_by_their_weight():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=200), rng.random(200)
    values[3], edges = 1.5, np.array([-1.0, -0.5, 0.0, 1.5])
    within = (values >= -1) & (values <= 1.5)
    mass = np.histogram(values[within], edges, weights=weights[within])[0]
    expected = mass / weights.sum() / np.diff(edges)
    np.testing.assert_allclose(density.heights(values, edges, weights), expected, rtol=1e-12)


def test_few_whole_numbers_get_a_bin_each():
    np.testing.assert_allclose(density.bin_edges(np.array([0.0, 3.0, 1.0])), [-0.5, 0.5, 1.5, 2.5, 3.5])


def test_a_density_on_a_logarithmic_axis_keeps_its_mass():
    law = stats.lognorm(s=1.5, scale=20.0)
    grid = np.geomspace(1e-3, 1e6, 4001)
    picture = density.density_plot(
        law.rvs(200, random_state=np.random.default_rng(0)), "x", grid, law.pdf(grid)[None, :], logarithm=True
    )
    curve = next(line for line in picture.axes[0].lines if len(line.get_xdata()) == len(grid))
    mass = integrate.trapezoid(curve.get_ydata(), curve.get_xdata())
    assert mass == pytest.approx(law.cdf(1e6) - law.cdf(1e-3), rel=1e-6)


def test_radii_hold_half_and_nine_tenths():
    assert stats.chi2(2).cdf(scatter.HALF**2) == pytest.approx(0.5, rel=1e-12)
    assert stats.chi2(2).cdf(scatter.MOST**2) == pytest.approx(0.9, rel=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
def test_outline_lies_on_the_ellipse(scale):
    mean = np.array([3.0, -2.0 * scale])
    covariance = np.array([[2.0, 0.9 * scale], [0.9 * scale, 1.0 * scale**2]])
    line = scatter.outline(mean, covariance, 1.7)
    gap = (line - mean[:, None]) / np.array([1.0, scale])[:, None]
    unit = covariance / np.outer([1.0, scale], [1.0, scale])
    np.testing.assert_allclose((gap * np.linalg.solve(unit, gap)).sum(0), 1.7**2, rtol=1e-9)


def test_outline_of_a_flat_group_is_a_segment_and_of_no_group_nothing():
    flat = scatter.outline(np.zeros(2), np.array([[4.0, 0.0], [0.0, 0.0]]), 1.0)
    np.testing.assert_allclose(flat[1], 0.0, atol=1e-12)
    assert flat[0].max() == pytest.approx(2.0)
    assert scatter.outline(np.zeros(2), np.full((2, 2), np.nan), 1.0) is None


def test_labels_are_the_most_probable_groups():
    share = np.array([[0.2, 0.8], [0.9, 0.1], [np.nan, np.nan], [0.0, 0.0]])
    np.testing.assert_array_equal(scatter.hard_labels(4, share, None), [1, 0, -1, -1])
    np.testing.assert_array_equal(scatter.hard_labels(2, None, None), [-1, -1])
    lacking = np.array([[0.1, 0.2], [0.3, 0.6], [0.0, 1e-9]])  # what is lacking to 1 is noise
    np.testing.assert_array_equal(scatter.hard_labels(3, lacking, None), [-1, 1, -1])


def test_the_frame_shows_all_rows_unless_a_few_are_far_off():
    close = np.random.default_rng(0).normal(size=1000)
    assert scatter.frame(close)[1] == 0
    limits, outside = scatter.frame(np.append(close, [1e6, -1e7]))
    assert outside == 2
    assert limits[0] < close.min()
    assert limits[1] > close.max()


def test_telling_columns_are_those_with_the_largest_ratio_of_variances():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 300)
    gaps = np.array([0.0, 2.0, 0.5, 1.0, 0.0, 4.0, 0.1])
    values = rng.normal(size=(300, 7)) + gaps * labels[:, None]
    f = [stats.f_oneway(*(values[labels == k, j] for k in range(3))).statistic for j in range(7)]
    for at_most in (2, 3, 5):
        assert scatter.telling_columns(values, labels, at_most) == sorted(np.argsort(f)[-at_most:].tolist())
    values[::3, 5] = np.nan
    assert scatter.telling_columns(values, labels, 2) == [1, 5]


def test_a_handful_of_rows_does_not_make_a_column_telling():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], [100, 95, 5])
    values = rng.normal(size=(200, 2))
    values[:, 0] += 3.0 * (labels == 2)
    values[:, 1] += 1.5 * (labels == 1)
    assert columns_by_f(values, labels) == [1]
    assert scatter.telling_columns(values, labels, 1) == [1]


def columns_by_f(values, labels):
    found = [stats.f_oneway(*(column[labels == k] for k in range(3))).statistic for column in values.T]
    return [int(np.argmax(found))]


def test_group_table_against_pandas():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, 200).astype(float)
    groups = rng.integers(0, 3, 200)
    codes[:9] = np.nan
    share = np.eye(4)[groups]
    expected = pd.crosstab(groups[9:], codes[9:], normalize="index").to_numpy()
    table = columns.group_table(codes, 4, share)
    np.testing.assert_allclose(table[:3], expected, rtol=1e-12)
    np.testing.assert_array_equal(table[3], np.zeros(4))


def test_soft_groups_share_their_rows():
    table = columns.group_table(np.array([0.0, 1.0]), 2, np.array([[0.25, 0.75], [1.0, 0.0]]))
    np.testing.assert_allclose(table, [[0.2, 0.8], [1.0, 0.0]])


def test_a_long_tail_is_cut_and_told():
    values = np.append(np.arange(100.0), [1e5])
    bulk, tail = columns.without_tail(values)
    assert tail == 1e5
    assert np.nanmax(bulk) < 100
    same, none = columns.without_tail(np.arange(100.0))
    assert none is None
    np.testing.assert_array_equal(same, np.arange(100.0))


def test_patterns_against_a_counter():
    mask = np.random.default_rng(0).random((300, 11)) < 0.1
    kept, counts = missing.patterns(mask, 5)
    expected = collections.Counter(map(tuple, mask.tolist()))
    assert counts == [count for _, count in expected.most_common(5)]
    assert [expected[tuple(row)] for row in kept.tolist()] == counts
