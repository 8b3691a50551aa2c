"""What a fitted topic model answers: topics of documents, scores with their units, new documents."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, check_non_negative

from tacit.data.errors import listed
from tacit.estimators.base import check_whole, double_precision, numeric_data, seed_of, unmasked
from tacit.estimators.capabilities import HasTopics, MatrixLike, Samples, Scores
from tacit.estimators.settings import Estimator
from tacit.models.graph import Edge, Graph, Node, Plate
from tacit.models.topics.completion import Completion, document_completion, document_halves
from tacit.models.topics.fitting import bayesian, posterior
from tacit.models.topics.model import TopicModel, summary
from tacit.spaces import Held


class TopicEstimator(HasTopics, Scores, ClassNamePrefixFeaturesOutMixin, TransformerMixin, Estimator):
    """What topic models share: counts on their way in, and one half of a document predicted from the other."""

    held: ClassVar[Mapping[str, Held]] = {
        "topic_word_": Held("topics features", "shares"),
    }

    reads = ("documents",)

    @property
    def _n_features_out(self) -> int:
        return int(self.topic_word_.shape[0])

    @property
    def scores_are_bounds(self) -> bool:
        """They are bounds, or estimates from below."""
        return True

    def _counts(self, X: MatrixLike, method: str, *, reset: bool = False) -> sparse.csr_array:
        """Counts of words, checked, in double precision."""
        rows = numeric_data(self, unmasked(X), reset=reset, accept_sparse="csr", dtype=[np.float64, np.float32])
        check_non_negative(rows, f"{type(self).__name__}.{method}")
        if reset:
            self._dtype = rows.dtype
        counts = sparse.csr_array(rows, dtype=np.float64, copy=True)  # the caller's stays as it is
        counts.sum_duplicates()
        counts.eliminate_zeros()
        return counts

    def _asked(self, X: MatrixLike, method: str) -> sparse.csr_array:
        check_is_fitted(self)
        return self._counts(X, method)

    @abc.abstractmethod
    def _completed(self, given: sparse.csr_array, asked: sparse.csr_array) -> Completion:
        """The words asked for, predicted from the words given, document by document."""

    def completion(self, X: MatrixLike, *, seed: int = 0) -> Completion:
        """Half of the words of every document predicted from the other half, document by document, in nats.

        `tacit.LatentDirichletAllocation` scores under ``E β`` by the same routine as `tacit.document_completion`; the
        encoder of `tacit.ProdLDA` reads the one half, and the other is scored by ``E_q p(w|θ)``. Documents should be
        unseen.

        Args:
            X: whole counts ``(n, words)``.
            seed: which words are in which half, the same for all models.
        """
        check_whole("seed", seed, 0)
        given, asked = document_halves(self._asked(X, "completion"), seed)
        if not asked.nnz:
            raise ValueError("X holds no words to predict")
        return self._completed(given, asked)

    def completion_score(self, X: MatrixLike, *, seed: int = 0) -> float:
        """``log p(half of a document | the other half)`` in nats a word (a token), over all documents.

        Higher is better.
        """
        return self.completion(X, seed=seed).score

    def completion_perplexity(self, X: MatrixLike, *, seed: int = 0) -> float:
        """``exp(−completion_score)``: among how many equally likely words the next one seems to be drawn.

        Lower is better.
        """
        return self.completion(X, seed=seed).perplexity

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.input_tags.sparse = True
        return tags


class TopicAnswers(Samples, TopicEstimator):
    """The answers; a subclass fits ``model_``."""

    model_: TopicModel
    components_: np.ndarray

    def _posterior(self, counts: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
        model = bayesian(self.model_, int(self.max_doc_update_iter), float(self.mean_change_tol))
        return posterior(model, counts)

    @double_precision
    def transform(self, X: MatrixLike, *, normalize: bool = True) -> np.ndarray:
        """The topics of documents, ``(n, K)``: ``E θ``, rows that sum to one.

        A document without words gets the mean of the prior.

        Args:
            X: counts ``(n, words)``, dense or sparse.
            normalize: False for γ itself, the concentrations of ``q(θ) = Dir(γ)``.
        """
        gamma, _ = self._posterior(self._asked(X, "transform"))
        gamma = gamma / gamma.sum(axis=1, keepdims=True) if normalize else gamma
        return gamma.astype(self.components_.dtype)

    def fit_transform(self, X: MatrixLike, y: ArrayLike | None = None, *, normalize: bool = True) -> np.ndarray:
        """Fit to documents; their topics ``(n, K)``."""
        return self.fit(X, y).transform(X, normalize=normalize)

    @double_precision
    def score_samples(self, X: MatrixLike) -> np.ndarray:
        """The bound of each document given what is known of the topics, in nats, ``(n,)``.

        ``E_q[log p(w, z, θ | β) − log q(z, θ)]``, of the sequence of a document's words: no multinomial coefficient.
        """
        return self._posterior(self._asked(X, "score_samples"))[1]

    @double_precision
    def score(self, X: MatrixLike, y: ArrayLike | None = None) -> float:
        """scikit-learn's score: the bounds of all documents minus the divergence of the topics, in nats."""
        return float(self._posterior(self._asked(X, "score"))[1].sum()) - self._divergence()

    def _divergence(self) -> float:
        return summary(self.model_).divergence

    @double_precision
    def perplexity(self, X: MatrixLike, sub_sampling: bool = False) -> float:
        """``exp(−bound a word)``, scikit-learn's; the bound holds all of the topics' divergence.

        Held-out documents are few beside those of the fit, so that this divergence weighs too much on them. For them
        take ``completion_perplexity``, or ``sub_sampling=True``.

        Args:
            X: counts ``(n, words)``.
            sub_sampling: scale the topics' divergence by the words that the topics were learned from:
                ``exp(−(Σ bounds / words of X − divergence / words of the fit))``. scikit-learn takes
                ``total_samples`` times the mean length of the documents of X for the words of the fit.
        """
        counts = self._asked(X, "perplexity")
        local, words = float(self._posterior(counts)[1].sum()), float(counts.sum())
        if not words:
            raise ValueError("X holds no word at all: there is no perplexity")
        mass = float((self.model_.concentrations - self.model_.prior).sum()) if sub_sampling else words
        return float(np.exp(-(local / words - self._divergence() / max(mass, np.finfo(float).tiny))))

    def _completed(self, given: sparse.csr_array, asked: sparse.csr_array) -> Completion:
        return document_completion(self.topic_word_, np.asarray(self.model_.document_prior), given, asked)

    def sample(
        self, n_samples: int = 1, *, lengths: int | Sequence[int] | None = None
    ) -> tuple[sparse.csr_array, np.ndarray]:
        """New documents, and their topics: counts ``(n, words)`` and θ ``(n, K)``.

        Topics are at their means ``E β``. The lengths are no part of the model.

        Args:
            n_samples: how many.
            lengths: words of the documents, one number or one each; the mean length of the fit if None.
        """
        check_is_fitted(self)
        check_whole("n_samples", n_samples, 1)
        random = seed_of(self.random_state)
        sizes = np.broadcast_to(round(self.mean_length_) if lengths is None else lengths, (n_samples,))
        means = self.topic_word_
        theta = random.dirichlet(np.asarray(self.model_.document_prior), n_samples)
        draws = [random.multinomial(int(size), share @ means) for size, share in zip(sizes, theta, strict=True)]
        return sparse.csr_array(np.stack(draws).astype(np.float64)), theta

    def align(self, X: MatrixLike, vocabulary: Sequence[str]) -> sparse.csr_array:
        """Counts under other words, laid under the words of this model; words that it does not know are left out.

        Args:
            X: counts ``(n, len(vocabulary))``.
            vocabulary: the words of the columns of X.

        Raises:
            ValueError: a model without words of its own, or as many words as there are no columns.
        """
        check_is_fitted(self)
        known = words_known(self.vocabulary_)
        counts: Any = sparse.csr_array(X)
        words = checked_words(vocabulary, counts.shape[1])
        place = {word: number for number, word in enumerate(known)}
        columns = [(number, place[word]) for number, word in enumerate(words) if word in place]
        ends = np.array(columns, np.int64).reshape(-1, 2).T
        switch = sparse.csr_array((np.ones(ends.shape[1]), tuple(ends)), shape=(len(words), len(known)))
        return sparse.csr_array(counts @ switch)

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        nodes = (
            Node("alpha", "α", "hyperparameter"),
            Node("eta", "η", "hyperparameter"),
            Node("theta", "θ", "latent", ("n",), "Dirichlet"),
            Node("beta", "β", "parameter", ("k",), "Dirichlet"),
            Node("z", "z", "latent", ("n", "i"), "categorical"),
            Node("w", "w", "observed", ("n", "i"), "categorical"),
        )
        edges = (Edge("alpha", "theta"), Edge("eta", "beta"), Edge("theta", "z"), Edge("z", "w"), Edge("beta", "w"))
        plates = (Plate("n", "n = 1…N"), Plate("i", "i = 1…Lₙ"), Plate("k", f"k = 1…{self.n_components}"))
        return Graph(nodes, edges, plates)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32", "float64"]
        return tags


def words_known(vocabulary: tuple[str, ...] | None) -> tuple[str, ...]:
    """The words of a model; raises `ValueError` where it has numbers of columns only."""
    if vocabulary is None:
        raise ValueError("this model knows its words by column only: fit with vocabulary=, or columns with names")
    return vocabulary


def checked_words(vocabulary: Sequence[str], columns: int) -> tuple[str, ...]:
    """The words of some columns; raises `ValueError` where they are not as many, or stand twice."""
    words = tuple(str(word) for word in vocabulary)
    if len(words) != columns:
        raise ValueError(f"vocabulary has {len(words)} words, X has {columns} columns: one word a column is needed")
    if len(set(words)) < len(words):
        twice = sorted({word for word in words if words.count(word) > 1}) if len(words) < 10_000 else []
        raise ValueError(f"vocabulary has words that stand twice{': ' + listed(twice) if twice else ''}")
    return words
