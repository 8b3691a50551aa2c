"""One column given others, as `explain` asks it: a distribution function, or draws; and values as plain numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.models.given import Law

ONE_BELOW = 0.15865525393145707
"""The share of a normal that lies more than a standard deviation below its mean."""


class ExactColumn:
    """A conditional density of one column with its distribution function."""

    def __init__(self, density: Any) -> None:
        self._density = density

    def quantiles(self, shares: Sequence[float]) -> tuple[float, ...]:
        """The values below which these shares lie."""
        return tuple(float(value) for value in self._density.quantile(shares))

    def tails(self, value: float) -> tuple[float, float]:
        """How much lies at most as high, and how much at least."""
        below, short = self._density.cdf(np.array([value, np.nextafter(value, -np.inf)]))
        return float(below), 1.0 - float(short)

    def deviations(self, value: float) -> float:
        """How many standard deviations a value lies from the mean, where a tail has no digits left."""
        return float((value - self._density.mean()[0]) / np.sqrt(self._density.variance()[0]))

    def probabilities(self, levels: int) -> np.ndarray:
        """Of every code."""
        return np.asarray(self._density.probabilities(), np.float64)[:levels]


class LawColumn:
    """The law of one column, where a model knows it."""

    def __init__(self, law: Law) -> None:
        self._law = law

    def quantiles(self, shares: Sequence[float]) -> tuple[float, ...]:
        """The values below which these shares lie."""
        return tuple(self._law.quantile(share) for share in shares)

    def tails(self, value: float) -> tuple[float, float]:
        """How much lies at most as high, and how much at least."""
        below, short = self._law.cdf(np.array([value, np.nextafter(value, -np.inf)]))
        return float(below), 1.0 - float(short)

    def deviations(self, value: float) -> float:
        """How many standard deviations a value lies from the mean, where a tail has no digits left."""
        mean, variance = self._law.moments()
        return float((value - mean) / np.sqrt(max(variance, 1e-300)))

    def probabilities(self, levels: int) -> np.ndarray:
        """Of every code."""
        found = self._law.levels()
        if found is None:
            raise ValueError("the column holds numbers, and no levels")
        return np.asarray(found)[:levels]


class DrawnColumn:
    """Draws of one column, where there is no distribution function."""

    def __init__(self, draws: np.ndarray) -> None:
        self._draws = np.asarray(draws, np.float64)

    def quantiles(self, shares: Sequence[float]) -> tuple[float, ...]:
        """The values below which these shares lie."""
        return tuple(float(value) for value in np.quantile(self._draws, shares))

    def tails(self, value: float) -> tuple[float, float]:
        """How much lies at most as high, and how much at least; one more draw than there are is the value itself."""
        number = self._draws.size + 1
        return float(1 + (self._draws <= value).sum()) / number, float(1 + (self._draws >= value).sum()) / number

    def deviations(self, value: float) -> float:
        """How many standard deviations a value lies from the mean."""
        return float((value - self._draws.mean()) / max(float(self._draws.std()), 1e-300))

    def probabilities(self, levels: int) -> np.ndarray:
        """Of every code, with one draw more, spread evenly."""
        counts = np.bincount(np.clip(self._draws.round().astype(int), 0, levels - 1), minlength=levels) + 1.0 / levels
        return counts / counts.sum()


AskedColumn = ExactColumn | LawColumn | DrawnColumn


def away_on_logs(found: AskedColumn, value: float) -> float:
    """How many standard deviations of its logarithm a value lies from the median, by the quantiles on its side."""
    low, middle, high = np.log(np.maximum(found.quantiles([ONE_BELOW, 0.5, 1.0 - ONE_BELOW]), 1e-300))
    away = np.log(value) - middle
    return float(away / max(high - middle if away > 0 else middle - low, 1e-300))


def plain_values(values: Sequence[Any]) -> pa.Array:
    """Numbers, if all are; else texts in which numbers have plain digits."""
    if all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([_plain(value) for value in values], pa.string())


def _plain(value: Any) -> str | None:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 2.0**53 else repr(value)
    return None if value is None else str(value)
