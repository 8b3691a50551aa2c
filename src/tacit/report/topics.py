"""What a report tells of a topic model, taken from it: its words, its map, the documents it is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Num

from tacit.compute import Array
from tacit.evaluation.topics import (
    RELEVANCE,
    representative_documents,
    top_words,
    topic_map,
    topic_words,
)
from tacit.plots.style import shorten, thin

WORDS, DOCUMENTS, MIXTURES = 12, 12, 30
"""Words and documents of a topic, and documents whose mixtures are drawn."""
DIAL = (0.0, 0.2, 0.4, RELEVANCE, 0.8, 1.0)
"""Values of λ by which a reader may have the words ranked."""
LOOKED_AT = 20_000
"""Documents that are looked at most."""
EXCERPT = 180
"""Letters of a text that are quoted."""
_CURVES = {"perplexity": "Perplexity (lower is better)", "coherence": "Coherence, NPMI"}
SHORT = 0.25
"""Documents shorter than this share of the usual length represent no topic while there are others."""


@dataclass(frozen=True, eq=False)
class Topics:
    """The topics of a corpus.

    Attributes:
        documents: How many were fitted.
        words: Different words.
        tokens: Words in all.
        sizes: The share of each topic in the corpus, 0 to 1.
        top: Of each topic the most telling words, the foremost first (relevance at λ = 0.6).
        chances: The probability of each of these words in its topic.
        coherence: NPMI of each, from −1 to 1.
        exclusivity: Share of a foremost word that is the topic's own, on average, 0 to 1.
        points: Where each lies on the map.
        representatives: Of each topic, the documents with the greatest share of it: places among those fitted.
        representative_shares: The share of the topic in each of them.
        excerpts: By document, its first words, where texts were kept.
        names: What a person calls each document.
        shown: Places of the documents whose mixtures are drawn.
        mixtures: Of these, the shares of all topics.
        verdicts: Sentences on how good the topics are, every score with its unit.
        perplexity: Of one half of a held-out document given the other; NaN where none were held out.
        completion: The same in nats a word, with its standard error.
        looks: Iterations at which ``curves`` were measured.
        curves: Figures over the course of the fit, by what they are called.
        sweep: Lines of what the number of topics was chosen from, and the criterion that chose.
        twins: Pairs of topics that are nearly the same, counted from 0.
    """

    documents: int
    words: int
    tokens: int
    sizes: Float[Array, " topics"]
    top: tuple[tuple[str, ...], ...]
    chances: Float[Array, "topics top"]
    coherence: Float[Array, " topics"]
    exclusivity: Float[Array, " topics"]
    points: Float[Array, "topics 2"]
    representatives: Int[Array, "topics some"]
    representative_shares: Float[Array, "topics some"]
    names: Sequence[str]
    excerpts: Mapping[int, str] = field(default_factory=dict)
    shown: Int[Array, " shown"] | None = None
    mixtures: Float[Array, "shown topics"] | None = None
    verdicts: tuple[str, ...] = ()
    perplexity: float = float("nan")
    completion: tuple[float, float] = (float("nan"), float("nan"))
    looks: Num[Array, " looks"] | None = None
    curves: Mapping[str, Num[Array, " looks"]] = field(default_factory=dict)
    sweep: tuple[Mapping[str, Any], ...] = ()
    criterion: str = ""
    twins: tuple[tuple[int, int], ...] = ()
    dial: tuple["Ranked", ...] = ()
    """The words of each topic in other orders than by λ = 0.6."""

    def __post_init__(self) -> None:
        count = len(self.sizes)
        for name in ("top", "chances", "coherence", "exclusivity", "points", "representatives"):
            if (own := len(vars(self)[name])) != count:
                raise ValueError(f"{name} has {own} topics, sizes has {count}")
        if self.mixtures is not None and (self.shown is None or len(self.shown) != len(self.mixtures)):
            raise ValueError("mixtures must go with shown, a line each")


@dataclass(frozen=True, eq=False)
class Ranked:
    """The words of every topic, ranked by their relevance at one λ."""

    relevance: float
    top: tuple[tuple[str, ...], ...]
    chances: Float[Array, "topics top"]


def _ranked(estimator: Any, counts: Any, vocabulary: Sequence[str]) -> tuple[Ranked, ...]:
    shares, words = counts.sum(axis=0), topic_words(estimator)
    found = []
    for relevance in DIAL:
        top = top_words(estimator, WORDS, relevance=relevance, word_shares=shares)
        named = tuple(tuple(str(vocabulary[word]) for word in line) for line in top)
        found.append(Ranked(relevance, named, np.take_along_axis(words, top, axis=1)))
    return tuple(found)


def topics(
    estimator: Any,
    counts: Any,
    vocabulary: Sequence[str],
    names: Sequence[object],
    told: Mapping[str, Any],
    *,
    texts: Sequence[str] | None = None,
    sentences: Sequence[str] = (),
    sweep: Sequence[Mapping[str, Any]] = (),
    criterion: str = "",
) -> Topics:
    """Everything that the sections about topics show.

    Args:
        estimator: fitted.
        counts: the documents that were fitted, ``[documents, words]``.
        vocabulary: the words.
        names: what a person calls each document.
        told: what the run keeps of its topics.
        texts: the documents themselves.
        sentences: on how good the topics are.
        sweep: what the number of topics was chosen from.
        criterion: by what.
    """
    places = np.sort(thin(counts.shape[0], LOOKED_AT))
    mixtures = estimator.transform(counts[places])
    lengths = np.asarray(counts.sum(axis=1)).ravel()
    foremost = top_words(estimator, WORDS, relevance=RELEVANCE, word_shares=counts.sum(axis=0))
    least = int(SHORT * float(np.median(lengths)))
    found = representative_documents(mixtures, DOCUMENTS, lengths=lengths[places], least_tokens=least)
    shown = _shown(mixtures)
    each, trace = told["each"], told.get("trace") or {}
    quoted = np.unique(np.concatenate([found.documents.ravel(), shown]))
    return Topics(
        documents=int(counts.shape[0]),
        words=int(counts.shape[1]),
        tokens=int(counts.sum()),
        sizes=np.array([topic["share"] for topic in each], float),
        top=tuple(tuple(str(vocabulary[word]) for word in line) for line in foremost),
        chances=np.take_along_axis(topic_words(estimator), foremost, axis=1),
        coherence=np.array([topic["coherence"] for topic in each], float),
        exclusivity=np.array([topic["exclusivity"] for topic in each], float),
        points=topic_map(estimator),
        representatives=places[found.documents],
        representative_shares=found.shares,
        names=[str(name) for name in names],
        excerpts={} if texts is None else {int(places[p]): _excerpt(texts[places[p]]) for p in quoted},
        shown=places[shown],
        mixtures=mixtures[shown],
        verdicts=tuple(sentences),
        perplexity=float(told["completion"]["perplexity"]),
        completion=(float(told["completion"]["nats_a_word"]), float(told["completion"]["standard_error"])),
        looks=np.asarray(trace["iteration"]) if trace else None,
        curves={_CURVES[name]: np.asarray(trace[name], float) for name in _CURVES if name in trace},
        sweep=tuple(sweep),
        criterion=criterion,
        twins=tuple((int(a), int(b)) for a, b in told["twins"]),
        dial=_ranked(estimator, counts, vocabulary),
    )


def _excerpt(text: str) -> str:
    """The first words of a text, as one line."""
    line = shorten(text[: 4 * EXCERPT], 4 * EXCERPT)
    return line if len(line) <= EXCERPT else line[:EXCERPT].rpartition(" ")[0] + " …"


def _shown(mixtures: np.ndarray) -> np.ndarray:
    """Documents to be drawn: some at random, in the order of their greatest topics."""
    count = min(MIXTURES, len(mixtures))
    some = np.sort(np.random.default_rng(0).choice(len(mixtures), count, replace=False))
    greatest = mixtures[some].argmax(axis=1)
    return some[np.lexsort((-mixtures[some].max(axis=1), greatest))]
