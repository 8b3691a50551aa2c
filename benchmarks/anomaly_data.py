"""The labelled sets, and the peers: log-densities or scores where higher is more ordinary."""

from collections.abc import Callable

import numpy as np
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor

from benchmarks.rows import TABLES

try:
    from pyod.models.copod import COPOD
    from pyod.models.ecod import ECOD
except ImportError:  # the peers live in an environment of their own
    ECOD = COPOD = None

FOLDER = TABLES.parent / "anomaly"
MOST = 5_000
CHOSEN_ON = 12
"""Defaults were chosen on so many sets, the first in alphabetical order."""


def names() -> list[str]:
    """All sets in alphabetical order."""
    return sorted(file.stem for file in FOLDER.glob("*.npz"))


def labelled(name: str, most: int = MOST) -> tuple[np.ndarray, np.ndarray]:
    """Rows and whether each is an anomaly; of large sets a seeded sample that keeps the share of anomalies."""
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
        rows, labels = file["X"].astype(float), file["y"] == 1
    if len(rows) <= most:
        return rows, labels
    random = np.random.default_rng(0)
    parts = [random.permutation(np.flatnonzero(labels == kind)) for kind in (False, True)]
    odd = max(1, round(most * labels.mean()))
    chosen = np.sort(np.concatenate([parts[0][: most - odd], parts[1][:odd]]))
    return rows[chosen], labels[chosen]


def peers() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """A score a row, lower where it is odder."""
    if ECOD is None:
        raise RuntimeError("pyod is not installed: pip install -r benchmarks/requirements.txt, or make bench")
    return {
        "IsolationForest": lambda rows: IsolationForest(random_state=0).fit(rows).score_samples(rows),
        "LocalOutlierFactor": lambda rows: LocalOutlierFactor().fit(rows).negative_outlier_factor_,
        "scikit-learn's GaussianMixture": lambda rows: GaussianMixture(random_state=0).fit(rows).score_samples(rows),
        "ECOD": lambda rows: -ECOD().fit(rows).decision_scores_,
        "COPOD": lambda rows: -COPOD().fit(rows).decision_scores_,
    }
