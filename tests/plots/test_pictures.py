"""Every picture, with ordinary and with degenerate input; no warning, no pyplot, valid SVG."""

import re
import xml.etree.ElementTree as ElementTree

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from tacit import plots
from tacit.plots.density import gaussian_curves

HOSTILE = '<script>alert("1")</script> & $x_{$ \x07\u202e'
LONG = "a_very_long_column_name_that_never_seems_to_end_" * 4
NAN = np.nan


def rows(count, columns, seed=0):
    return np.random.default_rng(seed).normal(size=(count, columns))


def spd(components, columns):
    return np.stack([np.eye(columns) * (k + 1) for k in range(components)])


def pair(values, names=None, k=2, **more):
    values = np.asarray(values, dtype=float)
    names = names or [f"column {j}" for j in range(values.shape[1])]
    share = np.random.default_rng(1).dirichlet(np.ones(k), size=len(values))
    centres = rows(k, values.shape[1], 2)
    return plots.pair_plot(
        values, names, responsibilities=share, means=centres, covariances=spd(k, values.shape[1]), **more
    )


def column(values, kind, k=3, levels=(), name="x"):
    values = np.asarray(values, dtype=float)[:, None]
    share = np.random.default_rng(1).dirichlet(np.ones(k), size=len(values))
    return plots.marginals(values, [name], [kind], responsibilities=share, levels={0: levels})


def line(k, criterion, **more):
    return plots.candidates(np.asarray(k), ["full"] * len(k), np.asarray(criterion, dtype=float), **more)


def noise_beside(values, **more):
    limits = np.linspace(1.2, 0.8, len(values))
    return plots.scree(values, values, components_of_noise=limits, factors_of_noise=limits, suggested=(2, 0), **more)


GRID = np.linspace(-3, 3, 20)
ONE = (np.ones(1), np.zeros((1, 2)), np.eye(2)[None])
PICTURES = {
    "pairs": lambda: pair(rows(60, 3)),
    "pairs of one row": lambda: pair(rows(1, 3)),
    "pairs of no rows": lambda: pair(np.zeros((0, 3))),
    "pairs of one column": lambda: pair(rows(20, 1)),
    "pairs of sixty columns": lambda: pair(rows(40, 60), at_most=3),
    "pairs, constant column": lambda: pair(np.c_[rows(20, 1), np.full(20, 1e12)]),
    "pairs, nothing seen": lambda: pair(np.full((10, 2), NAN)),
    "pairs, gaps and infinities": lambda: pair(np.where(rows(50, 2) > 1, NAN, np.where(rows(50, 2) < -2, np.inf, 1))),
    "pairs, thirty groups": lambda: pair(rows(90, 2), k=30),
    "pairs, hostile names": lambda: pair(rows(20, 2), [HOSTILE, LONG]),
    "pairs, many rows": lambda: pair(rows(3000, 2)),
    "pairs, logarithms": lambda: plots.pair_plot(np.exp(4 * rows(80, 2)), ["a", "b"], labels=np.arange(80) % 3),
    "pairs, no groups": lambda: plots.pair_plot(rows(30, 2), ["a", "b"]),
    "pairs, broken covariance": lambda: plots.pair_plot(
        rows(30, 2),
        ["a", "b"],
        labels=np.zeros(30, int),
        means=np.full((2, 2), NAN),
        covariances=np.zeros((2, 2, 2)),
    ),
    "ellipses": lambda: plots.ellipses(rows(50, 2), ["a", HOSTILE], means=rows(3, 2), covariances=spd(3, 2)),
    "ellipses, far-off rows": lambda: plots.ellipses(np.r_[rows(200, 2), [[1e9, 0]]], ["a", "b"]),
    "density": lambda: plots.density_plot(
        rows(99, 1)[:, 0], "x", GRID, gaussian_curves(GRID, np.ones(2) / 2, np.arange(2.0), np.ones(2))
    ),
    "density, bare": lambda: plots.density_plot(rows(99, 1)[:, 0]),
    "density of nothing": lambda: plots.density_plot(np.full(3, NAN), "x"),
    "density of a constant": lambda: plots.density_plot(np.full(9, 4.0), LONG),
    "density, spike": lambda: plots.density_plot(
        rows(99, 1)[:, 0], "x", GRID, np.where(np.arange(20) == 9, np.inf, 0.1)[None, :]
    ),
    "marginal, continuous": lambda: column(rows(50, 1)[:, 0], "continuous", name=HOSTILE),
    "marginal, positive": lambda: column(np.exp(3 * rows(50, 1)[:, 0]), "positive"),
    "marginal, count": lambda: column(np.arange(50) % 7, "count"),
    "marginal, count with a tail": lambda: column(np.append(np.arange(60) % 7, 1e4), "count"),
    "marginal, binary": lambda: column(np.arange(50) % 2, "binary", levels=("no", "yes")),
    "marginal, categories": lambda: column(np.arange(50) % 5, "categorical", levels=tuple("abcde")),
    "marginal, forty categories": lambda: column(
        np.arange(50) % 40, "categorical", levels=[LONG + str(i) for i in range(40)]
    ),
    "marginal, no categories seen": lambda: column(np.full(5, NAN), "categorical"),
    "marginal, nothing seen": lambda: column(np.full(5, NAN), "continuous"),
    "marginal, thirty groups": lambda: column(rows(50, 1)[:, 0], "continuous", k=30),
    "marginals, no groups": lambda: plots.marginals(rows(9, 4), list("abcd"), ["continuous"] * 4),
    "marginals of no columns": lambda: plots.marginals(np.zeros((5, 0)), [], []),
    "evolution": lambda: plots.evolution(rows(50, 2), {0: ONE, 3: ONE, 7: ONE}, ("a", HOSTILE)),
    "evolution of nothing": lambda: plots.evolution(np.full((4, 2), NAN), {}),
    "trace": lambda: plots.bound_trace(np.arange(9), -1.0 / (1 + np.arange(9)), marks=(0, 3)),
    "trace of one step": lambda: plots.bound_trace(np.array([0]), np.array([-1e12])),
    "trace, not finite": lambda: plots.bound_trace(np.arange(3), np.array([-np.inf, NAN, NAN])),
    "candidates": lambda: line([1, 2, 3], [-9.0, -5.0, -7.0], chosen=1),
    "one candidate": lambda: line([1], [NAN], chosen=0),
    "scree": lambda: noise_beside(np.array([4.0, 1.5, 0.3, 0.2])),
    "scree of nothing known": lambda: noise_beside(np.full(3, NAN)),
    "scree of many, hostile noise": lambda: noise_beside(np.linspace(9, 0, 300), noise=HOSTILE),
    "no candidates": lambda: line(np.zeros(0, int), []),
    "candidates, many structures": lambda: plots.candidates(
        np.repeat(np.arange(1, 4), 14),
        [f"S{i % 14}" for i in range(42)],
        rows(42, 1)[:, 0] * 1e5,
        at_floor=np.arange(42) % 5 == 0,
        chosen=3,
    ),
    "samples": lambda: plots.samples_beside_data(rows(50, 2), rows(50, 2, 1), ["a", HOSTILE]),
    "samples, no complete row": lambda: plots.samples_beside_data(np.full((5, 2), NAN), rows(5, 2), ["a", "b"]),
    "samples by column": lambda: plots.samples_by_column(
        np.c_[rows(50, 1), np.arange(50) % 3, np.exp(3 * rows(50, 1))],
        np.c_[rows(50, 1), np.arange(50) % 3, np.exp(3 * rows(50, 1, 4))],
        ["a", HOSTILE, LONG],
        ["continuous", "categorical", "positive"],
        levels={1: ("p", "q", "r")},
    ),
    "samples by column, wild": lambda: plots.samples_by_column(
        np.full((5, 2), 3.0), np.array([[1e9, NAN], [-1e9, NAN]]), ["a", "b"], ["continuous", "binary"]
    ),
    "density map": lambda: plots.density_map(GRID, GRID[:9], rows(9, 20), rows(50, 2), ["a", HOSTILE]),
    "density map, flat": lambda: plots.density_map(GRID, GRID, np.zeros((20, 20)), np.full((5, 2), NAN), ["a", "b"]),
    "warped grid": lambda: plots.warped_grid([rows(9, 2), rows(5, 2)], rows(50, 2), ["a", HOSTILE]),
    "rows beside": lambda: plots.rows_beside(rows(50, 6), rows(30, 6, 1), ["a", HOSTILE, LONG, "d", "e", "f"]),
    "rows beside, nothing seen": lambda: plots.rows_beside(np.full((5, 2), NAN), rows(5, 2), ["a", "b"]),
    "rows beside, one column": lambda: plots.rows_beside(rows(50, 1), rows(30, 1), ["a"]),
    "rank bars": lambda: plots.rank_bars(np.random.default_rng(0).random((50, 4)), ["a", HOSTILE, LONG, "d"]),
    "rank bars of nothing": lambda: plots.rank_bars(np.full((5, 1), NAN), ["a"]),
    "member scores": lambda: plots.member_scores(["a", HOSTILE, LONG], rows(3, 1)[:, 0], np.array([0.1, 0.0, 2.0])),
    "missing": lambda: plots.missing_summary(rows(50, 4) > 1, ["a", HOSTILE, LONG, "d"]),
    "nothing missing": lambda: plots.missing_summary(np.zeros((5, 3), bool), list("abc")),
    "all missing": lambda: plots.missing_summary(np.ones((5, 3), bool), list("abc")),
    "missing, no rows": lambda: plots.missing_summary(np.zeros((0, 2), bool), list("ab")),
    "missing in sixty columns": lambda: plots.missing_summary(rows(50, 60) > 1, [f"c{j}" for j in range(60)]),
}


@pytest.mark.parametrize("name", PICTURES)
def test_picture(name):
    before, windows = dict(matplotlib.rcParams), plt.get_fignums()
    figure = PICTURES[name]()
    assert isinstance(figure, Figure)
    svg = plots.to_svg(figure, title=HOSTILE.replace("\x07", ""), prefix="p")
    root = ElementTree.fromstring(svg)
    assert not [element for element in root.iter() if "script" in element.tag]
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    assert all(i.startswith("p-") for i in ids)
    assert set(re.findall(r'(?:url\(|href=")#([^")]+)', svg)) <= set(ids)
    assert not re.search(r"\bnan\b", re.sub(r'base64,[^"]*', "", svg))
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == windows


def texts(figure):
    root = ElementTree.fromstring(plots.to_svg(figure))
    return ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]


def test_names_stay_text_as_they_were_written():
    shown = texts(plots.ellipses(rows(9, 2), ["price ($)", "日本 <b> & $x$"]))
    assert "price ($)" in shown
    assert "日本 <b> & $x$" in shown


def test_equal_figures_give_equal_text_and_prefixes_keep_them_apart():
    one, two = (plots.to_svg(PICTURES["pairs"](), prefix=p) for p in ("a", "a"))
    assert one == two
    other = plots.to_svg(PICTURES["pairs"](), prefix="b")
    found = [set(re.findall(r' id="([^"]+)"', text)) for text in (one, other)]
    assert found[0]
    assert not found[0] & found[1]


def test_a_picture_for_a_screen_reader():
    root = ElementTree.fromstring(plots.to_svg(PICTURES["trace"](), title='How the "bound" rose'))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == 'How the "bound" rose'
    assert ElementTree.fromstring(plots.to_svg(PICTURES["trace"]())).attrib["aria-hidden"] == "true"


def test_png_is_sharp():
    png = plots.to_png(PICTURES["trace"](), scale=2.0)
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width = int.from_bytes(png[16:20], "big")
    assert width == pytest.approx(2 * 96 * PICTURES["trace"]().get_size_inches()[0], abs=1)


def test_points_are_thinned_and_pictures_stay_small():
    small, large = (len(plots.to_svg(pair(rows(n, 2)))) for n in (2000, 50_000))
    assert large < 1.1 * small


def test_pairs_of_many_columns_show_those_that_tell():
    labels = np.arange(60) % 2
    values = rows(60, 30)
    values[:, [4, 11, 17]] += 9 * labels[:, None]
    shown = texts(plots.pair_plot(values, [f"c{j}" for j in range(30)], labels=labels, at_most=3))
    assert {"c4", "c11", "c17"} <= set(shown)
    assert not {"c0", "c1", "c29"} & set(shown)


def test_snapshots_are_named_in_words():
    shown = texts(plots.evolution(rows(9, 2), {16: ONE, 0: ONE, 1: ONE, 40: ONE}))
    order = ["The start", "After 1 step", "After 16 steps", "The end, 40 steps"]
    assert [text for text in shown if text in order] == order


def test_the_chosen_candidate_and_what_is_left_out_are_told():
    k, structures = np.tile(np.arange(1, 7), 2), ["EEE"] * 6 + ["VVV"] * 6
    value = np.array([-5000.0, -100, -90, -80, -85, -88, -4000, -300, -95, -92, -96, -99])
    figure = plots.candidates(k, structures, value, chosen=3, at_floor=np.arange(12) == 11)
    ax = figure.axes[0]
    assert -130 < ax.get_ylim()[0] < -100
    big = [line for line in ax.lines if line.get_markersize() == 9]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in big] == [(4, -80.0)]
    assert "hollow: rests on its floor, never chosen · 3 much worse ones below the frame" in texts(figure)
    hollow = [line for line in ax.lines if line.get_markersize() == 4.5 and len(line.get_xdata())]
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in hollow] == [(6, -99.0)]
    assert {"EEE", "VVV"} <= set(texts(figure))


def test_missing_shares_are_those_of_the_mask():
    mask = np.zeros((20, 3), bool)
    mask[:5, 1] = mask[:1, 2] = True
    shown = texts(plots.missing_summary(mask, ["a", "b", "c"]))
    assert [t for t in shown if "%" in t] == ["25 %", "5 %"]
    assert "1 column without gaps" in shown
    assert {"15", "4", "1"} <= set(shown)
