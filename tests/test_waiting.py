"""Nothing waits for ever, or in silence: programs that used to hang end, and Ctrl-C is heard while one runs."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tacit import waiting
from tacit.waiting import breakable, computing

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 240.0
"""A hundred times what the small cases take on an idle machine, and ten times what the others do."""
CASES = [
    ("one-program", 13),
    ("two-threads", 13),
    ("undelayed", 13),
    ("one-structure", 13),
    ("bayesian", 13),
    ("gaps", 9),
    ("deep", 13),
]


def as_users_have_it() -> dict[str, str]:
    """The environment without what the tests ask of the compiler and of BLAS."""
    kept = {name: value for name, value in os.environ.items() if name not in ("XLA_FLAGS", "OPENBLAS_NUM_THREADS")}
    return kept | {"PYTHONPATH": str(ROOT / "src")}


@pytest.mark.parametrize(("name", "columns"), CASES)
def test_programs_full_of_linear_algebra_end_on_two_processors(name: str, columns: int) -> None:
    command = [sys.executable, "-m", "benchmarks.waiting", name, str(columns)]
    done = subprocess.run(
        command, cwd=ROOT, env=as_users_have_it(), timeout=SECONDS, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


LONG = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is begun deaf to it
import jax, jax.numpy as jnp, numpy as np
from tacit.compute import compiled, side_by_side
from tacit.waiting import left_running
@compiled
def turn(x, times):
    return jax.lax.fori_loop(0, times, lambda _, a: jnp.tanh(a @ a), x)
few, many = np.asarray(1), np.asarray(10**7)
turn(jnp.ones((300, 300)), few)
print("begun", flush=True)
try:
    turn(jnp.ones((300, 300)), many) if sys.argv[1] == "alone" else side_by_side(
        lambda times: turn(jnp.ones((300, 300)), times), [many, many, many])
except KeyboardInterrupt:
    print("heard", left_running(), flush=True)
"""


@pytest.mark.parametrize("how", ["alone", "side by side"])
def test_control_c_is_heard_while_a_program_runs_and_again_when_python_ends(how: str) -> None:
    command, pipe = [sys.executable, "-c", LONG, how], subprocess.PIPE
    child = subprocess.Popen(command, env=as_users_have_it(), stdout=pipe, stderr=pipe, text=True)
    limit = threading.Timer(SECONDS, child.kill)
    limit.start()
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "begun\n"
        time.sleep(1.0)
        pressed = time.monotonic()
        child.send_signal(signal.SIGINT)
        assert child.stdout.readline() == "heard True\n"
        assert time.monotonic() - pressed < 5.0  # the program itself would take hours
        time.sleep(1.0)
        assert child.poll() is None  # Python waits for the program …
        child.send_signal(signal.SIGINT)
        assert child.wait(10.0) < 0  # … and no longer: the signal ends it
    finally:
        limit.cancel()
        child.kill()
        child.communicate()


def test_a_long_wait_is_said_with_the_size_of_the_table(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(waiting, "PATIENCE", 0.05)
    with caplog.at_level(logging.WARNING, "tacit"), computing("EM", (1290, 13), keeps=True):
        time.sleep(0.3)
    time.sleep(0.1)  # what was being said when it ended has been said
    said = [record.getMessage() for record in caplog.records]
    assert len(said) >= 2
    assert all("EM" in each and "1,290 rows" in each and "13 columns" in each and "Ctrl-C" in each for each in said)
    time.sleep(0.2)
    assert len(caplog.records) == len(said)


def test_a_short_wait_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    with computing("EM", (10, 2), keeps=True):
        assert breakable()
    assert not breakable()
    with computing("EM", (10, 2), keeps=False):
        assert not breakable()
    assert not caplog.records
