"""The candidates of `select`, structure by structure, and their fits: side by side, where nothing is compiled."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tacit.estimators.mixture.base import Search
from tacit.estimators.mixture.em import LikelihoodMixture
from tacit.estimators.mixture.starts import DrawnStarts
from tacit.evaluation.spreading import every, spreads
from tacit.families.covariance import STRUCTURES
from tacit.inference.closed_form import CONVERGED, INTERRUPTED, STOPPED
from tacit.inference.fit import Fit
from tacit.models.mixture import rows as answers
from tacit.models.mixture.fitting import MixtureSchedule, finished, floored, log_likelihoods, stacked
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.structures import side_by_side, structure_of, whole

HOPE = 3.0
"""How many times as far as is expected a bound may rise before a candidate that was left would have won."""
LEAST_HOPE = 2.0
"""Nats that every bound may rise, however still it stands."""
TRACKS = 2
"""Starts of a candidate that are left to go on when the others have been dropped."""
TOGETHER = 12_000_000
"""Work of the fits that go side by side, in units of `tacit.models.mixture.rows.work`: more fills the caches."""


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
    kind: int | None = None
    """Lanes of one kind may go side by side."""

    @functools.cached_property
    def structure(self) -> str:
        """The name of the structure; "" of a model without any."""
        return self.searcher.structure

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended a fit of it."""
        return any(runner.fit.status == INTERRUPTED for runner in self.runners)

    def best(self, number: int) -> Runner:
        """The best fit of a candidate so far."""
        return max((r for r in self.runners if r.row["n_components"] == number), key=lambda r: r.worth)

    def open(self, runner: Runner) -> bool:
        """Whether a fit has not come to its end."""
        return runner.fit.status == STOPPED and runner.fit.iteration < int(self.schedule.max_iter)


class Look(NamedTuple):
    """What a lane looks at."""

    lane: Lane
    drawn: DrawnStarts
    spare: int = 0
    """The last of these starts that only make up their number."""

    def groups(self, tracks: int) -> tuple[np.ndarray, np.ndarray]:
        """The number of components of every fit that is kept, and which of them each start competes to be."""
        numbers = self.drawn.components[: len(self.drawn.components) - self.spare]
        order = np.concatenate([np.arange((numbers == number).sum()) % tracks for number in np.unique(numbers)])
        pairs, apart = np.unique(np.stack([numbers, order]), axis=1, return_inverse=True)
        return pairs[0], np.append(apart.ravel(), np.full(self.spare, pairs.shape[1]))


class FitLot(NamedTuple):
    """Fits that go side by side: from starts that were drawn, or further than they have come."""

    searcher: LikelihoodMixture
    search: Search
    schedule: MixtureSchedule
    structures: np.ndarray | None
    judge: Search
    """Whose rows say how likely the fits make them."""
    several: bool
    """Whether they are of several structures."""
    drawn: DrawnStarts | None = None
    apart: np.ndarray = np.zeros(0, int)
    fits: Sequence[Fit] = ()
    places: Sequence[int] = ()
    """Those of the fits that come out of it which are wanted."""


class FitsFound(NamedTuple):
    """What came of a lot."""

    fits: Sequence[Fit]
    given: bool
    totals: np.ndarray
    """``Σ w log p`` of each, in the view."""
    assigned: np.ndarray
    """``Σ w log max_k π_k p_k`` of each."""


Step: TypeAlias = Generator[FitLot, FitsFound, None]
"""Says what is to be fitted, and is given what came of it."""


@dataclasses.dataclass
class Lanes:
    """All candidates. Fits of several structures go side by side, in lots that fill the caches and no more."""

    each: list[Lane]

    def __post_init__(self) -> None:
        """See which lanes may go together: those of one view."""
        self._kinds: list[Search] = []
        for lane in self.each:
            lane.kind = self._kind(lane) if len(self.each) > 1 else None

    def _kind(self, lane: Lane) -> int | None:
        """Which of the searches for several structures is for the lane; None if it goes alone."""
        search, exact = lane.search, lane.searcher.inference in ("em", "hard-em")
        drawn = lane.searcher.starts_are_drawn and search.data.resident
        template, plain = search.layout.template, search.layout.plain
        if not (exact and drawn and isinstance(template, MixtureModel) and structure_of(plain)):
            return None
        view = np.asarray([search.view.shift, search.view.scale])
        for number, known in enumerate(self._kinds):
            if np.array_equal([known.view.shift, known.view.scale], view):
                return number
        layout = search.layout._replace(template=whole(template), plain=whole(plain))
        self._kinds.append(search._replace(layout=layout))
        return len(self._kinds) - 1

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended a fit of one of them."""
        return any(lane.interrupted for lane in self.each)

    def look(self, looks: Sequence[Look], effort: Effort) -> None:
        """Fit starts that were drawn."""
        began = time.monotonic()

        def steps() -> Iterator[Step]:
            done = 0
            for lot in self._lots([(look.lane, len(look.drawn.components)) for look in looks]):
                words = f"{done} of {len(looks)} structures looked at"
                if done:
                    words += f", {(time.monotonic() - began) * (len(looks) - done) / done:.0f} s to go for the others"
                yield self._look([looks[place] for place in lot], effort, words)
                done += len(lot)

        self._through(steps())

    def go_on(self, chosen: Sequence[Sequence[int]], iterations: int) -> None:
        """Fits of every lane, by their place in it, that many iterations further at most."""
        every = sum(len({runner.row["n_components"] for runner in lane.runners}) for lane in self.each)
        some = [(lane, places) for lane, places in zip(self.each, chosen, strict=True) if places]
        left = sum(len({lane.runners[place].row["n_components"] for place in places}) for lane, places in some)
        words = f"{left} of {every} candidates still run, the others are at their end or out"
        lots = self._lots([(lane, len(places)) for lane, places in some])
        self._through(
            self._go_on([(some[at][0], place) for at in lot for place in some[at][1]], iterations, words)
            for lot in lots
        )

    def _through(self, steps: Iterable[Step]) -> None:
        """Fit lot after lot, until Ctrl-C; by the workers of an engine all of them at once."""
        # where fits draw at random, their order counts
        exact = all(lane.searcher.inference in ("em", "hard-em") for lane in self.each)
        if exact and spreads(*(lane.search.rows for lane in self.each)):
            begun = list(steps)
            tasks = [next(step) for step in begun]
            for step, found in zip(begun, every(_worked, tasks, ()), strict=True):
                _end(step, found)
            return
        for step in steps:
            _end(step, _worked(next(step)))
            if self.interrupted:
                return

    def _lots(self, sizes: Sequence[tuple[Lane, int]]) -> list[list[int]]:
        """Which of some lanes with so many starts each go side by side."""
        lots: list[list[int]] = []
        open_lots: dict[int, tuple[list[int], float]] = {}
        for place, (lane, starts) in enumerate(sizes):
            lot, spent, cost = list[int](), 0.0, 0.0
            if lane.kind is not None:
                search = self._kinds[lane.kind]
                cost = float(answers.work(search.layout.plain, search.data)) * starts
                lot, spent = open_lots.get(lane.kind, (lot, 0.0))
            if not lot or spent + cost > min(TOGETHER, answers.SMALL_WORK):
                lot, spent = [], 0.0
                lots.append(lot)
            lot.append(place)
            if lane.kind is not None:
                open_lots[lane.kind] = lot, spent + cost
        return lots

    def _guide(self, lanes: Sequence[Lane], sizes: Sequence[int]) -> tuple[Search, np.ndarray | None]:
        """The search for starts of some lanes, and the structures of these where they are several."""
        first = lanes[0]
        if first.kind is None or all(lane is first for lane in lanes):
            return first.search, None
        names = [structure_of(lane.search.layout.plain) for lane in lanes]
        places = [list(STRUCTURES).index(name) for name in names if name]
        return self._kinds[first.kind], np.repeat(places, sizes)

    def _look(self, looks: Sequence[Look], effort: Effort, words: str) -> Step:
        lanes, first = [look.lane for look in looks], looks[0].drawn
        schedule, tracks = lanes[0].schedule._replace(words=words), 1
        if effort.explored is not None:
            most = min(effort.explored, schedule.max_iter)
            schedule = schedule._replace(max_iter=most, halving=tuple(h for h in effort.halving if h < most))
            tracks = TRACKS
        groups = [look.groups(tracks) for look in looks]
        begins = np.cumsum([0] + [apart.max() + 1 for _, apart in groups])
        apart = np.concatenate([begin + apart for begin, (_, apart) in zip(begins[:-1], groups, strict=True)])
        drawn = first
        if any(look.drawn is not first for look in looks):
            drawn = first._replace(
                shares=np.concatenate([look.drawn.shares for look in looks]),
                components=np.concatenate([look.drawn.components for look in looks]),
            )
        search, structures = self._guide(lanes, [len(look.drawn.components) for look in looks])
        places = [
            int(begin) + at
            for begin, (numbers, _) in zip(begins[:-1], groups, strict=True)
            for at in range(len(numbers))
        ]
        owners = [lane for lane, (numbers, _) in zip(lanes, groups, strict=True) for _ in numbers]
        lot = FitLot(lanes[0].searcher, _bare(search), schedule, structures, *_judged(owners))
        found = yield lot._replace(drawn=drawn, apart=apart, places=places)
        for lane in lanes:
            lane.search = lane.search._replace(given=found.given)
        numbers = np.concatenate([numbers for numbers, _ in groups])
        for lane, runner in zip(owners, _runners(owners, found, numbers), strict=True):
            lane.runners.append(runner)

    def _go_on(self, chosen: Sequence[tuple[Lane, int]], iterations: int, words: str) -> Step:
        lanes = [lane for lane, _ in chosen]
        fits = [lane.runners[place].fit for lane, place in chosen]
        numbers = np.array([lane.runners[place].row["n_components"] for lane, place in chosen])
        search, structures = self._guide(lanes, [1] * len(lanes))
        left = [min(iterations, int(lanes[0].schedule.max_iter) - fit.iteration) for fit in fits]
        more = bucket(len(fits)) - len(fits) if structures is None else 0  # fits that stop at once
        schedule = lanes[0].schedule._replace(max_iter=np.array(left + [0] * more), words=words)
        lot = FitLot(lanes[0].searcher, _bare(search), schedule, structures, *_judged(lanes))
        found = yield lot._replace(fits=fits + fits[:1] * more, places=list(range(len(fits))))
        for (lane, place), runner in zip(chosen, _runners(lanes, found, numbers), strict=True):
            lane.runners[place] = runner


def _judged(lanes: Sequence[Lane]) -> tuple[Search, bool]:
    """The search by whose rows fits of some lanes are judged, and whether they are of several structures."""
    return _bare(lanes[0].search), any(lane is not lanes[0] for lane in lanes)


def _bare(search: Search) -> Search:
    """A search without the rows as they were read: its source has what fits see of them."""
    return search._replace(rows=search.rows.take(slice(0, 0)))


def _end(step: Step, found: FitsFound) -> None:
    """Give a step what was found for it."""
    with contextlib.suppress(StopIteration):
        step.send(found)


def _worked(lot: FitLot) -> FitsFound:
    """Fit a lot, and see how likely its fits make the rows."""
    given = lot.search.given
    if lot.drawn is None:
        fits = lot.searcher.go_on(lot.search, lot.fits, lot.schedule, lot.structures)
    else:
        whole = lot.searcher.explore(lot.search, lot.drawn, lot.schedule, lot.apart, lot.structures)
        fits, given = whole.fits, whole.given
    fits = [fits[place] for place in lot.places]
    models = [fit.model for fit in fits]
    if lot.several:
        models = [side_by_side(model, np.asarray(0)) for model in models]
    totals, assigned = log_likelihoods(stacked(models), lot.judge.data, lot.judge.view)
    return FitsFound(fits, given, totals, assigned)


def _runners(lanes: Sequence[Lane], found: FitsFound, numbers: np.ndarray) -> list[Runner]:
    """Fits of some lanes with their lines of the table."""
    each = zip(lanes, found.fits, numbers, found.totals, found.assigned, strict=True)
    return [
        Runner(fit, _row(lane.search, fit, int(number), lane.structure, float(total), float(hard - total)))
        for lane, fit, number, total, hard in each
    ]


def bucket(number: int) -> int:
    """So many fits that few numbers of them are ever compiled: 4, or a multiple of 16."""
    return 4 if number <= 4 else -(-number // 16) * 16


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
