"""The page as a whole: safe, self-contained, accessible, complete, and written whole or not at all."""

import dataclasses
import itertools
import os
import re
import stat
import time

import numpy as np
import pytest

from pages import Page
from reports import report_of
from tacit.data.kinds import LeftOut
from tacit.data.schema import Column, Schema
from tacit.models.graph import Edge, Graph, Node
from tacit.report import (
    BoundCurve,
    Candidate,
    Candidates,
    FitFacts,
    FittedTable,
    Groups,
    HeldOutFact,
    ModelSummary,
    Repeat,
    Report,
    build,
    table_report,
    write,
)
from tacit.report.groups import Gaussians


@pytest.fixture(scope="module")
def text(content):
    return build(report_of("Three groups", **content))


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


def test_noise_is_told(content):
    groups = content["groups"]
    share = groups.responsibilities.copy()
    share[np.argsort(content["log_density"])[:30]] *= 0.1  # the least likely rows are noise
    noisy = dataclasses.replace(groups, weights=0.7 * groups.weights, responsibilities=share, noise=0.3)
    found = build(report_of("Three groups", **content | {"groups": noisy}))
    for words in (
        "fall into 3 groups and noise (30 % of rows)",
        "Noise: 30 % of rows are in no group",
        "Grey ones are noise.",
        "noise 90 %",
    ):
        assert words in found
    assert "noise" not in build(report_of("Three groups", **content))


def test_everything_is_told(page):
    titles = [a["aria-label"] for a in page.all("section")]
    assert titles == [
        "The groups",
        "Odd and typical rows",
        "How well it fits",
        "What was fitted, and why",
        "How the fit went",
        "The data",
        "How to repeat it",
    ]
    for words in (
        "Three groups",
        "100 rows and 6 columns of table.csv",
        "Five rows were very far off.",
        "Group 1 (50 % of rows)",
        "customer ",
        "p(x₁,x₂,z; π,μ,Σ,λ) = ∏ₙ p(zₙ; π) p(x₁ₙ|zₙ; μ,Σ) p(x₂ₙ|zₙ; λ)",
        "x₂ₙ | zₙ ~ Poisson(λ)",
        "Of 18 candidates, the one with 3 groups (VVV) has the highest BIC (−900)",
        "VVV: every group has its own size",
        "converged",
        "It took 0.4 seconds.",
        "The start",
        "After 16 steps",
        "The end, 40 steps",
        "On 30 rows kept aside",
        "it numbers the rows",
        "“n/a” was read as missing.",
        "tacit fit table.csv",
        "[fit] seed = 1",
        "Made with tacit 0.1.0.",
        "1 May 2026",
    ):
        assert words in page.text, words


def test_numbers_in_the_text_are_those_of_the_table(content, page):
    gaps = np.isnan(content["values"])
    assert f"{100 * gaps.mean():.0f} % of the values are missing" in page.text
    assert f"{int((~gaps.any(1)).sum())} rows of 100 are complete" in page.text
    odd = int(np.argmin(np.where(gaps.any(1), np.inf, content["log_density"])))
    typical = int(np.argmax(np.where(gaps.any(1), -np.inf, content["log_density"])))  # a gap costs nothing
    order = page.text.index(f"customer {odd} "), page.text.index("The most likely rows")
    assert order[0] < order[1] < page.text.index(f"customer {typical} ", order[1])
    apart = page.text.index("The least likely rows with gaps")
    for row in np.argsort(content["log_density"], kind="stable")[:3]:
        assert (page.text.index(f"customer {row} ") > apart) == gaps[row].any()


def test_nothing_is_loaded_and_nothing_runs(text, page):
    assert not page.all("script")
    assert not page.all("link")
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/png;base64,")), attributes
    assert not re.search(r"url\((?!#)", text)
    assert not re.search(r"@import|https?://(?!www\.w3\.org/2000/svg)", text)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in text


def test_accessible(page):
    assert page.all("html") == [{"lang": "en-GB"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {a["href"][1:] for a in page.all("a")} | {a["href"][1:] for a in page.all("use")}
    assert targets <= set(ids)
    assert len(page.all("svg")) > 10
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.all("svg"))
    assert len(page.all("caption")) == len(page.all("table"))
    assert {"row", "col"} >= {th["scope"] for th in page.all("th")}
    levels = [int(name[1]) for name, _ in page.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


PARTS = {
    "groups": ("The groups", "Group 2 (30 % of rows)", "Typical values"),
    "log_density": ("The least likely rows", "The most likely rows"),
    "samples": ("Rows made by the model",),
    "held_out": ("On 30 rows kept aside",),
    "model": ("It finds hidden groups.", "Free parameters"),
    "graph": ("∏ₙ p(zₙ; π)",),
    "candidates": ("How it was chosen", "The best 8 candidates", "10 more candidates"),
    "trace": ("In 40 steps the bound rose from −1,000 to −902 nats", "converged"),
    "snapshots": ("How the groups formed, in bill_length_mm and bill_depth_mm", "After 16 steps"),
    "left_out": ("it numbers the rows",),
    "notes": ("Reading the table",),
    "warnings": ("Worth knowing", "Five rows were very far off."),
    "repeat": ("How to repeat it", "import tacit"),
}


@pytest.mark.parametrize("part", PARTS)
def test_every_part_stands_by_itself(part, content):
    table = {name: content[name] for name in ("schema", "values")}
    needs = table if part in ("groups", "log_density", "samples", "snapshots") else {}
    page = Page(build(report_of("One part", **needs, **{part: content[part]})))
    for words in PARTS[part]:
        assert words in page.text, words
    others = {words for name in PARTS if name != part for words in PARTS[name]}
    assert not [words for words in others if words in page.text]


def test_a_title_is_enough():
    page = Page(build(Report("Nothing yet")))
    assert "Nothing yet" in page.text
    assert not page.all("section")


def test_equal_content_gives_equal_pages_quickly(content, text):
    start = time.process_time()
    again = build(report_of("Three groups", **content))
    assert time.process_time() - start < 6.0
    assert again == text
    assert len(text.encode()) < 1_500_000


HOSTILE = '</style></title><script>alert("1")</script><img src=x onerror=alert(1)> & \u202e\x00 $x_{$'


def hostile():
    """Every text of a report is an attack, and every array is as bad as it may be."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 4))
    values[:, 0] = rng.integers(0, 2, 40)
    values[5:, 1] = np.nan
    values[:, 2] = 7.0
    columns = (
        Column(HOSTILE, "binary", (HOSTILE, "<img src=y onerror=alert(2)>"), HOSTILE),
        Column(HOSTILE + "2", "continuous", None, HOSTILE),
        Column("a" * 300, "positive"),
        Column(" ", "continuous"),
    )
    share = rng.dirichlet(np.full(11, 0.2), 40)
    rows = (
        Candidate(1, HOSTILE, float("nan"), converged=False),
        Candidate(2, HOSTILE, float("-inf")),
        Candidate(3, "", 5.0, at_floor=True),
    )
    fit = FitFacts(
        HOSTILE,
        ModelSummary(HOSTILE, HOSTILE, ((HOSTILE, HOSTILE),), HOSTILE, 3),
        Graph((Node("a", HOSTILE, "latent", (), HOSTILE), Node("b", "x" * 50, "observed")), (Edge("a", "b"),)),
        BoundCurve(np.arange(3), np.array([-np.inf, np.nan, -2.0]), None, False, HOSTILE),
        (HOSTILE,),
        HeldOutFact(float("nan"), float("nan"), 0, (HOSTILE, 1.0)),
        (HOSTILE,),
        (HOSTILE,),
        Repeat(HOSTILE, HOSTILE, HOSTILE, ((HOSTILE, HOSTILE),)),
    )
    return table_report(
        HOSTILE,
        fit,
        FittedTable(Schema(columns), values, [HOSTILE] * 40),
        groups=Groups(np.append(share.mean(0)[:-1], 0.0), share),
        candidates=Candidates(rows, None, HOSTILE),
        log_density=np.where(np.arange(40) == 4, -np.inf, np.where(np.arange(40) == 6, np.nan, -1.0)),
        reasons={4: HOSTILE},
        samples=np.full((3, 4), np.nan),
        left_out=(LeftOut(HOSTILE, HOSTILE, "identifier"),),
        made=HOSTILE,
    )


def test_hostile_texts_stay_texts():
    text = build(hostile())
    page = Page(text)
    assert not page.all("script")
    assert not page.all("img")
    assert text.count("<style>") == text.count("</style>") == text.count("</title>") == 1
    for _, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
    assert page.text.count('<script>alert("1")</script>') > 15
    assert "\u202e" not in text
    assert "\x00" not in text


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_very_few_rows(rows, content):
    some = content | {
        "candidates": None,
        "values": content["values"][:rows],
        "row_names": None,
        "log_density": content["log_density"][:rows],
        "groups": dataclasses.replace(content["groups"], responsibilities=content["groups"].responsibilities[:rows]),
    }
    Page(build(report_of("Few", **some)))


@pytest.mark.parametrize("groups", [1, 30])
def test_one_group_and_thirty(groups, content):
    share = np.random.default_rng(0).dirichlet(np.ones(groups), size=100)
    told = report_of("K", schema=content["schema"], values=content["values"], groups=Groups(share.mean(0), share))
    page = Page(build(told))
    assert f"{groups} groups" in page.text if groups > 1 else "one group describes them all" in page.text


@pytest.mark.parametrize(
    ("kind", "levels"),
    [("continuous", None), ("count", None), ("binary", ("a", "b")), ("positive", None)],
)
def test_one_column(kind, levels):
    values = np.arange(1.0, 21.0)[:, None] if levels is None else (np.arange(20.0) % 2)[:, None]
    share = np.eye(2)[np.arange(20) // 10]
    schema = Schema((Column("x", kind, levels),))
    page = Page(build(report_of("One", schema=schema, values=values, groups=Groups(share.mean(0), share))))
    assert "Group 2 (50 % of rows)" in page.text


def test_many_columns_show_those_that_tell(content):
    rng = np.random.default_rng(0)
    group = np.arange(80) % 2
    values = rng.normal(size=(80, 40))
    values[:, 33] += 6 * group
    schema = Schema(tuple(Column(f"c{j}", "continuous") for j in range(40)))
    told = report_of("Wide", schema=schema, values=values, groups=Groups(np.ones(2) / 2, np.eye(2)[group]))
    page = Page(build(told))
    text = page.text
    assert "has higher c33" in text
    tiles = [svg["aria-label"] for svg in page.all("svg") if "in each group" in svg["aria-label"]]
    assert tiles[0] == "c33 in each group"
    assert len(tiles) == 40  # each has its picture, most of them folded away
    assert "15 further columns differ less" in text
    assert "10 more columns" in text


def test_a_large_table_is_looked_at_through_a_sample():
    rows = 60_000
    group = np.arange(rows) % 2
    values = np.random.default_rng(0).normal(size=(rows, 2)) + 4.0 * group[:, None]
    values[77] = 900.0
    density = -np.abs(values[:, 0])
    schema = Schema((Column("a", "continuous"), Column("b", "continuous")))
    groups = Groups(np.ones(2) / 2, np.eye(2)[group])
    text = Page(build(report_of("Long", schema=schema, values=values, groups=groups, log_density=density))).text
    assert "60,000 rows and 2 columns" in text
    assert "50,000 rows drawn at random" in text
    assert "The least likely rows" in text
    assert text.index("The least likely rows") < text.index(" 78 ")
    assert re.search(r"78 (a|b) 900, \d+ sd above its group", text)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"values": np.zeros((3, 2))}, "values has 2 columns, the schema 6"),
        ({"log_density": np.zeros(3)}, "log_density has 3 rows, values has 100"),
        ({"row_names": ["a"]}, "row_names has 1 rows"),
        ({"samples": np.zeros((3, 2))}, "samples has 2 columns, values has 6"),
        ({"values": None, "schema": None}, "need the rows"),
    ],
)
def test_parts_that_do_not_fit_are_refused(content, change, words):
    with pytest.raises(ValueError, match=words):
        report_of("Three groups", **content | change)


def test_written_whole(tmp_path):
    told = Report("Ünïcode – 日本語")
    path = write(tmp_path / "new" / "report.html", told)
    assert path.read_text(encoding="utf-8") == build(told)
    assert os.listdir(path.parent) == ["report.html"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = write(tmp_path / "report.html", Report("old"))

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write(path, Report("new"))
    assert "old" in path.read_text(encoding="utf-8")
    assert os.listdir(tmp_path) == ["report.html"]


@pytest.mark.parametrize(("groups", "class_"), [(3, "profile"), (6, "profile many"), (14, "profile crowd")])
def test_wide_tables_have_a_box_of_their_own(groups, class_):
    random = np.random.default_rng(0)
    group = np.arange(420) % groups
    values = np.column_stack([random.normal(size=420) + 3 * group, np.exp(1.5 * random.normal(size=420) + group / 4)])
    schema = Schema((Column("a", "continuous"), Column("spent (in euros)", "continuous")))
    told = Groups(np.ones(groups) / groups, np.eye(groups)[group])
    text = build(report_of("Wide", schema=schema, values=values, groups=told))
    assert f'class="{class_}"' in text
    boxes = text.count('class="scroll"')
    assert boxes == text.count("<table")  # every table scrolls inside its own box
    assert "The axis of “spent (in euros)” is logarithmic: equal steps are equal factors." in Page(text).text


def test_skewed_columns_of_gaussians_have_a_logarithmic_picture_too():
    random = np.random.default_rng(0)
    values = np.column_stack([random.normal(size=300), np.exp(random.normal(size=300))])
    schema = Schema((Column("a", "continuous"), Column("b", "continuous")))
    covariances = np.array([np.cov(values.T)])
    gaussians = Gaussians((0, 1), values.mean(axis=0)[None], covariances)
    page = Page(
        build(report_of("One", schema=schema, values=values, groups=Groups(np.ones(1), np.ones((300, 1)), gaussians)))
    )
    assert "b in each group" in [svg["aria-label"] for svg in page.all("svg")]
    assert "The axis of b is logarithmic" in page.text
