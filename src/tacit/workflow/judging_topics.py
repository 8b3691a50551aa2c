"""What is worth knowing of a fitted topic model: its topics in words, how it predicts documents, and cautions."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from tacit.estimators.capabilities import HasTopics, Scores
from tacit.evaluation.coherence import topic_coherence
from tacit.evaluation.topic_selection import completed
from tacit.evaluation.topic_trace import TopicTrace as TopicTrace
from tacit.evaluation.topics import (
    RELEVANCE,
    top_words,
    topic_distances,
    topic_diversity,
    topic_exclusivity,
    topic_sizes,
    topic_words,
)
from tacit.report import sentences
from tacit.workflow.sources import Rows

TOP = 10
"""Words that name a topic."""
JUDGED = 20_000
"""Documents on which topics are judged at most."""
DEAD = 0.1
"""A topic is hardly used below this share of what it would have if all were of one size."""
TWINS = 0.05
"""Two topics are nearly the same below this divergence in nats; it is log 2 = 0.69 at most."""
NONSENSE = -0.05
"""NPMI below which the words of a topic do not go together."""


def judge_topics(estimator: HasTopics, fitted: Rows, kept: Rows) -> dict[str, Any]:
    """What a run keeps of its topics, as plain numbers and texts.

    Args:
        estimator: fitted.
        fitted: the documents it has seen.
        kept: the documents kept aside, perhaps none.
    """
    if fitted.vocabulary is None:
        raise TypeError("documents have a vocabulary")
    counts, known = fitted.values, fitted.vocabulary.words
    if counts.shape[0] > JUDGED:
        counts = counts[np.sort(np.random.default_rng(0).choice(counts.shape[0], JUDGED, replace=False))]
    mixtures = estimator.transform(counts)
    sizes = topic_sizes(mixtures, counts.sum(axis=1))
    overall = np.asarray(fitted.values.sum(axis=0)).ravel()
    foremost = top_words(estimator, TOP, relevance=RELEVANCE, word_shares=overall)
    npmi, umass = (topic_coherence(estimator, counts, measure=measure) for measure in ("npmi", "umass"))
    exclusive = topic_exclusivity(estimator)
    score, error = completed(estimator, kept.values) if _halves(kept) else (math.nan, math.nan)
    twins = near_twins(estimator)
    return {
        "each": [
            {
                "share": float(sizes[k]),
                "words": [known[word] for word in foremost[k]],
                "coherence": float(npmi.each[k]),
                "exclusivity": float(exclusive[k]),
            }
            for k in range(len(sizes))
        ],
        "words": int(fitted.values.shape[1]),
        "tokens": int(fitted.values.sum()),
        "coherence": {"npmi": npmi.value, "umass": umass.value, "lacking": npmi.lacking},
        "exclusivity": float(exclusive.mean()),
        "diversity": topic_diversity(estimator),
        "completion": {
            "nats_a_word": score,
            "standard_error": error,
            "perplexity": math.exp(-score) if math.isfinite(score) else math.nan,
            "documents": len(kept),
        },
        "twins": twins,
        "cautions": _cautions(sizes, npmi.each, twins, fitted),
    }


def _halves(kept: Rows) -> bool:
    """Whether a document kept aside has two words."""
    return len(kept) > 0 and float(np.max(np.asarray(kept.values.sum(axis=1)))) >= 2


def word_scores(estimator: Scores, counts: sparse.csr_array) -> np.ndarray:
    """``log p(words)`` of every document in nats a word: what documents of different lengths are compared by."""
    lengths = np.maximum(np.asarray(counts.sum(axis=1)).ravel(), 1.0)
    return np.asarray(estimator.score_samples(counts), np.float64) / lengths


def near_twins(topics: HasTopics) -> list[list[int]]:
    """Pairs of topics that are nearly the same, counted from 0."""
    apart = topic_distances(topic_words(topics))
    first, second = np.nonzero(np.triu(apart < TWINS, 1))
    return [[int(a), int(b)] for a, b in zip(first, second, strict=True)]


def _cautions(sizes: np.ndarray, coherence: np.ndarray, twins: Sequence[Sequence[int]], fitted: Rows) -> list[str]:
    """What a careful reader should be told without having asked."""
    said, count = [], len(sizes)
    dead = np.flatnonzero(sizes < DEAD / count)
    if dead.size and count > 1:
        said.append(f"{_topics(dead)} {'is' if dead.size == 1 else 'are'} hardly used: fewer topics would do.")
    if len(twins) == 1:
        said.append(f"Topics {twins[0][0] + 1} and {twins[0][1] + 1} are nearly the same: fewer topics would do.")
    elif twins:
        said.append(f"{_topics(np.unique(twins))} are nearly the same as one another: fewer topics would do.")
    doubtful = np.setdiff1d(np.flatnonzero(coherence < NONSENSE), dead)
    if doubtful.size:
        said.append(
            f"The words of {_topics(doubtful).lower()} seldom stand in the same documents; read "
            f"{_it(doubtful)} with care."
        )
    if len(fitted) < 10 * count:
        few, many = sentences.counted(len(fitted), "document"), sentences.counted(count, "topic")
        said.append(f"There {'is' if len(fitted) == 1 else 'are'} only {few} for {many}.")
    return said


def _it(which: np.ndarray) -> str:
    return "it" if which.size == 1 else "them"


def _topics(which: np.ndarray) -> str:
    numbers = [str(place + 1) for place in which.tolist()]
    if len(numbers) == 1:
        return f"Topic {numbers[0]}"
    return f"Topics {sentences.listed(numbers)}" if len(numbers) <= 6 else f"{len(numbers)} topics"
