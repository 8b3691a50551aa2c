"""Data, starts, and the time of an iteration, the same for us and the peer."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from benchmarks.frame import clock

TABLES = Path(__file__).resolve().parents[2] / "shared" / "data" / "tables"
CHUNK = 100_000


def blobs(rows: int, columns: int, clusters: int, kind: str = "float64") -> np.ndarray:
    """Clusters that overlap, so that a fit takes its time; made in chunks, so that no more than they is held."""
    random = np.random.default_rng(0)
    centres = 1.2 * random.normal(size=(clusters, columns))
    made = np.empty((rows, columns), kind)
    for first in range(0, rows, CHUNK):
        part = made[first : first + CHUNK]
        part[:] = centres[random.integers(clusters, size=len(part))]
        part += random.normal(size=part.shape)
    return made


def start(rows: np.ndarray, components: int, covariance: str) -> dict[str, Any]:
    """One start for both sides: the first rows as means, equal weights, the spread of the data."""
    spread = np.cov(np.asarray(rows[:CHUNK], float), rowvar=False)
    if covariance == "full":
        precisions = np.tile(np.linalg.inv(spread), (components, 1, 1))
    else:
        precisions = np.tile(1.0 / np.diag(spread), (components, 1))
    return {
        "n_components": components,
        "covariance_type": covariance,
        "weights_init": np.full(components, 1.0 / components).astype(rows.dtype),
        "means_init": rows[:components].copy(),
        "precisions_init": precisions.astype(rows.dtype),
    }


def per_iteration(kind: type, rows: np.ndarray, settings: dict[str, Any], few: int, many: int) -> float:
    """Milliseconds an iteration: what a fit of many takes longer than one of few, nothing else in it."""
    spent, count = [], []
    for iterations in (few, many):
        model = kind(**settings, max_iter=iterations, tol=0.0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            took, _ = clock(lambda model=model: model.fit(rows))
        spent.append(took)
        count.append(model.n_iter_)
    if count[1] <= count[0]:
        raise RuntimeError(f"{kind.__module__} made {count} iterations where {few} and {many} were asked for")
    return 1e3 * (spent[1] - spent[0]) / (count[1] - count[0])


def faithful() -> np.ndarray:
    """Old Faithful: 272 eruptions, their length and the wait before."""
    return np.loadtxt(TABLES / "faithful.csv", delimiter=",", skiprows=1)


def with_gaps(rows: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """The rows with exactly this share of the entries removed at random."""
    gaps = np.zeros(rows.size, dtype=bool)
    gaps[: round(share * rows.size)] = True
    return np.where(np.random.default_rng(seed).permutation(gaps).reshape(rows.shape), np.nan, rows)
