"""Topics in the report: their words, where they lie, the documents they are made of, and how well they do."""

from typing import Any

import numpy as np

from tacit import plots
from tacit.compute import Array
from tacit.evaluation.topic_selection import TOPIC_CRITERIA
from tacit.evaluation.topics import RELEVANCE
from tacit.plots.style import alike, group_colour, short_number
from tacit.report import sentences
from tacit.report.fit import FitFacts, closing, rise
from tacit.report.html import Child, Html, table, tag
from tacit.report.page import Fact, Report
from tacit.report.parts import Section, badge, folded, framed, picture, section, those_there
from tacit.report.topics import Topics

_NAMING = 2
"""Words that name a topic in a picture."""
_CARDS = 40
"""Topics shown at once; more are folded away."""
_BARS = 40
_READ = 3
"""Documents of a topic that are shown at once."""
_GRADES = ((0.25, "go together very well"), (0.1, "go together well"), (0.0, "go together somewhat"))


def topic_report(title: str, fit: FitFacts, topics: Topics) -> Report:
    """The page of a topic model."""
    return Report(
        title,
        _facts(topics),
        those_there(
            _words(topics),
            _documents(topics),
            *closing(fit, "Reading the texts", course=(*rise(fit), _course(topics))),
        ),
        _lead(topics, fit.source),
        fit.warnings,
        units="Shares are of words; probabilities are told in nats, or as perplexities.",
    )


def _lead(topics: Topics, source: str) -> str:
    """What was looked at and what came out, in a sentence."""
    of = f" of {source}" if source else ""
    text = (
        f"{sentences.counted(topics.documents, 'document')}{of} with {sentences.counted(topics.tokens, 'word')} in all"
    )
    apart = sentences.counted(len(topics.sizes), "topic")
    return f"{text}: the model tells {apart} apart, each a list of words that go together."


def _facts(topics: Topics) -> list[Fact]:
    """The figures that one looks for first."""
    found = [
        Fact("Topics", str(len(topics.sizes))),
        Fact("Documents", short_number(topics.documents, 15)),
        Fact("Different words", short_number(topics.words, 15)),
    ]
    if np.isfinite(topics.perplexity):
        score, error = topics.completion
        unit = f"{short_number(score, 4)} ± {short_number(error, 2)} nats per word held out"
        found.append(Fact("Perplexity", short_number(topics.perplexity, 4), unit))
    coherence = float(np.mean(topics.coherence)) if len(topics.coherence) else float("nan")
    found.append(Fact("Coherence", short_number(coherence, 2), "NPMI, −1 to 1"))
    return found


def _words(topics: Topics) -> Section | None:
    """Words first, then the map and the sizes, then how many were tried."""
    order = np.argsort(-np.asarray(topics.sizes), kind="stable").tolist()
    about = (
        "A topic is a distribution over words; a document is a mixture of topics. The words of each are ranked by how "
        "much they tell of it: how probable they are in it, and how much more so than elsewhere (relevance at λ = 0.6, "
        "Sievert & Shirley 2014). The heavier a word, the more probable it is in the topic."
    )
    cards = [_card(topics, place) for place in order]
    rest = cards[_CARDS:]
    parts: list[Child] = [
        tag("p", about, class_="note"),
        _dial(topics),
        tag("ol", cards[:_CARDS], class_="groups topics"),
        folded(sentences.counted(len(rest), "more topic"), tag("ol", rest, class_="groups topics")) if rest else None,
        _map(topics),
        _sizes(topics),
        _quality(topics),
        _sweep(topics),
    ]
    return section("topics", "Topics", "The topics" if len(order) > 1 else "The topic", *parts)


def _dial(topics: Topics) -> list[Child]:
    """A choice of λ, without a script: what is chosen decides which of the lists of words is shown."""
    if not topics.dial:
        return []
    parts: list[Child] = [tag("span", "Rank words by what sets them apart (λ = 0) …", class_="quiet")]
    for place, ranked in enumerate(topics.dial):
        name, chosen = f"dial-{place}", ranked.relevance == RELEVANCE
        parts.append(tag("input", type="radio", name="dial", id=name, class_=name, checked=chosen))
        parts.append(tag("label", short_number(ranked.relevance, 2), for_=name))
    parts.append(tag("span", "… or by how common they are in the topic (λ = 1)", class_="quiet dial-end"))
    return parts


def _card(topics: Topics, place: int) -> Html:
    told: list[Child] = [
        tag("p", _weighted(ranked.top[place], ranked.chances[place]), class_=f"at at-{number}")
        for number, ranked in enumerate(topics.dial)
    ] or [tag("p", _weighted(topics.top[place], topics.chances[place]))]
    own = sentences.percent(float(topics.exclusivity[place]))
    coherence = float(topics.coherence[place])
    said = f"{sentences.percent(float(topics.sizes[place]))} of all words · its words {_grade(coherence)} (NPMI "
    said += f"{short_number(coherence, 2)}) · {own} of them its own"
    share = float(topics.sizes[place]) / max(float(np.max(topics.sizes)), 1e-300)
    width = f"width:{100 * share:.1f}%;background:{group_colour(place)}"
    inner = tag(
        "div",
        told,
        tag("p", said, class_="note"),
        tag("div", tag("i", style=width), class_="bar", aria_hidden="true"),
    )
    return tag("li", badge(place), inner)


def _weighted(words: tuple[str, ...], chances: Array) -> list[Child]:
    """Words, the heavier the more probable."""
    values = np.asarray(chances, float)
    top = values.max(initial=0.0) or 1.0
    told: list[Child] = []
    for word, chance in zip(words, values, strict=True):
        weight = 400 + 100 * round(3 * float(np.sqrt(chance / top)))
        told += [tag("span", word, style=f"font-weight:{weight}"), ", "]
    return told[:-1]


def _grade(coherence: float) -> str:
    return next((text for least, text in _GRADES if coherence >= least), "seldom stand together")


def _naming(topics: Topics, number: int = _NAMING) -> list[str]:
    return [", ".join(line[:number]) for line in topics.top]


def _map(topics: Topics) -> Child:
    if len(topics.sizes) < 3:
        return None
    figure = plots.topic_map_plot(topics.points, topics.sizes, _naming(topics))
    how = (
        "Each circle is a topic; its area is the topic's share of all words. Topics near one another use the same "
        "words: distances are roots of the Jensen–Shannon divergence, laid into the plane as well as they can be "
        "(classical scaling)."
    )
    said = f" Topics that are nearly the same: {_pairs(topics.twins)}." if topics.twins else ""
    return [
        tag("h3", "The map of the topics"),
        framed(how + said, picture(figure, "topicmap", "Map of the topics"), class_="wide"),
    ]


def _pairs(twins: tuple[tuple[int, int], ...]) -> str:
    told = [f"{one + 1} and {other + 1}" for one, other in twins[:5]]
    return "; ".join(told) + (f"; and {len(twins) - 5} more pairs" if len(twins) > 5 else "")


def _sizes(topics: Topics) -> Child:
    if len(topics.sizes) < 2:
        return None
    order = np.argsort(-np.asarray(topics.sizes), kind="stable")[:_BARS]
    figure = plots.topic_bars(np.asarray(topics.sizes), _naming(topics, 3), shown=order)
    more = len(topics.sizes) - len(order)
    how = "The share of each topic in all words of the corpus." + (
        f" {more} smaller ones are not drawn." if more else ""
    )
    return [
        tag("h3", "How large they are"),
        framed(how, picture(figure, "topicsizes", "Bars: the share of every topic")),
    ]


def _quality(topics: Topics) -> Child:
    if not topics.verdicts:
        return None
    return [tag("h3", "How good they are"), tag("ul", [tag("li", each) for each in topics.verdicts])]


def _sweep(topics: Topics) -> Child:
    """What the number of topics was chosen from."""
    rows: list[dict[str, Any]] = [dict(row) for row in topics.sweep]
    if len(rows) < 2:
        return None
    columns = {
        name: np.array([np.nan if row[name] is None else float(row[name]) for row in rows]) for name in TOPIC_CRITERIA
    }
    best = int(np.nanargmax(columns[topics.criterion]))
    numbers = np.array([int(row["n_components"]) for row in rows])
    figure = plots.topic_choice(numbers, columns, best, topics.criterion)
    cells = [alike(columns[name].tolist(), 4 if name == "completion" else 2) for name in TOPIC_CRITERIA]
    perplexity = [short_number(float(row["perplexity"]), 4) for row in rows]
    body: list[list[Child]] = [list(line) for line in zip(map(str, numbers), perplexity, *cells, strict=True)]
    head: list[Child] = ["Topics", "Perplexity", "Completion, nats a word", "Coherence, NPMI", "Stability, share"]
    unit = TOPIC_CRITERIA[topics.criterion]
    said = f"{numbers[best]} topics were chosen, for the highest {topics.criterion}: {unit}."
    drawn = framed("Higher is better in every picture.", picture(figure, "sweep", said), class_="wide")
    caption = "Means over fits from different seeds; documents held out tell the perplexity and the completion."
    return [
        tag("h3", "How many topics"),
        tag("p", said),
        drawn,
        table(caption, head, body, numbers=(0, 1, 2, 3, 4), marked=best),
    ]


def _documents(topics: Topics) -> Section | None:
    """The documents that show a topic best, and what some documents are made of."""
    if not topics.documents:
        return None
    return section("documents", "Documents", "The documents", _representatives(topics), _mixtures(topics))


def _representatives(topics: Topics) -> Child:
    body: list[list[Child]] = []
    naming = _naming(topics, 4)
    for place in np.argsort(-np.asarray(topics.sizes), kind="stable").tolist():
        documents = topics.representatives[place]
        lines = []
        for document, share in zip(documents.tolist(), topics.representative_shares[place].tolist(), strict=True):
            quote = topics.excerpts.get(document)
            lines.append(
                tag(
                    "li",
                    f"{topics.names[document]} ({sentences.percent(share)})",
                    tag("div", quote, class_="note") if quote else None,
                )
            )
        first, rest = lines[:_READ], lines[_READ:]
        more = folded(sentences.counted(len(rest), "more document"), tag("ul", rest, class_="plain")) if rest else None
        body.append(
            [[badge(place), " ", naming[place]], tag("td", tag("ul", first, class_="plain"), more, class_="text")]
        )
    caption = "The documents with the greatest share of each topic. Read them to find a name for it."
    return [
        tag("h3", "Read these to name a topic"),
        table(caption, ["Topic", "Documents (share of the topic)"], body, class_="reading"),
    ]


def _mixtures(topics: Topics) -> Child:
    if topics.mixtures is None or topics.shown is None or not len(topics.mixtures):
        return None
    names = [topics.names[place] for place in np.asarray(topics.shown).tolist()]
    figure = plots.document_mixtures(topics.mixtures, names)
    how = f"{sentences.counted(len(names), 'document')} drawn at random, each cut into its topics (numbers and colours "
    how += "as above); grey is what topics of less than 5 % make up together."
    drawn = picture(figure, "mixtures", "Bars: what documents are made of")
    return [tag("h3", "What documents are made of"), framed(how, drawn)]


def _course(topics: Topics) -> Child:
    """Perplexity and coherence over the course of the fit."""
    if topics.looks is None or len(topics.looks) < 2 or not topics.curves:
        return None
    figure = plots.figures_over_trace(topics.looks, topics.curves)
    how = (
        "The perplexity falls as the topics come to expect the words of the documents that were fitted; the coherence "
        "says whether the words of a topic go together. Where it still rises, more iterations would help."
    )
    says = "Perplexity and coherence over the fit"
    return framed(how, picture(figure, "topictrace", says), class_="wide")
