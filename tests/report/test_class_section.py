"""Classes in a report, coefficients of counts, words of warning, and lists without a script."""

import numpy as np
import pytest

from tacit.report.class_section import class_part
from tacit.report.fit import BoundCurve, FitFacts, rise
from tacit.report.html import escape, table, tag
from tacit.report.parts import section
from tacit.report.prediction_sentences import cautions_of_predictions, coefficient_sentence
from tacit.report.predictions import Prediction

CHANCES = np.array([[0.9, 0.1], [0.7, 0.3], [0.4, 0.6], [0.2, 0.8], [0.6, 0.4]])
OBSERVED = np.array([0, 0, 0, 1, 1])


def test_who_is_taken_for_whom_is_told():
    said = escape(class_part(Prediction("sold", ("no", "yes"), "yes", chances=CHANCES, observed=OBSERVED)))
    assert '<th scope="row">no</th><td data-head="no" class="number more-3">2</td>' in said
    assert '<td data-head="yes" class="number less-2">1</td>' in said
    assert said.count("<svg") == 2  # ROC, and precision against recall
    assert ">67 %<" in said  # of the rows of "no", two of three were found
    assert class_part(Prediction("sold", ("no", "yes"))) is None


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (
            {"kind": "number", "name": "visits", "score": {"error": 0.377, "base_error": 0.293}},
            "0.377 on average against",
        ),
        ({"kind": "classes", "name": "a", "score": {"accuracy": 0.4, "base_accuracy": 0.5}}, "right less often (40 %)"),
        ({"kind": "number", "name": "visits", "score": {"error": 0.2, "base_error": 0.293}}, None),
        ({"kind": "number", "name": "visits", "score": None}, None),
    ],
)
def test_a_model_that_is_worse_than_saying_always_the_same_is_named(target, words):
    said = cautions_of_predictions(target)
    assert (words is None and said == []) or words in said[0]


def test_coefficients_of_counts_multiply():
    line = {"column": "age", "level": None, "reference": None, "step": 10.0, "class": None}
    line |= {"mean": 0.03, "lower": 0.02, "upper": 0.04}
    said = coefficient_sentence(line, {"kind": "number", "multiplies": True, "name": "visits", "positive": None})
    assert said == "With age higher by 10, the expected visits is multiplied by 1.35 (1.22 to 1.49)."


def test_a_fit_of_one_step_has_no_picture():
    (said,) = rise(FitFacts(trace=BoundCurve(np.array([0]), np.array([-12.5]))))
    assert "<svg" not in said
    assert "−12.5 nats" in said
    assert "<svg" in escape(rise(FitFacts(trace=BoundCurve(np.arange(3), np.array([-12.5, -3.0, -2.0])))))


def test_words_of_the_trade_are_explained_where_they_stand():
    made = section("fit", "Fit", "How well", tag("p", "It has 3 nats, by the BIC."), tag("pre", "k̂"))
    assert made is not None
    assert "<b>nats</b>: a nat is" in made.body
    assert "<b>BIC</b>" in made.body
    assert "<b>k̂</b>" not in made.body  # code is not prose
    plain = section("a", "A", "A", tag("p", "nothing of the kind"))
    assert plain is not None
    assert 'class="note"' not in plain.body


def test_cells_carry_their_headings_for_narrow_pages():
    made = table("t", ["Row", "a < b", tag("b", "c")], [["1", "x", tag("td", "y", class_="z")]])
    assert '<th scope="row" data-head="Row">1</th>' in made
    assert '<td data-head="a &lt; b">x</td>' in made
    assert '<td data-head="c" class="z">y</td>' in made
