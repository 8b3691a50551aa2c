"""Words, exclusivity, distances, documents and stability of topics, against sums by hand and SciPy."""

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon, pdist, squareform

from tacit.evaluation.topics import (
    representative_documents,
    top_words,
    topic_distances,
    topic_diversity,
    topic_exclusivity,
    topic_map,
    topic_sizes,
    topic_stability,
    topic_words,
)

TOPICS = np.array([[6.0, 3.0, 1.0, 0.0], [0.0, 1.0, 4.0, 5.0], [1.0, 1.0, 1.0, 1.0]])


def test_weights_become_shares_and_an_empty_topic_is_uniform() -> None:
    np.testing.assert_allclose(topic_words(TOPICS)[0], [0.6, 0.3, 0.1, 0.0])
    np.testing.assert_allclose(topic_words(np.zeros((1, 4))), 0.25)
    for wrong in (np.ones(3), -TOPICS, np.full((2, 2), np.nan)):
        with pytest.raises(ValueError, match="topics"):
            topic_words(wrong)


def test_words_by_probability_and_by_relevance() -> None:
    shares = np.array([[0.5, 0.3, 0.2, 0.0]])
    overall = np.array([0.7, 0.1, 0.1, 0.1])
    assert top_words(shares, 3).tolist() == [[0, 1, 2]]
    assert top_words(shares, 2, relevance=0.0, word_shares=overall).tolist() == [[1, 2]]  # by 3, 2 and 5/7
    score = 0.6 * np.log(shares[0, :3]) + 0.4 * np.log(shares[0, :3] / overall[:3])
    assert top_words(shares, 3, relevance=0.6, word_shares=overall)[0].tolist() == np.argsort(-score).tolist()
    with pytest.raises(ValueError, match="word_shares has 2 words"):
        top_words(shares, word_shares=[1.0, 2.0])


def test_exclusivity_and_diversity_by_hand() -> None:
    # the foremost word of each: 0.6 of 0.6 + 0 + 0.25, 0.5 of 0 + 0.5 + 0.25, and 0.25 of 0.85
    np.testing.assert_allclose(topic_exclusivity(TOPICS, 1), [0.6 / 0.85, 0.5 / 0.75, 0.25 / 0.85])
    np.testing.assert_allclose(topic_exclusivity(np.ones((4, 5)), 3), 0.25)
    assert topic_diversity(np.eye(4), 1) == 1.0
    assert topic_diversity(np.ones((4, 4)), 2) == 0.25


def test_distances_are_those_of_scipy_and_the_map_keeps_them() -> None:
    found = topic_distances(TOPICS)
    shares = topic_words(TOPICS)
    for a in range(3):
        for b in range(3):
            assert found[a, b] == pytest.approx(jensenshannon(shares[a], shares[b]) ** 2, abs=1e-12)
    # three points lie in a plane, so the map is exact
    np.testing.assert_allclose(squareform(pdist(topic_map(TOPICS))), np.sqrt(found), atol=1e-7)
    assert topic_distances(np.eye(2))[0, 1] == pytest.approx(np.log(2.0))
    np.testing.assert_allclose(topic_map(np.ones((1, 4))), 0.0, atol=1e-12)
    np.testing.assert_allclose(topic_map(np.ones((5, 4))), 0.0, atol=1e-7)


def test_sizes_count_words() -> None:
    mixtures = np.array([[1.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(topic_sizes(mixtures), 0.5)
    np.testing.assert_allclose(topic_sizes(mixtures, [30, 10]), [0.75, 0.25])
    np.testing.assert_allclose(topic_sizes(mixtures, [0, 0]), 0.5)


def test_representative_documents_have_the_greatest_share_and_are_not_scraps() -> None:
    mixtures = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [1.0, 0.0]])
    found = representative_documents(mixtures, 2, lengths=[10, 20, 5, 1], least_tokens=2)
    assert found.documents.tolist() == [[1, 0], [2, 1]]
    np.testing.assert_allclose(found.shares, [[0.9, 0.9], [0.8, 0.1]])
    assert representative_documents(mixtures, 9).documents.shape == (2, 4)
    assert representative_documents(mixtures, 1).documents.tolist() == [[3], [2]]


def test_stability_pairs_topics_whatever_their_order() -> None:
    one = np.repeat(np.eye(4), 3, axis=1)  # four topics of three words each
    assert topic_stability([one, one[[2, 0, 3, 1]]], 3).value == 1.0
    other = np.roll(one, 1, axis=1)  # each shares two of three words with one topic, one with its neighbour
    found = topic_stability([one, other, one], 3)
    assert found.value == pytest.approx(np.mean([2 / 3, 1.0, 2 / 3]))
    np.testing.assert_allclose(found.each, (2 / 3 + 1.0) / 2)
    assert "stability 0.78" in str(found)
    with pytest.raises(ValueError, match="two fits at least"):
        topic_stability([one])
    with pytest.raises(ValueError, match="different sizes: 4 × 12, 3 × 12"):
        topic_stability([one, one[:3]])
