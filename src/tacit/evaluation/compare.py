"""``compare``: models on one scale, nats a row that none of them has seen."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone

from tacit import plots
from tacit.compute import double_precision
from tacit.data.dataset import Values, some
from tacit.data.results import TableResult
from tacit.data.sequenced import SequencedRows, fold_of
from tacit.estimators.base import Seed, check_whole, seed_of
from tacit.estimators.capabilities import Codes, MatrixLike, can
from tacit.estimators.measure import GIVEN_TOTAL, Measure
from tacit.estimators.vae.answers import BLACK_OR_WHITE
from tacit.evaluation.baseline import INDEPENDENT, independent, seen_as
from tacit.evaluation.measure import check_scores, measure
from tacit.evaluation.rows import (
    fit_rows,
    fresh,
    mean_and_error,
    names_at_fit,
    number_of_rows,
    read,
    score_rows,
    weights_at,
    weights_of,
)
from tacit.evaluation.spreading import every, read_if_few
from tacit.registry import create


@dataclasses.dataclass(frozen=True, eq=False)
class Comparison(TableResult):
    """Models in the order of their held-out log-likelihood.

    Attributes:
        table: a data frame, a row per model, the best first: model, held_out (nats a row; larger is better),
            standard_error, difference (to the best, ≤ 0), difference_error, seconds (fits and scores of all folds).
            Both errors are over rows; the difference is paired, so its error is free of what makes a row
            hard for all models, and is what tells two models apart. A fit shares its rows with the fits of other
            folds, which the errors do not know: read them as a little too small (Bengio & Grandvalet 2004).
        scores: by model, the log-density of every row under the fit that has not seen it, ``(n,)``.
        measure: what the numbers are densities of, a word a column.
        best: the name of the first.
    """

    table: pa.Table
    scores: Mapping[str, np.ndarray]
    measure: Measure

    def to_arrow(self) -> pa.Table:
        """The models, the best first."""
        return self.table

    def headline(self) -> str:
        """Which is the best."""
        return f"Held-out nats a row (higher is better): {self.best} is first"

    def plot(self) -> Any:
        """A matplotlib ``Figure``: how far each lies behind the best, with two standard errors of the difference."""
        gap, error = (np.asarray(self.table.column(n).to_pylist(), float) for n in ("difference", "difference_error"))
        reach = 2.0 * np.nan_to_num(error)
        says = "Nats a row behind the best, with two standard errors"
        return plots.coefficient_plot(self.table.column("model").to_pylist(), gap, gap - reach, gap + reach, says=says)

    @property
    def best(self) -> str:
        """The name of the model with the largest held-out log-likelihood."""
        return self.table.column("model")[0].as_py()


@double_precision
def compare(
    X: MatrixLike,
    models: Mapping[str, Any] | Sequence[str],
    folds: int = 5,
    random_state: Seed = None,
    sample_weight: ArrayLike | None = None,
    baseline: bool | None = None,
) -> Comparison:
    """Score every row under a fit that has not seen it, by cross-validation with the same folds for all models.

    Inside `tacit.distributed.engine` the fits are given to its workers, where the rows fit into memory.

    Args:
        X: rows, as every one of the estimators takes them. Images ``(n, height, width[, channels])`` go as flat rows to
            those that take rows only.
        models: unfitted estimators by a name of your own, or names of the registry (with their default settings), or
            "independent".
        folds: parts of the rows; each is scored by fits to the others.
        random_state: seed of the folds, and of the estimators that have none of their own.
        sample_weight: a weight a row; 2 is the same as two copies in one fold.
        baseline: whether "independent" is added, every entry by itself: a normal, or the probabilities of its levels.
            None adds it for images and beside deep models, where the entries are numbers.

    Raises:
        ValueError: fewer than two folds or more than rows; an estimator without log-densities; or
            models whose log-densities are not of the same thing (a density of values, a probability of counts, a
            probability of counts given their total): such numbers have no common scale.
    """
    random = seed_of(random_state)
    models, asked = _without_baseline(models)
    candidates = _candidates(models, random)
    check_whole("folds", folds, 2)
    rows = number_of_rows(X)
    if folds > rows:
        raise ValueError(f"folds={folds} is more than the {rows} rows; every fold needs a row")
    X = read_if_few(X)
    weights = weights_of(X, sample_weight)
    fold = fold_of(X, folds, random) if isinstance(X, SequencedRows) else _folds(rows, folds, random)
    scores, seconds, measured = _crossed(candidates, X, fold, weights)
    wanted = asked or baseline or (baseline is None and _suits_baseline(candidates, X))
    single = independent(X, measured) if wanted and INDEPENDENT not in candidates else None
    if single is not None:
        more = _crossed({INDEPENDENT: single}, seen_as(X, measured), fold, weights)
        scores, seconds = scores | more[0], seconds | more[1]
    elif asked or baseline:
        raise ValueError(
            f"there is no model {INDEPENDENT!r} of these rows: it needs an array of numbers, a name that no other "
            "model has, and models that predict the total of a row of counts"
        )
    return Comparison(_table(scores, weights, seconds), scores, measured)


def _without_baseline(models: Mapping[str, Any] | Sequence[str]) -> tuple[Any, bool]:
    """The models but for the baseline, and whether it was named."""
    if isinstance(models, str | Mapping) or INDEPENDENT not in models:
        return models, False
    return [name for name in models if name != INDEPENDENT], True


def _suits_baseline(candidates: Mapping[str, Any], X: MatrixLike) -> bool:
    deep = any(can(candidate, Codes) for candidate in candidates.values())
    return deep or (isinstance(X, np.ndarray) and X.ndim > 2)


def _crossed(
    candidates: Mapping[str, Any], X: MatrixLike, fold: np.ndarray, weights: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, float], Measure]:
    """Scores of rows by fits that have not seen them, seconds by model, and what the scores are of."""
    tables = {name: _read(name, candidate, X) for name, candidate in candidates.items()}
    scores = {name: np.empty(fold.size) for name in candidates}
    seconds = dict.fromkeys(candidates, 0.0)
    measures: dict[str, Measure] = {}
    tasks = [(number, name) for number in range(fold.max() + 1) for name in candidates]
    shared = dict(candidates), tables, fold, weights
    for (number, name), (found, own, spent) in zip(
        tasks, every(_one_fold, tasks, shared, *tables.values()), strict=True
    ):
        measures[name] = own
        if name == tasks[-1][1]:
            check_measures(measures, _names(candidates))
        scores[name][fold == number] = found
        seconds[name] += spent
    return scores, seconds, next(iter(measures.values()))


def _folds(rows: int, folds: int, random: np.random.Generator) -> np.ndarray:
    """Which part every row is in, in few bytes."""
    return (random.permutation(rows) % folds).astype(np.int16 if folds < 2**15 else np.int64)


def _one_fold(
    task: tuple[int, str],
    candidates: Mapping[str, Any],
    tables: Mapping[str, Values],
    fold: np.ndarray,
    weights: np.ndarray,
) -> tuple[np.ndarray, Measure, float]:
    """Scores of the rows of a fold by a fit to the others, what they are of, and the seconds that both took."""
    number, name = task
    seen, unseen = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
    began = time.perf_counter()
    fitted = fresh(candidates[name])
    fit_rows(fitted, some(tables[name], seen), weights_at(weights, seen))
    found = score_rows(fitted, some(tables[name], unseen))
    return found, measure(fitted), time.perf_counter() - began


def _candidates(models: Mapping[str, Any] | Sequence[str], random: np.random.Generator) -> dict[str, Any]:
    """Unfitted copies by name, each with a seed."""
    if isinstance(models, str):
        models = [models]
    named = models if isinstance(models, Mapping) else {name: create(name) for name in models}
    if not named:
        raise ValueError("models is empty: give at least one")
    found = {}
    for name, estimator in named.items():
        check_scores(estimator, str(name))
        copy = clone(estimator)
        seed = int(random.integers(2**31))
        if copy.get_params(deep=False).get("random_state", 0) is None:
            copy.set_params(random_state=seed)
        found[str(name)] = copy
    return found


def _read(name: str, candidate: BaseEstimator, X: MatrixLike) -> Values:
    try:
        return read(candidate, X)
    except ValueError as error:
        raise ValueError(f"model {name!r} cannot take these rows: {error}") from error


def _names(candidates: Mapping[str, Any]) -> Sequence[str] | None:
    """The names of the columns, of whichever model knows them."""
    known = (names_at_fit(candidate) for candidate in candidates.values())
    return next((names for names in known if names is not None), None)


def check_measures(measures: Mapping[str, Measure], names: Sequence[str] | None = None) -> None:
    """Refuse models whose log-densities are not of the same thing, and say of which columns.

    Args:
        measures: by the name of the model, a word a column.
        names: of the columns.

    Raises:
        ValueError: they differ.
    """
    (first, one), *others = measures.items()
    for second, other in others:
        if len(one) != len(other):
            raise ValueError(f"{first!r} is fitted to {len(one)} columns and {second!r} to {len(other)}")
        apart = [place for place in range(len(one)) if one[place] != other[place]]
        if apart:
            place = apart[0]
            column = str(place) if names is None else repr(names[place])
            more = f" (and {len(apart) - 1} more)" if len(apart) > 1 else ""
            raise ValueError(
                f"{first!r} and {second!r} cannot be compared: for column {column}{more} the one gives a "
                f"{_said(one[place])} and the other a {_said(other[place])}. {_why(one[place], other[place])}"
            )


def _said(word: str) -> str:
    if word.startswith(GIVEN_TOTAL):
        return "probability of the row's counts given their total"
    return {
        "density": "density of continuous values",
        "mass": "probability of whole numbers or levels",
        BLACK_OR_WHITE: "probability of black or white in place of a grey level",
    }[word]


def _why(*words: str) -> str:
    if "density" in words:
        return (
            "A density has the unit of one over the column's and a probability has none, so their difference is "
            "decided by the unit. Let both read the column as the same kind (Mixture: families={column: …})."
        )
    if BLACK_OR_WHITE in words:
        return "To say black or white is easier than to say how grey. Set binarize for both, or for neither."
    return (
        "The total is part of what the one predicts and is given to the other, which therefore has an easier task. "
        "Compare models of counts with one another, and models given the total with one another."
    )


def _table(scores: Mapping[str, np.ndarray], weights: np.ndarray, seconds: Mapping[str, float]) -> pa.Table:
    summary = {name: mean_and_error(values, weights) for name, values in scores.items()}
    order = sorted(scores, key=lambda name: -np.nan_to_num(summary[name][0], nan=-np.inf))
    best = scores[order[0]]
    rows = []
    for name in order:
        difference, error = _paired(scores[name], best, weights)
        rows.append(
            {
                "model": name,
                "held_out": summary[name][0],
                "standard_error": summary[name][1],
                "difference": difference,
                "difference_error": error,
                "seconds": seconds[name],
            }
        )
    return pa.Table.from_pylist(rows)


def _paired(values: np.ndarray, best: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Mean of the differences a row, and its error; equal values differ by 0, impossible ones too."""
    with np.errstate(invalid="ignore"):
        return mean_and_error(np.where(values == best, 0.0, values - best), weights)
