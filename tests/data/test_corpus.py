"""Counts of documents: what is refused, what is left out and said, and new documents under known words."""

import numpy as np
import pytest
import scipy.sparse as sp

from tacit.data.corpus import Corpus, checked_counts, checked_vocabulary, numbered_words
from tacit.data.errors import DataError

WORDS = np.array(["cat", "dog", "fish"], object)
COUNTS = np.array([[2.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 3.0, 0.0]])


def corpus(counts: np.ndarray = COUNTS, words: np.ndarray = WORDS, **more: object) -> Corpus:
    return Corpus(sp.csr_array(counts), words, source="pets", **more)


def test_documents_without_a_word_are_left_out_by_name() -> None:
    found = corpus(ids=np.array(["a", "b", "c"], object), texts=("cat cat fish", "", "dog dog dog")).filled()
    assert found.ids.tolist() == ["a", "c"]
    assert found.texts == ("cat cat fish", "dog dog dog")
    assert found.places.tolist() == [1, 3]
    np.testing.assert_array_equal(found.counts.toarray(), COUNTS[[0, 2]])
    assert found.notes == ("1 document without any word left out (number 2)",)
    assert (found.tokens, len(found)) == (6, 2)
    with pytest.raises(DataError, match="pets: no document holds a word"):
        corpus(np.zeros((2, 3))).filled()


def test_new_words_are_left_out_counted_and_said() -> None:
    found = corpus().under(["yak", "fish", "cat"])
    np.testing.assert_array_equal(found.counts.toarray(), [[0, 1, 2], [0, 0, 0], [0, 0, 0]])
    assert found.vocabulary.tolist() == ["yak", "fish", "cat"]
    assert found.notes == ("3 words of 6 (50 %) are not in the vocabulary of the model and count nothing",)
    assert corpus().under(WORDS.tolist()).notes == ()


def test_words_without_names_are_matched_by_number() -> None:
    bare = corpus(words=numbered_words(3), named=False)
    found = bare.under(["a", "b", "c", "d"], named=False)
    np.testing.assert_array_equal(found.counts.toarray(), np.pad(COUNTS, ((0, 0), (0, 1))))
    with pytest.raises(DataError, match=r"3 words without names and the model knows 2"):
        bare.under(["a", "b"])


@pytest.mark.parametrize(("value", "said"), [(-1.0, "-1"), (0.5, "0.5"), (np.nan, "nan"), (np.inf, "inf")])
def test_what_is_no_count_is_named(value: float, said: str) -> None:
    counts = COUNTS.copy()
    counts[2, 1] = value
    with pytest.raises(DataError, match=rf"file: document 3 has {said} of word 2; a count is a whole number"):
        checked_counts(counts, "file")


def test_counts_given_twice_are_added() -> None:
    twice = sp.coo_array((np.array([1, 2, 0]), (np.array([0, 0, 1]), np.array([1, 1, 0]))), shape=(2, 2))
    found = checked_counts(twice, "file")
    np.testing.assert_array_equal(found.toarray(), [[0, 3], [0, 0]])
    assert found.nnz == 1


def test_a_vocabulary_has_every_word_once() -> None:
    with pytest.raises(DataError, match=r"vocab names 'dog' more than once"):
        checked_vocabulary(["dog", "cat", "dog"], 3, "vocab")
    with pytest.raises(DataError, match=r"vocab has 2 words, and the counts have 3 columns"):
        checked_vocabulary(["dog", "cat"], 3, "vocab")
