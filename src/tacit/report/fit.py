"""What every report tells of its fit: the model, how it went, the score of rows kept aside, and how to repeat it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Num

from tacit import plots
from tacit.compute import Array
from tacit.models.graph import Graph
from tacit.plots.style import short_number
from tacit.report import sentences
from tacit.report.html import Child, Html, tag
from tacit.report.page import Fact
from tacit.report.parts import Section, folded, framed, picture, section


@dataclass(frozen=True)
class ModelSummary:
    """What was fitted.

    Attributes:
        name: What the model is called, such as "Gaussian mixture".
        sentence: What it does, in a sentence or two.
        settings: Pairs of words: what was set, and to what.
        structure: The covariance structure by its mclust or scikit-learn name, explained in words if known.
        parameters: Number of free parameters.
    """

    name: str
    sentence: str = ""
    settings: tuple[tuple[str, str], ...] = ()
    structure: str = ""
    parameters: int | None = None


@dataclass(frozen=True, eq=False)
class BoundCurve:
    """How the bound rose: ``bound[s]`` in nats (all rows together) after ``iteration[s]``, and how it ended."""

    iteration: Num[Array, " steps"]
    bound: Num[Array, " steps"]
    seconds: float | None = None
    converged: bool | None = None
    stop_reason: str = ""
    measured: bool = False
    """Whether it is the score of rows that the fit has not learned from, which may fall; the best is kept."""


@dataclass(frozen=True)
class HeldOutFact:
    """Mean log density of rows kept aside, in nats per row, with its standard error.

    ``baseline`` is the same of a simpler model (its name, its score), to have something to compare with. ``bound``
    says that the score is an estimate from below. ``bits`` is what a level of an 8-bit image costs: −score over the
    levels of an image and ln 2.
    """

    score: float
    standard_error: float
    rows: int
    baseline: tuple[str, float] | None = None
    bound: bool = False
    bits: float | None = None


@dataclass(frozen=True)
class Repeat:
    """How to get the same fit again: a command, lines of Python, the configuration, versions by name."""

    command: str = ""
    python: str = ""
    config: str = ""
    versions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class FitFacts:
    """What every report tells of its fit; what there is nothing to say of is left out.

    Attributes:
        source: Where the data came from.
        model: What was fitted.
        graph: Its directed graph.
        trace: How the bound rose.
        trust: How far an approximate posterior can be trusted, in sentences.
        held_out: How it does on rows it has not seen.
        warnings: What a reader should know, in plain sentences.
        notes: What was guessed on the way from the file to the data.
        repeat: How to get the same fit again.
    """

    source: str = ""
    model: ModelSummary | None = None
    graph: Graph | None = None
    trace: BoundCurve | None = None
    trust: tuple[str, ...] = ()
    held_out: HeldOutFact | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    repeat: Repeat | None = None


def closing(
    fit: FitFacts,
    reading: str,
    *,
    model: Sequence[Child] = (),
    course: Sequence[Child] = (),
    data: Sequence[Child] = (),
) -> list[Section | None]:
    """The sections that end every report: the model, how the fit went and how far to trust it, the data, the repeat.

    Args:
        fit: What every report tells.
        reading: Heading of what was guessed on the way from the file to the data.
        model: What there is to say of the model beside its name, diagram and factorisation.
        course: How the fit went, where there is more to say than that the bound rose.
        data: What the data were.
    """
    trust = [tag("h3", "How far to trust it"), tag("ul", [tag("li", each) for each in fit.trust])] if fit.trust else []
    notes = [tag("h3", reading), tag("ul", [tag("li", note) for note in fit.notes])] if fit.notes else []
    return [
        section(
            "model",
            "Model",
            "What was fitted, and why",
            _summary(fit.model),
            _diagram(fit.graph),
            *model,
            part="For statisticians",
        ),
        section("learning", "Learning", "How the fit went", *(course or rise(fit)), *trust, part="For statisticians"),
        section("data", "Data", "The data", *data, *notes),
        _repeat_section(fit.repeat),
    ]


def _summary(model: ModelSummary | None) -> Html | None:
    if model is None:
        return None
    explained = sentences.structure(model.structure)
    settings = list(model.settings)
    if model.structure:
        settings.append(("Structure", f"{model.structure}: {explained}" if explained else model.structure))
    if model.parameters is not None:
        settings.append(("Free parameters", short_number(model.parameters, 15)))
    listed = [[tag("dt", name), tag("dd", value)] for name, value in settings]
    return Html(
        tag("p", tag("strong", model.name), ". " if model.sentence else None, model.sentence or None)
        + (tag("dl", listed, class_="settings") if settings else "")
    )


def _diagram(graph: Graph | None) -> Html | None:
    if graph is None:
        return None
    formula = graph.factorisation()
    lines = [tag("li", line) for line in (*graph.distributions(), *graph.legend())]
    caption = (
        "The model as a diagram: an arrow means “depends on”, shaded is what was observed, open is hidden, "
        "dots are values that were estimated or set; a box repeats what it holds."
    )
    drawn = picture(graph.draw(), "graph", f"Diagram of the model. {formula}")
    right = tag(
        "div",
        tag("p", "The same in a formula, the joint density:", class_="quiet"),
        tag("p", formula, class_="formula"),
        [tag("p", "Where:", class_="quiet"), tag("ul", lines, class_="plain formula")] if lines else None,
    )
    return tag("div", framed(caption, drawn), right, class_="pair")


def rise(fit: FitFacts, marks: Sequence[int] = ()) -> list[Child]:
    """How the bound rose, in words and as a curve, with open dots at some iterations that are shown elsewhere."""
    trace = fit.trace
    bound = np.zeros(0) if trace is None else np.asarray(trace.bound, dtype=np.float64)
    bound = bound[np.isfinite(bound)]
    if trace is None or not len(bound):
        return []
    if len(bound) < 2 or np.ptp(bound) == 0:  # there is no course to be drawn
        what = "log-evidence" if fit.trust else "log-likelihood"
        return [tag("p", f"There was nothing to iterate: the {what} is {short_number(float(bound[-1]), 5)} nats.")]
    if trace.measured:
        return _course(trace, bound)
    said = sentences.rise(
        float(bound[0]), float(bound[-1]), int(np.max(trace.iteration)), trace.converged, trace.stop_reason
    )
    if trace.seconds is not None:
        said += f" It took {short_number(trace.seconds, 2)} seconds."
    figure = plots.bound_trace(trace.iteration, trace.bound, marks=tuple(marks))
    what = "evidence" if fit.trust else "likelihood"
    why = f"The bound is the log-{what} that the fit is sure of. It can only rise; a fall would be a fault."
    why += " Open dots mark the steps shown below." if marks else ""
    return [tag("p", said), framed(why, picture(figure, "trace", said))]


def _course(trace: BoundCurve, bound: np.ndarray) -> list[Child]:
    """How the score of rows held out went, of a fit that keeps its best."""
    passes = sentences.counted(int(np.max(trace.iteration)), "pass", "passes")
    low, high = sentences.told_apart(float(bound[0]), float(bound.max()))
    said = f"In {passes} over the rows the score of those held out went from {low} nats after the first look to {high} "
    said += "at its best, and what the fit was then is kept."
    if trace.seconds is not None:
        said += f" It took {short_number(trace.seconds, 2)} seconds."
    figure = plots.bound_trace(trace.iteration, trace.bound)
    return [tag("p", said), framed("Where the line falls, rows are learned by heart.", picture(figure, "trace", said))]


def held_out_fact(held: HeldOutFact | None, what: str) -> list[Fact]:
    """The score at the head of the page."""
    if held is None or not np.isfinite(held.score):
        return []
    unit = f"± {short_number(held.standard_error, 2)} nats per {what}"
    least = "≥\u202f" if held.bound else ""
    return [Fact("Held-out score", least + short_number(held.score, 4), unit)]


def told_held_out(held: HeldOutFact | None, what: str) -> list[Child]:
    """The score in words."""
    if held is None or not np.isfinite(held.score):
        return []
    text = sentences.held_out(held.score, held.standard_error, held.rows, held.baseline, bound=held.bound, what=what)
    return [tag("p", text)]


def _repeat_section(repeat: Repeat | None) -> Section | None:
    """The command, the lines of Python, the configuration and the versions behind the fit."""
    if repeat is None:
        return None
    parts: list[Child] = []
    for title, text in (("On the command line", repeat.command), ("In Python", repeat.python)):
        if text:
            parts += [tag("h3", title), tag("pre", tag("code", text))]
    if repeat.config:
        parts.append(folded("The configuration", tag("pre", tag("code", repeat.config))))
    if repeat.versions:
        used = ", ".join(f"{name} {version}" for name, version in repeat.versions)
        parts.append(tag("p", f"Made with {used}.", class_="note"))
    return section("repeat", "Repeat", "How to repeat it", *parts)
