"""Half of the entries removed at random: filled by the mean, by chained regressions, by a Gaussian, and by a VAE."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the next line possible
from sklearn.impute import IterativeImputer, SimpleImputer

from benchmarks.frame import Row
from benchmarks.rows import with_gaps
from tacit import IWAE, GaussianMixture

TITLE = "Imputation: half of the entries removed at random, root mean squared error in standard deviations"
NOTE = (
    "A figure a seed of the gaps; every method fills the rows it was fitted to. All have their default settings, but "
    "for IterativeImputer (up to 50 rounds, so that it comes to rest), the Gaussian (GaussianMixture(1), 1e-3 on "
    "the diagonal, the columns being standardised), and the number of latent dimensions: half of the columns, 10 at "
    "most. The objective of the VAE is that of Mattei & Frellsen 2019."
)
TABLES: dict[str, Callable[[], Any]] = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer}
SHARE = 0.5
MOST_LATENT = 10
SEEDS = 3


def run(quick: bool) -> Iterator[Row]:
    """A row a table and a method of ours, each against each of the two peers."""
    for name, table in TABLES.items():
        complete = table().data
        complete = (complete - complete.mean(axis=0)) / complete.std(axis=0)
        ours: dict[str, list[float]] = {}
        theirs: dict[str, list[float]] = {}
        for seed in range(1 if quick else SEEDS):
            gappy = with_gaps(complete, SHARE, seed)
            for found, methods in ((ours, _ours(complete.shape[1], seed, quick)), (theirs, _peers(seed))):
                for method, fill in methods.items():
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        filled = fill(gappy)
                    found.setdefault(method, []).append(_error(filled, complete, gappy))
        for method, errors in ours.items():
            for peer, other in theirs.items():
                what = f"{name} ({complete.shape[0]} × {complete.shape[1]}): {method}"
                ratios = tuple(b / a for a, b in zip(errors, other, strict=True))
                yield Row(what, "standard deviations", tuple(errors), tuple(other), peer, ratios)


def _error(filled: np.ndarray, complete: np.ndarray, gappy: np.ndarray) -> float:
    gaps = np.isnan(gappy)
    return float(np.sqrt(np.mean((filled - complete)[gaps] ** 2)))


def _ours(columns: int, seed: int, quick: bool) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    latent = min(MOST_LATENT, columns // 2)
    settings: dict[str, Any] = {"max_epochs": 5 if quick else None, "random_state": seed}

    def filled(model: Any) -> Callable[[np.ndarray], np.ndarray]:
        return lambda rows: model.fit(rows).impute(rows)

    return {
        "one Gaussian": filled(GaussianMixture(1, reg_covar=1e-3, random_state=seed)),
        "VAE, objective='iwae'": filled(IWAE(latent, **settings)),
    }


def _peers(seed: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    return {
        "column mean": SimpleImputer().fit_transform,
        "IterativeImputer": IterativeImputer(max_iter=50, random_state=seed).fit_transform,
    }
