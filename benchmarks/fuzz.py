"""Thousands of tables and model files, sound, damaged and forged, each in a child with a limit: ``python -m
benchmarks.fuzz``.

A case is known by its number and the seed. A child writes the number of a case before it tries it and what came of it
after, so that a crash or a hang is known by its case; the parent goes on with the next. What may come of a case: it was
read (and nothing was lost), or it was refused in our own words. All else is a fault.
"""

import argparse
import collections
import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

BATCH = {"tables": 250, "models": 1000}
"""Cases that a child tries before another begins."""
MEMORY = {"tables": 6 * 2**30, "models": 40 * 2**30}
"""Bytes of addresses that a child may have; JAX reserves many that it never uses."""
SOUND = ("read", "refused")


def main() -> int:
    """0 where nothing but what may come of a case came of any."""
    asked = _arguments()
    if asked.child:
        _child(asked.child, asked.seed, asked.first, asked.last, Path(asked.folder))
        return 0
    faults = 0
    with tempfile.TemporaryDirectory() as folder:
        for part, cases in (("tables", asked.tables), ("models", asked.models)):
            began, found = time.monotonic(), _all(part, asked.seed, asked.first, cases, Path(folder), asked.jobs)
            counts = collections.Counter(outcome for outcome, _ in found.values())
            told = ", ".join(f"{outcome} {number:,}" for outcome, number in sorted(counts.items()))
            print(f"{part}: {len(found):,} cases in {time.monotonic() - began:.0f} s: {told}", flush=True)
            bad = {case: said for case, said in found.items() if said[0] not in SOUND}
            faults += len(bad)
            for case, (outcome, said) in list(bad.items())[: asked.show]:
                print(f"  {part} {case}: {outcome}: {said}")
    return 1 if faults else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--jobs", type=int, default=1, help="children at a time")
    parser.add_argument("--show", type=int, default=40, help="faults that are shown")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--last", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    return parser.parse_args()


def _all(part: str, seed: int, start: int, cases: int, folder: Path, jobs: int) -> dict[int, tuple[str, str]]:
    """What came of every case."""
    found: dict[int, tuple[str, str]] = {}
    todo = [(a, min(a + BATCH[part], start + cases)) for a in range(start, start + cases, BATCH[part])]
    running: list[tuple[subprocess.Popen[bytes], int, int, Path]] = []
    while todo or running:
        while todo and len(running) < jobs:
            first, last = todo.pop(0)
            inside = folder / f"{part}-{first}"
            inside.mkdir(exist_ok=True)
            running.append((_begun(part, seed, first, last, inside), first, last, inside))
        child, first, last, inside = running.pop(0)
        code = child.wait()
        journal = _journal(inside)
        found |= {case: said for case, said in journal.items() if said is not None}
        open_cases = [case for case, said in journal.items() if said is None]
        if open_cases:
            why = "hang" if code == -signal.SIGALRM else "crash"
            found[open_cases[-1]] = (why, f"the child ended with {code}: {_tail(inside)}")
            if open_cases[-1] + 1 < last:
                todo.insert(0, (open_cases[-1] + 1, last))
        elif code:
            found[first] = ("crash", f"the child ended with {code}: {_tail(inside)}")
    return found


def _begun(part: str, seed: int, first: int, last: int, folder: Path) -> "subprocess.Popen[bytes]":
    (folder / "journal").unlink(missing_ok=True)
    command = [sys.executable, "-m", "benchmarks.fuzz", "--child", part, "--seed", str(seed)]
    command += ["--first", str(first), "--last", str(last), "--folder", str(folder)]
    environment = os.environ | {"TACIT_CACHE_DIR": str(folder.parent / "cache"), "OMP_NUM_THREADS": "1"}
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment)


def _journal(folder: Path) -> dict[int, tuple[str, str] | None]:
    path = folder / "journal"
    found: dict[int, tuple[str, str] | None] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        case, outcome, said = json.loads(line)
        found[case] = None if outcome is None else (outcome, said)
    return found


def _tail(folder: Path) -> str:
    return (folder / "output").read_text(encoding="utf-8", errors="replace")[-600:]


def _child(part: str, seed: int, first: int, last: int, folder: Path) -> None:
    """Try some cases, one after another."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY[part], MEMORY[part]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tried = importlib.import_module(f"benchmarks.fuzz_{part}")
    with (folder / "journal").open("w", encoding="utf-8") as journal:
        for case in range(first, last):
            journal.write(json.dumps([case, None, ""]) + "\n")
            journal.flush()
            signal.alarm(tried.seconds(case) if case > first else 300)  # the first of a child may compile
            try:
                outcome, said = tried.tried(case, seed, folder)
            except MemoryError:
                outcome, said = "fault", "MemoryError"
            except Exception as error:  # whatever it is, it is what is looked for
                where = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{Path(where.filename).name}:{where.lineno}"
                outcome, said = "fault", f"{type(error).__name__}: {str(error)[:300]} ({place})"
            signal.alarm(0)
            journal.write(json.dumps([case, outcome, said]) + "\n")
            journal.flush()


if __name__ == "__main__":
    sys.exit(main())
