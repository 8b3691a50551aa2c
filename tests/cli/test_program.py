"""The program as a whole: help, version, exit codes, stack traces, pipes, what is imported when."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import tacit as library
from tacit.cli import failures, listing

Command = Callable[..., Result]
SOURCE = Path(library.__file__).parents[1]
COMMANDS = (
    *("fit", "compare", "demo", "score", "assign", "impute", "sample"),
    *("encode", "reconstruct", "interpolate", "manifold", "show", "report", "models"),
)
HEAVY = {"jax", "sklearn", "pyarrow", "scipy", "numpy", "matplotlib"}


def python(code: str, *arguments: object, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter that finds this tacit."""
    lines = f"import sys; sys.path.insert(0, {str(SOURCE)!r})\n{code}"
    command = [sys.executable, "-c", lines, *(str(each) for each in arguments)]
    return subprocess.run(command, check=False, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=300)


def test_help_lists_the_commands_and_the_exit_codes(tacit: Command) -> None:
    said = tacit("--help").stdout
    for command in COMMANDS:
        assert f"│ {command} " in said
    for code, meaning in failures.CODES.items():
        assert f"{code}: {meaning}" in said
    assert max(len(line) for line in said.splitlines()) <= 80


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_words_for_each_option(tacit: Command, command: str) -> None:
    done = tacit(command, "--help")
    assert done.exit_code == 0
    for line in done.stdout.splitlines():
        if "--" in line and "│ --" in line:
            assert len(line.strip("│ ").split("  ")) > 1, f"no words: {line}"


def test_help_loads_nothing_heavy() -> None:
    code = f"""
from tacit.cli import main
try:
    main()
except SystemExit as leaving:
    print("CODE", leaving.code, sorted({HEAVY!r} & set(sys.modules)))
"""
    done = python(code, "fit", "--help")
    assert "Find the groups in a table" in done.stdout
    assert done.stdout.splitlines()[-1] == "CODE 0 []"


REFUSED = """
import os
from typer.testing import CliRunner
from tacit.cli import app
run, table, folder = sys.argv[1:]
os.chdir(folder)
for arguments, code in [
    (["show", run], 0),
    (["score", "--help"], 0),
    (["fit", "gone.csv"], 3),
    (["fit", "gone.csv", "--model", "gaussian-mixture", "--set", "components=2"], 3),
    (["fit", table, "--target", "gone", "--model", "student-t-regression"], 3),
    (["fit", table, "--kind", "gone=count"], 3),
    (["fit", table, "--model", "gone"], 2),
    (["fit", table, "--set", "components"], 2),
    (["fit", table, "--set", "colour=3"], 2),
    (["fit", table, "--set", "covariance=foo"], 2),
    (["fit", table, "--set", "covariance=EEE,foo"], 2),
    (["fit", table, "--set", "components=x"], 2),
    (["fit", table, "--set", "inference=foo"], 2),
    (["fit", table, "--set", "tol=-1"], 2),
    (["fit", table, "--model", "k-means", "--set", "max_iter=x"], 2),
    (["fit", table, "--model", "vae", "--set", "activation=foo"], 2),
    (["fit", table, "--model", "vae", "--set", "hidden=x"], 2),
    (["fit", table, "--out", run], 4),
    (["score", "gone", table], 4),
    (["score", run, "gone.csv"], 3),
    (["predict", run, "wrong.csv"], 3),
    (["score", run, table, "--format", "gone"], 2),
]:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code, (arguments, done.output)
    loaded = {"jax", "sklearn", "equinox", "matplotlib"} & set(sys.modules)
    assert not loaded, (arguments, loaded)
print("all of them")
"""


def test_what_is_plainly_wrong_is_told_before_the_engine_is_loaded(
    points_run: Path, tables: Path, tmp_path: Path
) -> None:
    (tmp_path / "wrong.csv").write_text("up,down\n1,2\n")
    done = python(REFUSED, points_run, tables / "points.csv", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all of them\n"


MOST_PROGRAMS = 12
"""Programs that a first fit of a small table may compile; each takes a tenth of a second to trace and to build."""
FITTED = """
import tacit, jax
programs = []
jax.monitoring.register_event_duration_secs_listener(
    lambda event, _, **more: programs.append(event) if "backend_compile" in event else None
)
sys.argv = ["tacit", "fit", *sys.argv[1:]]
from tacit.cli import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
parts = ("scipy.stats.", "scipy.optimize.", "sklearn.metrics.", "tensorboard.", "pandas.", "polars.", "numpyro.")
print("LOADED", [name for name in sys.modules if name.startswith(parts)], len(programs))
"""


@pytest.mark.parametrize(("table", "programs"), [("points.csv", 0), ("mixed.csv", MOST_PROGRAMS)])
def test_a_small_fit_with_its_report_loads_and_compiles_no_more_than_it_needs(
    tables: Path, tmp_path: Path, table: str, programs: int
) -> None:
    done = python(FITTED, tables / table, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "report.html").exists()
    _, loaded, number = done.stdout.splitlines()[-1].split(maxsplit=2)
    assert (loaded, int(number) <= programs) == ("[]", True), done.stdout[-500:]


def test_compiled_programs_are_kept_in_the_users_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TACIT_CACHE_DIR", str(tmp_path / "cache"))
    code = "sys.argv[0] = 'tacit'\nfrom tacit.cli import main\nmain()"
    table = tmp_path / "t.csv"
    table.write_text("left,right\n" + "".join(f"{i % 7 + 0.5},{i * i % 11}.5\n" for i in range(40)))
    fit = ("fit", table, "--model", "vae", "--set", "max_epochs=1", "--set", "latent=1", "--out", tmp_path / "run")
    assert python(code, *fit).returncode == 0  # few other models of small tables compile anything
    assert list((tmp_path / "cache").iterdir())


def test_the_version(tacit: Command) -> None:
    assert tacit("--version").stdout == f"tacit {library.__version__}\n"


def test_nothing_asked_shows_the_help(tacit: Command) -> None:
    assert "Usage" in tacit().output
    assert "Usage" in tacit("fit").output


@pytest.mark.parametrize("arguments", [("fly",), ("fit", "a.csv", "--fly"), ("fit", "a.csv", "--holdout", "2")])
def test_what_the_parser_refuses_is_a_usage_error(tacit: Command, arguments: tuple[str, ...]) -> None:
    done = tacit(*arguments)
    assert done.exit_code == 2
    assert "Usage" in done.stderr


def _broken(*_: object) -> None:
    raise RuntimeError("the moon is down")


def test_the_unexpected_has_a_code_a_hint_and_no_trace(tacit: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "models", _broken)
    done = tacit("models")
    assert done.exit_code == 1
    assert "RuntimeError: the moon is down" in done.stderr
    assert "tacit --debug" in done.stderr
    assert "Traceback" not in done.output
    shown = tacit("--debug", "models")
    assert shown.exit_code == 1
    assert "Traceback" in shown.stderr
    assert "_broken" in shown.stderr
    assert "Traceback" not in tacit("models").output


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (MemoryError(), 1, "not enough memory"),
        (PermissionError(13, "Permission denied", "/a/b"), 4, "Permission denied ('/a/b')"),
        (OSError(28, "No space left on device"), 4, "No space left on device"),
        (FileNotFoundError("the run has no trace.csv"), 4, "the run has no trace.csv"),
        (ValueError("tol must be\n  at least 0"), 3, "tol must be at least 0"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C"),
        (TypeError(), 1, "TypeError: no words"),
        (BrokenPipeError(), 141, ""),
    ],
)
def test_every_error_ends_in_words_and_a_code(
    tacit: Command, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(listing, "models", fails)
    monkeypatch.setattr(failures, "_let_go_of_stdout", lambda: None)
    done = tacit("models")
    assert done.exit_code == code
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_a_reader_that_goes_away_is_no_error() -> None:
    code = "from tacit.cli import main\nsys.argv[0] = 'tacit'\nmain()"
    lines = f"import sys; sys.path.insert(0, {str(SOURCE)!r})\n{code}"
    command = [sys.executable, "-c", lines, "models", "--format", "csv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.close()
        said = running.stderr.read().decode()
        assert running.wait(timeout=300) == 141
    assert said == ""


def test_the_models_are_listed_for_people_and_for_programs(tacit: Command, rows_of: Callable) -> None:
    rows = rows_of(tacit("models").stdout)
    assert [row["model"] for row in rows] == list(library.registry.names())
    assert all(row["about"] and row["settings"] for row in rows)
    for row in rows:
        can = row["can"].split(", ")
        predicts = "fit --target" in can
        assert predicts == ("predict" in can)
        assert ("score" in can) == (predicts or hasattr(library.registry.get(row["model"]), "score_samples"))
    drawn = tacit("models", "--format", "table").stdout
    assert all(row["model"] in drawn for row in rows)
