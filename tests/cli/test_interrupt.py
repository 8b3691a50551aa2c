"""Ctrl-C keeps the best so far; a fit that was killed, or stopped, goes on to the same result."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from tacit.cli.progress import Watch
from tacit.inference.watch import Progress
from tacit.storage import ModelFileError, RunFolder
from tacit.workflow import fitting

Command = Callable[..., Result]
ASKED = ("--set", "components=2-3", "--set", "covariance=EII,VVI", "--set", "tol=1e-9")


def press_at(look: int) -> Callable[[Watch, Progress], None]:
    """Ctrl-C when a fit is looked at for the so-manieth time."""
    seen, own = [], Watch.look

    def looked(watch: Watch, progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == look:
            os.kill(os.getpid(), signal.SIGINT)
        own(watch, progress)

    return looked


@pytest.fixture(scope="module")
def unbroken(tacit: Command, tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same fit, left alone."""
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    assert tacit("fit", tables / "points.csv", *ASKED, "--out", folder).exit_code == 0
    return folder


def assert_same(one: Path, other: Path) -> None:
    first, second = RunFolder(one), RunFolder(other)
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_array_equal(getattr(first.model(), name), getattr(second.model(), name))
    np.testing.assert_array_equal(first.trace()["bound"], second.trace()["bound"])
    assert first.metrics()["choice"] == second.metrics()["choice"]
    assert first.metrics()["held_out"] == second.metrics()["held_out"]


def test_control_c_in_a_fit_keeps_the_best_so_far_and_the_run_goes_on_from_there(
    tacit: Command, tables: Path, unbroken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(Watch, "look", press_at(2))
        stopped = tacit("fit", tables / "points.csv", *ASKED, "--out", run)
    assert stopped.exit_code == 130, stopped.output
    assert "Stopped by Ctrl-C" in stopped.stdout
    assert f"--out {run} --resume" in " ".join(stopped.stdout.split())
    told = RunFolder(run).metrics()
    assert told["interrupted"] is True
    assert told["fit"]["stop_reason"] == "interrupted"
    tried = {row["covariance"] for row in told["choice"]["candidates"]}
    assert tried == {"EII"}
    assert "had not settled" in stopped.stdout
    assert list(RunFolder(run).checkpoint_folder.glob("*.safetensors"))
    assert np.isfinite(told["held_out"]["nats"])
    resumed = tacit("fit", tables / "points.csv", *ASKED, "--out", run, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert RunFolder(run).metrics()["interrupted"] is False
    assert not RunFolder(run).checkpoint_folder.exists()
    assert_same(run, unbroken)


def test_control_c_before_the_first_fit_still_gives_a_model(
    tacit: Command, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Watch, "stage", lambda *_: os.kill(os.getpid(), signal.SIGINT))
    stopped = tacit("fit", tables / "points.csv", *ASKED, "--out", tmp_path / "run")
    assert stopped.exit_code == 130, stopped.output
    told = RunFolder(tmp_path / "run").metrics()
    assert told["interrupted"] is True
    assert not any(row["converged"] for row in told["choice"]["candidates"])
    assert np.isfinite(told["held_out"]["nats"])


def test_a_second_control_c_leaves_at_once(
    tacit: Command, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stage(watch: Watch, words: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Watch, "stage", stage)
    before = signal.getsignal(signal.SIGINT)
    stopped = tacit("fit", tables / "points.csv", *ASKED, "--out", tmp_path / "run")
    assert stopped.exit_code == 130
    assert "before anything was written" in stopped.stderr
    assert "--resume goes on" in stopped.stderr
    assert not RunFolder(tmp_path / "run").finished
    assert signal.getsignal(signal.SIGINT) is before


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv.pop(1))
from tacit.cli import main
from tacit.workflow import fitting
from tacit.cli.progress import Watch
fitting.EVERY = 0.0
looks = []
def look(watch, progress):
    looks.append(progress)
    if len(looks) == 5:
        os.kill(os.getpid(), signal.SIGKILL)
Watch.look = look
main()
"""


def test_a_killed_fit_resumes_to_the_same_bits(tacit: Command, tables: Path, unbroken: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    source = str(Path(fitting.__file__).parents[2])
    command = [sys.executable, "-c", KILLED, source, "fit", str(tables / "points.csv"), *ASKED, "--out", str(run)]
    died = subprocess.run(command, check=False, capture_output=True, timeout=300)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert list(RunFolder(run).checkpoint_folder.glob("*.safetensors"))
    assert not RunFolder(run).finished
    asked = tacit("score", run, tables / "points.csv")
    assert asked.exit_code == 4
    assert "was not finished. Go on with it" in " ".join(asked.stderr.split())
    resumed = tacit("fit", tables / "points.csv", *ASKED, "--out", run, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert_same(run, unbroken)


def test_a_fit_is_resumed_with_the_same_settings_only(
    tacit: Command, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(Watch, "look", press_at(1))
        assert tacit("fit", tables / "points.csv", *ASKED, "--out", run).exit_code == 130
    other = tacit("fit", tables / "points.csv", *ASKED, "--out", run, "--resume", "--holdout", "0.3")
    assert other.exit_code == 4
    assert "other settings or other data" in " ".join(other.stderr.split())


def test_a_finished_fit_has_nothing_to_resume(tacit: Command, tables: Path, unbroken: Path) -> None:
    done = tacit("fit", tables / "points.csv", *ASKED, "--out", unbroken, "--resume")
    assert done.exit_code == 0
    assert "there is nothing to go on with" in " ".join(done.stdout.split())


def test_resuming_what_never_began_begins_it(tacit: Command, tables: Path, tmp_path: Path) -> None:
    few = ("--set", "components=1", "--set", "covariance=EII")
    done = tacit("fit", tables / "points.csv", *few, "--out", tmp_path / "run", "--resume")
    assert done.exit_code == 0, done.output
    with pytest.raises(ModelFileError):
        RunFolder.create(tmp_path / "run", RunFolder(tmp_path / "run").config())


HOLDING = """
import sys, time
sys.path.insert(0, {source!r})
from tacit.cli import app
from tacit.workflow import fitting
def choose(*_):
    print("fitting", flush=True)
    time.sleep(600)
fitting.choose = choose
app(["fit", {table!r}, "--set", "components=2", "--set", "covariance=EII", "--out", {run!r}])
"""


def test_a_second_fit_into_the_same_folder_is_refused(tacit: Command, tables: Path, tmp_path: Path) -> None:
    run, source = tmp_path / "run", Path(fitting.__file__).parents[2]
    script = HOLDING.format(source=str(source), table=str(tables / "points.csv"), run=str(run))
    first = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        while (line := first.stdout.readline()) != "fitting\n":
            assert line, "it ended before it fitted"
        unfinished = run / ".model.safetensors.0123.part"
        unfinished.write_text("half")
        asked = ("fit", tables / "points.csv", "--set", "components=2", "--set", "covariance=EII", "--out", run)
        before = sorted(path.name for path in run.rglob("*"))
        for more in ((), ("--resume",), ("--overwrite",)):
            second = tacit(*asked, *more)
            assert second.exit_code == 4, second.output
            said = " ".join(second.stderr.split())
            assert f"process {first.pid} on" in said
            assert "is running" in said
            assert sorted(path.name for path in run.rglob("*")) == before
    finally:
        first.kill()
        first.wait()
        first.stdout.close()
    assert "holds a run already" in " ".join(tacit(*asked).stderr.split())
    resumed = tacit(*asked, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert RunFolder(run).finished
    assert not (run / ".lock").exists()
