"""PCA and factor analysis, with gaps and without, beside scikit-learn's, in seconds of the processor."""

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import jax
import numpy as np
from scipy.stats import multivariate_normal
from sklearn import decomposition
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from benchmarks.frame import Row, in_turn, spaced, timed
from benchmarks.rows import with_gaps
from tacit import PCA, FactorAnalysis
from tacit.compute import double_precision
from tacit.data.dataset import DenseRows
from tacit.data.sources import source
from tacit.estimators.factors.base import first_plane
from tacit.estimators.mixture.starts import standardiser
from tacit.models.components import factor_analytic
from tacit.models.components.factor_analytic import FactorComponent
from tacit.models.mixture.fitting import MixtureSchedule, Start
from tacit.models.mixture.fitting import run as run_em
from tacit.models.mixture.model import MixtureModel

TITLE = "Linear latent factors: PCA and factor analysis"
NOTE = (
    "Seconds of the processor, one thread. The rows are drawn: loadings N(0, 1), noise variances uniform between 0.2 "
    "and 2, seed 0. Log-likelihoods are a row's mean, in nats. scikit-learn's FactorAnalysis with its default "
    "tolerance, and with tol=1e-8 and iterations without end."
)
SHARE = 0.3
FACTORS = 5
SOLVERS = ("covariance_eigh", "randomized", "full")


def run(quick: bool) -> Iterator[Row]:
    """The time of PCA, of factor analysis, the same with gaps, and the maps that EM needs."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield from _pca(5_000 if quick else 200_000, 100, 10, 1 if quick else 3)
        size = 2_000 if quick else 20_000
        rows, fresh, truth = drawn(size, 50, FACTORS)
        yield from _complete(rows, 1 if quick else 3)
        gappy = with_gaps(rows, SHARE)
        yield from _gaps(rows, gappy, fresh, truth, 1 if quick else 3)
        yield from _maps(gappy)


def drawn(size: int, columns: int, factors: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Rows of a factor model, 5 000 more, and the log-likelihood of these under it."""
    random = np.random.default_rng(0)
    loadings, noise = random.normal(size=(columns, factors)), random.uniform(0.2, 2.0, columns)
    both = random.normal(size=(size + 5_000, factors)) @ loadings.T
    both += np.sqrt(noise) * random.normal(size=both.shape)
    spread = loadings @ loadings.T + np.diag(noise)
    truth = float(multivariate_normal(np.zeros(columns), spread).logpdf(both[size:]).mean())
    return both[:size], both[size:], truth


def processor(work: Callable[[], Any]) -> float:
    """Seconds of the processor that a call takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def _pca(size: int, columns: int, number: int, rounds: int) -> Iterator[Row]:
    rows = drawn(size, columns, number)[0]
    what = f"PCA({number}), {spaced(size)} × {columns}"
    mine = PCA(number).fit(rows).components_
    for solver in SOLVERS:
        peer = decomposition.PCA(number, svd_solver=solver, random_state=0).fit(rows)
        across = peer.components_ - peer.components_ @ mine.T @ mine
        turns = in_turn(
            lambda: processor(lambda: PCA(number).fit(rows)),
            lambda peer=peer: processor(lambda: peer.fit(rows)),
            rounds,
            60.0,
        )
        note = f"the subspaces differ by the sine {np.linalg.norm(across, 2):.1e}"
        yield timed(what, "s", turns, f"scikit-learn, {solver}", 1 / 1.3, note)


def _complete(rows: np.ndarray, rounds: int) -> Iterator[Row]:
    what = f"FactorAnalysis({FACTORS}), {spaced(len(rows))} × {rows.shape[1]}"
    reached = float(np.mean(FactorAnalysis(FACTORS).fit(rows).score_samples(rows)))
    peers: dict[str, tuple[Any, float]] = {}
    for method in ("lapack", "randomized"):
        for words, settings in (("", {}), (", tol=1e-8", {"tol": 1e-8, "max_iter": 100_000})):
            peer = decomposition.FactorAnalysis(FACTORS, svd_method=method, random_state=0, **settings)
            peers[method + words] = peer, float(peer.fit(rows).score(rows))
    plain = {name: found[1] for name, found in peers.items() if "tol" not in name}
    for name, (peer, likelihood) in peers.items():
        turns = in_turn(
            lambda: processor(lambda: FactorAnalysis(FACTORS).fit(rows)),
            lambda peer=peer: processor(lambda: peer.fit(rows)),
            rounds,
            60.0,
        )
        least = None if name not in plain else 8.0 if likelihood == max(plain.values()) else 1.0
        note = f"log-likelihood {reached:.8f}, theirs {likelihood:.8f}"
        yield timed(what, "s", turns, f"scikit-learn, {name}", least, note)


def _gaps(rows: np.ndarray, gappy: np.ndarray, fresh: np.ndarray, truth: float, rounds: int) -> Iterator[Row]:
    what = f"the same with {SHARE:.0%} of the entries removed at random"
    lapack = decomposition.FactorAnalysis(FACTORS, svd_method="lapack")
    turns = in_turn(
        lambda: processor(lambda: FactorAnalysis(FACTORS).fit(gappy)),
        lambda: processor(lambda: lapack.fit(rows)),
        rounds,
        60.0,
    )
    yield timed(what, "s", turns, "scikit-learn, lapack, the complete rows", 1 / 1.5)
    for name, table in (("the complete rows", rows), ("the rows with gaps", gappy)):
        behind = truth - float(FactorAnalysis(FACTORS).fit(table).score(fresh))
        what = f"5 000 fresh rows, log-likelihood behind the truth's, fitted to {name}"
        asked = "≤ 0.011" if table is gappy else ""
        expected = 340 / (2 * len(rows) * (1.0 - SHARE if asked else 1.0))
        note = f"an efficient estimate of 340 parameters is expected to lose about {expected:.4f}"
        if asked:
            fewer = 1.0 - SHARE
            lost = truth - float(FactorAnalysis(FACTORS).fit(rows[: round(fewer * len(rows))]).score(fresh))
            note += f"; {fewer:.0%} of the rows without any gap, which are as many entries, lose {lost:.4f}"
        yield Row(what, "nats a row", (behind,), asked=asked, met=behind <= 0.011 if asked else None, note=note)


def _maps(gappy: np.ndarray) -> Iterator[Row]:
    """E-steps until the log-likelihood of all rows together rises by less than 1e-3 nats."""
    held = FactorComponent.m_step
    best: float | None = None
    for words, expand, accelerate in (
        ("parameter expansion and SQUAREM", True, True),
        ("parameter expansion", True, False),
        ("SQUAREM", False, True),
        ("plain EM", False, False),
    ):
        count = 0

        def counted(self: FactorComponent, statistics: Any) -> FactorComponent:
            nonlocal count
            count += 1
            return held(self, statistics)

        with mock.patch.object(FactorComponent, "m_step", counted):
            if expand:
                bound = _em(gappy, accelerate)
            else:
                with mock.patch.object(factor_analytic, "_expanded", lambda loadings, offset, _: (loadings, offset)):
                    bound = _em(gappy, accelerate)
        best = bound if best is None else best
        note = f"ends {best - bound:+.4f} nats of all rows behind the first" if bound != best else ""
        yield Row(f"EM with gaps, {words}: E-steps to convergence", "", (count,), note=note)


@double_precision
def _em(rows: np.ndarray, accelerate: bool) -> float:
    data, dims = DenseRows(rows), rows.shape[1]
    view = standardiser(data.moments(), np.ones(dims, bool))
    plane = first_plane(data, view, FACTORS, np.random.default_rng(0))
    start = FactorComponent(
        np.zeros((1, dims)),
        plane[None],
        np.full((1, dims), 0.5),
        np.full(dims, 1e-6),
        tuple(range(dims)),
        complete=False,
    )
    model = MixtureModel(np.zeros(1), (start,), np.ones(1, bool))
    stacked = jax.tree.map(lambda leaf: np.asarray(leaf)[None], model)
    schedule = MixtureSchedule(5000, 1e-3 / len(rows), accelerate, "factors")
    (found,) = run_em(Start(stacked, None), source(data, chunk=1024), view, schedule, np.random.default_rng(0))
    return found.bound
