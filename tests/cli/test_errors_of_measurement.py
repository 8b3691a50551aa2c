"""``--error COL=ERR``: the errors of a column stand in another one, at the fit and for new rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import Result

from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.storage import RunFolder

Command = Callable[..., Result]
Rows = Callable[[str], list[dict[str, Any]]]
NAMES = "height,height_err,weight"


def said(done: Result) -> str:
    return " ".join(done.output.split())


@pytest.fixture(scope="module")
def stars(tacit: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two groups whose heights are known with errors from 0.5 to 3 around a spread of 1."""
    folder = tmp_path_factory.mktemp("stars")
    draw = np.random.default_rng(0)
    group = draw.random(400) < 0.4
    true = np.where(group, 12.0, 0.0) + draw.normal(size=400)
    error = draw.uniform(0.5, 3.0, 400)
    weight = np.where(group, 5.0, -5.0) + draw.normal(size=400)
    table = np.column_stack([true + error * draw.normal(size=400), error, weight])
    lines = [",".join(f"{value:.5f}" for value in row) for row in table]
    lines[7] = f",,{table[7, 2]:.5f}"
    (folder / "t.csv").write_text("\n".join([NAMES, *lines]) + "\n")
    done = tacit(
        "fit", folder / "t.csv", "--error", "height=height_err", "--set", "components=1-3", "--set", "covariance=VVI",
        "--out", folder / "run",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "errors of measurement" in said(done)
    return folder


def test_the_groups_are_those_of_the_true_values(stars: Path) -> None:
    run = RunFolder(stars / "run")
    model = run.model()
    assert isinstance(model, GaussianMixture)
    assert run.schema().names == ("height", "weight")  # the errors are no column of the model
    assert model.n_components == 2
    spread = np.sqrt(np.asarray(model.covariances_).reshape(2, -1)[:, 0])
    assert np.all(spread < 1.4)  # and not 2.2, with the errors in it
    assert run.config().data["errors"] == ["height=height_err"]


def test_what_is_asked_of_new_rows_takes_their_errors(tacit: Command, rows_of: Rows, stars: Path) -> None:
    new = stars / "new.csv"
    new.write_text(f"{NAMES}\n6,0,\n6,30,\n0,1,-5\n")
    found = rows_of(tacit("score", stars / "run", new).stdout)
    model = RunFolder(stars / "run").model()
    rows = pd.DataFrame({"height": [6.0, 6.0, 0.0], "weight": [np.nan, np.nan, -5.0]})
    expected = model.score_samples(rows, X_cov=np.array([[0, 0], [900.0, 0], [1, 0]]))
    np.testing.assert_allclose([row["log_density"] for row in found], expected, rtol=1e-6)
    filled = rows_of(tacit("impute", stars / "run", new).stdout)
    assert [row["height"] for row in filled] == [6, 6, 0]
    assert tacit("assign", stars / "run", new).exit_code == 0
    told = rows_of(tacit("explain", stars / "run", new, "--row", 2).stdout)
    assert sum(row["log_density"] for row in told) == pytest.approx(expected[1], rel=1e-6)
    assert told[0]["to"] - told[0]["from"] > 80  # a row of so large an error may lie anywhere
    assert tacit("report", stars / "run", "--out", stars / "again.html").exit_code == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("height,weight\n1,2\n", "no column 'height_err' (the errors of column 'height'"),
        (f"{NAMES}\n1,1,2\n1,-2,2\n", "column 'height_err', row 2: -2 is no error of column 'height'"),
        (f"{NAMES}\n1,1,2\n1,,2\n", "column 'height_err', row 2: empty, and column 'height' has a value there"),
        (f"{NAMES}\n1,unknowable,2\n1,1,2\n", "row 1: 'unknowable' is no error"),
    ],
)
def test_errors_that_are_none_are_refused_by_their_place(
    tacit: Command, stars: Path, text: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(text)
    for command in (("score",), ("assign",), ("impute",), ("explain", "--row", 1)):
        done = tacit(command[0], stars / "run", tmp_path / "a.csv", *command[1:])
        assert done.exit_code != 0
        assert words in said(done), done.output


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--error", "height"], "is not understood; write it as COLUMN=ERROR"),
        (["--error", "height=hight_err"], "no column 'hight_err'"),
        (["--error", "height=height_err", "--model", "k-means"], "--error goes with --model gaussian-mixture"),
        (["--error", "height=height_err", "--target", "weight"], "no --target"),
        (["--error", "height=height_err", "--criterion", "held-out"], "say bic or aic"),
        (["--error", "height=height_err", "--error", "height=weight"], "twice"),
        (["--error", "height=height_err", "--kind", "weight=categorical"], "columns of levels ('weight')"),
        (["--error", "height=height_err", "--kind", "height=drop"], "has errors and is no column of the model"),
    ],
)
def test_what_does_not_go_together_is_refused(
    tacit: Command, stars: Path, more: list[str], words: str, tmp_path: Path
) -> None:
    done = tacit("fit", stars / "t.csv", *more, "--out", tmp_path / "run")
    assert done.exit_code in (2, 3), done.output
    assert words in said(done)
