"""Fitted models as SQL text, so that rows are grouped, scored and predicted where they lie.

The text is one SELECT of ordinary SQL (CASE, COALESCE, EXP, LN, SQRT), which SQLite, DuckDB, PostgreSQL and others
read; a NULL is a missing value, and means what it means to the model. Numbers have an exponent, without which some
databases take them for decimals of few digits, and no exponential is asked for whose answer would be 0, which some of
them refuse. What is computed on the way is called ``tacit_…``, so that it is not taken for a column of the table.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from tacit.compute import LOG_2PI
from tacit.data.features import Target
from tacit.data.schema import Level, Schema
from tacit.estimators.kmeans import KMeans
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.estimators.regression.bayesian_logistic import BayesianLogisticRegression
from tacit.export.parts import LINEAR, centres_of, gaussian_parts, linear_parts, logistic_parts, names_of

PREDICTORS = (*LINEAR, BayesianLogisticRegression)


def to_sql(model: BaseEstimator, table: str = "data") -> str:
    """A fitted model as one SELECT over a table with its columns.

    k-means gives ``cluster`` (from 0) and ``distance``; a mixture of Gaussians without covariances ``log_density``,
    ``cluster`` (from 0) and ``p_0``, ``p_1``, … (missing entries are integrated out); a regression ``prediction``, and
    one of two classes also ``probability``, that of the second class. These two are NULL where a column is.

    Args:
        model: `KMeans`, a `GaussianMixture` of diagonal covariances, a regression of a number or a count, or a
            `BayesianLogisticRegression` of two classes.
        table: the name of the table, or several with points between (``schema.table``).

    Raises:
        TypeError: the model has no SQL.
        ValueError: it has covariances, a component of noise, more than two classes, or a column that is called as
            something in the text.
    """
    if isinstance(model, KMeans):
        centres = centres_of(model)
        return _kmeans(centres, _columns(model, centres.shape[1]), _table(table))
    if isinstance(model, GaussianMixture):
        parts = gaussian_parts(model)
        if not parts.diagonal:
            raise ValueError("SQL is for mixtures without covariances (covariance_type='diag', 'VVI', …)")
        variances = np.diagonal(parts.covariances, axis1=1, axis2=2)
        columns = _columns(model, parts.means.shape[1])
        return _mixture(parts.weights, parts.means, variances, columns, _table(table))
    if not isinstance(model, PREDICTORS):
        raise TypeError(
            f"a {type(model).__name__} has no SQL; KMeans, GaussianMixture of diagonal covariances and regressions of "
            "a number, a count or two classes have"
        )
    check_is_fitted(model)
    return _prediction(model, _columns(model, int(model.n_features_in_)), _table(table))


def predictor_to_sql(model: BaseEstimator, target: Target, schema: Schema, table: str = "data") -> str:
    """A regression of a run: its columns are made from those of the user's table, gaps filled as at the fit.

    A level that the fit has not met counts as missing.
    """
    if not isinstance(model, PREDICTORS):
        raise TypeError(f"a {type(model).__name__} has no SQL; regressions of a number, a count or two classes have")
    if target.fills is None:
        return to_sql(model, table)
    found = []
    for term in target.terms:
        column = schema.columns[term.place]
        name, fill = _quoted(column.name), target.fills[term.place]
        if term.code is None or column.levels is None:
            value = f"COALESCE({name}, {_number(fill)})"
            plain = term.shift == 0.0 and term.scale == 1.0
            found.append(value if plain else f"(({value} - {_number(term.shift)}) / {_number(term.scale)})")
        elif term.code != int(fill):
            found.append(f"(CASE WHEN {name} = {_literal(column.levels[term.code])} THEN 1.0 ELSE 0.0 END)")
        else:
            others = ", ".join(_literal(level) for place, level in enumerate(column.levels) if place != term.code)
            found.append(f"(CASE WHEN {name} IN ({others}) THEN 0.0 ELSE 1.0 END)" if others else "1.0")
    return _prediction(model, found, _table(table))


def _kmeans(centres: np.ndarray, columns: Sequence[str], table: str) -> str:
    """The nearest centre; entries that a row does not have do not count."""
    squares = [
        _sum([f"COALESCE(({name} - {_number(at)}) * ({name} - {_number(at)}), 0.0)" for name, at in _pairs(columns, c)])
        for c in centres
    ]
    names = [f"tacit_d{k}" for k in range(len(centres))]
    inner = _select(zip(squares, names, strict=True), f"SELECT * FROM {table}")
    return _select([(_argbest(names, "<="), "cluster"), (f"SQRT({_best(names, '<=')})", "distance")], inner)


def _mixture(weights: np.ndarray, means: np.ndarray, variances: np.ndarray, columns: Sequence[str], table: str) -> str:
    """``log π_k + Σ_j log N(x_j; μ_kj, σ²_kj)`` of every component, and their sum with the largest taken out."""
    logs = []
    for weight, mean, variance in zip(weights, means, variances, strict=True):
        terms = []
        for name, at, wide in zip(columns, mean, variance, strict=True):
            constant, half = -0.5 * (LOG_2PI + np.log(wide)), 0.5 / wide
            square = f"({name} - {_number(at)}) * ({name} - {_number(at)})"
            terms.append(f"COALESCE({_number(constant)} - {_number(half)} * {square}, 0.0)")
        logs.append(f"({_number(float(np.log(max(weight, 1e-300))))} + {_sum(terms)})")
    names = [f"tacit_l{k}" for k in range(len(weights))]
    inner = _select(zip(logs, names, strict=True), f"SELECT * FROM {table}")
    top = _select([(_best(names, ">="), "tacit_top"), (_argbest(names, ">="), "cluster")], inner)
    total = _sum([_exp(f"{name} - tacit_top") for name in names])
    density = _select([(f"tacit_top + LN({total})", "tacit_log_density")], top)
    shares = [(_exp(f"{name} - tacit_log_density"), f"p_{k}") for k, name in enumerate(names)]
    return _select([("tacit_log_density", "log_density"), *shares], density)


def _prediction(model: BaseEstimator, columns: Sequence[str], table: str) -> str:
    everything = f"SELECT * FROM {table}"
    if isinstance(model, BayesianLogisticRegression):
        return _two_classes(model, columns, everything)
    parts = linear_parts(model)
    total = _line(parts.intercept, parts.coefficients, columns)
    return _select([(f"EXP({total})" if parts.exponential else total, "prediction")], everything)


def _two_classes(model: BayesianLogisticRegression, columns: Sequence[str], inner: str) -> str:
    """``E σ(u)`` of the Gaussian score u of a row: its mean, its variance, and the points at which σ is averaged."""
    parts = logistic_parts(model)
    mean = _line(parts.intercept, parts.coefficients, columns)
    terms = [*columns, "1.0"]
    doubled = np.triu(parts.covariance) + np.triu(parts.covariance, 1)
    pairs = zip(*np.triu_indices(len(doubled)), strict=True)
    square = _sum([f"{_number(doubled[i, j])} * {terms[i]} * {terms[j]}" for i, j in pairs])
    scores = _select([(mean, "tacit_mean"), (square, "tacit_variance")], inner)
    sd = "CASE WHEN tacit_variance > 0.0 THEN SQRT(tacit_variance) WHEN tacit_variance <= 0.0 THEN 0.0 END"
    spread = _select([(sd, "tacit_sd")], scores)
    each = [
        f"{_number(share)} / (1.0 + {_exp(f'-tacit_mean - {_number(at)} * tacit_sd', most=700.0)})"
        for at, share in zip(parts.points.tolist(), parts.shares.tolist(), strict=True)
    ]
    found = _select([(_sum(each), "tacit_probability")], spread)
    no, yes = (_literal(each) for each in model.classes_.tolist())
    choice = f"CASE WHEN tacit_probability > 0.5 THEN {yes} WHEN tacit_probability <= 0.5 THEN {no} END"
    return _select([("tacit_probability", "probability"), (choice, "prediction")], found)


def _line(intercept: float, coefficients: np.ndarray, columns: Sequence[str]) -> str:
    terms = [f"{_number(by)} * {name}" for name, by in _pairs(columns, coefficients)]
    return f"{_number(intercept)} + {_sum(terms)}" if terms else _number(intercept)


def _exp(text: str, most: float | None = None) -> str:
    """An exponential that neither underflows nor, where there is a most, overflows; NULL of NULL."""
    above = "" if most is None else f"WHEN {text} > {_number(most)} THEN EXP({_number(most)}) "
    return f"CASE WHEN {text} <= -700.0 THEN 0.0 {above}ELSE EXP({text}) END"


def _pairs(columns: Sequence[str], values: np.ndarray) -> list[tuple[str, float]]:
    return list(zip(columns, np.asarray(values, np.float64).tolist(), strict=True))


def _select(made: Iterable[tuple[str, str]], inner: str) -> str:
    lines = ",\n  ".join(f"{text} AS {name}" for text, name in made)
    return f"SELECT *,\n  {lines}\nFROM (\n{inner}\n) AS t"


def _sum(terms: Sequence[str]) -> str:
    """A balanced sum: what is nested too deeply, databases refuse."""
    if len(terms) <= 4:
        return f"({' + '.join(terms)})"
    half = len(terms) // 2
    return f"({_sum(terms[:half])} + {_sum(terms[half:])})"


def _best(names: Sequence[str], sign: str) -> str:
    whens = [f"WHEN {_wins(names, k, sign)} THEN {name}" for k, name in enumerate(names[:-1])]
    return f"CASE {' '.join(whens)} ELSE {names[-1]} END" if whens else names[-1]


def _argbest(names: Sequence[str], sign: str) -> str:
    whens = [f"WHEN {_wins(names, k, sign)} THEN {k}" for k in range(len(names) - 1)]
    return f"CASE {' '.join(whens)} ELSE {len(names) - 1} END" if whens else "0"


def _wins(names: Sequence[str], place: int, sign: str) -> str:
    """Whether one beats all that come after it: those before it have lost."""
    return " AND ".join(f"{names[place]} {sign} {other}" for other in names[place + 1 :])


def _number(value: float) -> str:
    if not np.isfinite(value):
        raise ValueError("the model has a parameter that is not finite, which SQL has no number for")
    text = repr(float(value))
    text = text if "e" in text else f"{text}e0"
    return f"({text})" if text.startswith("-") else text


def _literal(level: Level) -> str:
    if isinstance(level, str):
        return "'" + level.replace("'", "''") + "'"
    return str(level).upper() if isinstance(level, bool) else _number(float(level))


def _columns(model: BaseEstimator, many: int) -> list[str]:
    """The quoted names of the columns of a model, none of which is computed on the way."""
    names = names_of(model, many)
    for name in names:
        if name.lower().startswith("tacit_"):
            raise ValueError(f"column {name!r} is called as something that the SQL computes: name it otherwise")
    return [_quoted(name) for name in names]


def _quoted(name: str) -> str:
    if "\x00" in name:
        raise ValueError(f"column {name!r} cannot be named in SQL")
    return '"' + name.replace('"', '""') + '"'


def _table(name: str) -> str:
    return ".".join(_quoted(part) for part in name.split("."))
