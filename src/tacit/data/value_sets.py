"""Sets of values of columns: what may be said of a row, as ranges of numbers and of the codes of levels."""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self, TypeAlias

import numpy as np

Cut: TypeAlias = tuple[float, int]
"""A place between numbers: just before x is ``(x, 0)``, just after it ``(x, 1)``."""

LEFT: Cut = (-math.inf, 1)
RIGHT: Cut = (math.inf, 0)


@dataclasses.dataclass(frozen=True)
class ValueSet:
    """Some values of one column: ranges that do not touch one another, in order.

    Levels are their codes 0, 1, …; a code in no range is not in the set.

    Attributes:
        cuts: where ranges begin and end, in turn.
    """

    cuts: tuple[Cut, ...]

    @classmethod
    def range(cls, low: float, high: float, *, closed_low: bool = True, closed_high: bool = True) -> Self:
        """The values between two ends; infinite ends are no values."""
        ends = max((low, 0 if closed_low else 1), LEFT), min((high, 1 if closed_high else 0), RIGHT)
        return cls(ends if ends[0] < ends[1] else ())

    @classmethod
    def of(cls, values: Iterable[float]) -> Self:
        """Some single values."""
        return cls(tuple(cut for value in sorted(set(values)) for cut in ((value, 0), (value, 1))))

    @classmethod
    def everything(cls) -> Self:
        """All numbers."""
        return cls((LEFT, RIGHT))

    def ranges(self) -> Iterator[tuple[Cut, Cut]]:
        """Where every range begins and ends."""
        return zip(self.cuts[::2], self.cuts[1::2], strict=True)

    @property
    def empty(self) -> bool:
        """Whether nothing is in it."""
        return not self.cuts

    @property
    def point(self) -> float | None:
        """The only value, where it is one."""
        match self.cuts:
            case ((low, 0), (high, 1)) if low == high:
                return low
        return None

    def complement(self) -> "ValueSet":
        """All other values."""
        cuts = list(self.cuts)
        for end in (LEFT, RIGHT):
            if end in cuts:
                cuts.remove(end)
            else:
                cuts.append(end)
        return ValueSet(tuple(sorted(cuts)))

    def union(self, other: "ValueSet") -> "ValueSet":
        """Values of either."""
        cuts: list[Cut] = []
        for low, high in sorted([*self.ranges(), *other.ranges()]):
            if cuts and low <= cuts[-1]:
                cuts[-1] = max(cuts[-1], high)
            else:
                cuts += [low, high]
        return ValueSet(tuple(cuts))

    def intersect(self, other: "ValueSet") -> "ValueSet":
        """Values of both."""
        return self.complement().union(other.complement()).complement()

    def below(self, x: float) -> "ValueSet":
        """Those at or below x."""
        return self.intersect(ValueSet.range(-math.inf, x))

    def contains(self, x: np.ndarray) -> np.ndarray:
        """Which numbers are in it; NaN never is."""
        x = np.asarray(x, np.float64)
        found = np.zeros(x.shape, bool)
        for (low, after), (high, upto) in self.ranges():
            found |= ((x > low) if after else (x >= low)) & ((x <= high) if upto else (x < high))
        return found

    def split(self) -> tuple[tuple[float, ...], "ValueSet"]:
        """Its single values, and the ranges that are wider than one."""
        points = [low for (low, _), (high, _) in self.ranges() if low == high]
        wide = [cut for low, high in self.ranges() if low[0] < high[0] for cut in (low, high)]
        return tuple(points), ValueSet(tuple(wide))


Box: TypeAlias = Mapping[int, ValueSet]
"""What is said of a row: of some columns, by their places, in which values they lie; of others nothing."""


def within(a: Box, b: Box) -> Box | None:
    """What is said by both; None where that is impossible."""
    found = dict(a)
    for place, values in b.items():
        found[place] = found[place].intersect(values) if place in found else values
    return None if any(values.empty for values in found.values()) else found


def without(a: Box, b: Box) -> list[Box]:
    """The one and not the other, as boxes none of which overlap."""
    found: list[Box] = []
    rest = dict(a)
    for place, values in b.items():
        piece = within(rest, {place: values.complement()})
        if piece is not None:
            found.append(piece)
        narrowed = within(rest, {place: values})
        if narrowed is None:
            return found
        rest = dict(narrowed)
    return found


def both(a: Sequence[Box], b: Sequence[Box]) -> list[Box]:
    """What lies in a box of each of two lists, none of whose boxes overlap."""
    return [found for one in a for other in b if (found := within(one, other)) is not None]


def either(a: Sequence[Box], b: Sequence[Box]) -> list[Box]:
    """What lies in a box of either list, as boxes none of which overlap."""
    rest: list[Box] = list(b)
    for one in a:
        rest = [piece for other in rest for piece in without(other, one)]
    return [*a, *rest]


def neither(a: Sequence[Box]) -> list[Box]:
    """What lies in no box of a list."""
    rest: list[Box] = [{}]
    for one in a:
        rest = [piece for other in rest for piece in without(other, one)]
    return rest


def pointwise(boxes: Sequence[Box], continuous: Iterable[int]) -> list[Box]:
    """The same with boxes of their own for single values of columns that are continuous: those have densities."""
    found = list(boxes)
    for place in continuous:
        parted: list[Box] = []
        for box in found:
            if place not in box:
                parted.append(box)
                continue
            points, wide = box[place].split()
            parted += [{**box, place: ValueSet.of([point])} for point in points]
            parted += [] if wide.empty else [{**box, place: wide}]
        found = parted
    return found
