"""The race of `select`: what it leaves on the way, and that it finds what the full search finds."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_iris

from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.evaluation import lanes, race
from tacit.evaluation.select import select
from tacit.inference.watch import Progress, watch
from tacit.models.mixture import fitting

STRUCTURES = ["EII", "VVI", "EEE", "VEV", "VVV"]
SAME = 0.1
"""Of the criterion: fits stop where a row gains less than 1e-5 nats, and another path stops elsewhere."""


@pytest.fixture(scope="module")
def three() -> np.ndarray:
    """Three groups that no structure mistakes."""
    random = np.random.default_rng(0)
    centres = np.repeat([[0.0, 0.0], [6.0, 1.0], [2.0, 7.0]], 50, axis=0)
    return centres + random.normal(size=(150, 2)) * np.repeat([[1.0, 0.3], [0.5, 0.5], [0.3, 1.0]], 50, axis=0)


def test_the_race_finds_what_the_full_search_finds(shared_data: Path) -> None:
    tables = {
        "iris": load_iris().data,
        "faithful": np.loadtxt(shared_data / "tables" / "faithful.csv", delimiter=",", skiprows=1),
    }
    for name, rows in tables.items():
        raced, full = (
            select(rows, range(1, 5), STRUCTURES, n_init=4, random_state=0, effort=effort)
            for effort in ("usual", "thorough")
        )
        assert raced.best.bic(rows) - full.best.bic(rows) < SAME, name
        assert raced.best.covariance_type == full.best.covariance_type
        assert raced.best.n_components == full.best.n_components


def test_who_is_left_on_the_way_has_no_criterion(three: np.ndarray) -> None:
    found = select(three, range(1, 7), STRUCTURES, n_init=4, random_state=0)
    lines = found.table.to_pylist()
    left = [line for line in lines if line["outpaced"]]
    assert left, "nobody was left"
    for line in left:
        assert all(line[name] is None for name in race.COLUMNS)
        assert np.isfinite(line["log_likelihood_so_far"])
        assert not line["converged"]
    whole = [line for line in lines if line["covariance"] == found.best.covariance_type]
    assert not any(line["outpaced"] for line in whole)
    assert all(line["log_likelihood_so_far"] is None for line in lines if not line["outpaced"])
    thorough = select(three, range(1, 7), STRUCTURES, n_init=4, random_state=0, effort="thorough").table.to_pylist()
    assert not any(line["outpaced"] for line in thorough)
    best = max(line["bic"] for line in thorough)
    for line, full in zip(lines, thorough, strict=True):
        if line["outpaced"]:  # rightly: it could not have won
            assert full["bic"] < best


def test_quick_looks_at_less(three: np.ndarray) -> None:
    quick = select(three, range(1, 4), STRUCTURES, n_init=4, random_state=0, effort="quick")
    assert quick.best.n_components == 3
    with pytest.raises(ValueError, match="effort must be one of"):
        select(three, range(1, 4), effort="hard")
    with pytest.raises(ValueError, match="n_init must be a whole number of at least 1"):
        select(three, range(1, 4), n_init=0)


def test_starts_are_drawn_once_for_all_structures(three: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    own = race.draw
    monkeypatch.setattr(race, "draw", lambda *args: calls.append(1) or own(*args))
    select(three, range(1, 4), STRUCTURES, n_init=4, random_state=0)
    assert len(calls) == 1


@pytest.mark.parametrize("noise", [False, True])
def test_structures_side_by_side_are_those_one_by_one(
    three: np.ndarray, noise: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One E-step serves all of them; what a line says does not depend on who was fitted beside it."""
    fits, own = [], fitting.fit
    monkeypatch.setattr(fitting, "fit", lambda *args, **kwargs: fits.append(1) or own(*args, **kwargs))
    base = GaussianMixture(noise=noise, tol=1e-6)

    def found() -> list[dict[str, object]]:
        fits.clear()
        return select(three, range(1, 4), estimator=base, n_init=3, random_state=0).table.to_pylist()

    together, times = found(), len(fits)
    monkeypatch.setattr(lanes, "TOGETHER", 0)
    alone = found()
    assert times < len(fits) / 3
    for one, other in zip(together, alone, strict=True):
        assert {k: v for k, v in one.items() if not isinstance(v, float)} == {
            k: v for k, v in other.items() if not isinstance(v, float)
        }
        numbers = [[value for value in line.values() if isinstance(value, float)] for line in (one, other)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-6)


def test_of_structures_side_by_side_the_chosen_one_is_as_if_alone(three: np.ndarray) -> None:
    best = select(three, [3], ["EEI", "EVI", "VVI", "VVV"], n_init=3, random_state=0).best
    assert best.covariance_type in ("EVI", "VVI", "VVV")
    (group,) = best.model_.groups
    assert group.structures is None
    assert group.structure == best.covariance_type
    assert {snapshot.groups[0].structure for snapshot in best.snapshots_.values()} == {best.covariance_type}


def test_watchers_hear_who_is_still_in_the_race(three: np.ndarray) -> None:
    heard: list[str] = []

    class Ear:
        def look(self, progress: Progress) -> None:
            heard.append(progress.words)

        def done(self, progress: Progress) -> None:
            heard.append(progress.words)

        def resume(self, label: str, state: object) -> None:
            return None

    with watch(Ear()):
        select(three, range(1, 7), STRUCTURES, n_init=4, random_state=0)
    assert heard[0] == f"0 of {len(STRUCTURES)} structures looked at"
    left = [int(words.split()[0]) for words in heard if f" of {6 * len(STRUCTURES)} candidates still run" in words]
    assert 0 < min(left) < 6 * len(STRUCTURES)


def test_ctrl_c_keeps_what_there_is(three: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes while the second structure is looked at: the first has a fit, with its criterion."""
    own, calls = fitting.fit, []

    def broken(*args: object, **kwargs: object) -> object:
        calls.append(1)
        found = own(*args, **kwargs)
        return [fit._replace(status=lanes.INTERRUPTED) for fit in found] if len(calls) == 2 else found

    monkeypatch.setattr(lanes, "TOGETHER", 0)  # each structure by itself
    monkeypatch.setattr(fitting, "fit", broken)
    found = select(three, range(1, 4), STRUCTURES, n_init=4, random_state=0)
    lines = found.table.to_pylist()
    assert {line["covariance"] for line in lines} == set(STRUCTURES[:2])
    assert not any(line["outpaced"] for line in lines)
    assert isinstance(found.best, GaussianMixture)


def test_ctrl_c_before_a_fit_has_anything_keeps_the_ones_before(
    three: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, calls = fitting.fit, []

    def broken(*args: object, **kwargs: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return own(*args, **kwargs)

    monkeypatch.setattr(lanes, "TOGETHER", 0)  # each structure by itself
    monkeypatch.setattr(fitting, "fit", broken)
    lines = select(three, range(1, 4), STRUCTURES, n_init=4, random_state=0).table.to_pylist()
    assert {line["covariance"] for line in lines} == {STRUCTURES[0]}
    assert all(np.isfinite(line["bic"]) for line in lines)

    def at_once(*_: object, **__: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "fit", at_once)
    with pytest.raises(KeyboardInterrupt):  # nothing is there yet
        select(three, range(1, 4), STRUCTURES, n_init=4, random_state=0)


def test_leaders_come_to_their_end_however_far_it_is(three: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(race, "ROUNDS", (2,))
    few = GaussianMixture(tol=1e-9, max_iter=300)
    lines = select(three, [2, 3], ["EEE", "VVV"], estimator=few, n_init=2, random_state=0).table.to_pylist()
    assert not any(line["outpaced"] for line in lines)  # four, fewer than are never left


def test_what_may_yet_be_hoped_for() -> None:
    """Of a geometric series the rest is known: last · c/(1 − c)."""
    rises = 10.0 * 0.5 ** (np.arange(12) / 4.0)
    bounds = np.concatenate([[0.0], np.cumsum(rises)])

    def hope(bounds: np.ndarray) -> float:
        trace = fitting.Trace(np.arange(13), bounds, np.zeros(13))
        return lanes.Runner(lanes.Fit(None, None, bounds[-1], 12, lanes.STOPPED, trace, {}, bounds[-1:]), {}).hope()

    assert hope(bounds) == pytest.approx(lanes.LEAST_HOPE + lanes.HOPE * rises[-4:].sum())
    assert hope(np.full(13, 3.0)) == lanes.LEAST_HOPE
    assert hope(np.exp(np.arange(13.0))) == np.inf
