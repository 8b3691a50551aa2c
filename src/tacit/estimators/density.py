"""``Density``: what a fitted mixture says of some columns given others, to score, sample and read quantiles from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from tacit.estimators._base import double_precision, seed_of
from tacit.families.base import Family
from tacit.families.bernoulli import Bernoulli
from tacit.families.categorical import Categorical
from tacit.families.log_normal import LogNormal
from tacit.families.normal import Normal
from tacit.models.mixture import rows as answers
from tacit.models.mixture.conditional import (
    ColumnGiven,
    column_family,
    marginal,
    mixed_moments,
    owner,
    supported,
)
from tacit.models.mixture.gaussian import GaussianGroup
from tacit.models.mixture.impute import drawn, level_probabilities
from tacit.models.mixture.model import Mixture
from tacit.models.mixture.summary import family_name
from tacit.models.mixture.univariate import cdf, quantile

Column = int | str
"""A column by its number at fit (0, 1, …) or by its name."""


@dataclass(frozen=True, eq=False)
class Density:
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
    _model: Mixture = field(repr=False)
    """Over the free columns, in order, and then the given ones."""
    _given: np.ndarray = field(repr=False)
    """``[B, all columns of the model]``: NaN at the free columns, and where a given one is not known."""
    _all_columns: tuple[int, ...] = field(repr=False)
    _all_names: tuple[str, ...] | None = field(repr=False)
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
        full[:, : rows.shape[1]] = rows
        if on_all_numbers(self._model):
            return answers.log_prob(self._model, full) - self._log_given
        inside = answers.each_row(supported, self._model, full)
        scored = answers.log_prob(self._model, np.where(inside, full, np.nan)) - self._log_given
        return np.where(inside.all(axis=1), scored, -np.inf)

    def score_samples(self, X: Any) -> np.ndarray:
        """The same as ``log_prob``, by scikit-learn's name."""
        return self.log_prob(X)

    @double_precision
    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Independent rows over the free columns: ``(n, d)``, or ``(B, n, d)`` for a batch."""
        if n_samples < 1:
            raise ValueError(f"Invalid value for 'n_samples': {n_samples}. At least one row is sampled.")
        batch, free = self._given.shape[0], len(self.columns)
        rows = np.repeat(self._given, n_samples, axis=0)
        found = drawn(self._model, rows, 1, random=seed_of(random_state))[0, :, :free]
        return self._shaped(found.reshape(batch, n_samples, free))

    @double_precision
    def mean(self) -> np.ndarray:
        """``E[x_free | x_given]``, ``(d,)`` or ``(B, d)``; of a column of categories, the mean code."""
        return self._moments()[0]

    @double_precision
    def variance(self) -> np.ndarray:
        """``Var[x_free | x_given]`` column by column, ``(d,)`` or ``(B, d)``: the law of total variance."""
        return self._moments()[1]

    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        for column in range(len(self.columns)):
            column_family(self._model, column)  # a multinomial row has no moments without its total
        mean, variance = answers.each_row(mixed_moments, self._model, self._given)
        free = len(self.columns)
        return self._shaped(mean[:, :free]), self._shaped(variance[:, :free])

    @double_precision
    def cdf(self, x: Any, column: Column | None = None) -> np.ndarray:
        """``P(x_column ≤ x | x_given)``.

        Args:
            x: a value, or an array of values: the answer has its shape, with a leading B for a batch.
                An array ``(B, …)`` with as many axes as that answer is read row by row.
            column: which one; may be left out where there is only one.
        """
        mixed, _ = self._mixed_cdf(self._place(column))
        values = np.asarray(x, dtype=np.float64)
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
        probabilities = np.asarray(q, dtype=np.float64)
        if not ((probabilities > 0) & (probabilities < 1)).all():
            raise ValueError(f"q must lie strictly between 0 and 1; got {q}")
        mixed, family = self._mixed_cdf(self._place(column))
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
        place = self._place(column)
        family = column_family(self._model, place)
        if not isinstance(family, Bernoulli | Categorical):
            raise ValueError(f"{self._called(place)} is not a column of categories; use quantile or cdf")
        family = jax.tree.map(lambda leaf: np.asarray(leaf)[:, None], family)
        weights = np.atleast_2d(self.weights)
        return self._shaped(np.asarray(level_probabilities(family, weights))[:, 0])

    def marginal(self, columns: Any) -> "Density":
        """The density of fewer of its columns; what is given stays given."""
        names, numbers = self._all_names, self._all_columns
        places = places_of(columns, self.columns, self.feature_names)
        kept = (*places, *range(len(self.columns), len(numbers)))
        return density(
            marginal(self._model, kept),
            self._given[:, kept],
            len(places),
            tuple(numbers[i] for i in kept),
            None if names is None else tuple(names[i] for i in kept),
            batched=self._batched,
        )

    def condition(self, values: Mapping[Column, Any]) -> "Density":
        """The density of its other columns, given values of these too (see the mixture's ``condition``)."""
        return conditioned(
            self._model,
            self._given,
            len(self.columns),
            self._all_columns,
            self._all_names,
            values,
            batched=self._batched,
        )

    def _shaped(self, batch_first: np.ndarray) -> np.ndarray:
        return batch_first if self._batched else batch_first[0]

    def _place(self, column: Column | None) -> int:
        if column is None:
            if len(self.columns) > 1:
                raise ValueError(f"say which column: there are {_listed(self.columns, self.feature_names)}")
            return 0
        return place_of(column, self.columns, self.feature_names)

    def _called(self, place: int) -> str:
        name = "" if self.feature_names is None else f" ({self.feature_names[place]!r})"
        return f"column {self.columns[place]}{name}"

    def _mixed_cdf(self, place: int) -> tuple[Any, Family]:
        """The distribution function of one column, of values ``[B, Q]``, and its components."""
        group, _ = owner(self._model, place)
        if isinstance(group, GaussianGroup):
            means, variances = answers.each_row(ColumnGiven(place), self._model, self._given)
            normal = Normal(means[:, None], variances[:, None])
            family: Family = LogNormal(normal) if group.log else normal
        else:
            found = column_family(self._model, place)
            family = jax.tree.map(lambda leaf: np.asarray(leaf)[None, None], found)
        weights = np.atleast_2d(self.weights)[:, None]

        def mixed(x: np.ndarray) -> np.ndarray:
            # components without weight may hold anything
            return np.sum(weights * np.where(weights > 0, cdf(family, x[..., None]), 0.0), axis=-1)

        return mixed, family

    def _rows(self, X: Any) -> np.ndarray:
        names = getattr(X, "columns", None)
        if names is not None and self.feature_names is not None:
            missing = [name for name in self.feature_names if name not in list(names)]
            if missing:
                raise ValueError(f"X has no column {missing[0]!r}; it needs {list(self.feature_names)}")
            X = X[list(self.feature_names)]
        rows = np.asarray(X, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.columns):
            raise ValueError(
                f"X must be rows of {len(self.columns)} columns "
                f"({_listed(self.columns, self.feature_names)}); its shape is {rows.shape}"
            )
        if np.isinf(rows).any():
            raise ValueError("X has infinite values; a missing entry is NaN")
        if rows.shape[0] == 0:
            raise ValueError("X has no rows")
        return rows


def density(
    model: Mixture,
    given: np.ndarray,
    free: int,
    columns: tuple[int, ...],
    names: tuple[str, ...] | None,
    *,
    batched: bool,
) -> Density:
    """The density of the first ``free`` columns of a mixture, given rows ``[B, D]`` of the others."""
    joint = answers.joint_log_prob(model, given)
    log_given = np.logaddexp.reduce(joint, axis=1)
    if not np.isfinite(log_given).all():
        row = int(np.flatnonzero(~np.isfinite(log_given))[0])
        where = f" of row {row}" if batched else ""
        raise ValueError(f"the values given{where} have probability 0 under every component of the mixture")
    weights = np.exp(joint - log_given[:, None])
    return Density(
        columns=columns[:free],
        feature_names=None if names is None else names[:free],
        weights=weights if batched else weights[0],
        _model=model,
        _given=given,
        _all_columns=columns,
        _all_names=names,
        _log_given=log_given,
        _batched=batched,
    )


@double_precision
def conditioned(
    model: Mixture,
    given: np.ndarray,
    free: int,
    columns: tuple[int, ...],
    names: tuple[str, ...] | None,
    values: Mapping[Column, Any],
    *,
    batched: bool,
) -> Density:
    """Give values of some of the first ``free`` columns of a mixture, beside given rows ``[B, D]``.

    Raises:
        ValueError: an unknown column, none left over, values outside the support or of different lengths.
    """
    free_names = None if names is None else names[:free]
    known = {
        place_of(column, columns[:free], free_names): np.asarray(value, dtype=np.float64)
        for column, value in values.items()
    }
    if len(known) < len(values):
        raise ValueError(f"a column is given twice, by number and by name: {list(values)}")
    if len(known) == free:
        raise ValueError("every column is given, so none is left to have a density; score the rows instead")
    lengths = {v.size for v in known.values() if v.ndim == 1} | ({given.shape[0]} if batched else set())
    if any(v.ndim > 1 for v in known.values()) or len(lengths) > 1:
        shapes = {column: np.shape(v) for column, v in values.items()}
        raise ValueError(f"values are numbers or arrays of one length; found {shapes}, batch {sorted(lengths)}")
    if 0 in lengths:
        raise ValueError("the values given are empty: there is no row to condition on")
    batch = lengths.pop() if lengths else None
    rows = np.array(np.broadcast_to(given, (batch or 1, given.shape[1])))
    for place, value in known.items():
        rows[:, place] = value
    _check_support(model, rows, columns, names)
    kept = tuple(i for i in range(free) if i not in known)
    order = (*kept, *known, *range(free, len(columns)))
    return density(
        marginal(model, order),
        rows[:, order],
        len(kept),
        tuple(columns[i] for i in order),
        None if names is None else tuple(names[i] for i in order),
        batched=batch is not None,
    )


def on_all_numbers(model: Mixture) -> bool:
    """Whether every column may be any finite number."""
    return all(isinstance(group, GaussianGroup) and not group.log for group in model.groups)


def _check_support(model, rows, columns, names):
    outside = ~answers.each_row(supported, model, rows)
    if outside.any():
        row, place = (int(i) for i in np.argwhere(outside)[0])
        group, _ = owner(model, place)
        name = columns[place] if names is None else names[place]
        raise ValueError(
            f"column {name!r}: the value {rows[row, place]:g} lies outside the support of its family, "
            f"{family_name(group)}"
        )


def place_of(column: Column, columns: tuple[int, ...], names: tuple[str, ...] | None) -> int:
    """Where a column stands among some, by its number at fit or by its name.

    Raises:
        ValueError: it is none of them.
    """
    if isinstance(column, str) and names is not None and column in names:
        return names.index(column)
    if isinstance(column, int | np.integer) and not isinstance(column, bool) and column in columns:
        return columns.index(int(column))
    raise ValueError(f"unknown column {column!r}; there are {_listed(columns, names)}")


def places_of(wanted: Any, columns: tuple[int, ...], names: tuple[str, ...] | None) -> tuple[int, ...]:
    """Where several columns stand among some; one alone may be given bare."""
    listed: list[Any] = [wanted] if isinstance(wanted, int | str | np.integer) else list(wanted)
    places = tuple(place_of(column, columns, names) for column in listed)
    if not places or len(set(places)) < len(places):
        raise ValueError(f"columns must name at least one column, each once; got {wanted!r}")
    return places


def _listed(columns: tuple[int, ...], names: tuple[str, ...] | None) -> str:
    shown = [str(c) if names is None else f"{c} ({n!r})" for c, n in zip(columns, names or columns, strict=True)]
    return ", ".join(shown[:12]) + (", …" if len(shown) > 12 else "")
