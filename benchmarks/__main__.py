"""Run the benchmarks, all or those named, each in a process of its own, and keep the figures."""

import argparse
import dataclasses
import datetime
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from benchmarks.frame import line
from benchmarks.machine import load, machine, versions
from benchmarks.render import render

LIMITS = {
    "first_answer": 600.0,
    "gaussian": 290.0,
    "selection": 130.0,
    "memory": 190.0,
    "mclust": 150.0,
    "kmeans": 120.0,
    "missing": 100.0,
    "imputation": 300.0,
    "anomaly": 900.0,
    "groupings": 1200.0,
    "mixed_imputation": 600.0,
    "lifting": 200.0,
    "vae": 300.0,
    "bayesian_mixture": 240.0,
    "black_box": 180.0,
    "posteriors": 900.0,
    "topics": 700.0,
    "regression": 420.0,
    "factors": 300.0,
    "factor_imputation": 420.0,
    "networks": 1200.0,
    "network_learning": 400.0,
    "sequences": 300.0,
    "density": 3600.0,
    "serving": 180.0,
    "scale": 1800.0,
    "scale_simulated": 120.0,
}
PARTS = tuple(LIMITS)
TOTAL = 7200.0
"""Seconds for all parts together; the last are cut short where the first took theirs in full."""
HERE = Path(__file__).resolve().parent
LAST, TABLE = HERE / "results.json", HERE / "RESULTS.md"


def main() -> int:
    """0 if every part came to its end, 1 if one failed or ran too long."""
    asked = _arguments()
    if asked.into:
        return _part(asked.names[0], asked.quick, Path(asked.into))
    known = json.loads(LAST.read_text(encoding="utf-8")) if LAST.exists() else {}
    print(*(f"{name}: {value}" for name, value in (machine() | versions()).items()), sep="\n")
    failed, end = [], time.monotonic() + TOTAL
    for name in asked.names or PARTS:
        known[name] = _run(name, asked.quick, min(LIMITS[name], end - time.monotonic()))
        failed += [name] if known[name]["error"] else []
    if asked.write:
        LAST.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        TABLE.write_text(render({name: known[name] for name in PARTS if name in known}), encoding="utf-8")
        print(f"\nwritten: {TABLE}")
    if failed:
        print(f"\ndid not come to their end: {', '.join(failed)}")
    return 1 if failed else 0


def _arguments() -> argparse.Namespace:
    parse = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parse.add_argument("names", nargs="*", metavar="name", help=f"which: {', '.join(PARTS)}; all if none is named")
    parse.add_argument("--quick", action="store_true", help="small sizes, to see that the scripts run; no figures")
    parse.add_argument("--write", action="store_true", help=f"keep the figures in {LAST.name} and {TABLE.name}")
    parse.add_argument("--into", help=argparse.SUPPRESS)  # a part writes its rows here, a line each
    asked = parse.parse_args()
    unknown = sorted(set(asked.names) - set(PARTS))
    if unknown:
        parse.error(f"there is no {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if asked.quick and asked.write:
        parse.error("--quick measures nothing worth keeping; leave out one of --quick and --write")
    return asked


def _run(name: str, quick: bool, limit: float) -> dict[str, Any]:
    """One part in a new process; what it measured before it failed or ran too long is kept."""
    before, began = load(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder) / "rows.jsonl"
        command = [sys.executable, "-m", "benchmarks", name, "--into", str(into), *(["--quick"] if quick else [])]
        child = subprocess.Popen(command, cwd=HERE.parent, start_new_session=True)
        error = ""
        try:
            child.wait(max(limit, 1.0))
        except subprocess.TimeoutExpired:
            error = f"stopped after {limit:.0f} s"
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        written = into.read_text(encoding="utf-8").splitlines() if into.exists() else []
    lines = [json.loads(text) for text in written]
    head, rows = (lines[0] if lines else {}), [text for text in lines[1:] if "what" in text]
    error = error or next((text["error"] for text in lines if "error" in text), "")
    if child.returncode and not error:
        error = f"ended with code {child.returncode}"
    if error:
        print(f"  ERROR: {error}", flush=True)
    return {
        "title": head.get("title", name),
        "note": head.get("note", ""),
        "rows": rows,
        "error": error,
        "seconds": round(time.perf_counter() - began, 1),
        "load": round(before, 2),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": machine(),
        "versions": versions(),
    }


def _part(name: str, quick: bool, into: Path) -> int:
    """Inside the new process: print every row when it is there, and write it down."""
    with into.open("w", encoding="utf-8") as out:

        def put(entry: dict[str, Any]) -> None:
            out.write(json.dumps(entry) + "\n")
            out.flush()

        try:
            part = importlib.import_module(f"benchmarks.{name}")
            print(f"\n{part.TITLE}  (load before: {load():.2f})", flush=True)
            put({"title": part.TITLE, "note": part.NOTE})
            for row in part.run(quick):
                print(line(row), flush=True)
                put(dataclasses.asdict(row))
        except Exception as error:
            traceback.print_exc()
            put({"error": f"{type(error).__name__}: {error}"})
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
