"""``ProdLDA``: finds the topics that made the documents; its answers are those of its parts, counted by hand."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.special import log_softmax, softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from tacit.estimators.topics.prod_lda import ProdLDA
from tacit.models.topics.completion import document_halves
from tacit.models.vae.words import GAIN, Counted, Documents, TopicDecoder, WordsLikelihood

pytestmark = pytest.mark.reuses_keys
WORDS, TOPICS = 12, 3
TRUTH = np.repeat([0, 1, 2], [20, 50, 30])


@pytest.fixture(scope="module")
def counts() -> sp.csr_array:
    """A hundred documents, each of one of three topics with four words of its own."""
    random = np.random.default_rng(0)
    topics = np.repeat(np.eye(TOPICS), WORDS // TOPICS, axis=1) + 0.02
    topics /= topics.sum(axis=1, keepdims=True)
    drawn = [random.multinomial(25, topics[place]) for place in TRUTH]
    return sp.csr_array(np.stack(drawn).astype(float))


@pytest.fixture(scope="module")
def model(counts: sp.csr_array) -> ProdLDA:
    made = ProdLDA(TOPICS, hidden=(16,), batch_size=32, max_epochs=60, n_samples=20, random_state=0)
    return made.fit(counts, vocabulary=[f"w{place}" for place in range(WORDS)])


def test_the_topics_that_made_the_documents_are_found(model: ProdLDA, counts: sp.csr_array) -> None:
    np.testing.assert_allclose(model.topic_word_.sum(axis=1), 1.0)
    own = model.topic_word_.reshape(TOPICS, TOPICS, -1).sum(axis=2)
    assert sorted(own.argmax(axis=1)) == [0, 1, 2]
    assert own.max(axis=1).min() > 0.8
    shares = model.transform(counts)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    truth = own.argmax(axis=1)[shares.argmax(axis=1)]
    assert np.mean(truth == TRUTH) > 0.95
    assert model.vocabulary_[3] == "w3"


def test_the_verdict_says_why_there_is_no_khat(model: ProdLDA) -> None:
    words = model.verdict_.words()
    assert words[0] == "k̂: n/a (topics are a point, and a network says the mixtures)."
    assert words[-1].startswith("The fit ended because ")


def test_a_weight_of_two_is_two_copies_in_the_trace_too(counts: sp.csr_array) -> None:
    few = ProdLDA(TOPICS, hidden=(4,), max_epochs=2, n_samples=2, random_state=0)
    twice = few.fit(counts, sample_weight=np.full(100, 2.0))
    np.testing.assert_allclose(twice.trace_.bound, 200.0 * twice.history_["held_out"], rtol=1e-6)


def test_topics_come_by_size(model: ProdLDA, counts: sp.csr_array) -> None:
    sizes = model.transform(counts).T @ np.asarray(counts.sum(axis=1)).ravel()
    np.testing.assert_allclose(sizes / sizes.sum(), [0.5, 0.3, 0.2], atol=0.1)
    np.testing.assert_allclose(
        model.topic_word_, softmax(model.model_.decoder.background + GAIN * model.model_.decoder.weights, axis=1), 1e-5
    )


def test_half_a_document_is_predicted_by_the_mean_word(model: ProdLDA, counts: sp.csr_array) -> None:
    found = model.completion(counts, seed=3)
    given, asked = document_halves(counts, 3)
    shares = model.expected_words(given)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-4)
    by_hand = (asked.toarray() * np.log(shares)).sum(axis=1)
    np.testing.assert_allclose(found.log_prob, by_hand, rtol=1e-5)
    assert model.completion_score(counts, seed=3) == pytest.approx(by_hand.sum() / asked.sum(), rel=1e-5)
    assert model.completion_perplexity(counts, seed=3) == pytest.approx(math.exp(-found.score))
    # a document of four words of one topic: better than one that knows no topics, no better than one that knows all
    assert math.log(WORDS) > -found.score > math.log(4)


def test_the_score_is_below_the_integral_and_near_it(model: ProdLDA, counts: sp.csr_array) -> None:
    few = counts[:3]
    latent = np.random.default_rng(0).normal(size=(100_000, TOPICS)) * math.sqrt(1 - 1 / TOPICS)
    decoder = model.model_.decoder
    logs = log_softmax(decoder.background + GAIN * softmax(latent, axis=1) @ decoder.weights, axis=1)
    exact = np.log(np.exp(logs @ few.toarray().T).mean(axis=0))
    found = model.set_params(n_samples=2000).score_samples(few)
    model.set_params(n_samples=20)
    np.testing.assert_allclose(found, exact, atol=0.15)


def test_a_document_does_not_depend_on_its_company(model: ProdLDA, counts: sp.csr_array) -> None:
    np.testing.assert_allclose(model.transform(counts[:5]), model.transform(counts)[:5], atol=1e-5)
    np.testing.assert_allclose(model.score_samples(counts.toarray()[:5]), model.score_samples(counts)[:5], atol=1e-3)
    empty = model.transform(np.zeros((1, WORDS)))
    assert np.isfinite(empty).all()


def test_columns_with_names_and_counts_in_parts(counts: sp.csr_array) -> None:
    """A frame is fitted and predicted without a word; the caller's own duplicates and zeros stay."""
    few = pd.DataFrame(counts[:12].toarray(), columns=[f"w{place}" for place in range(WORDS)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = ProdLDA(2, hidden=(4,), max_epochs=1, random_state=0).fit(few)
        found.completion(few)
    parts = sp.csr_array((np.array([1.0, 1.0, 0.0]), np.array([0, 0, 3]), np.array([0, 3])), shape=(1, WORDS))
    clean = ProdLDA()._counts(parts, "fit", reset=True)
    assert (clean.nnz, clean[0, 0], parts.nnz) == (1, 2.0, 3)


def test_the_same_seed_gives_the_same_topics(model: ProdLDA, counts: sp.csr_array) -> None:
    np.testing.assert_array_equal(clone(model).fit(counts).topic_word_, model.topic_word_)
    other = clone(model).set_params(random_state=1).fit(counts)
    assert not np.array_equal(other.topic_word_, model.topic_word_)


def test_documents_of_weight_0_are_absent(counts: sp.csr_array) -> None:
    weights = np.repeat([1.0, 0.0], [70, 30])
    model = ProdLDA(2, hidden=(4,), max_epochs=1, learning_rate=1e-12, validation_fraction=0.0, random_state=0)
    background = model.fit(counts, sample_weight=weights).model_.decoder.background
    totals = counts[:70].sum(axis=0) + 0.5
    np.testing.assert_allclose(background, np.log(totals / totals.sum()), rtol=1e-5)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"n_components": 0}, "n_components must be a whole number"),
        ({"doc_topic_prior": 0.0}, "doc_topic_prior must be above 0"),
        ({"warm_up": 1.0}, "warm_up must be from 0 to below 1"),
        ({"activation": "swish"}, "activation must be one of"),
    ],
)
def test_wrong_settings_are_named(counts: sp.csr_array, settings: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ProdLDA(**settings).fit(counts)


def test_wrong_documents_are_refused(model: ProdLDA, counts: sp.csr_array) -> None:
    with pytest.raises(ValueError, match="X holds no word at all"):
        ProdLDA(2).fit(np.zeros((5, 3)))
    with pytest.raises(ValueError, match="Negative values"):
        ProdLDA(2).fit(-counts)
    with pytest.raises(ValueError, match="expecting 12 features"):
        model.transform(counts[:, :5])
    with pytest.raises(ValueError, match="whole counts"):
        model.completion(counts * 0.5)
    with pytest.raises(ValueError, match="holds no words to predict"):
        model.completion(sp.csr_array((2, WORDS)))
    with pytest.raises(NotFittedError):
        ProdLDA().transform(counts)


class TestParts:
    def test_sparse_lines_are_the_counts_again(self, counts: sp.csr_array) -> None:
        rows = Counted(WORDS)(Documents.of(counts[:7], 12))
        np.testing.assert_array_equal(rows.x, counts[:7].toarray())

    def test_the_likelihood_is_that_of_the_words_in_order(self) -> None:
        logits = np.log(np.array([0.5, 0.3, 0.2], np.float32)) + 2.0
        x = np.array([[2.0, 0.0, 1.0]], np.float32)
        found = WordsLikelihood().log_prob(logits[None, :, None], x)
        np.testing.assert_allclose(found, 2 * np.log(0.5) + np.log(0.2), rtol=1e-6)
        np.testing.assert_allclose(WordsLikelihood().mean(logits[:, None]), [0.5, 0.3, 0.2], rtol=1e-6)

    def test_a_document_of_one_topic_alone_has_its_words(self) -> None:
        decoder = TopicDecoder(np.zeros(4, np.float32), np.eye(2, 4, dtype=np.float32))
        alone = softmax(np.asarray(decoder(np.array([50.0, -50.0], np.float32)))[:, 0])
        np.testing.assert_allclose(alone, np.asarray(decoder.topics())[0], rtol=1e-5)
