"""From texts to counts: what scikit-learn's vectoriser counts, what is kept, what is said."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from tacit.data.errors import DataError
from tacit.data.texts import Texts, Wording
from tacit.estimators.topics.vectorise import learned, read_corpus, recounted

TEXTS = Texts(
    (
        "The cat sat; the cat ate 3 fish.",
        "A dog and a cat2 met the fish",
        "Dogs and fish? The dog sat.",
        "",
    ),
    source="pets",
)
PLAIN = Wording(None, 1, 1.0)


def test_the_counts_are_those_of_scikit_learn() -> None:
    found = learned(TEXTS, PLAIN)
    theirs = CountVectorizer(token_pattern=PLAIN.pattern)
    np.testing.assert_array_equal(found.counts.toarray(), theirs.fit_transform(TEXTS.documents).toarray())
    assert found.vocabulary.tolist() == theirs.get_feature_names_out().tolist()
    assert found.counts[0].sum() == 7  # "3" is no word
    assert "cat2" in found.vocabulary
    assert found.texts == TEXTS.documents


def test_rare_common_and_stop_words_are_left_out_and_it_is_said() -> None:
    found = learned(TEXTS, Wording("english", 2, 0.5))
    assert found.vocabulary.tolist() == ["dog", "sat"]  # the fish are in three of four
    assert found.notes[-1] == (
        "2 words kept: in 2 documents or more and in at most 50 % of the documents and no English stop word"
    )
    own = learned(TEXTS, Wording(("fish", "dog"), 1, 1.0))
    assert not {"fish", "dog"} & set(own.vocabulary)
    with pytest.raises(DataError, match=r"pets: no word is left of 4 documents.*Lower --min-documents"):
        learned(TEXTS, Wording("english", 9, 1.0))
    with pytest.raises(DataError, match="no word is left of 1 document"):
        learned(Texts(("the and of",)), Wording("english", 1, 1.0))


def test_new_texts_are_counted_in_known_words() -> None:
    found = recounted(Texts(("the yak ate fish fish",)), Wording("english", 2, 0.5), ["fish", "cat"])
    np.testing.assert_array_equal(found.counts.toarray(), [[2, 0]])
    # "the" is a stop word and does not count among the unknown
    assert found.notes == ("2 words of 4 (50 %) are not in the vocabulary of the model and count nothing",)


def test_the_door_reads_texts_and_bags(tmp_path: Path) -> None:
    path = tmp_path / "pets.csv"
    path.write_text("\n".join(["body", *(f'"{text}"' for text in TEXTS.documents)]) + "\n")
    found = read_corpus(path, stop_words=None, min_documents=1, max_share=1.0)
    np.testing.assert_array_equal(found.counts.toarray(), learned(TEXTS, PLAIN).counts.toarray()[: len(found)])
    again = read_corpus(path, vocabulary=["fish"], stop_words=None)
    np.testing.assert_array_equal(again.counts.toarray().ravel()[:3], [1, 1, 1])
    (tmp_path / "a.ldac").write_text("1 0:2\n1 1:1\n")
    (tmp_path / "a.vocab").write_text("cat\ndog\n")
    assert read_corpus(tmp_path / "a.ldac").vocabulary.tolist() == ["cat", "dog"]
    np.testing.assert_array_equal(
        read_corpus(tmp_path / "a.ldac", vocabulary=["dog", "cat"]).counts.toarray(), [[0, 2], [1, 0]]
    )
    with pytest.raises(DataError, match=r"vocabulary as a file goes with a bag of words; of texts give the words"):
        read_corpus(path, vocabulary="words.txt")


def test_stop_words_never_take_a_word_of_the_model() -> None:
    found = recounted(Texts(("the system of fish",)), Wording("english", 1, 1.0), ["system", "fish"])
    np.testing.assert_array_equal(found.counts.toarray(), [[1, 1]])
    assert found.notes == ()
    shouted = learned(Texts(("The cat", "the dog")), Wording(("THE",), 1, 1.0))
    assert shouted.vocabulary.tolist() == ["cat", "dog"]
    kept = learned(Texts(("The cat", "the dog")), Wording(("THE",), 1, 1.0, lowercase=False))
    assert {"The", "the"} <= set(kept.vocabulary)
