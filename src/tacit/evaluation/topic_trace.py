"""``TopicTrace``: the perplexity and the coherence of topics over the course of a fit, as its watcher."""

from typing import Any

import jax
import numpy as np
from sklearn.base import BaseEstimator

from tacit.estimators.capabilities import Matrix
from tacit.evaluation.coherence import topic_coherence
from tacit.evaluation.topics import TOP
from tacit.inference.closed_form import State
from tacit.inference.watch import Progress, Snapshot
from tacit.models.topics.model import TopicModel
from tacit.models.vae.model import DeepLatent
from tacit.models.vae.words import TopicDecoder

LOOKS = 40
"""Looks at the coherence at most; it costs a count of pairs each time."""
DOCUMENTS = 5_000
"""Documents whose words are counted for it."""


class TopicTrace:
    """A watcher that keeps the coherence of the topics of a running fit.

    Use it around the fit: ``with watch(TopicTrace(counts)) as …: estimator.fit(counts)``, then ask `curves`.
    """

    def __init__(self, reference: Matrix, n_words: int = TOP) -> None:
        """Watch, with counts ``[documents, words]`` to take the coherence from."""
        count = reference.shape[0]
        if count > DOCUMENTS:
            reference = reference[np.sort(np.random.default_rng(0).choice(count, DOCUMENTS, replace=False))]
        self._reference, self._n_words = reference, n_words
        self._found: dict[int, float] = {}

    def look(self, progress: Progress) -> None:
        """Measure the topics as they are, unless they were looked at a progress ago."""
        every = max(1, progress.max_iter // LOOKS)
        if progress.snapshot is not None and progress.iteration - max(self._found, default=-every) >= every:
            self._measure(progress)

    def done(self, progress: Progress) -> None:
        """Measure the last ones too."""
        if progress.snapshot is not None:
            self._measure(progress)

    def resume(self, label: str, state: Any) -> Snapshot | None:
        """A fit that begins; of several the last counts."""
        self._found = {}
        return None

    def _measure(self, progress: Progress) -> None:
        kept = progress.snapshot
        topics = None if kept is None else running_topics(kept.state)
        if topics is not None and np.isfinite(topics).all():
            self._found[progress.iteration] = topic_coherence(topics, self._reference, n_words=self._n_words).value

    def curves(self, estimator: BaseEstimator, tokens: float) -> dict[str, np.ndarray]:
        """Columns over the looks of a fit: ``iteration``, ``perplexity`` and ``coherence``, NaN where not measured.

        The perplexity is ``exp(−bound / tokens)``, from the bound on the log-likelihood of the fitted documents (or of
        held-out ones, as many times as there are documents).
        """
        trace = vars(estimator).get("trace_")
        if trace is None or not len(trace.iteration):
            return {}
        steps = np.asarray(trace.iteration)
        bound = np.asarray(trace.bound, np.float64)
        coherence = np.array([self._found.get(int(step), np.nan) for step in steps])
        with np.errstate(over="ignore"):
            return {"iteration": steps, "perplexity": np.exp(-bound / max(tokens, 1.0)), "coherence": coherence}


def running_topics(state: Any) -> np.ndarray | None:
    """``p(w|k)`` in the middle of a fit, the first start's of several; None where the model does not say."""
    model = state.model
    if isinstance(state, State):  # of the closed-form driver: every leaf leads with the starts
        model = jax.tree.map(lambda leaf: leaf[0], model)
    if isinstance(model, DeepLatent):
        model = model.decoder
    return np.asarray(model.topics(), np.float64) if isinstance(model, TopicModel | TopicDecoder) else None
