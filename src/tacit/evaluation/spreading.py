"""Fits that do not depend on one another, one after the other here, or by the workers of an engine."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from tacit import distributed
from tacit.compute import double_precision
from tacit.data.dataset import Dataset, DenseRows
from tacit.data.sources import STREAM_BYTES

T = TypeVar("T")
R = TypeVar("R")


def read_if_few(X: T) -> T | Dataset:
    """Rows in files that are few are read, where an engine could have candidates fitted to them side by side."""
    if distributed.current() is None or not isinstance(X, Dataset) or not X.portable:
        return X
    rows, columns = X.shape
    if 8 * rows * columns > STREAM_BYTES:
        return X
    return DenseRows(X.rows(), X.given_weights).described(X.schema)


def spreads(*held: object) -> bool:
    """Whether candidates are what an engine spreads: rows are here, few enough to be sent, and not read by workers."""
    return distributed.current() is not None and not any(_stays(X) for X in held)


def _stays(X: object) -> bool:
    """Whether rows are read where the workers are, or are too many to be sent to each."""
    if isinstance(X, Dataset):
        return X.portable or 8 * X.shape[0] * X.shape[1] > STREAM_BYTES
    return isinstance(X, np.ndarray) and X.nbytes > STREAM_BYTES


def every(function: Callable[..., R], tasks: Sequence[T], shared: tuple, *held: object) -> Iterator[R]:
    """``function(task, *shared)`` of every task in order: each as it is asked for, or all by the workers of an engine.

    Args:
        function: can be sent to another process, as all that it is given; it is called in double precision.
        tasks: what differs.
        shared: what does not.
        held: the rows.
    """
    engine = distributed.current()
    if engine is None or len(tasks) < 2 or not spreads(*held):
        yield from (function(task, *shared) for task in tasks)
        return
    for result, said in engine.map(_there, tasks, (function, shared)):
        for category, text in said:
            warnings.warn(text, category, stacklevel=3)
        yield result


def _there(task: T, function: Callable[..., R], shared: tuple) -> tuple[R, list[tuple[type[Warning], str]]]:
    """A task on a worker: what it gives, and what it warned of."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        result = double_precision(function)(task, *shared)
    return result, [(one.category, str(one.message)) for one in said]
