"""``QueryAnswer``: what a query came to, how sure that is, and how it was found."""

import dataclasses
import math
from collections.abc import Mapping
from typing import TypeAlias

import pyarrow as pa

from tacit.data.errors import counted
from tacit.data.results import TableResult
from tacit.plots.style import short_number

Value: TypeAlias = float | str | Mapping[str, float]
"""A number, a level, or the probability of every level."""

EXACT, DRAWS = "exact", "weighted draws"
FEW = 100.0
"""An effective number of draws below it says little."""


@dataclasses.dataclass(frozen=True, eq=False)
class QueryAnswer(TableResult):
    """What a query came to.

    Attributes:
        question: the query.
        value: a number; of `mode` a level; of `P` of a column the probability of every level.
        error: its standard error; 0 where the answer is exact, NaN where there is none.
        how: "exact" or "weighted draws".
        effective_size: of weighted draws, as many independent ones would be as good; None where the answer is exact.
        draws: how many were made.
        remarks: what is to be said of it, in sentences.
    """

    question: str
    value: Value
    error: float = 0.0
    how: str = EXACT
    effective_size: float | None = None
    draws: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether nothing was drawn."""
        return self.how == EXACT

    def __float__(self) -> float:
        if isinstance(self.value, str | Mapping):
            raise TypeError(f"the answer to {self.question!r} is no number: {self.value!r}")
        return self.value

    def to_arrow(self) -> pa.Table:
        """A line; of a column of levels, a line a level."""
        values = list(self.value.values()) if isinstance(self.value, Mapping) else [self.value]
        lines = {"question": [self.question] * len(values)}
        if isinstance(self.value, Mapping):
            lines["level"] = list(self.value)
        size = pa.array([self.effective_size] * len(values), pa.float64())
        return pa.table(
            lines
            | {
                "value": values,
                "error": [self.error] * len(values),
                "how": [self.how] * len(values),
                "effective_size": size,
            }
        )

    def method(self) -> str:
        """How it was found, in words."""
        if self.exact:
            return "exact"
        return f"{counted(self.draws, 'weighted draw')}, effective size {short_number(self.effective_size or 0.0, 3)}"

    def words(self) -> tuple[str, ...]:
        """The answer in sentences."""
        if isinstance(self.value, Mapping):
            told = ", ".join(f"{level} {short_number(share, 4)}" for level, share in self.value.items())
            head = f"{self.question}: {told}"
        elif isinstance(self.value, str):
            head = f"{self.question} = {self.value}"
        else:
            head = f"{self.question} = {short_number(self.value, 6 if self.exact else 4)}"
        if not self.exact and math.isfinite(self.error):
            head += f" ± {short_number(self.error, 2)}"
        return (f"{head} ({self.method()})", *self.remarks)

    def headline(self) -> str:
        """The sentences."""
        return "\n".join(self.words())

    def __str__(self) -> str:
        return self.headline()

    def __repr__(self) -> str:
        return f"QueryAnswer({'; '.join(self.words())})"
