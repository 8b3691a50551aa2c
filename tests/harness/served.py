"""What tests of the server share: runs, servers on a port of the system's choice, a client over a socket."""

import http.client
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
from typer.testing import CliRunner

from tacit.cli import app
from tacit.serve.running import Server, Settings

Client = Callable[..., tuple[int, Any]]


def rows_of(number: int) -> dict[str, Any]:
    """A body of so many points."""
    return {"rows": [{"left": 0.5 + place, "right": 40.0} for place in range(number)]}


def fit(table: dict[str, object], folder: Path, *more: object) -> Path:
    """A run of a table."""
    data = folder.with_suffix(".csv")
    pacsv.write_csv(pa.table({name: pa.array(column, from_pandas=True) for name, column in table.items()}), data)
    done = CliRunner().invoke(app, ["fit", str(data), "--out", str(folder), *map(str, more)])
    assert done.exit_code == 0, done.output
    return folder


def started(places: list[str], settings: Settings) -> tuple[Server, threading.Thread]:
    """A server that runs in a thread."""
    server = Server(places, settings)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    return server, thread


def client_of(port: int) -> Client:
    """``call("POST", "/run/score", body, **headers)`` → status and what came back."""

    def call(method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        content = body if isinstance(body, bytes | type(None)) else json.dumps(body).encode()
        said = {"Content-Type": "application/json"} | {name.replace("_", "-"): each for name, each in headers.items()}
        try:
            connection.request(method, path, content, said)
            answer = connection.getresponse()
            read = answer.read()
        finally:
            connection.close()
        plain = (answer.getheader("content-type") or "").startswith("application/json")
        return answer.status, json.loads(read) if plain else read

    return call
