"""What topics say: their words, how exclusive and how different they are, their documents, whether they come again."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import scipy.optimize
import scipy.sparse as sp
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from scipy.special import rel_entr
from sklearn.base import BaseEstimator

from tacit.estimators.base import check_whole

TopicsLike: TypeAlias = BaseEstimator | ArrayLike
"""A fitted topic model, weights ``[topics, words]``, or lists of words."""
RELEVANCE = 0.6
"""λ of the relevance, at which people name topics best (Sievert & Shirley 2014)."""
TOP = 10
"""Words by which a topic is judged."""


def topic_words(topics: TopicsLike) -> Float[np.ndarray, "topics words"]:
    """``p(w|k)`` of a fitted model or of an array of weights; every line sums to one.

    Args:
        topics: an estimator with ``topic_word_``, or with scikit-learn's ``components_``; or ``[topics, words]``.

    Raises:
        ValueError: there are none, or negative ones. A topic without any weight is uniform.
    """
    found = topics
    if isinstance(topics, BaseEstimator):
        fitted = vars(topics)
        found = fitted.get("topic_word_", fitted.get("components_", topics))
    weights = np.asarray(found, np.float64)
    if weights.ndim != 2 or weights.size == 0:
        raise ValueError(f"topics must be a fitted topic model or an array (topics, words), got {np.shape(found)}")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("topics are weights of words: finite and not negative")
    total = weights.sum(axis=1, keepdims=True)
    return np.where(total > 0, weights / np.where(total > 0, total, 1.0), 1.0 / weights.shape[1])


def top_words(
    topics: TopicsLike, n_words: int = TOP, *, relevance: float = 1.0, word_shares: ArrayLike | None = None
) -> Int[np.ndarray, "topics top"]:
    """The words of every topic, the foremost first, as columns of the counts.

    The relevance of a word is ``λ log p(w|k) + (1 − λ) log p(w|k)/p(w)``: 1 ranks by the probability in the topic, 0 by
    how much more often a word stands there than elsewhere; people name topics best at 0.6 (Sievert & Shirley 2014).

    Args:
        topics: as for `topic_words`.
        n_words: of each topic.
        relevance: λ, from 0 to 1.
        word_shares: ``p(w)``, ``[words]``, such as ``counts.sum(axis=0)``; the mean of the topics if None.
    """
    check_whole("n_words", n_words, 1)
    if not 0.0 <= relevance <= 1.0:
        raise ValueError(f"relevance must be from 0 to 1, got {relevance!r}")
    shares = topic_words(topics)
    overall = shares.mean(axis=0) if word_shares is None else np.asarray(word_shares, np.float64).ravel()
    if overall.shape != shares.shape[1:]:
        raise ValueError(f"word_shares has {overall.size} words, and the topics have {shares.shape[1]}")
    overall = overall / max(overall.sum(), 1e-300)
    log = np.log(np.maximum(shares, 1e-300))
    lift = log - np.log(np.maximum(overall, 1e-300))
    score = relevance * log + (1.0 - relevance) * np.where(overall > 0, lift, -np.inf if relevance < 1 else 0.0)
    return np.argsort(-score, axis=1, kind="stable")[:, :n_words]


def topic_exclusivity(topics: TopicsLike, n_words: int = TOP) -> Float[np.ndarray, " topics"]:
    """How much a topic's foremost words are its own: the mean of ``p(w|k) / Σ_j p(w|j)``, a share from 0 to 1.

    The exclusivity of Bischof & Airoldi 2012 (section 2), averaged over the ``n_words`` most probable words. With K
    equal topics it is 1/K; where no other topic has the words it is 1.
    """
    shares = topic_words(topics)
    top = top_words(shares, n_words)
    own = np.take_along_axis(shares, top, axis=1)
    everywhere = shares.sum(axis=0)[top]
    return (own / np.where(everywhere > 0, everywhere, 1.0)).mean(axis=1)


def topic_diversity(topics: TopicsLike, n_words: int = 25) -> float:
    """The share of different words among the ``n_words`` foremost of all topics, 0 to 1 (Dieng, Ruiz & Blei 2020)."""
    top = top_words(topics, n_words)
    return float(np.unique(top).size / top.size)


def topic_distances(topics: TopicsLike) -> Float[np.ndarray, "topics topics"]:
    """Jensen–Shannon divergence of every two topics in nats, from 0 to log 2.

    ``½ KL(p‖m) + ½ KL(q‖m)`` with ``m = ½ (p + q)`` (Lin 1991). Its square root is a distance that can be drawn in
    Euclidean space (Fuglede & Topsøe 2004), as the topic map does.
    """
    shares = topic_words(topics)
    number = len(shares)
    found = np.zeros((number, number))
    for k in range(number):
        middle = 0.5 * (shares[k] + shares[k + 1 :])
        both = rel_entr(shares[k], middle).sum(axis=1) + rel_entr(shares[k + 1 :], middle).sum(axis=1)
        found[k, k + 1 :] = found[k + 1 :, k] = np.clip(0.5 * both, 0.0, math.log(2.0))
    return found


def topic_map(topics: TopicsLike) -> Float[np.ndarray, "topics 2"]:
    """The topics as points in a plane whose distances are nearest to the roots of `topic_distances`.

    Classical scaling (Torgerson 1952): the two leading principal coordinates of the doubly centred squared distances.
    The sign of each axis is settled by its largest entry.
    """
    squared = topic_distances(topics)
    centred = -0.5 * (squared - squared.mean(axis=0) - squared.mean(axis=1, keepdims=True) + squared.mean())
    values, vectors = np.linalg.eigh(0.5 * (centred + centred.T))
    places = np.zeros((len(squared), 2))
    for axis, place in enumerate(np.argsort(-values, kind="stable")[:2]):
        vector = vectors[:, place] * math.sqrt(max(float(values[place]), 0.0))
        places[:, axis] = vector * (1.0 if vector[np.argmax(np.abs(vector))] >= 0 else -1.0)
    return places


def topic_sizes(mixtures: ArrayLike, lengths: ArrayLike | None = None) -> Float[np.ndarray, " topics"]:
    """The share of every topic in the corpus: mixtures averaged over documents, weighted by their tokens if given."""
    shares = np.asarray(mixtures, np.float64)
    weights = None if lengths is None else np.asarray(lengths, np.float64).ravel()
    if weights is not None and not weights.sum() > 0:
        weights = None
    return np.average(shares, axis=0, weights=weights)


@dataclasses.dataclass(frozen=True, eq=False)
class Representatives:
    """The documents in which a topic has the greatest share.

    Attributes:
        documents: ``[topics, n]``, the places of the documents, the foremost first.
        shares: ``[topics, n]``, the share of the topic in each, 0 to 1.
    """

    documents: np.ndarray
    shares: np.ndarray


def representative_documents(
    mixtures: ArrayLike, n_documents: int = 5, *, lengths: ArrayLike | None = None, least_tokens: int = 1
) -> Representatives:
    """The most representative documents of every topic: those of which it has the greatest share.

    Args:
        mixtures: topic shares of the documents ``[documents, topics]``, as ``transform`` gives them.
        n_documents: of each topic (fewer where there are fewer).
        lengths: tokens of the documents; of equal shares the longer document comes first.
        least_tokens: documents with fewer tokens are passed over while there are longer ones.
    """
    check_whole("n_documents", n_documents, 1)
    shares = np.asarray(mixtures, np.float64)
    if shares.ndim != 2:
        raise ValueError(f"mixtures must be (documents, topics), got {shares.shape}")
    tokens = np.ones(len(shares)) if lengths is None else np.asarray(lengths, np.float64).ravel()
    short = tokens < least_tokens
    order = np.stack([np.lexsort((-tokens, -column, short)) for column in shares.T])[:, :n_documents]
    return Representatives(order, np.take_along_axis(shares.T, order, axis=1))


@dataclasses.dataclass(frozen=True, eq=False)
class Stability:
    """Whether topics come again from other seeds.

    Attributes:
        value: the mean over topics and pairs of fits, a share from 0 to 1.
        each: ``[topics]``, of every topic of the first fit, its mean over the others.
        n_words: the words that are compared.
    """

    value: float
    each: np.ndarray
    n_words: int

    unit = "share of the foremost words that come again, 0 to 1"

    def __str__(self) -> str:
        return f"stability {self.value:.2f} (of a topic's {self.n_words} words, the share that another seed finds too)"


def topic_stability(fits: Sequence[TopicsLike], n_words: int = TOP) -> Stability:
    """How far fits from several seeds agree: the share of a topic's foremost words that its partner has too.

    The topics of two fits are paired by the Hungarian method so that the shares are the largest, after Greene,
    O'Callaghan & Cunningham 2014 (who compare ranked lists by an average Jaccard index).

    Args:
        fits: two or more, each as for `topic_words`, of one vocabulary and as many topics.
        n_words: the foremost words that are compared.

    Raises:
        ValueError: fewer than two fits, or of different sizes.
    """
    shares = [topic_words(one) for one in fits]
    if len(shares) < 2:
        raise ValueError(f"stability needs two fits at least, got {len(shares)}")
    if len({one.shape for one in shares}) > 1:
        sizes = ", ".join(f"{one.shape[0]} × {one.shape[1]}" for one in shares)
        raise ValueError(f"the fits have topics × words of different sizes: {sizes}")
    tops = [top_words(one, n_words) for one in shares]
    pairs, first = [], []
    for a in range(len(tops)):
        for b in range(a + 1, len(tops)):
            common = _common(tops[a], tops[b], shares[0].shape[1])
            rows, columns = scipy.optimize.linear_sum_assignment(-common)
            pairs.append(float(common[rows, columns].mean()))
            if a == 0:
                first.append(common[rows, columns])
    return Stability(float(np.mean(pairs)), np.mean(first, axis=0), n_words)


def _common(one: np.ndarray, other: np.ndarray, words: int) -> Float[np.ndarray, "topics topics"]:
    """The share of foremost words that each topic of one fit has in common with each of another."""
    marks = []
    for top in (one, other):
        columns = top.ravel()
        rows = np.repeat(np.arange(len(top)), top.shape[1])
        marks.append(sp.csr_array((np.ones(columns.size), (rows, columns)), shape=(len(top), words)))
    return (marks[0] @ marks[1].T).toarray() / one.shape[1]
