"""The sweep of Old Faithful over 14 structures and 1 … 9 components against R's mclust."""

import csv
import json
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.frame import Row, clock, in_turn, timed
from benchmarks.fresh import empty_cache, fresh
from benchmarks.rows import TABLES
from benchmarks.sweep import sweep
from tacit.compute import compilation_cache

TITLE = "mclust: Old Faithful, 14 structures × 1 … 9 components"
NOTE = (
    "Ours: tacit.select as it comes (ten starts a candidate, tol=1e-5), which leaves candidates on the way, and with "
    "effort='thorough', which leaves none and whose table is compared. mclust: mclustBIC as it comes (one "
    "hierarchical start, tol=1e-5). Where Rscript with mclust is found, it is timed inside R, on its second call, in "
    "turn with ours; otherwise its time is the stored one, of another run and machine, and no ratio is given."
)
JUDGES = Path(__file__).resolve().parent.parent / "tests" / "judges"
PUBLISHED = {"covariance": "EEE", "n_components": 3, "log_likelihood": -1126.3, "bic": -2314.3}
EQUAL = 0.01
"""Two BICs no further apart agree."""


def run(quick: bool) -> Iterator[Row]:
    """What was chosen, the whole table, and the time."""
    most = 2 if quick else 9
    with empty_cache() as folder, compilation_cache(Path(folder)), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield _cold(most, folder)
        chosen = sweep(most)
        yield from _choice(chosen.table.to_pylist(), chosen.best)
        yield _table(sweep(most, "thorough").table.to_pylist())
        for effort in ("usual", "thorough"):
            yield _warm(most, effort, 1 if quick else 3)


def _choice(table: list[dict[str, Any]], best: Any) -> Iterator[Row]:
    structure, number = best.covariance_type, best.n_components
    row = next(r for r in table if (r["covariance"], r["n_components"]) == (structure, number))
    right = (structure, number) == (PUBLISHED["covariance"], PUBLISHED["n_components"])
    yield Row("components chosen", structure, (number,), (3,), "mclust (EEE)", asked="EEE with 3", met=right)
    for name in ("log_likelihood", "bic"):
        met = round(row[name], 1) >= PUBLISHED[name]
        asked = f"{PUBLISHED[name]} or better"
        yield Row(f"{name} of the chosen", "nats", (row[name],), (PUBLISHED[name],), "mclust", asked=asked, met=met)


def _table(table: list[dict[str, Any]]) -> Row:
    """How many of the candidates agree with mclust's table, are better, worse or floored."""
    with (JUDGES / "mclust_bic.csv").open(encoding="utf-8") as lines:
        rows = [r for r in csv.DictReader(lines) if (r["data"], r["prior"]) == ("faithful", "none")]
    theirs = {(r["structure"], int(r["n_components"])): r["bic"] for r in rows}
    counts = dict.fromkeys(("agree", "better", "worse", "at our floor", "refused by mclust"), 0)
    behind = []
    for row in table:
        key = row["covariance"], row["n_components"]
        if theirs[key] == "NA":
            kind = "refused by mclust"
        elif row["at_floor"]:
            kind = "at our floor"
        else:
            gain = row["bic"] - float(theirs[key])
            kind = "agree" if abs(gain) <= EQUAL else "better" if gain > 0 else "worse"
            if kind == "worse":
                behind.append((gain, f"{key[0]} {key[1]} {gain:+.2f}"))
        counts[kind] += 1
    note = ", ".join(f"{name} {count}" for name, count in counts.items())
    if behind:
        note += f"; BIC behind mclust's: {', '.join(text for _, text in sorted(behind)[:12])}"
    good = counts["agree"] + counts["better"]
    asked = "none worse, none only by its floor"
    met = counts["worse"] == 0 and counts["at our floor"] == 0
    return Row(
        f"candidates that agree (BIC within {EQUAL}) or are better",
        f"of {len(table)}",
        (good,),
        asked=asked,
        met=met,
        note=note,
    )


def _warm(most: int, effort: str, rounds: int) -> Row:
    def ours() -> float:
        return clock(lambda: sweep(most, effort))[0]

    what, version = f"the sweep, effort {effort!r}, in a process that has fitted before", _mclust()
    if version is None or most != 9:
        stored = json.loads((JUDGES / "mclust_msteps.json").read_text(encoding="utf-8"))["source"]
        seconds = stored["sweep_seconds"]["faithful none"]
        name = f"mclust {stored['mclust']}, stored figure"
        return Row(what, "s", tuple(ours() for _ in range(rounds)), (seconds,), name)
    return timed(what, "s", in_turn(ours, lambda: float(_in_r()[0]), rounds, 30.0), f"mclust {version}")


def _in_r() -> list[str]:
    command = ["Rscript", str(Path(__file__).parent / "mclust_sweep.R"), str(TABLES / "faithful.csv")]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.split()


def _mclust() -> str | None:
    """The version of mclust, where R has it."""
    if shutil.which("Rscript") is None:
        return None
    try:
        return _in_r()[-1]
    except (subprocess.SubprocessError, IndexError):
        return None


def _cold(most: int, folder: str) -> Row:
    """A new process with the empty folder for its programs, and a second one that finds them there."""
    first = fresh("work", "benchmarks.sweep", "sweep", most, cache=folder)
    second = fresh("work", "benchmarks.sweep", "sweep", most, cache=folder)
    note = (
        f"of a new process that finds these programs on disk: {second['work']:.1f} s; imports {first['import']:.1f} s"
    )
    return Row("the sweep, cold, without the imports", "s", (first["work"],), note=note)
