"""``tacit fit`` of flows and stacks: their settings, their words, and what their runs answer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from typer.testing import Result

from tacit.workflow import comparing

Command = Callable[..., Result]
Rows = Callable[[str], list[dict[str, Any]]]
QUICK = ("--set", "hidden=8,8", "--set", "bins=3", "--set", "max_epochs=2", "--set", "validation_fraction=0")
MEMBERS = ("--model", "best", "--set", "members=gaussian-mixture,factor-analysis")


@pytest.fixture(scope="module")
def bent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three columns, the last positive, and a copy with gaps."""
    folder, random = tmp_path_factory.mktemp("bent"), np.random.default_rng(0)
    a = random.normal(size=120)
    columns = {"a": a, "b": a**2 + 0.3 * random.normal(size=120), "c": np.exp(random.normal(size=120))}
    pacsv.write_csv(pa.table(columns), folder / "whole.csv")
    columns["b"] = np.where(np.arange(120) % 9 == 0, np.nan, columns["b"])
    pacsv.write_csv(pa.table({name: pa.array(x, from_pandas=True) for name, x in columns.items()}), folder / "gaps.csv")
    pacsv.write_csv(pa.table({"a": a, "b": columns["c"], "again": a}), folder / "copied.csv")
    return folder


@pytest.fixture(scope="module")
def flow(tacit: Command, bent: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run of a flow whose order is kept, and what its fit said."""
    run = tmp_path_factory.mktemp("runs") / "flow"
    kept = ("--set", "order=kept", "--set", "steps=1", "--set", 'supports={"c": "positive"}')
    done = tacit("fit", bent / "whole.csv", "--model", "triangular-flow", *QUICK, *kept, "--seed", 0, "--out", run)
    assert done.exit_code == 0, done.output
    return run, done


def test_a_flow_is_told_in_its_own_words(flow: tuple[Path, Result]) -> None:
    said = " ".join(flow[1].output.split())
    assert "than a Gaussian mixture of" in said or "as well as a Gaussian mixture" in said
    assert "lie as evenly in the model" in said or "do not lie evenly" in said or "too few to say" in said
    assert "reconstruction" not in said
    assert "KL" not in said
    assert "had not settled" not in said  # the rate of its gradient falls to 0 by itself


@pytest.mark.filterwarnings("always::UserWarning")  # of weights that are not to be trusted, as users see it
def test_a_run_of_a_flow_answers(tacit: Command, rows_of: Rows, flow: tuple[Path, Result], bent: Path) -> None:
    run, _ = flow
    asked = tacit("query", run, "P(b > 0 | a = 1)")
    assert asked.exit_code == 0, asked.output
    assert "feature names" not in asked.stderr
    (answer,) = rows_of(asked.stdout)
    assert 0 <= answer["value"] <= 1
    assert len(rows_of(tacit("sample", run, "-n", 4).stdout)) == 4
    scored = tacit("score", run, bent / "gaps.csv")
    assert scored.exit_code == 0, scored.output
    assert scored.stderr.count("importance weights") <= 1  # what is asked beside the scores says nothing
    assert np.isfinite([row["log_density"] for row in rows_of(scored.stdout)]).all()
    white = rows_of(tacit("transform", run, bent / "whole.csv").stdout)
    assert len(white) == 120


def test_a_stack_tells_its_members(tacit: Command, rows_of: Rows, bent: Path, tmp_path: Path) -> None:
    done = tacit("fit", bent / "whole.csv", *MEMBERS, "--seed", 0, "--out", tmp_path / "run")
    said = " ".join(done.output.split())
    assert done.exit_code == 0, done.output
    assert "% gaussian-mixture" in said
    assert "% factor-analysis" in said
    assert "nats together" in said
    shown = tacit("show", tmp_path / "run")
    assert "nats together" in " ".join(shown.output.split())
    asked = tacit("query", tmp_path / "run", "mean(b | a = 1)")
    assert asked.exit_code == 0, asked.output
    assert "feature names" not in asked.stderr
    filled = rows_of(tacit("impute", tmp_path / "run", bent / "gaps.csv").stdout)
    assert np.isfinite([row["b"] for row in filled]).all()


@pytest.mark.parametrize(
    ("table", "model", "more", "said"),
    [
        ("whole.csv", "best", "members=gaussian-mixture", "members must be two models or more"),
        ("whole.csv", "best", "members=gaussian-mixture,vea", "a member must be one of"),
        ("whole.csv", "triangular-flow", "supports=positive,auto", "supports names 2 columns, and X has 3"),
        ("whole.csv", "triangular-flow", 'supports={"z":"real"}', "supports names z, and there is no such column"),
        ("whole.csv", "triangular-flow", "supports=positive", "column 'a' is to be positive"),
        ("whole.csv", "triangular-flow", "order=sideways", "order"),
        ("copied.csv", "triangular-flow", "steps=1", "depend on each other exactly"),
    ],
)
def test_what_cannot_be_is_refused_by_name(
    tacit: Command, bent: Path, tmp_path: Path, table: str, model: str, more: str, said: str
) -> None:
    done = tacit("fit", bent / table, "--model", model, "--set", more, "--out", tmp_path / "run")
    assert done.exit_code != 0
    assert said in " ".join(done.stderr.split()).replace("'z'", "z")
    assert "something unexpected" not in done.stderr


def test_a_comparison_says_what_it_leaves_out(tacit: Command, bent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        comparing,
        "_suitable",
        lambda rows, common, seed: {"pca": comparing._plan(rows, "pca", {"n_components": 1}, seed)},
    )
    done = tacit("compare", bent / "whole.csv", "--folds", 2, "--format", "table")
    said = " ".join(done.output.split())
    assert done.exit_code == 0, done.output
    assert "triangular-flow, stacked-density" in said
    assert "--models pca,triangular-flow,stacked-density" in said
    assert "whole.csv --model best fits it without a comparison" in said.replace(" .csv", ".csv")
