"""``topic_coherence``: whether the foremost words of a topic stand together in documents of a reference corpus."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from jaxtyping import Bool, Float, Int

from tacit.data.corpus import Corpus
from tacit.estimators.base import check_choice, check_whole
from tacit.estimators.capabilities import HasTopics, MatrixLike
from tacit.evaluation.topics import TOP, TopicsLike, top_words, topic_words

MEASURES: Mapping[str, str] = {
    "npmi": "no unit: −1 (never together) to 1 (always together), 0 as if independent",
    "umass": "nats: log of a conditional probability, at most about 0, higher is better",
}
"""The measures, and the unit of each."""
_SMOOTHING = {"npmi": 1e-12, "umass": 1.0}
_LACKING = -1


@dataclasses.dataclass(frozen=True, eq=False)
class Coherence:
    """How well the foremost words of topics go together.

    Attributes:
        value: the mean over topics; never NaN.
        each: ``[topics]``.
        measure: "npmi" or "umass".
        unit: of the values, in words.
        lacking: the share of the topics' words that no document of the reference holds, 0 to 1.
        lacking_each: ``[topics]``, the same of every topic.
        n_words: words of each topic that were looked at.
        documents: of the reference corpus.
    """

    value: float
    each: np.ndarray
    measure: str
    unit: str
    lacking: float
    lacking_each: np.ndarray
    n_words: int
    documents: int

    def __str__(self) -> str:
        name = {"npmi": "NPMI", "umass": "UMass"}[self.measure]
        gaps = f"; {100 * self.lacking:.0f} % of their words are not in the reference" if self.lacking else ""
        return (
            f"{name} coherence {self.value:.3f} ({self.unit}), of the {self.n_words} foremost words of "
            f"{len(self.each)} topics over {self.documents:,} documents{gaps}"
        )


def topic_coherence(
    topics: TopicsLike,
    reference: MatrixLike | Corpus,
    *,
    measure: str = "npmi",
    n_words: int = TOP,
    vocabulary: Sequence[str] | None = None,
    reference_vocabulary: Sequence[str] | None = None,
    smoothing: float | None = None,
) -> Coherence:
    """The coherence of topics, by how often their words stand in the same documents.

    With ``P(w)`` the share of the reference's documents that hold a word and ``P(v, w)`` of those that hold both, the
    score of a topic is the mean over the pairs of its foremost words, v above w, of

    - NPMI (Bouma 2009; Lau, Newman & Baldwin 2014): ``log[(P(v, w) + ε) / (P(v) P(w))] / −log(P(v, w) + ε)``; a pair
      that stands together in every document has 0, for it tells nothing;
    - UMass (Mimno et al. 2011): ``log[(P(v, w) + ε) / P(v)]``.

    A word that no document of the reference holds takes no part in the mean and is counted in ``lacking``; a topic with
    fewer than two words left has the worst value there is, −1, or ``log ε`` for UMass.

    Args:
        topics: a fitted topic model, an array ``[topics, words]``, or lists of words (texts, or columns of the
            reference), the foremost first.
        reference: counts ``[documents, words]``, dense or sparse, or a `Corpus`: that of the fit or, better, another.
        measure: "npmi" or "umass".
        n_words: how many foremost words of each topic count.
        vocabulary: the words of the topics' columns, where the reference has others; a model's own if None.
        reference_vocabulary: the words of the reference's columns; those of a `Corpus` if None.
        smoothing: what is added to the number of documents that hold a pair: ε times the number of documents. 1e-12
            times that number for NPMI, 1 for UMass, if None.

    Raises:
        ValueError: no documents, or topics and reference whose words cannot be told to be the same.
    """
    check_choice("measure", measure, tuple(MEASURES))
    check_whole("n_words", n_words, 2)
    if isinstance(reference, Corpus):
        named = reference.vocabulary.tolist() if reference.named else None
        reference_vocabulary = named if reference_vocabulary is None else reference_vocabulary
        reference = reference.counts
    there = _presence(reference)
    top = _places(topics, n_words, vocabulary, reference_vocabulary, there.shape[1])
    single = np.asarray(there.sum(axis=0)).ravel()
    top = [np.where((words >= 0) & (single[words] > 0), words, _LACKING) for words in top]
    documents = there.shape[0]
    added = _SMOOTHING[measure] * (documents if measure == "npmi" else 1.0) if smoothing is None else float(smoothing)
    if not added > 0:
        raise ValueError(f"smoothing must be above 0, got {smoothing!r}: a pair that never meets would have −∞")
    each = np.array([_score(words, there, single, measure, added / documents) for words in top])
    lacking = np.array([float(np.mean(words == _LACKING)) if words.size else 1.0 for words in top])
    looked = max((words.size for words in top), default=0)
    return Coherence(
        float(each.mean()), each, measure, MEASURES[measure], float(lacking.mean()), lacking, looked, documents
    )


def _presence(reference: MatrixLike | Corpus) -> sp.csc_array:
    """Which documents hold which words, as ones."""
    counts = sp.csc_array(reference, dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] == 0:
        raise ValueError(f"the reference must be counts (documents, words) of a document at least, got {counts.shape}")
    if not np.isfinite(counts.data).all() or (counts.data < 0).any():
        raise ValueError("the reference holds counts of words: finite and not negative")
    return sp.csc_array(counts > 0, dtype=np.float64)


def _places(
    topics: TopicsLike, n_words: int, own: Sequence[str] | None, others: Sequence[str] | None, columns: int
) -> list[Int[np.ndarray, " top"]]:
    """The foremost words of every topic as columns of the reference, −1 where it has no such column."""
    if isinstance(topics, (list, tuple)):
        lists: list[list[Any]] = [list(words)[:n_words] for words in topics]
    else:
        lists = [list(words) for words in top_words(topics, n_words)]
        own = topics.vocabulary_ if own is None and isinstance(topics, HasTopics) else own
        if own is not None and others is not None:
            lists = [[str(own[word]) for word in words] for words in lists]
    if not lists:
        raise ValueError("there are no topics")
    texts = any(isinstance(word, str) for words in lists for word in words)
    if not texts:
        width = 1 + max((int(word) for words in lists for word in words), default=-1)
        if not isinstance(topics, (list, tuple)):
            width = topic_words(topics).shape[1]
        if width > columns or (width != columns and not isinstance(topics, (list, tuple))):
            raise ValueError(
                f"the topics are of {width} words and the reference of {columns}: give vocabulary= and "
                "reference_vocabulary= to match them by name"
            )
        return [np.array([int(word) for word in words], np.int64) for words in lists]
    if others is None:
        raise ValueError("topics given as words need reference_vocabulary=, the words of the reference's columns")
    place = {str(word): number for number, word in enumerate(others)}
    return [np.array([place.get(str(word), _LACKING) for word in words], np.int64) for words in lists]


def _score(
    words: Int[np.ndarray, " top"],
    there: sp.csc_array,
    single: Float[np.ndarray, " words"],
    measure: str,
    epsilon: float,
) -> float:
    """The mean over pairs of known words; ``epsilon`` is a share of documents."""
    known = words[words != _LACKING]
    if known.size < 2:
        return -1.0 if measure == "npmi" else math.log(epsilon)
    documents = there.shape[0]
    chosen = there[:, known]
    both = (chosen.T @ chosen).toarray() / documents
    alone = single[known] / documents
    above, below = np.triu_indices(known.size, 1)
    pair = both[above, below]
    if measure == "umass":
        return float(np.mean(np.log((pair + epsilon) / alone[above])))
    always: Bool[np.ndarray, " pairs"] = pair + epsilon >= 1.0
    pair = np.where(always, 0.5, pair + epsilon)
    score = np.log(pair / (alone[above] * alone[below])) / -np.log(pair)
    return float(np.mean(np.where(always, 0.0, np.clip(score, -1.0, 1.0))))
