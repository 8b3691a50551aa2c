"""What a model was chosen from, and why it is this one."""

from dataclasses import dataclass

import numpy as np

from tacit import plots
from tacit.plots.style import alike, short_number
from tacit.report import sentences
from tacit.report.html import Child, Html, escape, table, tag
from tacit.report.parts import folded, framed, picture

_SHOWN = 8


@dataclass(frozen=True)
class Candidate:
    """One fit that was compared; ``criterion`` is higher where better, NaN where the fit failed."""

    components: int
    structure: str
    criterion: float
    log_likelihood: float = float("nan")
    parameters: int | None = None
    converged: bool = True
    at_floor: bool = False
    outpaced: bool = False
    """Whether it was left on the way, and has no criterion."""


@dataclass(frozen=True)
class Candidates:
    """All fits that were compared, and the index of the one chosen; ``criterion`` names what was compared."""

    rows: tuple[Candidate, ...]
    chosen: int | None
    criterion: str = "BIC"
    what: str = "group"
    """What each has more or fewer of."""

    @property
    def at_floor(self) -> bool:
        """Whether the one chosen rests on its floor."""
        return self.chosen is not None and self.rows[self.chosen].at_floor


def choice(candidates: Candidates | None) -> Html | None:
    """What the model was chosen from: in words, as a picture, and as a table."""
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
        what=candidates.what,
    )
    order = np.argsort(np.where(np.isfinite(value), -value, np.inf), kind="stable").tolist()
    said = _verdict(candidates, order)
    about = (
        f"{candidates.criterion} rewards fitting the data and charges for every parameter; here higher is better."
        if candidates.criterion.upper() in ("BIC", "ICL", "AIC")
        else "How far the eigenvalues of so many factors lie above those of noise, summed: most where they stop."
        if candidates.criterion == sentences.PARALLEL
        else "Higher is better."
    )
    drawn = framed(about, picture(figure, "candidates", f"{candidates.criterion} of every candidate. {said}"))
    first = _table(
        candidates, order[:_SHOWN], f"The best {min(_SHOWN, len(order))} candidates; the chosen one is tinted."
    )
    rest = order[_SHOWN:]
    more = (
        folded(sentences.counted(len(rest), "more candidate"), _table(candidates, rest, "All others.")) if rest else ""
    )
    pair = tag("div", drawn, tag("div", first, escape(more or None)), class_="pair")
    return Html(tag("h3", "How it was chosen") + tag("p", said) + pair)


def _verdict(candidates: Candidates, order: list[int]) -> str:
    if candidates.chosen is None:
        return "None of the candidates could be chosen."
    best = candidates.rows[candidates.chosen]
    fair = [i for i in order if i != candidates.chosen and not candidates.rows[i].at_floor]
    rival = candidates.rows[fair[0]] if fair else None
    return sentences.choice(
        best.criterion,
        None if rival is None else rival.criterion,
        _label(best, candidates.what),
        "" if rival is None else _label(rival, candidates.what),
        candidates.criterion,
        len(order),
        sum(candidates.rows[i].criterion > best.criterion for i in order if candidates.rows[i].at_floor),
        sum(row.outpaced for row in candidates.rows),
    )


def _label(candidate: Candidate, what: str) -> str:
    groups = sentences.counted(candidate.components, what)
    return f"{groups} ({candidate.structure})" if candidate.structure else groups


def _table(candidates: Candidates, indices: list[int], caption: str) -> Html:
    body: list[list[Child]] = []
    values = iter(alike([candidates.rows[i].criterion for i in indices], 5))
    fits = iter(alike([candidates.rows[i].log_likelihood for i in indices], 5))
    remarks = any(candidates.rows[i].at_floor or not candidates.rows[i].converged for i in indices)
    for i in indices:
        row = candidates.rows[i]
        notes = ["rests on its floor"] if row.at_floor else []
        notes += ["left on the way"] if row.outpaced else ["did not settle"] if not row.converged else []
        parameters = "–" if row.parameters is None else short_number(row.parameters, 15)
        body.append([str(row.components), row.structure or "–", next(values), next(fits), parameters])
        body[-1] += [", ".join(notes)] if remarks else []
    head: list[Child] = [
        f"{candidates.what}s".capitalize(),
        "Structure",
        candidates.criterion,
        "Log-likelihood",
        "Parameters",
    ]
    marked = indices.index(candidates.chosen) if candidates.chosen in indices else None
    return table(caption, head + ["Remarks"] * remarks, body, numbers=(0, 2, 3, 4), marked=marked)
