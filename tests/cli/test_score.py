"""``tacit score``: densities, p-values, what is odd and why."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
from scipy import stats
from typer.testing import Result

from tacit.storage import RunFolder

Command = Callable[..., Result]
Rows = Callable[[str], list[dict[str, Any]]]


def density(run: Path, x: np.ndarray) -> np.ndarray:
    """The log-density of two columns under a fitted mixture with diagonal covariances; NaN is integrated out."""
    model, total = RunFolder(run).model(), 0.0
    for weight, mean, spread in zip(model.weights_, model.means_, model.covariances_, strict=True):
        each = stats.norm.logpdf(x, mean, np.sqrt(np.diag(spread)))
        total = total + weight * np.exp(np.where(np.isnan(x), 0.0, each).sum(axis=1))
    return np.log(total)


NEW = np.array([[0.5, 49.0], [6.2, 31.0], [1.0, 61.0], [0.0, np.nan]])


def test_scores_and_p_values_are_what_they_say(tacit: Command, rows_of: Rows, tables: Path, points_run: Path) -> None:
    done = tacit("score", points_run, tables / "new.csv")
    assert done.exit_code == 0, done.output
    rows = rows_of(done.stdout)
    scores = density(points_run, NEW)
    np.testing.assert_allclose([row["log_density"] for row in rows], scores, rtol=1e-10)
    kept = RunFolder(points_run).calibration()["scores"]
    expected = [(1 + np.sum(kept <= score)) / (len(kept) + 1) for score in scores]
    np.testing.assert_allclose([row["p_value"] for row in rows], expected, rtol=1e-12)
    assert [row["row"] for row in rows] == [1, 2, 3, 4]
    assert "odd" not in rows[0]


def test_the_columns_that_make_a_row_odd_are_named(
    tacit: Command, rows_of: Rows, tables: Path, points_run: Path
) -> None:
    rows = rows_of(tacit("score", points_run, tables / "new.csv", "--explain", 1).stdout)
    assert [row["why"] for row in rows][:2] == ["", ""]
    why = rows[2]["why"]
    assert why.startswith("right 61 (−")
    kept = RunFolder(points_run).calibration()["rows"] - 1
    table = np.column_stack([c.to_numpy() for c in pacsv.read_csv(tables / "points.csv").columns])[kept]
    without = np.where([False, True], np.nan, 1.0)
    given_rest = density(points_run, table) - density(points_run, table * without)
    ordinary = np.median(given_rest[~np.isnan(table[:, 1])])
    nats = (density(points_run, NEW) - density(points_run, NEW * without))[2] - ordinary
    assert float(why.split("(")[1].split(" ")[0].replace("−", "-")) == pytest.approx(nats, rel=0.02)


def test_an_alarm_flags_what_is_odd_and_explains_each(
    tacit: Command, rows_of: Rows, tables: Path, points_run: Path
) -> None:
    done = tacit("score", points_run, tables / "new.csv", "--alarm", "0.04")
    assert done.exit_code == 0, done.output
    rows = rows_of(done.stdout)
    assert [row["odd"] for row in rows] == [row["p_value"] <= 0.04 for row in rows] == [False, False, True, False]
    assert [bool(row["why"]) for row in rows] == [row["odd"] for row in rows]
    assert "1 odd row of 4; of ordinary rows at most 4 % would be flagged" in done.stderr


@pytest.mark.parametrize(("alarm", "needed"), [("0.01", 99), ("0.02", 49), ("0.03", 33)])
def test_an_alarm_that_the_split_cannot_give_is_refused_with_the_rows_it_needs(
    tacit: Command, tables: Path, points_run: Path, alarm: str, needed: int
) -> None:
    done = tacit("score", points_run, tables / "new.csv", "--alarm", alarm)
    assert done.exit_code == 4
    said = " ".join(done.stderr.split())
    assert f"--alarm {alarm} needs at least {needed} rows kept aside" in said
    assert "kept 30, which allows --alarm 0.0323 at least" in said
    assert not done.stdout


def test_the_least_alarm_that_is_offered_is_granted(tacit: Command, tables: Path, points_run: Path) -> None:
    assert tacit("score", points_run, tables / "new.csv", "--alarm", "0.0323").exit_code == 0
    assert tacit("score", points_run, tables / "new.csv", "--alarm", "0.0322").exit_code == 4


@pytest.mark.parametrize("alarm", ["0", "1.5", "-1"])
def test_an_alarm_is_a_share(tacit: Command, tables: Path, points_run: Path, alarm: str) -> None:
    done = tacit("score", points_run, tables / "new.csv", "--alarm", alarm)
    assert done.exit_code == 3
    assert "above 0 and at most 1" in " ".join(done.stderr.split())


def test_rows_of_many_kinds_are_named_and_explained(
    tacit: Command, rows_of: Rows, mixed_run: Path, tmp_path: Path
) -> None:
    text = "customer_id,spend,visits,city,member\nx1,20.5,2,Rome,no\nx2,20.5,2,Rome,yes\nx3,19,40,,no\n"
    (tmp_path / "new.csv").write_text(text)
    done = tacit("score", mixed_run, tmp_path / "new.csv")
    assert done.exit_code == 0, done.output
    rows = rows_of(done.stdout)
    assert [row["id"] for row in rows] == ["x1", "x2", "x3"]
    assert "visits 40 (" in rows[2]["why"]
    assert "member yes (" in rows[1]["why"]
    assert rows[0]["log_density"] > rows[1]["log_density"] > rows[2]["log_density"]
    assert "'customer_id'" in done.stderr


def test_the_counts_of_a_log_are_scored_and_explained(
    tacit: Command, rows_of: Rows, log_run: Path, tmp_path: Path
) -> None:
    (tmp_path / "new.csv").write_text("buyer,thing,many\nn1,apples,6\nn1,bread,4\nn2,apples,5\nn2,paint,30\n")
    done = tacit("score", log_run, tmp_path / "new.csv")
    assert done.exit_code == 0, done.output
    rows = rows_of(done.stdout)
    model = RunFolder(log_run).model()
    counts = np.array([[6, 4, 0, 0], [5, 0, 0, 30]])
    each = stats.poisson.logpmf(counts[:, None], model.rates_).sum(axis=2)
    expected = np.log(np.exp(each) @ model.weights_)
    np.testing.assert_allclose([row["log_density"] for row in rows], expected, rtol=1e-10)
    assert [row["id"] for row in rows] == ["n1", "n2"]
    assert rows[1]["why"].startswith("paint 30 (") or rows[1]["why"].startswith("apples 5 (")


def test_a_run_without_rows_kept_aside_has_no_p_values(
    tacit: Command, rows_of: Rows, tables: Path, tmp_path: Path
) -> None:
    few = ("--set", "components=1", "--set", "covariance=EII", "--holdout", "0")
    assert tacit("fit", tables / "points.csv", *few, "--out", tmp_path / "run").exit_code == 0
    done = tacit("score", tmp_path / "run", tables / "new.csv")
    assert done.exit_code == 0
    assert "p_value" not in rows_of(done.stdout)[0]
    assert "No p-values" in done.stderr
    refused = tacit("score", tmp_path / "run", tables / "new.csv", "--alarm", "0.1")
    assert refused.exit_code == 4
    assert "at least 9 rows kept aside" in " ".join(refused.stderr.split())


def test_standard_input_is_scored(tacit: Command, rows_of: Rows, tables: Path, points_run: Path) -> None:
    done = tacit("score", points_run, "-", stdin=(tables / "new.csv").read_text())
    assert [row["row"] for row in rows_of(done.stdout)] == [1, 2, 3, 4]


def test_every_format_reads_back_to_the_same(
    tacit: Command, rows_of: Rows, tables: Path, points_run: Path, tmp_path: Path
) -> None:
    expected = rows_of(tacit("score", points_run, tables / "new.csv").stdout)
    for row in expected:
        row["why"] = row["why"] or None
    lines = tacit("score", points_run, tables / "new.csv", "--format", "json").stdout.splitlines()
    assert [json.loads(line) for line in lines] == expected
    readers = {
        "csv": lambda path: rows_of(path.read_text()),
        "csv.gz": lambda path: pacsv.read_csv(path).to_pylist(),
        "parquet": lambda path: pa.parquet.read_table(path).to_pylist(),
        "arrow": lambda path: pa.ipc.open_file(path).read_all().to_pylist(),
        "json": lambda path: [json.loads(line) for line in path.read_text().splitlines()],
    }
    for ending, reader in readers.items():
        done = tacit("score", points_run, tables / "new.csv", "--out", tmp_path / f"s.{ending}")
        assert done.exit_code == 0, done.output
        assert not done.stdout
        assert "4 rows written to" in done.stderr
        found = reader(tmp_path / f"s.{ending}")
        assert [{**row, "why": row["why"] or None} for row in found] == expected


def test_a_drawn_table_has_the_least_likely_rows_first(tacit: Command, tables: Path, points_run: Path) -> None:
    done = tacit("score", points_run, tables / "points.csv", "--format", "table")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["row", "log_density", "p_value", "why"]
    assert max(len(line) for line in lines) <= 80
    assert "and 100 more rows" in lines[-1]
    values = [float(line.split()[1].replace("−", "-")) for line in lines[2:] if line.split()[0].isdigit()]
    assert values == sorted(values)
