"""A mixture with noise by the command line: fitted, told in plain words, and asked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from typer.testing import Result

from tacit.storage import RunFolder

Command = Callable[..., Result]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two groups, and one row of five that is noise."""
    random = np.random.default_rng(0)
    groups = np.concatenate([random.normal(0.0, 0.5, (100, 2)), random.normal(5.0, 0.5, (60, 2))])
    rows = np.concatenate([groups, random.uniform(-10.0, 15.0, (40, 2))])
    path = tmp_path_factory.mktemp("noise") / "points.csv"
    np.savetxt(path, rows, delimiter=",", header="left,right", comments="")
    return path


def test_noise_is_fitted_told_and_asked_for(
    tacit: Command, rows_of: Callable[[str], list[dict[str, Any]]], table: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    asked = ("--set", "noise=true", "--set", "components=1-3", "--set", "covariance_type=spherical")
    done = tacit("fit", table, "--model", "gaussian-mixture", *asked, "--holdout", "0", "--out", run)
    assert done.exit_code == 0, done.output
    told = RunFolder(run).metrics()
    assert told["noise"] == pytest.approx(0.2, abs=0.04)
    assert [group["share"] for group in told["groups"]] == pytest.approx([0.5, 0.3], abs=0.04)
    assert told["fit"]["parameters"] == 2 * 3 + 1 + 2  # weight and volume of noise beside those of a mixture
    said = " ".join(done.output.split())
    assert f"Noise: {100 * told['noise']:.0f} % of rows are in no group, and spread evenly over the box" in said
    assert "belong to one group or to noise" in said
    rows = rows_of(tacit("assign", run, table).stdout)
    assert {row["group"] for row in rows} == {-1, 1, 2}
    assert np.mean([row["group"] for row in rows[160:]]) < -0.6
    for row in rows:
        assert row["group_1"] + row["group_2"] + row["noise"] == pytest.approx(1.0)
        best = row["noise"] if row["group"] == -1 else row[f"group_{row['group']}"]
        assert row["probability"] == pytest.approx(best)
    scored = rows_of(tacit("score", run, table).stdout)
    x, model = np.loadtxt(table, delimiter=",", skiprows=1), RunFolder(run).model()
    sds = np.sqrt(np.diagonal(model.covariances_, axis1=1, axis2=2))
    density = (model.weights_ * stats.norm.pdf(x[:, None], model.means_, sds).prod(axis=2)).sum(axis=1)
    density += model.noise_weight_ / np.ptp(x, axis=0).prod()
    np.testing.assert_allclose([row["log_density"] for row in scored], np.log(density), rtol=1e-9)
    assert tacit("sample", run, "--number", "5").exit_code == 0
    page = tacit("report", run)
    assert page.exit_code == 0, page.output
