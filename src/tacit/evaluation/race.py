"""The race of `select`: all candidates are looked at for some iterations, and those that can still win are fitted.

A candidate is one covariance structure with one number of components. Starts are drawn once for all of them; of every
candidate's starts the better half goes on (successive halving), and of the candidates those whose criterion could still
come to be the largest if their bounds rose several times as far as they are expected to. The candidates of the chosen
structure are all fitted to their end, so that its line is whole.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tacit.data.dataset import Dataset
from tacit.estimators.mixture.base import Search
from tacit.estimators.mixture.em import LikelihoodMixture
from tacit.estimators.mixture.starts import HIERARCHIES, Drawn, draw
from tacit.evaluation.rows import fresh
from tacit.inference.closed_form import CONVERGED, INTERRUPTED, STOPPED
from tacit.inference.fit import Fit
from tacit.models.mixture import rows as answers
from tacit.models.mixture.fitting import finished, floored, log_likelihoods, stacked

HOPE = 5.0
"""How many times as far as is expected a bound may rise before a candidate that was left would have won."""
LEAST_HOPE = 2.0
"""Nats that every bound may rise, however still it stands."""
LEADERS = 5
"""Candidates that are never left before they have been fitted to their end."""
ROUNDS = (60, 150, 400)
"""Iterations between two looks at who can still win."""


class Effort(NamedTuple):
    """How hard `select` looks."""

    explored: int | None
    """Iterations of every candidate; None: all go to their end."""
    halving: tuple[int, ...]
    crossed: bool
    """Whether every structure is begun again from what the best others say of the rows."""


EFFORTS = {
    "quick": Effort(12, (4, 8), False),
    "usual": Effort(24, (6, 12), True),
    "thorough": Effort(None, (), True),
}
COLUMNS = ("log_likelihood", "bic", "icl", "aic")


@dataclasses.dataclass
class Lane:
    """The candidates of one structure: one fit for every number of components."""

    searcher: LikelihoodMixture
    """The estimator that searches: this structure, the most components."""
    search: Search
    numbers: np.ndarray
    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """Lines of the table, of ``search.fits``."""

    @property
    def structure(self) -> str:
        """The name of the structure; "" of a model without any."""
        return str(self.searcher.get_params(deep=False).get("covariance_type", ""))

    def look(self, drawn: Drawn, effort: Effort) -> None:
        """Fit starts that were drawn, and keep of every candidate the better of these and what it had."""
        schedule = self.searcher.schedule(self.search)
        if effort.explored is not None:
            most = min(effort.explored, schedule.max_iter)
            schedule = schedule._replace(max_iter=most, halving=tuple(h for h in effort.halving if h < most))
        found = self.searcher.explore(self.search, drawn, schedule)
        rows = self._lines(found, found.fits, self.numbers)
        if not self.rows:
            self.search, self.rows = found, rows
            return
        for place, (row, fit) in enumerate(zip(rows, found.fits, strict=True)):
            if _worth(row) > _worth(self.rows[place]):
                self.rows[place], self.search.fits[place] = row, fit

    def open(self) -> list[int]:
        """The candidates that have not come to their end."""
        most = self.searcher.schedule(self.search).max_iter
        return [p for p, fit in enumerate(self.search.fits) if fit.status == STOPPED and fit.iteration < most]

    def go_on(self, places: Sequence[int], iterations: int) -> None:
        """Some candidates that many iterations further at most."""
        schedule = self.searcher.schedule(self.search)
        fits = [self.search.fits[place] for place in places]
        left = np.array([min(iterations, schedule.max_iter - fit.iteration) for fit in fits])
        further = self.searcher.go_on(self.search, fits, schedule._replace(max_iter=left))
        for place, fit in zip(places, further, strict=True):
            self.search.fits[place] = fit
        for place, row in zip(places, self._lines(self.search, further, self.numbers[list(places)]), strict=True):
            self.rows[place] = row

    def _lines(self, search: Search, fits: Sequence[Fit], numbers: np.ndarray) -> list[dict[str, Any]]:
        totals, assigned = log_likelihoods(stacked([fit.model for fit in fits]), search.data, search.view)
        return [
            _row(search, fit, int(number), self.structure, float(total), float(hard - total))
            for fit, number, total, hard in zip(fits, numbers, totals, assigned, strict=True)
        ]


class FittedCandidate(NamedTuple):
    """A line of the table and what its estimator is made from, if it is chosen."""

    row: dict[str, Any]
    searcher: LikelihoodMixture
    search: Search
    fit: Fit

    def unfitted(self) -> LikelihoodMixture:
        """The estimator of this candidate, which has seen the rows' names and kinds."""
        return fresh(self.searcher).set_params(n_components=self.row["n_components"])


def candidates(
    base: LikelihoodMixture,
    structures: Sequence[str | None],
    rows: Dataset,
    numbers: np.ndarray,
    n_init: int,
    effort: Effort,
    column: str,
) -> list[FittedCandidate]:
    """Every candidate; those that were left on the way say so, and have no criterion.

    Args:
        base: what all of them share.
        structures: theirs; None keeps that of the base.
        rows: what is fitted.
        numbers: of components, in increasing order.
        n_init: starts of a candidate.
        effort: how hard to look.
        column: the criterion by which they race.
    """
    lanes = [_lane(base, structure, rows, numbers) for structure in structures]
    crossed = effort.crossed and len(lanes) > 1
    first = -(-n_init // 2) if crossed else n_init
    methods: list[str] = [*HIERARCHIES, *["kmeans"] * n_init]
    drawn = _drawn(lanes[0], rows, [methods[:first]] * numbers.size)
    seen = []
    for lane in lanes:
        lane.look(drawn, effort)
        seen.append(lane)
        if _interrupted(lane):
            return _listed(seen, numbers)
    if crossed and n_init > first:
        _cross(lanes, drawn, n_init - first, effort)
    if effort.explored is not None and not any(_interrupted(lane) for lane in lanes):
        _race(lanes, column)
    return _listed(lanes, numbers)


def _lane(base: LikelihoodMixture, structure: str | None, rows: Dataset, numbers: np.ndarray) -> Lane:
    searcher = fresh(base).set_params(n_components=int(numbers[-1]))
    if structure is not None:
        searcher.set_params(covariance_type=structure)
    return Lane(searcher, searcher.begin_search(rows, int(numbers[-1])), numbers)


def _drawn(lane: Lane, rows: Dataset, methods: Sequence[Sequence[str]]) -> Drawn:
    """Starts of every number of components by its own methods."""
    numbers = np.repeat(lane.numbers, [len(each) for each in methods])
    flat = [one for each in methods for one in each]
    layout = lane.search.layout
    return draw(layout.plain, rows, layout.view, flat, numbers, lane.search.random)


def _interrupted(lane: Lane) -> bool:
    return any(fit.status == INTERRUPTED for fit in lane.search.fits)


def _cross(lanes: Sequence[Lane], drawn: Drawn, number: int, effort: Effort) -> None:
    """Every structure begun again from what the best others of as many components say of the rows.

    A structure's own starts may all end in a poor maximum; that of another is seldom poor in the same way.
    """
    numbers, width = lanes[0].numbers, drawn.shares.shape[-1]
    ranked = [
        sorted(range(len(lanes)), key=lambda at, place=place: _worth(lanes[at].rows[place]), reverse=True)
        for place in range(numbers.size)
    ]
    found = [[finished(fit.model, lane.search.view) for fit in lane.search.fits] for lane in lanes]

    @functools.cache
    def said(at: int, place: int) -> np.ndarray:
        shares = answers.responsibilities(found[at][place], drawn.rows)
        return np.pad(shares, ((0, 0), (0, width - shares.shape[1])))

    for at, lane in enumerate(lanes):
        pairs = [
            (other, place) for place, order in enumerate(ranked) for other in [o for o in order if o != at][:number]
        ]
        shares = np.stack([said(*pair) for pair in pairs])
        lane.look(drawn._replace(shares=shares, components=numbers[[place for _, place in pairs]]), effort)
        if _interrupted(lane):
            return


def _race(lanes: Sequence[Lane], column: str) -> None:
    """Fit those that can still win to their end, and of the winner's structure all."""
    for iterations in ROUNDS:
        best = max(_value(row, column) for lane in lanes for row in lane.rows)
        for lane, places in zip(lanes, _contenders(lanes, column, best), strict=True):
            if places:
                lane.go_on(places, iterations)
                if _interrupted(lane):
                    return
    while True:
        winner = max(lanes, key=lambda lane: max(_value(row, column) for row in lane.rows))
        places = winner.open()
        if not places:
            return
        winner.go_on(places, winner.searcher.schedule(winner.search).max_iter)
        if _interrupted(winner):
            return


def _contenders(lanes: Sequence[Lane], column: str, best: float) -> list[list[int]]:
    """The open candidates of every lane that can still win."""
    ranked = sorted((_value(row, column) for lane in lanes for row in lane.rows), reverse=True)
    leader = ranked[min(LEADERS, len(ranked)) - 1]
    found = []
    for lane in lanes:
        values = [_value(row, column) for row in lane.rows]
        hopes = [_hope(fit) for fit in lane.search.fits]
        found.append([p for p in lane.open() if values[p] >= leader or values[p] + 2.0 * hopes[p] >= best])
    return found


def _hope(fit: Fit) -> float:
    """Nats by which a bound may yet rise: a geometric series of its last rises, several times over.

    The rises of EM come to shrink by one factor (Dempster, Laird & Rubin 1977); before that they may grow.
    """
    bounds = fit.trace.bound
    if bounds.size < 9:
        return np.inf
    before, last = bounds[-5] - bounds[-9], bounds[-1] - bounds[-5]
    if not last > 0:
        return LEAST_HOPE
    factor = last / before if before > 0 else 1.0
    return LEAST_HOPE + HOPE * last * (factor / (1.0 - factor) if factor < 1.0 else np.inf)


def _value(row: dict[str, Any], column: str) -> float:
    """The criterion of a candidate so far; one on its floor has none."""
    value = row[column]
    return -np.inf if row["at_floor"] or value is None or np.isnan(value) else float(value)


def _worth(row: dict[str, Any]) -> tuple[bool, float]:
    """A sound fit is worth more than one on its floor; then the likelihood counts."""
    value = row["log_likelihood"]
    return not row["at_floor"], -np.inf if np.isnan(value) else value


def _listed(lanes: Sequence[Lane], numbers: np.ndarray) -> list[FittedCandidate]:
    """All candidates; what was left on the way has no criterion, unless Ctrl-C left all."""
    broken = any(_interrupted(lane) for lane in lanes)
    found = []
    for lane in lanes:
        left = () if broken else lane.open()
        for place, (row, fit) in enumerate(zip(lane.rows, lane.search.fits, strict=True)):
            so_far = row["log_likelihood"] if place in left else None
            row |= {"outpaced": place in left, "log_likelihood_so_far": so_far}
            if place in left:
                row |= dict.fromkeys(COLUMNS)
            found.append(FittedCandidate(row, lane.searcher, lane.search, fit))
    return found


def _row(search: Search, fit: Fit, number: int, structure: str, total: float, assigned: float) -> dict[str, Any]:
    """A line of the table; ``total`` is Σ log p in the view, ``assigned`` is Σ log max_k r."""
    model = finished(fit.model, search.view)
    log_likelihood, parameters = total + search.jacobian(), model.n_parameters()
    bic = 2.0 * log_likelihood - parameters * float(np.log(search.data.total_weight))
    return {
        "n_components": number,
        "covariance": structure,
        "log_likelihood": log_likelihood,
        "n_parameters": parameters,
        "bic": bic,
        "icl": bic + 2.0 * assigned,
        "aic": 2.0 * log_likelihood - 2.0 * parameters,
        "held_out": None,
        "converged": fit.status == CONVERGED,
        "at_floor": bool(floored(model)),
    }
