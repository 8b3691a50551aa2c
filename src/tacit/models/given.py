"""What a model knows of its columns once something is said of some of them: the seam of all exact answers.

A model answers queries exactly by one method, ``given(evidence)``, that returns a `Conditioned`: the probability of
what is said, and the law of every column under it. All questions are made of these two.
"""

import abc
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from tacit.models.mixture.univariate import bracket, count_quantile, root

Function = Callable[[np.ndarray], np.ndarray]
_LOG_RANGE = 709.0
"""Logarithms of float64 numbers that neither overflow nor vanish lie within ± this."""


class Law(abc.ABC):
    """The distribution of one column."""

    @property
    @abc.abstractmethod
    def kind(self) -> str:
        """Of the column: "continuous", "positive", "count", "binary" or "categorical"."""

    @abc.abstractmethod
    def cdf(self, x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """``P(X ≤ x)``."""

    @abc.abstractmethod
    def moments(self) -> tuple[float, float]:
        """Mean and variance; of levels, of their codes."""

    @abc.abstractmethod
    def location_scale(self) -> tuple[float, float]:
        """About where it lies (of a column that is positive, its logarithm), and how wide it is."""

    def levels(self) -> Float[np.ndarray, " levels"] | None:
        """The probability of every code, where the values are codes."""
        return None

    def quantile(self, share: float) -> float:
        """``inf {x : P(X ≤ x) ≥ share}``."""
        codes = self.levels()
        if codes is not None:
            return float(np.flatnonzero(np.cumsum(codes) >= share - 1e-12)[0])
        q = np.asarray([share])
        if self.kind == "count":
            return float(count_quantile(self.cdf, q)[0])
        positive = self.kind == "positive"
        found: Function = (lambda t: self.cdf(np.exp(t))) if positive else self.cdf
        centre, scale = self.location_scale()
        low, high = bracket(found, q, centre, scale, _LOG_RANGE if positive else float(np.finfo(float).max))
        end = float(root(lambda x: found(x) - q, low, high)[0])
        return float(np.exp(end)) if positive else end


class MixedLaw(Law):
    """Laws of the same column, each with its share."""

    def __init__(self, parts: Sequence[Law], shares: Float[np.ndarray, " parts"]) -> None:
        self._parts, self._shares = tuple(parts), shares

    @property
    def kind(self) -> str:
        return self._parts[0].kind

    def cdf(self, x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        return np.asarray(sum(share * part.cdf(x) for share, part in zip(self._shares, self._parts, strict=True)))

    def moments(self) -> tuple[float, float]:
        each = [part.moments() for part in self._parts]
        mean = sum(share * m for share, (m, _) in zip(self._shares, each, strict=True))
        variance = sum(share * (v + (m - mean) ** 2) for share, (m, v) in zip(self._shares, each, strict=True))
        return float(mean), float(variance)

    def location_scale(self) -> tuple[float, float]:
        centres, scales = zip(*(part.location_scale() for part in self._parts), strict=True)
        return float(np.mean(centres)), float(np.ptp(centres) + np.max(scales))

    def levels(self) -> Float[np.ndarray, " levels"] | None:
        each = [part.levels() for part in self._parts]
        known = [codes for codes in each if codes is not None]
        return None if not known else np.asarray(self._shares @ np.stack(known))


class FixedLaw(Law):
    """A column that is given by its only value."""

    def __init__(self, value: float, kind: str, levels: int | None = None) -> None:
        self._value, self._kind, self._levels = value, kind, levels

    @property
    def kind(self) -> str:
        return self._kind

    def cdf(self, x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        return np.where(x >= self._value, 1.0, 0.0)

    def moments(self) -> tuple[float, float]:
        return self._value, 0.0

    def location_scale(self) -> tuple[float, float]:
        return self._value, 1.0

    def levels(self) -> Float[np.ndarray, " levels"] | None:
        return None if self._levels is None else np.eye(self._levels)[int(self._value)]

    def quantile(self, share: float) -> float:
        return self._value


class LevelsLaw(Law):
    """A column of levels with these probabilities."""

    def __init__(self, probabilities: Float[np.ndarray, " levels"], kind: str = "categorical") -> None:
        self._probabilities, self._kind = probabilities, kind

    @property
    def kind(self) -> str:
        return self._kind

    def cdf(self, x: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        codes = np.arange(self._probabilities.size)
        return np.where(codes <= np.asarray(x)[..., None], self._probabilities, 0.0).sum(-1)

    def moments(self) -> tuple[float, float]:
        codes = np.arange(self._probabilities.size)
        mean = float(codes @ self._probabilities)
        return mean, float((codes - mean) ** 2 @ self._probabilities)

    def location_scale(self) -> tuple[float, float]:
        mean, variance = self.moments()
        return mean, float(np.sqrt(variance))

    def levels(self) -> Float[np.ndarray, " levels"] | None:
        return self._probabilities


class Conditioned(abc.ABC):
    """A model after something is said of some columns."""

    @property
    @abc.abstractmethod
    def log_probability(self) -> float:
        """Of what is said, in nats; −inf where it is impossible. A density in columns given by their only value."""

    @property
    @abc.abstractmethod
    def densities(self) -> int:
        """In how many columns it is a density."""

    @property
    def contradiction(self) -> str:
        """Of what is impossible, a small part that is, in words; empty where no smaller part is known."""
        return ""

    @abc.abstractmethod
    def column(self, place: int) -> Law | None:
        """The law of one column, or None where it is not known exactly; asked only where what is said is possible.

        Raises:
            ValueError: a column that has no law of its own.
        """
