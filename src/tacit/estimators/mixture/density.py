"""``Density``: what a fitted mixture says of some columns given others, to score, sample and read quantiles from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from tacit import plots, trees
from tacit.data.results import TableResult
from tacit.estimators.base import double_precision, seed_of, unmasked
from tacit.families.base import Distribution
from tacit.models.mixture.conditional import column_family, owner, supported
from tacit.models.mixture.expectations import conditional_column, mixed_moments, weigh
from tacit.models.mixture.impute import drawn
from tacit.models.mixture.model import MixtureModel
from tacit.models.mixture.univariate import Cdf, quantile

PLOTTED = 2000
"""Rows drawn for a picture."""
Column = int | str
"""A column by its number at fit (0, 1, …) or by its name."""


@dataclass(frozen=True, eq=False)
class Density(TableResult):
    """``p(x_free | x_given)`` of a mixture: one density, or a batch of B of them.

    Made by ``marginal`` and ``condition`` of a fitted mixture. Columns keep the number and the name they had
    there. One density answers with arrays as they are; a batch answers with a leading axis of B, and scores B
    rows, each under its own density.

    Attributes:
        columns: the numbers of the columns it is a density of, in order.
        feature_names: their names, or None where the model knows none.
        weights: ``p(k | x_given)``, ``(K,)`` or ``(B, K)``.
    """

    columns: tuple[int, ...]
    feature_names: tuple[str, ...] | None
    weights: np.ndarray
    _model: MixtureModel = field(repr=False)
    _given: np.ndarray = field(repr=False)
    """``[B, D]``, over all columns of the mixture: NaN where nothing is given."""
    _names: tuple[str, ...] | None = field(repr=False)
    """Of all columns of the mixture."""
    _log_given: np.ndarray = field(repr=False)
    """``log p(x_given)``, ``[B]``."""
    _batched: bool = field(repr=False)

    @property
    def batch(self) -> int | None:
        """B, or None for one density."""
        return self._given.shape[0] if self._batched else None

    @double_precision
    def log_prob(self, X: Any) -> np.ndarray:
        """Log-density of rows in nats, ``(n,)``; missing entries (NaN) are integrated out.

        ``log p(x_free|x_given) = log p(x_free, x_given) − log p(x_given)``; −inf outside the support.

        Args:
            X: rows over the free columns ``(n, d)``, in order (a data frame with names may have any order);
                for a batch of B densities n is B, and row b is scored by density b.
        """
        rows = self._rows(X)
        given = self._given
        if self._batched and rows.shape[0] != given.shape[0]:
            raise ValueError(
                f"X has {rows.shape[0]} rows and the batch {given.shape[0]} densities: each scores one row"
            )
        full = np.array(np.broadcast_to(given, (rows.shape[0], given.shape[1])))
        full[:, self.columns] = rows
        inside = supported(self._model, full)
        _, scored = weigh(self._model, np.where(inside, full, np.nan))
        return np.where(inside.all(axis=1), scored - self._log_given, -np.inf)

    def score_samples(self, X: Any) -> np.ndarray:
        """The same as ``log_prob``, by scikit-learn's name."""
        return self.log_prob(X)

    @double_precision
    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Independent rows over the free columns: ``(n, d)``, or ``(B, n, d)`` for a batch."""
        if n_samples < 1:
            raise ValueError(f"Invalid value for 'n_samples': {n_samples}. At least one row is sampled.")
        self._check_columns()
        rows = np.repeat(self._given, n_samples, axis=0)
        found = drawn(self._model, rows, 1, random=seed_of(random_state))[0][:, self.columns]
        return self._shaped(found.reshape(self._given.shape[0], n_samples, -1))

    @double_precision
    def mean(self) -> np.ndarray:
        """``E[x_free | x_given]``, ``(d,)`` or ``(B, d)``; of a column of categories, the mean code."""
        return self._moments()[0]

    @double_precision
    def variance(self) -> np.ndarray:
        """``Var[x_free | x_given]`` column by column, ``(d,)`` or ``(B, d)``: the law of total variance."""
        return self._moments()[1]

    def to_arrow(self) -> pa.Table:
        """A line a column (of a batch, and a density): mean, standard deviation, median and central 90 % interval."""
        names = [str(column) if self._names is None else self._names[column] for column in self.columns]
        number = self._given.shape[0]
        mean, variance = (np.atleast_2d(part) for part in (self.mean(), self.variance()))
        ends = np.stack([np.atleast_2d(self.quantile([0.05, 0.5, 0.95], column)) for column in self.columns], axis=1)
        lines = {"density": np.repeat(np.arange(number), len(names))} if self._batched else {}
        return pa.table(
            lines
            | {
                "column": names * number,
                "mean": mean.ravel(),
                "sd": np.sqrt(variance).ravel(),
                "5 %": ends[..., 0].ravel(),
                "median": ends[..., 1].ravel(),
                "95 %": ends[..., 2].ravel(),
            }
        )

    def headline(self) -> str:
        """Of what it is a density."""
        table = self.columns if self.feature_names is None else self.feature_names
        return f"Density of {', '.join(map(str, table))}"

    def plot(self) -> Any:
        """A matplotlib ``Figure``: draws of every column by itself (of a batch, from its first density)."""
        drawn = self.sample(PLOTTED, random_state=0)
        rows = drawn[0] if self._batched else drawn
        names = [str(column) if self._names is None else self._names[column] for column in self.columns]
        return plots.marginals(rows, names, ["continuous"] * len(names))

    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        self._check_columns()
        mean, variance = mixed_moments(self._model, self._given, np.atleast_2d(self.weights))
        return self._shaped(mean[:, self.columns]), self._shaped(variance[:, self.columns])

    def _check_columns(self) -> None:
        """A multinomial row has no moments and no samples without its total."""
        for column in self.columns:
            column_family(self._model, column)

    @double_precision
    def cdf(self, x: Any, column: Column | None = None) -> np.ndarray:
        """``P(x_column ≤ x | x_given)``.

        Args:
            x: a value, or an array of values: the answer has its shape, with a leading B for a batch.
                For a batch, an array ``(B, …)`` of two or more axes is read row by row.
            column: which one; may be left out where there is only one.
        """
        mixed, _ = self._mixed_cdf(self._chosen(column))
        values = np.asarray(unmasked(x, "x", gaps=True), dtype=np.float64)
        batch = self._given.shape[0]
        pairwise = self._batched and values.ndim > 1 and values.shape[0] == batch
        laid = values if pairwise else np.broadcast_to(values, (batch, *values.shape))
        found = mixed(laid.reshape(batch, -1)).reshape(laid.shape)
        return self._shaped(np.where(np.isnan(laid), np.nan, found))

    @double_precision
    def quantile(self, q: Any, column: Column | None = None) -> np.ndarray:
        """``inf {x : P(x_column ≤ x | x_given) ≥ q}``, of the shape of q with a leading B for a batch.

        Args:
            q: probabilities strictly between 0 and 1.
            column: which one; may be left out where there is only one.
        """
        probabilities = np.asarray(unmasked(q, "q"), dtype=np.float64)
        if not ((probabilities > 0) & (probabilities < 1)).all():
            raise ValueError(f"q must lie strictly between 0 and 1; got {q}")
        mixed, family = self._mixed_cdf(self._chosen(column))
        batch = self._given.shape[0]
        wanted = np.broadcast_to(probabilities.ravel(), (batch, probabilities.size))
        return self._shaped(quantile(family, mixed, wanted).reshape(batch, *probabilities.shape))

    def interval(self, level: float = 0.9, column: Column | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The ends between which the column lies with probability ``level``, the rest split evenly."""
        if not 0 < level < 1:
            raise ValueError(f"level must lie strictly between 0 and 1; got {level}")
        ends = self.quantile([(1.0 - level) / 2.0, (1.0 + level) / 2.0], column)
        return ends[..., 0], ends[..., 1]

    @double_precision
    def probabilities(self, column: Column | None = None) -> np.ndarray:
        """``P(x_column = l | x_given)`` of every code l of a column of categories: ``(L,)`` or ``(B, L)``."""
        number = self._chosen(column)
        codes = column_family(self._model, number).code_probabilities()
        if codes is None:
            name = "" if self._names is None else f" ({self._names[number]!r})"
            raise ValueError(f"column {number}{name} is not a column of categories; use quantile or cdf")
        return self._shaped(np.atleast_2d(self.weights) @ codes)

    @double_precision
    def marginal(self, columns: Any) -> "Density":
        """The density of fewer of its columns; what is given stays given."""
        chosen = chosen_columns(columns, self.columns, self._names)
        return density(self._model, self._given, chosen, self._names, batched=self._batched)

    def condition(self, values: Mapping[Column, Any]) -> "Density":
        """The density of its other columns, given values of these too (see the mixture's ``condition``)."""
        return conditioned(self._model, self._given, self.columns, self._names, values, batched=self._batched)

    def _shaped(self, batch_first: np.ndarray) -> np.ndarray:
        return batch_first if self._batched else batch_first[0]

    def _chosen(self, column: Column | None) -> int:
        if column is not None:
            return number_of(column, self.columns, self._names)
        if len(self.columns) > 1:
            raise ValueError(f"say which column: there are {_listed(self.columns, self._names)}")
        return self.columns[0]

    def _mixed_cdf(self, column: int) -> tuple[Cdf, Distribution]:
        """The distribution function of one column, of values ``[B, Q]``, and its components."""
        given = conditional_column(self._model, column, self._given)
        family: Distribution = trees.map(lambda leaf: np.asarray(leaf)[:, None], given)
        weights = np.atleast_2d(self.weights)[:, None]

        def mixed(x: np.ndarray) -> np.ndarray:
            # a component without weight may hold anything
            return np.sum(weights * np.where(weights > 0, family.cdf(x[..., None]), 0.0), axis=-1)

        return mixed, family

    def _rows(self, X: Any) -> np.ndarray:
        names = getattr(X, "columns", None)
        if names is not None and self.feature_names is not None:
            missing = [name for name in self.feature_names if name not in list(names)]
            if missing:
                raise ValueError(f"X has no column {missing[0]!r}; it needs {list(self.feature_names)}")
            X = X[list(self.feature_names)]
        rows = np.asarray(unmasked(X, gaps=True), dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.columns):
            raise ValueError(
                f"X must be rows of {len(self.columns)} columns ({_listed(self.columns, self._names)}); "
                f"its shape is {rows.shape}"
            )
        if np.isinf(rows).any():
            raise ValueError("X has infinite values; a missing entry is NaN")
        if rows.shape[0] == 0:
            raise ValueError("X has no rows")
        return rows


def density(
    model: MixtureModel,
    given: np.ndarray,
    columns: tuple[int, ...],
    names: tuple[str, ...] | None,
    *,
    batched: bool,
) -> Density:
    """The density of some columns of a mixture, given rows ``[B, D]`` with NaN where nothing is given.

    Raises:
        ValueError: what is given is impossible, or splits the columns of one vector event.
    """
    _check_vectors(model, given, columns)
    weights, log_given = weigh(model, given)
    if not np.isfinite(log_given).all():
        row = int(np.flatnonzero(~np.isfinite(log_given))[0])
        where = f" of row {row}" if batched else ""
        raise ValueError(f"the values given{where} have probability 0 under every component of the mixture")
    return Density(
        columns=columns,
        feature_names=None if names is None else tuple(names[column] for column in columns),
        weights=weights if batched else weights[0],
        _model=model,
        _given=given,
        _names=names,
        _log_given=log_given,
        _batched=batched,
    )


def _check_vectors(model, given, columns):
    for group in model.groups:
        if not group.given_total:
            continue
        free = sum(column in columns for column in group.columns)
        known = (~np.isnan(given[:, group.columns])).sum(axis=1)
        split = free not in (0, len(group.columns)) or not np.isin(known, (0, len(group.columns))).all()
        if split or (free and known.any()):
            raise ValueError(
                f"columns {list(group.columns)} are one {group.name} row and cannot be told apart: "
                "take, give or leave all of them"
            )


@double_precision
def conditioned(
    model: MixtureModel,
    given: np.ndarray,
    columns: tuple[int, ...],
    names: tuple[str, ...] | None,
    values: Mapping[Column, Any],
    *,
    batched: bool,
) -> Density:
    """Give values of some free columns of a mixture, beside the rows ``[B, D]`` that are given.

    Raises:
        ValueError: an unknown column, none left over, values outside the support or of different lengths.
    """
    known = {
        number_of(c, columns, names): np.asarray(unmasked(v, gaps=True), dtype=np.float64) for c, v in values.items()
    }
    if len(known) < len(values):
        raise ValueError(f"a column is given twice, by number and by name: {list(values)}")
    if len(known) == len(columns):
        raise ValueError("every column is given, so none is left to have a density; score the rows instead")
    lengths = {value.size for value in known.values() if value.ndim == 1}
    if batched:
        lengths.add(given.shape[0])
    if any(value.ndim > 1 for value in known.values()) or len(lengths) > 1:
        shapes = {column: np.shape(value) for column, value in values.items()}
        raise ValueError(f"values are numbers or arrays of one length; found {shapes}, lengths {sorted(lengths)}")
    if 0 in lengths:
        raise ValueError("the values given are empty: there is no row to condition on")
    batch = lengths.pop() if lengths else None
    rows = np.array(np.broadcast_to(given, (batch or 1, given.shape[1])))
    for column, value in known.items():
        rows[:, column] = value
    _check_support(model, rows, names)
    left = tuple(column for column in columns if column not in known)
    return density(model, rows, left, names, batched=batch is not None)


def _check_support(model, rows, names):
    outside = ~supported(model, rows)
    if outside.any():
        row, column = (int(i) for i in np.argwhere(outside)[0])
        group, _ = owner(model, column)
        raise ValueError(
            f"column {column if names is None else names[column]!r}: the value {rows[row, column]:g} lies outside "
            f"the support of its family, {group.name}"
        )


def number_of(column: Column, columns: tuple[int, ...], names: tuple[str, ...] | None) -> int:
    """The number at fit of a column given by number or by name; it must be one of ``columns``.

    Raises:
        ValueError: it is none of them.
    """
    number: Any = column
    if isinstance(column, str) and names is not None and column in names:
        number = names.index(column)
    if isinstance(number, int | np.integer) and not isinstance(number, bool) and number in columns:
        return int(number)
    raise ValueError(f"unknown column {column!r}; there are {_listed(columns, names)}")


def chosen_columns(wanted: Any, columns: tuple[int, ...], names: tuple[str, ...] | None) -> tuple[int, ...]:
    """The numbers of several columns; one alone may be given bare."""
    listed: list[Any] = [wanted] if isinstance(wanted, int | str | np.integer) else list(wanted)
    chosen = tuple(number_of(column, columns, names) for column in listed)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"columns must name at least one column, each once; got {wanted!r}")
    return chosen


def _listed(columns, names):
    shown = [str(column) if names is None else f"{column} ({names[column]!r})" for column in columns]
    return ", ".join(shown[:12]) + (", …" if len(shown) > 12 else "")
