"""Serving: one row in this process, and a load generator against `tacit serve` over a socket."""

import http.client
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
from sklearn.mixture import GaussianMixture

import tacit
from benchmarks.frame import Row, in_turn
from benchmarks.fresh import environment

TITLE = "Serving: one row, and requests over a socket"
NOTE = (
    "One row: processor milliseconds of a call on a fitted mixture of three Gaussians in six columns, warm. Requests: "
    "clients of the standard library with connections of their own, on the machine of the server, which they share."
)
SECONDS = 6.0
COLUMNS = 6


def _rows(number: int) -> np.ndarray:
    draw = np.random.default_rng(0)
    return draw.normal(np.arange(number)[:, None] % 3 * np.arange(1.0, COLUMNS + 1), 1.0)


def _milliseconds(call: Callable[[], object], times: int = 300) -> float:
    call()
    began = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - began) / times * 1e3


def _one_row(quick: bool) -> Iterator[Row]:
    rows = _rows(2000)
    ours, theirs = tacit.GaussianMixture(3, random_state=0).fit(rows), GaussianMixture(3, random_state=0).fit(rows)
    one = rows[:1]
    for name in ("score_samples", "predict_proba"):
        mine, peer = in_turn(
            lambda name=name: _milliseconds(lambda: getattr(ours, name)(one)),
            lambda name=name: _milliseconds(lambda: getattr(theirs, name)(one)),
            2 if quick else 5,
            60.0,
        )
        asked = "at most 0.5 ms"
        yield Row(f"{name}, 1 × {COLUMNS}", "ms", mine, peer, "scikit-learn", (), asked, float(np.median(mine)) <= 0.5)


def _asked(port: int, clients: int, rows: int) -> tuple[float, float, float]:
    """Requests a second, and the median and the 99th percentile of their milliseconds."""
    names = [f"x{place}" for place in range(COLUMNS)]
    body = json.dumps({"columns": names, "rows": _rows(rows).tolist()}).encode()
    spent: list[float] = []
    end = time.perf_counter() + SECONDS

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.perf_counter() < end:
            began = time.perf_counter()
            connection.request("POST", "/run/score", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"the server answered {answer.status}")
            spent.append(time.perf_counter() - began)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(spent) / SECONDS, *(1e3 * float(np.quantile(spent, share)) for share in (0.5, 0.99))


def _over_a_socket(folder: Path) -> Iterator[Row]:
    rows = _rows(2000)
    pacsv.write_csv(pa.table({f"x{place}": rows[:, place] for place in range(COLUMNS)}), folder / "data.csv")
    known = environment(folder / "cache") | {"PYTHONUNBUFFERED": "1"}
    program = [sys.executable, "-m", "tacit"]
    fitted = ["fit", str(folder / "data.csv"), "--out", str(folder / "run"), "--set", "components=3"]
    subprocess.run([*program, *fitted, "--model", "gaussian-mixture"], check=True, env=known, capture_output=True)
    began = time.perf_counter()
    served = subprocess.Popen(
        [*program, "serve", str(folder / "run"), "--port", "0"], env=known, stderr=subprocess.PIPE, text=True
    )
    try:
        if served.stderr is None:
            raise RuntimeError("the server has no standard error")
        port = int(served.stderr.readline().split(" (")[0].rsplit(":", 1)[1])
        yield Row("from the command to the open port", "s", (time.perf_counter() - began,))
        for clients, many in ((1, 1), (4, 1), (2, 1000)):
            rate, middle, last = _asked(port, clients, many)
            what = f"{clients} client{'s' if clients > 1 else ''}, {many} row{'s' if many > 1 else ''} a request"
            note = f"median {middle:.1f} ms, p99 {last:.1f} ms"
            yield Row(what, "requests/s", (rate,), note=note)
    finally:
        served.send_signal(signal.SIGTERM)
        served.wait(20)


def run(quick: bool) -> Iterator[Row]:
    """One row, then requests."""
    yield from _one_row(quick)
    with tempfile.TemporaryDirectory() as folder:
        yield from _over_a_socket(Path(folder))


if __name__ == "__main__":
    for row in run(os.environ.get("QUICK") == "1"):
        print(row.what, row.unit, *(f"{figure:.3g}" for figure in row.ours), "|", row.peer[:3], row.note)
