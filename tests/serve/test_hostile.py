"""Bodies that are wrong, broken or meant to do harm: refused with a reason, and the server goes on."""

import http.client
import json
import socket
import struct

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
import pytest

from served import Client, rows_of
from tacit.serve.bodies import ARROW
from tacit.serve.running import Server

GOOD = {"left": 0.5, "right": 48.0}


def stream(table: pa.Table, **options: object) -> bytes:
    """A table as Arrow has it."""
    sink = pa.BufferOutputStream()
    with ipc.new_stream(sink, table.schema, options=ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def refused(found: tuple[int, object], status: int, *words: str) -> None:
    """Refused in plain words: no trace, no folder, no class of Python."""
    assert found[0] == status, found
    said = found[1]
    assert isinstance(said, dict)
    assert set(said) == {"status", "error"}
    for word in words:
        assert word in said["error"]
    for bad in ("Traceback", "/tmp", ".py", "site-packages", "object at 0x"):
        assert bad not in said["error"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ["takes rows"]),
        (b"{", ["not JSON"]),
        (b"null", ["JSON object"]),
        (b"17", ["JSON object"]),
        (b'"rows"', ["JSON object"]),
        (b"\xff\xfe{}", ["UTF-8"]),
        (b"[" * 100_000, ["nested"]),
        (b'{"rows":' * 20_000, ["nested"]),
        (b'{"rows": [{"left": 1e999, "right": 1.0}]}', ["left", "infinite"]),
        (b'{"rows": [{"left": NaN, "right": 1.0}]}', ["NaN"]),
        (b'{"rows": [{"left": -Infinity, "right": 1.0}]}', ["Infinity"]),
        (b'{"rows": [{"left": ' + b"9" * 5000 + b', "right": 1.0}]}', ["JSON"]),
        (b'{"rows": [{"left": ' + b"9" * 400 + b', "right": 1.5}]}', ["left", "too large"]),
        (b'{"rows": [{"left": "\\ud800", "right": 1.0}]}', ["left"]),
        ({"rows": []}, ["no rows"]),
        ({"rows": {}}, ["list"]),
        ({"rows": [1, 2]}, ["row 1"]),
        ({"rows": [{}]}, ["no columns"]),
        ({"rows": [GOOD, None]}, ["row 2"]),
        ({"rows": [{"up": 1.0}]}, ["left", "right"]),
        ({"rows": [{"left": "far", "right": 1.0}]}, ["left", "row 1", "number"]),
        ({"rows": [GOOD, {"left": "far", "right": 1.0}]}, ["left"]),
        ({"rows": [{"left": [1.0], "right": 1.0}]}, ["left", "list"]),
        ({"rows": [{"left": {"a": 1}, "right": 1.0}]}, ["left", "object"]),
        ({"rows": [{"left": True, "right": 1.0}, GOOD]}, ["left", "kinds"]),
        ({"rows": [[1.0, 2.0]]}, ["row 1"]),
        ({"rows": [[1.0]], "columns": ["left", "right"]}, ["row 1"]),
        ({"rows": [[1.0, 2.0]], "columns": ["left", "left"]}, ["twice"]),
        ({"rows": [[1.0]], "columns": "left"}, ["columns"]),
        ({"columns": ["left"]}, ["no rows"]),
        ({"rows": [GOOD], "alarn": 0.1}, ["alarn", "alarm"]),
        ({"rows": [GOOD], "alarm": 2}, ["alarm", "between"]),
        ({"rows": [GOOD], "alarm": "often"}, ["alarm", "number"]),
        ({"rows": [GOOD], "alarm": True}, ["alarm", "number"]),
        ({"rows": [GOOD], "explain": -1}, ["explain"]),
        ({"rows": [GOOD], "explain": 1.5}, ["explain"]),
        ({"rows": [GOOD], "unseen": "perhaps"}, ["unseen"]),
    ],
)
def test_bodies_that_cannot_be_are_told_why(call: Client, body: object, words: list[str]) -> None:
    refused(call("POST", "/points/score", body), 400, *words)


def test_levels_and_kinds_of_the_run_hold(call: Client) -> None:
    row = {"spend": 20.0, "visits": 2, "city": "Rome"}
    refused(call("POST", "/people/score", {"rows": [row | {"city": "Atlantis"}]}), 400, "Atlantis", "Oslo", "unseen")
    assert call("POST", "/people/score", {"rows": [row | {"city": "Atlantis"}], "unseen": True})[0] == 200
    refused(call("POST", "/people/score", {"rows": [row | {"visits": -2}]}), 400, "visits", "negative")
    refused(call("POST", "/people/score", {"rows": [row | {"visits": 2.5}]}), 400, "visits", "whole")


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/people/query", {"questions": ["P(income > 3)"]}, ["income"]),
        ("/people/query", {"questions": ["__import__('os')"]}, []),
        ("/people/query", {"questions": "P(" * 3000}, []),
        ("/people/query", {"questions": [3]}, ["questions"]),
        ("/people/sample", {"given": {"city": ["Rome"]}}, ["given"]),
        ("/people/sample", {"given": ["town=Rome"]}, ["town"]),
        ("/people/sample", {"number": 0}, ["number"]),
        ("/people/sample", {"number": 1e300}, ["number"]),
        ("/people/sample", {"seed": -1}, ["seed"]),
        ("/people/sample", {"rows": [{"city": "Rome"}]}, ["no rows"]),
        ("/cost/score", {"rows": [GOOD]}, ["price"]),
    ],
)
def test_other_paths_refuse_too(call: Client, path: str, body: object, words: list[str]) -> None:
    refused(call("POST", path, body), 400, *words)


def test_sizes_are_limited(call: Client) -> None:
    refused(call("POST", "/points/score", rows_of(501)), 413, "500")
    refused(call("POST", "/points/score", b" " * 200_001), 413, "200000")
    refused(call("POST", "/people/sample", {"number": 501}), 413, "500")
    gap = {"spend": None, "visits": 2, "city": "Rome"}
    refused(call("POST", "/people/impute", {"rows": [gap] * 6, "draws": 100}), 413)
    refused(call("POST", "/people/query", {"rows": [gap] * 6, "draws": 100}), 413)
    refused(call("POST", "/people/query", {"questions": ["mean(spend)"] * 101}), 413, "100")
    assert call("POST", "/points/score", rows_of(500))[0] == 200


def test_addresses_methods_and_types_are_refused(call: Client) -> None:
    refused(call("GET", "/nowhere"), 404)
    refused(call("GET", "/../etc/passwd"), 404)
    refused(call("POST", "/points/predict", rows_of(1)), 404, "score")
    refused(call("POST", "/nowhere/score", rows_of(1)), 404)
    refused(call("GET", "/points/score"), 405)
    refused(call("DELETE", "/points"), 405)
    refused(call("POST", "/points/score", b"left,right\n1,2", Content_Type="text/csv"), 415, "text/csv")
    refused(call("POST", "/points/score", b"\x1f\x8b", Content_Encoding="gzip"), 415)
    refused(call("GET", "/", Host="evil.example"), 403)


def test_damaged_arrow_is_refused(call: Client) -> None:
    whole = stream(pa.table({"left": [0.5, 1.5], "right": [48.0, 47.0]}))
    assert call("POST", "/points/score", whole, Content_Type=ARROW)[0] == 200
    draw = np.random.default_rng(0)
    for place in range(120):
        broken = bytearray(whole)
        if place < 40:
            del broken[draw.integers(len(whole)) :]
        else:
            for at in draw.integers(0, len(whole), 3):
                broken[at] = draw.integers(256)
        status, told = call("POST", "/points/score", bytes(broken), Content_Type=ARROW)
        assert status in (200, 400, 413, 415), told
    refused(call("POST", "/points/score", draw.bytes(5000), Content_Type=ARROW), 400, "Arrow")
    assert call("GET", "/healthz")[0] == 200


def test_arrow_that_unfolds_is_refused(call: Client) -> None:
    zeros = pa.table({"left": np.zeros(400_000), "right": np.zeros(400_000)})
    refused(call("POST", "/points/score", stream(zeros, compression="zstd"), Content_Type=ARROW), 415, "compressed")
    nothing = pa.table({"left": pa.nulls(10**9), "right": pa.nulls(10**9)})
    refused(call("POST", "/points/score", stream(nothing), Content_Type=ARROW), 413, "500")
    nested = pa.table({"left": [[1.0]], "right": [{"a": 1}]})
    refused(call("POST", "/points/score", stream(nested), Content_Type=ARROW), 400, "left")
    twice = pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], ["left", "left"])
    refused(call("POST", "/points/score", stream(twice), Content_Type=ARROW), 400, "twice")


def test_lies_about_the_length_and_half_requests_do_no_harm(server: Server, call: Client) -> None:
    head = b"POST /points/score HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    for more in (
        b"Content-Length: 99999999999999999999\r\n\r\n{}",
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: 50\r\n\r\n{",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(head + more)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(4096)
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(struct.pack("<16I", *range(16)) + b"\r\n\r\n")
        connection.recv(4096)
    assert call("GET", "/healthz")[0] == 200


def test_a_body_without_a_length_is_counted(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    parts = iter([b" " * 100_000] * 3)
    connection.request("POST", "/points/score", parts, {"Content-Type": "application/json"}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 413
    assert "200000" in json.loads(answer.read())["error"]
    connection.close()
