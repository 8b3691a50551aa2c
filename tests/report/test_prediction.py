"""What is said of coefficients and predictions, and the sections that show them."""

import numpy as np
import pytest

from tacit import plots
from tacit.data.schema import Column, Schema
from tacit.plots.coefficients import wilson
from tacit.report.fit import FitFacts
from tacit.report.page import build
from tacit.report.prediction_section import prediction_report
from tacit.report.prediction_sentences import coefficient_sentence, quality_sentences, ranked, step_of
from tacit.report.predictions import prediction
from tacit.report.table import FittedTable


def entry(mean: float, low: float, high: float, **more: object) -> dict[str, object]:
    line = {"class": None, "term": "age", "column": "age", "level": None, "reference": None, "step": 10.0, "sd": 0.1}
    standard = {"standard_mean": mean, "standard_lower": low, "standard_upper": high}
    return line | {"mean": mean, "lower": low, "upper": high} | standard | more


NUMBER = {"name": "price", "kind": "number", "classes": None, "positive": None}
ODDS = {"name": "churn", "kind": "classes", "classes": ["no", "yes"], "positive": "yes"}
LEVEL = {"column": "city", "level": "Rome", "reference": "Oslo", "step": 1.0, "term": "city = Rome"}


@pytest.mark.parametrize(
    ("line", "target", "said"),
    [
        (entry(0.5, 0.2, 0.8), NUMBER, "With age higher by 10, price is higher by 5 (2 to 8)."),
        (entry(-0.5, -0.8, -0.2), NUMBER, "With age higher by 10, price is lower by 5 (2 to 8)."),
        (
            entry(0.5, -0.2, 1.2),
            NUMBER,
            "With age higher by 10, price is higher by 5 (2 lower to 12 higher); it may make no difference.",
        ),
        (
            entry(np.log(2.0) / 10, np.log(1.5) / 10, np.log(3.0) / 10),
            ODDS,
            "With age higher by 10, the odds of churn = yes are multiplied by 2 (1.5 to 3).",
        ),
        (
            entry(-np.log(2.0), -np.log(4.0), -np.log(1.25), **LEVEL),
            ODDS,
            "With city Rome instead of Oslo, the odds of churn = yes are multiplied by 0.5 (0.25 to 0.8).",
        ),
        # a step that would change the odds beyond all measure is made smaller
        (
            entry(np.log(2.0), np.log(1.5), np.log(3.0), step=100.0),
            ODDS,
            "With age higher by 1, the odds of churn = yes are multiplied by 2 (1.5 to 3).",
        ),
    ],
)
def test_a_coefficient_in_words(line: dict[str, object], target: dict[str, object], said: str) -> None:
    assert coefficient_sentence(line, target) == said


def test_steps_are_powers_of_ten_near_the_spread() -> None:
    assert [step_of(spread) for spread in (0.02, 1.0, 14.0, 4000.0, 0.0)] == [0.01, 1.0, 10.0, 10_000.0, 1.0]


def test_clear_coefficients_come_first_the_largest_of_them_foremost() -> None:
    lines = [entry(9.0, -1.0, 19.0), entry(1.0, 0.5, 1.5), entry(-2.0, -2.5, -1.5)]
    assert [line["mean"] for line in ranked(lines)] == [-2.0, 1.0, 9.0]


def score(**more: float) -> dict[str, float]:
    found = {"nats": -0.4, "standard_error": 0.05, "gain": 0.3, "gain_error": 0.05, "rows": 50, "accuracy": 0.9}
    found |= {"base_accuracy": 0.6, "error": 2.0, "base_error": 8.0, "r2": 0.8, "coverage": 0.88, "level": 0.9}
    return found | more


def test_quality_in_words() -> None:
    right, nats = quality_sentences(ODDS | {"score": score()})
    assert right == "Of 50 rows kept aside 90 % were put into the right class; always to say the commonest, 60 %."
    assert "0.3 ± 0.05 better than knowing only how churn is distributed: what was there is made 1.35 times" in nats
    off, held, _ = quality_sentences(NUMBER | {"score": score()})
    assert "price was predicted to within 2 on average" in off
    assert "8 if one always says the median), R² 0.8." in off
    assert held == "90 % intervals held 88 % of them."
    assert "no clear gain" in quality_sentences(ODDS | {"score": score(gain=0.09)})[-1]
    assert (
        "worse than knowing only how churn is distributed, by 0.3"
        in quality_sentences(ODDS | {"score": score(gain=-0.3)})[-1]
    )
    assert "--holdout 0" in quality_sentences(ODDS | {"score": None})[0]


def page(target: dict[str, object], kept: dict[str, np.ndarray]) -> str:
    schema = Schema((Column("age", "continuous"), Column("<city>", "binary", ("a", "b"))))
    rows = FittedTable(schema, np.zeros((5, 2)))
    return build(prediction_report("Predicting", FitFacts(source="t.csv"), rows, prediction(target, kept)))


def test_the_page_of_classes_shows_coefficients_and_probabilities() -> None:
    random = np.random.default_rng(0)
    yes = random.random(40)
    kept = {"probabilities": np.column_stack([1 - yes, yes]), "observed": (random.random(40) < yes).astype(int)}
    lines = [entry(0.1, 0.05, 0.2), entry(1.0, -1.0, 3.0, **(LEVEL | {"term": "<city> = b", "column": "<city>"}))]
    text = page(ODDS | {"coefficients": lines, "score": score()}, kept)
    for part in ("What goes with churn", "&lt;city&gt; = b", "Reliability diagram", "In the right class", "90 %"):
        assert part in text
    assert "<city>" not in text


def test_the_page_of_a_number_shows_what_came_beside_what_was_predicted() -> None:
    came = np.arange(20.0)
    kept = {"predicted": came + 1, "observed": came, "lower": came - 1, "upper": came + 3}
    text = page(NUMBER | {"coefficients": None, "score": score()}, kept)
    assert "What came against what was predicted" in text
    assert "What goes with price" not in text
    assert "No rows were kept aside" in page(NUMBER | {"coefficients": None, "score": None}, {})


def test_wilson_is_that_of_scipy() -> None:
    from_scipy = pytest.importorskip("scipy.stats").binomtest(7, 20).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(wilson(0.35, 20), (from_scipy.low, from_scipy.high), rtol=1e-12)


def test_pictures_of_little_and_strange_input() -> None:
    one = np.array([0.5])
    for figure in (
        plots.coefficient_plot(["<script>$x_{"], one, one - 1, one + 1, says="per unit"),
        plots.coefficient_plot(["a", "b"], np.array([0.5, np.nan]), np.array([0.1, np.nan]), np.array([1.0, np.nan])),
        plots.reliability_plot(one, np.array([True])),
        plots.predicted_plot(one, one, name="x"),
        plots.predicted_plot(np.arange(5.0), np.full(5, 2.0), ends=(np.full(5, -np.inf), np.full(5, np.inf))),
    ):
        assert plots.to_svg(figure, title="t", prefix="p").startswith("<svg")
