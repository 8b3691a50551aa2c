"""Posteriors of one row by a method that is always affordable, with what is known of their error; and the methods
side by side.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from tacit.models.network.approximate.case import ApproximationSettings, RowCase
from tacit.models.network.approximate.verdict import (
    PosteriorError,
    compared_in_words,
    draws_in_words,
    errors_against,
    errors_of_draws,
    reliable,
    worst,
)
from tacit.models.network.approximate.weighted import Estimates
from tacit.models.network.model import Network

DEFAULTS = ApproximationSettings()

Method = Literal["loopy", "mean-field", "weighted"]
ValueKind = Literal["exact", "lower bound", "estimate", "Bethe"]


@dataclasses.dataclass(frozen=True, eq=False)
class Approximation:
    """Posteriors of one row.

    Attributes:
        method: how they were found.
        marginals: of every hidden node with levels.
        numbers: mean and standard deviation of every hidden number, with standard errors; by weighted draws, whatever
            the method.
        log_value: ``log p(seen)`` in nats, or what stands for it.
        kind: what that is: a lower bound (never above), an estimate without bias of p (with a standard error), or
            Bethe's energy, which is neither a bound nor of known error.
        log_error: the standard error of an estimate, else NaN.
        errors: of every posterior, as far as it is known.
        converged: whether messages, or the bound, stood still; it says nothing of the error.
        sweeps: it took.
        effective: draws without weights that would tell as much; NaN where there were none.
        seconds: of the method, without the verdict.
        words: the verdict.
    """

    method: Method
    marginals: Mapping[int, np.ndarray]
    numbers: Mapping[int, Estimates]
    log_value: float
    kind: ValueKind
    log_error: float
    errors: Mapping[int, PosteriorError]
    converged: bool
    sweeps: float
    effective: float
    seconds: float
    words: str

    @property
    def largest_error(self) -> float:
        """What no posterior's error is likely to exceed: 1 as soon as nothing is known of one of them."""
        return max((error.most for error in self.errors.values()), default=0.0)


def approximate(
    network: Network,
    row: Float[np.ndarray, " nodes"],
    method: Method = "loopy",
    *,
    likelihoods: Mapping[int, np.ndarray] | None = None,
    settings: ApproximationSettings = DEFAULTS,
) -> Approximation:
    """Posteriors of one row, and what is known of their error.

    Args:
        network: any nodes.
        row: codes of levels and numbers, NaN where nothing is said.
        method: loopy belief propagation, mean field, or weighted draws.
        likelihoods: soft evidence, `[levels]` of some nodes.
        settings: what it may cost.

    Raises:
        NotExact: the method works on tables, and no table can say what a node says of a hidden number; weighted draws
            can. Or a column that the network only conditions on is not given.
    """
    return _answer(RowCase(network, row, dict(likelihoods or {}), settings), method)


def _answer(case: RowCase, method: Method) -> Approximation:
    return {"loopy": _loopy, "mean-field": _mean_field, "weighted": _weighted}[method](case)


def _loopy(case: RowCase) -> Approximation:
    case.demand_tables()
    beliefs = case.beliefs
    if beliefs.note:
        said = f"Loopy belief propagation did not end: {case.in_names(beliefs.note)}."
    else:
        said = f"Messages stand still after {beliefs.sweeps:.0f} sweeps, which says nothing of the error."
    return _judged(case, "loopy", beliefs.marginals, beliefs.bethe, "Bethe", beliefs.converged, beliefs.sweeps, said)


def _mean_field(case: RowCase) -> Approximation:
    case.demand_tables()
    found = case.independent
    if found.bound > -math.inf:
        said = f"The best of {len(found.bounds)} starts; log p is at least {found.bound:.4f}."
        said += " That it is a bound says nothing of the error of posteriors, which are too sure as a rule."
    else:
        said = "No start found a configuration that is possible: nothing can be said."
    return _judged(case, "mean-field", found.marginals, found.bound, "lower bound", found.converged, found.sweeps, said)


def _judged(
    case: RowCase,
    method: Method,
    marginals: dict[int, np.ndarray],
    value: float,
    kind: ValueKind,
    converged: bool,
    sweeps: float,
    said: str,
) -> Approximation:
    """Tables' posteriors with the verdict on them."""
    exact = case.exact.marginals
    marginals = {v: own for v, own in marginals.items() if v in case.hidden}
    numbers = case.hidden - set(marginals)
    asked = case.settings.draws > 0 and (numbers or set(marginals) - set(exact))
    drawn = case.drawn if asked else None
    errors = errors_against(marginals, exact, case.estimates if reliable(drawn) else {})
    words = [said, *compared_in_words(errors, case.network.graph.names, drawn, own=False)]
    if numbers and drawn is not None:
        words.append(f"Numbers are by {draws_in_words(drawn)}.")
    return Approximation(
        method,
        marginals,
        case.numbers if drawn is not None else {},
        value,
        kind,
        math.nan,
        errors,
        converged,
        sweeps,
        drawn.effective if drawn is not None else math.nan,
        case.seconds[method],
        " ".join(words),
    )


def _weighted(case: RowCase) -> Approximation:
    drawn = case.drawn
    exact = case.exact.marginals
    enough = reliable(drawn)
    errors = errors_of_draws(case.estimates, exact, enough)
    value, error = drawn.log_evidence()
    number = len(drawn.log_weights)
    if not drawn.possible:
        said = (
            f"None of {number} draws agrees with what is seen: it is impossible, or so improbable that draws miss it."
        )
    else:
        said = f"{number} weighted draws, as good as {drawn.effective:.0f} without weights."
    words = [said, *compared_in_words(errors, case.network.graph.names, drawn, own=True)]
    return Approximation(
        "weighted",
        {v: estimates.values for v, estimates in case.estimates.items()},
        case.numbers,
        value,
        "estimate",
        error,
        errors,
        enough,
        1.0,
        drawn.effective,
        case.seconds["weighted"],
        " ".join(words),
    )


class MethodRow(NamedTuple):
    """One method in a comparison.

    Attributes:
        method: "exact", or that of an approximation.
        log_value: ``log p(seen)``, or what stands for it.
        kind: exact, a lower bound, an estimate, or Bethe's energy, which is neither.
        log_error: the standard error of an estimate, else NaN.
        largest_error: of a posterior, as far as is known.
        mean_error: over the posteriors whose error is known.
        unknown: of how many posteriors the error is not known.
        worst: the node of the largest error that is known; empty where none is.
        seconds: it took.
        words: the verdict.
    """

    method: str
    log_value: float
    kind: ValueKind
    log_error: float
    largest_error: float
    mean_error: float
    unknown: int
    worst: str
    seconds: float
    words: str


@dataclasses.dataclass(frozen=True)
class MethodTable:
    """Methods side by side, on one row."""

    rows: tuple[MethodRow, ...]

    def text(self) -> str:
        """The table, to be printed."""
        head = ("method", "log p", "which is", "largest error", "mean error", "unknown", "worst", "seconds")
        lines = [head]
        for row in self.rows:
            log = f"{row.log_value:.4f}" + ("" if math.isnan(row.log_error) else f" ± {row.log_error:.1g}")
            errors = (f"{row.largest_error:.4f}", f"{row.mean_error:.4f}", str(row.unknown))
            lines.append((row.method, log, row.kind, *errors, row.worst, f"{row.seconds:.2f}"))
        widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )


def comparison(
    network: Network,
    row: Float[np.ndarray, " nodes"],
    *,
    likelihoods: Mapping[int, np.ndarray] | None = None,
    settings: ApproximationSettings = DEFAULTS,
) -> MethodTable:
    """All methods that can answer, the exact one where it can be paid for."""
    case = RowCase(network, row, dict(likelihoods or {}), settings)
    rows = []
    if case.exact.log_evidence is not None and case.whole_is_exact:
        exact = case.exact
        value = float(exact.log_evidence or 0.0)
        rows.append(
            MethodRow(
                "exact", value, "exact", math.nan, 0.0, 0.0, 0, "", case.seconds["exact"], "Elimination of everything."
            )
        )
    methods: tuple[Method, ...] = ("loopy", "mean-field", "weighted") if case.has_tables else ("weighted",)
    return MethodTable((*rows, *(_row(case, _answer(case, method)) for method in methods)))


def _row(case: RowCase, found: Approximation) -> MethodRow:
    known = [error.error for error in found.errors.values() if error.known_by != "nothing"]
    at = worst(found.errors)
    return MethodRow(
        found.method,
        found.log_value,
        found.kind,
        found.log_error,
        max(known, default=math.nan),
        float(np.mean(known)) if known else math.nan,
        len(found.errors) - len(known),
        "" if at is None else case.network.graph.names[at],
        found.seconds,
        found.words,
    )
