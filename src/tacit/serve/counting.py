"""Figures of a server as Prometheus reads them: requests, errors, rows and seconds, by run and by what was asked."""

import collections
import threading
from collections.abc import Mapping

ENDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the classes of seconds."""
Key = tuple[str, str]


class ServedCounts:
    """Counters that several threads may add to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str, int], int] = collections.defaultdict(int)
        self._rows: dict[Key, int] = collections.defaultdict(int)
        self._seconds: dict[Key, float] = collections.defaultdict(float)
        self._classes: dict[Key, list[int]] = collections.defaultdict(lambda: [0] * (len(ENDS) + 1))

    def add(self, run: str, path: str, status: int, seconds: float, rows: int) -> None:
        """A request was answered."""
        place = next((at for at, end in enumerate(ENDS) if seconds <= end), len(ENDS))
        with self._lock:
            self._requests[run, path, status] += 1
            self._rows[run, path] += rows
            self._seconds[run, path] += seconds
            self._classes[run, path][place] += 1

    def text(self, reloads: Mapping[str, int]) -> str:
        """All of them in Prometheus's text format."""
        with self._lock:
            requests = sorted(self._requests.items())
            rows, seconds = sorted(self._rows.items()), dict(self._seconds)
            classes = sorted((key, list(found)) for key, found in self._classes.items())
        errors: dict[Key, int] = collections.defaultdict(int)
        for (run, path, status), number in requests:
            errors[run, path] += number if status >= 400 else 0
        lines = [*_head("requests_total", "counter", "Requests that were answered.")]
        lines += [f"tacit_requests_total{_of(run, path, code=str(code))} {n}" for (run, path, code), n in requests]
        lines += _head("errors_total", "counter", "Requests that were refused or failed.")
        lines += [f"tacit_errors_total{_of(*key)} {number}" for key, number in sorted(errors.items())]
        lines += _head("rows_total", "counter", "Rows of answers.")
        lines += [f"tacit_rows_total{_of(*key)} {number}" for key, number in rows]
        lines += _head("request_seconds", "histogram", "Seconds from the first byte of a request to its answer.")
        for key, found in classes:
            total = 0
            for end, number in zip((*map(str, ENDS), "+Inf"), found, strict=True):
                total += number
                lines.append(f"tacit_request_seconds_bucket{_of(*key, le=end)} {total}")
            lines.append(f"tacit_request_seconds_sum{_of(*key)} {seconds[key]:.9g}")
            lines.append(f"tacit_request_seconds_count{_of(*key)} {total}")
        lines += _head("reloads_total", "counter", "How often a run was loaded again.")
        lines += [f'tacit_reloads_total{{run="{_escaped(run)}"}} {number}' for run, number in reloads.items()]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, words: str) -> list[str]:
    return [f"# HELP tacit_{name} {words}", f"# TYPE tacit_{name} {kind}"]


def _of(run: str, path: str, **more: str) -> str:
    labels = {"run": run, "path": path, **more}
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
