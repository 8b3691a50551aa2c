"""A third of the entries removed at random, and filled: by factors, one Gaussian, and what else is in use."""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - makes the next line possible
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer

from benchmarks.frame import Row
from benchmarks.kept import kept
from benchmarks.rows import TABLES, with_gaps
from tacit import PCA, VAE, FactorAnalysis, GaussianMixture

TITLE = "Imputation by factors: 30 % removed at random, root mean squared error in standard deviations"
NOTE = (
    "One draw of the gaps; every method fills the rows that it was fitted to, which are standardised. "
    "FactorAnalysis and PCA choose their number of components by BIC from the rows with gaps; the Gaussian is "
    "GaussianMixture(1, reg_covar=1e-3), the VAE has half as many latent dimensions as columns, 10 "
    "at most, and 100 epochs at most; scikit-learn's have their default settings. bfi: "
    "the 25 items of the first 1 000 rows that answer all of them."
)
SHARE = 0.3
SEEDS = 1
MOST_LATENT, MOST_ROWS = 10, 1000


def run(quick: bool) -> Iterator[Row]:
    """A row a table and a method, beside the best of scikit-learn's on the same gaps."""
    for name, table in _tables().items():
        complete = (table - table.mean(axis=0)) / table.std(axis=0)
        found: dict[str, list[float]] = {}
        words: dict[str, list[str]] = {}
        for seed in range(1 if quick else SEEDS):
            gappy = with_gaps(complete, SHARE, seed)
            for method, fill in _methods(seed, quick).items():
                error, said = kept("factor_imputation", f"{name} {method} {seed}", _work(fill, gappy, complete))
                found.setdefault(method, []).append(float(error))
                words.setdefault(method, []).append(said)
        peers = {method: errors for method, errors in found.items() if method in PEERS}
        best = min(peers, key=lambda method: float(np.mean(peers[method])))
        for method, errors in found.items():
            what = f"{name} ({complete.shape[0]} × {complete.shape[1]}): {method}"
            ratios = tuple(b / a for a, b in zip(errors, peers[best], strict=True))
            yield Row(
                what,
                "standard deviations",
                tuple(errors),
                tuple(peers[best]),
                best,
                ratios,
                note="; ".join(words[method]),
            )


def _work(fill: Callable[..., tuple[np.ndarray, str]], gappy: np.ndarray, complete: np.ndarray) -> Callable[[], Any]:
    def work() -> tuple[float, str]:
        began = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            filled, words = fill(gappy)
        error = float(np.sqrt(np.mean((filled - complete)[np.isnan(gappy)] ** 2)))
        return error, f"{words}{', ' if words else ''}{time.process_time() - began:.1f} s"

    return work


def _tables() -> dict[str, np.ndarray]:
    with (TABLES / "bfi.csv").open(encoding="utf-8") as lines:
        items = [place for place, name in enumerate(next(lines).split(",")) if name[1:].isdigit()]
    answers = np.genfromtxt(TABLES / "bfi.csv", delimiter=",", skip_header=1, usecols=items)
    return {
        "wine": load_wine().data,
        "breast cancer": load_breast_cancer().data,
        "bfi": answers[~np.isnan(answers).any(axis=1)][:MOST_ROWS],
    }


def _by_bic(gappy: np.ndarray) -> tuple[np.ndarray, str]:
    """The number of factors whose BIC is the smallest: two that are worse end the search."""
    best, chosen, behind = np.inf, None, 0
    for number in range(1, gappy.shape[1] // 2 + 1):
        model = FactorAnalysis(number).fit(gappy)
        value = model.bic(gappy)
        behind = 0 if value < best else behind + 1
        if value < best:
            best, chosen = value, model
        if behind == 2:
            break
    assert chosen is not None
    return chosen.impute(gappy), f"{chosen.n_components} factors"


def _components(gappy: np.ndarray) -> tuple[np.ndarray, str]:
    model = PCA("mle").fit(gappy)
    return model.impute(gappy), f"{model.n_components_} components"


def _methods(seed: int, quick: bool) -> dict[str, Callable[[np.ndarray], tuple[np.ndarray, str]]]:
    def network(gappy: np.ndarray) -> tuple[np.ndarray, str]:
        latent = min(MOST_LATENT, gappy.shape[1] // 2)
        model = VAE(latent, max_epochs=5 if quick else 100, random_state=seed).fit(gappy)
        return model.impute(gappy), f"{latent} latent dimensions"

    ours: dict[str, Any] = {
        "FactorAnalysis, by BIC": _by_bic,
        "PCA, by BIC": _components,
        "one Gaussian": lambda gappy: (GaussianMixture(1, reg_covar=1e-3).fit(gappy).impute(gappy), ""),
        "VAE": network,
    }
    return ours | {name: lambda gappy, make=make: (make(seed).fit_transform(gappy), "") for name, make in PEERS.items()}


PEERS: dict[str, Callable[[int], Any]] = {
    "scikit-learn's IterativeImputer": lambda seed: IterativeImputer(random_state=seed),
    "scikit-learn's KNNImputer": lambda seed: KNNImputer(),
    "the column's mean": lambda seed: SimpleImputer(),
}
