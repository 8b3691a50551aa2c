"""Rows that follow one another: how an estimator is told which belong together and when each was seen."""

import abc
import warnings
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from tacit.data.dataset import Dataset
from tacit.data.sequenced import SequencedRows, SequenceOrder, order_of
from tacit.estimators.base import read_weights
from tacit.estimators.capabilities import Capability, MatrixLike
from tacit.estimators.sequence.forecasts import Forecast

ByRow: TypeAlias = ArrayLike | None
"""A value a row (or a sequence), where anything is said."""


class SequenceOptions(NamedTuple):
    """What is said of sequences beside the rows."""

    groups: ByRow = None
    """A value a row: of which sequence it is."""
    lengths: ByRow = None
    """Of sequences that follow one another, in place of groups."""
    time: ByRow = None
    """A value a row: when it was seen."""


def sequence_names(order: SequenceOrder) -> tuple[Any, ...]:
    """What sequences are called: by their groups, else by numbers."""
    if order.names is None:
        return tuple(range(order.lengths.size))
    return tuple(name if isinstance(name, str | int | float) else str(name) for name in order.names)


class ReadsSequences(Capability):
    """Reads rows in their order: a row's score is its density given those before it in its sequence."""

    @abc.abstractmethod
    def bic(self, X: MatrixLike, sample_weight: ByRow = None) -> float:
        """``−2 log L + ν log N``: lower is better."""

    @abc.abstractmethod
    def aic(self, X: MatrixLike, sample_weight: ByRow = None) -> float:
        """``−2 log L + 2 ν``: lower is better."""


class Forecasts(ReadsSequences):
    """Says what comes after the last row of every sequence."""

    @abc.abstractmethod
    def forecast(self, steps: int, X: MatrixLike | None = None, *, level: float = 0.9) -> Forecast:
        """The next steps, with intervals."""


def ordered(X: object, rows: int, said: SequenceOptions) -> SequenceOrder:
    """The order of rows: as it is said, else as a data set of sequences has it, else one sequence as they stand."""
    groups, lengths, time = said
    if isinstance(X, SequencedRows):
        if groups is None and lengths is None:
            groups = X.groups
        time = X.time if time is None else time
    return order_of(rows, groups, lengths, time)


def sequence_weights(rows: Dataset, order: SequenceOrder, sample_weight: ArrayLike | None) -> np.ndarray:
    """A weight a sequence, from weights of rows that are the same in each.

    Raises:
        ValueError: rows of one sequence have different weights; names two of them.
    """
    given = rows.weights if sample_weight is None else read_weights(rows, sample_weight)
    laid = np.asarray(given, np.float64)[order.order]
    begins = np.concatenate([[0], np.cumsum(order.lengths)[:-1]])
    each = laid[begins]
    uneven = laid != np.repeat(each, order.lengths)
    if uneven.any():
        at = int(np.argmax(uneven))
        first = int(begins[np.searchsorted(begins, at, side="right") - 1])
        raise ValueError(
            f"sample_weight of rows {order.order[first]} and {order.order[at]}, which are of one sequence, differ "
            f"({laid[first]:g} and {laid[at]:g}): a sequence counts as a whole, so give all of its rows one weight. A "
            "row that should not count is a row of gaps (NaN)"
        )
    return each


def say_unfinished(starts: int, reason: str, iterations: int | None) -> None:
    """Warn of a fit that did not come to rest."""
    warnings.warn(
        f"the best of {starts} starts did not converge ({reason} after {iterations} iterations): raise max_iter or tol",
        ConvergenceWarning,
        stacklevel=5,
    )
