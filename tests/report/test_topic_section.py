"""The report of a topic model: words, shares and documents are those of the arrays; odd cases break nothing."""

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator

from pages import Page
from tacit.evaluation.topics import top_words
from tacit.report import FitFacts, Report, Topics, build, topic_report
from tacit.report.topics import topics as gathered

WORDS = ["ship", "sea", "<b>wave</b>", "bread", "oven", "flour"]
TOPICS = np.array([[0.5, 0.3, 0.2, 0, 0, 0], [0, 0, 0, 0.4, 0.4, 0.2]])


class Model(BaseEstimator):
    """Two topics; a document is as much of one as it has words of it."""

    def __init__(self):
        self.topic_word_ = TOPICS

    def transform(self, counts):
        dense = np.asarray(counts.toarray())
        first = dense[:, :3].sum(axis=1) / np.maximum(dense.sum(axis=1), 1.0)
        return np.stack([first, 1.0 - first], axis=1)


COUNTS = sp.csr_array(np.array([[9.0, 5, 3, 0, 0, 0], [4, 3, 0, 1, 0, 0], [0, 0, 0, 6, 5, 4], [1, 0, 0, 5, 9, 2]]))
TOLD = {
    "each": [
        {"share": 0.48, "words": WORDS[:3], "coherence": 0.3, "exclusivity": 1.0},
        {"share": 0.52, "words": WORDS[3:], "coherence": -0.2, "exclusivity": 1.0},
    ],
    "completion": {"perplexity": 4.5, "nats_a_word": -1.504, "standard_error": 0.02, "documents": 3},
    "twins": [[0, 1]],
    "trace": {"iteration": [0, 1, 2], "perplexity": [6.0, 5.0, 4.5], "coherence": [0.0, float("nan"), 0.1]},
}
SWEEP = [
    {"n_components": k, "completion": -2.0 + k, "perplexity": 3.0, "coherence": 0.1, "stability": None} for k in (1, 2)
]


def found(**more: object) -> Topics:
    whole = gathered(
        Model(),
        COUNTS,
        WORDS,
        ["one", "two", "<i>three</i>", "four"],
        TOLD,
        texts=["ships on a sea", "a ship", "bread and <u>flour</u> " + "oven " * 90, "ovens"],
        sentences=("Perplexity 4.5 is told here.",),
        sweep=SWEEP,
        criterion="completion",
    )
    return dataclasses.replace(whole, **more)


def report(topics: Topics) -> Report:
    return topic_report("The topics of pets", FitFacts(source="pets.csv"), topics)


def test_the_page_tells_words_shares_and_documents() -> None:
    page = Page(build(report(found())))
    text = page.text
    assert "4 documents of pets.csv with 57 words in all: the model tells 2 topics apart" in text
    assert "Perplexity 4.5 is told here." in text
    assert "48 % of all words · its words go together very well (NPMI 0.3 ) · 100 % of them its own" in text.replace(
        "0.3)", "0.3 )"
    )
    assert "its words seldom stand together" in text
    assert "<b>wave</b>" in text  # a word of the user's is text, never markup
    assert "<i>three</i> (100 %)" in text
    assert "Topics 1 and 2 are nearly the same" not in text  # two topics have no map
    assert "2 topics were chosen, for the highest completion" in text
    assert text.count("4.5") >= 2


def test_documents_and_words_are_those_of_the_arrays() -> None:
    topics = found()
    assert topics.representatives[:, 0].tolist() == [0, 2]
    np.testing.assert_allclose(topics.representative_shares[:, 0], 1.0)
    order = top_words(TOPICS, 6, relevance=0.6, word_shares=COUNTS.sum(axis=0))
    assert topics.top == tuple(tuple(WORDS[word] for word in line) for line in order)
    np.testing.assert_allclose(topics.mixtures, Model().transform(COUNTS)[topics.shown])
    assert topics.excerpts[0] == "ships on a sea"
    assert topics.excerpts[2].endswith("oven …")
    assert len(topics.excerpts[2]) <= 182


@pytest.mark.parametrize(
    "more",
    [
        {"sizes": np.zeros(2)},
        {"points": np.zeros((2, 2)), "coherence": np.full(2, -1.0)},
        {"mixtures": None, "shown": None, "curves": {}, "looks": None, "sweep": (), "verdicts": ()},
        {"perplexity": float("nan"), "twins": ()},
    ],
)
def test_odd_topics_break_no_page(more: dict) -> None:
    assert "The topics" in Page(build(report(found(**more)))).text


def test_one_topic_and_many() -> None:
    topics = found()
    for number in (1, 60):
        wide = {
            name: np.repeat(np.asarray(getattr(topics, name))[:1], number, axis=0)
            for name in (
                "sizes",
                "chances",
                "coherence",
                "exclusivity",
                "points",
                "representatives",
                "representative_shares",
            )
        }
        mixtures = np.full((1, number), 1 / number)
        many = dataclasses.replace(
            topics,
            **wide,
            top=topics.top[:1] * number,
            mixtures=mixtures,
            shown=np.array([0]),
            sweep=(),
            twins=(),
            dial=(),
        )
        text = Page(build(report(many))).text
        assert ("20 more topics" in text) is (number == 60)


def test_arrays_of_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="points has 3 topics, sizes has 2"):
        found(points=np.zeros((3, 2)))
    with pytest.raises(ValueError, match="mixtures must go with shown"):
        found(shown=None)
    assert Topics.__doc__
