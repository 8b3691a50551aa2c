"""Work done in a process of its own, for what a first call costs and for the peak of memory.

python -m benchmarks.fresh NAME [ARGUMENT …]     prints one line of JSON
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def fresh(name: str, *arguments: object, cache: str | None = None, seconds: float = 120.0) -> dict[str, float]:
    """Run a task in a new process; its figures, and ``wall``: seconds from its beginning to its end.

    ``cache`` is the folder of compiled programs; without it the process keeps none and finds none.
    """
    command = [sys.executable, "-m", "benchmarks.fresh", name, *map(str, arguments)]
    began = time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env=environment(cache), timeout=seconds, check=False, capture_output=True, text=True
    )
    wall = time.perf_counter() - began
    if done.returncode:
        print(done.stderr, file=sys.stderr)
        raise RuntimeError(f"{name} in a fresh process ended with {done.returncode}: {_last(done.stderr)}")
    return {**json.loads(done.stdout.splitlines()[-1]), "wall": wall}


def _last(text: str) -> str:
    """The last line, which of a traceback is the error and names no file."""
    return (text.strip().splitlines() or ["no word"])[-1]


@contextmanager
def empty_cache() -> Iterator[str]:
    """A folder for compiled programs with nothing in it."""
    with tempfile.TemporaryDirectory() as folder:
        yield folder


DROPPED = ("JAX_COMPILATION", "JAX_PERSISTENT", "TACIT_", "PYTHONDONTWRITEBYTECODE")
"""What no user's environment holds: without Python's own cache of what it has read, each process reads all anew."""


def environment(cache: str | None) -> Mapping[str, str]:
    """What a new process finds in its environment: this folder of compiled programs, or none."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(DROPPED)}
    if cache is not None:
        kept["JAX_COMPILATION_CACHE_DIR"] = cache
        kept["TACIT_CACHE_DIR"] = cache  # of the command line
        kept["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    return kept


def peak() -> int:
    """The most memory this process has held, in bytes."""
    try:  # ru_maxrss also remembers the process that started this one
        text = Path("/proc/self/status").read_text(encoding="utf-8")
        return 1024 * int(next(row.split()[1] for row in text.splitlines() if row.startswith("VmHWM")))
    except (OSError, StopIteration):
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def work(module: str, function: str, *arguments: Any) -> dict[str, float]:
    """Seconds to import a module, and of one call of a function in it without warnings."""
    began = time.perf_counter()
    imported = importlib.import_module(module)
    ready = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        getattr(imported, function)(*arguments)
    return {"import": ready - began, "work": time.perf_counter() - ready}


def memory(side: str, rows: str, components: str, covariance: str, given: str) -> dict[str, float]:
    """Bytes that a fit needs at its peak beyond the imported packages and the data."""
    module = importlib.import_module({"ours": "tacit", "theirs": "sklearn.mixture"}[side])
    kind = module.GaussianMixture
    made = importlib.import_module("benchmarks.rows")
    imported = peak()
    data = made.blobs(int(rows), 8, int(components))
    settings = made.start(data, int(components), covariance)
    if given != "given":
        settings = {name: settings[name] for name in ("n_components", "covariance_type")}
    with_data = peak()
    model = kind(**settings, max_iter=2, tol=0.0, random_state=0)
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(data)
    spent = time.perf_counter() - began
    above = peak() - imported - data.nbytes
    return {"imported": imported, "data": data.nbytes, "with_data": with_data, "above": above, "seconds": spent}


def scale(name: str, *arguments: str) -> dict[str, float]:
    """A task of the scale benchmark."""
    found: dict[str, float] = importlib.import_module("benchmarks.scale_tasks").TASKS[name](*arguments)
    return found


TASKS = {"work": work, "memory": memory, "scale": scale}

if __name__ == "__main__":
    print(json.dumps(TASKS[sys.argv[1]](*sys.argv[2:])))
