"""The look: colours that differ for every kind of sight, labels and numbers that read well, limits."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import cbook
from matplotlib.figure import Figure

from tacit.plots import axes, style

# Machado, Oliveira & Fernandes (2009), table of severity 1.0, acting on linear RGB.
SIGHT = {
    "normal": np.eye(3),
    "no red": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "no green": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "no blue": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}


def linear(colour):
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb
    t = xyz / np.array([0.95047, 1.0, 1.08883])
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("sight", SIGHT)
def test_groups_can_be_told_apart(sight):
    seen = [lab(np.clip(SIGHT[sight] @ linear(colour), 0, 1)) for colour in style.GROUPS]
    apart = {(i, j): np.linalg.norm(seen[i] - seen[j]) for i, j in itertools.combinations(range(len(seen)), 2)}
    assert min(apart[pair] for pair in apart if max(pair) < 6) > 17
    assert min(apart.values()) > 13


def contrast(one, other):
    high, low = sorted((float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (one, other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_and_marks_have_contrast():
    assert contrast(style.INK, style.PAPER) > 7
    assert contrast(style.QUIET, style.PAPER) > 4.5
    for colour in style.GROUPS:
        ink = style.ink_on(colour)
        assert contrast(colour, ink) == max(contrast(colour, style.PAPER), contrast(colour, style.INK))
        assert contrast(colour, ink) > 4.5


@given(st.text(max_size=80), st.integers(6, 40))
def test_plain_is_one_short_line_without_mathematics(text, limit):
    line = style.plain(text, limit)
    assert len(line.replace(r"\$", "$")) <= limit
    assert not cbook.is_math_text(line)
    assert not any(ord(c) < 32 for c in line)


def test_plain_keeps_both_ends_of_a_long_name():
    assert style.plain("price $ in $ of today") == r"price \$ in \$ of today"
    assert style.plain("a\nvery\tshort  name") == "a very short name"
    long = style.plain("customer_lifetime_value_after_discount_2023", 26)
    assert long.startswith("customer_lifetime")
    assert long.endswith("2023")
    assert "…" in long


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (3.14159, "3.14"),
        (-1126.3, "−1,126"),
        (1234567.0, "1,234,567"),
        (0.00123, "0.00123"),
        (1e-7, "1e−7"),
        (2.5e12, "2.5e12"),
        (200.0, "200"),
        (np.nan, "–"),
        (np.inf, "∞"),
        (-np.inf, "−∞"),
    ],
)
def test_numbers_for_reading(value, text):
    assert style.short_number(value) == text


@given(st.floats(-1e12, 1e12, allow_nan=False))
def test_short_number_is_within_half_a_unit_of_the_third_figure(value):
    read = float(style.short_number(value).replace(",", "").replace("−", "-"))
    assert abs(read - value) <= 0.0051 * abs(value) + 1e-300


@pytest.mark.parametrize(
    ("values", "limits"),
    [
        ([1.0, 3.0, np.nan], (0.9, 3.1)),
        ([5.0], (2.5, 7.5)),
        ([0.0, 0.0], (-1.0, 1.0)),
        ([np.nan, np.inf], (0.0, 1.0)),
        ([], (0.0, 1.0)),
    ],
)
def test_span(values, limits):
    assert axes.span(np.array(values)) == pytest.approx(limits, rel=1e-12)


@given(st.integers(0, 300), st.integers(1, 100))
def test_thinning_draws_distinct_rows_and_repeats(rows, at_most):
    kept = style.thin(rows, at_most)
    assert len(set(kept.tolist())) == len(kept) == min(rows, at_most)
    assert set(kept.tolist()) <= set(range(rows))
    np.testing.assert_array_equal(kept, style.thin(rows, at_most))


@pytest.mark.parametrize(
    ("places", "texts"),
    [
        ((0, 2e6, 4e6), ["0", "2M", "4M"]),
        ((-4e5, -2e5, 0), ["−400k", "−200k", "0"]),
        ((80_000, 160_000, 240_000), ["80k", "160k", "240k"]),
        ((12_000, 12_500), ["12.0k", "12.5k"]),
        ((12_500, 14_500), ["12.5k", "14.5k"]),
        ((5e9, 1e10), ["5G", "10G"]),
        ((0, 50, 100), ["0", "50", "100"]),
    ],
)
def test_ticks_of_large_numbers_are_short(places: tuple[float, ...], texts: list[str]) -> None:
    figure = Figure()
    ax = figure.add_subplot()
    axes.tidy(ax)
    ax.set_xlim(places[0], places[-1])
    formatter = ax.xaxis.get_major_formatter()
    formatter.set_locs(np.array(places))
    assert [formatter(place) for place in places] == texts
