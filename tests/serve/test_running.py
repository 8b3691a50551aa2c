"""Tokens, time limits, new models while the server runs, its end, and what it refuses to begin with."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from served import client_of, fit, rows_of, started
from tacit.cli import app
from tacit.serve import held, http
from tacit.serve.http import RequestLimits
from tacit.serve.running import Server, Settings
from tacit.workflow.errors import RequestError

SOURCE = Path(__file__).resolve().parents[2] / "src"
TOKEN = "a-long-secret-of-mine"


def test_a_token_is_asked_for_everywhere_but_of_health(points_run: Path) -> None:
    server, thread = started([str(points_run)], Settings(port=0, token=TOKEN))
    call = client_of(server.port)
    for path in ("/", "/points", "/metrics", "/openapi.json"):
        assert call("GET", path)[0] == 401
        assert call("GET", path, Authorization=f"Bearer {TOKEN}")[0] == 200
    assert call("GET", "/healthz")[0] == 200
    for wrong in ("Bearer ", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer \xe9\xff"):
        status, told = call("POST", "/points/score", rows_of(1), Authorization=wrong)
        assert status == 401
        assert TOKEN not in told["error"]
    assert call("POST", "/points/score", rows_of(1), Authorization=f"bearer {TOKEN}")[0] == 200
    assert call("GET", "/", Authorization=f"Bearer {TOKEN}", Host="models.example")[0] == 200
    server.stop()
    thread.join(15)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_addresses_need_a_token(points_run: Path, host: str) -> None:
    with pytest.raises(RequestError, match="token"):
        Server([str(points_run)], Settings(host=host, port=0))


def test_what_cannot_be_served_is_said_at_once(points_run: Path, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="8 signs"):
        Server([str(points_run)], Settings(port=0, token="short"))
    with pytest.raises(RequestError, match="NAME="):
        held.named([str(points_run), str(points_run)])
    with pytest.raises(RequestError, match="healthz"):
        held.named([f"healthz={points_run}"])
    assert set(held.named([f"a={points_run}", str(points_run)])) == {"a", "points"}
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(RequestError, match="port"):
        Server([str(points_run)], Settings(port=taken.getsockname()[1]))
    done = CliRunner().invoke(app, ["serve", str(tmp_path / "nothing")])
    assert done.exit_code == 4
    assert "nothing" in done.output


def test_slow_work_is_given_up_and_the_server_goes_on(points_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def slow(run: held.HeldRun, call: http.Call) -> tuple[bytes, int]:
        if call.parameters.get("seed") == "1":
            release.wait(20)
        return b"{}", 0

    monkeypatch.setattr(http, "answered", slow)
    limits = RequestLimits(seconds=1.5, threads=1, waiting=1)
    server, thread = started([str(points_run)], Settings(port=0, limits=limits))
    call = client_of(server.port)
    assert call("POST", "/points/sample", {})[0] == 200
    status, told = call("POST", "/points/sample?seed=1", {})
    assert (status, "1.5 seconds" in told["error"]) == (408, True)
    assert call("GET", "/healthz")[0] == 200
    assert call("POST", "/points/sample", {})[0] == 408  # it waited for the one thread
    release.set()
    time.sleep(0.2)
    assert call("POST", "/points/sample", {})[0] == 200
    server.stop()
    thread.join(15)


def test_too_many_are_told_to_come_again(points_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release, plain = threading.Event(), http.answered
    monkeypatch.setattr(http, "answered", lambda run, call: release.wait(20) and plain(run, call))
    server, thread = started([str(points_run)], Settings(port=0, limits=RequestLimits(threads=1, waiting=1)))
    call = client_of(server.port)
    found: list[int] = []
    askers = [threading.Thread(target=lambda: found.append(call("POST", "/points/sample", {})[0])) for _ in range(2)]
    for asker in askers:
        asker.start()
    time.sleep(0.5)
    assert call("POST", "/points/sample", {})[0] == 503
    release.set()
    for asker in askers:
        asker.join(15)
    assert found == [200, 200]
    server.stop()
    thread.join(15)


def test_a_slow_sender_is_given_up(points_run: Path) -> None:
    server, thread = started([str(points_run)], Settings(port=0, limits=RequestLimits(seconds=0.4)))
    head = b"POST /points/score HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head)
        assert b"408" in connection.recv(4096)
    server.stop()
    thread.join(15)


def test_a_new_model_is_taken_whole_and_a_broken_one_not(
    points: dict[str, object], points_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "LOOK_SECONDS", 0.0)
    other = fit({"left": points["left"]}, tmp_path / "other", "--model", "gaussian-mixture", "--set", "components=1")
    run = tmp_path / "live"
    shutil.copytree(points_run, run)
    server, thread = started([str(run)], Settings(port=0))
    call = client_of(server.port)
    score = call("POST", "/live/score", rows_of(1))[1]["rows"][0]["log_density"]
    kept = (run / "model.safetensors").read_bytes()
    (run / "model.safetensors").write_bytes(kept[:1000])
    status, told = call("POST", "/live/score", rows_of(1))
    assert (status, told["rows"][0]["log_density"]) == (200, score)
    (run / "model.safetensors").unlink()
    assert call("POST", "/live/score", rows_of(1))[0] == 200
    for path in other.iterdir():
        if path.is_file():
            shutil.copy(path, run)
    status, told = call("POST", "/live/score", {"rows": [{"left": 0.5}]})
    assert status == 200
    assert told["rows"][0]["log_density"] != score
    assert [each["name"] for each in call("GET", "/live")[1]["columns"]] == ["left"]
    assert b'tacit_reloads_total{run="live"} 1' in call("GET", "/metrics")[1]
    server.stop()
    thread.join(15)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_program_serves_and_ends_when_it_is_asked_to(points_run: Path, how: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tacit", "serve", str(points_run), "--port", str(port)]
    path = os.pathsep.join([str(SOURCE), os.environ.get("PYTHONPATH", "")])
    program = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path})
    try:
        assert program.stderr is not None
        assert f"127.0.0.1:{port}" in program.stderr.readline()
        call = client_of(port)
        for _ in range(100):
            try:
                assert call("POST", "/points/score", rows_of(1))[0] == 200
                break
            except OSError:
                time.sleep(0.1)
        program.send_signal(how)
        assert program.wait(20) in (0, -how, 128 + how)
        assert "Traceback" not in program.stderr.read()
    finally:
        program.kill()
        program.stderr.close()
