"""Sums over rows in spans, and what they are sums of: nothing here knows how rows are stored."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float, Int

T = TypeVar("T")

SPANS = 1024
"""Most spans of a data set: neighbouring slices or blocks whose sums are added up first. Partitions hold whole spans,
so they change no digit."""


class ColumnMoments(NamedTuple):
    """Mean and variance of the columns; missing entries do not count."""

    mean: Float[np.ndarray, " columns"]
    variance: Float[np.ndarray, " columns"]
    seen: Float[np.ndarray, " columns"]
    """Total weight of the observed entries."""
    complete: bool
    """Whether no entry is missing."""

    @property
    def flat(self) -> np.ndarray:
        """Which columns do not vary beyond the rounding of their values."""
        deviation = np.sqrt(self.variance)
        return (deviation <= 1e-13 * np.abs(self.mean)) | (deviation == 0.0)

    @property
    def least_variance(self) -> float:
        """That of the narrowest column which varies at all (1 if none does)."""
        return float(self.variance[~self.flat].min(initial=np.inf)) if not self.flat.all() else 1.0


def span_of(rows: int, size: int) -> int:
    """How many slices or blocks of so many rows are a span: two, or more where there are very many."""
    span = 2
    while rows > SPANS * span * size:
        span *= 2
    return span


def spans_of(parts: Iterable[T], span: int) -> Iterator[Iterator[T]]:
    """Parts in spans, of which each is to be used up before the next."""
    left = iter(parts)
    for first in left:
        yield itertools.chain([first], itertools.islice(left, span - 1))


def ranges(rows: int, number: int, grain: int) -> list[int]:
    """The edges of at most so many ranges of rows, nearly alike, each of whole grains but the last."""
    grains = -(-rows // grain)
    number = max(1, min(number, grains))
    return [min(rows, grains * place // number * grain) for place in range(number)] + [rows]


def numbered(rows: int) -> Int[np.ndarray, " rows"]:
    """The numbers 0, 1, 2, … of rows, in four bytes each where these are enough."""
    return np.arange(rows, dtype=np.int32 if rows <= np.iinfo(np.int32).max else np.int64)


def sampled_places(rows: int, size: int, random: np.random.Generator) -> Int[np.ndarray, " sample"]:
    """Numbers of a sorted sample of rows without replacement, or of all of them."""
    return np.arange(rows) if rows <= size else np.sort(random.choice(rows, size, replace=False))


# what is summed elsewhere stands by itself: a function inside another one cannot always be sent to a process


def as_they_are(rows: np.ndarray) -> np.ndarray:
    return rows


def first_sums(function: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of the values of rows: the weight that was seen, the sums, and how many are missing."""
    values = function(rows)
    there = ~np.isnan(values)
    gaps = np.full(values.shape[1], float(there.size - np.count_nonzero(there)))
    return np.stack([weights @ there, weights @ np.where(there, values, 0.0), gaps])


def squares(
    function: Callable[[np.ndarray], np.ndarray], mean: np.ndarray, gaps: bool, rows: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # infinite entries, which whoever reads rows refuses
        away = function(rows) - mean
    return weights @ (np.where(np.isnan(away), 0.0, away) if gaps else away) ** 2


def scatter(index: np.ndarray, mean: np.ndarray, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    centred = np.nan_to_num(rows[:, index] - mean, nan=0.0)
    return (centred * weights[:, None]).T @ centred
