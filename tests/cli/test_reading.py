"""How a table is written: said by options, kept by a run, used for new data, told by ``tacit show``."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from tacit.storage import RunFolder

Command = Callable[..., Result]
Rows = Callable[[str], list[dict[str, Any]]]


def said(done: Result) -> str:
    """What was told, on one line."""
    return " ".join(done.output.split())


@pytest.fixture(scope="module")
def german(tacit: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a table with decimal commas, cells apart by semicolons, and 99 for missing."""
    folder = tmp_path_factory.mktemp("german")
    draw = np.random.default_rng(0)
    rows = [f"{1.5 + draw.normal() * 0.2:.3f};{1000 + 40 * draw.normal():.1f}" for _ in range(60)]
    text = "len;w\n" + "\n".join([*rows, "99;1000,5"]).replace(".", ",") + "\n"
    (folder / "first.csv").write_text(text)
    done = tacit(
        "fit", folder / "first.csv", "--model", "gaussian-mixture", "--set", "components=1", "--missing", 99,
        "--out", folder / "run",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "decimal commas" in said(done)
    return folder


def test_a_run_keeps_how_its_table_was_read(german: Path) -> None:
    data = RunFolder(german / "run").config().data
    assert data["read_as"] == {"encoding": "utf-8", "delimiter": ";", "decimal": ",", "thousands": ""}
    assert data["reading"]["missing"][-1] == "99"


def test_new_data_are_read_as_the_fit_was(tacit: Command, rows_of: Rows, german: Path) -> None:
    (german / "new.csv").write_text("len;w\n1,934;1500\n99;1500\n")
    (german / "plain.csv").write_text("len,w\n1.934,1500\n,1500\n")
    found, plain = (
        rows_of(tacit("score", german / "run", german / name, "--format", "csv").stdout)
        for name in ("new.csv", "plain.csv")
    )
    assert [row["log_density"] for row in found] == [row["log_density"] for row in plain]


def test_what_comes_out_of_a_run_goes_in_again(tacit: Command, rows_of: Rows, german: Path) -> None:
    done = tacit("sample", german / "run", "-n", 5, "--out", german / "sampled.csv")
    assert done.exit_code == 0, done.output
    done = tacit("score", german / "run", german / "sampled.csv", "--format", "csv")
    assert done.exit_code == 0, done.output
    assert min(row["log_density"] for row in rows_of(done.stdout)) > -20


def test_new_data_that_contradict_the_fit_are_refused_with_their_place(tacit: Command, german: Path) -> None:
    (german / "odd.csv").write_text("len;w\n1,5;1000\n1.55;1000\n")
    for command in ("score", "impute", "assign"):
        done = tacit(command, german / "run", german / "odd.csv")
        assert done.exit_code == 3
        assert "column 'len', row 2 (line 3): '1.55' has a decimal point, and the table of the fit had" in said(done)
    done = tacit("score", german / "run", german / "odd.csv", "--decimal", ".")
    assert done.exit_code == 3
    assert "'1,5' is no number with decimal points, as is said" in said(done)
    (german / "points.csv").write_text("len;w\n1.5;1000\n1.55;1000\n")
    assert tacit("score", german / "run", german / "points.csv", "--decimal", ".").exit_code == 0


def test_every_option_of_reading(tacit: Command, tmp_path: Path) -> None:
    rows = "".join(
        f"{n % 7}~1'0{n:02d}'000,5~{'ü' if n % 2 else 'x'}~{'absent' if n % 3 else n % 5}\n" for n in range(30)
    )
    path = tmp_path / "t.txt"
    path.write_bytes(f"made by me\nnothing\n{rows}".encode("latin-1"))
    options = ("--delimiter", "~", "--decimal", "comma", "--thousands", "apostrophe", "--encoding", "latin-1")
    done = tacit("show", path, *options, "--skip-rows", 2, "--no-header", "--missing", "absent")
    assert done.exit_code == 0, done.output
    told = said(done)
    assert "30 rows" in told
    assert "column_2 continuous" in told
    assert "1,000,000 to 1,029,000, mean" in told.replace("1,029,001", "1,029,000").replace("1,000,001", "1,000,000")
    assert "Read as text in latin-1, cells apart by a '~', decimal commas, apostrophes between thousands." in told
    done = tacit("show", path, "--header", 3, "--no-header")
    assert done.exit_code == 2


def test_show_tells_how_a_table_is_read(tacit: Command, tables: Path, points_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "Report;;\nname;x;y\n" + "".join(f"{'AB'[n % 2]};{n % 9};{n % 4},5\n" for n in range(30)) + "Total;111;58\n"
    )
    told = said(tacit("show", path))
    assert "1 line above the heading passed over: 'Report'" in told
    assert "decimal commas" in told
    assert tacit("show", tables / "points.csv").exit_code == 0
    assert "Fitted to" in said(tacit("show", points_run))
    done = tacit("show", tmp_path / "nothing")
    assert done.exit_code == 4


def test_options_that_cannot_be_meant(tacit: Command, tables: Path) -> None:
    done = tacit("show", tables / "points.csv", "--decimal", "x")
    assert done.exit_code == 3
    assert "decimal 'x': say '.' or ','" in said(done)


def test_show_takes_what_fit_takes(tacit: Command, german: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    for number, text in enumerate(["x;y\n1,234;a\n2,345;b\n", "x;y\n3,5;a\n4,25;b\n"]):
        (folder / f"part-{number}.csv").write_text(text)
    places = [[folder], sorted(folder.iterdir()), [folder / "part-*.csv"]]
    told = [tacit("show", *place) for place in places]
    assert all(done.exit_code == 0 and "decimal commas" in said(done) for done in told), [d.output for d in told]
    assert "4 rows" in said(told[0])
    (tmp_path / "log.csv").write_text("who,what,many\n" + "a,bread,2\nb,milk,1\na,milk,-1\n" * 3)
    log = tacit("show", tmp_path / "log.csv", "--long", "who,what,many", "--returns", "drop")
    assert log.exit_code == 0, log.output
    assert "purchase log of 2 customers" in said(log)
    both = tacit("show", german / "run", "--decimal", ",")
    assert both.exit_code == 2
    assert "is a run" in said(both)
    none = tacit("show", tmp_path / "nothing")
    assert none.exit_code != 0
    assert "Traceback" not in none.output


def test_a_report_reads_its_table_as_the_fit_did(tacit: Command, german: Path, tmp_path: Path) -> None:
    text = (german / "first.csv").read_text()
    moved = tmp_path / "moved.csv"
    moved.write_text(text.replace("99;", "never;", 1))
    done = tacit("report", german / "run", moved, "--out", tmp_path / "a.html", "--missing", "never")
    assert done.exit_code == 0, done.output
    head, *lines = text.splitlines()
    for number, part in enumerate((lines[:31], lines[31:])):
        (tmp_path / f"half-{number}.csv").write_text("\n".join([head, *part]) + "\n")
    halves = [tmp_path / f"half-{number}.csv" for number in range(2)]
    done = tacit("report", german / "run", *halves, "--out", tmp_path / "b.html")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "b.html").exists()


@pytest.mark.parametrize(
    "command", ["score", "explain", "assign", "impute", "predict", "transform", "encode", "report"]
)
def test_only_what_acts_is_offered(tacit: Command, command: str) -> None:
    help_ = said(tacit(command, "--help"))
    assert "--no-keep-totals" in help_
    assert "--dates" not in help_
    assert ("--returns" in help_) == (command in ("score", "explain", "assign", "transform", "encode"))


def test_options_about_logs_and_dates_go_with_them(tacit: Command, german: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n" + "1.5,2\n2.5,1\n" * 20)
    for more, words in (
        (["--returns", "net"], "about a purchase log"),
        (["--dates", "days", "--long", "x,y"], "about the columns of a table"),
    ):
        done = tacit("fit", tmp_path / "a.csv", *more, "--out", tmp_path / "run")
        assert done.exit_code == 2, done.output
        assert words in said(done)
    done = tacit("score", german / "run", german / "first.csv", "--returns", "net")
    assert done.exit_code == 2
    assert "about a purchase log" in said(done)


def test_what_a_fit_said_can_be_taken_back(tacit: Command, tmp_path: Path) -> None:
    rows = [f"{name},{1 + n % 3},{n / 7:.3f}" for n, name in enumerate("abcdefgh" * 5)]
    total = f"Total,{sum(1 + n % 3 for n in range(40))},{sum(round(n / 7, 3) for n in range(40)):.3f}"
    table = tmp_path / "a.csv"
    table.write_text("\n".join(["name,n,x", *rows, total]) + "\n")
    run = tmp_path / "run"
    one = ("--model", "mixture", "--set", "components=1", "--kind", "name=drop", "--kind", "n=continuous")
    done = tacit("fit", table, *one, "--keep-totals", "--out", run)
    assert done.exit_code == 0, done.output
    lines = {
        more: tacit("score", run, table, "--format", "csv", *more).stdout.count("\n")
        for more in ((), ("--no-keep-totals",), ("--keep-totals",))
    }
    assert lines == {(): 42, ("--no-keep-totals",): 41, ("--keep-totals",): 42}
    log = tmp_path / "log.csv"
    lines_of_log = [f"c{n % 12},i{n % 5},{1 + n % 4}" for n in range(120)] + ["c0,i1,-1", "c1,i2,-2"]
    log.write_text("\n".join(["who,what,many", *lines_of_log]) + "\n")
    columns = ("--long", "who,what,many")
    done = tacit("fit", log, *columns, "--returns", "net", "--model", "poisson-mixture", "--set", "components=1",
                 "--out", tmp_path / "logged")  # fmt: skip
    assert done.exit_code == 0, done.output
    kept, dropped = (tacit("score", tmp_path / "logged", log, *more) for more in ((), ("--returns", "drop")))
    assert "2 returns taken off" in said(kept)
    assert "returns?" in said(dropped)
