"""Networks of rows in files: those of rows in memory, wherever and in however many parts their sums are worked out."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import tacit
from tacit import distributed, trees
from tacit.cli import app

ROWS = 40_000


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that few rows have many partitions."""
    monkeypatch.setattr("tacit.data.sources.STREAM_CHUNKS", 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Levels, numbers and counts, with gaps in copies of two of them, in five files."""
    place, draw = tmp_path_factory.mktemp("rows"), np.random.default_rng(0)
    g = draw.integers(0, 3, ROWS)
    h = (draw.random(ROWS) < np.array([0.2, 0.5, 0.8])[g]).astype(int)
    x = draw.normal(size=ROWS) + 2 * g
    y = 0.5 * x + draw.normal(0.0, 0.5, ROWS) - h
    gap, lost = np.where(draw.random(ROWS) < 0.2, np.nan, y), draw.random(ROWS) < 0.1
    known = np.array(["no", "yes"])[h]
    columns = {
        "g": np.array(list("abc"))[g],
        "h": known,
        "x": x,
        "y": y,
        "far": np.exp(x) + 1e4,
        "count": draw.poisson(np.exp(0.2 * h + 0.5)),
        "gap": pa.array(gap, from_pandas=True),
        "lost": pa.array([None if at else text for text, at in zip(known, lost, strict=True)]),
    }
    edges = [0, 15_001, 15_011, 15_012, 30_000, ROWS]
    for number, (first, last) in enumerate(itertools.pairwise(edges)):
        pq.write_table(pa.table({name: v[first:last] for name, v in columns.items()}), place / f"{number}.parquet")
    return place


@pytest.fixture(scope="module")
def processes() -> Iterator[Any]:
    engine = distributed.ProcessEngine(2, partitions=4)
    yield engine
    engine.close()


HIDDEN = {"hidden": {"Z": 2}, "max_iter": 5, "n_init": 2}
NETWORKS = {
    "levels": ({"edges": "learn"}, ["g", "h"]),
    "levels with gaps": ({"edges": "g->lost"}, ["g", "lost"]),
    "hidden": ({"edges": "Z->g,Z->h", **HIDDEN}, ["g", "h"]),
    "hidden above a number": ({"edges": "Z->x,Z->h", **HIDDEN}, ["x", "h"]),
    "numbers": ({"edges": "learn"}, ["x", "y", "far"]),
    "both": ({"edges": "learn"}, ["g", "h", "x", "y"]),
    "gaps in numbers": ({"edges": "x->gap,h->gap", "max_iter": 3}, ["x", "gap", "h"]),
    "no closed form": ({"edges": "h->count,x->h"}, ["h", "count", "x"]),
    "a tree": ({"edges": "tree"}, ["g", "h", "x", "y"]),
    "resampled": ({"edges": "learn", "n_bootstrap": 2}, ["h", "x", "y"]),
    "another family": ({"edges": "x->count", "families": {"count": "normal"}}, ["x", "count"]),
}


def numbers(model: tacit.BayesianNetwork) -> np.ndarray:
    """All that a fit found."""
    said = [(each.gain, each.share or 0.0, each.direction or 0.0) for each in model.strengths_]
    leaves = [np.asarray(leaf).ravel() for leaf in trees.leaves(model.model_)]
    return np.concatenate([*leaves, np.ravel(said), [model.lower_bound_]])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", NETWORKS)
def test_the_layout_changes_nothing(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, columns = NETWORKS[name]
    rows = tacit.dataset(folder, columns=columns)
    alone = tacit.BayesianNetwork(**settings).fit(rows.read_as(rows.schema))
    several = []
    for partitions in (1, 2, 7):
        with distributed.engine("in-place", partitions=partitions):
            several.append(tacit.BayesianNetwork(**settings).fit(rows))
            scores = several[-1].score_samples(rows)
    np.testing.assert_allclose(scores, alone.score_samples(rows), rtol=1e-10)
    for other in several:
        assert (other.edges_, other.never_seen_) == (alone.edges_, alone.never_seen_)
        np.testing.assert_allclose(numbers(other), numbers(alone), rtol=1e-10, atol=1e-10)
        np.testing.assert_array_equal(numbers(other), numbers(several[0]))
    # rows that differ are too many to be held, as of many columns: they are gone through again and again
    monkeypatch.setattr("tacit.models.network.learning.streamed.DISTINCT", 2)
    with distributed.engine("in-place", partitions=3):
        other = tacit.BayesianNetwork(**settings).fit(rows)
    assert other.edges_ == alone.edges_
    np.testing.assert_allclose(numbers(other), numbers(alone), rtol=1e-10, atol=1e-10)


def test_without_an_engine_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, columns = NETWORKS["both"]
    rows = tacit.dataset(folder, columns=columns)
    weights = np.random.default_rng(1).integers(0, 3, ROWS).astype(float)
    held = tacit.BayesianNetwork(**settings).fit(rows, sample_weight=weights)
    monkeypatch.setattr("tacit.data.sources.STREAM_BYTES", 0)
    read = tacit.BayesianNetwork(**settings).fit(rows, sample_weight=weights)
    assert read.edges_ == held.edges_
    np.testing.assert_allclose(numbers(read), numbers(held), rtol=1e-10, atol=1e-10)


def test_rows_of_no_weight_count_nothing_wherever_they_lie(folder: Path) -> None:
    rows = tacit.dataset(folder, columns=["x", "gap", "h"])
    there = ~np.isnan(np.asarray(rows.rows())).any(1)
    weights = there.astype(float)
    weights[np.flatnonzero(there)[:5]] = 0.0
    settings = {"edges": "x->gap,h->gap"}
    alone = tacit.BayesianNetwork(**settings).fit(rows.take(np.flatnonzero(weights)))
    with distributed.engine("in-place", partitions=3):
        spread = tacit.BayesianNetwork(**settings).fit(rows, sample_weight=weights)
    np.testing.assert_allclose(numbers(spread), numbers(alone), rtol=1e-10, atol=1e-10)


def test_processes_give_the_same(folder: Path, processes: Any) -> None:
    settings, columns = NETWORKS["gaps in numbers"]
    rows = tacit.dataset(folder, columns=columns)
    with distributed.engine("in-place", partitions=4):
        alone = tacit.BayesianNetwork(**settings).fit(rows)
    with distributed.engine(processes):
        spread = tacit.BayesianNetwork(**settings).fit(rows)
        np.testing.assert_array_equal(numbers(spread), numbers(alone))
        np.testing.assert_array_equal(spread.score_samples(rows), alone.score_samples(rows))
        np.testing.assert_array_equal(spread.predict(rows, "h"), alone.predict(rows, "h"))
        np.testing.assert_array_equal(spread.impute(rows), alone.impute(rows))


def test_arrows_from_rows_with_gaps_take_rows_in_memory(folder: Path) -> None:
    rows = tacit.dataset(folder, columns=["x", "gap"])
    with distributed.engine("in-place"), pytest.raises(ValueError, match=r"these stay in files; 'gap' has gaps\. Give"):
        tacit.BayesianNetwork().fit(rows)


def test_the_command_line(folder: Path, tmp_path: Path, processes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tacit.distributed.opening.ProcessEngine", lambda *_: Lent(processes))
    kinds = [word for name in ("gap", "lost", "far", "count") for word in ("--kind", f"{name}=drop")]
    asked = ["fit", f"{folder}/*.parquet", "--model", "bayesian-network", "--engine", "processes:2", *kinds]
    done = CliRunner().invoke(app, [*asked, "--out", str(tmp_path / "r")])
    assert done.exit_code == 0, done.output
    assert "read as they are needed" in " ".join(done.output.split())
    loaded = tacit.load(tmp_path / "r")
    assert {frozenset(edge) for edge in loaded.edges_} == {frozenset(each) for each in ("gh", "gx", "hy", "xy")}


class Lent:
    """An engine that is not closed by whoever uses it."""

    def __init__(self, engine: Any) -> None:
        self.map, self.partitions = engine.map, engine.partitions

    def close(self) -> None:
        """Nothing."""
