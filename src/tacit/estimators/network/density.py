"""``NetworkDensity``: what a network says of some columns given others, to score, sample and read quantiles from."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float

from tacit.data.results import TableResult
from tacit.estimators.base import double_precision, seed_of
from tacit.estimators.network.columns import NodeColumns
from tacit.models.given import Law
from tacit.models.network.completion import drawn
from tacit.models.network.given import NetworkGiven
from tacit.models.network.model import Network

Name = int | str
"""A column by its number or by its name."""


@dataclasses.dataclass(frozen=True, eq=False)
class NetworkDensity(TableResult):
    """``p(free | given)`` of some columns of a network; hidden nodes and all other columns are summed out.

    Made by ``condition`` of a fitted network.

    Attributes:
        columns: the numbers of the columns it is a density of, in order.
        feature_names: their names.
        log_given: ``log p`` of what is given, in nats.
    """

    columns: tuple[int, ...]
    feature_names: tuple[str, ...]
    log_given: float
    _network: Network = dataclasses.field(repr=False)
    _nodes: NodeColumns = dataclasses.field(repr=False)
    _row: Float[np.ndarray, " nodes"] = dataclasses.field(repr=False)
    """Of the nodes: what is given, inside the network's units."""
    _score: Any = dataclasses.field(repr=False)
    """``log p`` of rows of the table."""
    _given: Float[np.ndarray, " columns"] = dataclasses.field(repr=False)
    """The same in the units of the table."""

    @functools.cached_property
    def _laws(self) -> NetworkGiven:
        logged = frozenset(np.flatnonzero(self._nodes.logged).tolist())
        return NetworkGiven(self._network, self._row, {}, logged, 0, None)

    @double_precision
    def law(self, column: Name | None = None) -> Law:
        """The distribution of one column; it may be left out where there is only one."""
        law = self._laws.column(self._chosen(column))
        if law is None:
            raise ValueError(self._laws.contradiction)
        return law

    def _chosen(self, column: Name | None) -> int:
        if column is None:
            if len(self.columns) > 1:
                raise ValueError(f"say which column: there are {', '.join(self.feature_names)}")
            return self.columns[0]
        place = self._nodes.node(column)
        if place not in self.columns:
            raise ValueError(f"{self._nodes.names[place]!r} is none of its columns: {', '.join(self.feature_names)}")
        return place

    @double_precision
    def log_prob(self, X: Any) -> np.ndarray:
        """Log-density of rows over its columns (numbers, and codes of levels), ``(n,)``; NaN is summed out."""
        names = getattr(X, "columns", None)
        rows = np.asarray(X[list(self.feature_names)] if names is not None else X, np.float64)
        if rows.ndim != 2 or rows.shape[1] != len(self.columns):
            raise ValueError(f"X must be rows of {len(self.columns)} columns; its shape is {rows.shape}")
        whole = np.repeat(self._given[None], len(rows), axis=0)
        whole[:, list(self.columns)] = rows
        return np.asarray(self._score(whole)) - self.log_given

    def score_samples(self, X: Any) -> np.ndarray:
        """The same as ``log_prob``, by scikit-learn's name."""
        return self.log_prob(X)

    @double_precision
    def sample(self, n_samples: int = 1, random_state: Any = None) -> np.ndarray:
        """Independent rows over its columns ``(n, d)``, drawn from their joint posterior; levels as codes."""
        if n_samples < 1:
            raise ValueError(f"Invalid value for 'n_samples': {n_samples}. At least one row is sampled.")
        found = drawn(self._network, self._row[None], int(n_samples), seed_of(random_state))[:, 0]
        return self._nodes.rows(found)[:, list(self.columns)]

    @double_precision
    def mean(self) -> np.ndarray:
        """``E[x | given]`` of every column, ``(d,)``; of a column of levels, the mean code."""
        return np.array([self.law(column).moments()[0] for column in self.columns])

    @double_precision
    def variance(self) -> np.ndarray:
        """``Var[x | given]`` of every column, ``(d,)``."""
        return np.array([self.law(column).moments()[1] for column in self.columns])

    @double_precision
    def cdf(self, x: Any, column: Name | None = None) -> np.ndarray:
        """``P(x_column ≤ x | given)``, of the shape of x."""
        return np.asarray(self.law(column).cdf(np.asarray(x, np.float64)))

    @double_precision
    def quantile(self, q: Any, column: Name | None = None) -> np.ndarray:
        """``inf {x : P(x_column ≤ x | given) ≥ q}``, of the shape of q, which lies strictly between 0 and 1."""
        asked = np.asarray(q, np.float64)
        if not ((asked > 0) & (asked < 1)).all():
            raise ValueError(f"q must lie strictly between 0 and 1; got {q}")
        law = self.law(column)
        return np.array([law.quantile(float(share)) for share in asked.ravel()]).reshape(asked.shape)

    @double_precision
    def probabilities(self, column: Name | None = None) -> np.ndarray:
        """``P(x_column = l | given)`` of every code l of a column of levels, ``(L,)``."""
        codes = self.law(column).levels()
        if codes is None:
            raise ValueError(f"{self._nodes.names[self._chosen(column)]!r} holds numbers; use quantile or cdf")
        return np.asarray(codes)

    def marginal(self, columns: Name | Sequence[Name]) -> "NetworkDensity":
        """The density of fewer of its columns; what is given stays given."""
        wanted = [columns] if isinstance(columns, int | str | np.integer) else list(columns)
        places = tuple(self._chosen(column) for column in wanted)
        return dataclasses.replace(
            self, columns=places, feature_names=tuple(self._nodes.names[place] for place in places)
        )

    def to_arrow(self) -> pa.Table:
        """A line a column: mean, standard deviation, median and central 90 % interval; of levels, of their codes."""
        ends = np.stack([self.quantile([0.05, 0.5, 0.95], column) for column in self.columns])
        return pa.table(
            {
                "column": list(self.feature_names),
                "mean": self.mean(),
                "sd": np.sqrt(self.variance()),
                "5 %": ends[:, 0],
                "median": ends[:, 1],
                "95 %": ends[:, 2],
            }
        )


def density_of(
    network: Network, nodes: NodeColumns, given: Mapping[int, float], fixed: Mapping[int, float], score: Any
) -> NetworkDensity:
    """The density of all columns that are not given.

    Args:
        network: fitted.
        nodes: its columns.
        given: values by place, in the units of the table; NaN says nothing.
        fixed: nodes that were set by an intervention, inside the network's units.
        score: ``log p`` of rows of the table.

    Raises:
        ValueError: every column is given, or what is given is impossible.
    """
    row = np.full(len(nodes.schema), np.nan)
    for place, value in given.items():
        row[place] = value
    inside = nodes.values(row[None])[0]
    for node, number in fixed.items():
        inside[node] = number
    free = tuple(np.flatnonzero(np.isnan(inside[: len(row)])).tolist())
    if not free:
        raise ValueError("every column is given, so none is left to have a density; score the rows instead")
    log_given = float(np.asarray(score(row[None]))[0])
    if not np.isfinite(log_given):
        raise ValueError("the values given have probability 0 under the network")
    names = tuple(nodes.names[place] for place in free)
    return NetworkDensity(free, names, log_given, network, nodes, inside, score, row)
