"""The run folder: every file comes back, a fit repeats from its config, and no other folder is touched."""

import json
import math
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from tacit import registry
from tacit.data.schema import Column, Schema
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.inference.loop import Trace
from tacit.storage import ModelFileError, RunConfig, RunFolder, runs
from tacit.storage import run as run_module

CONFIG = RunConfig.of(
    GaussianMixture(3, covariance_type="diag", tol=1e-7, random_state=4),
    data={"path": "länge.csv", "kinds": {"a b": "count"}, "sheet": None},
    seed=11,
    command=("tacit", "fit", 'my "data".csv'),
)
SCHEMA = Schema((Column("a", "continuous"), Column("farbe", "categorical", ("rot", "grün"), "text")))


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "runs" / "first", CONFIG)


def test_the_config_repeats_the_estimator(run: RunFolder) -> None:
    found = RunFolder(run.path).config()
    assert found == CONFIG
    again = found.estimator()
    assert type(again) is GaussianMixture
    assert again.get_params() == GaussianMixture(3, covariance_type="diag", tol=1e-7, random_state=4).get_params()
    text = (run.path / "config.toml").read_text("utf-8")
    assert tomllib.loads(text)["parameters"]["tol"] == 1e-7
    assert text.startswith("# A run of tacit")


def test_a_fit_repeats_bit_for_bit_from_its_config(rows: np.ndarray, run: RunFolder) -> None:
    start = GaussianMixture(2, random_state=3, max_iter=500, means_init=rows[:2], tol=1e-2)
    config = RunConfig.from_toml(RunConfig.of(start).to_toml())
    first, second = start.fit(rows), config.estimator().fit(rows)
    assert first.score_samples(rows).tobytes() == second.score_samples(rows).tobytes()


def test_nested_estimators_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    class Outer(BaseEstimator):
        def __init__(self, estimator=None, limits=None):
            self.estimator = estimator
            self.limits = limits

    monkeypatch.setitem(registry.ESTIMATORS, "outer", registry.Entry(Outer))
    config = RunConfig.of(Outer(GaussianMixture(5, weights_init=np.full(5, 0.2)), {"low": 1, "high": None}))
    found = RunConfig.from_toml(config.to_toml()).estimator()
    assert found.limits == {"low": 1, "high": None}
    assert found.estimator.get_params() == GaussianMixture(5, weights_init=[0.2] * 5).get_params()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"random_state": np.random.RandomState(0)}, "random_state=.*give an integer"),
        ({"means_init": [None, 1]}, "means_init=.*give numbers"),
        ({"weights_init": {1: 2}}, "weights_init=.*give numbers"),
    ],
)
def test_what_cannot_be_repeated_from_text_is_refused(settings: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RunConfig.of(GaussianMixture(**settings))
    with pytest.raises(ValueError, match="'unset' cannot be the name"):
        RunConfig.of(GaussianMixture(), data={"unset": None}).to_toml()


def test_the_model_and_its_schema_come_back(run: RunFolder, fitted: GaussianMixture, rows: np.ndarray) -> None:
    assert not run.finished
    run.write_model(fitted, schema=SCHEMA, extra={"rows": 100})
    assert run.finished
    assert run.model().score_samples(rows).tobytes() == fitted.score_samples(rows).tobytes()
    assert run.schema() == SCHEMA
    assert json.loads((run.path / "schema.json").read_text("utf-8"))["columns"][1]["levels"] == ["rot", "grün"]
    assert run.files() == ("config.toml", "model.safetensors", "schema.json")


def test_the_trace_comes_back_bit_for_bit(run: RunFolder, fitted: GaussianMixture) -> None:
    run.write_trace(fitted.trace_._asdict())
    found = run.trace()
    assert list(found) == ["iteration", "bound", "seconds"]
    assert found["iteration"].dtype == np.int64
    for name, column in found.items():
        np.testing.assert_array_equal(column, getattr(fitted.trace_, name))
    assert (run.path / "trace.csv").read_bytes().startswith(b"iteration,bound,seconds\n0,")


def test_odd_traces_come_back(run: RunFolder) -> None:
    run.write_trace(Trace(np.arange(2), np.array([-np.inf, np.nan]), np.array([0.1, 1e-300]))._asdict())
    np.testing.assert_array_equal(run.trace()["bound"], [-np.inf, np.nan])
    run.write_trace({"iteration": np.array([], dtype=int), "bound, nats": np.array([])})
    assert {name: column.shape for name, column in run.trace().items()} == {"iteration": (0,), "bound, nats": (0,)}
    with pytest.raises(ValueError, match="zip"):
        run.write_trace({"a": [1, 2], "b": [1]})


def test_metrics_come_back(run: RunFolder) -> None:
    metrics = {"held_out": np.float64(-1.25), "rows": np.int64(7), "deep": {"a": [1, math.inf]}, "none": None, "w": "ö"}
    run.write_metrics(metrics | {"nan": np.nan})
    found = run.metrics()
    assert math.isnan(found.pop("nan"))
    assert found == {"held_out": -1.25, "rows": 7, "deep": {"a": [1, math.inf]}, "none": None, "w": "ö"}
    assert "NaN" not in (run.path / "metrics.json").read_text("utf-8")


def test_calibration_and_report_come_back(run: RunFolder) -> None:
    scores = np.random.default_rng(0).normal(size=11)
    run.write_calibration({"scores": scores, "rows": np.arange(11)})
    np.testing.assert_array_equal(run.calibration()["scores"], scores, strict=True)
    run.write_report("<!doctype html><p>Größe\r\n")
    assert run.report() == "<!doctype html><p>Größe\r\n"


def test_what_is_not_there_is_said(run: RunFolder, tmp_path: Path) -> None:
    for read in (run.metrics, run.trace, run.report, run.calibration, run.schema):
        with pytest.raises(FileNotFoundError, match="has no"):
            read()
    with pytest.raises(FileNotFoundError, match="there is no model"):
        run.model()
    with pytest.raises(ModelFileError, match="is not there"):
        RunFolder(tmp_path / "absent")
    with pytest.raises(ModelFileError, match="is not a run folder"):
        RunFolder(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("config.toml", "a = ", "config"),
        ("config.toml", "[tool.ruff]\nline-length = 100\n", "config"),
        ("config.toml", 'format = 2\nmodel = "x"\n', "config"),
        ("config.toml", 'format = 1\nmodel = "x"\nseed = "one"\n', "config"),
        ("config.toml", 'format = 1\nmodel = "x"\nparameters = 1\n', "config"),
        ("config.toml", 'format = 1\nmodel = "x"\nunset = 1\n', "config"),
        ("metrics.json", "{", "metrics"),
        ("metrics.json", "[1]", "metrics"),
        ("metrics.json", "[" * 100_000, "metrics"),
        ("schema.json", '{"columns": [{"name": "a", "kind": "nonsense"}]}', "schema"),
        ("schema.json", "3", "schema"),
        ("trace.csv", "a,b\n1\n", "trace"),
        ("trace.csv", "a,b\n1,x\n", "trace"),
        ("trace.csv", "", "trace"),
        ("calibration.safetensors", "abc", "calibration"),
        ("report.html", b"\xff\xfe", "report"),
    ],
)
def test_damaged_files_are_named(name: str, text: str | bytes, read: str, run: RunFolder) -> None:
    (run.path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ModelFileError, match=name):
        getattr(run, read)()


def test_a_config_written_by_hand_is_enough() -> None:
    found = RunConfig.from_toml('format = 1\nmodel = "gaussian-mixture"\n[parameters]\nn_components = 4\n')
    assert found.estimator().n_components == 4
    assert (found.seed, found.command, dict(found.data)) == (None, (), {})


def test_a_run_is_not_overwritten_unless_one_says_so(run: RunFolder, fitted: GaussianMixture) -> None:
    run.write_model(fitted, schema=SCHEMA)
    run.checkpoint_folder.mkdir()
    (run.checkpoint_folder / "fit-1.checkpoint.safetensors").write_bytes(b"old")
    (run.path / "notes.txt").write_text("mine")
    other = RunConfig.of(GaussianMixture(9))
    with pytest.raises(ModelFileError, match="holds a run already"):
        RunFolder.create(run.path, other)
    assert run.config() == CONFIG
    again = RunFolder.create(run.path, other, overwrite=True)
    assert again.config() == other
    assert again.files() == ("config.toml",)
    assert not any(again.checkpoint_folder.iterdir())
    assert (run.path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_something_else_is_never_touched(overwrite: bool, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "thesis.tex").write_text("years")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "config.toml").write_text("[tool]\n")
    (tmp_path / "c").write_text("a file")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for name in "abc":
        with pytest.raises(ModelFileError):
            RunFolder.create(tmp_path / name, CONFIG, overwrite=overwrite)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_an_empty_folder_may_become_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    assert RunFolder.create(".", CONFIG).config() == CONFIG
    assert RunFolder(tmp_path / "a").files() == ("config.toml",)


def test_a_folder_that_could_not_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError("no")

    real = os.replace
    monkeypatch.setattr(run_module.os, "replace", lambda a, b: real(a, b) if Path(b).name == "config.toml" else fails())
    with pytest.raises(OSError, match="no"):
        RunFolder.create(tmp_path / "a", CONFIG)
    assert not any(tmp_path.iterdir())


def test_runs_are_listed(tmp_path: Path) -> None:
    for name in ("b", "a"):
        RunFolder.create(tmp_path / name, CONFIG)
    (tmp_path / "c").mkdir()
    (tmp_path / "d.txt").write_text("")
    assert [run.path.name for run in runs(tmp_path)] == ["a", "b"]
