"""``tacit fit --model latent-class`` and ``--model regression-mixture``: the run, its report, and what it answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from typer.testing import Result

from tacit.storage import RunFolder

Command = Callable[..., Result]
Rows = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answers of two classes that depend on a grade from 1 to 5, and a number."""
    draw = np.random.default_rng(0)
    grade = draw.integers(1, 6, 240)
    group = draw.random(240) < 1.0 / (1.0 + np.exp(-(grade - 3.0)))
    answers = {
        f"q{place}": np.where(draw.random(240) < np.where(group, high, low), "yes", "no")
        for place, (low, high) in enumerate([(0.1, 0.8), (0.2, 0.9), (0.15, 0.7), (0.3, 0.95)])
    }
    size = draw.normal(size=240)
    spent = np.where(group, 10.0 + 3.0 * size, 2.0 - size) + draw.normal(size=240)
    path = tmp_path_factory.mktemp("survey") / "survey.csv"
    pacsv.write_csv(pa.table(answers | {"grade": grade, "size": size, "spent": spent}), path)
    return path


def test_classes_with_a_covariate(tacit: Command, rows_of: Rows, survey: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    drop = [part for name in ("size", "spent") for part in ("--kind", f"{name}=drop")]
    wanted = ("--model", "latent-class", "--set", "components=2", "--set", "covariates=grade", "--out", run)
    done = tacit("fit", survey, *wanted, *drop)
    assert done.exit_code == 0, done.output
    model = RunFolder(run).model()
    assert model.covariate_names_ == ("intercept", "grade")
    assert abs(model.coefficients_[0, 1]) == pytest.approx(1.0, abs=0.5)
    rows = rows_of(tacit("assign", run, survey).stdout)
    assert len(rows) == 240
    again = tacit("report", run)
    assert again.exit_code == 0, again.output
    page = (run / "report.html").read_text()
    assert "How well the classes fit" in page
    assert "What the classes depend on" in page
    asked = tacit("query", run, "P(q0 = yes)")
    assert asked.exit_code == 4
    assert "no distribution of columns" in " ".join(asked.stderr.split())


def test_regressions_of_groups(tacit: Command, rows_of: Rows, survey: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    drop = [part for name in ("q0", "q1", "q2", "q3", "grade") for part in ("--kind", f"{name}=drop")]
    few = ("--set", "components=1-2", "--set", "n_init=3")
    done = tacit("fit", survey, "--target", "spent", "--model", "regression-mixture", *few, *drop, "--out", run)
    assert done.exit_code == 0, done.output
    assert sorted(RunFolder(run).model().coef_[:, 0]) == pytest.approx([-1.0, 3.0], abs=0.4)
    rows = rows_of(tacit("predict", run, survey).stdout)
    assert len(rows) == 240
