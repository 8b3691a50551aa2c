"""What a report tells of topics, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Float, Int, Num

from tacit.compute import Array


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

    def __post_init__(self) -> None:
        count = len(self.sizes)
        for name in ("top", "chances", "coherence", "exclusivity", "points", "representatives"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{name} has {len(getattr(self, name))} topics, sizes has {count}")
        if self.mixtures is not None and (self.shown is None or len(self.shown) != len(self.mixtures)):
            raise ValueError("mixtures must go with shown, a line each")
