"""The peers of the topic model, each as its users would call it: topics, the prior of documents, and the seconds."""

import itertools
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tomotopy
from gensim.models import LdaModel
from scipy import sparse
from sklearn.decomposition import LatentDirichletAllocation

from benchmarks.frame import clock

ITERATIONS, PASSES, SWEEPS = 40, 20, 500


class Fitted(NamedTuple):
    """What is judged."""

    topics: np.ndarray
    alpha: np.ndarray
    seconds: float


def scikit_learn(counts: sparse.csr_matrix, number: int, alpha: float, eta: float, learn: bool) -> Fitted:
    """Batch variational Bayes; it cannot learn its priors, and takes its own where others learn theirs."""
    priors = {} if learn else {"doc_topic_prior": alpha, "topic_word_prior": eta}
    model = LatentDirichletAllocation(number, max_iter=ITERATIONS, random_state=0, **priors)
    seconds, _ = clock(lambda: model.fit(counts))
    return Fitted(model.components_, np.full(number, model.doc_topic_prior_), seconds)


def gensim(counts: sparse.csr_matrix, number: int, alpha: float, eta: float, learn: bool) -> Fitted:
    """Online variational Bayes in one process."""
    corpus = [
        list(zip(counts.indices[a:b].tolist(), counts.data[a:b].astype(int).tolist(), strict=True))
        for a, b in itertools.pairwise(counts.indptr)
    ]
    words = {word: str(word) for word in range(counts.shape[1])}
    priors = {"alpha": "auto", "eta": "auto"} if learn else {"alpha": [alpha] * number, "eta": eta}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seconds, model = clock(lambda: LdaModel(corpus, number, words, passes=PASSES, random_state=0, **priors))
    return Fitted(model.get_topics(), np.asarray(model.alpha, float), seconds)


def tomotopy_gibbs(counts: sparse.csr_matrix, number: int, alpha: float, eta: float, learn: bool) -> Fitted:
    """Collapsed Gibbs sampling, all cores; it learns α alone."""
    model = tomotopy.LDAModel(k=number, alpha=alpha, eta=eta, seed=1)
    model.optim_interval = 10 if learn else 0
    for a, b in itertools.pairwise(counts.indptr):
        if b > a:
            model.add_doc([str(w) for w in np.repeat(counts.indices[a:b], counts.data[a:b].astype(int))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that several threads do not give the same twice
        seconds, _ = clock(lambda: model.train(SWEEPS, workers=0, show_progress=False))
    places = np.array([int(word) for word in model.used_vocabs])
    topics = np.full((number, counts.shape[1]), 1e-12)
    topics[:, places] = [model.get_topic_word_dist(k) for k in range(number)]
    return Fitted(topics, np.asarray(model.alpha, float), seconds)


PEERS: dict[str, Callable[[sparse.csr_matrix, int, float, float, bool], Fitted]] = {
    "scikit-learn": scikit_learn,
    "gensim": gensim,
    "tomotopy": tomotopy_gibbs,
}
