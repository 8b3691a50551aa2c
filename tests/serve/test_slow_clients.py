"""Clients that say nothing, speak slowly or do not read, and too many bytes at once: none holds the server."""

import json
import socket
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from served import client_of, rows_of, started
from tacit.serve import http, running
from tacit.serve.http import RequestLimits
from tacit.serve.running import Server, Settings

HEAD = b"POST /points/%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"


def drawn(number: int) -> bytes:
    """A request of so many rows."""
    body = json.dumps({"number": number}).encode()
    return HEAD % (b"sample", len(body)) + body


def reader_of_nothing(port: int) -> socket.socket:
    """A connection that asks twice for more than the system takes in, and reads nothing of it."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.sendall(2 * drawn(100_000))
    return connection


def ended(connection: socket.socket, seconds: float) -> bool:
    """Whether the server ends a connection in so many seconds."""
    connection.settimeout(seconds)
    try:
        while connection.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def test_an_answer_that_is_not_read_does_not_keep_the_server_from_its_end(points_run: Path) -> None:
    server, thread = started([str(points_run)], Settings(port=0, grace=1.0))
    counted = server.service.counts
    with reader_of_nothing(server.port):
        for _ in range(200):
            if 'path="sample",code="200"} ' in counted.text({}):
                break
            time.sleep(0.1)
        time.sleep(0.5)  # the second request waits for the first answer to be read
        server.stop()
        thread.join(20)
        assert not thread.is_alive()


def test_who_does_not_read_or_speak_is_cut_off(points_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "QUIET_SECONDS", 1)
    server, thread = started([str(points_run)], Settings(port=0))
    address = ("127.0.0.1", server.port)
    with (
        reader_of_nothing(server.port) as unread,
        socket.create_connection(address) as silent,
        socket.create_connection(address) as slow,
    ):
        slow.sendall(b"GET /healthz HT")
        begun = time.monotonic()
        assert ended(silent, 20)
        assert ended(slow, 20)
        assert time.monotonic() - begun > 0.5
        time.sleep(5)
        assert ended(unread, 20)
    assert client_of(server.port)("GET", "/healthz")[0] == 200
    server.stop()
    thread.join(30)
    assert not thread.is_alive()


def test_a_connection_that_is_used_stays_open(points_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "QUIET_SECONDS", 3)
    server, thread = started([str(points_run)], Settings(port=0))
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.connect()
    used = connection.sock
    for _ in range(8):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read()
        time.sleep(0.7)
    assert connection.sock is used
    connection.close()
    server.stop()
    thread.join(30)


def test_bodies_that_are_held_at_once_are_limited(points_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_BODIES", 2)
    server, thread = started([str(points_run)], Settings(port=0, limits=RequestLimits(body=1000)))
    call = client_of(server.port)
    with (
        socket.create_connection(("127.0.0.1", server.port)) as first,
        socket.create_connection(("127.0.0.1", server.port)) as second,
    ):
        for connection in (first, second):
            connection.sendall(HEAD % (b"score", 1000) + b" " * 990)
        for _ in range(100):
            status, told = call("POST", "/points/score", rows_of(1))
            if status == 503:
                break
            time.sleep(0.1)
        assert (status, "at once" in told["error"]) == (503, True)
    for _ in range(100):
        if call("POST", "/points/score", rows_of(1))[0] == 200:
            break
        time.sleep(0.1)
    assert call("POST", "/points/score", rows_of(1))[0] == 200
    server.stop()
    thread.join(30)


def test_work_that_was_given_up_is_known(points_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(http, "answered", lambda run, call: release.wait(30) and (b"{}", 0))
    server, thread = started([str(points_run)], Settings(port=0, grace=1.0, limits=RequestLimits(seconds=0.3)))
    assert client_of(server.port)("POST", "/points/sample", {})[0] == 408
    server.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert server.service.working
    release.set()
    for _ in range(100):
        if not server.service.working:
            break
        time.sleep(0.05)
    assert not server.service.working


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.2:8000", 200), ("LOCALHOST", 200), ("[::1]:80", 200), ("", 200), ("127.0.0.1.evil.example", 403)],
)
def test_names_of_the_own_machine_are_answered(server: Server, host: str, status: int) -> None:
    assert client_of(server.port)("GET", "/", Host=host)[0] == status


def test_nobody_is_sent_to_where_he_says_himself(server: Server) -> None:
    assert client_of(server.port)("GET", "/points/", Host="localhost")[0] == 404
    assert client_of(server.port)("POST", "/points/score/", rows_of(1))[0] == 404
