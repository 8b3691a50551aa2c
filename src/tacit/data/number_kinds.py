"""The rules for columns of numbers: two values, codes, counts, amounts, identifiers, measurements.

What a rule says about a column: a kind to model it with, or a reason to leave it out.
"""

import dataclasses
import math
import re
from typing import Literal, Self

import numpy as np
from jaxtyping import Float, Int

from tacit.data.errors import DataError, counted, place, shown
from tacit.data.schema import Kind

Role = Literal["identifier", "date", "constant", "empty", "text", "nested", "asked"]
"""Why a column is left out; "asked" means that the user said so."""

MOST_LEVELS = 100
"""More levels than this are not made into a categorical column unless the user says so."""

_SURE = {"id", "ids", "uuid", "guid", "identifier", "pk", "rowid", "rownames", "ssn", "isbn"}
_LIKELY = {"index", "idx", "no", "nr", "num", "number", "key", "code", "row", "account", "ticket", "invoice"}


@dataclasses.dataclass(frozen=True)
class KindVerdict:
    """The kind of a column, or the role that keeps it out, and the reason in plain words."""

    kind: Kind | None
    reason: str
    role: Role | None = None
    rest: bool = False
    """Whether rare levels are to be one."""


def out(role: Role, reason: str) -> KindVerdict:
    """A verdict that leaves a column out."""
    return KindVerdict(None, reason, role)


def constant(value: str, rows: int, present: int) -> KindVerdict:
    """The verdict on a column that always says the same."""
    rest = "" if present == rows else f" where it is not missing ({rows - present} of {rows} rows are)"
    return out("constant", f"always {value}{rest}")


def sounds_like_identifier(name: str) -> Literal["sure", "likely", "no"]:
    """How much a heading sounds like an identifier: ``CustomerID`` surely, ``hospital_number`` likely."""
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    found = {word.casefold() for word in words}
    if found & _SURE or name.casefold() in ("unnamed: 0", "__index_level_0__"):
        return "sure"
    return "likely" if found & _LIKELY else "no"


_FEW = 10
_RARE = 30
"""Six to ten codes are categories only where each has about this many rows."""
_SKEWED, _GAIN, _ENOUGH = 1.0, 0.2, 20
"""A log-normal is preferred from this skewness, this gain in nats a row and this many rows."""
_LARGEST_MEAN_COUNT = 50.0
_WHOLE = 2.0**64
_TOGETHER = 65_536
"""Values that are looked at together."""


@dataclasses.dataclass(frozen=True, eq=False)
class NumberFacts:
    """What the rules for numbers look at.

    Attributes:
        name: the heading.
        values: every row, NaN where missing.
        distinct, counts: the different values, increasing, and how often each occurs.
    """

    name: str
    values: Float[np.ndarray, " rows"]
    distinct: Float[np.ndarray, " values"]
    counts: Int[np.ndarray, " values"]

    @property
    def present(self) -> int:
        """Rows that are not missing."""
        return int(self.counts.sum())

    @property
    def whole(self) -> bool:
        """Whether every value is a whole number that a computer would store as one."""
        parts = (self.distinct[start : start + _TOGETHER] for start in range(0, len(self.distinct), _TOGETHER))
        return all(bool(np.all((np.abs(part) < _WHOLE) & (part == np.round(part)))) for part in parts)

    @property
    def largest(self) -> float:
        """Of the sizes of the values; 1 where all are 0."""
        return max(abs(float(self.distinct[0])), abs(float(self.distinct[-1]))) or 1.0

    @property
    def unit(self) -> Float[np.ndarray, " values"]:
        """The distinct values over the largest of them: their shape, safe to square at any scale."""
        return self.distinct / self.largest

    @property
    def mean(self) -> float:
        """The mean of the rows present."""
        return self.average(self.unit) * self.largest

    def average(self, values: Float[np.ndarray, " values"]) -> float:
        """The mean over the rows present of a function of the distinct values."""
        return float(np.average(values, weights=self.counts))

    def spread(self, values: Float[np.ndarray, " values"]) -> float:
        """The standard deviation of a function of the distinct values."""
        away = values - self.average(values)
        away *= away
        away *= self.counts
        return math.sqrt(float(away.sum()) / self.present)

    def middle(self) -> Self:
        """The facts about the middle 99 % of the rows, at least one less at each end: safe from a stray value."""
        dropped = max(1, self.present // 200) if self.present >= _ENOUGH else 0
        upto = np.cumsum(self.counts)
        first, last = np.searchsorted(upto, [dropped, self.present - dropped - 1], side="right")
        counts = self.counts[first : last + 1].copy()
        counts[0] -= dropped - (upto[first] - self.counts[first])
        counts[-1] -= upto[last] - (self.present - dropped)
        return dataclasses.replace(self, distinct=self.distinct[first : last + 1], counts=counts)

    def skewness(self, values: Float[np.ndarray, " values"]) -> float:
        """The third standardised moment of a function of the distinct values, 0 where they are all alike."""
        scale = self.spread(values)
        if not scale > 0:
            return 0.0
        away = values - self.average(values)
        away /= scale
        away **= 3
        away *= self.counts
        return float(away.sum()) / self.present


def _counted(values: Float[np.ndarray, " rows"]) -> tuple[Float[np.ndarray, " values"], Int[np.ndarray, " values"]]:
    """The different values but NaN, increasing, and how often each occurs: `numpy.unique` in less memory."""
    ordered = np.sort(values)
    ordered = ordered[: np.searchsorted(ordered, np.nan)]
    new = np.append(True, ordered[1:] != ordered[:-1])
    distinct = ordered[new]
    del ordered
    starts = np.flatnonzero(new)
    return distinct, np.diff(starts, append=len(new)).astype(np.int32 if len(new) < 2**31 else np.int64)


def judge_numbers(name: str, values: Float[np.ndarray, " rows"], truth: bool = False) -> KindVerdict:
    """The verdict on a column of numbers, ``values[rows]`` with NaN where missing (at least one is not).

    Raises:
        DataError: a value is infinite; column and row are named.
    """
    if np.isinf(values).any():
        row = int(np.argmax(np.isinf(values)))
        raise DataError(f"{place(name, row)}: {values[row]} is infinite. Correct it or leave the cell empty.")
    facts = NumberFacts(name, values, *_counted(values))
    if len(facts.distinct) == 1:
        return constant(shown(float(facts.distinct[0])), len(values), facts.present)
    if truth:
        return KindVerdict("binary", "true or false")
    verdict = _judge_whole(facts) if facts.whole else None
    return verdict or _judge_measurement(facts)


def _judge_whole(facts: NumberFacts) -> KindVerdict | None:
    """The verdict on whole numbers, or None when they are to be taken as measurements."""
    levels, low, high = len(facts.distinct), float(facts.distinct[0]), float(facts.distinct[-1])
    if levels == 2 and (facts.present >= 5 or (low, high) == (0.0, 1.0)):
        return KindVerdict("binary", f"two different values, {shown(low)} and {shown(high)}")
    left_out = _date(facts) or _identifier(facts)
    if left_out is not None:
        return left_out
    if _is_count(facts):
        return KindVerdict(
            "count", f"whole numbers from {shown(low)} up, small ones the most common (mean {facts.mean:.3g})"
        )
    per_level = facts.present / levels
    starts_low = low in (0.0, 1.0)
    if (levels <= 5 and per_level >= 3) or (levels <= _FEW and starts_low and per_level >= _RARE):
        return KindVerdict("categorical", f"only {levels} different whole numbers: codes")
    return None


def _identifier(facts: NumberFacts) -> KindVerdict | None:
    """Row numbers, keys and whatever runs up by one from row to row."""
    levels, present = len(facts.distinct), facts.present
    named = sounds_like_identifier(facts.name)
    if present < 5 and named == "no":
        return None
    different = f"{counted(levels, 'different whole number')} in {counted(present, 'row')}"
    if (named == "sure" and levels > 20) or (named != "no" and levels >= 0.9 * present):
        return out("identifier", f"an identifier by its name: {different}")
    steps = np.diff(facts.values)
    if levels > _FEW and max(float(np.mean(steps == 1)), float(np.mean(steps == -1))) >= 0.9:
        return out("identifier", "runs up or down by one from row to row, like a row number or a time")
    span = float(facts.distinct[-1] - facts.distinct[0]) + 1
    if levels == len(facts.values) and levels > 20 and span <= 1.5 * levels and bool(np.all(steps > 0)):
        return out("identifier", f"an identifier: {different}, rising from row to row")
    return None


def _date(facts: NumberFacts) -> KindVerdict | None:
    """Dates written as 20210401."""
    if facts.distinct[0] < 1900_01_01 or facts.distinct[-1] > 2100_12_31:
        return None
    month, day = facts.distinct // 100 % 100, facts.distinct % 100
    if bool(np.all((month >= 1) & (month <= 12) & (day >= 1) & (day <= 31))):
        return out("date", f"dates written as whole numbers, such as {shown(float(facts.distinct[0]))}")
    return None


def _is_count(facts: NumberFacts) -> bool:
    """Whole numbers from 0 or 1 without a gap, the small ones the most common, with a tail upwards."""
    low = facts.distinct[0]
    first = {0.0, 1.0, 2.0} if low == 0 else {1.0, 2.0, 3.0}
    enough = 6 if low == 0 else _FEW + 1
    return bool(
        low in (0.0, 1.0)
        and len(facts.distinct) >= enough
        and first <= set(facts.distinct[:3].tolist())
        and facts.distinct[int(np.argmax(facts.counts))] <= 5
        and facts.mean <= _LARGEST_MEAN_COUNT
        and facts.skewness(facts.unit) >= 0.3
    )


def _judge_measurement(facts: NumberFacts) -> KindVerdict:
    """Continuous, or positive when a log-normal fits clearly better; and what is odd about the column."""
    levels, present = len(facts.distinct), facts.present
    if levels == 2 and present >= 10:
        low, high = (shown(float(value)) for value in facts.distinct)
        return KindVerdict("binary", f"two different values, {low} and {high}")
    rest, oddity = _oddity(facts)
    rest = rest.middle()
    skewed = rest.skewness(rest.unit)
    if facts.distinct[0] > 0 and facts.present >= _ENOUGH:
        gain = _log_normal_gain(rest)
        if skewed >= _SKEWED and gain >= _GAIN:
            return KindVerdict(
                "positive",
                f"always above 0 and strongly skewed (log-normal fits {gain:.2f} nats a row better){oddity}",
            )
    word = "whole numbers, taken as measurements" if facts.whole else "numbers with decimals"
    if facts.distinct[0] == 0 and skewed >= 2 * _SKEWED and not oddity:
        oddity = f"; strongly skewed, with {counted(int(facts.counts[0]), 'zero')}"
    return KindVerdict("continuous", word + oddity)


def _log_normal_gain(facts: NumberFacts) -> float:
    """Mean log-likelihood of a fitted log-normal less that of a fitted normal, in nats a row.

    Both at their maximum: −½ log(2πe s²), with s the spread of x or of log x, and −mean(log x) for the change
    of variable; the constants cancel. A change of the unit of x changes nothing.
    """
    spread, logs = facts.spread(facts.unit), np.log(facts.unit)
    log_spread = facts.spread(logs)
    if spread <= 0 or log_spread <= 0:
        return 0.0
    return math.log(spread) - math.log(log_spread) - facts.average(logs)


def _oddity(facts: NumberFacts) -> tuple[NumberFacts, str]:
    """What is odd about a column, and the facts without it.

    One value may fill half the column; a repeated end value may stand far from all others (99999), or zeros
    far below them, as codes for missing do.
    """
    top = int(np.argmax(facts.counts))
    share = facts.counts[top] / facts.present
    if share >= 0.5 and facts.present >= 10:
        return facts, f"; {share:.0%} of them are exactly {shown(float(facts.distinct[top]))}"
    if len(facts.distinct) < 10:
        return facts, ""
    for end, inner, zero in ((0, slice(1, None), facts.distinct[0] == 0), (-1, slice(None, -1), False)):
        if facts.counts[end] < 3:
            continue
        rest = dataclasses.replace(facts, distinct=facts.distinct[inner], counts=facts.counts[inner])
        unit = facts.unit
        gap = float(np.min(np.abs(unit[inner][[0, -1]] - unit[end])))
        wide = rest.spread(unit[inner]) if zero else unit[inner][-1] - unit[inner][0]
        if gap > wide:
            stray = f"{shown(float(facts.distinct[end]))} occurs {facts.counts[end]:,} times"
            return (
                rest,
                f"; {stray}, far from all else: a sign for missing? (--missing {shown(float(facts.distinct[end]))})",
            )
    return facts, ""
