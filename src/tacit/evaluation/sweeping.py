"""Whatever has a number of groups or dimensions, fitted with several of them, for `select`.

Mixtures have criteria of their own. Of another model that gives rows a density the held-out score decides, and of one
that only assigns rows to centres how far each row is from the second nearest.
"""

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning

from tacit.data.dataset import Dataset
from tacit.data.sequenced import SequencedRows, apart
from tacit.data.sources import PIECE_ROWS
from tacit.estimators.base import Seed, check_choice, seed_of
from tacit.estimators.capabilities import (
    Assigns,
    EmptiesItself,
    MatrixLike,
    Predicts,
    ReadsKinds,
    Scores,
    Sweeps,
    Transforms,
    can,
)
from tacit.estimators.factors.capabilities import HasFactors, TellsFit
from tacit.estimators.sequence.reading import ReadsSequences
from tacit.estimators.stopping import stop_reason
from tacit.evaluation.parallel_choice import PARALLEL, by_parallel, excess
from tacit.evaluation.rows import number_of_rows, picked, weights_at, weights_of
from tacit.evaluation.spreading import every
from tacit.inference.status import INTERRUPTED, STOPPED

LIKELIHOODS = ("bic", "icl", "aic", "held-out")
"""What can choose among mixtures whose parameters are estimates."""
FACTORS = ("bic", "aic", "held-out")
"""Among numbers of factors and of states."""
BOUNDS = ("bound", "held-out")
"""Among mixtures with a posterior over their parameters."""
HOLDOUT = 0.1
"""The share of the rows that are kept aside for a held-out score."""


def criteria_of(estimator: BaseEstimator) -> tuple[str, ...]:
    """What can choose a number of components, the usual one first; none where a model has no such number.

    Args:
        estimator: any but a topic model, which `tacit.select_topics` is for.
    """
    if not can(estimator, Sweeps) or can(estimator, Predicts):
        return ()
    if can(estimator, EmptiesItself):
        return BOUNDS
    if can(estimator, HasFactors):
        return (*FACTORS, PARALLEL)
    if can(estimator, ReadsSequences):
        return FACTORS
    if can(estimator, Scores):
        return LIKELIHOODS if can(estimator, Assigns) else ("held-out",)
    return ("silhouette",) if can(estimator, Assigns) and can(estimator, Transforms) else ()


def one_of(known: tuple[str, ...], criterion: str | None) -> str:
    """The criterion asked for, or the usual one."""
    chosen = known[0] if criterion is None else criterion
    check_choice("criterion", chosen, known)
    return chosen


def sweep(
    X: MatrixLike,
    numbers: Sequence[int],
    criterion: str | None,
    estimator: BaseEstimator,
    sample_weight: ArrayLike | None,
    random_state: Seed,
) -> tuple[BaseEstimator, list[dict[str, Any]], str]:
    """The best fit to all rows, a line of `Selection.table` for every number, and what was maximised."""
    known = criteria_of(estimator)
    if not known:
        raise ValueError(f"{type(estimator).__name__} has no number of components that rows could choose")
    chosen = one_of(known, criterion)
    weights, random = weights_of(X, sample_weight), seed_of(random_state)
    seed = int(random.integers(2**31))
    if chosen == PARALLEL:
        return _by_parallel(X, numbers, estimator, weights, seed)
    learn, held = _parts(X, chosen, random)
    lines: list[dict[str, Any]] = []
    rows = Halves(
        X if learn is None else picked(X, learn),
        X if held is None else picked(X, held),
        weights if learn is None else weights_at(weights, learn),
        weights if held is None else weights_at(weights, held),
    )
    for line, interrupted in every(_tried, numbers, (estimator, seed, chosen, rows), X):
        lines.append(line)
        if interrupted:
            break
    column, sound = chosen.replace("-", "_"), not all(line["at_floor"] for line in lines)
    values = [np.nan if sound and line["at_floor"] else line[column] for line in lines]
    best = _made(estimator, numbers[int(np.argmax(np.nan_to_num(values, nan=-np.inf)))], seed)
    return best.fit(X, sample_weight=weights), lines, chosen


class Halves(NamedTuple):
    """Rows that are learned from, and rows by which a fit is judged; the same ones where nothing is kept aside."""

    learn: Any
    held: Any
    learn_weights: np.ndarray
    held_weights: np.ndarray


def _parts(X: MatrixLike, criterion: str, random: np.random.Generator) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The rows that are learned from and those that are kept aside; None for all of them."""
    if criterion != "held-out":
        return None, None
    rows = number_of_rows(X)
    if rows < 2:
        raise ValueError("a held-out score needs two rows at least")
    if isinstance(X, SequencedRows):
        return apart(X, HOLDOUT, random)
    order = random.permutation(rows)
    kept = min(max(1, round(HOLDOUT * rows)), rows - 1)
    return np.sort(order[kept:]), np.sort(order[:kept])


def _tried(
    number: int, estimator: BaseEstimator, seed: int, criterion: str, rows: Halves
) -> tuple[dict[str, Any], bool]:
    """The line of one number, and whether Ctrl-C ended its fit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the table says so
        fit = _made(estimator, number, seed).fit(rows.learn, sample_weight=rows.learn_weights)
    if criterion == "held-out":
        value = float(np.average(fit.score_samples(rows.held), weights=rows.held_weights))
    elif criterion == "silhouette":
        value = _silhouette(fit, rows.held, rows.held_weights)
    else:
        ask = fit.icl if criterion == "icl" else fit.bic if criterion == "bic" else fit.aic
        value = -ask(rows.held, rows.held_weights)
    line = _line(fit, criterion, value)
    if criterion not in ("held-out", "silhouette"):
        line["log_likelihood"] = float((fit.score_samples(rows.held) * rows.held_weights).sum())
    return line, fit.stop_reason_ == stop_reason(INTERRUPTED)


def _by_parallel(
    X: MatrixLike, numbers: Sequence[int], estimator: BaseEstimator, weights: np.ndarray, seed: int
) -> tuple[BaseEstimator, list[dict[str, Any]], str]:
    """One fit, of as many factors as parallel analysis keeps, or of those that were asked for the nearest to that."""
    found = by_parallel(estimator, X, weights)
    above = excess(found, components=not (can(estimator, TellsFit) or can(estimator, ReadsKinds)))
    known = [number for number in numbers if number <= len(above)]
    if not known:
        raise ValueError(f"{len(above)} columns have fewer than {min(numbers)} factors")
    best = max(known, key=lambda number: above[number - 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the table says so
        fit = _made(estimator, best, seed).fit(X, sample_weight=weights)
    lines = []
    for number in known:
        line = _line(fit, PARALLEL, float(above[number - 1])) | {"n_components": number}
        if number != best:
            line |= {"n_parameters": None, "converged": True, "at_floor": False}
        line["bic"] = None if found.bic is None or number >= len(found.bic) else -float(found.bic[number])
        lines.append(line)
    lines[known.index(best)]["log_likelihood"] = float(np.asarray(fit.score_samples(X)) @ weights)
    return fit, lines, PARALLEL


def silhouette(distances: np.ndarray, weights: np.ndarray) -> float:
    """The simplified silhouette, −1 to 1, higher is better: the mean of ``(b − a)/b``.

    a is a row's distance to its own centre, and b to the second nearest (Hruschka, de Castro & Campello 2004); of one
    centre it is 0, as of a row that lies on both.

    Args:
        distances: to every centre, ``(n, K)``.
        weights: of the rows.
    """
    return float(np.average(silhouettes(distances), weights=weights))


def silhouettes(distances: np.ndarray) -> np.ndarray:
    """``(b − a)/b`` of every row ``[rows, centres]``."""
    if distances.shape[1] < 2:
        return np.zeros(len(distances))
    near, next_to = np.partition(distances, 1, axis=1)[:, :2].T
    return np.where(next_to > 0, 1.0 - near / np.where(next_to > 0, next_to, 1.0), 0.0)


def _silhouette(fit: BaseEstimator, X: Any, weights: np.ndarray) -> float:
    """Of all rows; those of a data set some at a time, for distances are wider than what is kept of them."""
    if not isinstance(X, Dataset):
        return silhouette(fit.transform(X), weights)
    starts = range(0, len(X), PIECE_ROWS)
    each = [silhouettes(fit.transform(X.take(slice(at, at + PIECE_ROWS)))) for at in starts]
    return float(np.average(np.concatenate(each), weights=weights))


def _made(estimator: BaseEstimator, number: int, seed: int) -> BaseEstimator:
    return clone(estimator).set_params(**{estimator.swept: number, "random_state": seed})


def _line(fit: BaseEstimator, criterion: str, value: float) -> dict[str, Any]:
    settled = fit.converged_ or (fit.history_ is not None and fit.stop_reason_ == stop_reason(STOPPED))
    return {
        "n_components": fit.number,
        "covariance": "",
        "log_likelihood": None,
        "n_parameters": fit.n_parameters_ or None,
        criterion.replace("-", "_"): value,
        "converged": bool(settled),  # the rate of a fit by gradients has fallen to 0 at its last step
        "at_floor": bool(fit.at_floor_),
    }
