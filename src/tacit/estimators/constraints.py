"""What the values of settings may be; it needs nothing, not even NumPy, so that a value is refused at once."""

import abc
import math
import numbers
from dataclasses import dataclass


class Constraint(abc.ABC):
    """What the value of a setting may be."""

    names: tuple[str, ...] = ()
    """The words among it."""

    @abc.abstractmethod
    def fault(self, name: str, value: object) -> str | None:
        """What is wrong with the value, and what it may be; None if nothing is."""


@dataclass(frozen=True)
class Whole(Constraint):
    """A whole number, or one of some names."""

    least: int
    names: tuple[str, ...] = ()

    def fault(self, name: str, value: object) -> str | None:
        if isinstance(value, str) and value in self.names:
            return None
        if isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= self.least:
            return None
        others = "".join(f" or {known!r}" for known in self.names)
        return f"{name} must be a whole number of at least {self.least}{others}, got {value!r}"


@dataclass(frozen=True)
class Number(Constraint):
    """A number between two: the least may be taken and the other may not, unless said otherwise; or a name."""

    words: str
    least: float = 0.0
    below: float | None = None
    least_too: bool = True
    below_too: bool = False
    names: tuple[str, ...] = ()

    def fault(self, name: str, value: object) -> str | None:
        fair = isinstance(value, str) and value in self.names
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            number = float(value)
            fair = number >= self.least if self.least_too else number > self.least
            if self.below is not None:
                fair = fair and (number <= self.below if self.below_too else number < self.below)
        return None if fair else f"{name} must be {self.words}, got {value!r}"


@dataclass(frozen=True)
class Choice(Constraint):
    """One of some names."""

    names: tuple[str, ...]

    def fault(self, name: str, value: object) -> str | None:
        if isinstance(value, str) and value in self.names:
            return None
        return f"{name} must be one of {', '.join(map(repr, self.names))}; got {value!r}"


@dataclass(frozen=True)
class Widths(Constraint):
    """A list of whole numbers, the widths of layers."""

    fewest: int = 0

    def fault(self, name: str, value: object) -> str | None:
        if not isinstance(value, (tuple, list)) and not _of_numpy(value, "ndarray"):
            return f"{name} must be a list of widths, such as (256, 256), got {value!r}"
        widths: list[object] = list(value)  # type: ignore[call-overload]
        if len(widths) < self.fewest:
            return f"{name} must name one width at least"
        return next((said for width in widths if (said := Whole(1).fault(f"each of {name}", width))), None)


@dataclass(frozen=True)
class Flag(Constraint):
    """True or False."""

    def fault(self, name: str, value: object) -> str | None:
        return (
            None
            if isinstance(value, bool) or _of_numpy(value, "bool", "bool_")
            else f"{name} must be True or False, got {value!r}"
        )


def _of_numpy(value: object, *names: str) -> bool:
    """Whether the value is of a type of NumPy's with one of these names."""
    return type(value).__module__ == "numpy" and type(value).__name__ in names


POSITIVE = Number("above 0", least_too=False)
NOT_NEGATIVE = Number("at least 0")
TOLERANCE = Number("at least 0 nats a row")
SHARE = Number("from 0 to below 1", below=1.0)
FROM_0 = Number("a number from 0 to below inf", below=math.inf)
