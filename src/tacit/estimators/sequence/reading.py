"""Rows that follow one another: how an estimator is told which belong together and when each was seen."""

import abc
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tacit.data.dataset import Dataset
from tacit.data.sequenced import SequencedRows, SequenceOrder, order_of
from tacit.estimators.base import read_weights
from tacit.estimators.capabilities import Capability, MatrixLike
from tacit.estimators.sequence.forecasts import Forecast


class SequenceOptions(NamedTuple):
    """What is said of sequences beside the rows."""

    groups: ArrayLike | None = None
    """A value a row: of which sequence it is."""
    lengths: ArrayLike | None = None
    """Of sequences that follow one another, in place of groups."""
    time: ArrayLike | None = None
    """A value a row: when it was seen."""


class ReadsSequences(Capability):
    """Reads rows in their order: a row's score is its density given those before it in its sequence."""

    @abc.abstractmethod
    def bic(self, X: MatrixLike, sample_weight: ArrayLike | None = None) -> float:
        """``−2 log L + ν log N``: lower is better."""

    @abc.abstractmethod
    def aic(self, X: MatrixLike, sample_weight: ArrayLike | None = None) -> float:
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
