"""``tacit show`` and ``tacit report``: what a run found, told again."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from typer.testing import Result

from tacit.data.long import CountTable
from tacit.storage import RunFolder
from tacit.workflow import reporting
from tacit.workflow.sources import Rows

Command = Callable[..., Result]


def words(text: str) -> str:
    """Without the line breaks of the terminal."""
    return " ".join(text.split())


def test_a_run_is_told_from_its_files_alone(tacit: Command, mixed_run: Path) -> None:
    done = tacit("show", mixed_run)
    assert done.exit_code == 0, done.output
    told, said = RunFolder(mixed_run).metrics(), words(done.stdout)
    assert f"Fitted to {told['fitted_rows']} rows and 4 columns" in said
    assert "Oslo, Paris, Rome" in said
    assert "Mixture. It was taken because the columns are of different kinds." in said
    for group in told["groups"]:
        assert words(group["words"]) in said
    assert "On 12 rows kept aside" in said
    assert "report.html" in said
    assert "Group 0" not in said


def test_the_candidates_are_told_again(tacit: Command, log_run: Path) -> None:
    said = words(tacit("show", log_run).stdout)
    assert "Poisson mixture. It was taken because the table is a purchase log." in said
    assert "Of 2 candidates, the one with 2 groups has the highest BIC" in said


def test_the_report_is_written_again_to_the_same_page(tacit: Command, mixed_run: Path, tmp_path: Path) -> None:
    page = (mixed_run / "report.html").read_text(encoding="utf-8")
    done = tacit("report", mixed_run, "--out", tmp_path / "again.html")
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "again.html") in done.stdout
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page
    for said in ("Group 1", "spend", "customer_id", "mixed.csv"):
        assert said in page
    # rows go by the name that a person gave them
    assert re.search(r">c\d{3}<", page)


def test_the_table_may_have_moved(tacit: Command, tables: Path, mixed_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(mixed_run, tmp_path / "run")
    config = (run / "config.toml").read_text().replace("mixed.csv", "gone.csv")
    (run / "config.toml").write_text(config)
    done = tacit("report", run)
    assert done.exit_code == 3
    assert "no such file" in words(done.stderr)
    assert tacit("report", run, tables / "mixed.csv").exit_code == 0


def test_another_table_is_no_table_of_this_run(tacit: Command, tables: Path, mixed_run: Path, tmp_path: Path) -> None:
    lines = (tables / "mixed.csv").read_text().splitlines(keepends=True)
    (tmp_path / "short.csv").write_text("".join(lines[:100]))
    done = tacit("report", mixed_run, tmp_path / "short.csv")
    assert done.exit_code == 4
    assert "has 99 rows, and the run was fitted to 120" in words(done.stderr)
    done = tacit("report", mixed_run, tables / "points.csv")
    assert done.exit_code == 4
    assert "its columns" in words(done.stderr)
    assert (mixed_run / "report.html").read_text().count("Group 1")


def test_a_run_of_standard_input_needs_its_table_again(
    tacit: Command, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ("--set", "components=1", "--set", "covariance=EII", "--out", tmp_path / "run")
    assert tacit("fit", "-", *few, stdin=(tables / "points.csv").read_text()).exit_code == 0
    done = tacit("report", tmp_path / "run")
    assert done.exit_code == 4
    assert f"tacit report {tmp_path / 'run'} DATA" in words(done.stderr)
    assert tacit("report", tmp_path / "run", tables / "points.csv").exit_code == 0
    assert "One group describes all rows" in words(tacit("show", tmp_path / "run").stdout)


def test_an_interrupted_run_says_so(tacit: Command, points_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(points_run, tmp_path / "run")
    text = (run / "metrics.json").read_text().replace('"interrupted": false', '"interrupted": true')
    (run / "metrics.json").write_text(text)
    assert "stopped by Ctrl-C" in words(tacit("show", run).stdout)


def test_a_page_shows_a_part_of_very_many_customers_and_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "SPARSE_ROWS", 20)
    monkeypatch.setattr(reporting, "ITEMS", 3)
    counts = sparse.csr_array(np.arange(30)[:, None] % 4 + np.array([[5, 0, 9, 1, 7]]))
    table = CountTable(counts.astype(float), np.arange(30), tuple("abcde"))
    rows, columns, notes = reporting._looked_at(Rows.of(table))
    assert columns.tolist() == [0, 2, 4]
    assert len(rows) == 20
    assert (np.diff(rows.numbers) > 0).all()
    shown = rows.as_table(columns)
    assert shown.names == ("a", "c", "e")
    np.testing.assert_array_equal(shown.values, counts.toarray()[rows.numbers - 1][:, [0, 2, 4]])
    assert "3 items of 5" in notes[0]
    assert "20 of the 30 rows" in notes[1]
