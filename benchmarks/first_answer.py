"""The first answer: processor seconds of whole new processes, with an empty cache of programs and with a filled one."""

import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.frame import Row
from benchmarks.fresh import empty_cache, environment
from benchmarks.rows import TABLES

TITLE = "First answer: whole new processes, processor seconds"
NOTE = (
    "User and system time of the process and of all that it starts, imports included. Cold: the folder of compiled "
    "programs is empty. Kept: the programs of the run before are in it. The peer does the nearest thing that "
    "scikit-learn has, in a new process of its own."
)
ANOMALY = TABLES.parent / "anomaly"

COMMANDS: dict[str, tuple[list[str], float, float]] = {
    "tacit fit faithful.csv (272 × 2)": (["fit", "faithful.csv"], 6.0, 4.0),
    "the same, --set components=2 --set covariance=full": (
        ["fit", "faithful.csv", "--set", "components=2", "--set", "covariance=full"],
        3.5,
        3.0,
    ),
    "tacit fit penguins.csv (344 × 7, mixed)": (["fit", "penguins.csv"], 6.0, 4.0),
    "tacit fit wine.csv (129 × 13)": (["fit", "wine.csv"], 10.0, 7.0),
    "tacit score RUN new.csv, 1 000 rows": (["score", "run", "new.csv"], 4.0, 2.5),
    "a path that does not exist": (["fit", "nothing.csv"], 0.8, 0.8),
    "a setting that does not exist": (["fit", "faithful.csv", "--set", "colour=3"], 0.8, 0.8),
    "a run that is none": (["score", "faithful.csv", "new.csv"], 0.8, 0.8),
    "tacit show": (["show"], 0.8, 0.8),
    "tacit --help": (["--help"], 0.8, 0.8),
}
"""What is typed, and the seconds asked for, cold and kept."""

HEAD = "import numpy as np, tacit; r = np.random.default_rng(0); "
FITS: dict[str, tuple[str, str, float, float]] = {
    "GaussianMixture(3), iris": (
        "from sklearn.datasets import load_iris; import tacit; tacit.GaussianMixture(3).fit(load_iris().data)",
        "from sklearn.datasets import load_iris; from sklearn.mixture import GaussianMixture as G; "
        "G(3).fit(load_iris().data)",
        2.2,
        2.0,
    ),
    "KMeans(3), iris": (
        "from sklearn.datasets import load_iris; import tacit; tacit.KMeans(3).fit(load_iris().data)",
        "from sklearn.datasets import load_iris; from sklearn.cluster import KMeans; KMeans(3).fit(load_iris().data)",
        2.5,
        3.5,
    ),
    "PoissonMixture(2), 100 × 4": (
        HEAD + "tacit.PoissonMixture(2).fit(r.poisson(3.0, (100, 4)).astype(float))",
        "",
        3.4,
        3.5,
    ),
    "GenerativeClassifier, iris": (
        "from sklearn.datasets import load_iris; import tacit; "
        "tacit.GenerativeClassifier().fit(*load_iris(return_X_y=True))",
        "from sklearn.datasets import load_iris; from sklearn.discriminant_analysis import "
        "QuadraticDiscriminantAnalysis as Q; Q().fit(*load_iris(return_X_y=True))",
        4.2,
        3.5,
    ),
    "LatentDirichletAllocation(10), 200 texts": (
        HEAD + "tacit.LatentDirichletAllocation(10).fit(r.poisson(0.3, (200, 300)))",
        "",
        4.8,
        3.5,
    ),
    "BayesianLinearRegression, 100 × 10": (
        HEAD + "X = r.normal(size=(100, 10)); tacit.BayesianLinearRegression().fit(X, X[:, 0] + r.normal(size=100))",
        "import numpy as np; from sklearn.linear_model import BayesianRidge; r = np.random.default_rng(0); "
        "X = r.normal(size=(100, 10)); BayesianRidge().fit(X, X[:, 0] + r.normal(size=100))",
        4.2,
        3.5,
    ),
    "BayesianLogisticRegression, 100 × 10": (
        HEAD + "X = r.normal(size=(100, 10)); tacit.BayesianLogisticRegression().fit(X, X[:, 0] > 0)",
        "import numpy as np; from sklearn.linear_model import LogisticRegression; r = np.random.default_rng(0); "
        "X = r.normal(size=(100, 10)); LogisticRegression().fit(X, X[:, 0] > 0)",
        6.0,
        3.5,
    ),
    "StudentTRegression, 100 × 3": (
        HEAD + "X = r.normal(size=(100, 3)); tacit.StudentTRegression().fit(X, X[:, 0] + r.normal(size=100))",
        "",
        6.0,
        3.5,
    ),
    "infer, one parameter": (
        HEAD + "import jax.numpy as jnp; y = r.normal(1.0, 1.0, 50); "
        "tacit.infer(lambda p, y: -0.5 * jnp.sum((y - p['m']) ** 2) - 0.5 * p['m'] ** 2, y, {'m': 0.0})",
        "",
        5.1,
        3.5,
    ),
}
"""First fits in Python, the peer's, and the seconds asked for: cold, and with the programs of an earlier process."""


def run(quick: bool) -> Iterator[Row]:
    """Commands first, then first fits in Python; cold and kept, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _prepare(place)
        names = list(COMMANDS)[-2:] if quick else list(COMMANDS)
        for name in names:
            words, cold, kept = COMMANDS[name]
            yield from _measured(name, [sys.executable, "-m", "tacit", *words], place, cold, kept, [])
        for name, (ours, theirs, cold, kept) in list(FITS.items())[: 1 if quick else None]:
            peer = [sys.executable, "-c", theirs] if theirs else []
            yield from _measured(name, [sys.executable, "-c", ours], place, cold, kept, peer)


def _prepare(place: Path) -> None:
    """The tables under short names, rows to be scored, and a run to score them with."""
    for name in ("faithful.csv", "penguins.csv"):
        (place / name).write_bytes((TABLES / name).read_bytes())
    wine = np.load(ANOMALY / "wine.npz", allow_pickle=True)["X"]
    _write(place / "wine.csv", [f"x{column}" for column in range(wine.shape[1])], wine)
    drawn = np.random.default_rng(0).integers(272, size=1000)
    rows = np.loadtxt(place / "faithful.csv", delimiter=",", skiprows=1)[drawn]
    _write(place / "new.csv", ["eruptions", "waiting"], rows)
    fit = ["fit", "faithful.csv", "--set", "components=2", "--set", "covariance=full", "--out", "run"]
    with empty_cache() as cache:
        _seconds([sys.executable, "-m", "tacit", *fit], place, cache)


def _write(path: Path, names: list[str], rows: np.ndarray) -> None:
    np.savetxt(path, rows, delimiter=",", header=",".join(names), comments="")


def _measured(name: str, command: list[str], place: Path, cold: float, kept: float, peer: list[str]) -> Iterator[Row]:
    with empty_cache() as cache:
        spent = {"cold": _seconds(command, place, cache), "programs kept": _seconds(command, place, cache)}
    theirs = (_seconds(peer, place, None),) if peer else ()
    for (state, seconds), asked in zip(spent.items(), (cold, kept), strict=True):
        ratios = (theirs[0] / seconds,) if theirs else ()
        yield Row(
            f"{name}; {state}",
            "processor s",
            (seconds,),
            theirs,
            "scikit-learn" if theirs else "",
            ratios,
            f"at most {asked:g} s",
            seconds <= asked,
        )


def _seconds(command: list[str], place: Path, cache: str | None) -> float:
    """Processor seconds of a process and its children; an error of ours that was not asked for is one here too."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=place, env=environment(cache), capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if "Traceback" in done.stderr:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
