"""Densities of tables of measurements: mixtures, flows and stacks of them, beside the flows of zuko and flowjax."""

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.density_data import FOLDER, parts
from benchmarks.frame import Row, spaced
from tacit import StackedDensity, TriangularFlow

TITLE = "Densities: nats a row on test rows"
NOTE = (
    "Columns in the means and deviations of the training rows. Rows to choose by: the same number for all sides (ours "
    "hold them out of training and choosing rows together, by a share; the stack is fitted to both). Seconds are the "
    "processor's, compiling included in ours and left out of the peers'. The peers have their recommended settings "
    "(zuko: 3 transforms, two layers of 64, rate 1e-3; flowjax: its masked autoregressive flow of splines, rate 5e-4, "
    "batches of 100) and as many seconds as our flow took, and keep their best by the rows to choose by. "
    "DENSITY_PEERS names the Python that has them. Higgs has four columns of five values, where a density can rise "
    "without end: all sides take them as measurements here, which flatters all; by itself our flow gives them masses."
)
PEERS = ("zuko-NSF", "flowjax-RQS", "zuko-MAF")
ASKED = {"power_plant": (-3.65, -3.54), "oil_flow": (6.5, 11.0), "protein": (4.5, 4.5), "miniboone": (), "higgs": ()}
"""Of the flow, and of the stack."""
SECONDS_ASKED = {"protein": 90.0}
LEAST_SECONDS = 5.0
INTERPRETER = os.environ.get("DENSITY_PEERS", sys.executable)


class _Found(NamedTuple):
    """Log-densities of test rows, and what they cost."""

    log_prob: np.ndarray
    seconds: float
    words: str


def run(quick: bool) -> Iterator[Row]:
    """Sets, then the time of an epoch and of compiling."""
    if not FOLDER.exists():
        raise FileNotFoundError(f"{FOLDER} is not there: it holds the tables")
    warnings.simplefilter("ignore")
    yield _compiled()  # before anything else is compiled
    yield from _epochs()
    for name in ("oil_flow",) if quick else ASKED:
        yield from _set(name, 2 if quick else None)


def _set(name: str, epochs: int | None) -> Iterator[Row]:
    learned, chosen, test = parts(name)
    x = np.concatenate([learned, chosen])
    rows = f"{name}, {spaced(len(x))} × {x.shape[1]}"
    flow = _flow(x, len(chosen) / len(x), test, epochs)
    asked = ASKED[name]
    score = float(flow.log_prob.mean())
    yield Row(
        f"{rows}: TriangularFlow",
        "nats",
        (score,),
        asked=f"≥ {asked[0]}" if asked else "",
        met=score >= asked[0] if asked else None,
        note=flow.words,
    )
    if name in SECONDS_ASKED:
        most = SECONDS_ASKED[name]
        yield Row(f"{rows}: TriangularFlow", "s", (flow.seconds,), asked=f"≤ {most:g}", met=flow.seconds <= most)
    yield from _stack(rows, x, test, asked, epochs)
    for peer in PEERS:
        found = _peer(peer, name, max(flow.seconds, LEAST_SECONDS))
        theirs = (found["score"],) if "score" in found else ()
        yield Row(f"{rows}: TriangularFlow", "nats", (score,), theirs, peer, note=_told(found))


def _flow(x: np.ndarray, share: float, test: np.ndarray, epochs: int | None) -> _Found:
    began = time.process_time()
    flow = TriangularFlow(validation_fraction=share, random_state=0, max_epochs=epochs, supports=["real"] * x.shape[1])
    flow.fit(x)
    spent = time.process_time() - began
    return _Found(flow.score_samples(test), spent, f"{spent:.0f} s, {flow.n_iter_} epochs")


def _stack(rows: str, x: np.ndarray, test: np.ndarray, asked: tuple[float, ...], epochs: int | None) -> Iterator[Row]:
    levels = any(np.unique(column).size < 20 for column in x.T)
    flow = TriangularFlow(max_epochs=epochs, supports=["real"] * x.shape[1])
    members = ("gaussian-mixture", flow if levels or epochs else "triangular-flow")
    began = time.process_time()
    stack = StackedDensity(members, random_state=0).fit(x)
    spent = time.process_time() - began
    each = np.stack([member.score_samples(test) for member in stack.members_], axis=1)
    means = each.mean(0)
    together = stack.score_samples(test)
    shares = ", ".join(f"{share:.2f}" for share in stack.weights_)
    yield Row(
        f"{rows}: mixture of {stack.members_[0].n_components} normals, by rows held out", "nats", (float(means[0]),)
    )
    yield Row(
        f"{rows}: StackedDensity",
        "nats",
        (float(together.mean()),),
        asked=f"≥ {asked[1]}" if asked else "",
        met=bool(together.mean() >= asked[1]) if asked else None,
        note=f"{spent:.0f} s; shares {shares}; its members {means[0]:.3f} and {means[1]:.3f}",
    )
    more = together - each[:, int(np.argmax(means))]
    error = float(more.std() / np.sqrt(more.size))
    yield Row(
        f"{rows}: StackedDensity above its better member",
        "nats",
        (float(more.mean()),),
        asked="not below 0 by more than its error",
        met=bool(more.mean() >= -error),
        note=f"standard error {error:.3f}",
    )


def _epochs() -> Iterator[Row]:
    """An epoch at equal layers, bins and batches, one thread."""
    learned, _, _ = parts("power_plant")
    settings: dict[str, Any] = {"validation_fraction": 0.0, "n_components": 1, "random_state": 0}
    spent = []
    for epochs in (7, 7, 28):  # the first compiles
        flow = TriangularFlow(max_epochs=epochs, **settings)
        began = time.process_time()
        flow.fit(learned)
        spent.append(time.process_time() - began)
    ours = (spent[2] - spent[1]) / 21
    found = _peer("zuko-epoch", "power_plant", 0.0)
    peer = (found["seconds"],) if "seconds" in found else ()
    ratios = tuple(each / ours for each in peer)
    note = "" if peer else found["error"]
    met = bool(ratios[0] >= 3) if ratios else None
    what = "power_plant: an epoch of 2 splines of 8 bins, two layers of 128, batches of 256"
    yield Row(what, "s", (ours,), peer, "zuko NSF", ratios, "ratio ≥ 3", met, note)


def _compiled() -> Row:
    """The first round, compiling, less that of a second fit."""
    x = np.random.default_rng(0).normal(size=(1000, 10))
    spent = []
    for seed in (0, 1):
        began = time.process_time()
        TriangularFlow(max_epochs=2, n_components=1, random_state=seed).fit(x)
        spent.append(time.process_time() - began)
    seconds = spent[0] - spent[1]
    return Row("ten columns: compiling a fit", "s", (seconds,), asked="≤ 5", met=seconds <= 5)


def _peer(peer: str, name: str, seconds: float) -> dict[str, Any]:
    """What a peer found in so many seconds, in a process of its own, or why it found nothing."""
    command = [INTERPRETER, "-m", "benchmarks.density_peers", peer, name, str(seconds)]
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["no word"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _told(found: dict[str, Any]) -> str:
    if "error" in found:
        return f"the peer is not there: {found['error']}"
    end = "ended by itself" if found["ended"] else "its time was up"
    return f"the peer {found['seconds']:.0f} s, {found['epochs']} epochs, {end}"
