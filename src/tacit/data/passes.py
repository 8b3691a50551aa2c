"""Sums over all rows of anything that can be added up, where the rows lie: in one process, or on those of an engine."""

import functools
import itertools
import operator
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from tacit import trees
from tacit.data.dataset import SLICE_ROWS, Dataset
from tacit.data.sums import span_of, spans_of

T = TypeVar("T")


def plus(one: T, other: T) -> T:
    """The sum of two trees of arrays."""
    found: T = trees.map(operator.add, one, other)
    return found


def passed(rows: Dataset, function: Callable[..., T], *shared: object, add: Callable[[T, T], T] = plus) -> T:
    """What a function gives of slices of rows, added up in their order; rows of weight 0 are left out.

    Partitions hold whole spans of slices, so that they change no digit.

    Args:
        rows: all of them.
        function: of ``[rows, columns]`` in float64, weights ``[rows]`` and ``shared``, which can be sent to a process.
        shared: what it is given besides.
        add: how what it gives of some rows and of those that follow come together; a sum of trees of arrays.
    """
    span = span_of(len(rows), SLICE_ROWS)
    parts = rows.each(_span_parts, span * SLICE_ROWS, (function, span, shared, add))
    return functools.reduce(add, itertools.chain.from_iterable(parts))


def _span_parts(
    rows: Dataset, function: Callable[..., T], span: int, shared: tuple, add: Callable[[T, T], T]
) -> list[T]:
    found = (_of_slice(rows, at, part, function, shared) for at, part in rows.slices())
    return [functools.reduce(add, some) for some in spans_of(found, span)]


def _of_slice(rows: Dataset, at: slice, part: np.ndarray, function: Callable[..., T], shared: tuple) -> T:
    weights, part = rows.weights[at], part.astype("f8", copy=False)
    if not (weights > 0).all():
        part, weights = part[weights > 0], weights[weights > 0]
    return function(part, weights, *shared)
