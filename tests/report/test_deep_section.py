"""The report of a deep model: every number and every pixel is that of the arrays; parts that lack are left out."""

import dataclasses
import math
import re

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris

import tacit
from pages import Page
from reports import report_of
from tacit.data.images import ImageSet
from tacit.data.table import load
from tacit.report import BoundCurve, Code, FitFacts, HeldOutFact, Images, build, deep, image_report
from tacit.storage.config import RunConfig
from tacit.workflow import reporting
from tacit.workflow.sources import Rows

pytestmark = pytest.mark.filterwarnings("ignore")
QUICK = {"hidden": (8,), "max_epochs": 3, "n_samples": 5, "random_state": 0, "network": "mlp"}


def told(model, nats=-101.25):
    """What the command line keeps of a fit."""
    return {
        "model": "vae",
        "why": "asked",
        "structure": "",
        "choice": {"criterion": "bic", "sampled": None, "candidates": []},
        "fit": {
            "iterations": model.n_iter_,
            "converged": model.converged_,
            "stop_reason": model.stop_reason_,
            "parameters": None,
        },
        "groups": [],
        "held_out": {"nats": nats, "standard_error": 0.5, "rows": 20},
        "warnings": [],
    }


def made(model, values, labels=None):
    fitted = Rows.of(ImageSet(values, None, labels, "a/digits.npz", ("read",)))
    config = RunConfig.of(model, data={}, seed=0, command=("tacit", "fit", "digits.npz"))
    return reporting.made(model, fitted, told(model), config)


@pytest.fixture(scope="module")
def digits():
    found = load_digits()
    return (found.images[:200] * (255 / 16)).astype(np.uint8), found.target[:200]


@pytest.fixture(scope="module")
def model(digits):
    return tacit.VAE(2, **QUICK).fit(digits[0])


@pytest.fixture(scope="module")
def text(model, digits):
    return build(made(model, *digits))


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


@pytest.fixture(scope="module")
def code(model, digits):
    return deep.code(model, *digits)


@pytest.fixture(scope="module")
def images(model, digits, code):
    return deep.images(model, digits[0], [f"No. {place + 1}" for place in range(200)], code)


def levels(values):
    """Values of 8-bit images as they are shown."""
    return np.rint(np.clip(np.asarray(values, np.float64), 0, 255)).astype(np.uint8)


def test_the_page_of_images_has_its_sections(page):
    titles = [a["aria-label"] for a in page.all("section")]
    expected = ["What the model makes", "The code", "Odd images", "How well it fits", "What was fitted, and why"]
    assert titles == [*expected, "How the fit went", "The data", "How to repeat it"]
    for words in (
        "200 images of digits.npz, 8 × 8 pixels",
        "Reading the images",
        "No. ",
        "Pixels are shown from black",
    ):
        assert words in page.text, words
    assert "in the units of the table" not in page.text
    assert "had not settled" not in page.text


def test_pictures_lie_within_the_page(model, digits, text, page):
    assert not re.findall(r"https?://(?!www\.w3\.org/(2000/svg|1999/xlink))", text)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in text
    assert not page.all("script")
    assert all(image["alt"] and image["class"] == "pixels" for image in page.all("img"))
    assert len(text.encode()) < 400_000
    assert build(made(model, *digits)) == text


def test_reconstructions_are_the_models_under_their_originals(model, digits, page):
    shown = page.pictures["20 images, each above its reconstruction"]
    originals, made = shown[0:8, 0:8], shown[9:17, 0:8]
    (number,) = np.flatnonzero((digits[0] == originals).all(axis=(1, 2)))
    np.testing.assert_array_equal(made, levels(model.reconstruct(digits[0][[number]])[0]))
    assert shown.shape == (2 * 17 + 8, 10 * 9 - 1)


def test_samples_are_means_of_codes_from_the_prior(model, page):
    shown = page.pictures["60 images that the model makes up"]
    expected = levels(model.sample(60, mean=True, random_state=0))
    np.testing.assert_array_equal(shown[:8, 9:17], expected[1])
    np.testing.assert_array_equal(shown[9:17, :8], expected[12])


def test_the_manifold_lies_as_the_map_does(model, page):
    shown = page.pictures["400 images made of codes on a grid"]
    assert shown.shape == (160, 160)
    share = (np.arange(20) + 0.5) / 20
    quantile = [math.sqrt(2) * float(x) for x in _erfinv(2 * share - 1)]
    corner = model.inverse_transform(np.array([[quantile[0], quantile[19]], [quantile[19], quantile[0]]]))
    # z1 grows to the right, z2 upwards: the upper left corner has the smallest z1 and the largest z2
    np.testing.assert_allclose(shown[:8, :8].astype(int), levels(corner[0]), atol=1)
    np.testing.assert_allclose(shown[-8:, -8:].astype(int), levels(corner[1]), atol=1)


def _erfinv(x):
    """The inverse of the error function, by bisection."""
    low, high = np.full_like(x, -6.0), np.full_like(x, 6.0)
    for _ in range(80):
        middle = 0.5 * (low + high)
        above = np.array([math.erf(m) for m in middle]) > x
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return low


def test_traversals_move_one_number_of_the_code(model, digits, code, images, page):
    values = digits[0]
    codes = model.transform(values)
    ordinary = codes[np.argmin((codes**2).sum(axis=1))]
    first = images.moved[0]
    assert first == int(np.argmax(code.kl))
    shown = page.pictures[f"The image as z{first + 1} is moved"]
    ends = np.repeat(ordinary[None], 2, axis=0)
    ends[:, first] = -3.0, 3.0
    expected = levels(model.inverse_transform(ends))
    np.testing.assert_allclose(shown[:, :8].astype(int), expected[0], atol=1)
    np.testing.assert_allclose(shown[:, -8:].astype(int), expected[1], atol=1)


def test_the_least_likely_images(model, digits, images, page):
    values = digits[0]
    density = model.score_samples(values, n_samples=deep.IMAGE_DRAWS)
    odd = np.argsort(density)[:10]
    assert images.odd_names == tuple(f"No. {place + 1}" for place in odd)
    np.testing.assert_allclose(images.odd_density, density[odd], rtol=1e-5)
    (picture,) = [image for says, image in page.pictures.items() if says.startswith(f"Image No. {odd[0] + 1}, ")]
    np.testing.assert_array_equal(picture, values[odd[0]])


def test_held_out_score_is_a_bound_and_bits_are_by_level(page):
    # −101.25 nats over 64 levels: 101.25 / (64 ln 2) = 2.2824 bits
    assert "≥ −101.2" in page.text.replace("\u202f", " ")
    assert "at least −101.2 ± 0.5 nats per image" in page.text
    assert "at most 2.28 bits for each of the 64 levels of an image" in page.text


def test_the_code_in_figures(model, digits, code, page):
    means, scales = (x.astype(float) for x in model.transform(digits[0], return_std=True))
    kl = (0.5 * (scales**2 + means**2 - 1) - np.log(scales)).mean(axis=0)
    np.testing.assert_allclose(code.kl, kl, rtol=1e-4)
    np.testing.assert_array_equal(code.active, means.var(axis=0) > 0.01)
    np.testing.assert_allclose(code.means, means, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(code.labels, digits[1])
    assert code.verdict in page.text
    assert any("by label" in svg["aria-label"] for svg in page.all("svg"))


def test_the_architecture(page):
    assert "Encoder fully connected, silu 64 → 8 520" in page.text
    assert "Decoder fully connected 8 → 128 1,152" in page.text
    assert "discretised logistic" in page.text
    # encoder 520 + 36, decoder 24 + 1152
    assert "Free parameters 1,732" in page.text


def test_the_history_is_in_the_users_units():
    rows = np.random.default_rng(0).normal(size=(60, 3)) * np.array([1e-3, 10.0, 500.0])
    model = tacit.VAE(2, **{**QUICK, "likelihood": "normal"}).fit(rows)
    history = deep.code(model, rows).history
    own = model.history_
    change = -np.log(rows.astype(np.float32).std(axis=0)).sum()
    for name in ("reconstruction", "elbo", "held_out"):
        np.testing.assert_allclose(history[name], own[name] + change, rtol=1e-4)
    np.testing.assert_array_equal(history["kl"], own["kl"])


def test_a_table_has_its_code_beside_its_own_sections(tmp_path):
    path = tmp_path / "iris.csv"
    np.savetxt(path, load_iris().data, delimiter=",", header="a,b,c,<i>d</i>", comments="")
    rows = Rows.of(load(str(path)))
    model = tacit.VAE(3, **QUICK).fit(rows.as_table(np.arange(4)).values)
    config = RunConfig.of(model, data={}, seed=0, command=("tacit",))
    page = Page(build(reporting.made(model, rows, told(model, -3.0), config)))
    titles = [a["aria-label"] for a in page.all("section")]
    assert titles[:3] == ["The code", "Odd and typical rows", "How well it fits"]
    for words in (
        "Rows made by the model",
        "at least −3 ± 0.5 nats per row",
        "The least likely rows",
        "Numbers in a code",
    ):
        assert words in page.text, words
    assert not page.all("img")
    assert "bits" not in page.text
    assert "in the units of the table" in page.text


def test_rows_have_no_density_where_codes_are_points(tmp_path):
    np.savetxt(tmp_path / "a.csv", load_iris().data, delimiter=",", header="a,b,c,d", comments="")
    rows = Rows.of(load(str(tmp_path / "a.csv")))
    model = tacit.VAE(2, posterior="point", **QUICK).fit(rows.values)
    report = reporting.made(model, rows, told(model), RunConfig.of(model, data={}, seed=0, command=("tacit",)))
    assert not {"rows", "fit"} & {section.name for section in report.sections}
    assert not [fact for fact in report.facts if fact.name == "Held-out score"]
    assert "Codes are points (a plain auto-encoder): there is no density of rows" in Page(build(report)).text


def test_only_some_rows_of_a_long_table_are_scored(model, digits, monkeypatch):
    monkeypatch.setattr(deep, "SCORED_ROWS", 7)
    found = deep.log_density(model, digits[0])
    kept = np.flatnonzero(~np.isnan(found))
    assert len(kept) == 7
    np.testing.assert_allclose(found[kept], model.score_samples(digits[0][kept], n_samples=deep.DRAWS), rtol=1e-5)


def test_only_some_images_are_looked_at(model, digits, monkeypatch):
    monkeypatch.setattr(deep, "SCORED_IMAGES", 30)
    monkeypatch.setattr(deep, "LOOKED_AT", 50)
    monkeypatch.setattr(deep, "NUMBERS", 64 * 16)
    code = deep.code(model, *digits)
    assert code.means.shape == (50, 2)
    same = model.transform(digits[0])[digits[1] == code.labels[0]]
    assert np.abs(same - code.means[0]).max(axis=1).min() < 1e-5
    assert deep.images(model, digits[0], range(200), code).manifold.shape == (4, 4, 8, 8)
    text = Page(build(made(model, *digits))).text
    assert "30 of the 200 images, drawn at random, were scored" in text
    assert "Shown are 50 of 200 images, drawn at random" in text


def test_colour_and_binarised_images_and_codes_that_are_points():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
    model = tacit.VAE(3, posterior="point", binarize="threshold", **QUICK).fit(images)
    page = Page(build(made(model, images)))
    shown = page.pictures["20 images, each above its reconstruction"]
    assert shown.shape[2] == 3
    (number,) = np.flatnonzero((images == shown[:8, :8]).all(axis=(1, 2, 3)))
    # the model's means are shares of 1, not levels
    np.testing.assert_array_equal(shown[9:17, :8], levels(255 * model.reconstruct(images[[number]])[0]))
    # nothing is said of densities: a point has none
    shown = deep.images(model, images, range(40), deep.code(model, images))
    assert shown.odd is None
    assert shown.samples is None
    assert "Held-out score" not in page.text
    assert "Codes are points" in page.text
    assert "collapsed" not in page.text
    assert "Odd images" not in page.text
    assert "at least" not in page.text


HISTORY = {
    "epoch": np.array([2, 4, 6]),
    "reconstruction": np.array([-20.0, -15.0, -14.0]),
    "kl": np.array([5.0, 2.5, 2.75]),
    "elbo": np.array([-25.0, -17.5, -16.75]),
    "held_out": np.array([-24.0, -18.0, -19.0]),
}


def test_how_the_fit_went_is_told_of_the_model_that_was_kept():
    trace = BoundCurve(np.array([2, 4, 6]), np.array([-24.0, -18.0, -19.0]), 3.0, False, "max_iter reached")
    text = Page(build(report_of("T", code=Code(history=HISTORY), trace=trace))).text
    for words in (
        "In 4 epochs the bound on rows that the fit held out went from −24 to −18 nats per row",
        "in the 2 epochs after that it was no better",
        "On the rows learned from it was −17.5 then",
        "(−15 nats), less what the codes cost (the KL, 2.5 nats)",
        "made all the epochs that it was given",
        "It took 3 seconds",
    ):
        assert words in text, words
    without = {name: column for name, column in HISTORY.items() if name != "held_out"}
    text = Page(build(report_of("T", code=Code(history=without)))).text
    assert "In 6 epochs the bound on the rows learned from went from −25.0 to −16.8" in text
    assert "open dot" not in text


PART = {
    "history": {"history": HISTORY},
    "parts": {"parts": (("Prior <p>", "normal"),)},
    "layers": {"layers": (("Encoder", "<b>wide</b>", "3 → 4", 16),)},
    "means": {"means": np.random.default_rng(0).normal(size=(30, 4))},
    "one": {"means": np.random.default_rng(0).normal(size=(30, 1)), "kl": np.ones(1), "active": np.array([True])},
    "kl": {"kl": np.array([1.5, 0.001]), "active": np.array([True, False]), "verdict": "It is <half> idle."},
    "together": {"kl": np.array([1.5]), "active": np.array([True, False])},
}


@pytest.mark.parametrize("part", PART)
def test_every_part_of_a_code_stands_by_itself(part):
    page = Page(build(report_of("One part", code=Code(**PART[part]))))
    says = {
        "history": "How the fit went",
        "parts": "Prior <p>",
        "layers": "<b>wide</b>",
        "means": "the two of its 4 numbers that carry most",
        "one": "The rows by their code.",
        "kl": "1 of them is in use; the other is nearly the same for every row. It is <half> idle.",
        "together": "told 1.5 nats of a row; under this prior",
    }
    assert says[part] in page.text
    assert not [words for name, words in says.items() if name != part and words in page.text]


@pytest.mark.parametrize(
    ("nats", "words"),
    [
        (0.5, "less of a row than a plain yes or no could (0.5 nats)"),
        (math.log(40.0), "as much of a row as a label with about 40 values could (3.7 nats)"),
        (math.log(100.0) - 0.01, "from nearly all of the 100 rows looked at (4.6 nats or more)"),
    ],
)
def test_how_much_the_code_tells(nats, words):
    code = Code(means=np.zeros((100, 1)), kl=np.ones(1), active=np.array([True]), information=nats)
    assert words in Page(build(report_of("T", code=code))).text


def test_codes_far_from_the_prior_are_told():
    means = np.full((10, 2), 3.0) * np.array([1.0, -1.0])
    known = {"kl": np.ones(2), "active": np.array([True, True])}
    text = Page(build(report_of("T", code=Code(means=means, **known)))).text
    assert "The codes lie 3 times as far from the centre as those of the prior" in text
    assert "times as far" not in Page(build(report_of("T", code=Code(means=means / 3, **known)))).text


def test_a_content_without_pictures_has_no_such_sections():
    page = Page(build(image_report("Images", FitFacts(), Images(3, (8, 8)), Code())))
    assert not page.all("section")
    assert "3 images, 8 × 8 pixels each." in page.text


def test_labels_and_names_are_text(code, images):
    hostile = '<script>alert("1")</script>'
    code = dataclasses.replace(code, labels=np.where(code.labels < 5, hostile, "b"), verdict=hostile)
    images = dataclasses.replace(images, odd_names=(hostile,) * len(images.odd))
    text = build(image_report(hostile, FitFacts(), images, code))
    page = Page(text)
    assert not page.all("script")
    assert page.text.count(hostile) >= 10


def test_the_bar_of_a_bound_is_only_where_there_is_one():
    text = Page(build(report_of("T", held_out=HeldOutFact(-2.0, 0.1, 9)))).text
    assert "≥" not in text
    assert "at least" not in text


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Code(means=np.zeros((3, 2)), labels=np.zeros(2)), "labels has 2 rows, means has 3"),
        (lambda: Code(history={"epoch": np.arange(2)}), "history lacks elbo, kl, reconstruction"),
        (lambda: Images(3, (2, 2), originals=np.zeros((3, 2, 2), np.uint8)), "reconstructions must go with"),
        (lambda: Images(3, (2, 2), odd=np.zeros((3, 2, 2), np.uint8), odd_density=np.zeros(2)), "odd_density must go"),
    ],
)
def test_parts_that_do_not_fit_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
