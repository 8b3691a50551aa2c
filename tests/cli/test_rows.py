"""``tacit assign``, ``impute`` and ``sample``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pacsv
import pytest
from scipy import stats
from typer.testing import Result

from tacit.storage import RunFolder

Command = Callable[..., Result]
Rows = Callable[[str], list[dict[str, Any]]]


def shares(run: Path, x: np.ndarray) -> np.ndarray:
    """The probability of each group of a mixture with axis-parallel spreads; NaN is integrated out."""
    model = RunFolder(run).model()
    spreads = np.sqrt(np.diagonal(model.covariances_, axis1=1, axis2=2))
    each = stats.norm.logpdf(x[:, None], model.means_, spreads)
    joint = model.weights_ * np.exp(np.where(np.isnan(x)[:, None], 0.0, each).sum(axis=2))
    return joint / joint.sum(axis=1, keepdims=True)


def test_rows_are_put_into_groups_counted_from_1(tacit: Command, rows_of: Rows, tables: Path, points_run: Path) -> None:
    rows = rows_of(tacit("assign", points_run, tables / "new.csv").stdout)
    x = np.array([[0.5, 49.0], [6.2, 31.0], [1.0, 61.0], [0.0, np.nan]])
    share = shares(points_run, x)
    np.testing.assert_allclose([[row["group_1"], row["group_2"]] for row in rows], share, rtol=1e-12)
    assert [row["group"] for row in rows] == (share.argmax(axis=1) + 1).tolist()
    np.testing.assert_allclose([row["probability"] for row in rows], share.max(axis=1), rtol=1e-12)
    assert {rows[0]["group"], rows[1]["group"]} == {1, 2}


def test_customers_of_a_log_are_put_into_groups(tacit: Command, rows_of: Rows, tables: Path, log_run: Path) -> None:
    done = tacit("assign", log_run, tables / "log.csv")
    assert done.exit_code == 0, done.output
    rows = rows_of(done.stdout)
    assert [row["id"] for row in rows] == [f"b{n:02d}" for n in range(80)]
    groups = np.array([row["group"] for row in rows])
    assert len(set(groups[::2])) == len(set(groups[1::2])) == 1
    assert groups[0] != groups[1]


def test_gaps_are_filled_and_nothing_else_is_touched(
    tacit: Command, tables: Path, points_run: Path, tmp_path: Path
) -> None:
    done = tacit("impute", points_run, tables / "points.csv", "--out", tmp_path / "full.csv")
    assert done.exit_code == 0, done.output
    assert "2 gaps in 2 rows filled" in done.stderr
    before, after = pacsv.read_csv(tables / "points.csv"), pacsv.read_csv(tmp_path / "full.csv")
    for name in ("left", "right"):
        old, new = before.column(name).to_numpy(), after.column(name).to_numpy()
        gaps = np.isnan(old)
        np.testing.assert_array_equal(new[~gaps], old[~gaps])
        assert gaps.sum() == 1
        assert np.isfinite(new).all()
    row = 5
    share = shares(points_run, np.array([[before.column("left")[row].as_py(), np.nan]]))[0]
    # spreads are axis-parallel, so a gap is expected at the groups' means
    expected = share @ RunFolder(points_run).model().means_[:, 1]
    assert after.column("right")[row].as_py() == pytest.approx(expected, rel=1e-10)


def test_columns_that_the_model_does_not_know_are_kept(
    tacit: Command, rows_of: Rows, tables: Path, mixed_run: Path
) -> None:
    done = tacit("impute", mixed_run, tables / "mixed.csv")
    rows, before = rows_of(done.stdout), rows_of((tables / "mixed.csv").read_text())
    assert list(rows[0]) == list(before[0])
    assert before[7]["city"] == ""
    assert rows[7]["city"] in ("Paris", "Rome", "Oslo")
    assert [{**row, "city": 0} for row in rows] == [{**row, "city": 0} for row in before]


def test_draws_of_the_gaps_differ_and_repeat_by_seed(
    tacit: Command, rows_of: Rows, tables: Path, points_run: Path
) -> None:
    text = tacit("impute", points_run, tables / "points.csv", "--draws", 3, "--seed", 7).stdout
    rows = rows_of(text)
    assert [row["draw"] for row in rows] == [n for n in (1, 2, 3) for _ in range(120)]
    filled = {row["right"] for row in rows[5::120]}
    assert len(filled) == 3
    assert len({row["right"] for row in rows[6::120]}) == 1
    assert tacit("impute", points_run, tables / "points.csv", "--draws", 3, "--seed", 7).stdout == text
    assert tacit("impute", points_run, tables / "points.csv", "--draws", 3, "--seed", 8).stdout != text


def test_a_table_without_gaps_is_given_back(tacit: Command, points_run: Path) -> None:
    done = tacit("impute", points_run, "-", stdin="left,right\n1.5,30\n")
    assert done.stdout == '"left","right"\n1.5,30\n'
    assert "Nothing is missing" in done.stderr


def test_new_rows_have_the_columns_and_levels_of_the_old(tacit: Command, rows_of: Rows, mixed_run: Path) -> None:
    done = tacit("sample", mixed_run, "-n", 200, "--seed", 3)
    rows = rows_of(done.stdout)
    assert len(rows) == 200
    assert list(rows[0]) == ["spend", "visits", "city", "member"]
    assert {row["city"] for row in rows} <= {"Rome", "Paris", "Oslo"}
    assert {row["member"] for row in rows} == {"yes", "no"}
    assert all(isinstance(row["visits"], int) and row["visits"] >= 0 for row in rows)
    spend = np.array([row["spend"] for row in rows])
    assert abs(spend.mean() - 35) < 4
    assert tacit("sample", mixed_run, "-n", 200, "--seed", 3).stdout == done.stdout
    assert tacit("sample", mixed_run, "-n", 200, "--seed", 4).stdout != done.stdout


def test_rows_given_some_values_have_them(tacit: Command, rows_of: Rows, mixed_run: Path) -> None:
    done = tacit("sample", mixed_run, "-n", 300, "--given", "city=Paris", "--given", "member=yes")
    assert done.exit_code == 0, done.output
    rows = rows_of(done.stdout)
    assert {row["city"] for row in rows} == {"Paris"}
    assert {row["member"] for row in rows} == {"yes"}
    # such customers are nearly all of the group that spends 50
    assert np.mean([row["spend"] for row in rows]) == pytest.approx(50, abs=2)


def test_rows_given_every_value_are_that_row(tacit: Command, points_run: Path) -> None:
    done = tacit("sample", points_run, "-n", 2, "--given", "left=1", "--given", "right=2", "--format", "json")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"left": 1.0, "right": 2.0}] * 2


def test_customers_are_made_too(tacit: Command, rows_of: Rows, log_run: Path) -> None:
    rows = rows_of(tacit("sample", log_run, "-n", 50).stdout)
    assert list(rows[0]) == ["apples", "bread", "nails", "paint"]
    assert all(isinstance(value, int) for row in rows for value in row.values())


def test_the_total_of_a_model_of_shares(tacit: Command, rows_of: Rows, tables: Path, tmp_path: Path) -> None:
    arguments = ("--model", "multinomial-mixture", "--set", "components=2", "--long", "buyer,thing,many")
    assert tacit("fit", tables / "log.csv", *arguments, "--out", tmp_path / "run").exit_code == 0
    refused = tacit("sample", tmp_path / "run", "-n", 3)
    assert refused.exit_code == 2
    assert "give --total N" in refused.stderr
    rows = rows_of(tacit("sample", tmp_path / "run", "-n", 3, "--total", 12).stdout)
    assert [sum(row.values()) for row in rows] == [12, 12, 12]


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        ("city", 2, "write it as column=value"),
        ("town=Paris", 2, "names no column of the model: 'town'"),
        ("city=London", 3, "'London' is none of its levels"),
        ("visits=-1", 3, "cannot be a count"),
        ("spend=much", 3, "is not a number"),
        ("spend=", 2, "there is no value"),
    ],
)
def test_what_cannot_be_given_is_refused(tacit: Command, mixed_run: Path, given: str, code: int, said: str) -> None:
    done = tacit("sample", mixed_run, "--given", given)
    assert done.exit_code == code
    assert said in " ".join(done.stderr.split())


def test_a_column_is_given_once(tacit: Command, mixed_run: Path) -> None:
    done = tacit("sample", mixed_run, "--given", "city=Rome", "--given", "city=Paris")
    assert done.exit_code == 2
    assert "twice" in done.stderr


def test_a_level_never_met_is_refused_or_taken_for_missing(tacit: Command, rows_of: Rows, mixed_run: Path) -> None:
    text = "spend,visits,city,member\n20,2,Rome,no\n21,3,London,no\n"
    refused = tacit("assign", mixed_run, "-", stdin=text)
    assert refused.exit_code == 3
    assert "column 'city', row 2: 'London' is none of its levels" in " ".join(refused.stderr.split())
    done = tacit("assign", mixed_run, "-", "--unseen-as-missing", stdin=text)
    assert done.exit_code == 0
    assert len(rows_of(done.stdout)) == 2
