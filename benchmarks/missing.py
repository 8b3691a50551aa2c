"""Missing entries: iris with 30 % of its entries removed at random, against scipy and against StepMix."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score

from benchmarks.frame import Row, clock, in_turn, spaced, timed
from benchmarks.rows import blobs, per_iteration, with_gaps
from tacit import GaussianMixture

try:
    from stepmix import StepMix
except ImportError:  # the peers live in an environment of their own
    StepMix = None

TITLE = "Missing entries: 30 % removed at random"
NOTE = (
    "StepMix: measurement='gaussian_diag_nan', the diagonal model. Both take ten starts (ours by k-means, theirs "
    "random, their default), stop when the log-likelihood a row changes by less than 1e-6, and see the same folds."
)
SHARE, GROUPS, FOLDS = 0.3, 3, 5
ITERATIONS = {"n_init": 10, "max_iter": 1000, "random_state": 0}


def run(quick: bool) -> Iterator[Row]:
    """Exactness, agreement, and the peer."""
    complete, species = load_iris(return_X_y=True)
    rows = with_gaps(complete, SHARE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = GaussianMixture(GROUPS, tol=1e-6, **ITERATIONS).fit(rows)
        whole = GaussianMixture(GROUPS, tol=1e-6, **ITERATIONS).fit(complete)
    yield _exact(fitted, rows)
    yield from _agreement(fitted, whole, rows, complete, species)
    if StepMix is None:
        raise RuntimeError("StepMix is not installed: pip install -r benchmarks/requirements.txt, or make bench")
    yield from _folds(rows, 1 if quick else 3)
    yield _iteration(2_000 if quick else 50_000, 2 if quick else 5)


def _exact(fitted: GaussianMixture, rows: np.ndarray) -> Row:
    """The largest error of a row's marginal log-likelihood; scipy sees the observed entries only."""
    seen = ~np.isnan(rows)
    expected = np.array(
        [
            logsumexp([np.log(w) + _observed(row[o], m[o], c[np.ix_(o, o)]) for w, m, c in _components(fitted)])
            for row, o in zip(rows, seen, strict=True)
        ]
    )
    error = float(np.abs(fitted.score_samples(rows) - expected).max())
    note = f"{len(rows)} rows, {(~seen).sum()} of {rows.size} entries missing, {(~seen.any(axis=1)).sum()} rows empty"
    what = "marginal log-likelihood against scipy, largest error of a row"
    return Row(what, "nats", (error,), asked="≤ 1e-9", met=error <= 1e-9, note=note)


def _components(model: GaussianMixture) -> list[tuple[float, np.ndarray, np.ndarray]]:
    return list(zip(model.weights_, model.means_, model.covariances_, strict=True))


def _observed(row: np.ndarray, mean: np.ndarray, covariance: np.ndarray) -> float:
    return float(multivariate_normal.logpdf(row, mean, covariance)) if row.size else 0.0


def _agreement(
    fitted: GaussianMixture, whole: GaussianMixture, rows: np.ndarray, complete: np.ndarray, species: np.ndarray
) -> Iterator[Row]:
    groups, reference = fitted.predict(rows), whole.predict(complete)
    pairs = {
        "groups of the rows with gaps and of the complete fit": adjusted_rand_score(reference, groups),
        "the fit with gaps, asked about the complete rows": adjusted_rand_score(reference, fitted.predict(complete)),
        "groups of the rows with gaps and the species": adjusted_rand_score(species, groups),
        "groups of the complete fit and the species": adjusted_rand_score(species, reference),
    }
    for what, value in pairs.items():
        yield Row(what, "adjusted Rand index", (float(value),))


def _peer(components: int, **settings: Any) -> Any:
    return StepMix(components, measurement="gaussian_diag_nan", rel_tol=0.0, verbose=0, progress_bar=0, **settings)


def _folds(rows: np.ndarray, rounds: int) -> Iterator[Row]:
    """Seconds of the five fits, and nats a row on what each has not seen."""
    fold = np.random.default_rng(1).permutation(len(rows)) % FOLDS
    scores: dict[str, list[float]] = {}

    def all_folds(side: str) -> float:
        spent, scores[side] = 0.0, []
        for number in range(FOLDS):
            if side == "ours":
                model = GaussianMixture(GROUPS, covariance_type="diag", tol=1e-6, **ITERATIONS)
            else:
                model = _peer(GROUPS, abs_tol=1e-6, **ITERATIONS)
            spent += clock(lambda model=model, number=number: model.fit(rows[fold != number]))[0]
            scores[side].append(float(model.score(rows[fold == number])))
        return spent

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        all_folds("ours")
        turns = in_turn(lambda: all_folds("ours"), lambda: all_folds("theirs"), rounds, 30.0)
    yield timed(f"iris with gaps, diagonal: {FOLDS} fits of ten starts", "s", turns, "StepMix")
    gains = np.subtract(scores["ours"], scores["theirs"])
    note = f"paired difference {gains.mean():+.4f} ± {gains.std(ddof=1) / np.sqrt(FOLDS):.4f} (standard error)"
    means = [(float(np.mean(scores[side])),) for side in ("ours", "theirs")]
    yield Row("   held-out log-likelihood", "nats a row", means[0], means[1], "StepMix", note=note)


def _iteration(count: int, rounds: int) -> Row:
    """Time of an iteration on more rows; the starts differ, which changes no arithmetic."""
    rows = with_gaps(blobs(count, 8, 4), SHARE)
    ours = {"n_components": 4, "covariance_type": "diag", "random_state": 0, "init_params": "random_from_data"}

    def theirs(**settings: Any) -> Any:
        settings["abs_tol"] = settings.pop("tol")
        return _peer(4, random_state=0, **settings)

    def mine() -> float:
        return per_iteration(GaussianMixture, rows, ours, 5, 25)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine()
        turns = in_turn(mine, lambda: per_iteration(theirs, rows, {}, 2, 6), rounds, 25.0)
    return timed(f"{spaced(count)} × 8 with gaps, K = 4, diagonal", "ms an iteration", turns, "StepMix")
