"""Models in MLflow, against what they say in this process."""

import importlib
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tacit


@pytest.fixture(scope="module")
def pyfunc() -> Any:
    """The part of MLflow's that loads models; it takes its time."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    return pytest.importorskip("mlflow.pyfunc", reason="MLflow is not installed")


@pytest.fixture(scope="module")
def served(people_run: Path, pyfunc: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run, as MLflow loads it."""
    folder = tmp_path_factory.mktemp("mlflow") / "people"
    tacit.mlflow.save_model(people_run, folder)
    return pyfunc.load_model(str(folder))


ROWS = pd.DataFrame({"spend": [20.0, np.nan, 48.0], "visits": [2, 7, 8], "city": ["Rome", "Paris", "Paris"]})


def test_a_run_answers_as_it_does_in_python(served: Any, people_run: Path) -> None:
    model = tacit.load(people_run)
    told = served.predict(ROWS, params={"ask": "score"})
    np.testing.assert_allclose(told["log_density"], model.score_samples(ROWS), rtol=1e-12)
    groups = served.predict(ROWS)  # what it is for, if nobody says
    np.testing.assert_allclose(groups[["group_1", "group_2"]], model.predict_proba(ROWS), rtol=1e-9, atol=1e-12)
    filled = served.predict(ROWS, params={"ask": "impute"})
    assert filled["spend"].notna().all()
    assert list(filled["city"]) == list(ROWS["city"])


def test_options_reach_the_run(served: Any) -> None:
    drawn = served.predict(ROWS[:0], params={"ask": "sample", "number": 7, "given": ["city=Rome"], "seed": 1})
    assert list(drawn["city"]) == ["Rome"] * 7
    again = served.predict(ROWS[:0], params={"ask": "sample", "number": 7, "given": ["city=Rome"], "seed": 1})
    pd.testing.assert_frame_equal(drawn, again)
    told = served.predict(ROWS[:0], params={"ask": "query", "questions": ["P(city = 'Rome' | visits < 3)"]})
    assert told["value"][0] > 0.8
    assert "odd" not in served.predict(ROWS, params={"ask": "score"})
    assert "odd" in served.predict(ROWS, params={"ask": "score", "alarm": 0.2})


def test_what_cannot_be_is_told_in_words(served: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be asked 'scores'.*Did you mean 'score'"):
        served.predict(ROWS, params={"ask": "scores"})
    with pytest.raises(ValueError, match=r"city.*'Wien' is none of its levels Oslo, Paris, Rome"):
        served.predict(ROWS.assign(city="Wien"))
    assert len(served.predict(ROWS.assign(city="Wien"), params={"unseen": True})) == 3
    with pytest.raises(ValueError, match="score takes no 'number'"):
        served.predict(ROWS, params={"ask": "score", "number": 3})
    with pytest.raises(ValueError, match="lack"):
        served.predict(ROWS[["spend"]], params={"ask": "score"})
    with pytest.raises(FileNotFoundError, match=re.escape(str(tmp_path))):
        tacit.mlflow.save_model(tmp_path, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("model", "asked"),
    [
        (tacit.GaussianMixture(2, random_state=0), ["assign", "score", "impute"]),
        (tacit.KMeans(2, random_state=0), ["assign", "transform"]),
        (tacit.PCA(1), ["transform", "score"]),
    ],
)
def test_estimators_answer_what_they_can(model: Any, asked: list[str], pyfunc: Any, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    X = draw.normal(size=(60, 3)) + 6.0 * (np.arange(60) % 2)[:, None]
    model.fit(X)
    tacit.mlflow.save_model(model, tmp_path / "kept")
    found = pyfunc.load_model(str(tmp_path / "kept"))
    for what in asked:
        told = found.predict(pd.DataFrame(X[:5]), params={"ask": what}).to_numpy()
        expected = {
            "assign": lambda: model.predict(X[:5]),
            "score": lambda: model.score_samples(X[:5]),
            "impute": lambda: model.impute(X[:5]),
            "transform": lambda: model.transform(X[:5]),
        }[what]()
        np.testing.assert_allclose(told if expected.ndim > 1 else told[:, 0], expected)
    if "transform" in asked:
        loaded = tacit.mlflow.load_model(tmp_path / "kept")
        np.testing.assert_array_equal(loaded.transform(X), model.transform(X))


def test_levels_come_back_as_they_were(pyfunc: Any, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    warm = draw.random(80) < 0.5
    degrees = np.where(warm, 30.0, 5.0) + draw.normal(size=80)
    frame = pd.DataFrame({"colour": np.where(warm, "red", "blue"), "degrees": degrees})
    model = tacit.Mixture(2, random_state=0).fit(frame)
    tacit.mlflow.save_model(model, tmp_path / "kept")
    gaps = frame.head(6).assign(colour=None)
    filled = pyfunc.load_model(str(tmp_path / "kept")).predict(gaps, params={"ask": "impute"})
    assert list(filled["colour"]) == list(frame["colour"][:6])
    np.testing.assert_allclose(filled["degrees"], gaps["degrees"])


def test_a_classifier_gives_the_chances_of_its_classes(pyfunc: Any, tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(80, 2))
    y = np.where(X[:, 0] > 0, "yes", "no")
    model = tacit.BayesianLogisticRegression().fit(X, y)
    tacit.mlflow.save_model(model, tmp_path / "kept")
    told = pyfunc.load_model(str(tmp_path / "kept")).predict(X[:6])
    assert list(told["prediction"]) == list(model.predict(X[:6]))
    np.testing.assert_allclose(told[["p_no", "p_yes"]], model.predict_proba(X[:6]))


@pytest.mark.usefixtures("pyfunc")
def test_a_logged_model_comes_back(points_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = importlib.import_module("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri((tmp_path / "runs").as_uri())
    with mlflow.start_run():
        logged = tacit.mlflow.log_model(points_run, "points")
    rows = pd.DataFrame({"left": [0.0, 6.0], "right": [50.0, 30.0]})
    found = tacit.mlflow.load_model(logged.model_uri)
    np.testing.assert_array_equal(found.score_samples(rows), tacit.load(points_run).score_samples(rows))
