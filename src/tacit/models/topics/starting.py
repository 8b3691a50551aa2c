"""Where topics begin: documents far from one another, each mixed with the words of the whole corpus."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float
from scipy import sparse

MIXED = 20.0
"""Parts of the whole corpus to one part of a topic's own document: a topic that begins with few words keeps them."""
DEAD = 0.01
"""A topic that has less than this share of an equal part of the words is dead."""
ALIKE = 0.95
"""Two topics with a larger Bhattacharyya coefficient ``Σ √(β β')`` are one."""


def seeds_of(
    seed_words: Mapping[int, Sequence[int]], strength: float, words: int, topics: int
) -> Float[np.ndarray, "words topics"]:
    """What seed words (column numbers by topic) add to the prior of their topics."""
    added = np.zeros((words, topics))
    for topic, columns in seed_words.items():
        added[list(columns), topic] = strength
    return added


def far_documents(counts: sparse.csr_array, number: int, random: np.random.Generator) -> np.ndarray:
    """Documents drawn one after the other, rather those unlike all drawn before (k-means++ on √ of the shares)."""
    total = np.asarray(counts.sum(axis=1)).ravel()
    filled = np.flatnonzero(total > 0)
    if filled.size <= number:
        return np.resize(filled, number) if filled.size else filled
    roots = sparse.csr_array(counts[filled])
    roots.data = np.sqrt(roots.data / np.repeat(total[filled], np.diff(roots.indptr)))
    picked = [int(random.integers(filled.size))]
    nearest = np.zeros(filled.size)
    while len(picked) < number:
        nearest = np.maximum(nearest, roots @ roots[[picked[-1]]].toarray()[0])
        apart = np.maximum(1.0 - nearest, 0.0)
        apart[picked] = 0.0
        chance = apart if apart.sum() > 0 else np.ones(filled.size)
        picked.append(int(random.choice(filled.size, p=chance / chance.sum())))
    return filled[np.array(picked)]


def begin(
    counts: sparse.csr_array,
    documents: np.ndarray,
    prior: Float[np.ndarray, "words topics"],
    random: np.random.Generator,
) -> Float[np.ndarray, "words topics"]:
    """λ of topics that begin from documents, one each; the prior holds the seed words."""
    words, topics = prior.shape
    mass = float(counts.sum())
    if not mass:
        return prior * random.gamma(100.0, 0.01, prior.shape)
    whole = np.asarray(counts.sum(axis=0)).ravel() / mass
    own = counts[documents].toarray().T
    own = own / own.sum(axis=0) * random.gamma(100.0, 0.01, (words, topics))
    return prior + mass / topics * (own + MIXED * whole[:, None]) / (1.0 + MIXED)


def faulty(
    means: Float[np.ndarray, "words topics"], masses: Float[np.ndarray, " topics"], kept: Sequence[int]
) -> np.ndarray:
    """Topics that are dead, or the lighter ones of pairs that are alike; those ``kept`` (seeded) are never among them.

    Args:
        means: ``E β``.
        masses: expected words of every topic.
        kept: topics that stay.
    """
    topics = masses.size
    dead = masses < DEAD * masses.sum() / topics
    roots = np.sqrt(means)
    alike = roots.T @ roots > ALIKE
    lighter = np.argsort(np.argsort(-masses, kind="stable"), kind="stable")
    kept_ones = np.isin(np.arange(topics), kept)
    rank = np.where(kept_ones, -1, lighter)
    double = (alike & ~dead[None, :] & (rank[None, :] < rank[:, None])).any(axis=1)
    return np.flatnonzero((dead | double) & ~kept_ones)
