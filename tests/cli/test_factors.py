"""Factor models on the command line: from answers with gaps to scores with standard deviations, and a report."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from tacit import datasets
from tacit.storage.run import REPORT

Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def _bare_reports() -> None:
    """Reports are the real ones here, in place of the empty pages of other tests."""


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answers from 1 to 5 of 150 people to eight questions about two things, some of them not given."""
    random = np.random.default_rng(0)
    latent = random.normal(size=(150, 2)) @ np.kron(np.eye(2), np.ones((1, 4))) + 0.7 * random.normal(size=(150, 8))
    answers = np.clip(np.round(1.2 * latent + 3.0), 1, 5).astype(int).astype(object)
    answers[random.random(answers.shape) < 0.05] = ""
    path = tmp_path_factory.mktemp("survey") / "survey.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([[f"q{place + 1}" for place in range(8)], *answers.tolist()])
    return path


@pytest.mark.parametrize("model", ["factor-analysis", "pca", "item-factor-analysis"])
def test_answers_become_factors_and_scores(tacit: Command, survey: Path, tmp_path: Path, model: str) -> None:
    run, scores = tmp_path / "run", tmp_path / "scores.csv"
    done = tacit("fit", survey, "--model", model, "--set", "components=2", "--out", run)
    assert done.exit_code == 0, done.output
    assert "Factor 2" in done.output
    page = (run / REPORT).read_text(encoding="utf-8")
    assert "The factors" in page
    assert "How many factors" in page
    told = tacit("transform", run, survey, "--out", scores)
    assert told.exit_code == 0, told.output
    with scores.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 150
    assert all(np.isfinite(float(row["factor_2"])) and float(row["sd_2"]) >= 0.0 for row in rows)
    filled = tacit("impute", run, survey)
    assert filled.exit_code == 0, filled.output


@pytest.mark.parametrize("model", ["factor-analysis", "item-factor-analysis"])
def test_the_number_of_factors_is_chosen(tacit: Command, survey: Path, tmp_path: Path, model: str) -> None:
    done = tacit("fit", survey, "--model", model, "--out", tmp_path / "run")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "Parallel analysis keeps 2 factors: so many eigenvalues lie above those of noise" in said
    assert "excess over noise BIC" in said
    page = " ".join((tmp_path / "run" / REPORT).read_text(encoding="utf-8").split())
    assert "Parallel analysis keeps 2 factors" in page
    assert "Velicer" in page
    by_bic = tacit("fit", survey, "--model", "pca", "--out", tmp_path / "other")
    assert "the one with 2 factors has the highest BIC" in " ".join(by_bic.output.split()), by_bic.output


def test_of_levels_without_an_order_bic_chooses_the_number_of_factors(tacit: Command, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = [["a", "b", "c"], *([*random.choice(["x", "y", "z"], 2), random.normal()] for _ in range(60))]
    path = tmp_path / "levels.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    told = tacit("fit", path, "--model", "item-factor-analysis", "--set", "prior_scale=1", "--out", tmp_path / "run")
    assert told.exit_code == 0, told.output
    assert "Parallel analysis" not in told.output


def test_columns_of_many_kinds_have_a_factor(tacit: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = tacit(
        "fit", datasets.path("penguins"), "--model", "item-factor-analysis", "--set", "components=1", "--out", run
    )
    assert done.exit_code == 0, done.output
    assert "A group" not in done.output
    assert (run / REPORT).exists()
