"""Bayesian mixtures from end to end: how many groups remain in use is said, written and assigned by."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pacsv
from typer.testing import Result

from tacit.storage import RunFolder
from tacit.workflow import fitting, reporting

Command = Callable[..., Result]


def test_how_many_groups_remain_is_said(
    tacit: Command, tables: Path, tmp_path: Path, rows_of: Callable[[str], list[dict[str, Any]]], monkeypatch: Any
) -> None:
    monkeypatch.setattr(fitting, "write_report", reporting.write_report)
    done = tacit(
        *("fit", tables / "points.csv", "--model", "bayesian-gaussian-mixture", "--out", tmp_path / "run"),
        *("--set", "components=4", "--set", "n_init=1", "--set", "covariance=diag"),
    )
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "Of the 4 groups that were allowed, 2 are in use" in said
    assert "Bayesian Gaussian mixture." in said
    assert "How far to trust it" in said
    run = RunFolder(tmp_path / "run")
    assert run.metrics()["emptied"] == 2
    assert len(run.metrics()["groups"]) == 2
    page = run.report()
    assert "Of the 4 groups that were allowed, 2 are in use" in page
    assert run.metrics()["verdict"][0].split(":")[0].replace("k̂", "k") in page.replace("k̂", "k")
    assigned = rows_of(tacit("assign", tmp_path / "run", tables / "new.csv").stdout)
    assert {row["group"] for row in assigned} <= {1, 2}
    assert "group_3" not in assigned[0]
    scored = rows_of(tacit("score", tmp_path / "run", tables / "new.csv").stdout)
    np.testing.assert_allclose(
        [row["log_density"] for row in scored],
        run.model().score_samples(pacsv.read_csv(tables / "new.csv")),
        rtol=1e-12,
    )
    assert "Of the 4 groups" in " ".join(tacit("show", tmp_path / "run").output.split())


def test_overdispersed_counts_are_poisson(tacit: Command, tables: Path, tmp_path: Path) -> None:
    done = tacit(
        *("fit", tables / "mixed.csv", "--model", "bayesian-mixture", "--out", tmp_path / "run"),
        *("--set", "components=2", "--set", "n_init=1", "--set", "max_iter=20", "--holdout", "0"),
    )
    assert done.exit_code == 0, done.output
    assert "poisson" in RunFolder(tmp_path / "run").model().families_
