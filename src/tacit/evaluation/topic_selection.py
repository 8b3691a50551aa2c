"""``select_topics``: how many topics, by completion likelihood, coherence and stability over seeds."""

import dataclasses
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone

from tacit import plots
from tacit.data.corpus import Corpus
from tacit.data.frames import feature_names
from tacit.estimators.base import Seed, check_choice, check_whole, seed_of
from tacit.estimators.capabilities import HasTopics, Matrix, MatrixLike, can
from tacit.evaluation.coherence import topic_coherence
from tacit.evaluation.topics import TOP, topic_diversity, topic_exclusivity, topic_stability
from tacit.inference.series import Series, kept
from tacit.registry import ESTIMATORS

TOPIC_CRITERIA: Mapping[str, str] = {
    "completion": "nats a word of the other half of held-out documents, higher is better",
    "coherence": "NPMI of the foremost words, −1 to 1, higher is better",
    "stability": "share of the foremost words that another seed finds too, 0 to 1",
}
"""What can choose the number of topics, and the unit of each."""


@dataclasses.dataclass(frozen=True)
class TopicSelection:
    """The chosen number of topics and all that it was chosen from.

    Attributes:
        best: fitted to all documents, with the number of topics of the largest criterion.
        table: a row per number of topics, means over the seeds: n_components, completion (nats a word of held-out
            documents), completion_error (standard error over documents), perplexity (``exp(−completion)``), coherence
            (NPMI), lacking (share of words that the reference lacks), exclusivity, diversity (shares), stability (share
            over pairs of seeds; null for one seed), seconds (of a fit).
        criterion: what was maximised.
        units: the unit of each criterion.
    """

    best: Any
    table: pa.Table
    criterion: str
    units: Mapping[str, str] = dataclasses.field(default_factory=lambda: dict(TOPIC_CRITERIA))

    def plot(self) -> Any:
        """A matplotlib ``Figure``: the three criteria against the number of topics, the chosen one marked."""
        numbers = self.table.column("n_components").to_numpy()
        columns = {
            name: np.array([np.nan if v is None else v for v in self.table.column(name).to_pylist()], float)
            for name in TOPIC_CRITERIA
        }
        return plots.topic_choice(numbers, columns, int(np.nanargmax(columns[self.criterion])), self.criterion)


def select_topics(
    X: MatrixLike | Corpus,
    topics: Iterable[int] = (5, 10, 20, 40),
    criterion: str = "completion",
    *,
    estimator: BaseEstimator | None = None,
    vocabulary: Sequence[str] | None = None,
    seeds: int = 2,
    holdout: float = 0.1,
    reference: MatrixLike | Corpus | None = None,
    n_words: int = TOP,
    random_state: Seed = None,
) -> TopicSelection:
    """Fit every number of topics from several seeds, judge each, and fit the best to all documents.

    A share of the documents is held out: half of each is predicted from its other half (Wallach et al. 2009, document
    completion). Stability compares the fits of different seeds to the same documents, by `topic_stability`. Ctrl-C ends
    it with the numbers that were tried by then, and the best as it was fitted to the documents not held out.

    Args:
        X: counts ``[documents, words]``, or a `Corpus`.
        topics: the numbers to try.
        criterion: "completion", "coherence" or "stability".
        estimator: a topic model, whose other settings stay; `LatentDirichletAllocation` if None.
        vocabulary: the words of the columns, to be kept with the fit; those of a `Corpus` or of a frame if None.
        seeds: fits of each number; stability needs two.
        holdout: the share of documents held out, above 0.
        reference: counts for the coherence, as `topic_coherence` takes them; the fitted documents if None.
        n_words: foremost words of each topic that are judged.
        random_state: seed.

    Raises:
        ValueError: no numbers, stability with one seed, or a model that predicts nothing.
    """
    check_choice("criterion", criterion, tuple(TOPIC_CRITERIA))
    check_whole("seeds", seeds, 2 if criterion == "stability" else 1)
    numbers = _numbers(topics)
    estimator = ESTIMATORS["latent-dirichlet-allocation"].load()() if estimator is None else estimator
    if not can(estimator, HasTopics):
        raise ValueError(f"{type(estimator).__name__} does not predict the words of a document: take a topic model")
    vocabulary = _words_of(X) if vocabulary is None else vocabulary
    whole = X.counts if isinstance(X, Corpus) else X
    counts = sp.csr_array(whole)
    learn, held = _split(counts.shape[0], holdout, seed_of(random_state))
    first = int(seed_of(random_state).integers(2**31 - seeds))
    series, reference = Series(), counts[learn] if reference is None else reference

    def fits_of(number: int) -> list[Any]:
        made = clone([estimator] * seeds)
        for place, each in enumerate(made):
            each.set_params(n_components=number, random_state=first + place)
        return series.each(lambda each: each.fit(counts[learn], vocabulary=vocabulary), made)

    tried = _tried(numbers, fits_of, lambda fits: _judged(fits, counts[held], reference, n_words), series)
    values = [-math.inf if row[criterion] is None else row[criterion] for row, _ in tried]
    row, begun = tried[int(np.argmax(values))]
    chosen = clone(estimator).set_params(n_components=row["n_components"], random_state=first)
    best = series.then(lambda: chosen.fit(whole, vocabulary=vocabulary), kept(begun))
    return TopicSelection(best, pa.Table.from_pylist([row for row, _ in tried]), criterion)


def _numbers(topics: Iterable[int]) -> list[int]:
    numbers = sorted({int(number) for number in topics})
    if not numbers or numbers[0] < 1:
        raise ValueError(f"topics must be whole numbers of at least 1, got {numbers}")
    return numbers


def _tried(
    numbers: list[int],
    fits_of: Callable[[int], list[Any]],
    judge: Callable[[list[Any]], dict[str, Any]],
    series: Series,
) -> list[tuple[dict[str, Any], Any]]:
    """A row of the table for every number of topics, and its first fit; Ctrl-C ends it with those that were judged."""
    tried: list[tuple[dict[str, Any], Any]] = []

    def one(number: int) -> None:
        began = time.monotonic()
        fits = fits_of(number)
        if series.interrupted and tried:
            raise KeyboardInterrupt  # a part of a number is no result
        seconds = (time.monotonic() - began) / len(fits)
        tried.append(({"n_components": number} | judge(fits) | {"seconds": seconds}, fits[0]))

    series.each(one, numbers)
    return tried


def _words_of(X: MatrixLike | Corpus) -> list[str] | None:
    """The words of a corpus, or the names of a frame's columns; None where there are none."""
    if isinstance(X, Corpus):
        return X.vocabulary.tolist() if X.named else None
    names = feature_names(X)
    return None if names is None else list(names)


def _split(documents: int, share: float, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Documents to learn from, and those held out, one at least of each."""
    if not 0.0 < share < 1.0 or documents < 2:
        raise ValueError(f"holdout must be above 0 and below 1, of two documents at least; got {share!r}, {documents}")
    kept = min(max(1, round(share * documents)), documents - 1)
    order = random.permutation(documents)
    return np.sort(order[kept:]), np.sort(order[:kept])


def _judged(fits: list[Any], held: Matrix, reference: MatrixLike | Corpus | None, n_words: int) -> dict[str, Any]:
    """The scores of fits with equally many topics, averaged over the seeds."""
    scores, errors = zip(*(completed(fit, held) for fit in fits), strict=True)
    found = [topic_coherence(fit, reference, n_words=max(2, n_words)) for fit in fits]
    completion = float(np.mean(scores))
    return {
        "completion": completion,
        "completion_error": float(np.mean(errors)),
        "perplexity": math.exp(-completion),
        "coherence": float(np.mean([each.value for each in found])),
        "lacking": float(np.mean([each.lacking for each in found])),
        "exclusivity": float(np.mean([topic_exclusivity(fit, n_words).mean() for fit in fits])),
        "diversity": float(np.mean([topic_diversity(fit) for fit in fits])),
        "stability": topic_stability(fits, n_words).value if len(fits) > 1 else None,
    }


def completed(estimator: Any, X: MatrixLike | Corpus) -> tuple[float, float]:
    """``log p(half of a document | the other half)`` in nats a word, and its standard error over documents.

    The standard error is that of a ratio of sums: of ``Σ nats / Σ words`` (Cochran 1977, section 2.11).
    """
    found = estimator.completion(X)
    nats, words = np.asarray(found.log_prob, np.float64), np.asarray(found.words, np.float64)
    total = words.sum()
    score = float(nats.sum() / total)
    documents = int((words > 0).sum())
    if documents < 2:
        return score, float("nan")
    spread = float(np.sum((nats - score * words) ** 2)) * documents / (documents - 1)
    return score, math.sqrt(spread) / float(total)
