"""What was fitted, why this model, and how the fit went."""

import numpy as np

from tacit import plots
from tacit.plots.progress import moment_name
from tacit.plots.style import alike, short_number
from tacit.report import deep_words, words
from tacit.report.code_section import architecture, curves
from tacit.report.content import Candidate, Candidates, ReportContent
from tacit.report.html import Child, Html, escape, table, tag
from tacit.report.parts import folded, framed, picture, section
from tacit.report.topic_section import topic_curves

_SHOWN = 8
_MOMENTS = 8


def model_section(content: ReportContent) -> Html | None:
    """The model in words, its diagram and factorisation, and what it was chosen from."""
    parts = [
        _summary(content),
        _diagram(content),
        architecture(content.code, deep_words.one(content)),
        _choice(content.candidates),
    ]
    if not any(parts):
        return None
    return section("model", "What was fitted, and why", *parts)


def _summary(content: ReportContent) -> Html | None:
    model = content.model
    if model is None:
        return None
    explained = words.structure(model.structure)
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


def _diagram(content: ReportContent) -> Html | None:
    graph = content.graph
    if graph is None:
        return None
    formula = graph.factorisation()
    lines = [tag("li", line) for line in graph.distributions()]
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


def _choice(candidates: Candidates | None) -> Html | None:
    if candidates is None or not candidates.rows:
        return None
    rows = candidates.rows
    value = np.array([row.criterion for row in rows])
    figure = plots.candidates(
        np.array([row.components for row in rows]),
        [row.structure for row in rows],
        value,
        at_floor=np.array([row.at_floor for row in rows]),
        chosen=candidates.chosen,
        name=candidates.criterion,
    )
    order = np.argsort(np.where(np.isfinite(value), -value, np.inf), kind="stable").tolist()
    said = _verdict(candidates, order)
    about = (
        f"{candidates.criterion} rewards fitting the data and charges for every parameter; here higher is better."
        if candidates.criterion.upper() in ("BIC", "ICL", "AIC")
        else "Higher is better."
    )
    drawn = framed(about, picture(figure, "candidates", f"{candidates.criterion} of every candidate. {said}"))
    first = _table(
        candidates, order[:_SHOWN], f"The best {min(_SHOWN, len(order))} candidates; the chosen one is tinted."
    )
    rest = order[_SHOWN:]
    more = folded(words.counted(len(rest), "more candidate"), _table(candidates, rest, "All others.")) if rest else ""
    pair = tag("div", drawn, tag("div", first, escape(more or None)), class_="pair")
    return Html(tag("h3", "How it was chosen") + tag("p", said) + pair)


def _verdict(candidates: Candidates, order: list[int]) -> str:
    if candidates.chosen is None:
        return "None of the candidates could be chosen."
    best = candidates.rows[candidates.chosen]
    fair = [i for i in order if i != candidates.chosen and not candidates.rows[i].at_floor]
    rival = candidates.rows[fair[0]] if fair else None
    return words.choice(
        best.criterion,
        None if rival is None else rival.criterion,
        _label(best),
        "" if rival is None else _label(rival),
        candidates.criterion,
        len(order),
        sum(candidates.rows[i].criterion > best.criterion for i in order if candidates.rows[i].at_floor),
    )


def _label(candidate: Candidate) -> str:
    groups = words.counted(candidate.components, "group")
    return f"{groups} ({candidate.structure})" if candidate.structure else groups


def _table(candidates: Candidates, indices: list[int], caption: str) -> Html:
    body: list[list[Child]] = []
    values = iter(alike([candidates.rows[i].criterion for i in indices], 5))
    fits = iter(alike([candidates.rows[i].log_likelihood for i in indices], 5))
    remarks = any(candidates.rows[i].at_floor or not candidates.rows[i].converged for i in indices)
    for i in indices:
        row = candidates.rows[i]
        notes = ["rests on its floor"] if row.at_floor else []
        notes += ["did not settle"] if not row.converged else []
        parameters = "–" if row.parameters is None else short_number(row.parameters, 15)
        body.append([str(row.components), row.structure or "–", next(values), next(fits), parameters])
        body[-1] += [", ".join(notes)] if remarks else []
    head: list[Child] = ["Groups", "Structure", candidates.criterion, "Log-likelihood", "Parameters"]
    marked = indices.index(candidates.chosen) if candidates.chosen in indices else None
    return table(caption, head + ["Remarks"] * remarks, body, numbers=(0, 2, 3, 4), marked=marked)


def learning_section(content: ReportContent) -> Html | None:
    """How the bound rose, and how the groups formed; of a deep model, the two terms of its bound."""
    trace, snapshots = content.trace, content.snapshots
    parts: list[Child] = curves(content)
    if not parts and trace is not None and len(trace.iteration):
        seen = np.isfinite(np.asarray(trace.bound, dtype=np.float64))
        bound = np.asarray(trace.bound, dtype=np.float64)[seen]
        if len(bound):
            steps = int(np.max(trace.iteration))
            said = words.rise(float(bound[0]), float(bound[-1]), steps, trace.converged, trace.stop_reason)
            if trace.seconds is not None:
                said += f" It took {short_number(trace.seconds, 2)} seconds."
            marks = tuple(snapshots.at) if snapshots is not None else ()
            figure = plots.bound_trace(trace.iteration, trace.bound, marks=marks)
            what = "evidence" if content.trust else "likelihood"
            why = f"The bound is the log-{what} that the fit is sure of. It can only rise; a fall would be a fault."
            why += " Open dots mark the steps shown below." if snapshots is not None else ""
            parts += [tag("p", said), framed(why, picture(figure, "trace", said))]
    parts.append(topic_curves(content))
    if snapshots is not None and snapshots.at and content.values is not None and content.schema is not None:
        parts.append(_strip(content))
    if content.trust:
        parts += [tag("h3", "How far to trust it"), tag("ul", [tag("li", each) for each in content.trust])]
    return section("learning", "How the fit went", *parts) if any(parts) else None


def _strip(content: ReportContent) -> Html | None:
    snapshots, values, schema = content.snapshots, content.values, content.schema
    if snapshots is None or values is None or schema is None:
        return None
    pair, moments = list(snapshots.columns), sorted(snapshots.at)
    if len(moments) > _MOMENTS:
        kept = np.unique(np.linspace(0, len(moments) - 1, _MOMENTS).round().astype(int))
        moments = [moments[i] for i in kept]
    names = [schema.names[j] for j in pair]
    last = moments[-1]
    panels = []
    for moment in moments:
        figure = plots.evolution(values[:, pair], {moment: snapshots.at[moment]}, names, cell=(1.45, 1.4), last=last)
        panels.append(picture(figure, f"step{moment}", f"{moment_name(moment, last)}: the groups' ellipses"))
    caption = f"How the groups formed, in {words.listed(names)}. Each step moves them to where the data are likelier."
    return framed(caption, panels, class_="strip")
