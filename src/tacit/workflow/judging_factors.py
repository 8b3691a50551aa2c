"""What is worth knowing of a factor model: what each factor is made of, and how well they explain the columns."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tacit.data.dataset import Dataset
from tacit.estimators.capabilities import MatrixLike, ReadsKinds, can
from tacit.estimators.factors.capabilities import HasFactors, TellsFit
from tacit.estimators.settings import Estimator
from tacit.evaluation.number_of_factors import NumberOfFactors, number_of_factors
from tacit.evaluation.parallel_choice import by_parallel
from tacit.evaluation.rows import number_of_rows, picked
from tacit.report.factor_sentences import factor_sentence, fit_sentences

MOST_ROWS = 5000
"""Rows that are looked at for the number of factors."""
MOST_COLUMNS = 100
"""Columns up to which the free covariance is fitted to rows with gaps, for the indices of fit."""


def judge_factors(estimator: Estimator, X: MatrixLike, *, complete: bool) -> dict[str, Any] | None:
    """Plain numbers, lists and sentences; None of a model without factors.

    Args:
        estimator: fitted.
        X: the rows of the fit.
        complete: whether no entry of them is missing.
    """
    if not can(estimator, HasFactors):
        return None
    names, loadings = estimator.column_names, np.asarray(estimator.loadings_, np.float64)
    explained = (loadings**2).sum(0) / len(names)
    told: dict[str, Any] = {"columns": names, "loadings": loadings.tolist()}
    if can(estimator, TellsFit):
        explained = np.asarray(estimator.explained_variance_, np.float64) / len(names)
        told["correlations"] = np.asarray(estimator.factor_correlations_).tolist()
        told["uniquenesses"] = np.asarray(estimator.uniquenesses_).tolist()
        if complete or len(names) <= MOST_COLUMNS:
            found = estimator.goodness_of_fit(None if complete else X)
            numbers = dataclasses.asdict(found) | {"rmsea_interval": list(found.rmsea_interval)}
            told["fit"] = {key: _plain(value) for key, value in numbers.items()}
            told["fit_sentences"] = fit_sentences(found)
    else:
        explained = np.asarray(estimator.explained_variance_ratio_, np.float64)
    told["number"] = None
    if not can(estimator, ReadsKinds):
        told["number"] = _number(X, names)
    elif 2 < len(estimator.schema_) <= MOST_COLUMNS and estimator.has_correlations(estimator.schema_):
        told["number"] = _number_of_items(estimator, X)
    told["explained"] = explained.tolist()
    told["sentences"] = [
        factor_sentence(place, share, column, names)
        for place, (share, column) in enumerate(zip(explained.tolist(), loadings.T, strict=True), 1)
    ]
    told["fit_sentences"] = [*told.get("fit_sentences", ()), *estimator.remarks()]
    return told


def _number_of_items(estimator: Estimator, X: MatrixLike) -> dict[str, Any] | None:
    """As `_number`, from polychoric correlations of columns that have an order."""
    rows = number_of_rows(X)
    chosen = np.arange(rows)
    if rows > MOST_ROWS:
        chosen = np.sort(np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False))
    try:
        return _told(by_parallel(estimator, picked(X, chosen), np.ones(len(chosen))))
    except ValueError:
        return None


def _number(X: MatrixLike, names: Sequence[str]) -> dict[str, Any] | None:
    """What is said of how many factors there are; None of too large a table, or one that has no correlations."""
    rows = X.rows() if isinstance(X, Dataset) else np.asarray(X, np.float64)
    if not 2 < len(names) <= MOST_COLUMNS:
        return None
    if len(rows) > MOST_ROWS:
        rows = rows[np.sort(np.random.default_rng(0).choice(len(rows), MOST_ROWS, replace=False))]
    try:
        found = number_of_factors({name: rows[:, place] for place, name in enumerate(names)})
    except ValueError:
        return None
    return _told(found)


def _told(found: NumberOfFactors) -> dict[str, Any]:
    pictures = {
        "components": found.eigenvalues,
        "factors": found.reduced_eigenvalues,
        "components_of_noise": found.parallel_components,
        "factors_of_noise": found.parallel_factors,
    }
    suggested = found.suggested
    return {key: _plain(values.tolist()) for key, values in pictures.items()} | {
        "sentences": str(found).splitlines(),
        "suggested": [suggested["parallel_components"], suggested["parallel_factors"]],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    number = float(value)
    return None if math.isnan(number) else number
