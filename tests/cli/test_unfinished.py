"""A run is finished when all its parts are there; full disks and users without a home."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from tacit import compute, files
from tacit.storage import RunFolder
from tacit.storage.run import METRICS, REPORT
from tacit.workflow import fitting, runs

Command = Callable[..., Result]
ASKED = ("--set", "components=2", "--set", "covariance=EII")


def _words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("where", ["judge", "write_report"])
def test_control_c_after_the_fit_leaves_a_run_that_goes_on(
    tacit: Command, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def pressed(*_: Any) -> None:
        raise KeyboardInterrupt

    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(fitting, where, pressed)
        stopped = tacit("fit", tables / "points.csv", *ASKED, "--out", run)
    assert stopped.exit_code == 130
    assert "--resume goes on" in _words(stopped.stderr)
    assert not RunFolder(run).finished
    done = tacit("fit", tables / "points.csv", *ASKED, "--out", run, "--resume")
    assert done.exit_code == 0, done.output
    assert {METRICS, REPORT} <= set(RunFolder(run).files())
    assert RunFolder(run).finished


@pytest.mark.parametrize("lost", [REPORT, METRICS])
def test_resume_writes_what_is_missing(
    tacit: Command, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    monkeypatch.setattr(runs, "write_report", lambda path, *_: path.write_text("<!DOCTYPE html>") and path)
    run = tmp_path / "run"
    assert tacit("fit", tables / "points.csv", *ASKED, "--out", run).exit_code == 0
    means = RunFolder(run).model().means_
    (run / lost).unlink()
    done = tacit("fit", tables / "points.csv", *ASKED, "--out", run, "--resume")
    assert done.exit_code == 0, done.output
    assert (run / lost).is_file()
    assert ("Its report was missing" in _words(done.stdout)) == (lost == REPORT)
    np.testing.assert_array_equal(RunFolder(run).model().means_, means)
    again = tacit("fit", tables / "points.csv", *ASKED, "--out", run, "--resume")
    assert "nothing to go on with" in _words(again.stdout)


@pytest.mark.parametrize("name", [REPORT, "model.safetensors", METRICS, "trace.csv"])
def test_a_full_disk_is_named_with_the_path_and_what_is_free(
    tacit: Command, tables: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run, real = tmp_path / "run", os.fsync
    monkeypatch.setattr(fitting, "write_report", lambda path, *_: files.write_atomically(path, "<!DOCTYPE html>"))

    def full(number: int) -> None:
        if f".{name}." in os.readlink(f"/proc/self/fd/{number}"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(number)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        stopped = tacit("fit", tables / "points.csv", *ASKED, "--out", run)
    assert stopped.exit_code == 4, stopped.output
    told = _words(stopped.stderr).replace(" ", "")  # paths are broken where the line ends
    assert f"{run / name}'couldnotbewritten,foritsdiskisfull:" in told
    assert "freein" in told
    assert not RunFolder(run).finished
    assert not list(run.glob(".*.part"))
    done = tacit("fit", tables / "points.csv", *ASKED, "--out", run, "--resume")
    assert done.exit_code == 0, done.output
    assert RunFolder(run).finished


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv.pop(1))
from tacit.cli import main
from tacit.workflow import fitting
def write_report(*_):
    os.kill(os.getpid(), signal.SIGKILL)
fitting.write_report = write_report
main()
"""


def test_a_kill_while_the_report_is_written_leaves_a_run_that_goes_on(
    tacit: Command, tables: Path, tmp_path: Path
) -> None:
    run, source = tmp_path / "run", str(Path(fitting.__file__).parents[2])
    command = [sys.executable, "-c", KILLED, source, "fit", str(tables / "points.csv"), *ASKED, "--out", str(run)]
    died = subprocess.run(command, check=False, capture_output=True, timeout=300)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not RunFolder(run).finished
    assert tacit("fit", tables / "points.csv", *ASKED, "--out", run, "--resume").exit_code == 0
    assert RunFolder(run).finished
    assert REPORT in RunFolder(run).files()


def test_a_user_without_a_home_has_a_cache_among_the_temporary_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("TACIT_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert compute.cache_directory() == tmp_path / f"tacit-{os.getuid()}" / ".cache" / "tacit" / "compiled"
