"""Every mistake a person makes is answered in one message, with its exit code and no stack trace."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

Command = Callable[..., Result]

BAD_FITS = [
    (("nowhere.csv",), 3, "no such file: 'nowhere.csv'"),
    (("points.cvs",), 3, "Did you mean 'points.csv'?"),
    (("points.csv", "--model", "gausian-mixture"), 2, "Did you mean 'gaussian-mixture'?"),
    (("points.csv", "--set", "component=3"), 2, "Did you mean 'components'?"),
    (("points.csv", "--set", "components"), 2, "write it as key=value"),
    (("points.csv", "--set", "components=0"), 2, "a whole number from 1 on, or a range such as 2-6"),
    (("points.csv", "--set", "components=many"), 2, "a whole number from 1 on"),
    (("points.csv", "--set", "covariance=XYZ"), 2, "'XYZ' is unknown"),
    (("points.csv", "--set", "random_state=3"), 2, "--seed"),
    (("points.csv", "--set", "tol=-1"), 2, "tol must be at least 0"),
    (("points.csv", "--model", "k-means", "--set", "max_iter=0"), 2, "max_iter must be a whole number of at least 1"),
    (("points.csv", "--criterion", "best"), 2, "say one of 'bic'"),
    (("points.csv", "--kind", "left"), 2, "write it as column=kind"),
    (("points.csv", "--kind", "lef=count"), 3, "Did you mean 'left'?"),
    (("points.csv", "--kind", "left=kount"), 3, "Did you mean 'count'?"),
    (("points.csv", "--kind", "left=count"), 3, "column 'left', row 5: -0.535669373161111 is negative"),
    (("points.csv", "--id", "name"), 3, "no column 'name'"),
    (("points.csv", "--long", "left"), 3, "customer,item,quantity"),
    (("points.csv", "--resume", "--overwrite"), 2, "say one of them"),
    (("mixed.csv", "--model", "gaussian-mixture"), 2, "'city', 'member' have levels"),
    (("mixed.csv", "--model", "k-means"), 2, "--kind city=drop"),
    (("points.csv", "--set", "init_params=random", "--set", "components=2-4"), 2, "one number of groups"),
    (("log.csv", "--long", "buyer,thing,many", "--model", "mixture"), 2, "--model poisson-mixture"),
    (("log.csv", "--long", "buyer,thang,many"), 3, "Did you mean 'thing'?"),
    (("text.csv",), 3, "column 'x', row 3"),
    (("empty.csv",), 3, "empty.csv"),
    (("cut.csv.gz",), 3, "cut.csv.gz"),
    (("ids.csv",), 3, "no column is left to model"),
    ((".",), 3, "cut.csv.gz cannot be read"),
]


@pytest.fixture(scope="module")
def folder(tables: Path) -> Path:
    """Tables that cannot be used, beside those that can."""
    (tables / "text.csv").write_text(
        "x,y\n1.5,2\n2.5,3\n" + "much,4\n" + "".join(f"{n}.{n},{n % 3}\n" for n in range(40))
    )
    (tables / "empty.csv").write_text("")
    (tables / "ids.csv").write_text("id\n" + "\n".join(str(n) for n in range(1, 60)) + "\n")
    (tables / "cut.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 5000)[:-30])
    return tables


@pytest.mark.parametrize(
    ("arguments", "code", "said"), BAD_FITS, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_a_fit_that_cannot_be_is_refused(
    tacit: Command,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(folder)
    done = tacit("fit", *arguments, "--out", tmp_path / "run")
    assert done.exit_code == code, done.output
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.output
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_model_that_needs_labels_is_refused(tacit: Command, tables: Path) -> None:
    done = tacit("fit", tables / "points.csv", "--model", "generative-classifier")
    assert done.exit_code == 2
    assert "say which, --target COLUMN" in " ".join(done.stderr.split())


def test_an_occupied_folder_is_refused_with_three_ways_out(tacit: Command, tables: Path, points_run: Path) -> None:
    done = tacit("fit", tables / "points.csv", "--out", points_run)
    said = " ".join(done.stderr.split())
    assert done.exit_code == 4
    assert "another --out" in said
    assert "--resume" in said
    assert "--overwrite" in said


def test_a_folder_of_other_things_is_left_alone(tacit: Command, tables: Path) -> None:
    before = sorted(tables.iterdir())
    few = ("--set", "components=1", "--set", "covariance=EII")
    for more in ((), ("--overwrite",), ("--resume",)):
        done = tacit("fit", tables / "points.csv", *few, "--out", tables, *more)
        assert done.exit_code == 4
        assert "not a run folder" in " ".join(done.stderr.split())
    assert sorted(tables.iterdir()) == before


def test_overwriting_replaces_a_run(tacit: Command, tables: Path, tmp_path: Path) -> None:
    few = ("--set", "components=1", "--set", "covariance=EII", "--out", tmp_path / "run")
    assert tacit("fit", tables / "points.csv", *few).exit_code == 0
    assert tacit("fit", tables / "points.csv", *few, "--overwrite", "--holdout", "0").exit_code == 0
    assert not (tmp_path / "run" / "calibration.safetensors").exists()


@pytest.mark.parametrize("command", ["score", "assign", "impute"])
def test_a_run_that_is_not_there_is_said_and_those_there_are(
    tacit: Command, tables: Path, points_run: Path, command: str
) -> None:
    done = tacit(command, points_run.parent / "pionts", tables / "new.csv")
    said = " ".join(done.stderr.split())
    assert done.exit_code == 4
    assert "is not there" in said
    assert points_run.name in said


@pytest.mark.parametrize("command", ["sample", "report"])
def test_a_folder_that_is_no_run_is_refused(tacit: Command, tables: Path, command: str) -> None:
    done = tacit(command, tables)
    assert done.exit_code == 4
    assert "is not a run" in " ".join(done.stderr.split())


def test_a_folder_that_is_no_run_is_shown_as_the_table_that_it_holds(tacit: Command, tmp_path: Path) -> None:
    for name, heading in (("one.csv", "a,b"), ("other.csv", "c,d")):
        (tmp_path / name).write_text(f"{heading}\n1,2\n3,4\n")
    done = tacit("show", tmp_path)
    assert done.exit_code == 3
    assert "one table" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"\x00" * 100),
        ("model.safetensors", b"not a model"),
        ("schema.json", b"{}"),
        ("config.toml", b"format = ["),
        ("metrics.json", b"[]"),
        ("calibration.safetensors", b"short"),
    ],
)
def test_a_damaged_run_is_named(
    tacit: Command, tables: Path, points_run: Path, tmp_path: Path, name: str, content: bytes
) -> None:
    for path in points_run.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).write_bytes(content)
    command = ("show", tmp_path) if name == "metrics.json" else ("score", tmp_path, tables / "new.csv")
    done = tacit(*command)
    assert done.exit_code == 4, done.output
    assert f"/{name}'" in " ".join(done.stderr.split())
    assert "Traceback" not in done.output


def test_new_rows_that_do_not_fit_the_model_are_refused(tacit: Command, points_run: Path) -> None:
    done = tacit("score", points_run, "-", stdin="left,rihgt\n1,2\n")
    assert done.exit_code == 3
    assert "lacks 1 column the model was fitted on: 'right'" in " ".join(done.stderr.split())
    done = tacit("score", points_run, "-", stdin="left,right\n1,2\n3,many\n")
    assert done.exit_code == 3
    assert "column 'right', row 2: 'many' is not a number" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--format", "excel"), 2, "say one of 'table', 'csv'"),
        (("--out", "rows.xlsx"), 3, "cannot tell the format"),
        (("--out", "nowhere/rows.csv"), 3, "cannot write"),
        (("--out", "rows.csv", "--format", "table"), 2, "not a drawn table"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tacit: Command,
    tables: Path,
    points_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: tuple[str, ...],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    done = tacit("score", points_run, tables / "new.csv", *more)
    assert done.exit_code == code
    assert said in " ".join(done.stderr.split())
    assert not list(tmp_path.iterdir())


def test_a_model_without_what_is_asked_says_so(tacit: Command, tables: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ("--model", "k-means", "--set", "components=2")
    assert tacit("fit", tables / "points.csv", *arguments, "--out", run).exit_code == 0
    assert tacit("assign", run, tables / "points.csv").exit_code == 0
    for command, said in (
        (("score", run, tables / "new.csv"), "no densities"),
        (("sample", run), "cannot make new rows"),
    ):
        done = tacit(*command)
        assert done.exit_code == 4
        assert said in " ".join(done.stderr.split())


def test_one_row_and_two(tacit: Command, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("x,y\n1.5,2\n")
    done = tacit("fit", tmp_path / "one.csv", "--out", tmp_path / "one")
    assert done.exit_code == 3
    assert "Traceback" not in done.output
    draw = np.random.default_rng(0).normal(size=(3, 1)).round(3)
    (tmp_path / "few.csv").write_text("x\n" + "\n".join(str(v) for v in draw.ravel()) + "\n")
    done = tacit("fit", tmp_path / "few.csv", "--set", "components=1", "--out", tmp_path / "few")
    assert done.exit_code == 0, done.output
    assert "There are only 2 rows" in " ".join(done.stdout.split())


def test_control_characters_never_reach_the_terminal(tacit: Command, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        '"a\x1b[31mred","b\x07"\n' + "\n".join(f"{n % 7}.5,{n % 5}.25" for n in range(30)) + "\n"
    )
    done = tacit(
        "fit", tmp_path / "t.csv", "--set", "components=1", "--set", "covariance=EII", "--out", tmp_path / "run"
    )
    assert done.exit_code == 0, done.output
    assert "\x1b[31m" not in done.output
    assert "\x07" not in done.output
    assert "a\\x1b[31mred" in done.stdout
    shown = tacit("sample", tmp_path / "run", "-n", 1, "--format", "table")
    assert "\x1b" not in shown.stdout
