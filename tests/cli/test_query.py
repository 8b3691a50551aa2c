"""``tacit query``: questions, all columns before and after, and tables of cases."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from tacit.storage import RunFolder

Command = Callable[..., Result]
Rows = Callable[[str], list[dict[str, Any]]]


@pytest.fixture(scope="module")
def run(tacit: Command, tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mixture of the table of many kinds."""
    folder = tmp_path_factory.mktemp("query") / "run"
    done = tacit("fit", tables / "mixed.csv", "--model", "mixture", "--set", "components=2", "--out", folder)
    assert done.exit_code == 0, done.output
    return folder


def test_questions_are_answered_as_in_python(tacit: Command, rows_of: Rows, run: Path) -> None:
    model = RunFolder(run).model()
    questions = ("P(spend > 35 | city = Paris)", "mean(visits | member = yes)")
    done = tacit("query", run, *questions)
    assert done.exit_code == 0, done.output
    rows = rows_of(done.stdout)
    assert [row["question"] for row in rows] == list(questions)
    assert [row["value"] for row in rows] == pytest.approx([float(model.query(text)) for text in questions], rel=1e-12)
    assert {row["how"] for row in rows} == {"exact"}
    known = tacit("query", run, "P(spend > 35)", "--given", "city=Paris", "--given", "visits > 2 or member = no")
    expected = float(model.query("P(spend > 35 | city = Paris, visits > 2 or member = no)"))
    assert rows_of(known.stdout)[0]["value"] == pytest.approx(expected, rel=1e-12)
    mixed = rows_of(tacit("query", run, "P(city)", "mode(city)", "mean(spend)").stdout)
    assert [row["level"] for row in mixed] == ["Oslo", "Paris", "Rome", "", ""]
    assert "exact" in tacit("query", run, "P(city)").stderr


def test_all_columns_before_and_after(tacit: Command, rows_of: Rows, run: Path) -> None:
    done = tacit("query", run, "--given", "city=Paris")
    rows = {(row["column"], row["what"]): row for row in rows_of(done.stdout)}
    assert rows["city", "Paris"]["after"] == 1.0
    model = RunFolder(run).model()
    assert rows["spend", "mean"]["after"] == pytest.approx(float(model.query("mean(spend | city = Paris)")))
    assert rows["member", "yes"]["before"] == pytest.approx(float(model.query("P(member = yes)")))
    drawn = tacit("query", run, "--given", "city=Paris", "--format", "table")
    assert "████████████ 1" in drawn.stdout
    assert "change most" in drawn.stderr
    assert tacit("query", run, "--format", "table").exit_code == 0


def test_gaps_of_cases(tacit: Command, rows_of: Rows, run: Path, tmp_path: Path) -> None:
    columns = RunFolder(run).schema().names
    lines = [{"spend": "40", "city": "Paris"}, {"member": "no"}]
    text = [",".join(columns), *(",".join(line.get(name, "") for name in columns) for line in lines)]
    (tmp_path / "cases.csv").write_text("\n".join(text))
    done = tacit("query", run, tmp_path / "cases.csv")
    rows = rows_of(done.stdout)
    model = RunFolder(run).model()
    expected = float(model.query("P(member = yes | spend = 40, city = Paris)"))
    assert rows[0]["member=yes"] == pytest.approx(expected, rel=1e-9)
    assert rows[0]["spend mean"] is None
    assert rows[1]["spend mean"] == pytest.approx(float(model.query("mean(spend | member = no)")))


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("P(citty = Paris)", ["Did you mean 'city'?", "    ^^^^^"]),
        ("P(city = Pariss)", ["Did you mean 'Paris'?", "           ^^^^^^"]),
        ("P(city = Paris", ["closing bracket"]),
        ("os.system('x')", ["a query begins with"]),
    ],
)
def test_faults_are_shown_where_they_stand(tacit: Command, run: Path, question: str, said: list[str]) -> None:
    done = tacit("query", run, question)
    assert done.exit_code == 2
    for part in said:
        assert part in done.stderr


def test_what_does_not_go_together(tacit: Command, run: Path, tables: Path, log_run: Path) -> None:
    assert tacit("query", run, "P(city)", tables / "mixed.csv").exit_code == 2
    assert tacit("query", run, tables / "mixed.csv", "--given", "city=Paris").exit_code == 2
    assert tacit("query", run, "P(spend > 1)", "--given", "city=Nowhere").exit_code == 2
