"""``tacit explain``; numbers that are written as the table has them; texts that no spreadsheet runs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pacsv
import pytest
from typer.testing import Result

Command = Callable[..., Result]
Rows = Callable[[str], list[dict[str, Any]]]


def test_a_row_by_its_number(tacit: Command, rows_of: Rows, tables: Path, points_run: Path) -> None:
    done = tacit("explain", points_run, tables / "new.csv", "--row", 3)
    assert done.exit_code == 0, done.output
    rows = rows_of(done.stdout)
    assert [row["column"] for row in rows] == ["left", "right"]
    scores = rows_of(tacit("score", points_run, tables / "new.csv").stdout)
    assert sum(row["log_density"] for row in rows) == pytest.approx(scores[2]["log_density"], rel=1e-9)
    assert rows[1]["deviations"] > 2
    assert "right 61" in done.stderr
    assert "The nearest typical row: " in done.stderr


def test_a_row_by_its_name(tacit: Command, rows_of: Rows, tables: Path, mixed_run: Path) -> None:
    named = tacit("explain", mixed_run, tables / "mixed.csv", "--row", "c007")
    numbered = tacit("explain", mixed_run, tables / "mixed.csv", "--row", "8")
    assert named.exit_code == 0, named.output
    assert named.stdout == numbered.stdout
    assert {row["column"] for row in rows_of(named.stdout)} == {"spend", "visits", "member"}  # its city is missing


@pytest.mark.parametrize("row", ["0", "99", "nobody"])
def test_no_such_row(tacit: Command, tables: Path, points_run: Path, row: str) -> None:
    refused = tacit("explain", points_run, tables / "new.csv", "--row", row)
    assert refused.exit_code == 2
    assert "no such row" in refused.stderr


def test_rows_with_gaps_stand_apart(tacit: Command, tables: Path, points_run: Path) -> None:
    done = tacit("score", points_run, tables / "new.csv", "--format", "table")
    lines = [line.split()[0] for line in done.stdout.splitlines()[2:] if line[:4].strip().isdigit()]
    assert lines[-1] == "4"  # the one with a gap
    assert "Rows with gaps stand apart" in " ".join(done.stderr.split())


def test_new_rows_lie_within_the_table_and_are_written_like_it(
    tacit: Command, rows_of: Rows, tables: Path, mixed_run: Path
) -> None:
    table = pacsv.read_csv(tables / "mixed.csv")
    spend = table.column("spend").to_numpy()
    for more in ((), ("--given", "city=Paris")):
        rows = rows_of(tacit("sample", mixed_run, "-n", 400, *more).stdout)
        drawn = np.array([row["spend"] for row in rows])
        np.testing.assert_array_equal(drawn, np.round(drawn, 2))
        assert spend.min() <= drawn.min()
        assert drawn.max() <= spend.max()
    exact = np.array([row["spend"] for row in rows_of(tacit("sample", mixed_run, "-n", 400, "--exact").stdout)])
    assert (exact != np.round(exact, 2)).any()


def test_filled_gaps_lie_within_the_table(tacit: Command, rows_of: Rows, tables: Path, points_run: Path) -> None:
    table = pacsv.read_csv(tables / "points.csv")
    rows = rows_of(tacit("impute", points_run, tables / "points.csv", "--draws", 40).stdout)
    for name in ("left", "right"):
        seen = table.column(name).drop_null().to_numpy()
        drawn = np.array([row[name] for row in rows])
        assert seen.min() <= drawn.min()
        assert drawn.max() <= seen.max()


def test_texts_are_guarded_where_that_is_asked_for(tacit: Command, tmp_path: Path, points_run: Path) -> None:
    (tmp_path / "new.csv").write_text("id,left,right\n=1+1,0.5,49\n+b,6.1,31\nc,1,50\n-2,1,51\n")
    bare = tacit("assign", points_run, tmp_path / "new.csv", "--id", "id", "--no-guard").stdout
    kept = tacit("assign", points_run, tmp_path / "new.csv", "--id", "id", "--guard").stdout
    assert (
        bare == tacit("assign", points_run, tmp_path / "new.csv", "--id", "id").stdout
    )  # in a pipe nothing is changed
    assert bare != kept
    assert [line.split(",")[1] for line in kept.splitlines()[1:]] == ['"\'=1+1"', '"\'+b"', '"c"', '"-2"']
    assert bare.replace("=1+1", "'=1+1").replace("+b", "'+b") == kept


def test_what_machines_read_has_plain_numbers(tacit: Command, rows_of: Rows, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = [f"{np.exp(8 + draw.normal()):.2f},{draw.choice(['a', 'b', 'c'])},{draw.normal():.3f}" for _ in range(200)]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(["spend,city,x", *rows, "123456789.25,a,0.5"]) + "\n")
    done = tacit("fit", table, "--model", "mixture", "--set", "components=1", "--kind", "spend=positive",
                 "--holdout", 0, "--out", tmp_path / "run")  # fmt: skip
    assert done.exit_code == 0, done.output
    asked = ("explain", tmp_path / "run", table, "--row", 201)
    for form in ("csv", "json"):
        done = tacit(*asked, "--format", form)
        text = done.stdout
        rows_ = rows_of(text) if form == "csv" else [json.loads(line) for line in text.splitlines()]
        spend, city = rows_[0], rows_[1]
        assert float(spend["value"]) == 123456789.25
        assert float(spend["expected"]) > 1000
        assert city["value"] == "a"
        logs = np.log([float(row.split(",")[0]) for row in [*rows, "123456789.25"]])
        assert spend["deviations"] == pytest.approx((np.log(123456789.25) - logs.mean()) / logs.std(), rel=0.03)
    assert isinstance(spend["value"], float)
    assert "of its logarithm" in " ".join(done.stderr.split())


def test_what_was_written_guarded_is_read_again(tacit: Command, rows_of: Rows, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    names = ["=1+1", "+a", "-b", "@c", "plain"]
    rows = [f"{names[n % 5]},{draw.normal(n % 5):.2f}" for n in range(100)]
    (tmp_path / "t.csv").write_text("\n".join(["=name,x", *rows]) + "\n")
    run = tmp_path / "run"
    done = tacit("fit", tmp_path / "t.csv", "--model", "mixture", "--set", "components=1", "--out", run)
    assert done.exit_code == 0, done.output
    for guard in ("--guard", "--no-guard"):
        new = tmp_path / "new.csv"
        done = tacit("sample", run, 30, guard, "--out", new)
        assert ("'=1+1" in new.read_text()) == (guard == "--guard")
        for command in ("score", "assign", "impute"):
            done = tacit(command, run, new, "--no-guard")
            assert done.exit_code == 0, done.output
        assert {row["=name"] for row in rows_of(done.stdout)} <= set(names)
