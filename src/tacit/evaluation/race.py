"""The race of `select`: all candidates are looked at for some iterations, and those that can still win are fitted.

A candidate is one covariance structure with one number of components. Starts are drawn once for all of them; of every
candidate's starts the better half goes on (successive halving), and of the candidates those whose criterion could still
come to be the largest if their bounds rose several times as far as they are expected to. The candidates of the chosen
structure are all fitted to their end, so that its line is whole.
"""

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
from tacit.evaluation.lanes import Effort, Lane, Lanes, Look, bucket
from tacit.evaluation.rows import fresh
from tacit.inference.fit import Fit
from tacit.models.mixture import rows as answers
from tacit.models.mixture.fitting import finished

LEADERS = 5
"""Candidates that are never left before they have been fitted to their end."""
ROUNDS = (60, 150, 400)
"""Iterations between two looks at who can still win; the last again and again."""
CROSSED = 12
"""Leading candidates that are begun once more, from what the best others say when they have come to their end."""
OTHERS = 4
"""How many others each of these is begun from."""
EFFORTS = {
    "quick": Effort(12, (4, 8), False, 0),
    "usual": Effort(20, (5, 10), True, 1),
    "thorough": Effort(None, (), True, 0),
}
COLUMNS = ("log_likelihood", "bic", "icl", "aic")


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
    lanes = Lanes([_lane(base, structure, rows, numbers[-1], len(structures)) for structure in structures])
    several = effort.crossed and len(lanes.each) > 1
    first = -(-n_init // 2) if several and effort.explored is None else n_init
    methods = [*HIERARCHIES, *["kmeans"] * n_init][:first]
    drawn = _drawn(lanes.each[0], rows, methods, numbers)
    every = [[*numbers]] * len(lanes.each)
    steps: list[Callable[[], None]] = [lambda: lanes.look([Look(lane, drawn) for lane in lanes.each], effort)]
    if several:
        steps.append(partial(_cross, lanes, drawn, effort, -(-n_init // 2), every))
    if effort.explored is not None:
        steps.append(partial(_race, lanes, column, numbers))
    for _ in range(effort.again if several else 0):
        steps.append(lambda: _cross(lanes, drawn, effort, OTHERS, _leading(lanes.each, column, numbers)))
        steps.append(partial(_race, lanes, column, numbers))
    broken = False
    try:
        for step in steps:
            step()
            broken = lanes.interrupted
            if broken:
                break
    except KeyboardInterrupt:  # before a fit had anything to keep
        broken = True
        if not any(lane.runners for lane in lanes.each):
            raise
    return _listed([lane for lane in lanes.each if lane.runners], numbers, broken=broken)


def _lane(base: LikelihoodMixture, structure: str | None, rows: Dataset, most: int, programs: int) -> Lane:
    searcher = fresh(base).set_params(n_components=most)
    if structure is not None:
        searcher.set_structure(structure)
    search = searcher.begin_search(rows, most)
    return Lane(searcher, search, searcher.schedule(search)._replace(programs=programs))


def _drawn(lane: Lane, rows: Dataset, methods: list[str], numbers: Sequence[int]) -> DrawnStarts:
    """Starts of every number of components by each of some methods."""
    layout, every = lane.search.layout, np.repeat(np.asarray(numbers), len(methods))
    return draw(layout.plain, rows, layout.view, methods * len(numbers), every, lane.search.random)


def _cross(lanes: Lanes, drawn: DrawnStarts, effort: Effort, most: int, chosen: Sequence[Sequence[int]]) -> None:
    """Chosen candidates of every structure begun again from what the best others of as many components say of the rows.

    A structure's own starts may all end in a poor maximum; that of another is seldom poor in the same way.
    """
    numbers = sorted({number for each in chosen for number in each})
    best = {(at, number): lane.best(number) for at, lane in enumerate(lanes.each) for number in numbers}
    width, drawn_numbers = drawn.shares.shape[-1], len(np.unique(drawn.components))

    @functools.cache
    def said(at: int, number: int) -> np.ndarray:
        model = finished(best[at, number].fit.model, lanes.each[at].search.view)
        return laid(model, answers.responsibilities(model, drawn.rows), width)

    def others(at: int, number: int) -> list[int]:
        left = [other for other in range(len(lanes.each)) if other != at]
        return sorted(left, key=lambda other: best[other, number].worth, reverse=True)[:most]

    looks = []
    for at, lane in enumerate(lanes.each):
        pairs = [(other, number) for number in chosen[at] for other in others(at, number)]
        if pairs:
            spare = 0 if len(chosen[at]) == drawn_numbers else bucket(len(pairs)) - len(pairs)
            pairs += pairs[-1:] * spare
            shares = np.stack([said(*pair) for pair in pairs])
            components = np.array([number for _, number in pairs])
            looks.append(Look(lane, drawn._replace(shares=shares, components=components), spare))
    lanes.look(looks, effort)


def _leading(lanes: Sequence[Lane], column: str, numbers: Sequence[int]) -> list[list[int]]:
    """Of every structure, the numbers of components of the leading candidates."""
    values = [[lane.best(number).value(column) for number in numbers] for lane in lanes]
    least = sorted((value for each in values for value in each), reverse=True)[:CROSSED][-1]
    return [[n for n, value in zip(numbers, each, strict=True) if value >= least] for each in values]


def _race(lanes: Lanes, column: str, numbers: Sequence[int]) -> None:
    """Fit those that can still win to their end, and of the winner's structure all."""
    for iterations in itertools.chain(ROUNDS, itertools.repeat(ROUNDS[-1])):
        contenders = _contenders(lanes.each, column)
        if not any(contenders):
            break
        lanes.go_on(contenders, iterations)
        if lanes.interrupted:
            return
    while True:
        winner = max(lanes.each, key=lambda lane: max(runner.value(column) for runner in lane.runners))
        best = [winner.best(number) for number in numbers]
        places = [p for p, r in enumerate(winner.runners) if winner.open(r) and any(r is one for one in best)]
        if not places or winner.interrupted:
            return
        lanes.go_on([places if lane is winner else [] for lane in lanes.each], int(winner.schedule.max_iter))


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
