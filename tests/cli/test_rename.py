"""``tacit rename`` and lists of members."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tacit.report.sentences import named

Command = Callable[..., Result]
Rows = Callable[[str], list[dict[str, Any]]]


@pytest.fixture
def run(points_run: Path, tmp_path: Path) -> Path:
    """One that may be changed."""
    return Path(shutil.copytree(points_run, tmp_path / "run"))


def test_groups_are_named_everywhere(tacit: Command, rows_of: Rows, tables: Path, run: Path) -> None:
    done = tacit("rename", run, "1=Big spenders (new)", "2=Quiet")
    assert done.exit_code == 0, done.output
    assert "Big spenders (new)" in done.stdout
    assert "“Quiet” (group 2, " in " ".join(tacit("show", run).stdout.split())
    assert "Big spenders (new)" in (run / "report.html").read_text()
    rows = rows_of(tacit("assign", run, tables / "new.csv").stdout)
    assert {row["group"]: row["group_name"] for row in rows} == {1: "Big spenders (new)", 2: "Quiet"}
    again = tacit("rename", run, "2=")
    assert "Quiet" not in again.stdout
    assert "Big spenders (new)" in tacit("rename", run).stdout


def test_the_members_of_a_group(tacit: Command, rows_of: Rows, tables: Path, run: Path) -> None:
    every = rows_of(tacit("assign", run, tables / "points.csv").stdout)
    tacit("rename", run, "2=Quiet")
    for asked in ("2", "Quiet"):
        members = rows_of(tacit("assign", run, tables / "points.csv", "--group", asked).stdout)
        assert {row["row"] for row in members} == {row["row"] for row in every if row["group"] == 2}
        sure = [row["probability"] for row in members]
        assert sure == sorted(sure, reverse=True)


@pytest.mark.parametrize("pair", ["9=x", "0=x", "a=x", "1", "1=" + "x" * 61])
def test_wrong_names_are_refused(tacit: Command, run: Path, pair: str) -> None:
    assert tacit("rename", run, pair).exit_code == 2
    assert tacit("rename", run, "1=same", "2=same").exit_code == 2


def test_what_has_no_groups_has_no_names(tacit: Command, tables: Path, run: Path) -> None:
    assert tacit("assign", run, tables / "new.csv", "--group", "7").exit_code == 2
    assert named("Group 1 and Group 12 (3 % of rows)", ["A", None]) == "“A” and Group 12 (3 % of rows)"


@pytest.mark.parametrize("form", ["svg", "png", "pdf"])
def test_figures_are_files_of_their_own(tacit: Command, run: Path, tmp_path: Path, form: str) -> None:
    done = tacit("report", run, "--figures", tmp_path / "figures", "--form", form)
    assert done.exit_code == 0, done.output
    names = {path.stem for path in (tmp_path / "figures").glob(f"*.{form}")}
    assert {"pairs", "trace", "graph"} <= names
    heads = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}
    assert (tmp_path / "figures" / f"pairs.{form}").read_bytes().startswith(heads[form])
    assert tacit("report", run, "--figures", tmp_path / "f", "--form", "gif").exit_code == 2
