"""Rows of latent class models: which differ, and which columns of numbers can be levels."""

from typing import Any

import numpy as np
import pyarrow as pa

LEVELS = 20
"""A column of whole numbers of at most so many different values has levels."""


def different(rows: np.ndarray, weights: np.ndarray, items: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that differ, each with the weight of its copies; the first columns are codes, or NaN where missing."""
    codes = np.where(np.isnan(rows), -1.0, rows)
    found, place = np.unique(codes, axis=0, return_inverse=True)
    first = found[:, :items]
    found[:, :items] = np.where(first < 0, np.nan, first)
    return found, np.bincount(place.ravel(), weights)


def whole_numbers(column: Any) -> int | None:
    """How many different numbers a column of whole numbers holds; None of what else."""
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return None
    values = np.array([each for each in column.drop_null().unique().to_pylist() if each == each], np.float64)
    if not (values == np.floor(values)).all():
        return LEVELS + 1
    return int(values.size)
