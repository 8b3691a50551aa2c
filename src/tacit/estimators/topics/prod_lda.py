"""``ProdLDA``: a topic model fitted as a variational auto-encoder."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY
from typing import Annotated, Any, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse as sp
from jaxtyping import PRNGKeyArray
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from tacit.compute import single_precision
from tacit.estimators.base import read_weights, seed_of
from tacit.estimators.capabilities import MatrixLike, Sweeps
from tacit.estimators.gradient_fit import GradientFit, Split
from tacit.estimators.settings import POSITIVE, SHARE, Choice, Number, Whole, Widths, settings
from tacit.estimators.stopping import because
from tacit.estimators.topics.answers import TopicEstimator, checked_words
from tacit.estimators.verdict import judged
from tacit.inference.objectives import Elbo
from tacit.inference.stochastic import padded
from tacit.inference.train import Trained
from tacit.models.graph import Edge, Graph, Node, Plate
from tacit.models.topics.completion import Completion
from tacit.models.vae.model import DeepLatent, importance_log_prob, rehearsed
from tacit.models.vae.networks import ACTIVATIONS, MLP
from tacit.models.vae.posteriors import Diagonal
from tacit.models.vae.priors import StandardNormal
from tacit.models.vae.words import (
    GAIN,
    Counted,
    CountEncoder,
    Documents,
    TopicDecoder,
    WordsLikelihood,
    topic_shares,
    word_shares,
)

STEPS, LEAST_EPOCHS = 2000, 30
"""Of a fit whose epochs are not set."""
ROWS = 128
"""Documents that are looked at together."""
_KEY = np.zeros(2, np.uint32)
"""The noise of every answer: the same for all documents, so that none depends on its company."""


@settings
class ProdLDA(Sweeps, TopicEstimator, GradientFit):
    """A neural topic model: ``θ = softmax(z)``, ``z ~ N(0, σ² I)``, every word from ``softmax(m + Wᵀ θ)``.

    Topics multiply (a product of experts) where those of latent Dirichlet allocation are averaged. An encoder says
    ``q(z|document)`` at once, a logistic-normal posterior of the mixture θ; σ² is that of the Laplace approximation to
    a Dirichlet prior in softmax coordinates, ``(1 − 1/K)/α`` (Srivastava & Sutton 2017, section 3.2). The bound raised
    is ``E_q log p(words|θ) − KL(q(z|words) ‖ p(z))``, of the words in their order. Topics come by size, the largest
    first.

    Attributes:
        topic_word_: ``[topics, words]``, ``p(w|k)`` of a document of one topic alone; lines sum to one.
        vocabulary_: the words of the columns, or None.
        model_: the model, an immutable pytree with NumPy leaves.
        trace_: how the bound rose: ``iteration`` (epochs), ``bound`` (of all documents, in nats) and ``seconds``.
        history_: a column a figure: epoch, step, elbo, reconstruction, kl, held_out, seconds …, in nats a document.
        lower_bound_: the held-out bound of the parameters that were kept, in nats a document.
        n_iter_: epochs.
        converged_, stop_reason_: whether and why the fit ended by itself.
        verdict_: the same in words; there is no k̂ of topics that are a point.
    """

    n_components: Annotated[int, Whole(1)] = 10
    """the number of topics K."""
    _: KW_ONLY
    doc_topic_prior: Annotated[float, POSITIVE] = 1.0
    """α of the symmetric Dirichlet prior of a document's mixture."""
    hidden: Annotated[Sequence[int], Widths()] = (100, 100)
    """widths of the encoder's layers."""
    activation: Annotated[str, Choice(tuple(ACTIVATIONS))] = "softplus"
    """"relu", "tanh", "gelu", "silu", "softplus"."""
    max_epochs: Annotated[int | None, Whole(1)] = None
    """passes over the documents; None makes about 2 000 steps, and 30 passes at least."""
    learning_rate: Annotated[float, Number("a positive number", least_too=False, below=math.inf)] = 5e-3
    """of Adam; it falls to 0 along a half cosine."""
    warm_up: Annotated[float, SHARE] = 0.1
    """share of the fit over which the weight of the KL rises from 0 to 1."""
    n_samples: Annotated[int, Whole(1)] = 100
    """draws of z for mixtures and scores."""

    @single_precision
    def rehearsal(self) -> str | None:
        return rehearsed(self.model_, (self.n_features_in_,), 0)

    @single_precision
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        *,
        vocabulary: Sequence[str] | None = None,
    ) -> Self:
        """Learn topics.

        Args:
            X: counts ``(n, words)``, sparse or dense; a document may be empty.
            y: ignored.
            sample_weight: a weight a document.
            vocabulary: the words of the columns, where X has no names of its own.

        Raises:
            ValueError: negative counts, no word at all, or a wrong parameter: what, and what to do.
        """
        counts = self._counts(X, "fit", reset=True)
        self.check_settings()
        weights = read_weights(counts, sample_weight)
        if not counts.nnz:
            raise ValueError("X holds no word at all")
        names = self._names() if vocabulary is None else vocabulary
        self.vocabulary_ = None if names is None else checked_words(names, counts.shape[1])
        random = seed_of(self.random_state)
        split = Split.of(random.permutation(counts.shape[0]), self.validation_fraction, weights)
        begun = self._begun(counts.T @ weights, jax.random.key(int(random.integers(2**31))))
        documents = Documents.of(counts, int(np.diff(counts.indptr).max()))
        epochs = self.max_epochs or max(LEAST_EPOCHS, -(-STEPS * self.batch_size // split.learned.size))
        config = self._train_config(Elbo(), Counted(counts.shape[1]), epochs)
        trained = self._learn(begun, documents, weights, split, config, int(random.integers(2**31)))
        self._finish(trained, counts, float(weights.sum()))
        return self

    def _begun(self, totals: np.ndarray, key: PRNGKeyArray) -> DeepLatent:
        """The model before the first step; the background is the corpus's own shares of words, of their ``totals``."""
        one, two = jax.random.split(key)
        totals = totals + 0.5  # a word of documents that do not count is rare, and not impossible
        number, words = self.n_components, totals.size
        weights = jax.random.normal(two, (number, words), jnp.float32) / GAIN
        network = MLP(words, tuple(self.hidden), 2 * number, key=one, activation=self.activation)
        scale = math.sqrt(max(1.0 - 1.0 / number, 1e-4) / float(self.doc_topic_prior))
        return DeepLatent(
            CountEncoder(network),
            TopicDecoder(jnp.asarray(np.log(totals / totals.sum()).astype(np.float32)), weights),
            StandardNormal(number, scale),
            Diagonal(),
            WordsLikelihood(),
            None,
        )

    def _finish(self, trained: Trained, counts: sp.csr_array, weight: float) -> None:
        self.model_ = trained.model
        sizes = self._shares(counts).T @ np.asarray(counts.sum(axis=1)).ravel()
        self.model_ = _ordered(trained.model, np.argsort(-sizes, kind="stable"))
        self.topic_word_ = np.asarray(self.model_.decoder.topics(), np.float64)
        self.topic_word_ /= self.topic_word_.sum(axis=1, keepdims=True)
        self._keep(trained, weight)
        self.verdict_ = judged(
            why_not="topics are a point, and a network says the mixtures",
            bounds=[self.lower_bound_ * weight],
            stop=because(trained.status, converged="the held-out bound no longer rose", limit="max_epochs"),
        )

    def _parts(self, counts: sp.csr_array) -> Iterator[tuple[slice, Documents]]:
        """Documents a padded batch at a time, whatever their lengths."""
        longest = 64 * max(1, -(-int(np.diff(counts.indptr).max(initial=0)) // 64))
        for start in range(0, counts.shape[0], ROWS):
            part = slice(start, min(start + ROWS, counts.shape[0]))
            batch = padded(Documents.of(counts[part], longest), np.ones(part.stop - start), ROWS)
            yield part, batch.rows

    def transform(self, X: MatrixLike) -> np.ndarray:
        """``E[θ]`` under q of every document, ``[documents, topics]``: shares that sum to one."""
        return self._shares(self._asked(X, "transform"))

    @single_precision
    def _shares(self, counts: sp.csr_array) -> np.ndarray:
        found = [
            np.asarray(topic_shares(self.model_, documents, _KEY, self.n_samples), np.float64)[: part.stop - part.start]
            for part, documents in self._parts(counts)
        ]
        shares = np.concatenate(found)
        return shares / shares.sum(axis=1, keepdims=True)

    @single_precision
    def score_samples(self, X: MatrixLike) -> np.ndarray:
        """An estimate of ``log p(words)`` of every document in nats, from below on average (Burda et al. 2016)."""
        counts = self._asked(X, "score_samples")
        found, read = [], Counted(counts.shape[1])
        for part, documents in self._parts(counts):
            score = importance_log_prob(self.model_, read(documents), _KEY, self.n_samples, 1)
            found.append(np.asarray(score, np.float64)[: part.stop - part.start])
        return np.concatenate(found)

    def score(self, X: MatrixLike, y: ArrayLike | None = None) -> float:
        """The mean of ``score_samples``, in nats a document."""
        return float(self.score_samples(X).mean())

    def expected_words(self, X: MatrixLike) -> np.ndarray:
        """``E_q p(w|θ)`` of every document, ``[documents, words]``: what its next word is expected to be."""
        return self._expected(self._asked(X, "expected_words"))

    @single_precision
    def _expected(self, counts: sp.csr_array) -> np.ndarray:
        return np.concatenate(
            [
                np.asarray(word_shares(self.model_, documents, _KEY, self.n_samples))[: part.stop - part.start]
                for part, documents in self._parts(counts)
            ]
        )

    def _completed(self, given: sp.csr_array, asked: sp.csr_array) -> Completion:
        nats = np.zeros(given.shape[0])
        for start in range(0, given.shape[0], ROWS):
            part = slice(start, start + ROWS)
            shares, wanted = self._expected(given[part]).astype(np.float64), asked[part].tocoo()
            each = wanted.data * np.log(np.maximum(shares[wanted.row, wanted.col], np.finfo(np.float32).tiny))
            nats[part] = np.bincount(wanted.row, each, minlength=shares.shape[0])
        return Completion(nats, np.asarray(asked.sum(axis=1)).ravel())

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        check_is_fitted(self)
        nodes = (
            Node("W", "W", "parameter"),
            Node("m", "m", "parameter"),
            Node("z", "z", "latent", ("d",), "Normal(0, σ²)"),
            Node("w", "w", "observed", ("d", "n"), "softmax(m + Wᵀ softmax(z))"),
        )
        edges = (Edge("z", "w"), Edge("W", "w"), Edge("m", "w"))
        return Graph(nodes, edges, (Plate("d", "d = 1…D"), Plate("n", "n = 1…N_d")))


def _ordered(model: Any, order: np.ndarray) -> Any:
    """The same model with its topics in another order: of the encoder's outputs and of the decoder's topics."""
    last = model.encoder.network.layers[-1]
    both = np.concatenate([order, order.size + order])  # the means of z, then its log-scales
    places = lambda m: (  # noqa: E731
        m.encoder.network.layers[-1].weight,
        m.encoder.network.layers[-1].bias,
        m.decoder.weights,
    )
    return eqx.tree_at(places, model, (last.weight[both], last.bias[both], model.decoder.weights[order]))
