"""BayesianGaussianMixture against scikit-learn's: time an iteration, and both fits under one complete bound."""

import warnings
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture as Theirs

from benchmarks.frame import Row, in_turn, spaced, timed
from benchmarks.rows import blobs, per_iteration
from tacit import BayesianGaussianMixture as Ours

TITLE = "BayesianGaussianMixture: time of one iteration, and the bound reached"
NOTE = (
    "A Dirichlet process of K = 20 components, full covariance, the priors of both the defaults, which are the same. "
    "The time is the difference of two fits with different max_iter, divided by the difference of n_iter_, with tol=0; "
    "k-means starts are outside it. The bounds are of fits of the first 10 000 rows that both begin at the posterior "
    "after scikit-learn's first iteration, and both are scored by our complete bound."
)
COUNT, COLUMNS, COMPONENTS = 100_000, 10, 20
FEW, MANY = 2, 8
SEEDS, SCORED, STEPS = 2, 10_000, 30


def run(quick: bool) -> Iterator[Row]:
    """A row of times, and one of bounds for each of some seeds."""
    rows = blobs(COUNT // (100 if quick else 1), COLUMNS, COMPONENTS)
    settings = {"n_components": COMPONENTS, "random_state": 0}
    ours = lambda: per_iteration(Ours, rows, settings, FEW, MANY)  # noqa: E731
    theirs = lambda: per_iteration(Theirs, rows, settings, FEW, MANY)  # noqa: E731
    ours()
    turns = in_turn(ours, theirs, 2 if quick else 5, 80.0)
    what = f"{spaced(len(rows))} × {COLUMNS}, K = {COMPONENTS}, full, float64"
    yield timed(what, "ms an iteration", turns, "scikit-learn", 8.0)
    yield _bounds(rows[:SCORED], 1 if quick else SEEDS)


def _bounds(rows: np.ndarray, seeds: int) -> Row:
    mine, peers = [], []
    for seed in range(seeds):
        settings: dict[str, Any] = {"n_components": COMPONENTS, "random_state": seed}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            begun, ended = (Theirs(**settings, max_iter=most).fit(rows) for most in (1, STEPS))
            ours = judge(begun, rows, STEPS - 1)
            peer = judge(ended, rows, 0)
        mine.append(ours.lower_bound_ / len(rows))
        peers.append(peer.lower_bound_ / len(rows))
    return Row(
        f"{spaced(len(rows))} × {COLUMNS}, K = {COMPONENTS}, the bound after {STEPS} iterations",
        "nats a row",
        tuple(mine),
        tuple(peers),
        "scikit-learn",
        asked="equal or better",
        met=all(own >= other - 1e-9 for own, other in zip(mine, peers, strict=True)),
        note="a figure for each seed; above is better",
    )


def judge(theirs: Theirs, rows: np.ndarray, more: int) -> Ours:
    """Ours, gone on for some iterations from the posterior that scikit-learn found; its bound is the complete one."""
    ours = Ours(n_components=theirs.n_components, max_iter=0, random_state=0).fit(rows)
    parts = lambda p: (  # noqa: E731
        p.weights.ones,
        p.weights.rest,
        p.groups[0].means,
        p.groups[0].covariances,
        p.groups[0].pulls,
        p.groups[0].dofs,
    )
    found = (
        *theirs.weight_concentration_,
        theirs.means_,
        theirs.covariances_,
        theirs.mean_precision_,
        theirs.degrees_of_freedom_,
    )
    ours.posterior_ = eqx.tree_at(parts, ours.posterior_, tuple(np.asarray(each, float) for each in found))
    return ours.set_params(warm_start=True, max_iter=more).fit(rows)
