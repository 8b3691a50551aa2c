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


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        (["1=   "], "is empty. 1= takes its name away"),
        (["1=\u200b"], "is empty"),
        (["1=a\x1b[31mb"], "cannot be printed"),
        (["1=" + "x" * 61], "has 61 letters, and 60 is the most"),
        (["1=2"], "groups have numbers already"),
        (["1=Group 2"], "groups have numbers already"),
        (["1=a", "1=b"], "group 1 gets two names"),
        (["1=Quiet", "2=quiet"], "groups 1 and 2 cannot be called 'Quiet' and 'quiet', which are one"),
        (["1=é", "2=e\u0301"], "which are one"),
        (["1=same", "2=same"], "groups 1 and 2 cannot both be called 'same'"),
        (["1" * 5000 + "=x"], "there is no group"),
    ],
)
def test_names_that_cannot_be_meant_are_refused_in_words(
    tacit: Command, run: Path, pairs: list[str], words: str
) -> None:
    done = tacit("rename", run, *pairs)
    assert done.exit_code == 2, done.output
    assert words in " ".join(done.stderr.split())
    assert "same" not in tacit("rename", run).stdout


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "＝1+1"])
def test_names_that_a_spreadsheet_would_run_are_guarded(
    tacit: Command, rows_of: Rows, tables: Path, run: Path, name: str
) -> None:
    assert tacit("rename", run, f"1={name}").exit_code == 0
    for more, written in ((("--guard",), f"'{name}"), (("--no-guard",), name)):
        rows = rows_of(tacit("assign", run, tables / "new.csv", *more).stdout)
        assert {row["group_name"] for row in rows if row["group"] == 1} == {written}
    assert tacit("assign", run, tables / "new.csv", "--group", name).exit_code == 0
    assert "<script" not in (run / "report.html").read_text()


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
