"""The table of coefficients that a Bayesian regression gives a person."""

import dataclasses
from collections.abc import Sequence
from typing import Self

import numpy as np
import pyarrow as pa


@dataclasses.dataclass(frozen=True)
class CoefficientTable:
    """Coefficients in the user's units, a line each.

    Attributes:
        classes: the class whose score it belongs to, empty where there is one line a column only.
        names: the columns, "intercept" last.
        mean, sd: posterior means and standard deviations.
        lower, upper: ends of the central interval.
        level: probability of the interval.
    """

    classes: tuple[str, ...]
    names: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    level: float

    @classmethod
    def of(
        cls,
        classes: Sequence[str],
        columns: Sequence[str],
        mean: np.ndarray,
        sd: np.ndarray,
        reach: float,
        level: float,
    ) -> Self:
        """From ``[outputs, columns]`` of means, standard deviations and the interval's half-width in these."""
        flat, wide = mean.ravel(), sd.ravel()
        names = tuple(columns) * mean.shape[0]
        owners = tuple(name for name in classes for _ in columns)
        return cls(owners, names, flat, wide, flat - reach * wide, flat + reach * wide, level)

    @property
    def clear(self) -> np.ndarray:
        """Whether the interval leaves 0 out."""
        return (self.lower > 0.0) | (self.upper < 0.0)

    def to_arrow(self) -> pa.Table:
        """The same as an Arrow table."""
        columns = {"class": self.classes} if self.classes else {}
        return pa.table(
            columns | {"column": self.names, "mean": self.mean, "sd": self.sd, "lower": self.lower, "upper": self.upper}
        )

    def __str__(self) -> str:
        share = f"{100 * self.level:g} %"
        head = (["class"] if self.classes else []) + ["column", "mean", "sd", f"{share} from", "to"]
        lines = [head]
        for place, name in enumerate(self.names):
            numbers = (self.mean[place], self.sd[place], self.lower[place], self.upper[place])
            owner = [self.classes[place]] if self.classes else []
            lines.append([*owner, name, *(f"{number:.4g}" for number in numbers)])
        widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
        texts = len(head) - 4
        return "\n".join(
            "  ".join(
                part.ljust(width) if at < texts else part.rjust(width)
                for at, (part, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )


def lengths_of(columns: np.ndarray) -> np.ndarray:
    """Root mean squares, 1 for a column of zeros."""
    largest = np.abs(columns).max(axis=0)
    largest = np.where(largest > 0.0, largest, 1.0)
    lengths = largest * np.sqrt(np.mean((columns / largest) ** 2, axis=0))
    return np.where(lengths > 0.0, lengths, 1.0)
