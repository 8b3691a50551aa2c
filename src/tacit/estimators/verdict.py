"""What a person may trust of a variational fit: k̂, moments corrected by importance weights, restarts, how it ended."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from tacit import plots
from tacit.data.results import TableResult
from tacit.inference.importance import RELIABLE, pareto_smooth

PLOTTED = 40
"""Parameters that are drawn, at most."""
MOST_PARAMETERS = 200
"""Beyond about so many parameters k̂ is large however good q is in each of them."""
GOOD = 0.5
CLOSE = 0.2
"""Posterior standard deviations within which two restarts found the same."""
MISSED = 0.02
"""The share of the posterior outside an approximation that matters."""
APART = 1.0
"""Nats between the bounds of two restarts that matter."""
SHIFT = 0.2
"""How far, in standard deviations, a mean must move, or how much a standard deviation must grow, to be told."""

Moments = dict[str, tuple[float, float]]
"""Mean and standard deviation by name."""


@dataclasses.dataclass(frozen=True)
class Verdict(TableResult):
    """How good an approximate posterior is, and what to do about it.

    Attributes:
        khat: shape of the tail of the importance weights, or None where ``why_not`` says why there is none.
        why_not: why there is no k̂.
        raw: mean and standard deviation of every parameter under q.
        corrected: the same under the importance weights: nearer to the posterior where k̂ is below 0.7.
        log_evidence: ``log p(x)`` by importance sampling, in nats, or None.
        log_evidence_error: its standard error.
        bounds: the bounds of independent restarts in nats, best first.
        agreement: the largest difference of posterior means between the two best restarts, in posterior
            standard deviations, or None.
        stop: why the fit ended, as what follows "because".
        missed: the share of the posterior found where the approximation has no draws, by searches for other modes and
            a wider proposal; None where nobody looked.
        searches: how many places the searches began at.
        notes: sentences about the data that matter for the posterior.
    """

    khat: float | None
    why_not: str
    raw: Mapping[str, tuple[float, float]]
    corrected: Mapping[str, tuple[float, float]]
    log_evidence: float | None
    log_evidence_error: float | None
    bounds: tuple[float, ...]
    agreement: float | None
    stop: str
    missed: float | None = None
    searches: int = 0
    notes: tuple[str, ...] = ()

    @property
    def reliable(self) -> bool | None:
        """Whether k̂ is below 0.7 and nothing that matters was found elsewhere; None where there is no k̂."""
        if self.missed is not None and self.missed > MISSED:
            return False
        return None if self.khat is None else self.khat < RELIABLE

    def to_arrow(self) -> pa.Table:
        """A line a parameter: mean and standard deviation under q, and corrected by importance weights."""
        names = list(self.raw)
        other = {name: self.corrected.get(name, (None, None)) for name in names}
        return pa.table(
            {
                "parameter": pa.array(names, pa.string()),
                "mean": pa.array([self.raw[name][0] for name in names], pa.float64()),
                "sd": pa.array([self.raw[name][1] for name in names], pa.float64()),
                "corrected_mean": pa.array([other[name][0] for name in names], pa.float64()),
                "corrected_sd": pa.array([other[name][1] for name in names], pa.float64()),
            }
        )

    def headline(self) -> str:
        """The sentences."""
        return str(self)

    def plot(self) -> Any:
        """A matplotlib ``Figure``: means (the first forty) with two standard deviations, corrected where they are."""
        told = self.corrected if self.corrected and self.reliable else self.raw
        names = list(told)[:PLOTTED]
        mean, sd = (np.array([told[name][place] for name in names]) for place in (0, 1))
        return plots.coefficient_plot(names, mean, mean - 2 * sd, mean + 2 * sd, says="Mean ± 2 standard deviations")

    def words(self) -> tuple[str, ...]:
        """What it comes to, in plain sentences."""
        return tuple(
            part
            for part in (
                *self.notes,
                self._about_elsewhere(),
                self._about_q(),
                self._about_moments(),
                self._about_restarts(),
                self._about_searches(),
                self._end(),
            )
            if part
        )

    def _about_elsewhere(self) -> str:
        if self.missed is None or self.missed <= MISSED:
            return ""
        return (
            f"Not usable as it is: about {self.missed:.0%} of the posterior was found where the approximation has no "
            "draws, in another mode or a long tail. Means and standard deviations are those of the rest alone. Take a "
            "sampler that reaches all of it, or write the model so that it has one mode."
        )

    def _about_searches(self) -> str:
        if self.missed is None or self.missed > MISSED:
            return ""
        return f"Searches from {self.searches} places far from it found no other mode that matters; there may be one."

    def _about_q(self) -> str:
        if self.khat is None:
            return f"k̂: n/a ({self.why_not})." if self.why_not else ""
        if self.khat < GOOD:
            return f"k̂ = {self.khat:.2f}: where it has draws, the approximation is close to the posterior."
        if self.khat < RELIABLE:
            return (
                f"k̂ = {self.khat:.2f}: where it has draws, the approximation can be mended; take the corrected means "
                "and standard deviations."
            )
        return (
            f"k̂ = {self.khat:.2f}, above {RELIABLE}: the approximation misses part of the posterior, and its intervals "
            "may be too narrow. Take a richer one, or a sampler."
        )

    def _about_moments(self) -> str:
        if not self.corrected or not self.reliable:
            return ""
        moved = {name: self._change(name) for name in self.raw}
        worst = max(moved, key=lambda name: max(moved[name][0], abs(math.log(moved[name][1]))))
        shift, ratio = moved[worst]
        if shift < SHIFT and abs(math.log(ratio)) < math.log1p(SHIFT):
            return "Corrected by importance weights, no mean or standard deviation changes by much."
        mean, sd = self.corrected[worst]
        return (
            f"Importance weights change {worst} most: mean {self.raw[worst][0]:.4g} → {mean:.4g}, standard deviation "
            f"{self.raw[worst][1]:.3g} → {sd:.3g}."
        )

    def _change(self, name: str) -> tuple[float, float]:
        (mean, sd), (other, wider) = self.raw[name], self.corrected[name]
        scale = max(sd, 1e-300)
        return abs(other - mean) / scale, max(wider, 1e-300) / scale

    def _about_restarts(self) -> str:
        if not self.bounds:
            return ""
        if len(self.bounds) < 2:
            return "One start only: whether another would end elsewhere is not known."
        gap = self.bounds[0] - self.bounds[1]
        near = self.agreement is None or self.agreement < CLOSE
        if gap < APART and near:
            word = "agree" if self.missed is None else "ended alike"
            return f"{len(self.bounds)} independent starts {word} (bounds within {gap:.2g} nats)."
        means = "" if self.agreement is None else f" and means {self.agreement:.2g} standard deviations apart"
        return (
            f"Independent starts ended {gap:.3g} nats apart{means}: the best is kept, and more may find a better one."
        )

    def _end(self) -> str:
        return f"The fit ended because {self.stop}." if self.stop else ""

    def __str__(self) -> str:
        return "\n".join(self.words())


def judged(
    *,
    names: Sequence[str] = (),
    draws: Float[np.ndarray, "draws parameters"] | None = None,
    log_ratios: Float[np.ndarray, " draws"] | None = None,
    why_not: str = "",
    bounds: Sequence[float] = (),
    agreement: float | None = None,
    stop: str = "",
    outside: Callable[[float], tuple[float, int]] | None = None,
    notes: tuple[str, ...] = (),
) -> Verdict:
    """The verdict on a fit.

    Args:
        names: one a parameter.
        draws: of the parameters from q.
        log_ratios: ``log p(x, θ_s) − log q(θ_s)`` of these draws; None where ``why_not`` says why.
        why_not: why there are no ratios; where there are more than 200 parameters it need not be given.
        bounds: of independent restarts, in nats.
        agreement: the largest difference of posterior means of the two best restarts, in posterior standard deviations.
        stop: why the fit ended, as what follows "because".
        outside: given the log-evidence, that of what lies outside the approximation, and how many searches say so.
        notes: sentences about the data that matter for the posterior.
    """
    raw = {} if draws is None else _moments(names, draws, np.full(len(draws), 1.0 / len(draws)))
    ordered = tuple(float(bound) for bound in sorted(bounds, reverse=True))
    if log_ratios is not None and draws is not None and draws.shape[1] > MOST_PARAMETERS:
        log_ratios, why_not = None, f"{draws.shape[1]:,} parameters: it says nothing beyond about {MOST_PARAMETERS}"
    if log_ratios is None or draws is None:
        return Verdict(None, why_not, raw, {}, None, None, ordered, agreement, stop, notes=notes)
    smoothed = pareto_smooth(log_ratios)
    weights = np.exp(smoothed.log_weights)
    evidence, error = _evidence(np.asarray(log_ratios, np.float64))
    missed, searches = None, 0
    if outside is not None:
        beyond, searches = outside(evidence)
        missed = float(np.exp(beyond - np.logaddexp(beyond, evidence)))
    moments = _moments(names, draws, weights)
    return Verdict(smoothed.khat, "", raw, moments, evidence, error, ordered, agreement, stop, missed, searches, notes)


def _moments(names: Sequence[str], draws: np.ndarray, weights: np.ndarray) -> Moments:
    mean = weights @ draws
    variance = weights @ (draws - mean) ** 2
    return {name: (float(m), float(np.sqrt(v))) for name, m, v in zip(names, mean, variance, strict=True)}


def _evidence(log_ratios: np.ndarray) -> tuple[float, float]:
    """``log (1/S) Σ p/q`` and its standard error by the delta method."""
    top = log_ratios.max()
    ratios = np.exp(log_ratios - top)
    return float(top + np.log(ratios.mean())), float(ratios.std(ddof=1) / ratios.mean() / math.sqrt(ratios.size))
