"""Files of networks and the learning of their structures, beside pyAgrum and pgmpy, in seconds of the processor."""

import contextlib
import gzip
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyagrum
from pgmpy.readwrite import BIFReader
from threadpoolctl import threadpool_limits

from benchmarks.frame import Row, in_turn, spaced, timed
from tacit.data.network_files import NetworkTables, read_network_tables
from tacit.models.network.graph import topological_order
from tacit.models.network.learning import DiscreteScore, Options, RowCounts, hamming_distance, learn
from tacit.models.network.learning.graphs import Parents, parents_of

TITLE = "Networks: files, and structures from rows"
NOTE = (
    "Seconds of the processor, one thread. Rows are drawn from ALARM (37 nodes, 46 arrows), seeds 0–4; the score is "
    "BIC. Distances are structural Hamming distances between equivalence classes: of the network the rows were "
    "drawn from and of the learned one, a figure for each seed. pyAgrum reads its rows from a file (not timed) and "
    "climbs greedily, its default; with a tabu list it found the same. Files are unpacked beforehand."
)
BIF = Path(__file__).resolve().parents[2] / "shared" / "data" / "bif"
SEEDS = 5


def run(quick: bool) -> Iterator[Row]:
    """Reading, then learning."""
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        yield from _reading(Path(folder), ["alarm"] if quick else ["munin", "diabetes"], quick)
        network = read_network_tables(BIF / "alarm.bif.gz")
        for size in (1_000,) if quick else (5_000, 20_000):
            yield from _learning(network, size, Path(folder), 2 if quick else SEEDS)


def processor(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the processor that a call takes, and what it gave."""
    began = time.process_time()
    found = work()
    return time.process_time() - began, found


def _reading(folder: Path, names: list[str], quick: bool) -> Iterator[Row]:
    limits = {"munin": 0.3, "diabetes": 0.4}
    for name in names:
        path = folder / f"{name}.bif"
        path.write_bytes(gzip.decompress((BIF / f"{name}.bif.gz").read_bytes()))
        turns = in_turn(
            lambda path=path: processor(lambda: read_network_tables(path))[0],
            lambda path=path: processor(lambda: pyagrum.loadBN(str(path)))[0],
            1 if quick else 3,
            60,
        )
        row = timed(f"{name}: read the BIF file", "s", turns, "pyAgrum")
        asked = limits.get(name)
        met = None if asked is None else bool(np.median(row.ours) <= asked)
        yield Row(
            row.what, row.unit, row.ours, row.peer, row.peer_name, row.ratios, f"≤ {asked:g} s" if asked else "", met
        )
        with contextlib.redirect_stderr(io.StringIO()):
            ours, theirs = row.ours[:1], (processor(lambda path=path: BIFReader(str(path)).get_model())[0],)
        yield timed(f"{name}: the same", "s", (ours, theirs), "pgmpy")


def drawn(network: NetworkTables, size: int, seed: int) -> np.ndarray:
    """Rows of codes from a network."""
    random = np.random.default_rng(seed)
    codes = np.zeros((size, len(network.names)), np.int64)
    for node in topological_order(network.parents):
        table = network.tables[node][tuple(codes[:, parent] for parent in network.parents[node])]
        shares = np.broadcast_to(table, (size, table.shape[-1]))
        codes[:, node] = (random.random(size)[:, None] > shares.cumsum(axis=1)[:, :-1]).sum(axis=1)
    return codes


def _learning(network: NetworkTables, size: int, folder: Path, seeds: int) -> Iterator[Row]:
    settings = {
        "as it comes": Options(),
        "20 restarts": Options(restarts=20),
        "plain hill climbing": Options(walk=0, tabu=0, patience=0, restarts=0),
    }
    found: dict[str, list[tuple[float, Parents, float]]] = {name: [] for name in (*settings, "pyAgrum")}
    for seed in range(seeds):
        codes = drawn(network, size, seed)
        for name, options in settings.items():
            seconds, learned = processor(
                lambda codes=codes, options=options: learn(DiscreteScore(RowCounts(codes, network.cards)), options)
            )
            found[name].append((seconds, learned.parents, learned.score))
        seconds, parents = _greedy(network, codes, folder / "rows.csv")
        score = DiscreteScore(RowCounts(codes, network.cards))
        found["pyAgrum"].append((seconds, parents, sum(map(score.local, range(len(parents)), parents))))
    peer = found.pop("pyAgrum")
    for name, ours in found.items():
        what = f"ALARM, {spaced(size)} rows, {name}"
        times = tuple(each[0] for each in ours), tuple(each[0] for each in peer)
        asked = name == "as it comes"
        row = timed(f"{what}: time", "s", times, "pyAgrum")
        met = bool(np.median(row.ours) <= 0.5) if asked else None
        yield Row(row.what, row.unit, row.ours, row.peer, "pyAgrum", row.ratios, "≤ 0.5 s" if asked else "", met)
        apart = [tuple(float(hamming_distance(each[1], network.parents)) for each in side) for side in (ours, peer)]
        met = bool(np.median(apart[0]) <= np.median(apart[1])) if asked else None
        note = f"ours {_listed(apart[0])}; pyAgrum {_listed(apart[1])}"
        yield Row(f"{what}: distance", "", *apart, "pyAgrum", (), "no larger" if asked else "", met, note)
        gains = tuple(mine[2] - theirs[2] for mine, theirs in zip(ours, peer, strict=True))
        yield Row(f"{what}: score above pyAgrum's", "nats", gains)


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.0f}" for value in values)


def _greedy(network: NetworkTables, codes: np.ndarray, path: Path) -> tuple[float, Parents]:
    """What pyAgrum's greedy hill climbing finds."""
    words = [np.array(levels)[codes[:, node]] for node, levels in enumerate(network.levels)]
    lines = [",".join(network.names), *map(",".join, zip(*words, strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    learner = pyagrum.BNLearner(str(path))
    learner.setNumberOfThreads(1)
    learner.useScoreBIC()
    learner.useGreedyHillClimbing()
    seconds, graph = processor(learner.learnDAG)
    places = {name: place for place, name in enumerate(network.names)}
    arrows = [tuple(places[learner.nameFromId(end)] for end in arc) for arc in graph.arcs()]
    return seconds, parents_of(len(places), arrows)
