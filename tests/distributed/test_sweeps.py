"""Candidates are fitted by the workers of an engine, and what is chosen is what one process chooses."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tacit
from tacit import distributed
from tacit.evaluation.spreading import every


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    draw = np.random.default_rng(0)
    return draw.normal(0.0, 4.0, (3, 2))[draw.integers(0, 3, 500)] + draw.normal(size=(500, 2))


@pytest.fixture(scope="module")
def processes() -> Iterator[Any]:
    engine = distributed.ProcessEngine(2)
    yield engine
    engine.close()


class Counting:
    """An engine that knows how many tasks it was given."""

    def __init__(self, engine: Any) -> None:
        self._engine, self.partitions, self.tasks = engine, engine.partitions, list[int]()

    def map(self, function: Callable[..., Any], parts: Any, shared: tuple = ()) -> list[Any]:
        """The same."""
        self.tasks.append(len(parts))
        found: list[Any] = self._engine.map(function, parts, shared)
        return found


SWEEPS = {
    "a race": (lambda X: tacit.select(X, [1, 2, 3], ["EII", "VVV", "EEI"], n_init=2, random_state=0), 2),
    "unseen rows": (lambda X: tacit.select(X, [1, 2], ["EII"], "held-out", n_init=1, random_state=0), 10),
    "centres": (lambda X: tacit.select(X, [2, 3], estimator=tacit.KMeans(), random_state=0), 2),
    "factors": (lambda X: tacit.select(X, [1, 2], estimator=tacit.PCA(), random_state=0), 2),
    "posteriors": (
        lambda X: tacit.select(
            X, [1, 2], None, estimator=tacit.BayesianGaussianMixture(max_iter=3), n_init=1, random_state=0
        ),
        2,
    ),
    "comparison": (
        lambda X: tacit.compare(X, {"one": tacit.PCA(1), "two": tacit.GaussianMixture(2)}, 2, random_state=0),
        4,
    ),
}


def assert_alike(one: Any, other: Any, rel: float = 1e-12) -> None:
    """The same table, but for rounding."""
    for mine, theirs in zip(lines(one), lines(other), strict=True):
        for name, cell in theirs.items():
            number = isinstance(cell, float)
            assert mine[name] == (pytest.approx(cell, rel=rel, nan_ok=True) if number else cell), (name, mine, theirs)


def lines(found: Any) -> list[dict[str, Any]]:
    return [{name: cell for name, cell in line.items() if name != "seconds"} for line in found.table.to_pylist()]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", SWEEPS)
def test_candidates_are_spread_and_the_answer_stays(
    X: np.ndarray, processes: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, tasks = SWEEPS[name]
    monkeypatch.setattr("tacit.evaluation.lanes.TOGETHER", 0)  # every structure by itself, as of more rows
    alone, counting = ask(X), Counting(processes)
    with distributed.engine(counting):
        spread = ask(X)
    assert counting.tasks[0] >= tasks
    assert_alike(spread, alone)
    if name != "comparison":
        assert str(spread.best) == str(alone.best)


def test_few_rows_in_files_are_read_for_it(X: np.ndarray, processes: Any, tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": X[:, 0], "b": X[:, 1]}), tmp_path / "a.parquet")
    rows, counting = tacit.dataset(tmp_path).weighted(np.arange(500.0) % 3), Counting(processes)
    with distributed.engine(counting):
        spread = tacit.select(rows, [1, 2], estimator=tacit.PCA(), random_state=0)
    assert counting.tasks == [2]
    alone = tacit.select(X, [1, 2], estimator=tacit.PCA(), random_state=0, sample_weight=np.arange(500.0) % 3)
    assert_alike(spread, alone)


def test_many_rows_stay_in_files_and_their_sums_are_spread(
    X: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(pa.table({"a": X[:, 0], "b": X[:, 1]}), tmp_path / "a.parquet")
    rows = tacit.dataset(tmp_path)
    alone = tacit.select(X, [1, 2], ["VVV"], n_init=1, random_state=0)
    monkeypatch.setattr("tacit.evaluation.spreading.STREAM_BYTES", 0)
    counting = Counting(distributed.InPlace(3))
    with distributed.engine(counting):
        spread = tacit.select(rows, [1, 2], ["VVV"], n_init=1, random_state=0)
    assert counting.tasks
    assert_alike(spread, alone, 1e-10)


def warned(task: int) -> int:
    np.array([1.0]) / np.array([0.0]) if task == 1 else None
    return 2 * task


@pytest.mark.filterwarnings("default")
def test_warnings_of_a_task_are_told_here(processes: Any) -> None:
    with distributed.engine(processes), pytest.warns(RuntimeWarning, match="divide by zero"):
        assert [*every(warned, [1, 2, 3], ())] == [2, 4, 6]
    with distributed.engine(processes), pytest.raises(TypeError):
        [*every(warned, ["1", None], ())]
