"""Exact posteriors of networks beside pyAgrum, many rows, and EM with gaps, in seconds of the processor."""

import gzip
import tempfile
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyagrum
from threadpoolctl import threadpool_limits

import tacit
from benchmarks.frame import Row, in_turn, timed
from benchmarks.network_learning import BIF, drawn, processor
from tacit.data.network_files import read_network_tables
from tacit.models.network.plan import planned
from tacit.models.network.row_inference import _whole_order
from tacit.models.network.single import _prepared

TITLE = "Networks: posteriors, rows and EM"
NOTE = (
    "Seconds of the processor, one thread. All posteriors given three nodes of a row drawn from the network, again and "
    "again with the plan (or junction tree) at hand, and the first time, with planning; pyAgrum by LazyPropagation. "
    "A thousand rows with ten columns known, and EM on 5 000 rows of ALARM with a fifth of the cells missing; an "
    "iteration is a tenth of the difference between fits of 12 and of 2."
)
REPEATED = {"alarm": 1.0, "andes": 1 / 3, "pathfinder": 1 / 2, "diabetes": 1 / 3, "munin": 1 / 3}
UNREAD = "child"
"""What pyAgrum cannot read, for a slash in a level."""
ALL = tuple(sorted({path.name.removesuffix(".bif.gz") for path in BIF.glob("*.bif.gz")} - {UNREAD}))


def run(quick: bool) -> Iterator[Row]:
    """Queries of one case, then rows."""
    pyagrum.setNumberOfThreads(1)
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        for name in ("alarm",) if quick else REPEATED:
            yield from _repeated(name, Path(folder), quick)
        for name in ("asia",) if quick else ALL:
            yield from _first(name, Path(folder))
        if not quick:
            yield _link()
        for name, asked in (("alarm", 0.1),) if quick else (("alarm", 0.1), ("hailfinder", 0.7)):
            yield _rows(name, asked)
        yield from _em(500 if quick else 5000)


def _case(name: str, folder: Path, known: int) -> tuple[tacit.BayesianNetwork, Any, dict[str, str]]:
    """A network in both libraries, and some of a row drawn from it."""
    path = folder / f"{name}.bif"
    if not path.exists():
        path.write_bytes(gzip.decompress((BIF / f"{name}.bif.gz").read_bytes()))
    tables = read_network_tables(path)
    row = drawn(tables, 1, 0)[0]
    chosen = np.random.default_rng(0).permutation(len(row))[:known]
    evidence = {tables.names[v]: tables.levels[v][row[v]] for v in chosen}
    return tacit.read_network(path), pyagrum.loadBN(str(path)), evidence


def _theirs(network: Any, evidence: dict[str, str]) -> Any:
    engine = pyagrum.LazyPropagation(network)
    engine.setEvidence(evidence)
    return engine


def _all_posteriors(engine: Any, network: Any, evidence: dict[str, str]) -> None:
    engine.setEvidence(evidence)
    engine.makeInference()
    for node in network.nodes():
        engine.posterior(node)


def _repeated(name: str, folder: Path, quick: bool) -> Iterator[Row]:
    ours, theirs, evidence = _case(name, folder, 3)
    engine = _theirs(theirs, evidence)
    _all_posteriors(engine, theirs, evidence)
    ours.query(None, evidence)
    turns = in_turn(
        lambda: processor(lambda: ours.query(None, evidence))[0],
        lambda: processor(lambda: _all_posteriors(engine, theirs, evidence))[0],
        2 if quick else 7,
        60,
    )
    row = timed(f"{name}: all posteriors, 3 known", "s", turns, "pyAgrum")
    asked = REPEATED[name]
    met = bool(np.median(row.ours) <= asked * np.median(row.peer))
    yield Row(row.what, row.unit, row.ours, row.peer, "pyAgrum", row.ratios, f"≤ {asked:.2g} times", met)


def _first(name: str, folder: Path) -> Iterator[Row]:
    ours, theirs, evidence = _case(name, folder, 3)
    ours.max_bytes = 2.0**32
    row = ours._row(evidence)

    def mine() -> float:
        for remembered in (planned, _whole_order, _prepared):
            remembered.cache_clear()
        return processor(lambda: ours._answered(*row))[0]

    def other() -> float:
        return processor(lambda: _all_posteriors(_theirs(theirs, evidence), theirs, evidence))[0]

    found = timed(f"{name}: the first query, with planning", "s", in_turn(mine, other, 5, 2.0), "pyAgrum")
    met = bool(np.median(found.ours) <= np.median(found.peer))
    yield Row(found.what, found.unit, found.ours, found.peer, "pyAgrum", found.ratios, "no slower", met)


def _link() -> Row:
    ours = tacit.read_network(BIF / "link.bif.gz")
    tables = read_network_tables(BIF / "link.bif.gz")
    row = drawn(tables, 1, 0)[0]
    evidence = {tables.names[v]: tables.levels[v][row[v]] for v in np.random.default_rng(0).permutation(724)[:10]}
    ours.query(None, evidence)
    tracemalloc.start()
    ours.query(None, evidence)
    held = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    seconds = tuple(processor(lambda: ours.query(None, evidence))[0] for _ in range(5))
    met = bool(np.median(seconds) <= 1.0 and held <= 300.0)
    return Row(
        "link: all posteriors, 10 known", "s", seconds, asked="≤ 1 s, ≤ 300 MB", met=met, note=f"{held:.0f} MB held"
    )


def _rows(name: str, asked: float) -> Row:
    network = tacit.read_network(BIF / f"{name}.bif.gz")
    tables = read_network_tables(BIF / f"{name}.bif.gz")
    rows = drawn(tables, 1000, 0).astype(float)
    hidden = np.random.default_rng(0).permutation(rows.shape[1])[10:]
    rows[:, hidden] = np.nan

    def work() -> None:
        for _, _, found in network.model_.inferred(rows):
            for node in hidden:
                found.marginal(int(node))

    work()
    seconds = tuple(processor(work)[0] for _ in range(5))
    met = bool(np.median(seconds) <= asked)
    return Row(f"{name}: 1 000 rows, 10 columns known, all posteriors", "s", seconds, asked=f"≤ {asked:g} s", met=met)


def _em(size: int) -> Iterator[Row]:
    network = tacit.read_network(BIF / "alarm.bif.gz")
    rows = drawn(read_network_tables(BIF / "alarm.bif.gz"), size, 0).astype(float)
    rows[np.random.default_rng(0).random(rows.shape) < 0.2] = np.nan
    table = network.decode(rows)
    truth = float(network.score_samples(table).sum())
    model = tacit.BayesianNetwork(list(network.edges_), prior=0.0, tol=1e-6)
    seconds = processor(lambda: model.fit(table))[0]
    yield Row("ALARM, a fifth missing: the first fit by EM", "s", (seconds,), asked="≤ 15 s", met=seconds <= 15.0)
    each = tuple((_fitted(network, table, 12) - _fitted(network, table, 2)) / 10 for _ in range(3))
    met = bool(np.median(each) <= 0.1)
    yield Row("ALARM, a fifth missing: an iteration", "s", each, asked="≤ 0.1 s", met=met)
    gain = model.lower_bound_ - truth
    yield Row("ALARM, a fifth missing: log-likelihood above the truth's", "nats", (gain,), asked="> 0", met=gain > 0)


def _fitted(network: tacit.BayesianNetwork, table: Any, iterations: int) -> float:
    """Seconds of so many iterations, and of what comes before them."""
    model = tacit.BayesianNetwork(list(network.edges_), prior=0.0, tol=0.0, max_iter=iterations)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return processor(lambda: model.fit(table))[0]
