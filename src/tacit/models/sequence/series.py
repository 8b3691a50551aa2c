"""Series of vectors side by side, as Kalman's passes take them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from tacit.data.blocks import Block


class SeriesBatch(NamedTuple):
    """Series of different lengths, made up to the longest with steps at which nothing is seen.

    Series whose gaps are the same share their covariances: then there is one batch with a column a series; else a batch
    a series, with one column.
    """

    values: Float[np.ndarray, "steps batch outputs columns"]
    """0 where missing."""
    inputs: Float[np.ndarray, "steps batch inputs columns"]
    seen: Bool[np.ndarray, "steps batch outputs"]
    live: Bool[np.ndarray, "steps batch columns"]
    """Which steps are of the series."""
    same: Bool[np.ndarray, " steps"]
    """Whether the same is seen as at the step before."""
    pattern: Int[np.ndarray, "steps batch"]
    """Which of the patterns a step has."""
    patterns: Bool[np.ndarray, "patterns outputs"]
    weights: Float[np.ndarray, "batch columns"]
    """Of the series."""


def laid_series(
    rows: Float[np.ndarray, "rows outputs"],
    inputs: Float[np.ndarray, "rows inputs"],
    lengths: Int[np.ndarray, " series"],
    weights: Float[np.ndarray, " series"],
) -> SeriesBatch:
    """Series that follow one another row by row."""
    steps = int(lengths.max())
    ends = np.cumsum(lengths)
    live = np.arange(steps)[:, None] < lengths
    place = np.where(live, (ends - lengths) + np.arange(steps)[:, None], 0)
    values = np.where(live[..., None], rows[place], np.nan)
    given = np.where(live[..., None], inputs[place], 0.0)
    seen = ~np.isnan(values)
    values = np.where(seen, values, 0.0)
    weights = np.asarray(weights, np.float64)
    if (seen == seen[:, :1]).all():
        laid = _by_number(values), _by_number(given)
        seen, live, weights = seen[:, :1], live[:, None], weights[None]
    else:
        laid, live, weights = (values[..., None], given[..., None]), live[..., None], weights[:, None]
    same = np.concatenate([[False], (seen[1:] == seen[:-1]).all((1, 2))])
    patterns, which = np.unique(seen.reshape(-1, seen.shape[-1]), axis=0, return_inverse=True)
    return SeriesBatch(*laid, seen, live, same, which.reshape(seen.shape[:2]), patterns, weights)


def _by_number(
    values: Float[np.ndarray, "steps series numbers"],
) -> Float[np.ndarray, "steps 1 numbers series"]:
    """One batch with a column a series, the numbers one behind the other over all steps (`affine.by_number`)."""
    return np.ascontiguousarray(np.moveaxis(values, 2, 0)).transpose(1, 0, 2)[:, None]


def rows_of(series: SeriesBatch, found: np.ndarray) -> np.ndarray:
    """Values ``[steps, batch, …, columns]`` as those of the rows ``[rows, …]``."""
    last = np.moveaxis(found, -1, 2)  # [steps, batch, columns, …]
    each = np.moveaxis(last, 0, 2)  # [batch, columns, steps, …]
    return np.ascontiguousarray(each[np.moveaxis(series.live, 0, 2)])


class SeriesSource:
    """All series as one block of the driver."""

    resident = True
    tile = 1

    def __init__(self, series: SeriesBatch, rows: int) -> None:
        self.series = series
        self.size = rows, series.values.shape[2]
        self.total_weight = float((series.live * series.weights).sum())
        whole = SeriesBatch(*(leaf[None] for leaf in series))
        self._block = Block(whole, np.ones((1, 1)), np.zeros(1, np.int32))

    def blocks(self) -> Iterator[Block]:
        return iter((self._block,))
