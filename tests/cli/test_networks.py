"""Networks on the command line: fitted to a table, or in a file that stands for a run."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from tacit import datasets

ASIA = """network "asia" { }
variable smoke { type discrete [ 2 ] { yes, no }; }
variable lung { type discrete [ 2 ] { yes, no }; }
variable xray { type discrete [ 2 ] { yes, no }; }
probability ( smoke ) { table 0.5, 0.5; }
probability ( lung | smoke ) { (yes) 0.1, 0.9; (no) 0.01, 0.99; }
probability ( xray | lung ) { (yes) 0.98, 0.02; (no) 0.05, 0.95; }
"""
Command = Callable[..., object]


@pytest.fixture
def _bare_reports() -> None:
    """Reports as they are."""


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "asia.bif"
    path.write_text(ASIA)
    return path


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_file_of_a_network_answers_as_a_run_does(tacit, network: Path, tmp_path: Path) -> None:
    done = tacit("query", network, "P(lung = yes | xray = yes)")
    lung = (0.5 * 0.1 + 0.5 * 0.01) * 0.98
    assert float(lines(done.stdout)[0]["value"]) == pytest.approx(lung / (lung + 0.945 * 0.05))
    done = tacit("query", network, "--given", "xray=yes")
    told = {(line["column"], line["what"]): line for line in lines(done.stdout)}
    assert float(told["lung", "yes"]["before"]) == pytest.approx(0.055)
    assert float(told["lung", "yes"]["after"]) == pytest.approx(lung / (lung + 0.945 * 0.05))
    cases = tmp_path / "cases.csv"
    cases.write_text("xray,smoke\nyes,\n,no\n")
    found = lines(tacit("query", network, cases).stdout)
    assert float(found[1]["lung=yes"]) == pytest.approx(0.01)
    drawn = tmp_path / "drawn.csv"
    assert tacit("sample", network, 5, "--out", drawn).exit_code == 0
    assert len(lines(tacit("score", network, drawn).stdout)) == 5
    shown = tacit("show", network)
    assert "3 nodes and 2 arrows" in shown.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--given", "xray=maybe"), "xray"),
        (("--given", "x=yes"), "xray"),
        (("P(lung = yes | smok = yes)",), "smoke"),
    ],
)
def test_what_is_not_in_the_network_is_named(tacit, network: Path, words: tuple[str, ...], said: str) -> None:
    done = tacit("query", network, *words)
    assert done.exit_code != 0
    assert said in done.output


def test_contradictions_and_damaged_files_are_named(tacit, network: Path) -> None:
    network.write_text(ASIA.replace("(yes) 0.98, 0.02", "(yes) 1, 0"))
    done = tacit("query", network, "--given", "xray=no", "--given", "lung=yes")
    assert "contradict" in done.output
    network.write_text(ASIA.replace("0.98, 0.02", "0.98, 0.2"))
    done = tacit("query", network, "--given", "xray=no")
    assert done.exit_code != 0
    assert "xray" in done.output


@pytest.mark.usefixtures("_bare_reports")
def test_a_network_is_fitted_and_its_report_draws_it(tacit, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arrows = "edges=species->island,species->body_mass_g,sex->body_mass_g"
    done = tacit("fit", datasets.path("penguins"), "--model", "bayesian-network", "--set", arrows, "--out", run)
    assert done.exit_code == 0, done.output
    page = (run / "report.html").read_text()
    assert "What depends on what" in page
    assert "body_mass_g is" in page
    done = tacit("query", run, "P(species | island = Torgersen)")
    assert {line["level"] for line in lines(done.stdout)} == {"Adelie", "Chinstrap", "Gentoo"}
    done = tacit(
        "fit",
        datasets.path("penguins"),
        "--model",
        "bayesian-network",
        "--set",
        "edges=species->islnd",
        "--out",
        tmp_path / "other",
    )
    assert "island" in done.output
