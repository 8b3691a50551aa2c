"""What a network answers, as values and tables."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from tacit.data.levels import show_level
from tacit.data.results import TableResult
from tacit.data.schema import Level


@dataclass(frozen=True, eq=False)
class NetworkAnswer(TableResult):
    """The posterior of columns given evidence about one case.

    Attributes:
        log_evidence: ``log p`` of the evidence, in nats (with soft evidence, of it too).
        levels: by name, the probability of every level.
        numbers: by name, mean and standard deviation.
        before: the probabilities without the evidence, by name.
        how: "exact", or by what approximation.
        evidence: what was given.
        words: of an approximation, what is known of its error.
        errors: by name, what the error of a probability is unlikely to exceed; 1 where nothing is known. Nothing of
            what is exact.
    """

    log_evidence: float
    levels: Mapping[str, Mapping[Level, float]]
    numbers: Mapping[str, tuple[float, float]]
    before: Mapping[str, Mapping[Level, float]]
    how: str
    evidence: Mapping[str, Any]
    words: str = ""
    errors: Mapping[str, float] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        """The probabilities of a column's levels, or mean and deviation of a number."""
        return self.levels[name] if name in self.levels else self.numbers[name]

    def to_arrow(self) -> pa.Table:
        """A line a level, and one a number."""
        lines = [
            {
                "column": name,
                "value": show_level(level),
                "probability": share,
                "before": self.before.get(name, {}).get(level),
            }
            for name, shares in self.levels.items()
            for level, share in shares.items()
        ]
        lines += [
            {"column": name, "value": f"{mean:.6g} ± {deviation:.3g}", "probability": None, "before": None}
            for name, (mean, deviation) in self.numbers.items()
        ]
        kinds = [
            ("column", pa.string()),
            ("value", pa.string()),
            ("probability", pa.float64()),
            ("before", pa.float64()),
        ]
        return pa.Table.from_pylist(lines, schema=pa.schema(kinds))

    def headline(self) -> str:
        given = ", ".join(f"{name} = {value}" for name, value in self.evidence.items())
        return f"Given {given}" if given else "Nothing given"


@dataclass(frozen=True, eq=False)
class JointAnswer(TableResult):
    """The joint posterior of several columns.

    Attributes:
        columns: their names.
        levels: of each.
        probabilities: an axis a column.
    """

    columns: tuple[str, ...]
    levels: tuple[tuple[Level, ...], ...]
    probabilities: Any

    def to_arrow(self) -> pa.Table:
        """A line a combination, the likeliest first."""
        shares = self.probabilities.ravel()
        order = np.argsort(-shares, kind="stable")
        cells = [list(map(show_level, combination)) for combination in itertools.product(*self.levels)]
        columns = {name: [cells[line][place] for line in order] for place, name in enumerate(self.columns)}
        return pa.table(columns | {"probability": shares[order]})


@dataclass(frozen=True, eq=False)
class MostProbable(TableResult):
    """The most probable state of all that was not given.

    Attributes:
        values: by name.
        log_prob: ``log p`` of these and the evidence together.
        share: the probability of these given the evidence.
    """

    values: Mapping[str, Level]
    log_prob: float
    share: float

    def to_arrow(self) -> pa.Table:
        """A line a column."""
        return pa.table({"column": list(self.values), "value": [show_level(value) for value in self.values.values()]})
