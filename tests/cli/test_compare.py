"""``tacit compare``: models side by side on rows that none of them has seen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pacsv
import pytest
from scipy import stats
from typer.testing import Result

from tacit.cli.progress import Watch

Command = Callable[..., Result]
Rows = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def whole(tables: Path) -> Path:
    """The points without gaps."""
    lines = [line for line in (tables / "points.csv").read_text().splitlines() if not line.startswith(",")]
    (tables / "whole.csv").write_text("\n".join(line for line in lines if not line.endswith(",")) + "\n")
    return tables / "whole.csv"


def test_one_normal_is_scored_as_by_hand(tacit: Command, rows_of: Rows, whole: Path) -> None:
    done = tacit(
        "compare", whole, "--models", "gaussian-mixture:components=1:covariance=VVI", "--folds", 4, "--seed", 5
    )
    assert done.exit_code == 0, done.output
    (row,) = rows_of(done.stdout)
    x = np.column_stack([column.to_numpy() for column in pacsv.read_csv(whole).columns])
    fold = _folds(len(x), 4, 5)
    scores = np.empty(len(x))
    for number in range(4):
        seen = x[fold != number]
        scores[fold == number] = stats.norm.logpdf(x[fold == number], seen.mean(0), seen.std(0)).sum(1)
    assert row["held_out"] == pytest.approx(scores.mean(), rel=1e-6)  # but for a floor of 1e-8 of the variance
    assert row["standard_error"] == pytest.approx(scores.std(ddof=1) / np.sqrt(len(x)), rel=1e-6)
    assert row["difference"] == 0


def _folds(rows: int, folds: int, seed: int) -> np.ndarray:
    """The folds of `tacit.evaluation.compare`: it draws a seed for its one model, then the order of the rows."""
    random = np.random.default_rng(seed)
    random.integers(2**31)
    return random.permutation(rows) % folds


def test_the_better_model_comes_first(tacit: Command, rows_of: Rows, tables: Path) -> None:
    done = tacit(
        "compare",
        tables / "points.csv",
        *("--models", "gaussian-mixture:components=1,gaussian-mixture:components=2", "--folds", 3),
        *("--set", "covariance=VVI"),
    )
    rows = rows_of(done.stdout)
    assert [row["model"] for row in rows] == ["gaussian-mixture:components=2", "gaussian-mixture:components=1"]
    assert rows[1]["difference"] == pytest.approx(rows[1]["held_out"] - rows[0]["held_out"])
    assert rows[1]["difference"] < -2 * rows[1]["difference_error"] < 0


def test_the_number_of_groups_is_chosen_inside_each_fold(
    tacit: Command, rows_of: Rows, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = []
    monkeypatch.setattr(Watch, "stage", lambda watch, words: staged.append(words))
    done = tacit(
        "compare",
        tables / "points.csv",
        *("--models", "gaussian-mixture", "--folds", 2, "--set", "components=1-3", "--set", "covariance=VVI"),
    )
    assert done.exit_code == 0, done.output
    assert staged == ["Trying 1 to 3 groups"] * 2


def test_columns_of_many_kinds_are_compared_by_those_that_take_them(
    tacit: Command, rows_of: Rows, tables: Path
) -> None:
    done = tacit("compare", tables / "mixed.csv", "--folds", 2, "--set", "components=2")
    assert done.exit_code == 0, done.output
    assert {row["model"] for row in rows_of(done.stdout)} == {"mixture", "bayesian-mixture", "item-factor-analysis"}


def test_every_model_that_suits_the_kinds_is_beside_independent_columns(
    tacit: Command, rows_of: Rows, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tacit.estimators.vae.fit.STEPS", 20)
    monkeypatch.setattr("tacit.workflow.choosing.GROUPS", (1, 2))
    done = tacit("compare", whole, "--folds", 2, "--seed", 0)
    assert done.exit_code == 0, done.output
    found = {row["model"]: row["held_out"] for row in rows_of(done.stdout)}
    bayesian = {"bayesian-gaussian-mixture", "bayesian-mixture"}
    factors = {"pca", "factor-analysis", "mixture-of-factor-analysers", "item-factor-analysis"}
    assert set(found) == {"gaussian-mixture", "mixture", "vae", "independent", "bayesian-network"} | bayesian | factors
    assert found["independent"] < found["mixture"]
    alone = tacit("compare", whole, "--models", "independent", "--folds", 2, "--seed", 0)
    assert [row["model"] for row in rows_of(alone.stdout)] == ["independent"]


def test_a_comparison_for_people(tacit: Command, tables: Path) -> None:
    done = tacit(
        "compare",
        tables / "points.csv",
        *("--models", "gaussian-mixture:components=1,gaussian-mixture:components=2", "--folds", 3),
        *("--set", "covariance=VVI", "--format", "table"),
    )
    said = " ".join(done.stdout.split())
    assert "Held-out nats per row, 3 folds of 120 rows; higher is better" in said
    assert "gaussian-mixture:components=2 is clearly ahead" in said
    assert "±" in said
    assert max(len(line) for line in done.stdout.splitlines() if "points.csv" not in line) <= 80


@pytest.mark.parametrize(
    ("models", "more", "code", "said"),
    [
        ("mixtur", (), 2, "Did you mean 'mixture'?"),
        ("k-means", (), 2, "gives rows no density"),
        ("mixture,mixture", (), 2, "names 'mixture' twice"),
        ("mixture,components=3", (), 2, "settings follow a name"),
        ("mixture:colour=3", (), 2, "no setting 'colour'"),
        ("mixture:components=1", ("--folds", "500"), 3, "more than the 120 rows"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    tacit: Command, tables: Path, models: str, more: tuple[str, ...], code: int, said: str
) -> None:
    done = tacit("compare", tables / "points.csv", "--models", models, *more)
    assert done.exit_code == code
    assert said in " ".join(done.stderr.split())


def test_control_c_ends_a_comparison_without_a_result(
    tacit: Command, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watch, "stage", lambda watch, words: setattr(watch, "stopped", True))
    done = tacit(
        "compare", tables / "points.csv", "--models", "gaussian-mixture:components=2:covariance=VVI", "--folds", 2
    )
    assert done.exit_code == 130
    assert not done.stdout
