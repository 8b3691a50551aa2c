"""Drift: tests of one column against scipy's, false alarms, words, and the command."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
import scipy.stats
from typer.testing import CliRunner

import tacit
from served import fit
from tacit.cli import app
from tacit.data.schema import Column, Schema
from tacit.evaluation.drift import benjamini_hochberg, compared, kolmogorov_smirnov, summarise
from tacit.storage.run import RunFolder

ONE = Schema((Column("x", "continuous"),))
CITIES = Schema((Column("city", "categorical", ("Oslo", "Paris", "Rome")),))


def test_numbers_are_compared_as_by_kolmogorov_and_smirnov() -> None:
    draw = np.random.default_rng(0)
    for shift in (0.0, 0.1, 0.5):
        old, new = draw.normal(size=5000), draw.normal(shift, 1.0, 800)
        found = compared(summarise(old[:, None], ONE), new[:, None], ONE).shifts[0]
        exact = scipy.stats.ks_2samp(old, new, method="asymp")
        assert found.distance == pytest.approx(exact.statistic, abs=0.006)
        assert found.distance <= exact.statistic + 1e-12  # at some places only
        assert found.p_value >= exact.pvalue - 1e-12


def test_few_rows_and_ties_are_exact() -> None:
    draw = np.random.default_rng(1)
    old, new = draw.poisson(3.0, 150).astype(float), draw.poisson(4.0, 90).astype(float)
    found = compared(summarise(old[:, None], ONE), new[:, None], ONE).shifts[0]
    assert found.distance == pytest.approx(scipy.stats.ks_2samp(old, new).statistic, abs=1e-12)


@pytest.mark.parametrize(("first", "second"), [(3, 3), (5, 2), (40, 25), (200, 7), (1000, 1), (100, 300)])
def test_p_values_of_few_rows_are_exact(first: int, second: int) -> None:
    draw = np.random.default_rng(first)
    for shift in (0.0, 0.3, 1.0):
        old, new = draw.normal(size=first), draw.normal(shift, 1.0, second)
        exact = scipy.stats.ks_2samp(old, new, method="exact")
        assert kolmogorov_smirnov(exact.statistic, first, second) == pytest.approx(exact.pvalue, abs=1e-10)
        found = compared(summarise(old[:, None], ONE), new[:, None], ONE).shifts[0]
        assert found.p_value >= exact.pvalue - 1e-10
        if first <= 201:  # every value is kept
            assert found.distance == pytest.approx(exact.statistic, abs=1e-12)


@pytest.mark.parametrize("shares", [(0.9, 0.0997, 0.0003), (0.999, 0.001, 0.0)])
def test_rare_levels_raise_no_false_alarms(shares: tuple[float, ...]) -> None:
    draw = np.random.default_rng(6)

    def p_value() -> float:
        rows = [draw.choice(3, size, p=shares).astype(float)[:, None] for size in (10_000, 300)]
        return compared(summarise(rows[0], CITIES), rows[1], CITIES).shifts[0].p_value

    assert sum(p_value() <= 0.01 for _ in range(300)) <= 9  # 3 are expected at most


def test_levels_are_compared_by_chi_square() -> None:
    old, new = np.repeat([0.0, 1.0, 2.0], [50, 30, 20]), np.repeat([0.0, 1.0, 2.0], [20, 30, 50])
    found = compared(summarise(old[:, None], CITIES), new[:, None], CITIES).shifts[0]
    table = [[50, 30, 20], [20, 30, 50]]
    assert found.p_value == pytest.approx(scipy.stats.chi2_contingency(table)[1], rel=1e-12)
    assert found.distance == pytest.approx(0.3)
    assert "50 %, was 20 %" in found.said or "20 %, was 50 %" in found.said


def test_adjusted_p_values_are_those_of_scipy() -> None:
    p_values = np.random.default_rng(0).random(40) ** 2
    np.testing.assert_allclose(benjamini_hochberg(p_values), scipy.stats.false_discovery_control(p_values), rtol=1e-12)


def test_false_alarms_stay_below_the_level() -> None:
    draw = np.random.default_rng(2)
    schema = Schema(tuple(Column(f"x{place}", "continuous") for place in range(5)))
    alarms = 0
    for _ in range(200):
        kept = summarise(draw.normal(size=(400, 5)), schema)
        alarms += bool(compared(kept, draw.normal(size=(200, 5)), schema, level=0.1).moved)
    assert alarms <= 35  # 20 are expected at most


def test_what_moved_is_found_and_told() -> None:
    draw = np.random.default_rng(5)

    def rows(number: int, far: float, share: float) -> pa.Table:
        group = draw.random(number) < share
        return pa.table(
            {
                "spend": draw.normal(np.where(group, 20.0 + far, far), 3.0),
                "still": draw.normal(size=number),
                "city": np.where(draw.random(number) < np.where(group, 0.9, 0.1), "Rome", "Oslo"),
            }
        )

    before = rows(1000, 0.0, 0.5)
    model = tacit.Mixture(2, random_state=0).fit(before)
    same = tacit.drift(model, before, rows(600, 0.0, 0.5))
    assert not same.moved
    assert "Nothing" in same.headline()
    found = tacit.drift(model, before, rows(600, 0.0, 0.8))
    moved = {(shift.what, shift.name) for shift in found.moved}
    assert moved >= {("column", "spend"), ("column", "city"), ("groups", "")}
    assert "still" not in {shift.name for shift in found.moved}
    found = tacit.drift(model, before, rows(600, 15.0, 0.5))
    assert {"scores", "column"} <= {shift.what for shift in found.moved}
    assert "median" in found.moved[0].said
    assert found.to_arrow().num_rows == len(found.shifts)


def test_what_cannot_be_compared_is_refused() -> None:
    kept = summarise(np.ones((3, 1)), ONE)
    with pytest.raises(ValueError, match="no rows"):
        compared(kept, np.empty((0, 1)), ONE)
    with pytest.raises(ValueError, match="levels"):
        compared(kept, np.ones((3, 1)), CITIES)
    with pytest.raises(ValueError, match="level"):
        compared(kept, np.ones((3, 1)), ONE, level=1.5)
    assert not compared(kept, np.full((3, 1), np.nan), ONE, level=0.01).moved  # three rows tell little


def test_the_command_compares_with_the_rows_of_the_fit(tmp_path: Path) -> None:
    draw = np.random.default_rng(4)
    table = {"left": draw.normal(size=200), "city": np.where(draw.random(200) < 0.5, "Rome", "Oslo")}
    run = fit(table, tmp_path / "run", "--set", "components=1", "--model", "mixture")
    aside = RunFolder(run).calibration()["rows"].size
    assert 0 < RunFolder(run).columns()["groups"].sum() == aside < 200 - aside
    new = {"left": draw.normal(2.0, 1.0, 80), "city": ["Rome"] * 40 + ["Oslo"] * 39 + ["Atlantis"]}
    pacsv.write_csv(pa.table(new), tmp_path / "new.csv")
    done = CliRunner().invoke(app, ["drift", str(run), str(tmp_path / "new.csv"), "--format", "json"])
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {line["name"] for line in lines if line["moved"]} == {"left", ""}
    done = CliRunner().invoke(
        app, ["drift", str(run), str(tmp_path / "new.csv"), "--against", str(tmp_path / "new.csv"), "--format", "json"]
    )
    assert not any(json.loads(line)["moved"] for line in done.stdout.splitlines())
    (RunFolder(run).path / "columns.safetensors").unlink()
    done = CliRunner().invoke(app, ["drift", str(run), str(tmp_path / "new.csv")])
    assert done.exit_code == 4
    assert "--against" in done.output
