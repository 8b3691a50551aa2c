"""What a fitted network answers about rows: densities, posteriors, gaps filled, new rows."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from sklearn.utils.validation import check_is_fitted

from tacit.data.dataset import Dataset
from tacit.data.errors import counted
from tacit.estimators.base import double_precision, seed_of, weighted
from tacit.estimators.capabilities import Imputes, MatrixLike, Measures, ReadsOnce, Samples
from tacit.estimators.network.capabilities import HasArrows
from tacit.estimators.network.explaining import NetworkConditionals
from tacit.estimators.network.row_answers import (
    KnownNetwork,
    by_parts,
    filled,
    inside,
    means_of,
    posteriors_of,
    scores_of,
)
from tacit.estimators.settings import Estimator
from tacit.estimators.spreading import SpreadsSums
from tacit.models.graph import Graph
from tacit.models.network.case import Impossible, contradiction
from tacit.models.network.completion import ancestral, drawn
from tacit.models.network.drawing import network_graph
from tacit.models.network.nodes.exogenous import ExogenousNode


class NetworkAnswers(HasArrows, NetworkConditionals, Measures, Samples, Imputes, ReadsOnce, SpreadsSums, Estimator):
    """Answers about rows."""

    def base_measure(self) -> tuple[str, ...]:
        """A "density" of a number, a "mass" of all else; nothing of a column that is only conditioned on."""
        check_is_fitted(self)
        densities = ("normal", "log-normal")
        return tuple("density" if family in densities else "mass" for family in self.columns_.families)

    def _values(self, X: MatrixLike) -> Float[np.ndarray, "rows nodes"]:
        check_is_fitted(self)
        return self.values_of(self.read(X, reset=False))

    def values_of(self, rows: Dataset) -> Float[np.ndarray, "rows nodes"]:
        """Rows that were read as rows of the nodes."""
        return inside(np.asarray(rows.rows(), np.float64), self._known())

    def _known(self) -> KnownNetwork:
        return KnownNetwork(self.model_, self.columns_, self.fixed_)

    def _of_rows(self, X: MatrixLike, function: Callable[..., np.ndarray], *more: Any) -> np.ndarray:
        check_is_fitted(self)
        return by_parts(self.read(X, reset=False), function, self._known(), *more)

    @double_precision
    def score_samples(self, X: MatrixLike) -> np.ndarray:
        """``log p(x)`` of every row in nats, ``(n,)``; missing entries and hidden nodes are summed out.

        Raises:
            TooDear: an exact answer needs more than ``max_bytes``.
        """
        check_is_fitted(self)
        return self.score_read(self.read(X, reset=False))

    def score_read(self, rows: Dataset) -> np.ndarray:
        """The same of rows that were read."""
        return by_parts(rows, scores_of, self._known()).astype(rows.dtype)

    @double_precision
    def score(self, X: MatrixLike, y: Any = None, sample_weight: ArrayLike | None = None) -> float:
        """Mean log-density a row, in nats."""
        values, weights = self._weighed(X, sample_weight)
        return float(np.average(values, weights=weights))

    @double_precision
    def bic(self, X: MatrixLike, sample_weight: ArrayLike | None = None) -> float:
        """``−2 log L + ν log N``, N the sum of the weights: lower is better."""
        values, weights = self._weighed(X, sample_weight)
        return float(-2.0 * weights @ values + self.n_parameters_ * np.log(weights.sum()))

    @double_precision
    def aic(self, X: MatrixLike, sample_weight: ArrayLike | None = None) -> float:
        """``−2 log L + 2 ν``: lower is better."""
        values, weights = self._weighed(X, sample_weight)
        return float(-2.0 * weights @ values + 2.0 * self.n_parameters_)

    def _weighed(self, X: MatrixLike, sample_weight: ArrayLike | None) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        rows = weighted(self.read(X, reset=False), sample_weight)
        return self.score_read(rows), np.asarray(rows.weights, np.float64)

    @double_precision
    def predict_proba(self, X: MatrixLike, column: Any = None) -> np.ndarray:
        """The posterior of one column or hidden node for every row, ``(n, levels)``, whatever the row says of it.

        Args:
            X: rows; gaps say nothing.
            column: by name or place; the hidden node where there is only one.

        Raises:
            ValueError: the column has no levels.
        """
        node = self._asked(column)
        levels = self.columns_.levels[node]
        if levels is None:
            raise ValueError(f"column {self.columns_.names[node]!r} is a number: ask predict for its mean")
        found = self._of_rows(X, posteriors_of, node, levels)
        _impossible(found)
        return found

    @double_precision
    def predict(self, X: MatrixLike, column: Any = None) -> np.ndarray:
        """The likeliest level, or the mean of a number, of one column or hidden node for every row, ``(n,)``.

        Args:
            X: rows; what they say of the column itself is not looked at.
            column: by name or place; the hidden node where there is only one. Of a log-normal one it is the mean of
                the logarithm that is given, as a number of the column.
        """
        node = self._asked(column)
        number = self.columns_.levels[node]
        if number is not None:
            shares = self._of_rows(X, posteriors_of, node, number)
            _impossible(shares)
            levels = np.asarray(self.columns_.levels_of(node))
            found = levels[np.argmax(np.nan_to_num(shares), axis=1)]
            impossible = np.isnan(shares).any(1)
            return np.where(impossible, np.nan, found.astype(object)) if impossible.any() else found
        numbers = self._of_rows(X, means_of, node)
        _impossible(numbers[:, None])
        return numbers

    def _asked(self, column: Any) -> int:
        check_is_fitted(self)
        if column is None and len(self.columns_.hidden) != 1:
            raise ValueError("say of which column: predict(X, column)")
        node = len(self.columns_.schema) if column is None else self.columns_.node(column)
        if isinstance(self.model_.nodes[node], ExogenousNode):
            how = "was set by do()" if node in self.fixed_ else "is only conditioned on"
            raise ValueError(f"column {self.columns_.names[node]!r} {how}, and is not predicted")
        return node

    @double_precision
    def impute(self, X: MatrixLike, n_draws: int | None = None, random_state: Any = None) -> np.ndarray:
        """Rows with their missing entries filled in; levels are given by their codes, which `decode` reads.

        Args:
            X: rows ``(n, d)``.
            n_draws: m: draw the missing entries of a row from their joint posterior, m times; None for the likeliest
                level of each, and the mean of a number (of a log-normal one, the mean of its logarithm).
            random_state: what the draws depend on; the estimator's own where None.

        Returns:
            ``(n, d)``, or m imputations ``(m, n, d)``.
        """
        if n_draws is None:
            whole = self._of_rows(X, filled)
            _impossible(whole)
            return whole
        if n_draws < 1:
            raise ValueError(f"n_draws must be at least 1, or None for what is expected; got {n_draws}")
        rows, random = self._values(X), seed_of(self.random_state if random_state is None else random_state)
        several = np.stack([self.columns_.rows(each) for each in drawn(self.model_, rows, int(n_draws), random)])
        _impossible(several[0])
        return several

    @double_precision
    def sample(self, n_samples: int = 1, given: Mapping[Any, Any] | None = None) -> np.ndarray:
        """New rows ``(n, d)``; levels are given by their codes, which `decode` reads.

        Args:
            n_samples: how many.
            given: values of some columns, by name: the rows are then drawn from the joint posterior.

        Raises:
            ValueError: fewer than one row, or no value for a column that is only conditioned on.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(f"Invalid value for 'n_samples': {n_samples} . The sampling requires at least one sample.")
        random = seed_of(self.random_state)
        row, soft = self._row(given)
        return self.columns_.rows(self._new_rows(row, soft, int(n_samples), random))

    def _new_rows(
        self, row: np.ndarray, soft: Mapping[int, np.ndarray], number: int, random: np.random.Generator
    ) -> np.ndarray:
        if not soft and all(not self.model_.graph.parents[v] for v in np.flatnonzero(~np.isnan(row))):
            return np.concatenate(list(ancestral(self.model_, row, number, random)))
        found = drawn(self.model_, row[None], number, random, soft)[:, 0]
        if np.isnan(found).any():
            raise Impossible(contradiction(self.model_, row, soft))
        return found

    def graph(self) -> Graph:
        """The directed graph of the model, as data."""
        check_is_fitted(self)
        return network_graph(self.model_.graph, self.columns_.families, len(self.columns_.schema))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _impossible(found: np.ndarray) -> None:
    """Say how many rows the network holds for impossible."""
    number = int(np.isnan(found).any(1).sum())
    if number:
        warnings.warn(
            f"{counted(number, 'row')} cannot be under this network, and the answer there is NaN",
            UserWarning,
            stacklevel=3,
        )
