"""Fitted models as SQL text, so that rows are grouped, scored and predicted where they lie.

The text is one SELECT of ordinary SQL (CASE, COALESCE, EXP, LN), which SQLite, DuckDB, PostgreSQL and others read; a
NULL is a missing value, and means what it means to the model.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from sklearn.base import BaseEstimator

from tacit.compute import LOG_2PI
from tacit.data.features import Target
from tacit.data.schema import Level, Schema
from tacit.estimators.kmeans import KMeans
from tacit.estimators.mixture.gaussian import GaussianMixture
from tacit.export.parts import LINEAR, centres_of, gaussian_parts, linear_parts, names_of


def to_sql(model: BaseEstimator, table: str = "data") -> str:
    """A fitted model as one SELECT over a table with its columns.

    k-means gives ``cluster`` (from 0) and ``distance``; a mixture of Gaussians without covariances ``log_density``,
    ``cluster`` (from 0) and ``p_0``, ``p_1``, … (missing entries are integrated out); a regression ``prediction``,
    which is NULL where a column is.

    Args:
        model: `KMeans`, a `GaussianMixture` of diagonal covariances, or a regression of a number or a count.
        table: the name of the table, or several with points between (``schema.table``).

    Raises:
        TypeError: the model has no SQL.
        ValueError: it has covariances, or a component of noise.
    """
    columns: Sequence[str]
    if isinstance(model, KMeans):
        centres = centres_of(model)
        columns = [_quoted(name) for name in names_of(model, centres.shape[1])]
        return _kmeans(centres, columns, _table(table))
    if isinstance(model, GaussianMixture):
        parts = gaussian_parts(model)
        if not parts.diagonal:
            raise ValueError("SQL is for mixtures without covariances (covariance_type='diag', 'VVI', …)")
        columns = [_quoted(name) for name in names_of(model, parts.means.shape[1])]
        variances = np.diagonal(parts.covariances, axis1=1, axis2=2)
        return _mixture(parts.weights, parts.means, variances, columns, _table(table))
    if isinstance(model, LINEAR):
        columns = [_quoted(name) for name in names_of(model, linear_parts(model).coefficients.size)]
        return _linear(model, columns, _table(table))
    raise TypeError(
        f"a {type(model).__name__} has no SQL; KMeans, GaussianMixture of diagonal covariances and regressions of a "
        "number or a count have"
    )


def predictor_to_sql(model: BaseEstimator, target: Target, schema: Schema, table: str = "data") -> str:
    """A regression of a run: its columns are made from those of the user's table, gaps filled as at the fit."""
    if not isinstance(model, LINEAR):
        raise TypeError(f"a {type(model).__name__} has no SQL; regressions of a number or a count have")
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
            continue
        usual, level = _literal(column.levels[int(fill)]), _literal(column.levels[term.code])
        found.append(f"(CASE WHEN COALESCE({name}, {usual}) = {level} THEN 1.0 ELSE 0.0 END)")
    return _linear(model, found, _table(table))


def _kmeans(centres: np.ndarray, columns: Sequence[str], table: str) -> str:
    """The nearest centre; entries that a row does not have do not count."""
    squares = [
        _sum([f"COALESCE(({name} - {_number(at)}) * ({name} - {_number(at)}), 0.0)" for name, at in _pairs(columns, c)])
        for c in centres
    ]
    names = [f"d_{k}" for k in range(len(centres))]
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
    names = [f"l_{k}" for k in range(len(weights))]
    inner = _select(zip(logs, names, strict=True), f"SELECT * FROM {table}")
    top = _select([(_best(names, ">="), "l_top"), (_argbest(names, ">="), "cluster")], inner)
    total = _sum([f"EXP({name} - l_top)" for name in names])
    density = _select([(f"l_top + LN({total})", "log_density")], top)
    return _select(((f"EXP({name} - log_density)", f"p_{k}") for k, name in enumerate(names)), density)


def _linear(model: BaseEstimator, columns: Sequence[str], table: str) -> str:
    parts = linear_parts(model)
    terms = [f"{_number(by)} * {name}" for name, by in _pairs(columns, parts.coefficients)]
    total = f"{_number(parts.intercept)} + {_sum(terms)}" if terms else _number(parts.intercept)
    return _select([(f"EXP({total})" if parts.exponential else total, "prediction")], f"SELECT * FROM {table}")


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
    return f"({text})" if value < 0 or text.startswith("-") else text


def _literal(level: Level) -> str:
    if isinstance(level, str):
        return "'" + level.replace("'", "''") + "'"
    return str(int(level)) if isinstance(level, bool) else _number(float(level))


def _quoted(name: str) -> str:
    if "\x00" in name:
        raise ValueError(f"column {name!r} cannot be named in SQL")
    return '"' + name.replace('"', '""') + '"'


def _table(name: str) -> str:
    return ".".join(_quoted(part) for part in name.split("."))
