"""``LatentDirichletAllocation``: topics of documents, with scikit-learn's face."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from numbers import Integral
from typing import Annotated, Any, ClassVar, Self

import equinox as eqx
import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.utils.validation import check_array, check_non_negative

from tacit.compute import Array
from tacit.data.documents import BatchSource, DocumentRows
from tacit.data.errors import nearest
from tacit.data.frames import feature_names
from tacit.estimators.base import Seed, double_precision, seed_of
from tacit.estimators.capabilities import MatrixLike, Sweeps
from tacit.estimators.settings import NOT_NEGATIVE, POSITIVE, Choice, Number, Whole, settings
from tacit.estimators.stopping import because
from tacit.estimators.topics.answers import TopicAnswers, checked_words, words_known
from tacit.estimators.verdict import judged
from tacit.inference.closed_form import CONVERGED
from tacit.inference.fit import Fit
from tacit.inference.loop import on_host
from tacit.inference.series import Series
from tacit.models.topics.fitting import (
    TopicsFit,
    TopicsPlan,
    advanced,
    bayesian,
    begun,
    canonical,
    learn,
    schedule,
)
from tacit.models.topics.model import TopicModel, summary
from tacit.models.topics.starting import begin, far_documents, seeds_of
from tacit.spaces import Held

LEARNED = {"auto": "each", "auto-symmetric": "tied"}
FIRST_PRIOR = {"doc_topic_prior": 0.1, "topic_word_prior": 0.05}
"""Where the learning of a prior begins."""


@settings
class LatentDirichletAllocation(TopicAnswers, Sweeps):
    """Latent Dirichlet allocation by variational Bayes, with scikit-learn's arguments, attributes and scores.

    ``β_k ~ Dir(η)``, ``θ_d ~ Dir(α)``, ``z ~ θ_d``, ``w ~ β_z`` (Blei, Ng & Jordan 2003); mini-batches after Hoffman,
    Blei & Bach (2010). Topics begin from documents and are moved at a point first (``start_iter``), which ends in far
    better topics than a random start. Heaviest first, unless seeded: seeded topics keep their numbers.

    Attributes:
        components_: λ ``(K, words)``, the concentrations of ``q(β)``.
        topic_word_: ``E β``, rows sum to one.
        exp_dirichlet_component_: ``exp E log β``.
        doc_topic_prior_, topic_word_prior_: α and η.
        bound_: the perplexity of the documents of the fit.
        lower_bound_: the bound on their log evidence, in nats, with every constant.
        n_iter_, n_batch_iter_: iterations; mini-batches taken in, plus one.
        converged_, trace_, verdict_: whether and how the bound came to rest, and what to trust. On large corpora the
            trace is of bounds with few steps a document, which are a little lower; "online" never comes to rest, and
            its trace is of the bounds of a pass's mini-batches, each at the topics that saw it.
        topics_restarted_: dead and duplicate topics that were begun anew.
        seed_effect_: per seeded topic: share of its words that are seeds, the most that another topic has, and how
            much of that share is the prior's doing.
        vocabulary_: the words of the columns, or None.
        mean_length_: words of a document of the fit.
        model_: the fitted model.
    """

    held: ClassVar[Mapping[str, Held]] = {
        "model_.concentrations": Held("features topics", "positive"),
        "components_": Held("topics features", "positive"),
        "exp_dirichlet_component_": Held("topics features", "not negative"),
        "mean_length_": Held("", "positive"),
    }

    n_components: Annotated[int, Whole(1)] = 10
    """K, the number of topics."""
    _: KW_ONLY
    doc_topic_prior: Any = None
    """α: a number, one a topic, None for 1/K; "auto" learns one a topic by Newton's method, "auto-symmetric" one for
    all."""
    topic_word_prior: Any = None
    """η: a number, one a word, None for 1/K; "auto" learns one a word, "auto-symmetric" one."""
    learning_method: Annotated[str, Choice(("batch", "online"))] = "batch"
    """"batch", or "online" by mini-batches."""
    learning_decay: Annotated[float, Number("a number from 0 to 1", below=1.0, below_too=True)] = 0.7
    """κ of the step size ``(τ + t)^−κ`` of mini-batches."""
    learning_offset: Annotated[float, Number("at least 1", least=1.0)] = 10.0
    """τ."""
    max_iter: Annotated[int, Whole(0)] = 10
    """most iterations of variational Bayes; "online" makes just so many passes over the mini-batches."""
    batch_size: Annotated[int, Whole(1)] = 128
    """documents of a mini-batch."""
    evaluate_every: int = -1
    """above 0, "batch" stops when the perplexity changes by less than a tolerance, which is at most ``perp_tol``; every
    so many iterations ``verbose`` tells the perplexity."""
    total_samples: Annotated[float, POSITIVE] = 1e6
    """documents that the batches of ``partial_fit`` stand for."""
    perp_tol: Annotated[float, NOT_NEGATIVE] = 0.1
    """see ``evaluate_every``."""
    mean_change_tol: Annotated[float, NOT_NEGATIVE] = 1e-3
    """a document rests when its γ changes by less, on average."""
    max_doc_update_iter: Annotated[int, Whole(1)] = 100
    """most steps in a document."""
    n_jobs: int | None = None
    """accepted; all cores are used, and their number changes no bit."""
    verbose: int = 0
    """print iterations."""
    random_state: Seed = None
    """seed, RandomState or Generator."""
    start_iter: Annotated[int, Whole(0)] = 50
    """iterations at a point before those of variational Bayes."""
    tol: Annotated[float, NOT_NEGATIVE] = 1e-3
    """change of the bound a document, in nats, below which the fit has converged ("batch" alone)."""
    n_init: Annotated[int, Whole(1)] = 1
    """starts, of which the one with the largest bound is kept."""
    seed_words: Mapping[int, Sequence[str | int]] | None = None
    """``{topic: [words]}`` (or column numbers), which get a larger prior in their topic."""
    seed_strength: Annotated[float, POSITIVE] = 100.0
    """what is added to η of a seed word: about as many occurrences seen beforehand."""

    @double_precision
    def fit(self, X: MatrixLike, y: ArrayLike | None = None, *, vocabulary: Sequence[str] | None = None) -> Self:
        """Find the topics of documents.

        Args:
            X: counts ``(n, words)``, dense or sparse; a document may be empty.
            y: ignored.
            vocabulary: the words of the columns, where X has no names of its own.

        Raises:
            ValueError: negative counts, gaps, or what is wrong with a parameter.
        """
        self.check_settings()
        counts = self._counts(X, "fit", reset=True)
        self._name(vocabulary, counts.shape[1])
        model, random = self._template(counts.shape[1]), seed_of(self.random_state)
        plan = self._plan(counts)
        online = self.learning_method == "online"
        found = Series().each(lambda _: learn(model, counts, plan, random, online=online), range(int(self.n_init)))
        found.sort(key=lambda each: -each.bound)
        self._finish(found, counts)
        return self

    def _check_together(self) -> None:
        if not isinstance(self.seed_words, Mapping | None):
            raise ValueError(f"seed_words must map topics to words, got {self.seed_words!r:.80}")

    def _name(self, vocabulary: Sequence[str] | None, columns: int) -> None:
        names = self._names() if vocabulary is None else vocabulary
        self.vocabulary_ = None if names is None else checked_words(names, columns)

    def _plan(self, counts: sparse.csr_array) -> TopicsPlan:
        tol = float(self.tol)
        if self.evaluate_every > 0 and counts.sum() > 0:  # a change of the perplexity, as one of the bound
            tol = max(tol, float(self.perp_tol) / counts.shape[1] * float(counts.sum()) / counts.shape[0])
        return TopicsPlan(
            int(self.start_iter),
            int(self.max_iter),
            tol,
            int(self.max_doc_update_iter),
            float(self.mean_change_tol),
            type(self).__name__,
            tuple(sorted(self.seed_words or ())),
            int(self.batch_size),
            float(self.learning_decay),
            float(self.learning_offset),
        )

    def _template(self, words: int) -> TopicModel:
        """The priors, and concentrations that count for their shape alone."""
        topics = int(self.n_components)
        seeds = self._seeds(words)
        return TopicModel(
            np.zeros((words, topics)),
            self._prior("doc_topic_prior", topics, "topic"),
            self._prior("topic_word_prior", words, "word"),
            seeds,
            schedule(True, 1, 0, 0.0),
            self._learned("doc_topic_prior"),
            self._learned("topic_word_prior"),
            np.asarray(False),
        )

    def _learned(self, name: str) -> str:
        value = vars(self)[name]
        return LEARNED[value] if isinstance(value, str) else "no"

    def _prior(self, name: str, size: int, each: str) -> np.ndarray:
        value = vars(self)[name]
        if value is None:
            value = 1.0 / self.n_components
        if isinstance(value, str):
            if value not in LEARNED:
                raise ValueError(
                    f"{name} must be positive numbers, None or one of {', '.join(map(repr, LEARNED))}; got {value!r}"
                )
            value = FIRST_PRIOR[name]
        given = np.asarray(value, np.float64)
        if given.shape not in ((), (size,)) or not np.all(np.isfinite(given)) or np.any(given <= 0):
            raise ValueError(f"{name} must be positive: one number, or {size} of them, one a {each}; got {value!r:.80}")
        return np.array(np.broadcast_to(given, (size,)))

    def _seeds(self, words: int) -> np.ndarray | None:
        if not self.seed_words:
            return None
        columns: dict[int, list[int]] = {}
        for topic, chosen in self.seed_words.items():
            if isinstance(topic, bool) or topic not in range(int(self.n_components)):
                raise ValueError(f"seed_words has the topic {topic!r}; topics are 0 to {self.n_components - 1}")
            columns[int(topic)] = [self._column(word, words) for word in chosen]
        return seeds_of(columns, float(self.seed_strength), words, int(self.n_components))

    def _column(self, word: str | int, words: int) -> int:
        if isinstance(word, Integral) and not isinstance(word, bool):
            if int(word) not in range(words):
                raise ValueError(f"seed_words has the column {word}; there are 0 to {words - 1}")
            return int(word)
        known = words_known(self.vocabulary_)
        if word not in known:
            raise ValueError(f"the seed word {word!r} is not among the {len(known)} words.{nearest(str(word), known)}")
        return known.index(word)

    def _finish(self, found: list[TopicsFit], counts: sparse.csr_array) -> None:
        best = found[0]
        order = canonical(best.masses, tuple(sorted(self.seed_words or ())))
        self._publish(_ordered(best.fit.model, order))
        words = max(float(counts.sum()), np.finfo(float).tiny)
        self.lower_bound_ = best.bound
        self.bound_ = float(np.exp(-best.bound / words)) if counts.nnz else 1.0
        self.mean_length_ = float(counts.sum()) / counts.shape[0]
        online = self.learning_method == "online"
        batches = -(-counts.shape[0] // int(self.batch_size)) if online else 1
        self.n_iter_ = best.fit.iteration
        self.n_batch_iter_ = 1 + batches * self.n_iter_
        self.trace_, self.converged_ = best.fit.trace, best.fit.status == CONVERGED
        self.topics_restarted_ = best.restarted
        self.verdict_ = judged(
            why_not=f"{self.components_.size:,} parameters of topics: it says nothing beyond about 200",
            bounds=[each.bound for each in found],
            stop=because(best.fit.status),
        )
        self._say(best.fit, words)

    def _say(self, fit: Fit, words: float) -> None:
        if not self.verbose:
            return
        for iteration, bound in zip(fit.trace.iteration, fit.trace.bound, strict=True):
            text = f"iteration: {iteration} of max_iter: {self.max_iter}"
            if self.evaluate_every > 0 and iteration % self.evaluate_every == 0:
                text += f", perplexity: {np.exp(-bound / words):.4f}"
            if iteration:
                print(text)

    def _publish(self, model: TopicModel) -> None:
        """Set what is known of the topics as attributes."""
        dtype = vars(self).get("_dtype", np.float64)
        told = summary(model)
        self.model_ = on_host(model)
        self.components_ = np.ascontiguousarray(model.concentrations.T).astype(dtype)
        self.topic_word_ = told.means
        self.exp_dirichlet_component_ = np.exp(told.logs).astype(dtype)
        alpha, eta = np.asarray(model.document_prior), np.asarray(model.word_prior)
        given = self.doc_topic_prior, self.topic_word_prior
        self.doc_topic_prior_, self.topic_word_prior_ = (
            float(prior[0]) if value is None or (np.ndim(value) == 0 and value != "auto") else prior
            for prior, value in zip((alpha, eta), given, strict=True)
        )
        self.seed_effect_ = self._effect()

    def _effect(self) -> dict[int, dict[str, float]]:
        """What the seeds did to their topics."""
        effect = {}
        for topic in sorted(self.seed_words or ()):
            assert self.model_.seeds is not None
            columns = np.flatnonzero(self.model_.seeds[:, topic])
            shares = self.topic_word_[:, columns].sum(axis=1)
            prior = self.model_.seeds[columns, topic].sum() / self.model_.concentrations[:, topic].sum()
            others = np.delete(shares, topic)
            effect[int(topic)] = {
                "share": float(shares[topic]),
                "largest_elsewhere": float(others.max(initial=0.0)),
                "share_of_prior": float(prior),
            }
        return effect

    @double_precision
    def partial_fit(
        self, X: MatrixLike, y: ArrayLike | None = None, *, vocabulary: Sequence[str] | None = None
    ) -> Self:
        """Take in documents by mini-batches of ``batch_size``; the first call begins topics from its documents.

        Args:
            X: counts ``(n, words)``. It may have more columns than before, which are new words.
            y: ignored.
            vocabulary: the words of the columns, in any order; new ones are added to the words of the model.

        Raises:
            ValueError: negative counts, fewer columns than before, new words without names, or a wrong parameter.
        """
        self.check_settings()
        if "model_" not in vars(self):
            self._first(X, vocabulary)
            return self
        counts = self._grown(X, vocabulary)
        self._taken(self.model_, counts)
        return self

    def _first(self, X: MatrixLike, vocabulary: Sequence[str] | None) -> None:
        counts = self._counts(X, "partial_fit", reset=True)
        self._name(vocabulary, counts.shape[1])
        model, random = self._template(counts.shape[1]), seed_of(self.random_state)
        prior = np.broadcast_to(np.asarray(model.prior), model.concentrations.shape)
        fresh = begin(counts, far_documents(counts, int(self.n_components), random), prior, random)
        self.n_batch_iter_, self.n_iter_ = 1, 0
        self._taken(eqx.tree_at(lambda m: m.concentrations, model, fresh), counts)

    def _taken(self, model: TopicModel, counts: sparse.csr_array) -> None:
        total = float(self.total_samples)
        plan = self._plan(counts)
        average = begun(bayesian(model, plan.steps, plan.steps_tol), total)
        average = average._replace(time=np.asarray(float(self.n_batch_iter_)))
        source = BatchSource(DocumentRows(counts), int(self.n_components), plan.batch_size)
        average = advanced(average, source, plan, total)
        self.n_batch_iter_ += -(-counts.shape[0] // plan.batch_size)
        self.mean_length_ = float(counts.sum()) / counts.shape[0]
        self._publish(average.model)

    def _grown(self, X: MatrixLike, vocabulary: Sequence[str] | None) -> sparse.csr_array:
        """Counts under the words of the model, which new words have joined."""
        rows = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32], estimator=self)
        check_non_negative(rows, f"{type(self).__name__}.partial_fit")
        extra = rows.shape[1] - self.n_features_in_
        if vocabulary is not None:
            words, known = checked_words(vocabulary, rows.shape[1]), words_known(self.vocabulary_)
            there = set(known)
            new = [word for word in words if word not in there]
            self._widen(len(new))
            self.vocabulary_ = (*known, *new)
            X = self.align(rows, words)
        elif extra > 0 and feature_names(X) is None:
            if self.vocabulary_ is not None:
                raise ValueError(f"X has {extra} new columns without names: give vocabulary=")
            self._widen(extra)
        return self._counts(X, "partial_fit")

    def _widen(self, number: int) -> None:
        """Room for new words, of which nothing is known but the prior."""
        if not number:
            return
        model, topics = self.model_, int(self.n_components)
        prior = np.full(number, float(np.mean(model.word_prior)))
        seeds = None if model.seeds is None else np.vstack([model.seeds, np.zeros((number, topics))])
        wider = np.vstack([model.concentrations, np.tile(prior[:, None], (1, topics))])
        self.model_ = _with(model, wider, model.document_prior, np.append(model.word_prior, prior), seeds)
        self.n_features_in_ += number
        if self._names() is not None:
            del self.feature_names_in_


def _ordered(model: TopicModel, order: np.ndarray) -> TopicModel:
    seeds = None if model.seeds is None else model.seeds[:, order]
    return _with(model, model.concentrations[:, order], model.document_prior[order], model.word_prior, seeds)


def _with(
    model: TopicModel,
    concentrations: Array | np.ndarray,
    documents: Array | np.ndarray,
    words: Array | np.ndarray,
    seeds: Array | np.ndarray | None,
) -> TopicModel:
    """The model with other parameters."""
    return eqx.tree_at(
        lambda m: (m.concentrations, m.document_prior, m.word_prior, m.seeds),
        model,
        (concentrations, documents, words, seeds),
        is_leaf=lambda leaf: leaf is None,
    )
