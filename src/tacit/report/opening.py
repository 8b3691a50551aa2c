"""The head of the report: what came out, in words and a few figures."""

import numpy as np

from tacit.plots.style import short_number
from tacit.report import deep_words, prediction_section, topic_section, words
from tacit.report.content import ReportContent
from tacit.report.html import Html, tag


def opening(content: ReportContent) -> Html:
    """Title, one sentence, and the figures one looks for first."""
    lead = _lead(content) if content.values is not None else deep_words.lead(content)
    if content.prediction is not None:
        lead = prediction_section.lead(content.prediction, content)
    if content.topics is not None:
        lead = topic_section.lead(content.topics, content.source)
    over = "tacit report" + (f" · {content.made}" if content.made else "")
    return tag(
        "header",
        tag("p", over, class_="over"),
        tag("h1", content.title),
        tag("p", lead, class_="lead") if lead else None,
        _facts(content),
    )


def _lead(content: ReportContent) -> list[str]:
    values = np.zeros((0, 0)) if content.values is None else content.values
    rows, columns = values.shape
    groups = 0 if content.groups is None else len(content.groups.weights)
    gaps = float(content.missing.mean()) if values.size else 0.0
    said = [words.lead(content.source, rows, columns, groups, gaps)]
    if content.groups is not None and groups > 1 and rows:
        said += [" ", words.certainty(np.asarray(content.groups.responsibilities))]
    return said


def _facts(content: ReportContent) -> Html | None:
    facts: list[tuple[str, str, str]] = []
    if content.groups is not None:
        facts.append(("Groups", str(len(content.groups.weights)), ""))
    if content.values is not None:
        rows, columns = content.values.shape
        facts += [("Rows", short_number(rows, 15), ""), ("Columns", str(columns), "")]
        gaps = float(content.missing.mean()) if content.values.size else 0.0
        facts.append(("Values missing", words.percent(gaps), ""))
    if content.images is not None:
        facts += [
            ("Images", short_number(content.images.count, 15), ""),
            ("Pixels", deep_words.size(content.images), ""),
        ]
    if content.code is not None and content.code.active is not None:
        facts.append(("Numbers in a code", str(len(content.code.active)), f"{int(np.sum(content.code.active))} in use"))
    if content.prediction is not None:
        facts += prediction_section.facts(content.prediction)
    if content.topics is not None:
        facts += topic_section.facts(content.topics)
    if content.held_out is not None and np.isfinite(content.held_out.score):
        score, error = content.held_out.score, content.held_out.standard_error
        unit = f"± {short_number(error, 2)} nats per {deep_words.one(content)}"
        least = "≥\u202f" if content.held_out.bound else ""
        facts.append(("Held-out score", least + short_number(score, 4), unit))
    if not facts:
        return None
    return tag(
        "dl",
        [
            tag("div", tag("dt", name), tag("dd", value, [" ", tag("small", unit)] if unit else None))
            for name, value, unit in facts
        ],
        class_="facts",
    )


def notices(content: ReportContent) -> Html | None:
    """Warnings of the fit and what a careful reader should be told, each once."""
    weights = None if content.groups is None else np.asarray(content.groups.weights)
    rows, columns = (0, 0) if content.values is None else content.values.shape
    settles = content.trace is not None and content.code is None  # a deep fit ends with its rate at 0
    settles = settles and content.topics is None
    converged = content.trace.converged if content.trace is not None and settles else None
    chosen = None if content.candidates is None else content.candidates.chosen
    floor = chosen is not None and content.candidates is not None and content.candidates.rows[chosen].at_floor
    own = words.cautions(weights, rows, columns, converged, bool(floor))
    said = list(dict.fromkeys((*content.warnings, *own)))
    if not said:
        return None
    return tag(
        "div",
        tag("h2", "Worth knowing"),
        tag("ul", [tag("li", each) for each in said]),
        class_="notice",
        role="note",
    )
