"""The race of `select`: all candidates are looked at for some iterations, and those that can still win are fitted.

A candidate is one covariance structure with one number of components. Starts are drawn once for all of them; of every
candidate's starts the better half goes on (successive halving), and of the candidates those whose criterion could still
come to be the largest if their bounds rose several times as far as they are expected to. The candidates of the chosen
structure are all fitted to their end, so that its line is whole.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tacit.data.dataset import Dataset
from tacit.estimators.mixture.base import Search
from tacit.estimators.mixture.em import LikelihoodMixture
from tacit.estimators.mixture.starts import HIERARCHIES, DrawnStarts, draw, laid
from tacit.evaluation.rows import fresh
from tacit.inference.closed_form import CONVERGED, INTERRUPTED, STOPPED
from tacit.inference.fit import Fit
from tacit.models.mixture import rows as answers
from tacit.models.mixture.fitting import MixtureSchedule, finished, floored, log_likelihoods, stacked

HOPE = 3.0
"""How many times as far as is expected a bound may rise before a candidate that was left would have won."""
LEAST_HOPE = 2.0
"""Nats that every bound may rise, however still it stands."""
LEADERS = 5
"""Candidates that are never left before they have been fitted to their end."""
ROUNDS = (60, 150, 400)
"""Iterations between two looks at who can still win; the last again and again."""
CROSSED = 12
"""Leading candidates that are begun once more, from what the best others say when they have come to their end."""
OTHERS = 4
"""How many others each of these is begun from."""
TRACKS = 2
"""Starts of a candidate that are left to go on when the others have been dropped."""


class Effort(NamedTuple):
    """How hard `select` looks."""

    explored: int | None
    """Iterations of every start that is not dropped; None: all go to their end."""
    halving: tuple[int, ...]
    """After how many of them the worse half is dropped."""
    crossed: bool
    """Whether every structure is begun again from what the best others say of the rows."""
    again: int
    """How many times the leading candidates are."""


EFFORTS = {
    "quick": Effort(12, (4, 8), False, 0),
    "usual": Effort(20, (5, 10), True, 1),
    "thorough": Effort(None, (), True, 0),
}
COLUMNS = ("log_likelihood", "bic", "icl", "aic")


class Runner(NamedTuple):
    """A fit on its way, with its line of the table as it would be now."""

    fit: Fit
    row: dict[str, Any]

    @property
    def worth(self) -> tuple[bool, float]:
        """A sound fit is worth more than one on its floor; then the likelihood counts."""
        value = self.row["log_likelihood"]
        return not self.row["at_floor"], -np.inf if np.isnan(value) else value

    def value(self, column: str) -> float:
        """The criterion so far; one on its floor has none."""
        value = float(self.row[column])
        return -np.inf if self.row["at_floor"] or np.isnan(value) else value

    def hope(self) -> float:
        """Nats by which the bound may yet rise: a geometric series of its last rises, several times over.

        The rises of EM come to shrink by one factor (Dempster, Laird & Rubin 1977); before that they may grow.
        """
        bounds = self.fit.trace.bound
        if bounds.size < 9:
            return np.inf
        before, last = bounds[-5] - bounds[-9], bounds[-1] - bounds[-5]
        if not last > 0:
            return LEAST_HOPE
        factor = last / before if before > 0 else 1.0
        return LEAST_HOPE + HOPE * last * (factor / (1.0 - factor) if factor < 1.0 else np.inf)


@dataclasses.dataclass
class Lane:
    """The candidates of one structure, with some fits of every number of components."""

    searcher: LikelihoodMixture
    """The estimator that searches: this structure, the most components."""
    search: Search
    schedule: MixtureSchedule
    runners: list[Runner] = dataclasses.field(default_factory=list)

    @property
    def structure(self) -> str:
        """The name of the structure; "" of a model without any."""
        return str(self.searcher.get_params(deep=False).get("covariance_type", ""))

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended a fit of it."""
        return any(runner.fit.status == INTERRUPTED for runner in self.runners)

    def look(self, drawn: DrawnStarts, effort: Effort, spare: int = 0) -> None:
        """Fit starts that were drawn; the last ``spare`` only make up their number."""
        schedule, tracks = self.schedule, 1
        if effort.explored is not None:
            most = min(effort.explored, schedule.max_iter)
            schedule = schedule._replace(max_iter=most, halving=tuple(h for h in effort.halving if h < most))
            tracks = TRACKS
        numbers = drawn.components[: len(drawn.components) - spare]
        order = np.concatenate([np.arange((numbers == number).sum()) % tracks for number in np.unique(numbers)])
        pairs, apart = np.unique(np.stack([numbers, order]), axis=1, return_inverse=True)
        groups = np.append(apart.ravel(), np.full(spare, pairs.shape[1]))
        found = self.searcher.explore(self.search, drawn, schedule, groups)
        self.search = found._replace(fits=[])
        self.runners += self._lines(found.fits[: pairs.shape[1]], pairs[0])

    def best(self, number: int) -> Runner:
        """The best fit of a candidate so far."""
        return max((r for r in self.runners if r.row["n_components"] == number), key=lambda r: r.worth)

    def open(self, runner: Runner) -> bool:
        """Whether a fit has not come to its end."""
        return runner.fit.status == STOPPED and runner.fit.iteration < int(self.schedule.max_iter)

    def go_on(self, places: Sequence[int], iterations: int) -> None:
        """Some fits that many iterations further at most."""
        fits = [self.runners[place].fit for place in places]
        left = [min(iterations, int(self.schedule.max_iter) - fit.iteration) for fit in fits]
        more = _bucket(len(fits)) - len(fits)  # fits that stop at once
        schedule = self.schedule._replace(max_iter=np.array(left + [0] * more))
        further = self.searcher.go_on(self.search, fits + fits[:1] * more, schedule)[: len(fits)]
        numbers = np.array([self.runners[place].row["n_components"] for place in places])
        for place, runner in zip(places, self._lines(further, numbers), strict=True):
            self.runners[place] = runner

    def _lines(self, fits: Sequence[Fit], numbers: np.ndarray) -> list[Runner]:
        search = self.search
        totals, assigned = log_likelihoods(stacked([fit.model for fit in fits]), search.data, search.view)
        return [
            Runner(fit, _row(search, fit, int(number), self.structure, float(total), float(hard - total)))
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
    numbers: Sequence[int],
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
    lanes = [_lane(base, structure, rows, numbers[-1]) for structure in structures]
    crossed = effort.crossed and len(lanes) > 1
    first = -(-n_init // 2) if crossed and effort.explored is None else n_init
    methods = [*HIERARCHIES, *["kmeans"] * n_init][:first]
    drawn = _drawn(lanes[0], rows, methods, numbers)
    every = [[*numbers]] * len(lanes)
    steps: list[Callable[[], None]] = [partial(lane.look, drawn, effort) for lane in lanes]
    if crossed:
        steps.append(partial(_cross, lanes, drawn, effort, -(-n_init // 2), every))
    if effort.explored is not None:
        steps.append(partial(_race, lanes, column, numbers))
    for _ in range(effort.again if crossed else 0):
        steps.append(lambda: _cross(lanes, drawn, effort, OTHERS, _leading(lanes, column, numbers)))
        steps.append(partial(_race, lanes, column, numbers))
    broken = False
    try:
        for step in steps:
            step()
            broken = any(lane.interrupted for lane in lanes)
            if broken:
                break
    except KeyboardInterrupt:  # before a fit had anything to keep
        broken = True
        if not any(lane.runners for lane in lanes):
            raise
    return _listed([lane for lane in lanes if lane.runners], numbers, broken=broken)


def _lane(base: LikelihoodMixture, structure: str | None, rows: Dataset, most: int) -> Lane:
    searcher = fresh(base).set_params(n_components=most)
    if structure is not None:
        searcher.set_params(covariance_type=structure)
    search = searcher.begin_search(rows, most)
    return Lane(searcher, search, searcher.schedule(search))


def _drawn(lane: Lane, rows: Dataset, methods: list[str], numbers: Sequence[int]) -> DrawnStarts:
    """Starts of every number of components by each of some methods."""
    layout, every = lane.search.layout, np.repeat(np.asarray(numbers), len(methods))
    return draw(layout.plain, rows, layout.view, methods * len(numbers), every, lane.search.random)


def _cross(
    lanes: Sequence[Lane], drawn: DrawnStarts, effort: Effort, most: int, chosen: Sequence[Sequence[int]]
) -> None:
    """Chosen candidates of every structure begun again from what the best others of as many components say of the rows.

    A structure's own starts may all end in a poor maximum; that of another is seldom poor in the same way.
    """
    numbers = sorted({number for each in chosen for number in each})
    best = {(at, number): lane.best(number) for at, lane in enumerate(lanes) for number in numbers}
    width, drawn_numbers = drawn.shares.shape[-1], len(np.unique(drawn.components))

    @functools.cache
    def said(at: int, number: int) -> np.ndarray:
        model = finished(best[at, number].fit.model, lanes[at].search.view)
        return laid(model, answers.responsibilities(model, drawn.rows), width)

    def others(at: int, number: int) -> list[int]:
        left = [other for other in range(len(lanes)) if other != at]
        return sorted(left, key=lambda other: best[other, number].worth, reverse=True)[:most]

    for at, lane in enumerate(lanes):
        pairs = [(other, number) for number in chosen[at] for other in others(at, number)]
        if pairs:
            spare = 0 if len(chosen[at]) == drawn_numbers else _bucket(len(pairs)) - len(pairs)
            pairs += pairs[-1:] * spare
            shares = np.stack([said(*pair) for pair in pairs])
            components = np.array([number for _, number in pairs])
            lane.look(drawn._replace(shares=shares, components=components), effort, spare)
        if lane.interrupted:
            return


def _bucket(number: int) -> int:
    """So many fits that few numbers of them are ever compiled: 4, or a multiple of 16."""
    return 4 if number <= 4 else -(-number // 16) * 16


def _leading(lanes: Sequence[Lane], column: str, numbers: Sequence[int]) -> list[list[int]]:
    """Of every structure, the numbers of components of the leading candidates."""
    values = [[lane.best(number).value(column) for number in numbers] for lane in lanes]
    least = sorted((value for each in values for value in each), reverse=True)[:CROSSED][-1]
    return [[n for n, value in zip(numbers, each, strict=True) if value >= least] for each in values]


def _race(lanes: Sequence[Lane], column: str, numbers: Sequence[int]) -> None:
    """Fit those that can still win to their end, and of the winner's structure all."""
    for iterations in itertools.chain(ROUNDS, itertools.repeat(ROUNDS[-1])):
        contenders = _contenders(lanes, column)
        if not any(contenders):
            break
        for lane, places in zip(lanes, contenders, strict=True):
            if places:
                lane.go_on(places, iterations)
                if lane.interrupted:
                    return
    while True:
        winner = max(lanes, key=lambda lane: max(runner.value(column) for runner in lane.runners))
        best = [winner.best(number) for number in numbers]
        places = [p for p, r in enumerate(winner.runners) if winner.open(r) and any(r is one for one in best)]
        if not places or winner.interrupted:
            return
        winner.go_on(places, int(winner.schedule.max_iter))


def _contenders(lanes: Sequence[Lane], column: str) -> list[list[int]]:
    """The open fits of every lane that can still win, and can still be the best of their candidate."""
    ranked = sorted((runner.value(column) for lane in lanes for runner in lane.runners), reverse=True)
    best, leader = ranked[0], ranked[:LEADERS][-1]
    found = []
    for lane in lanes:
        places = []
        for place, runner in enumerate(lane.runners):
            value, hope = runner.value(column), runner.hope()
            rival = lane.best(runner.row["n_components"]).value(column)
            most = value + 2.0 * hope if np.isfinite(value) else -np.inf
            if lane.open(runner) and (value >= leader or most >= best) and most >= rival:
                places.append(place)
        found.append(places)
    return found


def _listed(lanes: Sequence[Lane], numbers: Sequence[int], *, broken: bool) -> list[FittedCandidate]:
    """All candidates; what was left on the way has no criterion, unless Ctrl-C (``broken``) left all."""
    found = []
    for lane in lanes:
        for number in numbers:
            runner = lane.best(number)
            left = lane.open(runner) and not broken
            so_far = runner.row["log_likelihood"] if left else None
            row = runner.row | {"outpaced": left, "log_likelihood_so_far": so_far}
            row |= dict.fromkeys(COLUMNS) if left else {}
            found.append(FittedCandidate(row, lane.searcher, lane.search, runner.fit))
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
