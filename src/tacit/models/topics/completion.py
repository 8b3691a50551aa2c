"""Document completion: how well topics predict one half of a document's words from the other half.

One routine for the topics of any model (Wallach, Murray, Salakhutdinov & Mimno 2009): the topics and the prior of the
documents are fixed, a document's topics are found from one half of its words, and the other half is scored.
"""

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy import sparse

from tacit.compute import double_precision
from tacit.models.topics.fitting import documents_of, schedule
from tacit.models.topics.local import DocumentStep

FOLD_STEPS = 200
"""Steps in a document; all are taken, so that no model is judged where its steps are short."""


@dataclasses.dataclass(frozen=True)
class Completion:
    """What `document_completion` gives; in nats.

    Attributes:
        log_prob: of the second half of every document given the first, ``[documents]``.
        words: how many words the second half has.
    """

    log_prob: Float[np.ndarray, " documents"]
    words: Float[np.ndarray, " documents"]

    @property
    def score(self) -> float:
        """Nats a word."""
        return float(self.log_prob.sum() / self.words.sum())

    @property
    def perplexity(self) -> float:
        """``exp(−score)``: as good as a choice among so many equally likely words."""
        return float(np.exp(-self.score))


def document_halves(counts: sparse.csr_array, seed: int = 0) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Every word of every document put in one of two halves by the throw of a coin.

    Raises:
        ValueError: counts that are not whole numbers from 0 on.
    """
    values = counts.data
    if np.any(values < 0) or np.any(values != np.floor(values)):
        raise ValueError("document completion puts single words in two halves, so it takes whole counts from 0 on")
    first, second = counts.copy(), counts.copy()
    first.data = np.random.default_rng(seed).binomial(values.astype(np.int64), 0.5).astype(np.float64)
    second.data = values - first.data
    for half in (first, second):
        half.eliminate_zeros()
    return first, second


@double_precision
def document_completion(
    topics: Float[np.ndarray, "topics words"],
    prior: float | Float[np.ndarray, " topics"],
    given: sparse.csr_array,
    asked: sparse.csr_array,
) -> Completion:
    """Score the second halves of documents under fixed topics, given the first halves.

    ``θ_d`` is the mode in the softmax basis, ``θ_dk ∝ α_k + Σ_w n_dw q(z = k)``, after 200 steps from equal topics,
    and ``log p = Σ_w m_dw log Σ_k θ_dk β_kw``. A word that no topic allows has log-probability −∞.

    Args:
        topics: ``p(word | topic)``; rows are divided by their sums.
        prior: α, one number or one a topic.
        given: the halves of the documents to find their topics from, as `document_halves` gives them.
        asked: the other halves.

    Raises:
        ValueError: shapes that do not fit one another, topics or a prior that are none, or no word to score.
    """
    topics = np.asarray(topics, np.float64)
    given, asked = sparse.csr_array(given), sparse.csr_array(asked, copy=True)
    if topics.ndim != 2 or given.shape != asked.shape or given.shape[1] != topics.shape[1]:
        raise ValueError(
            f"topics have the shape {topics.shape}, the halves {given.shape} and {asked.shape}: topics by words and "
            "documents by the same words are expected"
        )
    if not np.all(np.isfinite(topics)) or np.any(topics < 0) or np.any(topics.sum(1) <= 0):
        raise ValueError("topics are shares of words: none below 0, and not all 0 in a row")
    topics = topics / topics.sum(axis=1, keepdims=True)
    alpha = np.broadcast_to(np.asarray(prior, np.float64), (topics.shape[0],))
    if not np.all(np.isfinite(alpha)) or np.any(alpha <= 0):
        raise ValueError(f"prior must be finite and above 0, got {prior!r:.80}")
    asked.sum_duplicates()
    asked.eliminate_zeros()
    if not asked.nnz:
        raise ValueError("the asked halves hold no word")
    step = DocumentStep(topics.T, np.zeros(topics.shape[1]), alpha, schedule(True, FOLD_STEPS, 0, 0.0), single=False)
    gamma, _ = documents_of(step, given)
    theta = gamma / gamma.sum(axis=1, keepdims=True)
    return Completion(log_probability(theta, topics, asked), np.asarray(asked.sum(axis=1)).ravel())


def log_probability(
    theta: Float[np.ndarray, "documents topics"],
    topics: Float[np.ndarray, "topics words"],
    counts: sparse.csr_array,
) -> Float[np.ndarray, " documents"]:
    """``Σ_w n_dw log Σ_k θ_dk β_kw`` of every document, in nats."""
    found = np.empty(counts.shape[0])
    columns = np.ascontiguousarray(topics.T)
    for number, (begin, end) in enumerate(zip(counts.indptr[:-1], counts.indptr[1:], strict=True)):
        with np.errstate(divide="ignore"):
            found[number] = counts.data[begin:end] @ np.log(columns[counts.indices[begin:end]] @ theta[number])
    return found
