"""Coherence against gensim's figures and against counting by hand; never NaN."""

import numpy as np
import pytest
import scipy.sparse as sp

from tacit.data.corpus import Corpus
from tacit.evaluation.coherence import topic_coherence

DOCUMENTS = (
    "cat dog pet",
    "cat dog fish pet pet",
    "stock market price",
    "stock price dog",
    "market trade price stock",
    "fish sea cat",
)
WORDS = sorted({word for document in DOCUMENTS for word in document.split()})
COUNTS = np.array([[document.split().count(word) for word in WORDS] for document in DOCUMENTS], float)
TOPICS = [["cat", "dog", "pet", "fish"], ["stock", "price", "market", "trade"], ["cat", "stock", "sea", "price"]]
# gensim 4.4.0, CoherenceModel(topics=TOPICS, dictionary=Dictionary(texts), topn=4): coherence="u_mass" with the corpus,
# and coherence="c_npmi" with the texts and window_size=1000 (a window a document); get_coherence_per_topic().
GENSIM_UMASS = [-0.5689366502727855, -0.6168836623477489, -17.958582623577737]
GENSIM_NPMI = [0.39682385890207766, 0.6081187190678041, -0.3888233866431854]


def test_npmi_is_that_of_gensim() -> None:
    found = topic_coherence(TOPICS, COUNTS, reference_vocabulary=WORDS)
    np.testing.assert_allclose(found.each, GENSIM_NPMI, rtol=1e-9)
    assert found.value == pytest.approx(np.mean(GENSIM_NPMI))
    assert (found.lacking, found.documents, found.n_words) == (0.0, 6, 4)
    assert found.unit.startswith("no unit: −1")


def test_umass_is_that_of_gensim_with_its_smoothing_and_of_its_authors_without() -> None:
    found = topic_coherence(TOPICS, COUNTS, measure="umass", reference_vocabulary=WORDS, smoothing=6e-12)
    np.testing.assert_allclose(found.each, GENSIM_UMASS, rtol=1e-9)
    # Mimno et al. 2011: log (D(v, w) + 1) / D(v), v the word above; D(cat) = 3, D(dog) = 3, together in 2 documents
    one = topic_coherence([["cat", "dog"]], COUNTS, measure="umass", reference_vocabulary=WORDS)
    assert one.value == pytest.approx(np.log((2 + 1) / 3))
    assert one.unit.startswith("nats")


def test_words_that_the_reference_lacks_are_counted_and_nothing_is_nan() -> None:
    topics = [["cat", "dog", "zebra"], ["zebra", "yak"], ["cat"]]
    for measure, worst in (("npmi", -1.0), ("umass", np.log(1 / 6))):
        found = topic_coherence(topics, COUNTS, measure=measure, reference_vocabulary=WORDS)
        whole = topic_coherence([["cat", "dog"]], COUNTS, measure=measure, reference_vocabulary=WORDS)
        assert found.each[0] == whole.value
        np.testing.assert_allclose(found.each[1:], worst)
        np.testing.assert_allclose(found.lacking_each, [1 / 3, 1, 0])
        assert found.lacking == pytest.approx(4 / 9)
        assert "44 % of their words are not in the reference" in str(found)


def test_words_that_stand_everywhere_tell_nothing() -> None:
    everywhere = np.ones((5, 3))
    assert topic_coherence(np.eye(3)[[0, 1]], everywhere, n_words=3).value == 0.0
    assert np.isfinite(topic_coherence(np.ones((1, 3)), np.zeros((2, 3))).value)
    assert topic_coherence(np.ones((1, 3)), np.zeros((2, 3))).lacking == 1.0
    assert np.isfinite(topic_coherence(np.ones((2, 3)), everywhere, smoothing=3.0).each).all()


def test_arrays_sparse_counts_and_a_corpus_say_the_same() -> None:
    weights = np.zeros((3, len(WORDS)))
    for line, topic in enumerate(TOPICS):
        weights[line, [WORDS.index(word) for word in topic]] = [4, 3, 2, 1]
    corpus = Corpus(sp.csr_array(COUNTS), np.array(WORDS, object))
    for reference in (COUNTS, sp.csr_array(COUNTS), corpus):
        np.testing.assert_allclose(topic_coherence(weights, reference, n_words=4).each, GENSIM_NPMI, rtol=1e-9)
    # another reference, with other words in another order
    turned = Corpus(sp.csr_array(COUNTS[:, ::-1]), np.array(WORDS[::-1], object))
    found = topic_coherence(weights, turned, n_words=4, vocabulary=WORDS)
    np.testing.assert_allclose(found.each, GENSIM_NPMI, rtol=1e-9)


def test_what_cannot_be_matched_is_refused() -> None:
    with pytest.raises(ValueError, match="need reference_vocabulary"):
        topic_coherence(TOPICS, COUNTS)
    with pytest.raises(ValueError, match="topics are of 3 words and the reference of 9"):
        topic_coherence(np.eye(3), COUNTS)
    with pytest.raises(ValueError, match="smoothing must be above 0"):
        topic_coherence(np.eye(9), COUNTS, smoothing=0.0)
    with pytest.raises(ValueError, match="finite and not negative"):
        topic_coherence(np.eye(9), -COUNTS)
    with pytest.raises(ValueError, match="measure must be one of"):
        topic_coherence(np.eye(9), COUNTS, measure="c_v")
